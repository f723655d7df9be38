"""Prices and quantities as text: what can mean one number alone is read, and nothing else."""

from pathlib import Path

import polars as pl
import pytest

from lab.commands.describe_log import description
from lab.core.errors import InputError
from lab.data.log.build import build
from lab.data.log.cache import prepare_log
from lab.data.log.cleaning import Cleaning
from lab.data.sources import Table
from lab.data.sources.numbers import detect_number_format
from lab.data.timeline import Timeline


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.234", "5", ".5", "-2", "1e3"], [1.234, 5, 0.5, -2, 1000]),
        (["12.50", "1,234", "1,234,567.5"], [12.5, 1234, 1234567.5]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1,234", "12"], [None, 12]),  # 1234 or 1.234
        (["12,50", "1.234", "1.234,5"], [12.5, 1234, 1234.5]),
        (["0,125", "3"], [0.125, 3]),
        (["1 234,50", "1\u00a0234 567,5", "1\u202f234"], [1234.5, 1234567.5, 1234]),
        (["1'234.50", "1’234"], [1234.5, 1234]),
        (["1,23,456.00", "1,234.00"], [123456, 1234]),
        (["$3.00", "$ 1,234.50", "-$2.00", "$-2.50", "($5.00)"], [3, 1234.5, -2, -2.5, -5]),
        (["5.00 €", "€ 6.00", "7.00"], [5, 6, 7]),
        (["12,50 kr", "3 kr."], [12.5, None]),
        (["US$5.00", "US$6.00"], [5, 6]),
        (["$5.00 USD", "$6.00 USD"], [5, 6]),
        (["5.00 EUR", "6.00 EUR", "7.00 USD"], [5, 6, None]),
        (["free", "5 kg", "12abc", "5%", "1.2.3", "1,2,3", "--5", "(5", "5)", "$", "1..5"], [None] * 11),
        (["12.50", "12,50", "13.50"], [12.5, None, 13.5]),
    ],
)
def test_what_can_be_one_number_alone_is_read(texts: list[str], numbers: list[float | None]) -> None:
    values = pl.Series("price", texts)
    assert detect_number_format(values).parse(values).to_list() == numbers


def frame(prices: list, name: str = "price") -> pl.DataFrame:
    rows = range(len(prices))
    return pl.DataFrame(
        {
            "user": [f"u{k % 3}" for k in rows],
            "item": [f"i{k}" for k in rows],
            "time": ["2020-01-01T08:00:00"] * len(prices),
        }
    ).with_columns(pl.Series(name, prices))


@pytest.mark.parametrize("name", ["price", "quantity"])
def test_how_numbers_are_read_is_said(tmp_path: Path, name: str) -> None:
    found = prepare_log(Table(frame=frame(["€ 1.234,50", "€ 2,00"], name)), cache=tmp_path)
    column = getattr(found, name)
    assert sorted(column.tolist()) == [2.0, 1234.5]
    assert f"{name} = '{name}' in € with a decimal comma" in " ".join(" ".join(description(found)).split())


def test_another_currency_is_named() -> None:
    with pytest.raises(InputError, match=r"column 'price', row 2: '€5' is not a number in \$; 1 of 3 rows"):
        build(Table(frame=frame(["$5", "€5", "$6"])), Cleaning(), Timeline(), ())


@pytest.mark.parametrize("none", ["", "NULL", "nan", "NaN", "N/A", "-", "\\N", " na "])
def test_what_stands_for_no_price_is_none(none: str) -> None:
    built = build(Table(frame=frame(["5", none, "6"])), Cleaning(), Timeline(), ())
    assert (built.facts["missing"]["price"], built.facts["events"]) == (1, 3)


def test_a_float_column_may_lack_numbers() -> None:
    built = build(Table(frame=frame([5.0, float("nan"), 6.0])), Cleaning(), Timeline(), ())
    assert (built.facts["missing"]["price"], built.facts["quarantine"]["rows"]) == (1, 0)
    with pytest.raises(InputError, match="'inf' is not a number"):
        build(Table(frame=frame([5.0, float("inf"), 6.0])), Cleaning(), Timeline(), ())


def test_a_column_of_categories_is_read_as_its_text() -> None:
    prices = pl.Series(["7", "5", "7"], dtype=pl.Categorical)
    built = build(Table(frame=frame(["1"] * 3).with_columns(price=prices)), Cleaning(), Timeline(), ())
    assert built.arrays["price"].tolist() == [7.0, 5.0, 7.0]


@pytest.mark.parametrize("name", ["category", "behaviour", "price", "quantity", "text"])
def test_every_optional_column_can_be_left_out(name: str) -> None:
    """Its values fit nothing, so that a read of them would show."""
    log = frame(["$no"] * 3, name)
    built = build(Table(frame=log, ignore=(name,)), Cleaning(), Timeline(), ())  # type: ignore[arg-type]
    assert name not in built.facts["columns"] and built.facts["events"] == 3
    with pytest.raises(InputError, match=f"source.{name} and source.ignore: both name {name}"):
        Table(frame=log, ignore=(name,), **{name: name})  # type: ignore[arg-type]


def test_nothing_is_left_out_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"source\.ignore: the frame has no column 'text' to ignore; leave it out\."):
        build(Table(frame=frame(["5"] * 3), ignore=("text",)), Cleaning(), Timeline(), ())
    with pytest.raises(InputError, match=r"source\.ignore: 'item' is not 'category' or 'behaviour' or 'price'"):
        Table(frame=frame(["5"] * 3), ignore=("item",))  # type: ignore[arg-type]


def test_a_column_that_was_named_is_left_out_by_not_naming_it() -> None:
    with pytest.raises(InputError, match=r"empty where there is none, or leave --price out \(of a run --source\.price"):
        build(Table(frame=frame(["free"] * 3, "cost"), price="cost"), Cleaning(), Timeline(), ())


def test_capitals_make_no_other_behaviour_but_where_these_are_stated() -> None:
    log = frame(["View", "PURCHASE", " cart "], "behaviour")
    assert build(Table(frame=log), Cleaning(), Timeline(), ()).facts["events"] == 3
    with pytest.raises(InputError, match="'View' is no behaviour of the mapping"):
        build(Table(frame=log, behaviours={"view": "view", "cart": "cart"}), Cleaning(), Timeline(), ())


def test_an_unknown_behaviour_can_be_left_out_as_the_message_says() -> None:
    with pytest.raises(InputError, match="read the log without it: --ignore behaviour"):
        build(Table(frame=frame(["stroll"] * 3, "behaviour")), Cleaning(), Timeline(), ())
