"""What a cell is in Weights & Biases: its run's name, settings, history, results and artifacts; and the tables' run."""

import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.core.errors import FaultError
from lab.core.escape import printable
from lab.core.nested import leaves_with_path
from lab.experiment.cell_record import CellRecord
from lab.results.cell_files import CHECKPOINT, CURVE
from lab.results.cells_table import days
from lab.results.store import Store
from lab.tracking.ledger import SUMMARY, TABLES, Ledger, figures, run_id
from lab.tracking.wandb_file import is_ended

Mode = Literal["online", "offline"]

INIT, FINISH = "30", "30"
"""Seconds that W&B has to begin a run and to end it, where WANDB_INIT_TIMEOUT and WANDB_FINISH_TIMEOUT do not say."""

NAME_LENGTH = 128
"""Longest name of a run that W&B takes."""

TAG_LENGTH = 64
"""Longest tag that W&B takes."""


@dataclass(frozen=True)
class Runs:
    """The runs of one results folder."""

    store: Store
    ledger: Ledger
    place: Mapping[str, Any]
    """W&B's project and entity, and the group of the runs."""
    data: Mapping[str, Any]
    """What is known of the log."""

    def write(self, name: str, mode: Mode) -> None:
        """Write a cell's run, or the tables' own, from beginning to end."""
        if name == SUMMARY:
            self._write_summary(mode)
        else:
            self._write_cell(name, mode)

    def _write_cell(self, cell: str, mode: Mode) -> None:
        store, record = self.store, self.store.read(cell)
        described = {"name": run_name(record), "job_type": record.kind, "tags": _tags(record)}
        run = self._start(cell, mode, described | {"config": _config(record)})
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        run.define_metric("valid_loss", step_metric="step", summary="min")  # what training stops by
        for metric, better in directions(record).items():
            run.define_metric(metric, summary=better)
        sent = self._lineage(run)
        curve = store.curve(cell) if store.has(cell, CURVE) else {}
        for number, row in enumerate(zip(*curve.values(), strict=True)):
            # Numbered, so that a run that is joined again refuses the rows it has.
            run.log({name: value.item() for name, value in zip(curve, row, strict=True)}, step=number)
        run.summary.update(_summary(record))
        if store.has(cell, CHECKPOINT):
            sent.append(run.log_artifact(_checkpoint(store, record)))
        _end(run, sent)

    def _write_summary(self, mode: Mode) -> None:
        """One run with the experiment's tables, and its figures where there are some."""
        import wandb

        described = {"name": "summary", "job_type": "summary", "config": flat({"dataset": self.data})}
        run = self._start(SUMMARY, mode, described)
        sent, root = self._lineage(run), self.store.root
        tables = {table: root / f"{table}.csv" for table in TABLES}
        found: dict[str, Any] = {f"tables/{table}": _table(path) for table, path in tables.items() if path.exists()}
        run.log(found | {f"figures/{path.stem}": wandb.Image(str(path)) for path in figures(root)})
        _end(run, sent)

    def _start(self, name: str, mode: Mode, described: dict[str, Any]) -> Any:
        """A run under an id that is its cell's for good: online it is joined, offline it takes the old one's place."""
        import wandb

        root, identity = self.store.root, run_id(self.place["group"], name)
        for old in (root / "wandb").glob(f"offline-run-*-{identity}"):
            shutil.rmtree(old)  # W&B joins no run offline, and two folders of one run would be sent as two histories
        resume = "allow" if mode == "online" else None
        how = {"id": identity, "resume": resume, "mode": mode, "dir": str(root), "reinit": "create_new"}
        run = wandb.init(**self.place, **described, **how, settings=_quiet())
        if mode == "online":
            self.ledger.begin(name)
        return run

    def _lineage(self, run: Any) -> list[Any]:
        """Name the log as an input of the run.

        `run.use_artifact` refuses offline, and online it waits for the server; the record it writes can be synced.
        """
        if not self.data:
            return []
        return [run._log_artifact(_dataset(self.data), is_user_created=True, use_after_commit=True)]


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings as one level, names joined with `/`; W&B reads a dot as a level of its own."""
    return {"/".join(name.replace(".", "_") for name in names): value for names, value in leaves_with_path(values)}


def _end(run: Any, sent: list[Any]) -> None:
    """Finish the run, and ask after what was sent with it: that an artifact failed, W&B tells nobody else."""
    seconds = run.settings.finish_timeout
    try:
        run.finish()
    except TimeoutError as error:
        raise FaultError(f"a run was not taken within {seconds:g} s") from error
    if run.settings.mode == "offline":
        _wait_for(Path(run.settings.sync_file), seconds)
    for artifact in sent:
        handle = artifact._save_handle  # none offline; its public `wait` fetches what is of no use here
        said = handle and handle.wait_or(timeout=seconds).response.log_artifact_response.error_message
        if said:
            raise FaultError(f"{artifact.name}: {said}")


def _wait_for(kept: Path, seconds: float) -> None:
    """W&B closes a run's file shortly after it says that the run is finished, and hides it where that fails."""
    deadline = time.monotonic() + seconds
    while not is_ended(kept):
        if time.monotonic() > deadline:
            raise FaultError(f"{kept} breaks off; is the disk full?")
        time.sleep(0.02)


def run_name(record: CellRecord) -> str:
    """model-features-variant-horizon-seed, as far as there are such, with the fold where it is not the first."""
    parts = [record.model, record.features, record.variant, f"{days(record.horizon)}d"]
    parts += [f"fold{record.fold}"] if record.fold else []
    parts += [str(record.seed)] if record.seed is not None else []
    name = printable("-".join(part for part in parts if part))
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH // 2 - 1]}..{name[-NAME_LENGTH // 2 + 1 :]}"


def _dataset(data: Mapping[str, Any]) -> Any:
    """What is known of the log, and nothing that is in it."""
    import wandb

    artifact = wandb.Artifact(_artifact_name(f"log-{data['fingerprint'][:16]}"), "dataset", metadata=dict(data))
    with artifact.new_file("dataset.json") as file:
        json.dump(data, file, indent=1, sort_keys=True)
    return artifact


def _checkpoint(store: Store, record: CellRecord) -> Any:
    import wandb

    artifact = wandb.Artifact(_artifact_name(f"model-{record.id}"), "model", metadata=dict(record.fingerprints))
    # Read where it lies: a copy per cell would double the results.
    path = store.folder(record.id) / CHECKPOINT
    artifact.add_file(str(path), CHECKPOINT, skip_cache=True, policy="immutable")
    return artifact


def _artifact_name(name: str) -> str:
    """W&B takes up to 128 letters, digits and ._- there; the end of a cell's id is what makes it its own."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return plain if len(plain) <= 128 else f"{plain[:100]}-{plain[-27:]}"


def _table(path: Path) -> Any:
    import pandas as pd
    import wandb

    return wandb.Table(dataframe=pd.read_csv(path, keep_default_na=True))


def _quiet() -> Any:
    """No banner, and nothing about the machine, its user or the code: the record says what matters."""
    import wandb

    return wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", INIT)),
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", FINISH)),
        finish_timeout_raises=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def metric_name(split: str, part: str, metric: str) -> str:
    """What W&B calls a metric of a slice: `test/all/mrr`."""
    return f"{split}/{part}/{metric}".replace(".", "_")


def directions(record: CellRecord) -> dict[str, Literal["min", "max"]]:
    """Name -> which aggregate is best, of each number that a cell has and that its target calls better one way."""
    if record.measures is None:
        return {}
    found = [(m, record.measures.metric(m.metric).better) for m in record.metrics]
    aggregates: dict[str, Literal["min", "max"]] = {"lower": "min", "higher": "max"}
    return {metric_name(m.split, m.slice, m.metric): aggregates[better] for m, better in found if better in aggregates}


def _config(record: CellRecord) -> dict[str, Any]:
    names = ("id", "kind", "model", "features", "target", "horizon", "fold", "seed", "parameters")
    names = (*names, "variant") if record.variant else names
    parts = {"cell": {name: getattr(record, name) for name in names}, "fingerprints": record.fingerprints}
    return flat(parts | {"config": record.config})


def _tags(record: CellRecord) -> list[str]:
    said = (record.model, record.features, record.variant, record.target, f"{days(record.horizon)} days", record.status)
    return list(dict.fromkeys(printable(tag)[:TAG_LENGTH] for tag in said if tag))


def _summary(record: CellRecord) -> dict[str, Any]:
    metrics = {metric_name(m.split, m.slice, m.metric): m.value for m in record.metrics}
    return flat(metrics | {"timing": record.timing, "status": record.status, "reason": record.reason})
