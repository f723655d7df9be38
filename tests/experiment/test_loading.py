"""Files that register experiments and classes of their own, well and badly."""

from pathlib import Path

import jax
import numpy as np
import pytest

from lab.core.errors import InputError
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.timeline import folds
from lab.dataset.dataset import build_dataset
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.experiment.loading import load_experiment
from lab.experiment.registry import classes, find
from lab.running.assembly import assemble, cell_arrays, feed
from lab.training.fit import train

PLAIN = """
from lab import Experiment, register
from lab.data.sources import SyntheticShop
from lab.models import LSTM
from lab.targets import Interest

def one(name):
    return Experiment(name=name, source=SyntheticShop(), target=Interest(), horizons=(7,),
                      features={"ids": ("category",)}, models=(LSTM(),))
"""


def written(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_gives_its_experiment_and_what_it_says_of_itself(tmp_path: Path) -> None:
    path = written(tmp_path, '"""Asks this.\n\n    And that.\n"""' + PLAIN + 'register(one("loading_plain"))')
    experiment, about = load_experiment(path)
    assert experiment.name == "loading_plain" and about.startswith("Asks this.\n\n") and about.endswith("And that.")


def test_a_file_can_be_loaded_again_after_a_change(tmp_path: Path) -> None:
    text = PLAIN + 'register(one("loading_again"))'
    first, _ = load_experiment(written(tmp_path, text))
    assert load_experiment(written(tmp_path, text))[0] == first
    changed = text.replace("horizons=(7,)", "horizons=(9,)").replace("\ndef one", "\n\n\ndef one")
    assert load_experiment(written(tmp_path, changed))[0].horizons == (9.0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (", r"mine\.py:1: SyntaxError"),
        ("import math\n\nmath.sqrt(-1)", r"mine\.py:3: ValueError: (math domain error|expected a nonnegative input)"),
        ("import no_such_module", r"mine\.py:1: ModuleNotFoundError"),
        (PLAIN, r"mine\.py: registers 0 experiments \(none\); a file must register exactly one"),
        (
            PLAIN + 'register(one("loading_a"))\nregister(one("loading_b"))',
            r"registers 2 experiments \(loading_a, load",
        ),
        (PLAIN + 'register(one("bad name"))', r"mine\.py:8: name: 'bad name' must be letters"),
        (PLAIN + "register(7)", r"register: 7 is neither an Experiment nor a class of model"),
        (PLAIN + "register(dict)", r"register: dict extends none of Model"),
    ],
)
def test_a_file_that_will_not_do_says_where_and_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_experiment(written(tmp_path, text))


def test_a_missing_file_and_one_that_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.py: there is no such file"):
        load_experiment(tmp_path / "none.py")
    with pytest.raises(InputError, match=r"log\.csv: is not a Python file"):
        load_experiment(written(tmp_path, "a,b", "log.csv"))


def test_names_that_clash_name_both_places(tmp_path: Path) -> None:
    load_experiment(written(tmp_path, PLAIN + 'register(one("loading_twin"))', "first.py"))
    message = r"^[^:]*second\.py:\d+: the experiment 'loading_twin' is already registered at .*first\.py:\d+; choose"
    with pytest.raises(InputError, match=message):
        load_experiment(written(tmp_path, PLAIN + 'register(one("loading_twin"))', "second.py"))
    text = PLAIN + "@register\nclass LSTM(LSTM):\n    pass\n"
    with pytest.raises(InputError, match=r"third\.py:\d+: the model 'lstm' ships with lab\.models; choose"):
        load_experiment(written(tmp_path, text, "third.py"))


OWN = '''"""A source, a group, a model and a target of a file's own."""
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import polars as pl
from flax import linen as nn

from lab import Experiment, Timeline, Training, register
from lab.data.fold.queries import Labels
from lab.data.schema import Behaviour
from lab.data.sources.base import Scan, Source
from lab.features.base import FeatureGroup
from lab.models.base import Model
from lab.targets import Interest


@register
@dataclass(frozen=True, kw_only=True)
class Clockwork(Source):
    """Users who do the same thing every few days."""

    name: ClassVar[str] = "clockwork"
    users: int = 6
    """How many there are."""

    def scan(self) -> Scan:
        user, turn = np.divmod(np.arange(self.users * 30), 30)
        frame = pl.LazyFrame({
            "user": user, "item": turn % 4, "category": turn % (2 + user % 2), "row": np.arange(len(user)),
            "time": (turn * (1 + user % 2) + user / 10) * 86_400_000_000,
        }).cast({"user": pl.Int64, "item": pl.Int64, "category": pl.Int64, "time": pl.Int64, "row": pl.UInt32})
        return Scan(frame.with_columns(behaviour=pl.lit("event")), (Behaviour("event"),))

    def fingerprint(self, cache: Path | None = None) -> str:
        return f"clockwork-{self.users}"


@register
@dataclass(frozen=True, kw_only=True)
class Parity(FeatureGroup):
    """Whether the day is odd."""

    name: ClassVar[str] = "parity"
    side: ClassVar = "step"

    def transform(self, view, steps, state):
        return {"odd": (steps.time // 86_400_000_000 % 2).astype(np.float32)}

    def module(self, state, shape):
        return Spread(shape.width)


class Spread(nn.Module):
    width: int

    @nn.compact
    def __call__(self, columns):
        return nn.Dense(self.width)(columns["odd"][..., None])


class Pointwise(nn.Module):
    @nn.compact
    def __call__(self, steps, starts, time, dropout):
        return nn.relu(nn.Dense(steps.shape[-1])(steps))


@register
@dataclass(frozen=True, kw_only=True)
class Memoryless(Model):
    """Looks at the last step alone."""

    def encoder(self, dtype):
        return Pointwise()


@register
@dataclass(frozen=True, kw_only=True)
class FirstInterest(Interest):
    """Only the label of the lowest number."""

    name: ClassVar[str] = "first_interest"

    def labels(self, view, queries, horizon):
        every = super().labels(view, queries, horizon)
        some = np.diff(every.offsets) > 0
        ids = every.ids[every.offsets[:-1][some]]
        return Labels(np.append(0, np.cumsum(some)), ids, np.ones(len(ids), np.float32))


register(Experiment(
    name="loading_own", source=Clockwork(), target=FirstInterest(), horizons=(3,), models=(Memoryless(width=4),),
    features={"all": ("parity", "category")}, seeds=1, timeline=Timeline(min_events=1),
    training=Training(steps=1, batch=2, row_length=32, overlap=8, evaluate_every=1),
))
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    experiment, _ = load_experiment(written(tmp_path_factory.mktemp("own"), OWN))
    return experiment


def test_classes_of_a_file_are_known_by_name(own: Experiment) -> None:
    for kind, name in (("source", "clockwork"), ("feature group", "parity"), ("model", "memoryless"),
                       ("target", "first_interest")):  # fmt: skip
        assert find(kind, name, "test") is classes(kind)[name]
    with pytest.raises(InputError, match=r"no feature group is called 'partiy'; did you mean 'parity'"):
        find("feature group", "partiy", "test")


def test_classes_of_a_file_train(own: Experiment, tmp_path: Path) -> None:
    log = prepare_log(own.source, own.cleaning, own.timeline, own.horizons, tmp_path)
    fold = folds(own.timeline, own.horizons, log.facts["first"], log.facts["last"])[0]
    view, rule = build_view(log, fold, own.target.categories)
    groups = [own.group(name) for name in own.group_names()]
    data = build_dataset(view, own.timeline, own.target, groups, own.training.row_length, own.training.overlap)
    assert rule.startswith("given: 3") and set(data.groups) == {"parity", "category"}
    assert all((np.diff(labels.offsets) <= 1).all() for split in data.splits.values() for labels in split.labels)
    cells = [cell for cell in grid(own, log.fingerprint, False) if cell.kind == "model"]
    with jax.numpy_rank_promotion("allow"):
        assembly = assemble(own, data, own.models[0], cells)
        arrays = [cell_arrays(cell, data) for cell in cells]
        (trained,) = train(assembly.program, arrays, feed(data, "train"), feed(data, "valid"), lambda steps: None)
    assert trained.steps == 1 and np.isfinite(trained.best_loss) and trained.diverged_at == -1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LSTM(widht=32)", r"mine\.py:\d+: TypeError: .*'widht'; did you mean 'width'\?"),
        ("register(type('Deaf', (Model,), {}))", r"Deaf defines no encoder"),
        ("register(type('Mute', (FeatureGroup,), {}))", r"Mute states no name"),
        (
            "register(type('Idle', (FeatureGroup,), {'name': 'idle'}))",
            r'Idle states no side; write `side: ClassVar = "step"`',
        ),
    ],
)
def test_classes_and_settings_that_will_not_do_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from lab import register\nfrom lab.features import FeatureGroup\nfrom lab.models import LSTM, Model\n\n" + text
    )
    with pytest.raises(InputError, match=message):
        load_experiment(file)


def test_a_folder_and_a_flag_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        load_experiment(tmp_path)
    with pytest.raises(InputError, match="FILE comes first"):
        load_experiment(Path("--horizons"))
