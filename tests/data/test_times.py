"""Times in forms that look like others: read as what they are, or refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.commands.describe_log import description
from lab.core.errors import InputError
from lab.data.log.build import build
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.sources import Table
from lab.data.sources.times import TimeFormat, detect_time_format
from lab.data.timeline import Timeline

MOMENTS = [datetime(2023, 1, 31, 0, 59, 37, tzinfo=UTC) + timedelta(days=9 * k, hours=k) for k in range(9)]
MICROSECONDS = [int(moment.timestamp()) * 1_000_000 for moment in MOMENTS]


def written(pattern: str) -> pl.Series:
    return pl.Series("time", [moment.strftime(pattern) for moment in MOMENTS])


def truncate(moments: list[int], unit: str) -> list[int]:
    size = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit] * 1_000_000
    return [moment // size * size for moment in moments]


def ticks() -> pl.Series:
    """As .NET counts: tenths of microseconds since the year 1."""
    return pl.Series(
        "time", [(moment - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10 for moment in MOMENTS]
    )


@pytest.mark.parametrize(
    ("pattern", "kind", "unit"),
    [
        ("%Y-%m-%d %H:%M:%S UTC", "iso", "s"),
        ("%Y-%m-%d %H:%M:%S.000000 UTC", "iso", "s"),
        ("%Y-%m-%dT%H:%M:%S GMT", "iso", "s"),
        ("%Y-%m-%d %H:%M:%S +0000", "iso", "s"),
        ("%d/%b/%Y:%H:%M:%S +0000", "%d/%b/%Y:%H:%M:%S %z", "s"),
        ("[%d/%b/%Y:%H:%M:%S +0000]", "[%d/%b/%Y:%H:%M:%S %z]", "s"),
        ("%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S GMT", "s"),
        ("%a, %d %b %Y %H:%M:%S +0000", "%a, %d %b %Y %H:%M:%S %z", "s"),
        ("%a %b %d %H:%M:%S +0000 %Y", "%a %b %d %H:%M:%S %z %Y", "s"),
        ("%d-%b-%Y %H:%M", "%d-%b-%Y %H:%M", "m"),
        ("%d %b %Y", "%d %b %Y", "d"),
        ("%Y%m%d", "%Y%m%d", "d"),
        ("%Y%m%d.0", "%Y%m%d", "d"),
        ("%Y%m%d%H", "%Y%m%d%H", "h"),
        ("%Y%m%d%H%M", "%Y%m%d%H%M", "m"),
        ("%Y%m%d%H%M%S", "%Y%m%d%H%M%S", "s"),
        ("%Y%m%d%H%M%S000", "%Y%m%d%H%M%S%3f", "s"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_each_form_is_told_from_the_values(pattern: str, kind: str, unit: str, zone: str) -> None:
    text = written(pattern)
    found = detect_time_format(text, zone)
    assert found.kind == kind
    named = any(end in pattern for end in ("UTC", "GMT", "+0000"))
    shift = 0 if zone == "UTC" or named else 9 * 3_600_000_000
    assert found.parse(text).to_list() == [moment - shift for moment in truncate(MICROSECONDS, unit)]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
@pytest.mark.parametrize(("pattern", "unit"), [("%Y%m%d", "d"), ("%Y%m%d%H%M", "m"), ("%Y%m%d%H%M%S", "s")])
def test_dates_that_are_read_as_numbers_are_dates(dtype: pl.DataType, pattern: str, unit: str) -> None:
    numbers = written(pattern).cast(pl.Int64).cast(dtype)
    assert detect_time_format(numbers, "UTC").kind == pattern
    assert detect_time_format(numbers, "UTC").parse(numbers).to_list() == truncate(MICROSECONDS, unit)


def test_a_few_values_that_stand_for_no_time_do_not_make_dates_numbers() -> None:
    text = pl.concat([pl.Series("time", ["0"]), written("%Y%m%d%H%M")])
    assert detect_time_format(text, "UTC").kind == "%Y%m%d%H%M"


@pytest.mark.parametrize("dtype", [pl.Int64, pl.String])
def test_ticks_are_read_as_ticks_and_said_to_be(dtype: pl.DataType, tmp_path: Path) -> None:
    times = ticks().cast(dtype)
    assert detect_time_format(times, "UTC").parse(times).to_list() == MICROSECONDS
    found = prepare_log(
        Table(frame=pl.DataFrame({"user": ["u"] * 9, "item": ["i"] * 9, "time": times})), cache=tmp_path
    )
    assert (found.facts["first"], found.facts["last"]) == (MICROSECONDS[0], MICROSECONDS[-1])
    assert "read as         times as .NET ticks (UTC)" in "\n".join(description(found))


def test_what_is_stated_overrides_what_is_told_from_the_values() -> None:
    nanoseconds = TimeFormat("ns").parse(ticks())
    assert str(datetime.fromtimestamp(nanoseconds[0] / 1e6, UTC))[:4] == "1990"


def test_days_of_a_spreadsheet_are_called_so() -> None:
    with pytest.raises(
        InputError, match=r"44957\.5 and the like seem to be days of a spreadsheet, counted since 1900; "
    ):
        detect_time_format(pl.Series("time", [44957.5, 44958.25]), "UTC")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("%Y-%m-%d %H:%M:%S %Z", "names of zones mean several zones each"),
        ("%Y-%m-%d %I", "'%Y-%m-%d %I' is no pattern of times"),
        ("weeks", "'weeks' is none of auto, iso, d, s, ms, us, ns, ticks or a pattern like"),
    ],
)
def test_a_pattern_that_reads_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        TimeFormat(pattern)


@pytest.mark.parametrize("text", ["31/01/2023", "1/31/2023 3:04 PM", "2023-01-31 00:59:37 EST", "2023-01", "Q1 2023"])
def test_what_means_several_times_or_none_is_refused(text: str) -> None:
    log = pl.DataFrame({"user": ["u"] * 9, "item": ["i"] * 9, "time": [text] * 9})
    with pytest.raises(InputError, match=r"cannot be read as an ISO date or date-time; .*--time-format"):
        build(Table(frame=log), Cleaning(), Timeline(), ())


def test_an_hour_that_clocks_skip_is_told_so() -> None:
    log = pl.DataFrame({"user": ["u"] * 9, "item": ["i"] * 9, "time": ["2020-03-29 01:30:00"] * 9})
    with pytest.raises(InputError, match="date-time, or is skipped by the clocks of Europe/London; 9 of 9 rows"):
        build(Table(frame=log, timezone="Europe/London"), Cleaning(), Timeline(), ())


@pytest.mark.parametrize("none", ["NULL", "NaN", "\\N", "0000-00-00 00:00:00", ""])
def test_what_stands_for_no_time_is_missing(none: str, tmp_path: Path) -> None:
    times = [*written("%Y-%m-%d %H:%M:%S"), none]
    log = pl.DataFrame({"user": ["u"] * 10, "item": ["i"] * 10, "time": times})
    found = prepare_log(Table(frame=log), cache=tmp_path)
    assert (found.facts["missing"]["time"], found.facts["quarantine"]["rows"], found.events) == (1, 0, 9)
