"""Feature sets that a log can serve only in part: what is left of them, and what is said."""

from dataclasses import replace
from typing import Any

import pytest

from lab.core.errors import InputError
from lab.data.log.histories import Histories
from lab.data.sources import SyntheticShop
from lab.data.timeline import Timeline
from lab.experiment.available_features import drop_unavailable_features
from lab.experiment.experiment import Experiment
from lab.features import Price
from lab.models import GRU
from lab.targets import Interest, NextItem
from tests.small_logs import small_histories

LAST = Timeline(protocol="leave_one_out")
ROWS = [("ann", "milk", "food", 0), ("ann", "ball", "toys", 2), ("bob", "milk", "food", 3)]
BARE = [(user, item, None, day) for user, item, _, day in ROWS]
SETS = {"ids": ("item",), "more": ("item", "category", "price"), "all": ("price", "item", "category", "time")}


def declared(**changes: Any) -> Experiment:
    given = {"target": NextItem(), "horizons": (7,), "features": SETS} | changes
    return Experiment(name="t", source=SyntheticShop(), models=(GRU(),), **given)


def untimed(histories: Histories) -> Histories:
    return replace(histories, facts={"timed": False})


@pytest.mark.parametrize(
    ("asked", "log", "left", "said"),
    [
        (
            declared(groups=(Price(),), variants={"a": {"groups.price.hidden": 8, "training.steps": 10}, "b": {}}),
            small_histories(ROWS),
            {"ids": ("item",), "more": ("item", "category"), "all": ("item", "category", "time")},
            ["features: price is left out, the log has no price column."],
        ),
        (
            declared(),
            small_histories(BARE),
            {"ids": ("item",), "all": ("item", "time")},
            [
                "features: category is left out, the log has no category column.",
                "features: price is left out, the log has no price column.",
                "features: more is left out, it is then the same as ids.",
            ],
        ),
        (
            declared(horizons=(), timeline=LAST),
            NextItem().arrange(small_histories(ROWS), LAST),
            {"ids": ("item",), "more": ("item", "category")},
            [
                "features: price is left out, the log has no price column.",
                "features: time is left out, timeline.protocol='leave_one_out' counts events and knows no times.",
                "features: all is left out, it is then the same as more.",
            ],
        ),
        # Where categories are asked for, they are clusters of items where the log has none.
        (
            declared(target=Interest(), features={"ids": ("category",), "time": ("category", "time")}),
            untimed(small_histories(BARE)),
            {"ids": ("category",)},
            [
                "features: time is left out, the log has no times.",
                "features: time is left out, it is then the same as ids.",
            ],
        ),
    ],
)
def test_what_a_log_cannot_serve_is_left_out_and_said(
    asked: Experiment, log: Histories, left: dict[str, tuple[str, ...]], said: list[str]
) -> None:
    found, lines = drop_unavailable_features(asked, log)
    assert (found.features, lines, found.groups) == (left, said, ())
    assert found.variants == ({"a": {"training.steps": 10}, "b": {}} if asked.variants else {})


def test_a_set_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(InputError, match=r"features\.more: none of its groups \(price\) has a column in this log\."):
        drop_unavailable_features(declared(features={"ids": ("item",), "more": ("price",)}), small_histories(ROWS))
