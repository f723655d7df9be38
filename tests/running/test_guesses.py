"""How long a run still takes, told along the timings that real runs kept: no clock is asked."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lab.core.pace import Pace
from lab.core.progress import Estimate
from lab.experiment.cell_record import place_of
from lab.experiment.cells import Cell, grid
from lab.experiment.settings import experiment_from_settings
from lab.running.work import DATA, JUDGE, compile_kind, count_work, expected_seconds, work_kind, work_units

RECORDED = Path(__file__).with_name("recorded_runs.json")
"""What the pins of six shipped experiments kept of their timings, on two quiet cores."""
AT_ONCE = 2
"""Cells that the pinned runs trained side by side."""
DATA_SECONDS = 4.0

Event = tuple[float, str, float, bool]
"""Units, their kind, seconds since the last event, and whether these are counted as the kind's."""


def recorded(name: str) -> tuple[list[Cell], dict[tuple[Any, ...], Any], int]:
    """The cells of a pinned run, what it kept of each by its place, and the events of its log."""
    pin = json.loads(RECORDED.read_bytes())[name]
    kept = {place_of(cell): cell for cell in pin["cells"]}
    cells = grid(
        experiment_from_settings(pin["experiment"]), "", oracle=any(one["kind"] == "oracle" for one in pin["cells"])
    )
    return cells, kept, pin["data"]["events"]


def timeline(cells: list[Cell], kept: dict[tuple[Any, ...], Any]) -> Iterator[Event]:
    """What a run tells its progress, in its order."""

    def timing(cell: Cell) -> Any:
        return kept[place_of(cell.record("missing"))]["timing"]

    yield 1, DATA, DATA_SECONDS, True
    yield from ((1, work_kind(cell), timing(cell)["total"], True) for cell in cells if cell.kind != "model")
    models: dict[str, list[Cell]] = {}
    for cell in sorted((cell for cell in cells if cell.kind == "model"), key=lambda cell: cell.seed or 0):
        models.setdefault(cell.model, []).append(cell)
    queues = [[own[i : i + AT_ONCE] for i in range(0, len(own), AT_ONCE)] for own in models.values()]
    usual = {chunks[0][0].model: median(AT_ONCE * timing(chunk[0])["train"] for chunk in chunks) for chunks in queues}
    for round_ in zip_longest(*queues):
        for chunk in filter(None, round_):
            yield from _chunk(
                chunk, timing(chunk[0]), usual[chunk[0].model], fresh=round_ == next(zip_longest(*queues))
            )


def _chunk(chunk: list[Cell], timing: Any, usual: float, fresh: bool) -> Iterator[Event]:
    train, steps = len(chunk) * timing["train"], work_units(chunk[0])
    parts = steps // chunk[0].experiment.training.evaluate_every
    compiling = max(train - usual, 0.0) if fresh else 0.0
    if fresh:
        yield 1, compile_kind(chunk[0]), compiling, True
    for part in range(parts):
        yield len(chunk) * steps / parts, work_kind(chunk[0]), (train - compiling) / parts, not fresh or part > 1
    yield len(chunk), JUDGE, len(chunk) * timing["judge"], True


RUNS = ["lstm_vs_transformer", "all_models", "horizon_curve", "feature_ablation", "next_item", "training_size"]


@pytest.mark.parametrize("name", RUNS)
def test_from_a_fifth_of_a_run_on_what_is_left_is_told_within_a_factor_of_1_5(name: str) -> None:
    cells, kept, events = recorded(name)
    told = list(timeline(cells, kept))
    whole = sum(seconds for _, _, seconds, _ in told)
    estimate, now = Estimate(count_work([cells]), expected_seconds([cells], events)), 0.0
    estimate.begin(0.0)
    for units, kind, seconds, timed in told:
        now += seconds
        estimate.advance(units, now, kind, timed)
        left, truth = estimate.left(now), whole - now
        assert left is not None
        if now >= whole / 5 and truth > 0.06 * whole:
            assert truth / 1.5 <= left <= 1.5 * truth, (now / whole, left, truth)
    assert estimate.done


@pytest.mark.parametrize("name", RUNS)
def test_before_anything_is_timed_the_guess_is_within_a_factor_of_two_of_such_a_machine(name: str) -> None:
    cells, kept, events = recorded(name)
    guessed = expected_seconds([cells], events)
    whole = sum(units * guessed[kind] for kind, units in count_work([cells]).items())
    assert 0.5 < whole / sum(seconds for _, _, seconds, _ in timeline(cells, kept)) < 2


def test_what_follows_the_cells_counts_as_left() -> None:
    guesses = {"train a": 1.0, "train b": 3.0, "tables": 2.0, "drawing": 1.0}
    estimate = Estimate({"train a": 10, "train b": 10, "tables": 1, "drawing": 6}, guesses)
    estimate.begin(0.0)
    assert estimate.left(0.0) == 48 and estimate.text(0.0) == "  0 %, 48 s left"
    estimate.advance(5, 10.0, "train a")  # twice as slow as guessed
    assert estimate.left(10.0) == pytest.approx(5 * 2 + 10 * 6 + 16)
    estimate.advance(5, 20.0, "train a")
    estimate.advance(10, 50.0, "train b")  # as guessed
    assert not estimate.done and estimate.left(50.0) == pytest.approx(8 * 50 / 40)
    estimate.advance(1, 56.0, "tables")
    estimate.advance(2, 57.0, "drawing")  # drawing goes by its own pace from here on
    assert estimate.left(57.0) == pytest.approx(4 * 0.5)
    estimate.advance(4, 57.0, "drawing", timed=False)
    assert estimate.done and estimate.left(57.0) == 0


def test_a_kind_goes_by_its_family_and_a_new_family_by_all() -> None:
    pace = Pace({"train a": 1.0, "train b": 2.0, "fit c": 1.0})
    pace.time("train a", 10, 30.0)
    assert pace.guess("train b") == 6.0 and pace.guess("fit c") == 3.0 and pace.guess("unknown") is None
    pace.time("fit c", 1, 1.0)
    assert pace.guess("fit c") == 1.0 and pace.guess("train b") == 6.0
