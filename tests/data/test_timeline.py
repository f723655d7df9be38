"""Cutoffs, windows and the calendar of ticks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.commands.describe_log import _span
from lab.core.errors import InputError
from lab.data.timeline import DAY, Timeline, date_text, fitting_horizons, folds, instant, log_days, microseconds
from lab.running.plan import _times


@given(
    horizons=st.lists(st.sampled_from([0.5, 1, 3, 7, 30]), min_size=1, max_size=3, unique=True),
    every=st.sampled_from([None, 0.25, 2, 7, 11]),
    count=st.integers(1, 3),
    spare=st.floats(0, 100),
    first=st.integers(-(10**15), 10**15),
)
def test_windows_close_before_the_next_split_opens(
    horizons: list[float], every: float | None, count: int, spare: float, first: int
) -> None:
    longest = max(horizons)
    last = first + microseconds((2 + count) * longest + spare)
    placed = folds(Timeline(query_every=every, folds=count), tuple(horizons), first, last)
    assert [fold.test_cutoff for fold in placed] == [last - (f + 1) * microseconds(longest) for f in range(count)]
    for fold in placed:
        assert fold.valid_cutoff + fold.longest == fold.test_cutoff and fold.closes_by("valid") == fold.test_cutoff
        assert fold.closes_by("test") <= last
        train, valid, test = (fold.ticks(split) for split in ("train", "valid", "test"))
        assert valid[-1] == fold.valid_cutoff and test[-1] == fold.test_cutoff
        # Training knows windows that close by the valid cutoff, and leaves out no other tick of the calendar.
        assert train.tolist() == [c for c in valid.tolist() if c + min(fold.horizons) <= fold.valid_cutoff]
        for ticks in (train, valid, test):
            assert (np.diff(ticks) == fold.query_every).all() and (ticks >= first).all()
        assert test[0] - fold.query_every < first and valid[0] - fold.query_every < first


def test_an_example_by_hand() -> None:
    (fold,) = folds(Timeline(end="1970-01-31"), (2, 5), 0, 99 * DAY)
    assert (fold.test_cutoff, fold.valid_cutoff, fold.query_every) == (25 * DAY, 20 * DAY, 2 * DAY)
    assert (fold.ticks("train") // DAY).tolist() == list(range(0, 19, 2))
    assert (fold.ticks("test") // DAY).tolist() == list(range(1, 26, 2))


def test_a_log_that_is_too_short_says_what_fits() -> None:
    assert fitting_horizons(20 * DAY, (1, 7, 30), 1) == (1,)
    with pytest.raises(InputError, match=r"spans 20 days.*30 days.*needs 90.*1 would fit.*longest that fits is 6\.66"):
        folds(Timeline(), (1, 7, 30), 0, 20 * DAY)
    with pytest.raises(InputError, match=r"longest that fits is 29\.9 days"):
        folds(Timeline(), (30,), 0, microseconds(89.97))
    with pytest.raises(InputError, match="none of those asked fits"):
        folds(Timeline(folds=3), (7,), 0, 20 * DAY)


@pytest.mark.parametrize(
    ("days", "text"), [(0, "0"), (20, "20"), (42.6666, "42.66"), (89.9999, "89.99"), (12345.6, "12,340")]
)
def test_a_log_is_as_long_wherever_it_is_said(days: float, text: str) -> None:
    """A log that has no room for a horizon is not said to have it."""
    assert log_days(microseconds(days)) == text
    with pytest.raises(InputError, match=rf"the log spans {text} days, and a horizon of 5000 days"):
        folds(Timeline(), (5000,), 0, microseconds(days))
    span = [0, microseconds(days)]
    facts = {"first": 0, "last": span[1], "resolution": 1, "tied": 0, "bulk": span, "kept": span}
    assert f" UTC ({text} days), times to" in _span(facts)
    assert f", {text} days" in next(iter(_times(facts)))


@pytest.mark.parametrize(
    ("text", "microseconds_"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01 12:00", DAY // 2),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59.999999", -1),
    ],
)
def test_instants(text: str, microseconds_: int) -> None:
    assert instant(text) == microseconds_


@pytest.mark.parametrize("text", ["now", "today", "NaT", "", "soon", "31/08/2022", "2022-02-30", "1661904000"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"timeline\.end: .* is not a date; write one like"):
        instant(text)
    with pytest.raises(InputError, match=r"timeline\.end"):
        Timeline(end=text)


def test_a_calendar_of_more_ticks_than_can_be_laid_is_refused() -> None:
    (fold,) = folds(Timeline(), (1e-7, 7), 0, 60 * DAY)
    with pytest.raises(
        InputError, match=r"timeline\.query_every: a tick every 1e-07 days is 460,000,001 of them"
    ) as said:
        fold.ticks("train")
    assert "--cleaning.until" in str(said.value)


def test_dates_are_written_short() -> None:
    assert date_text(0) == "1970-01-01" and date_text(DAY // 2) == "1970-01-01T12:00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"folds": 0},
        {"min_events": 0},
        {"query_every": 0},
        {"query_every": 1e-12},
        {"active_days": -1},
        {"active_days": float("nan")},
        {"active_days": float("inf")},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=rf"timeline\.{next(iter(wrong))}: "):
        Timeline(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["query_every", "active_days", "history_days"])
def test_where_events_are_counted_no_setting_is_in_days(setting: str) -> None:
    with pytest.raises(
        InputError, match=rf"^timeline\.{setting}: 30 is a number of days, and timeline\.protocol='leave_"
    ):
        Timeline(protocol="leave_one_out", **{setting: 30})  # type: ignore[arg-type]
    assert Timeline(protocol="leave_one_out", active_days=None).active_days is None
    with pytest.raises(InputError, match=r"timeline\.folds: 2 folds roll over a calendar"):
        Timeline(protocol="leave_one_out", folds=2)
