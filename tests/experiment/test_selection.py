"""Some cells of a grid, by `key=value`."""

from pathlib import Path

import pytest
from rich.console import Console

from lab.core.errors import InputError
from lab.experiment.cells import grid
from lab.experiment.selection import select
from lab.running.run_settings import RunSettings
from lab.running.runner import Run
from lab.tracking.tracker import Tracking
from tests.small_experiment import small_experiment


def test_chosen_cells_are_those_of_the_whole_grid_with_the_baselines_beside() -> None:
    cells = grid(small_experiment(), "data", oracle=True)
    chosen = select(cells, ("model=Lstm", "horizon=30", "features=more", "seed=1"))
    trained = [cell for cell in chosen if cell.kind == "model"]
    assert [(c.model, c.horizon, c.features, c.seed) for c in trained] == [("LSTM width=8", 30.0, "more", 1)]
    assert {cell.id for cell in chosen} <= {cell.id for cell in cells} and {cell.horizon for cell in chosen} == {30.0}
    assert sum(cell.kind == "baseline" for cell in chosen) == len(small_experiment().baselines)
    assert select(cells, ()) == cells


def test_filters_that_leave_nothing_together_are_a_mistake() -> None:
    cells = grid(small_experiment(), "data", oracle=False)
    said = r"'model=gru' leaves none of the cells that the filters before it chose; of these model is lstm width=8 or "
    with pytest.raises(InputError, match=said):
        select(cells, ("seed=1", "model=lstm", "model=gru"))


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("modl=lstm", "did you mean 'model'"),
        ("model=lstn", "did you mean 'lstm'"),
        ("horizon=14", r"horizon is one of 7, 30"),
        ("seed", r"no cell has 'seed'"),
    ],
)
def test_what_chooses_nothing_is_a_mistake(only: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select(grid(small_experiment(), "data", oracle=False), (only,))


def test_a_filter_that_chooses_nothing_is_told_before_the_log_is_read(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    place = RunSettings(tmp_path, cache, Tracking(mode="off"), Console(quiet=True), only=("model=lsmt",))
    with pytest.raises(InputError, match="did you mean 'lstm'"):
        Run(small_experiment(), place)
    assert not cache.exists()
