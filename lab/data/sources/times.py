"""From whatever a log writes as a time to int64 microseconds UTC, a whole column at once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from lab.core.errors import InputError

UNITS = {"d": 86_400_000_000, "s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
"""Microseconds in a unit of a numeric time that counts from 1970."""

TICKS = "ticks"
"""Tenths of microseconds since the year 1, as .NET counts them."""

UTC_NAMES = (" UTC", " GMT")
"""Ends of a time that say its zone by name. Other names mean several zones each, and are not read."""

SHAPES = (
    *(f"%Y-%m-%d{t}%H:%M:%S{f}{z}" for z in ("", "%#z", *UTC_NAMES) for f in ("", "%.f") for t in (" ", "T")),
    *(f"%Y-%m-%d{t}%H:%M{z}" for z in ("", "%#z") for t in (" ", "T")),
    "%Y-%m-%d",
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d"),
)
"""Dates and date-times that are read without being told their format: ISO 8601, and what is like it."""

OTHERS = (
    *("%d/%b/%Y:%H:%M:%S %z", "[%d/%b/%Y:%H:%M:%S %z]"),  # of web servers
    *("%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %z %Y"),  # of mails, HTTP and tweets
    *(f"{day}{time}" for time in (" %H:%M:%S", " %H:%M", "") for day in ("%d-%b-%Y", "%d %b %Y", "%Y.%m.%d")),
)
"""Further ones that can mean one time alone. A column is all of one of them."""

# A count of seconds, milliseconds, ... since 1970 tells its unit by its size from here (March 1973, in
# microseconds) to there (the year 5138), for in this span no two units overlap.
EARLIEST, LATEST = 10**14, 10**17
SMALLEST = 10**8
"""Below this a count fits any unit (0, -1 and the like stand for a missing time)."""

_DAY = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_HOUR, _SIXTY = r"([01]\d|2[0-3])", r"[0-5]\d"
_COMPACT = (
    (rf"^{_DAY}$", "%Y%m%d"),
    (rf"^{_DAY}{_HOUR}$", "%Y%m%d%H"),
    (rf"^{_DAY}{_HOUR}{_SIXTY}$", "%Y%m%d%H%M"),
    (rf"^{_DAY}{_HOUR}{_SIXTY}{_SIXTY}$", "%Y%m%d%H%M%S"),
    (rf"^{_DAY}{_HOUR}{_SIXTY}{_SIXTY}\d\d\d$", "%Y%m%d%H%M%S%3f"),
)
"""Dates without anything between their parts. As a count since 1970 these are of 2030 and later, of 1976, or of no time
at all: where most of a column is of such a form, it is one."""

_TICKS_AT_1970 = 621_355_968_000_000_000
_TICKS = (62 * 10**16, 66 * 10**16)
"""Ticks of 1965 to 2092; as nanoseconds since 1970, of the year 1990 alone."""

_SPREADSHEET = (20_000, 60_000)
"""Days since 1900 of 1954 to 2064."""


@dataclass(frozen=True)
class TimeFormat:
    """How a column of times is written."""

    kind: str
    """A key of UNITS, or `ticks`, or a strptime pattern, or `iso`, or `date-time` for a column of instants."""
    zone: str = "UTC"
    """Zone of the times that state none."""
    detected: bool = False
    """Whether the kind was read off the values."""
    likeliest: str = SHAPES[0]
    """For `iso`: the shape to try first."""

    def __post_init__(self) -> None:
        if self.kind in (*UNITS, TICKS, "iso", "date-time"):
            return
        if "%" not in self.kind:
            raise InputError(
                f"time_format: {self.kind!r} is none of auto, iso, {', '.join(UNITS)}, {TICKS} or a pattern like "
                f"%d/%m/%Y %H:%M."
            )
        if "%Z" in self.kind:
            raise InputError(
                f"time_format: {self.kind!r} has %Z, and names of zones mean several zones each; write the name as it "
                f"stands (UTC) and state the zone with --timezone (timezone in Python), or use %z for +0100."
            )
        try:
            _with_shape(pl.Series(["1"]), self.kind, "UTC")
        except (pl.exceptions.PolarsError, ValueError) as error:
            said = str(error).strip().splitlines()[0].removeprefix("Invalid format string: ").rstrip(".")
            raise InputError(f"time_format: {self.kind!r} is no pattern of times ({said}).") from None

    def parse(self, times: pl.Series) -> pl.Series:
        """Int64 microseconds UTC; null where a value is missing or cannot be read."""
        if self.kind == "date-time":
            return _from_datetimes(times, self.zone)
        if self.kind in UNITS:
            return _from_numbers(times, UNITS[self.kind])
        if self.kind == TICKS:
            return _from_ticks(times)
        shapes = dict.fromkeys((self.likeliest, *SHAPES)) if self.kind == "iso" else (self.kind,)
        text = _text(times) if self.kind.startswith("%Y%m%d") else times.cast(pl.String)
        return _from_text(text, shapes, self.zone)

    def expression(self, column: pl.Expr) -> pl.Expr:
        """`parse` as a lazy expression."""
        return column.map_batches(self.parse, return_dtype=pl.Int64, is_elementwise=True)

    def doubtful(self, parsed: pl.Expr) -> pl.Expr:
        """True where a parsed number's size says that it was written in another unit than the others."""
        if self.kind not in (*UNITS, TICKS):
            return pl.lit(False)
        size = parsed.abs()
        if not self.detected or self.kind == TICKS:
            return size >= LATEST
        return (size >= int(SMALLEST * UNITS[self.kind])) & (size < EARLIEST) | (size >= LATEST)


def detect_time_format(sample: pl.Series, zone: str, place: str = "") -> TimeFormat:
    """How the times of a column are written, from its first values.

    Raises InputError, which names the `place` they are of, when that cannot be told.
    """
    if sample.dtype.is_temporal():
        return TimeFormat("date-time", zone, detected=True)
    values = sample.drop_nulls()
    text = _text(values)
    for pattern, shape in _COMPACT:
        if 2 * text.str.contains(pattern).sum() > len(text):
            return TimeFormat(shape, zone, detected=True)
    numbers = values.cast(pl.Float64, strict=False)
    dates = parse_iso(text, zone, detected=True)
    # What reads the most values is meant, however many neither reads; few numbers without a unit are no times.
    most = numbers.count() > len(values) / 2
    if not most and (not any(_by_unit(numbers).values()) or dates.parse(text).count() >= numbers.count()):
        return _other(text, zone, dates.parse(text).count()) or dates
    if 2 * numbers.is_between(*_TICKS).sum() > len(values):
        return TimeFormat(TICKS, zone, detected=True)
    column = f"{place}: column {sample.name!r}" if place else f"column {sample.name!r}"
    return TimeFormat(_unit(numbers.drop_nulls(), column), zone, detected=True)


def _other(text: pl.Series, zone: str, least: int) -> TimeFormat | None:
    """The one of OTHERS that reads the most values, and more than `least`."""
    counts = {shape: _with_shape(text.str.strip_chars(), shape, zone).count() for shape in OTHERS}
    best = max(counts, key=lambda shape: counts[shape])
    return TimeFormat(best, zone, detected=True) if counts[best] > least else None


def parse_iso(text: pl.Series, zone: str, detected: bool = False) -> TimeFormat:
    """ISO dates, the shape of these values to be tried first."""
    return TimeFormat("iso", zone, detected, _likeliest(text))


def _unit(numbers: pl.Series, column: str) -> str:
    counts = _by_unit(numbers)
    unit = max(counts, key=lambda unit: counts[unit])
    if counts[unit]:
        return unit
    # In one unit or another every larger number is a time, up to the year 5138 in nanoseconds.
    if abs(numbers[0]) >= SMALLEST:
        raise InputError(
            f"{column}: {numbers[0]:g} is too large for a time, even in nanoseconds since 1970; name the column that "
            f"holds times, or state a pattern like %Y%m%d with --time-format (of a run --source.time-format)."
        )
    if numbers.is_between(*_SPREADSHEET).all():
        raise InputError(
            f"{column}: {numbers[0]:g} and the like seem to be days of a spreadsheet, counted since 1900; write the "
            f"column as dates, or state that days count since 1970 with --time-format d (of a run "
            f"--source.time-format)."
        )
    raise InputError(
        f"{column}: {numbers[0]:g} is too small to tell seconds from milliseconds since 1970; state which with "
        f"--time-format (of a run --source.time-format): d, s, ms, us, ns or a pattern like %Y-%m-%d."
    )


def _by_unit(numbers: pl.Series) -> dict[str, int]:
    """How many of the numbers each unit would put into our times."""
    return {
        unit: int(((numbers.abs() * size >= EARLIEST) & (numbers.abs() * size < LATEST)).sum())
        for unit, size in UNITS.items()
        if unit != "d"
    }


_YEARS = (-62_135_596_800, 253_402_300_800)
"""Seconds since 1970 at which the year 1 begins and 9999 ends: outside, polars can neither convert nor print a date."""


def within_years(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column of dates or instants without those before the year 1 or after 9999; any other as it is."""
    if dtype == pl.Date:
        first, last = (seconds // 86_400 for seconds in _YEARS)
    elif isinstance(dtype, pl.Datetime):
        first, last = (seconds * {"ms": 10**3, "us": 10**6, "ns": 10**9}[dtype.time_unit] for seconds in _YEARS)
    else:
        return column
    count = column.to_physical().cast(pl.Int128)
    return pl.when(count.is_between(first, last, closed="left")).then(column)


def _from_datetimes(times: pl.Series, zone: str) -> pl.Series:
    instants = times.cast(pl.Datetime("us", getattr(times.dtype, "time_zone", None)))
    return _in_utc(instants, zone)


def _from_numbers(times: pl.Series, size: float) -> pl.Series:
    """Whole numbers exactly; others through float64. Out of int64's range becomes its largest value."""
    most = 2**62
    whole = times if times.dtype.is_integer() else times.cast(pl.Int64, strict=False)
    frame = pl.DataFrame({"whole": whole.cast(pl.Int64, strict=False)})
    column = pl.col("whole")
    exact = column * int(size) if size >= 1 else column // round(1 / size)
    bounded = (
        pl.when(column.abs() < int(most / max(size, 1))).then(exact).otherwise(pl.lit(most)) if size > 1 else exact
    )
    parsed = frame.select(pl.when(column.is_not_null()).then(bounded)).to_series()
    if parsed.null_count() == times.null_count():
        return parsed
    floats = times.cast(pl.Float64, strict=False) * size
    rounded = floats.clip(-most, most).round().fill_nan(None).cast(pl.Int64, strict=False)
    return parsed.zip_with(parsed.is_not_null(), rounded)


def _from_ticks(times: pl.Series) -> pl.Series:
    """Whole microseconds since 1970."""
    return (times.cast(pl.Int64, strict=False) - _TICKS_AT_1970) // 10


def _text(times: pl.Series) -> pl.Series:
    """Times as text; whole numbers without the decimals that pandas gives to dates like 20230131 where some lack."""
    if times.dtype.is_float():
        whole = times.cast(pl.Int64, strict=False)
        return whole.cast(pl.String).zip_with(whole.cast(pl.Float64) == times, times.cast(pl.String))
    text = times.cast(pl.String)
    return text.str.replace(r"^(\d{8,17})\.0+$", "$1")


def _from_text(text: pl.Series, shapes: Iterable[str], zone: str) -> pl.Series:
    """Each shape is tried on what the shapes before it could not read."""
    text = text.str.strip_chars()
    parsed = pl.Series(text.name, [None], pl.Int64).new_from_index(0, len(text))
    left = text.is_not_null()
    for shape in shapes:
        if not left.any():
            break
        found = _with_shape(text if left.all() else text.filter(left), shape, zone)
        parsed = found if left.all() else parsed.scatter(left.arg_true(), found)
        left = text.is_not_null() & parsed.is_null()
    return parsed


def _likeliest(text: pl.Series) -> str:
    """The shape that reads the most of these values."""
    head = text.head(100).str.strip_chars()
    return max(SHAPES, key=lambda shape: _with_shape(head, shape, "UTC").count())


def _with_shape(text: pl.Series, shape: str, zone: str) -> pl.Series:
    if shape.endswith("%H"):  # an hour alone, which polars does not read
        text, shape = text + "00", f"{shape}%M"
    zone = "UTC" if shape.endswith(UTC_NAMES) else zone
    if "%z" in shape or "%#z" in shape:
        return text.str.to_datetime(shape, strict=False, time_unit="us", time_zone="UTC").cast(pl.Int64)
    if re.search("%[HIk]", shape) is None:
        return _in_utc(text.str.to_date(shape, strict=False).cast(pl.Datetime("us")), zone)
    return _in_utc(text.str.to_datetime(shape, strict=False, time_unit="us"), zone)


def _in_utc(instants: pl.Series, zone: str) -> pl.Series:
    """A time that a clock change skips is null; of two that it doubles, the first is meant."""
    dtype: Any = instants.dtype
    if dtype.time_zone is None and zone != "UTC":
        frame = instants.to_frame("t")
        local = pl.col("t").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        instants = frame.select(local.dt.convert_time_zone("UTC")).to_series()
    return instants.cast(pl.Int64)
