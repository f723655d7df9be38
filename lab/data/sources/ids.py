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
_ODD = r"^\s|\s$|^$|\.0+$|[eE]\+\d+$"
"""What the ends of an id have that may be any of this; all others are as they should be."""

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


def unwrap(text: pl.Expr) -> pl.Expr:
    """The value in an object of MongoDB's extended JSON; other text as it is."""
    return pl.when(text.str.starts_with("{")).then(text.str.extract(_WRAPPED).fill_null(text)).otherwise(text)


def identifier(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """An id as text, null where there is none."""
    return tidy_ids(column, dtype).struct.field("id")


def tidy_ids(column: pl.Expr, dtype: pl.DataType, shift: int = 0) -> pl.Expr:
    """Struct of `id`, as text and null where there is none, and `odd`, UInt16: the bits of what is odd about it.

    The bits are moved up by `shift`, so that those of several columns have room in one.
    """
    if dtype.is_float():
        whole = (column == column.floor()) & (column.abs() < _LARGEST)
        number = column.cast(pl.Int64, strict=False).cast(pl.String)
        text = pl.when(whole).then(number).otherwise(column.fill_nan(None).cast(pl.String))
        rounded = ((column.abs() >= _EXACT) & column.is_finite()).fill_null(False)
        return pl.struct(text.alias("id"), pl.when(rounded).then(_bit(ROUNDED, shift)).otherwise(_bit(0)).alias("odd"))
    text = column.cast(pl.String)
    if dtype == pl.String or dtype.is_decimal():
        return text.map_batches(lambda ids: _tidied(ids, shift), return_dtype=_TIDY, is_elementwise=True)
    return pl.struct(text.alias("id"), _bit(0).alias("odd"))


_TIDY = pl.Struct({"id": pl.String, "odd": pl.UInt16})


def _bit(bit: int, shift: int = 0) -> pl.Expr:
    return pl.lit(bit << shift, pl.UInt16)


def _tidied(text: pl.Series, shift: int) -> pl.Series:
    """As `tidy_ids`, of text; hardly any id needs more than a look."""
    frame = pl.DataFrame({"id": text, "odd": pl.repeat(0, len(text), dtype=pl.UInt16, eager=True)})
    places = text.str.contains(_ODD).fill_null(False).arg_true()
    if not len(places):
        return frame.to_struct()
    bare = text.gather(places).str.strip_chars()
    decimals, scientific = bare.str.contains(_DECIMALS), bare.str.contains(_SCIENTIFIC)
    blank = (bare.str.len_bytes() < text.gather(places).str.len_bytes()) & (bare != "")
    tidy = bare.str.replace(r"\.0+$", "").zip_with(decimals, bare)
    odd = [pl.when(flag).then(_bit(bit, shift)).otherwise(_bit(0)) for bit, flag in
           ((BLANK, blank), (DECIMALS, decimals), (SCIENTIFIC, scientific))]  # fmt: skip
    found = pl.select(id=pl.when(tidy != "").then(tidy), odd=odd[0] | odd[1] | odd[2])
    return frame.with_columns(frame[name].scatter(places, found[name]) for name in ("id", "odd")).to_struct()
