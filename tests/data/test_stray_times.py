"""A few events far from all the others are said, with what leaves them out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lab.commands.describe_log import description
from lab.core.errors import InputError
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.log.stray_times import bulk_span, late_times, odd_times, stray_times
from lab.data.sources import Table
from lab.data.timeline import DAY, SHARD_EVENTS, Timeline, folds, instant
from lab.dataset.dataset import Dataset, build_dataset
from lab.running.plan import _times
from lab.targets import Interest


def test_nearly_all_events_lie_between_two_ends() -> None:
    time = np.random.default_rng(0).permutation(np.arange(2001))
    assert bulk_span(time) == [2, 1998]
    assert bulk_span(np.array([5])) == [5, 5]


def test_times_before_shops_kept_logs_or_still_to_come_are_remarked_on() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    usual = {"first": instant("2010-12-01"), "last": instant("2024-12-31")}
    assert odd_times(usual, now) is None
    said = odd_times({"first": instant("1915-05-01"), "last": instant("2074-02-03")}, now)
    assert said is not None and said.startswith(
        "the first event is of 1915-05-01 and the last event is of 2074-02-03, still to come: is that right?"
    )
    assert "--cleaning.since" in said and "--cleaning.until" in said


def test_a_dense_log_has_no_stray_times() -> None:
    assert stray_times({"bulk": [10, 90], "first": 0, "last": 100}) is None
    assert stray_times({"bulk": [7, 7], "first": 7, "last": 7}) is None


def test_the_advice_leaves_out_the_stray_events_alone(tmp_path: Path) -> None:
    seconds = [1_500_000_000 + 300 * k for k in range(3000)]
    times = [1_400_000_000, *seconds, 1_600_000_000]
    rows = {"user": [k % 9 for k in range(3002)], "item": [k % 7 for k in range(3002)], "time": times}
    found = prepare_log(Table(frame=pl.DataFrame(rows)), cache=tmp_path)
    said = stray_times(found.facts)
    assert said is not None and "(10.5 of 2,314 days)" in said
    assert "stray times     99.8 % of the events lie between" in "\n".join(description(found))
    since, until = (said.split(f"--cleaning.{name} ")[1].split()[0] for name in ("since", "until"))
    kept = prepare_log(Table(frame=pl.DataFrame(rows)), Cleaning(since=since, until=until), cache=tmp_path)
    assert kept.facts["last"] - kept.facts["first"] < 11 * DAY
    assert kept.events > 0.995 * found.events
    assert stray_times(kept.facts) is None


def test_what_rules_by_counts_leave_is_not_mistaken_for_where_events_lie(tmp_path: Path) -> None:
    """The span is that of the log by which cutoffs go; what such a rule leaves of it is said beside it."""
    days = [*range(100), *range(40, 60)]
    rows = {"user": [k % 9 for k in range(120)]}
    rows |= {"item": [f"rare{k}" if k < 100 else "often" for k in range(120)], "time": [d * 86_400 for d in days]}
    found = prepare_log(Table(frame=pl.DataFrame(rows), time_format="s"), Cleaning(item_min_events=2), cache=tmp_path)
    said = list(_times(found.facts))
    assert said[:2] == [
        "1970-01-01 to 1970-04-10, 99 days",
        "of which cleaning by counts left 1970-02-10 to 1970-03-01; cutoffs go by the whole",
    ]
    assert not any("99.8 %" in line for line in said)


def sixty_days(
    cache: Path,
    late: tuple[str, ...],
    active_days: float | None,
    users: int = 9,
    shard_events: int = SHARD_EVENTS,
    least: int = Timeline.min_events,
    end: str | None = None,
    **cleaning: Any,
) -> Dataset:
    """The newest fold of users who do something each day of two months, and of a few rows more."""
    days = [str(np.datetime64("2020-01-01") + k) for k in range(60)]
    rows = {"user": [u for u in range(users) for _ in days], "item": [k % 7 for k in range(60)] * users}
    more = {"user": [1] * len(late), "item": [1] * len(late), "time": late}
    frame = pl.concat([pl.DataFrame(rows | {"time": days * users}), pl.DataFrame(more)])
    timeline = Timeline(active_days=active_days, min_events=least, end=end)
    log = prepare_log(Table(frame=frame), Cleaning(**cleaning), timeline, (7,), cache)
    fold = folds(timeline, (7,), log.facts["first"], log.facts["last"])[0]
    view, _ = build_view(log, fold, Interest().categories, shard_events)
    return build_dataset(view, timeline, Interest(), (), 64, 16)


@pytest.mark.parametrize("late", [("2074-02-03",), ("2074-02-03", "2076-01-01", "2090-05-05")])
@pytest.mark.parametrize(("active_days", "said"), [(365, "no user may be asked"), (None, "no user of the valid split")])
def test_rows_of_the_far_future_are_named_where_nobody_is_left_to_ask(
    tmp_path: Path, late: tuple[str, ...], active_days: float | None, said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        sixty_days(tmp_path, late, active_days)
    complaint = str(refused.value)
    one = "1 of the 541 events lies" if len(late) == 1 else "3 of the 543 events lie"
    assert f"{one} 19,690 days after all others" in complaint
    until = complaint.split("--cleaning.until ")[1].removesuffix(".")
    assert until == "2020-02-29"
    assert sixty_days(tmp_path, late, active_days, until=until).view.histories.events == 540


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"least": 99}, "Lower timeline.min_events, use a log of longer histories."),
        ({"end": "2030-01-01"}, "Lower timeline.min_events, leave timeline.end out, which lies behind the log."),
        ({"least": 60}, "Lower timeline.min_events, raise timeline.active_days, use shorter horizons."),
    ],
)
def test_only_what_can_help_is_advised(tmp_path: Path, settings: dict[str, Any], cure: str) -> None:
    with pytest.raises(InputError, match="no user may be asked") as refused:
        sixty_days(tmp_path, (), 30, **settings)
    assert str(refused.value).endswith(cure)


def test_what_cleaning_took_is_told_where_nothing_is_left_to_know(tmp_path: Path) -> None:
    days = [*range(20), *range(50, 60)]
    rows = {"user": [k % 3 for k in days], "item": ["old"] * 20 + ["new"] * 10, "time": [k * 86_400 for k in days]}
    frame, timeline = pl.DataFrame(rows), Timeline()
    log = prepare_log(Table(frame=frame, time_format="s"), Cleaning(item_min_events=99), timeline, (7,), tmp_path)
    (fold,) = folds(timeline, (7,), log.facts["first"], log.facts["last"])
    with pytest.raises(
        InputError, match=r"cutoff once cleaning left out 20 by item_min_events: .* events; loosen that,"
    ):
        build_view(log, fold, Interest().categories)


def test_of_a_log_in_shards_the_whole_is_looked_at(tmp_path: Path) -> None:
    # Of two thousand events one may be stray.
    with pytest.raises(
        InputError, match=r"no user may be asked.*99\.8 % of the events lie .*--cleaning\.until 2020-02-29"
    ):
        sixty_days(tmp_path, ("2074-02-03",), 365, users=40, shard_events=300)


def test_late_times_lie_behind_the_longest_gap() -> None:
    time = np.array([50, 0, 2, 1, 53]) * DAY
    said = late_times(time, 40 * DAY, 7 * DAY)
    assert said is not None and said.startswith("2 of the 5 events lie 48 days after all others")
    assert said.endswith("--cleaning.until 1970-01-03")
    assert late_times(time, DAY, 7 * DAY) is None and late_times(time, 40 * DAY, 48 * DAY) is None
    assert late_times(time[:1], 99 * DAY, DAY) is None and late_times(time[:0], 99 * DAY, DAY) is None
    assert late_times(np.array([0, 50, 51, 52]) * DAY, 51 * DAY, DAY) is None, "most of a log is not stray"
    # Rounded up, so that no event before the gap is left out.
    assert (late_times(time + 1, 40 * DAY, DAY) or "").endswith("--cleaning.until 1970-01-03T01:00:00")
