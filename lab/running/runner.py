"""A run of an experiment: the log made ready, the grid, the plan, and the tables at its end."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from lab.core.progress import Progress
from lab.core.stop_signals import ignore_stop_signals
from lab.core.words import plural
from lab.data.fold.view import build_view
from lab.data.log.cache import prepare_log
from lab.data.timeline import Fold, folds
from lab.dataset.dataset import Dataset
from lab.evaluation.familiarity import SLICES
from lab.experiment.available_features import drop_unavailable_features
from lab.experiment.cell_record import CellRecord
from lab.experiment.cells import Cell, grid
from lab.experiment.experiment import Experiment
from lab.experiment.fingerprints import digest
from lab.experiment.selection import select
from lab.experiment.settings import settings_of
from lab.models.base import Model
from lab.pins.pin import build_pin, write_pin
from lab.results.claims import Claims
from lab.results.damage import refuse_damaged
from lab.results.stages import MIRROR, TABLES
from lab.results.stale_cells import outdated_checkpoints, with_stale
from lab.results.store import Store
from lab.results.tables import print_tables, write_tables
from lab.running.assembly import assemblies, dataset_of
from lab.running.causality import check_encoders
from lab.running.computing import Computation
from lab.running.estimate import Budget, Estimator, guessed
from lab.running.guesses import COMPILING, FIGURES, Closing
from lab.running.open_cells import OpenCells
from lab.running.plan import late_end, print_estimate, print_fold, print_line, print_log, print_plan, print_waiting
from lab.running.row_groups import group_by_rows
from lab.running.row_memory import require_feeds, require_shard
from lab.running.run_report import print_path, write_run_report
from lab.running.run_settings import RunSettings
from lab.running.status import print_states, states
from lab.running.training_memory import require_rows
from lab.running.work import DATA, count_work, expected_seconds
from lab.tracking.tracker import Tracker
from lab.training.devices import cpu_devices

LOOK_EVERY = 0.5
"""Seconds between two looks at what other processes have ended."""


class Run:
    """An experiment whose log is ready."""

    def __init__(self, experiment: Experiment, place: RunSettings, about: Mapping[str, str] | None = None) -> None:
        """`about` says what is asked, and in which file, for the pin."""
        self.place, self.console = place, place.console
        self._begun, self._about = time.monotonic(), about or {}
        self._candidates: dict[int, int] = {}
        self.store = Store(place.out / experiment.name)
        self.store.check_length()
        # A filter that chooses nothing is told before the log is read, which can take long.
        select(grid(experiment, "", oracle=False), place.only)
        log = prepare_log(experiment.source, experiment.cleaning, experiment.timeline, experiment.horizons, place.cache)
        self.histories = experiment.target.arrange(log, experiment.timeline)
        self.experiment, self._left_out = drop_unavailable_features(experiment, self.histories)

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Where the cutoffs stand."""
        return folds(self.experiment.timeline, self.experiment.horizons, *self.histories.span)

    @cached_property
    def cells(self) -> list[Cell]:
        """The grid, or what was chosen of it."""
        oracle = self.experiment.target.truth(self.experiment.source) is not None
        return select(grid(self.experiment, self.histories.fingerprint, oracle), self.place.only)

    def show_plan(self, estimate: bool = False) -> None:
        """Print what a run would do: cells, programs, parameters, rows, steps; and how long it would take."""
        self.store.check_writable()
        self._introduce()
        check_encoders(self.experiment.models)
        missing = self._missing()
        left = [fold for fold in self.folds if any(cell.fold == fold.index for cell in missing)]
        parts, data_seconds, closing = [], 0.0, self._closing(self.tracker().active).seconds()
        for fold in left:
            for causal, mine in group_by_rows(missing, fold):
                begun = time.monotonic()
                data = self.dataset(fold, mine, causal)
                ready = assemblies(self.experiment, data, mine)
                require_feeds(ready, data)
                print_plan(self.console, ready, mine)
                if estimate and fold is left[0]:
                    data_seconds += time.monotonic() - begun
                    print_line(
                        self.console, "timing a few steps of what there is time for; what is compiled for it is kept"
                    )
                    foreseen = data_seconds + sum(guessed(one)[0] + COMPILING for one in ready)
                    budget = Budget(foreseen * len(left) + closing, self._begun)
                    parts += Estimator(self.experiment, data, budget).parts(ready, mine)
        print_line(self.console, f"cells in all: {len(missing)}")
        if estimate and missing:
            print_estimate(self.console, parts, data_seconds, len(left), closing)

    def _closing(self, mirrored: bool) -> Closing:
        """The tables, page and W&B runs that are made when all cells are there."""
        lines = Counter((cell.horizon, cell.title) for cell in self.cells if cell.kind != "oracle")
        each = Counter(horizon for horizon, _ in lines)
        pairs = sum(count * (count - 1) // 2 for count in each.values())
        figures = FIGURES if self.place.report else 0
        return Closing(len(SLICES) * pairs, figures, len(self.cells) if mirrored else 0)

    def show_status(self) -> int:
        """Print how far the grid is, line by line. Returns 0, or 1 where a cell is damaged, which stops a run."""
        found = states(self.store, self.cells)
        print_states(found, self.store, self.console)
        return int(any(one.broken for one in found))

    def show_stale(self) -> int:
        """Rewrite and print the tables with what is on disk, stale cells in rows of their own.

        Returns 0, or 1 where the page could not be written.
        """
        planned = [cell.record("missing") for cell in self.cells]
        found = with_stale(self.store, planned)
        if len(found) == len(planned):
            print_line(self.console, "No cell is stale; --status says what is missing.")
            return 0
        refuse_damaged(self.store, [one.id for one in found])
        self.store.check_writable()
        print_tables(write_tables(self.store, found, left_out=self._left_out), self.console)
        print_path(self.console, f"Results: {self.store.root}")
        return int(not self._report(stale=True))

    def compute(self) -> int:
        """Compute what is missing, keep each cell as soon as it is done, and leave tables behind whatever happens.

        Returns 0, or 1 where a cell failed, all that were trained diverged, or the page could not be written.
        """
        self.store.check_writable()
        self._introduce()
        check_encoders(self.experiment.models)
        missing = self._missing()
        if others := outdated_checkpoints(self.store, [cell.record("missing") for cell in missing]):
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            said = (
                f"{others[0]}{more}: kept in mid-training, of other settings, data, code or packages; not gone on with."
            )
            print_line(self.console, said)
        with self.tracker() as tracker, self._progress(missing, self._closing(tracker.active)) as progress:
            tracker.missing([cell.id for cell in self.cells if self.store.is_finished(cell.id)])
            try:
                if missing:
                    self._compute_missing(missing, tracker, progress)
            except BaseException:
                # Why it broke is for the caller to say; what is finished is worth a table all the same.
                with ignore_stop_signals():
                    if any(self.store.is_finished(cell.id) for cell in self.cells):
                        self.summarise(draw=False)
                        tracker.summary()
                raise
            whole = self.summarise(progress=progress)
            tracker.summary()
            if tracker.active:
                progress.advance(0, "W&B")
                tracker.close(self.place.tracking.patience)
                progress.advance(1, "W&B", MIRROR)
        ended = [self.store.read(cell.id) for cell in self.cells]
        trained = [record.status for record in ended if record.kind == "model"]
        failed = any(record.status == "failed" for record in ended) or set(trained) == {"diverged"}
        return int(failed or not whole)

    def summarise(self, draw: bool = True, progress: Progress | None = None) -> bool:
        """Rewrite tables, pin, figures and page from what is on disk, and print the main table.

        `progress` counts what is done of it. Returns whether all of what was to be written is.
        """
        planned = [cell.record("missing") for cell in self.cells]
        if progress is not None:
            progress.advance(0, "comparing rows")
        shown = write_tables(self.store, planned, left_out=self._left_out)
        write_pin(self.store.root / "pin.json", self.pin(planned))
        if progress is not None:
            progress.advance(1, "tables", TABLES)
        print_tables(shown, self.console)
        if stale := len(with_stale(self.store, planned)) - len(planned):
            print_line(
                self.console,
                f"Left out: {plural(stale, 'stale cell')} on disk; the same command with --stale shows what they say.",
            )
        print_path(self.console, f"Results: {self.store.root}")
        return self._report(draw=draw, progress=progress)

    def _report(self, stale: bool = False, draw: bool = True, progress: Progress | None = None) -> bool:
        return write_run_report(self.store.root, stale, self.console, draw and self.place.report, progress)

    def pin(self, planned: Sequence[CellRecord]) -> dict[str, Any]:
        """Everything from which others can check these results."""
        candidates = [self._candidates_of(fold) for fold in self.folds]
        seconds = time.monotonic() - self._begun
        about = self.experiment, self._about, self.histories, self._left_out
        return build_pin(*about, self.folds, candidates, self.store, planned, seconds)

    def tracker(self) -> Tracker:
        """The mirror of this run, whose cells stand together, apart from those of other settings or another log."""
        facts, fingerprint = self.histories.facts, self.histories.fingerprint
        # What it is, never where it lies: a path can name a person.
        names = ("source", "rows", "events", "users", "items", "first", "last", "licence")
        cutoffs = [{"valid_cutoff": f.valid_cutoff, "test_cutoff": f.test_cutoff} for f in self.folds]
        data = {name: facts.get(name) for name in names} | {"fingerprint": fingerprint, "folds": cutoffs}
        group = f"{self.experiment.name}-{digest([settings_of(self.experiment), fingerprint])[:8]}"
        known = {"group": group, "dataset": data}
        return Tracker(self.store.root, self.place.tracking, lambda line: print_line(self.console, line), known)

    def _progress(self, missing: Sequence[Cell], closing: Closing | None = None) -> Progress:
        """A bar of the cells that are missing, and of what follows them."""
        parts = [part for fold in self.folds for _, part in group_by_rows(missing, fold)]
        units, guesses = count_work(parts), expected_seconds(parts, self.histories.events)
        if closing is not None:
            units, guesses = units | closing.units(), guesses | closing.expected()
        return Progress(units, self.experiment.name, self.console, guesses=guesses)

    def compute_cells(self, missing: Sequence[Cell], tracker: Tracker) -> None:
        """Compute some cells of the grid and keep each as soon as it is done, with a bar of their own."""
        with self._progress(missing) as progress:
            self._compute_missing(missing, tracker, progress)

    def _compute_missing(self, missing: Sequence[Cell], tracker: Tracker, progress: Progress) -> None:
        with Claims(self.store.root, devices=cpu_devices()) as claims:
            cells = OpenCells(self.store, claims, {cell.id: self.store.stamp(cell.id) for cell in missing})
            left = list(missing)
            while left := [cell for cell in left if cells.is_open(cell)]:
                if free := [cell for cell in left if claims.free(cell.id)]:
                    self._compute_free(free, cells, tracker, progress)
                else:
                    progress.advance(0, f"with other processes: {plural(len(left), 'cell')}")
                    time.sleep(LOOK_EVERY)
        print_waiting(self.console, [self.store.read(cell.id) for cell in missing])

    def _compute_free(self, free: Sequence[Cell], cells: OpenCells, tracker: Tracker, progress: Progress) -> None:
        for fold in self.folds:
            for causal, mine in group_by_rows([cell for cell in free if cells.is_open(cell)], fold):
                progress.advance(0, "making rows ready")
                data = self.dataset(fold, mine, causal)
                progress.advance(1, "rows are ready", DATA)
                every = self.place.checkpoint_every
                Computation(self.experiment, data, self.store, tracker, progress, cells, every).compute(mine)

    def _missing(self) -> list[Cell]:
        """The cells still to be computed; a line says how many are there already.

        Raises FaultError where some of these are damaged: it names all of them, before hours go into the others.
        """
        refuse_damaged(self.store, [cell.id for cell in self.cells])
        missing = [cell for cell in self.cells if not self.store.is_finished(cell.id)]
        if len(missing) < len(self.cells):
            print_line(self.console, f"{len(self.cells) - len(missing)} of {len(self.cells)} cells are there already.")
        return missing

    def _introduce(self) -> None:
        print_log(self.console, self.histories, self.experiment.target.asks == "events")
        for line in late_end(self.experiment.timeline, self.histories.facts["last"]):
            print_line(self.console, line)
        for line in self._left_out:
            print_line(self.console, line)

    def _candidates_of(self, fold: Fold) -> int:
        if fold.index not in self._candidates:
            asked = self.experiment
            view, _ = build_view(self.histories, fold, asked.target.categories, asked.timeline.shard_events)
            self._candidates[fold.index] = view.candidates
        return self._candidates[fold.index]

    def dataset(self, fold: Fold, cells: Sequence[Cell], causal: bool = True) -> Dataset:
        """One fold made ready for cells that read the same rows; what it holds is printed."""
        require_rows(
            [cell.settings for cell in cells if isinstance(cell.settings, Model)], cells[0].experiment.training
        )
        require_shard(cells[0].experiment.timeline, self.histories.events)
        data, rule = dataset_of(self.histories, fold, cells, causal)
        self._candidates[fold.index] = data.view.candidates
        print_fold(self.console, data, rule, list(dict.fromkeys(cell.variant for cell in cells if cell.variant)))
        return data
