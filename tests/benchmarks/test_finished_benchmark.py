"""What benchmarks make of a finished run, whatever its baselines and its target are."""

import json
from pathlib import Path

import pytest

from benchmarks import averaged, interest, why
from benchmarks.shared.finished import baseline_of, done_cells, experiment_at, require_log
from lab.core.errors import InputError
from lab.core.sealed import DIGEST
from lab.data.sources import Table
from lab.experiment.cell_record import CellRecord
from lab.experiment.experiment import Experiment
from lab.experiment.settings import settings_of
from lab.pins.pin import files_of
from lab.pins.pin_file import write_pin
from lab.results.store import Store
from lab.targets import NextItem
from tests.results.made import evaluation, metrics, record, same_everywhere
from tests.small_experiment import small_experiment


def run_of(root: Path, *baselines: str, target: str = "next_item") -> Path:
    """A model's run of one seed, beside baselines, each better than the one before it."""
    store = Store(root)
    for place, name in enumerate(("gru", *baselines)):
        table = same_everywhere(0.1 + 0.1 * place, noise=0.1, seed=place)
        table = {column: values[table["slice"] != "repeat"] for column, values in table.items()}
        kind = {"kind": "baseline", "features": "", "seed": None} if place else {}
        one: CellRecord = record(name, model=name, target=target, horizon=0.0, metrics=metrics(table), **kind)
        store.write(one, judged=evaluation(table))
    return root


def test_models_are_compared_with_what_the_run_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert baseline_of(done_cells(run_of(tmp_path / "usual", "decayed", "markov"))[1], None) == "decayed"
    _, cells = done_cells(run_of(tmp_path / "other", "last", "markov"))
    assert baseline_of(cells, None) == "markov" and baseline_of(cells, "last") == "last"
    with pytest.raises(InputError, match=r"^decayed: the run has no such baseline that is done; it has last, markov"):
        baseline_of(cells, "decayed")
    with pytest.raises(InputError, match="The run has no baseline that is done"):
        baseline_of(done_cells(run_of(tmp_path / "none"))[1], None)
    assert interest.main(interest.Asked(tmp_path / "other")) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    # No query of next items is of the slice of repeats, and without popularity nothing is a multiple of it.
    assert [line[:4] for line in lines[1:3]] == [["gru", "·", "full", "event"], ["gru", "·", "full", "event"]]
    assert len(lines) == 7 and {line[-1] for line in lines[1:]} == {"-"}


def test_a_model_that_the_run_has_not_is_named_with_those_it_has(tmp_path: Path) -> None:
    root = run_of(tmp_path, "markov")
    with pytest.raises(InputError, match="has no finished cell of LSTM; it has gru · full"):
        why.choose_cells(done_cells(root)[1], why.Asked(root, model="LSTM"))
    assert [one.model for one in why.choose_cells(done_cells(root)[1], why.Asked(root))] == ["gru"]
    with pytest.raises(InputError, match=r"^--models: .* has no finished cell of 'LSTM'; it has gru"):
        done_cells(root, ["LSTM"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no finished cell of a model lies there"):
        done_cells(tmp_path / "empty")
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        done_cells(tmp_path / "nowhere")


def pinned(root: Path, experiment: Experiment) -> None:
    """A pin of that experiment and its files, the rest of it of another run."""
    pin = json.loads((Path(__file__).parents[1] / "pins" / "tiny.json").read_text())
    del pin[DIGEST]
    data = pin["data"] | {"files": files_of(experiment.source)}
    write_pin(root / "pin.json", pin | {"experiment": settings_of(experiment), "data": data})


def test_ranks_have_no_mean(tmp_path: Path) -> None:
    root = run_of(tmp_path, "markov")
    pinned(root, small_experiment(target=NextItem(), features={"a": ("item",)}))
    with pytest.raises(InputError, match="is of target next_item, whose answers are ranks"):
        averaged.main(averaged.Asked(root))
    with pytest.raises(InputError, match="source synthetic shop reads no file; leave it out"):
        experiment_at(root, "log.csv", None)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("gone.csv", "gone.csv: no such file.*"),
        (
            "half.csv",
            r"source: half.csv \(15 bytes, sha256 \w{16}\) is not the pinned log.csv \(21 bytes, sha256 \w{16}\)\.",
        ),
        ("*.csv", r"source: 2 files here, and the pin is of 1\."),
    ],
)
def test_a_log_that_is_not_the_runs_is_refused_with_the_line_to_run(tmp_path: Path, log: str, said: str) -> None:
    root = run_of(tmp_path / "run", "markov")
    for name, text in (("log.csv", "user,item,time\na,b,1\n"), ("half.csv", "user,item,time\n")):
        (tmp_path / name).write_text(text)
    pinned(root, small_experiment(source=Table(path=str(tmp_path / "log.csv"))))
    require_log(Table(path=str(tmp_path / "log.csv")), "benchmarks.averaged", root)
    again = r" A run keeps .*\n  .* -m benchmarks\.averaged \S+ --log FOLDER/log\.csv$"
    with pytest.raises(InputError, match=said + again):
        averaged.main(averaged.Asked(root, log=str(tmp_path / log)))
