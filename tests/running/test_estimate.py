"""What an estimate may cost, and what it says where it may cost nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.estimates import estimated_seconds, seconds_of
from lab.core.progress import duration
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.sources import SyntheticShop
from lab.data.timeline import folds
from lab.dataset.dataset import build_dataset
from lab.experiment.cells import grid
from lab.models import GRU, RNN
from lab.results.stages import DRAW, MIRROR, READ, TABLES
from lab.running.assembly import assemblies
from lab.running.estimate import SHARE, Budget, Estimator, guessed
from lab.running.guesses import Closing
from lab.training.settings import Training
from tests.small_experiment import small_experiment


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 10)), max_size=20), st.floats(0, 5))
def test_what_is_done_within_a_budget_is_at_most_its_share_of_the_run(
    parts: list[tuple[float, float]], spent: float
) -> None:
    """Parts of a run, foreseen rightly, and seconds that it takes to measure each."""
    now = spent
    whole = sum(seconds for seconds, _ in parts)
    budget = Budget(whole, begun=0.0, clock=lambda: now)
    for _, cost in parts:
        if budget.allows(cost):
            now += cost
    assert now <= max(SHARE * whole, spent)


def test_a_budget_follows_what_is_measured() -> None:
    budget = Budget(100.0, begun=0.0, clock=lambda: 5.0)
    assert budget.allows(4.9) and not budget.allows(5.1)
    budget.learn(40.0, 10.0)
    assert budget.allows(1.9) and not budget.allows(2.1)
    budget.learn(10.0, 110.0)
    assert budget.allows(11.9)


@pytest.fixture(scope="module")
def small(broadcasting: None, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """An experiment, its data, its programs and its cells."""
    experiment = small_experiment(
        source=SyntheticShop(users=60, days=120, categories=8, items=40),
        horizons=(7,),
        models=(RNN(width=8), GRU(width=16)),
        training=Training(steps=20, batch=4, row_length=32, overlap=8, evaluate_every=10),
    )
    log = prepare_log(experiment.source, experiment.cleaning, cache=tmp_path_factory.mktemp("cache"))
    (fold,) = folds(experiment.timeline, experiment.horizons, *log.span)
    view, _ = build_view(log, fold, experiment.target.categories, experiment.timeline.shard_events)
    groups = [experiment.group(name) for name in experiment.group_names()]
    data = build_dataset(view, experiment.timeline, experiment.target, groups, 32, 8, True)
    cells = grid(experiment, log.fingerprint, oracle=True)
    return experiment, data, assemblies(experiment, data, cells), cells


def test_where_there_is_no_time_everything_is_guessed_and_said_so(
    small: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, data, ready, cells = small
    monkeypatch.setattr("lab.running.estimate.Trial", None)  # whoever compiled something would fail here
    parts = Estimator(experiment, data, Budget(1.0, begun=0.0, clock=lambda: 10.0)).parts(ready, cells)
    assert len(parts) == 2 + 7 and all("guessed" in part.words for part in parts)
    assert [part.seconds for part in parts[:2]] == [guessed(one)[0] for one in ready]


def test_where_there_is_time_for_one_program_the_other_goes_by_it(small: tuple) -> None:
    experiment, data, ready, cells = small
    whole = Estimator(experiment, data, Budget(1e9, begun=0.0, clock=lambda: 0.0)).parts(ready, cells)
    assert not any("guessed" in part.words for part in whole)
    # The longest is measured; after it there is no time left.
    times = iter([0.0, *[1e9] * 20])
    some = Estimator(experiment, data, Budget(1e9, begun=0.0, clock=lambda: next(times))).parts(ready, cells)
    assert ["guessed" in part.words for part in some[:2]] == [True, False]
    gru, rnn = guessed(ready[1])[0], guessed(ready[0])[0]
    assert gru > rnn and some[0].seconds > 0 and some[0].seconds != rnn
    assert {part.name for part in some} == {part.name for part in whole}


@pytest.mark.parametrize("seconds", [0, 45, 200, 3599, 3600, 7500])
def test_the_benchmark_reads_what_durations_say(seconds: int) -> None:
    assert seconds_of(duration(seconds)) == seconds
    assert estimated_seconds(f"many:  42 %, {duration(seconds)} left · LSTM") == seconds
    assert estimated_seconds("many: at least 3 s left") is None


def test_page_and_wandb_are_counted() -> None:
    alone = Closing(comparisons=30, figures=0, mirrored=0).seconds()
    with_page, mirrored = Closing(30, 8, 0), Closing(30, 0, 10)
    assert with_page.seconds() > alone < mirrored.seconds() < Closing(30, 0, 100).seconds()
    assert list(with_page.units()) == [TABLES, READ, DRAW] and list(mirrored.units()) == [TABLES, MIRROR]
    assert all(one.expected().keys() >= one.units().keys() for one in (with_page, mirrored))
