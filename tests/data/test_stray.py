"""A few events far from all the others are said, with what leaves them out."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from lab.data.cache import prepare
from lab.data.cleaning import Cleaning
from lab.data.describe import description
from lab.data.sources import Table
from lab.data.stray import bulk, odd_times, stray_times
from lab.data.timeline import DAY, instant


def test_nearly_all_events_lie_between_two_ends() -> None:
    time = np.random.default_rng(0).permutation(np.arange(2001))
    assert bulk(time) == [2, 1998]
    assert bulk(np.array([5])) == [5, 5]


def test_times_before_shops_kept_logs_or_still_to_come_are_remarked_on() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    usual = {"first": instant("2010-12-01"), "last": instant("2024-12-31")}
    assert odd_times(usual, now) is None
    said = odd_times({"first": instant("1915-05-01"), "last": instant("2074-02-03")}, now)
    assert said is not None and said.startswith(
        "the first event is of 1915-05-01 and the last event is of 2074-02-03, still to come: is that right?"
    )


def test_a_dense_log_has_no_stray_times() -> None:
    assert stray_times({"bulk": [10, 90], "first": 0, "last": 100}) is None
    assert stray_times({"bulk": [7, 7], "first": 7, "last": 7}) is None


def test_the_advice_leaves_out_the_stray_events_alone(tmp_path: Path) -> None:
    seconds = [1_500_000_000 + 300 * k for k in range(3000)]
    times = [1_400_000_000, *seconds, 1_600_000_000]
    rows = {"user": [k % 9 for k in range(3002)], "item": [k % 7 for k in range(3002)], "time": times}
    found = prepare(Table(frame=pl.DataFrame(rows)), cache=tmp_path)
    said = stray_times(found.facts)
    assert said is not None and "(10.5 of 2,314.8 days)" in said
    assert "stray times     99.8 % of the events lie between" in "\n".join(description(found))
    since, until = (said.split(f"--cleaning.{name} ")[1].split()[0] for name in ("since", "until"))
    kept = prepare(Table(frame=pl.DataFrame(rows)), Cleaning(since=since, until=until), cache=tmp_path)
    assert kept.facts["last"] - kept.facts["first"] < 11 * DAY
    assert kept.events > 0.995 * found.events
    assert stray_times(kept.facts) is None
