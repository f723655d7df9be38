"""What goes wrong in a user's own model or feature group: named before anything is trained, in a sentence."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import linen as nn

from lab.core.errors import InputError
from lab.core.user_code import user_code_error
from lab.data.timeline import instant
from lab.features import FeatureGroup
from lab.models import RNN, Model
from lab.running.assembly import build_network
from lab.running.causality import check_encoder
from lab.targets import Interest
from tests.forking import Home, Server
from tests.running.test_run import SHOP, TINY
from tests.whole_path import fold_of, prepared, shop_events


class Bent(nn.Module):
    """Steps, bent into another shape or number."""

    bend: Callable[[Any], Any]

    @nn.compact
    def __call__(self, steps: Any, starts: Any, time: Any, dropout: Any) -> Any:
        return self.bend(steps)


@dataclass(frozen=True, kw_only=True)
class Fade(Model):
    """A model of a user's own."""

    bend: Any = None

    def encoder(self, dtype: Any) -> nn.Module:
        return Bent(self.bend)


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda s: jnp.pad(s, ((0, 0), (0, 0), (0, 1))), r"encoder of Fade gives \[1, 10, 5\] .* give \[B, T, 4\]"),
        (lambda s: s[:, 0], r"encoder of Fade gives \[1, 4\] for steps of \[1, 10, 4\]"),
        (lambda s: (s, s), r"encoder of Fade gives a tuple"),
        (lambda s: s * jnp.nan, r"encoder of Fade gives numbers that are not finite \(nan\)"),
    ],
)
def test_an_encoder_of_another_shape_or_number_is_named(bend: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_encoder(Fade(width=4, bend=bend))


@dataclass(frozen=True, kw_only=True)
class Weekend(FeatureGroup):
    """A step-side group of a user's own."""

    name: ClassVar[str] = "weekend"
    side: ClassVar = "step"
    give: Any = None
    size: int = 0

    def transform(self, view: Any, steps: Any, state: Any) -> Any:
        return self.give(np.ones((len(steps), 2), np.float32))

    def module(self, state: Any, shape: Any) -> nn.Module:
        return Sized(self.size)


@dataclass(frozen=True, kw_only=True)
class Loved(FeatureGroup):
    """A candidate-side group of a user's own."""

    name: ClassVar[str] = "loved"
    side: ClassVar = "candidate"
    events: Any = field(default=lambda column: {})
    table: Any = field(default_factory=dict)

    def transform_events(self, view: Any, state: Any) -> Any:
        return self.events(np.ones(len(view.histories.time), np.float32))

    def tables(self, view: Any, steps: Any, state: Any) -> Any:
        return self.table


class Sized(nn.Module):
    """An embedding as wide as it likes."""

    width: int

    @nn.compact
    def __call__(self, columns: Any) -> Any:
        return nn.Dense(self.width)(columns["number"])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return prepared(shop_events(0), tmp_path_factory.mktemp("cache"))


def nan_at(column: np.ndarray, row: int) -> np.ndarray:
    return np.where((np.arange(len(column)) == row).reshape(-1, *[1] * (column.ndim - 1)), np.nan, column)


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (
            Weekend(give=lambda c: {"number": c[3:]}),
            r"group weekend: transform gave a column 'number' of [\d,]+ rows for [\d,]+ steps; give one row for each",
        ),
        (Weekend(give=lambda c: c), r"weekend: transform gave a ndarray; give a dict of arrays"),
        (Weekend(give=lambda c: {"number": 7}), r"column 'number' of no rows for"),
        (Weekend(give=lambda c: {"number": c.astype(str)}), r"'number' of <U32; give a numpy array of numbers"),
        (
            Weekend(give=lambda c: {"number": nan_at(c, 5)}),
            r"'number' that is not finite at 1 of [\d,]+ steps, first nan at step 5; give a number at each",
        ),
        (Loved(events=lambda c: {"love": c[1:]}), r"group loved: transform_events gave .* for [\d,]+ events"),
        (Loved(table={"love": nan_at(np.ones(9), 2)}), r"loved: tables gave .* at 1 of 9 rows, first nan at row 2"),
    ],
)
def test_columns_of_another_length_or_number_are_named(log: Any, group: FeatureGroup, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fold_of(log, groups=("category", group))


@pytest.mark.usefixtures("broadcasting")
def test_an_embedding_of_another_width_names_its_group(log: Any) -> None:
    data = fold_of(log, groups=("category", Weekend(give=lambda c: {"number": c}, size=5)))
    network = build_network(RNN(width=4), data, jnp.dtype("float32"), Interest())
    train = data.splits["train"]
    with pytest.raises(
        InputError, match=r"feature group weekend: its module gives \[1, 16, 5\]; \[B, T, D\] .* 16, 4\]"
    ):
        jax.eval_shape(
            lambda rows: network.init(jax.random.key(0), rows, train.tables, jnp.ones(2), None),
            train.packed.take(np.zeros(1, np.int64)),
        )


MINE = """
from lab.data.timeline import instant

class Mine:
    def fit(self, values):
        return [instant(value) for value in values]
"""


def test_what_passed_through_a_users_file_is_blamed_on_its_line_and_nothing_else_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    space: dict[str, Any] = {}
    exec(compile(MINE, str(file), "exec"), space)
    said = [_blamed(lambda: space["Mine"]().fit([7])), _blamed(lambda: instant(7))]  # type: ignore[arg-type]
    assert re.fullmatch(rf"{re.escape(str(file))}:6: in Mine\.fit.*: TypeError: fromisoformat: .*\.", str(said[0]))
    assert said[1] is None


def _blamed(call: Callable[[], Any]) -> InputError | None:
    """What is said of an exception, as if nothing above the call were anyone's own."""
    try:
        call()
    except TypeError as error:
        assert error.__traceback__ is not None and error.__traceback__.tb_next is not None
        return user_code_error(error.with_traceback(error.__traceback__.tb_next.tb_next))
    raise AssertionError


JUDGED = """
from dataclasses import dataclass, replace
from typing import ClassVar
from lab.evaluation.measures import Metric, MetricSpec
from lab.targets.interest.judge import InterestJudge

class Counting(InterestJudge):
    def result(self):
        judged = super().result()
        return replace(judged, metrics=(*judged.metrics, Metric("test", "all", "asked", float(len(self._queries)))))

@register
@dataclass(frozen=True, kw_only=True)
class Counted(Interest):
    name: ClassVar[str] = "counted"

    def judge(self, view, queries, labels):
        return Counting(view, queries, labels)

    def measures(self):
        known = super().measures()
        asked = MetricSpec(name="asked", definition="queries, silent ones too", better="neither")
        return replace(known, metrics=(*known.metrics, asked))

"""


def test_a_target_says_how_models_baselines_and_truth_are_judged(tmp_path: Path, forks: Server) -> None:
    text = TINY.format(**SHOP).replace("\nregister(", JUDGED + "register(", 1).replace("Interest(),", "Counted(),")
    (tmp_path / "own.py").write_text(text)
    few = ("--seeds", "1", "--training.steps", "2", "--training.evaluate-every", "1", "--no-report")
    code, _, complained = Home(forks, tmp_path).run("lab.run", "own.py", *few)
    assert code == 0, complained
    root = tmp_path / "results" / "tiny"
    cells = pd.read_csv(root / "cells.csv")
    counted = cells[cells.metric == "asked"].value
    assert len(counted) == cells.cell.nunique() == 4 and counted.nunique() == 1  # a model on two sets, and the others
    assert "silent" in (root / "pin.json").read_text()


OWN = """
from dataclasses import dataclass
from typing import ClassVar
from lab.features import FeatureGroup

@register
@dataclass(frozen=True, kw_only=True)
class Typo(FeatureGroup):
    name: ClassVar[str] = "typo"
    side: ClassVar = "step"

    def transform(self, view, steps, state):
        return {"number": wekday}

"""


def test_a_run_says_in_one_line_where_a_group_failed(tmp_path: Path, forks: Server) -> None:
    text = TINY.format(**SHOP).replace("\nregister(", OWN + "register(", 1).replace('"price"', '"typo"')
    (tmp_path / "own.py").write_text(text)
    code, said, complained = Home(forks, tmp_path).run("lab.run", "own.py")
    line = 1 + text.splitlines().index('        return {"number": wekday}')
    assert code == 2 and "stopped after" not in said
    assert complained == f"error: own.py:{line}: in Typo.transform: NameError: name 'wekday' is not defined.\n"
