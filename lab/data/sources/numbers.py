"""Prices and quantities written as text: decimal points or commas, thousands separators, currency signs.

What one value leaves open, the others of its column may tell: beside 12.50, the comma of 1,234 parts thousands. Nothing
is guessed: a value that may be two numbers is none.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

MISSING = ("", "-", "n/a", "na", "nan", "nil", "none", "null", "undefined", "\\n")
"""What tools write where there is no number, in lower case; `\\N` is MySQL's."""

_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN MYR NOK NZD PEN PHP PLN "
    "QAR RMB RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
).replace(" ", "|")
_SIGN = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|{_CODES}|[Kk]r\.?|zł|Kč|Ft|Fr\.?|Rs\.?|руб\.?|TL)"
_GAP = r"[ \x{a0}\x{202f}'’]"
"""What parts thousands and nothing else: a blank (one that does not break, too) or an apostrophe."""
_VALUE = rf"^(\(|[-−+]?)\s*({_SIGN})?\s*([-−]?)\s*([\d.,]+(?:{_GAP}\d+[.,\d]*)*)\s*({_SIGN})?\s*(\)?)$"

_POINT = rf"^\d+\.\d{{1,2}}$|\.\d{{4,}}$|^0\.\d|,\d{{3}}\.\d|{_GAP}\d{{3}}\.\d"
_COMMA = rf"^\d+,\d{{1,2}}$|,\d{{4,}}$|^0,\d|\.\d{{3}},\d|{_GAP}\d{{3}},\d|\.\d{{3}}\.\d{{3}}\b"
"""Digits that leave no doubt of what their decimals begin with."""
_THOUSANDS = r",\d{3},\d{3}\b"


@dataclass(frozen=True)
class NumberFormat:
    """How a column of numbers is written."""

    decimal: Literal[".", ","] = "."
    """What decimals begin with; the other one parts thousands."""
    grouped: bool = False
    """Whether some value tells that a comma parts thousands, so that 1,234 can be nothing else."""
    currency: str = ""
    """The sign beside the numbers; a value with another one is none."""

    @property
    def remark(self) -> str:
        """How the numbers are read, in words; empty where it goes without saying."""
        said = [f"in {self.currency}"] if self.currency else []
        return " ".join(said + (["with a decimal comma"] if self.decimal == "," else []))

    @property
    def wanted(self) -> str:
        """What a number of this column looks like, to be read after `is not`."""
        return " ".join(filter(None, ("a number", self.remark)))

    def parse(self, text: pl.Series) -> pl.Series:
        """Float64; null where there is no number."""
        text = text.str.strip_chars()
        plain = text.cast(pl.Float64, strict=False)
        if self.decimal == "." and plain.null_count() == text.null_count():
            return plain
        rest = (text.is_not_null() & plain.is_null()) if self.decimal == "." else text.is_not_null()
        places = rest.arg_true()
        return plain.scatter(places, self._parse(text.gather(places)))

    def _parse(self, text: pl.Series) -> pl.Series:
        parts = _split_number(text)
        minus = pl.any_horizontal(pl.col("open").is_in(["-", "−"]), pl.col("inner") != "", pl.col("open") == "(")
        closed = (pl.col("open") == "(") == (pl.col("close") == ")")
        once = (pl.col("open") == "") | (pl.col("inner") == "")
        alike = pl.col("currency").is_in(["", self.currency])
        number = self._digits(pl.col("digits")).cast(pl.Float64, strict=False)
        signed = pl.when(minus).then(-number).otherwise(number)
        return parts.select(pl.when(closed & once & alike).then(signed)).to_series()

    def _digits(self, digits: pl.Expr) -> pl.Expr:
        """Digits with a decimal point alone, null where they do not fit the format."""
        point, comma = (r"\.", ",") if self.decimal == "." else (",", r"\.")
        # In India the groups before the last one have two digits.
        several = rf"^\d{{1,3}}(?:{comma}\d{{2,3}})+{comma}\d{{3}}(?:{point}\d+)?$"
        one = rf"^\d{{1,3}}{comma}\d{{3}}(?:{point}\d+)?$"
        sure = one if self.grouped or self.decimal == "," else rf"^\d{{1,3}}{comma}\d{{3}}{point}\d+$"
        gaps = rf"^\d{{1,3}}(?:{_GAP}\d{{3}})+(?:{point}\d+)?$"
        fits = digits.str.contains(rf"^\d+(?:{point}\d+)?$|{several}|{sure}|{gaps}")
        return pl.when(fits).then(digits.str.replace_all(f"{comma}|{_GAP}", "").str.replace(point, "."))


def detect_number_format(sample: pl.Series) -> NumberFormat:
    """How the numbers of a column are written, from its first values."""
    parts = _split_number(sample.drop_nulls().cast(pl.String).str.strip_chars())
    digits = parts["digits"].drop_nulls()
    point, comma = (int(digits.str.contains(pattern).sum()) for pattern in (_POINT, _COMMA))
    grouped = bool(point) or bool(digits.str.contains(_THOUSANDS).any())
    signs = parts["currency"].drop_nulls()
    signs = signs.filter(signs != "")
    # Of signs that are equally frequent the first in order.
    counts = signs.value_counts(sort=False).sort("count", "currency", descending=[True, False])
    currency = str(counts["currency"][0]) if len(counts) else ""
    return NumberFormat("," if comma > point else ".", grouped, currency)


def _split_number(text: pl.Series) -> pl.DataFrame:
    """open, currency, inner, digits, close; null where a text is no number of any kind."""
    groups = text.to_frame("text").select(pl.col("text").str.extract_groups(_VALUE).alias("parts")).unnest("parts")
    before, after = pl.col("2").fill_null(""), pl.col("5").fill_null("")
    return groups.select(
        open=pl.col("1"), currency=pl.when(pl.col("4").is_not_null()).then(before + after),
        inner=pl.col("3").fill_null(""), digits=pl.col("4"), close=pl.col("6"),
    )  # fmt: skip
