"""Ids as text: each written in one way, and those that cannot be trusted marked.

An id loses the blanks around it, and a whole number its `.0` (pandas makes floats of ids with gaps): `12`, ` 12` and
`12.0` are one user. What digits an id has lost before it came here, nothing can bring back: it is marked.
"""

import polars as pl

BLANK, DECIMALS, SCIENTIFIC, ROUNDED = (1 << k for k in range(4))
"""What can be odd about an id, as bits: blanks around it; `12.0` for 12; `1.23457E+11`; a float of 2^53 or more."""

ODDITIES = 4
"""How many such bits there are."""

_DECIMALS = r"^-?\d+\.0+$"
_SCIENTIFIC = r"^-?\d(\.\d+)?[eE]\+\d+$"
"""As spreadsheets write large numbers; a code such as 12E3 has no sign and more than one digit before its letter."""

_EXACT = 2.0**53
"""From here on not every whole number is a float."""
_LARGEST = 2.0**63

_WRAPPED = (
    r'^\{\s*"\$(?:oid|date|uuid|number(?:Long|Int|Double|Decimal))"\s*:\s*'
    r'(?:\{\s*"\$numberLong"\s*:\s*)?"?([^"{}]*?)"?\s*\}+$'
)
"""A value as MongoDB exports it: `{"$oid": "5f.."}`, `{"$date": {"$numberLong": "1672531200000"}}`."""


def as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column of categories or bytes as strings, another as it is."""
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    return column.cast(pl.String, strict=False) if dtype == pl.Binary else column


def unwrapped(text: pl.Expr) -> pl.Expr:
    """The value in an object of MongoDB's extended JSON; other text as it is."""
    return pl.when(text.str.starts_with("{")).then(text.str.extract(_WRAPPED).fill_null(text)).otherwise(text)


def identifier(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """An id as text, null where there is none."""
    if dtype.is_float():
        whole = (column == column.floor()) & (column.abs() < _LARGEST)
        number = column.cast(pl.Int64, strict=False).cast(pl.String)
        return pl.when(whole).then(number).otherwise(column.fill_nan(None).cast(pl.String))
    if dtype.is_decimal():
        return _bare(column.cast(pl.String))
    return _bare(column) if dtype == pl.String else column.cast(pl.String)


def _bare(text: pl.Expr) -> pl.Expr:
    text = text.str.strip_chars()
    whole = pl.when(text.str.contains(_DECIMALS)).then(text.str.replace(r"\.0+$", "")).otherwise(text)
    return pl.when(text != "").then(whole)


def oddities(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """UInt16: the bits of what is odd about each id, 0 for nothing."""
    if dtype.is_float():
        return _bits({ROUNDED: (column.abs() >= _EXACT) & column.is_finite()})
    if dtype != pl.String:
        return pl.lit(0, pl.UInt16)
    text = column.str.strip_chars()
    around = (text.str.len_bytes() < column.str.len_bytes()) & (text != "")
    return _bits({BLANK: around, DECIMALS: text.str.contains(_DECIMALS), SCIENTIFIC: text.str.contains(_SCIENTIFIC)})


def _bits(found: dict[int, pl.Expr]) -> pl.Expr:
    return pl.sum_horizontal(bit * true.fill_null(False).cast(pl.UInt16) for bit, true in found.items()).cast(pl.UInt16)
