"""The notebooks run from top to bottom for someone who has nothing but the checkout."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lab.core.errors import InputError
from lab.predicting.trained_cell import load_cell
from tests.forking import QUICK

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both are run, so that the second finds the small run of the first."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """The kernel imports this checkout, and keeps what it prepares to itself."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JAX_NUMPY_RANK_PROMOTION", "allow")
    monkeypatch.setenv("LAB_CACHE", str(place / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(place / "ipython"))
    monkeypatch.setenv(QUICK, "1")


def executed(name: str, place: Path) -> list[Any]:
    """The outputs of all of a notebook's cells."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs"
    NotebookClient(notebook, kernel_name="python3").execute(cwd=str(place))
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def text_of(outputs: list[Any]) -> str:
    shown = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs]
    return "\n".join(shown)


def pictures(outputs: list[Any]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.usefixtures("told", "broadcasting")
def test_both_notebooks_run_with_nothing_at_hand(place: Path) -> None:
    read = executed("reading_results", place)
    assert pictures(read) == 2
    assert "LSTM · full" in text_of(read) and "checkpoint" in text_of(read) and "as good" in text_of(read)
    seen = executed("interest_over_time", place)
    assert pictures(seen) == 3
    assert "three most expected of each user" in text_of(seen)
    assert [output for output in [*read, *seen] if output.get("name") == "stderr"] == []
    _what_cannot_be_loaded_is_refused(place / "small_run" / "lstm_vs_transformer")


def _what_cannot_be_loaded_is_refused(results: Path) -> None:
    """On the run that the notebooks made, since another would cost as much again."""
    with pytest.raises(InputError, match=r"holds no cell 'lstm'; its trained cells are lstm-full"):
        load_cell(results, "lstm")
    baseline = min((results / "cells").glob("last-*")).name
    with pytest.raises(InputError, match="has no parameters"):
        load_cell(results, baseline)
    stale = min((results / "cells").glob("lstm-*"))
    older = stale.rename(stale.with_name(f"{stale.name[:-12]}0123456789ab")).name
    with pytest.raises(InputError, match="settings, data, code or packages are not those found here"):
        load_cell(results, older)
