"""Who comes back: counted as a run would ask, and told with what to ask instead where hardly anybody does."""

from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from lab.commands.describe_log import description
from lab.commands.log_horizons import horizons_table
from lab.core.errors import InputError
from lab.data.fold.returning_users import count_returning_users
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.log.histories import Histories
from lab.data.sources import SyntheticShop, Table
from lab.data.timeline import DAY, Timeline, folds
from lab.dataset.dataset import build_dataset
from lab.running.plan import print_fold
from lab.targets import Interest

HOUR = 3600


def visits(tmp_path: Path, days: tuple[int, ...], users: int = 90, events: int = 6) -> Histories:
    """Users who each make a visit of some events on these days after their first one, a new user each six hours."""
    rows = [
        (f"u{user}", f"i{k % 5}", (6 * HOUR * user) + 24 * HOUR * day + 60 * k)
        for user in range(users)
        for day in days
        for k in range(events)
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "seconds"], orient="row")
    time = (pl.lit(1_600_000_000) + pl.col("seconds")).alias("time")
    return prepare_log(Table(frame=frame.select("user", "item", time, category="item")), cache=tmp_path)


def advice_text(histories: Histories) -> str:
    return " ".join(" ".join(description(histories)).split())


@pytest.mark.parametrize("active_days", [None, 3])
def test_counts_are_those_of_a_slow_loop(tmp_path: Path, active_days: float | None) -> None:
    histories = visits(tmp_path, (0, 2, 5), users=40)
    last = histories.facts["last"]
    for found in count_returning_users(histories, (1, 3, 7), Timeline(active_days=active_days)):
        cutoff, known, back, labels, asked = last - int(found.horizon * DAY), 0, 0, 0, 0
        for user in range(histories.users):
            own = slice(histories.offsets[user], histories.offsets[user + 1])
            times, codes = np.asarray(histories.time[own]), np.asarray(histories.category)[own]
            before = times[times <= cutoff]
            asked += sum(k >= 3 and time > cutoff for k, time in enumerate(times))
            if len(before) < 3 or (active_days is not None and before[-1] <= cutoff - active_days * DAY):
                continue
            known, back = known + 1, back + (len(before) < len(times))
            labels += len(set(codes[times > cutoff]))
        assert (found.known, found.back, found.next_items) == (known, back, asked)
        assert found.labels == pytest.approx(labels / back)


def test_a_run_asks_as_many(tmp_path: Path) -> None:
    shop = prepare_log(SyntheticShop(users=200, days=90), cache=tmp_path)
    (found,) = count_returning_users(shop, (7,), Timeline())
    (fold,) = folds(Timeline(), (7,), shop.facts["first"], shop.facts["last"])
    view, _ = build_view(shop, fold, Interest().categories)
    data = build_dataset(view, Timeline(), Interest(), (), 64, 16)
    test = data.splits["test"]
    assert (found.known, found.back) == (len(test.queries), int(test.labels[0].answered.sum()))
    assert found.labels == pytest.approx(len(test.labels[0].ids) / found.back)
    console = Console(width=80, record=True, file=StringIO())
    print_fold(console, data, "given")
    (line,) = (line for line in console.export_text().splitlines() if "categories in each answer" in line)
    assert line.split()[-1] == f"{found.labels:.1f}"


def test_a_log_to_which_nobody_comes_back_is_pointed_to_next_items(tmp_path: Path) -> None:
    once = visits(tmp_path, (0,))
    assert [one.back for one in count_returning_users(once, (1, 3, 7), Timeline())] == [0, 0, 0]
    text = advice_text(once)
    assert "no horizon has 30 users who come back" in text
    assert "which item a user takes next can be, 84 times within 7 days: target=NextItem()" in text
    often = visits(tmp_path, tuple(range(0, 20, 2)), users=200)
    assert "next items" not in advice_text(often) and max(map(len, description(often))) <= 80


def test_a_log_of_one_day_is_pointed_to_the_last_event_of_each(tmp_path: Path) -> None:
    rows = {
        "user": [f"u{k % 40}" for k in range(200)],
        "item": ["i"] * 200,
        "time": [1_600_000_000 + k for k in range(200)],
    }
    text = advice_text(prepare_log(Table(frame=pl.DataFrame(rows)), cache=tmp_path))
    assert "once of each of 40 users: target=NextItem() with timeline=Timeline(protocol='leave_one_out')" in text
    few = {name: values[:9] for name, values in rows.items()}
    text = advice_text(prepare_log(Table(frame=pl.DataFrame(few)), cache=tmp_path))
    assert "nor which item comes next, of 0 users with more than 3 events" in text


def test_a_run_of_such_a_log_says_so_too(tmp_path: Path) -> None:
    once = visits(tmp_path, (0,))
    (fold,) = folds(Timeline(), (3,), once.facts["first"], once.facts["last"])
    view, _ = build_view(once, fold, Interest().categories)
    with pytest.raises(InputError, match=r"longer log, or ask which item a user takes next \(target=NextItem\(\)\)"):
        build_dataset(view, Timeline(), Interest(), (), 64, 16)


def test_what_is_left_to_train_on_stands_in_the_table(tmp_path: Path) -> None:
    # 100 days hold 14 windows of 7 days and 3 of 30, less one to choose by and one to judge by.
    lines = horizons_table(
        list(count_returning_users(visits(tmp_path, (0, 2)), (7, 30), Timeline())), 100 * DAY, "items"
    )
    assert [line.split()[-1] for line in lines] == ["windows", "12", "1"]
