"""What a newcomer is told of a slip: which thing, what it is, and what would be right."""

import re

import numpy as np
import polars as pl
import pytest

from lab.baselines.calibrated_scorer import check_scores
from lab.commands.describe_log import main
from lab.core.errors import InputError
from lab.core.spelling import nearest
from lab.data.sources.times import detect_time_format


def test_scores_of_another_shape_name_the_baseline_and_the_shape_wanted() -> None:
    right = np.zeros((3, 5))
    assert check_scores("mine", right, 3, 5) is right
    with pytest.raises(InputError, match=r"baseline mine: its scores have the shape \(5,\); \(3, 5\) is wanted"):
        check_scores("mine", np.zeros(5), 3, 5)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
def test_scores_that_are_no_scores_are_refused(value: float) -> None:
    scores = np.zeros((3, 5), np.float32)
    scores[1, 2] = value
    with pytest.raises(InputError, match=f"baseline mine: scores a candidate {value:g}; a score is a finite number"):
        check_scores("mine", scores, 3, 5)


def test_times_that_fit_any_unit_name_their_column() -> None:
    with pytest.raises(InputError, match="column 'when': 7 is too small"):
        detect_time_format(pl.Series("when", [7, 8, 9]), "UTC")


@pytest.mark.parametrize("time", [1e20, -1e30, float("inf")])
def test_times_too_large_for_any_unit_are_called_so(time: float) -> None:
    with pytest.raises(InputError, match=re.escape(f"column 'when': {time:g} is too large for a time, even in nano")):
        detect_time_format(pl.Series("when", [time] * 3), "UTC")
    assert detect_time_format(pl.Series("when", [9.9e19] * 3), "UTC").kind == "ns"


def test_a_misspelt_log_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["movie-len"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "error: 'movie-len' is neither a file nor a log known by name; did you mean 'movielens'? (--list shows them).\n"
    ).replace("movielens", "movie-lens")


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [("itme", "item"), ("tiem", "time"), ("Categroy", "category"), ("prise", "price"), ("zzz", None)],
)
def test_of_names_as_much_alike_the_one_that_begins_alike_is_meant(wanted: str, meant: str | None) -> None:
    names = ["time", "item", "category", "price", "popularity"]
    assert nearest(wanted, names) == nearest(wanted, names[::-1]) == meant
    assert nearest(wanted, []) is None
