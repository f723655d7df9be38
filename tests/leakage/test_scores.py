"""Nothing after a cutoff reaches a score at it, or a choice: networks, baselines and training.

The whole way from a table of events to scores. What follows the cutoff is another future each time, and the
scores stay the same bit for bit.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from rich.console import Console

from lab.baselines import DecayedPersonal, LabelledQueries, RecentPopularity, default_baselines
from lab.data.sources import SyntheticShop
from lab.dataset.dataset import Dataset, Split
from lab.experiment.cell_record import CellRecord, place_of
from lab.experiment.cells import grid
from lab.experiment.experiment import Experiment
from lab.models import RNN
from lab.models.base import Model
from lab.results.store import CURVE
from lab.running.assembly import assemble, build_network, cell_arrays, feed
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.targets import Interest
from lab.tracking.tracker import Tracking
from lab.training.fit import train
from lab.training.settings import Training
from tests.leakage.futures import FEW, SEEDS
from tests.leakage.networks import some_params
from tests.quick import quick
from tests.whole_path import GROUPS, HORIZONS, TEST, TIMELINE, VALID, Event, fold_of, prepared, shop_events, table
from tests.whole_path import with_another_future as changed_after

pytestmark = pytest.mark.usefixtures("broadcasting")


@pytest.fixture(scope="module")
def shop(caches: Path) -> Dataset:
    """One shop with all groups, which every compiled function here is for."""
    return fold_of(prepared(shop_events(0), caches))


class Scores:
    """The scores of one network with fixed parameters, compiled once for one shape of rows."""

    def __init__(self, data: Dataset, model: Model) -> None:
        self.network = build_network(model, data, jnp.dtype("float32"), Interest())
        self.on = np.ones(len(data.groups), np.float32)
        self.params = some_params(self.network, data.splits["test"].rows, data.splits["test"].tables, self.on)
        self.apply = quick(self.network.apply)

    def __call__(self, split: Split) -> np.ndarray:
        """float32[Q, C], in the order of the split's queries."""
        scores = self.apply({"params": self.params}, split.rows, split.tables, self.on, None)
        return split.gather(np.asarray(scores))


@pytest.fixture(scope="module")
def scores(shop: Dataset) -> Scores:
    return Scores(shop, RNN(width=8))


@settings(FEW, max_examples=6)
@given(future=SEEDS)
def test_scores_of_a_network_do_not_know_the_future(shop: Dataset, scores: Scores, caches: Path, future: int) -> None:
    after = fold_of(prepared(changed_after(shop_events(0), TEST, future), caches))
    assert np.array_equal(scores(shop.splits["test"]), scores(after.splits["test"]))


@settings(FEW, max_examples=5)
@given(seed=SEEDS, future=SEEDS)
def test_scores_of_baselines_do_not_know_the_future(caches: Path, seed: int, future: int) -> None:
    events = shop_events(seed)
    both = [prepared(events, caches), prepared(changed_after(events, TEST, future), caches)]
    for h in range(len(HORIZONS)):
        told = [_baseline_scores(fold_of(histories, ("category",)), h) for histories in both]
        for name in told[0]:
            assert np.array_equal(told[0][name], told[1][name]), name


def _baseline_scores(data: Dataset, h: int) -> dict[str, np.ndarray]:
    train_, valid, test = (data.splits[name] for name in ("train", "valid", "test"))
    found = {}
    for baseline in default_baselines():
        known, chosen_on = (LabelledQueries(split.queries, split.labels[h]) for split in (train_, valid))
        fitted = baseline.fit(data.view, known, chosen_on, data.view.fold.horizons[h])
        found[baseline.name] = fitted.log_probabilities(fitted.scores(data.view, test.queries))
    return found


@pytest.mark.usefixtures("quick_compile")
def test_what_a_run_learns_and_chooses_does_not_know_what_follows_the_test_cutoff(caches: Path, tmp_path: Path) -> None:
    """Learning curves, stopping, the baselines' settings: all but the numbers of the test, and what they say of it."""
    events = shop_events(0)
    first, other = (
        _run(futures, caches, tmp_path / name)
        for name, futures in (("one", events), ("other", changed_after(events, TEST, 1)))
    )
    assert [place_of(cell) for cell, _ in first] == [place_of(cell) for cell, _ in other]
    moved = 0
    for (one, curve), (two, other_curve) in zip(first, other, strict=True):
        assert curve == other_curve
        chosen, tested = ([m for m in one.metrics if (m.split == "test") == test] for test in (False, True))
        assert chosen and chosen == [m for m in two.metrics if m.split != "test"]
        moved += tested != [m for m in two.metrics if m.split == "test"]
    assert moved == len(first)


def _run(events: list[Event], cache: Path, out: Path) -> list[tuple[CellRecord, bytes]]:
    """All cells of a run with several looks at the valid split, and their learning curves."""
    experiment = Experiment(
        name="leak", source=table(events), target=Interest(), horizons=HORIZONS, features={"ids": ("category",)},
        models=(RNN(width=8),), seeds=1, timeline=TIMELINE, baselines=(RecentPopularity(), DecayedPersonal()),
        training=Training(steps=6, evaluate_every=2, batch=4, row_length=16, overlap=4),
    )  # fmt: skip
    run = Run(experiment, RunSettings(out, cache, Tracking(mode="off"), Console(quiet=True), report=False))
    assert run.compute() == 0
    kept = [(run.store.read(cell.id), cell.kind == "model") for cell in run.cells]
    return [(cell, run.store.file(cell.id, CURVE) if trained else b"") for cell, trained in kept]


@pytest.mark.usefixtures("quick_compile")
def test_trained_parameters_do_not_know_what_follows_the_valid_cutoff(shop: Dataset, caches: Path) -> None:
    asked = Experiment(
        name="leak", source=SyntheticShop(), target=Interest(), horizons=HORIZONS, features={"all": GROUPS},
        models=(RNN(width=8),), seeds=1, timeline=TIMELINE,
        # The only look at the valid split comes after the last step, so it chooses nothing.
        training=Training(steps=3, evaluate_every=3, batch=4, row_length=16, overlap=4),
    )  # fmt: skip
    cells = [cell for cell in grid(asked, "", False) if cell.kind == "model"]
    assembly = assemble(asked, shop, asked.models[0], cells)
    arrays = [cell_arrays(cell, shop) for cell in cells]
    futures = [fold_of(prepared(changed_after(shop_events(0), VALID, seed), caches)) for seed in range(2)]
    runs = [
        train(assembly.program, arrays, feed(data, "train"), feed(shop, "valid"), lambda steps: None)
        for data in (shop, *futures)
    ]
    fresh, *others = [np.stack([one.params for one in run]) for run in runs]
    assert runs[0][0].steps == 3 and np.isfinite(fresh).all()
    for other in others:
        assert np.array_equal(fresh, other)
