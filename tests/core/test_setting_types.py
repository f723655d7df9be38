"""Settings of another kind than their annotation says are refused in one sentence; what tyro takes is taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lab.baselines import DecayedPersonal
from lab.core.errors import InputError
from lab.core.setting_types import check_types
from lab.data.fold.categories import Categories
from lab.data.log.cleaning import Cleaning
from lab.data.sources import SyntheticShop, Table
from lab.data.timeline import Timeline
from lab.features import Habit
from lab.models import GRU, LSTM, Model
from lab.targets import Interest, NextItem
from lab.training.settings import Training
from tests.small_experiment import small_experiment

if TYPE_CHECKING:
    from collections import OrderedDict


def of(kind: Any, **settings: Any) -> Any:
    """What a type checker would not let through."""
    return kind(**settings)


@pytest.mark.parametrize(
    ("made", "settings", "said"),
    [
        (Timeline, {"protocol": "leave-one-out"}, "timeline.protocol: 'leave-one-out' is not 'calendar' or 'leave_"),
        (Timeline, {"folds": 1.5}, "timeline.folds: 1.5 is not a whole number."),
        (Training, {"dtype": "float16"}, "training.dtype: 'float16' is not 'float32' or 'bfloat16'."),
        (Training, {"steps": "50"}, "training.steps: '50' is not a whole number."),
        (Training, {"cells_at_once": "2"}, "training.cells_at_once: '2' is not a whole number or None."),
        (Cleaning, {"missing": 0}, "cleaning.missing: 0 is not True or False."),
        (Categories, {"rule": "items"}, "target.categories.rule: 'items' is not 'auto' or 'given' or"),
        (NextItem, {"negatives": True}, "target.negatives: True is not a whole number."),
        (NextItem, {"categories": "item"}, "target.categories: 'item' is not Categories(...)."),
        (Interest, {"behaviours": "view"}, "target.behaviours: 'view' is not a list of texts; write ('view',)."),
        (Interest, {"behaviour_weights": {"view": "1"}}, "target.behaviour_weights.view: '1' is not a number."),
        (Interest, {"behaviours": ("a", "b", "a")}, "target.behaviours: a stands there twice."),
        (NextItem, {"behaviours": ("a", "a")}, "target.behaviours: a stands there twice."),
        (Habit, {"days": (1, "2")}, "groups.habit.days: '2' is not a number."),
        (GRU, {"width": 8.5}, "GRU.width: 8.5 is not a whole number."),
        (Table, {"user": 1}, "source.user: 1 is not a text; write '1'."),
        (
            Table,
            {"path": Path("a.csv")},
            "source.path: PosixPath('a.csv') is not a text or a list of texts",
        ),
        (Table, {"behaviours": ("view",)}, "source.behaviours: ('view',) is not a mapping {name: ...}."),
        (SyntheticShop, {"users": "9"}, "source.users: '9' is not a whole number."),
        (small_experiment, {"target": NextItem}, "target: NextItem is a class; write NextItem()."),
        (small_experiment, {"target": "interest"}, "target: 'interest' is not a Target, such as Interest()."),
        (small_experiment, {"source": Table}, "source: Table is a class; write Table()."),
        (small_experiment, {"models": (LSTM,)}, "models: LSTM is a class; write LSTM()."),
        (
            small_experiment,
            {"models": LSTM()},
            "models: LSTM(width=64, layers=1) is not a list of Models; write (LSTM(width",
        ),
        (small_experiment, {"seeds": (0, 1)}, "seeds: (0, 1) is not a whole number."),
        (small_experiment, {"horizons": 7}, "horizons: 7 is not a list of numbers; write (7,)."),
        (small_experiment, {"baselines": ("decayed",)}, "baselines: 'decayed' is not a Baseline, such as Decayed"),
        (
            small_experiment,
            {"baselines": (of(DecayedPersonal, taus="1"),)},
            "baselines.decayed.taus: '1' is not a list of nu",
        ),
        (small_experiment, {"features": ("category",)}, "features: ('category',) is not a mapping {name: ...}."),
    ],
)
def test_a_value_of_another_kind_is_refused_in_one_sentence(made: Any, settings: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        made(**settings)
    assert str(error.value).startswith(said) and str(error.value).count(". ") == 0


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"horizons": [7, 30]}, {"horizons": (7.0, 30.0)}),
        ({"horizons": np.array([7.0, 30.0])}, {}),
        ({"models": [GRU()], "baselines": [of(DecayedPersonal, taus=[1, 2])]},
         {"models": (GRU(),), "baselines": (DecayedPersonal(taus=(1.0, 2.0)),)}),
        ({"features": {"ids": ["category"]}}, {"features": {"ids": ("category",)}}),
        ({"groups": [of(Habit, days=[2])]}, {"groups": (Habit(days=(2.0,)),)}),
        ({"training": of(Training, steps=1e3, cells_at_once=None)}, {"training": Training(steps=1000)}),
        ({"training": of(Training, steps=np.int64(50))}, {"training": Training(steps=50)}),
        ({"timeline": Timeline(active_days=None, query_every=2)},
         {"timeline": Timeline(active_days=None, query_every=2.0)}),
        ({"source": of(Table, path=["a.csv", "b.csv"])}, {"source": Table(path=("a.csv", "b.csv"))}),
    ],
)  # fmt: skip
def test_lists_and_numbers_stand_for_tuples_and_numbers(changes: Any, same: Any) -> None:
    assert small_experiment(**changes) == small_experiment(**same)


def test_what_is_annotated_in_other_ways_is_let_through_and_a_default_not_questioned() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Odd(Model):
        later: int = None  # type: ignore[assignment]
        made: Callable[[Any], int] = abs
        pair: tuple[int, str] = (1, "a")
        some: "Mapping | set | None" = None

    small_experiment(models=(Odd(made=len, pair=(2, "b"), some={2}),))
    with pytest.raises(InputError, match=r"Odd\.later: 'x' is not a whole number"):
        Odd(**{"later": "x"})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class ForCheckers:
    """Its annotations cannot be read while it runs."""

    kept: "OrderedDict[str, int]"


def test_annotations_that_cannot_be_read_are_let_through() -> None:
    check_types(ForCheckers(kept="any"))  # type: ignore[arg-type]
