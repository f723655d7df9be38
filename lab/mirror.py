"""The process that mirrors cells to Weights & Biases: `python -m lab.mirror ROOT MODE PROJECT ABOUT [ENTITY]`.

Reads names of stored cells from standard input, a line each, until it ends; `.summary` stands for the tables of
the whole experiment. ABOUT is JSON: the group of its runs, and the dataset they use. Writes to standard output
what a person should know, and everything else to standard error.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lab.cell_record import CellRecord
from lab.store import CHECKPOINT, CURVE, Store, days

Mode = Literal["online", "offline"]

TAG_LENGTH = 64
"""Longest tag that W&B takes."""

SUMMARY = ".summary"
"""Stands for the experiment's tables where a cell is named; no cell can have this name."""

TABLES = ("summary", "comparisons", "cells")


def main() -> int:
    """Mirror until the input ends. An exit code other than 0 means that W&B failed for good."""
    root, mode, project, about, *entity = sys.argv[1:]
    os.nice(10)  # training comes first
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    store, count, known = Store(Path(root)), 0, json.loads(about)
    group = known.get("group", store.root.name)
    options = {"project": project, "entity": entity[0] if entity else None, "group": group}
    try:
        modes = _modes(mode)
        for line in sys.stdin:
            _mirror(store, line.strip(), options, known.get("dataset", {}), modes, report)
            count += 1
    except Exception as error:  # of any kind: a mirror may break, the run beside it goes on
        print(f"{_first_line(error)}; mirrored before it: {count}. The results are complete without it.", file=report)
        raise
    print(_outcome(store, count, modes[0]), file=report)
    return 0


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings as one level, names joined with `/`; W&B reads a dot as a level of its own."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{above}{name}".replace(".", "_")
        found |= flat(value, f"{key}/") if isinstance(value, Mapping) and value else {key: value}
    return found


def _modes(mode: str) -> list[Mode]:
    """How to talk to W&B, and how else when that fails."""
    import wandb

    if mode == "auto":
        mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
    return ["online", "offline"] if mode == "online" else ["offline"]


def _mirror(
    store: Store, name: str, options: Mapping[str, Any], data: Mapping[str, Any], modes: list[Mode], report: Any
) -> None:
    """Mirror a cell or the summary; once W&B cannot be reached, this one and the rest are kept offline."""
    import wandb

    write = _log_summary if name == SUMMARY else _log_cell
    try:
        write(store, name, options, data, modes[0])
    except Exception as error:
        if len(modes) == 1:
            raise
        print(f"{_first_line(error)}; from here on runs are kept offline", file=report, flush=True)
        modes.pop(0)
        wandb.teardown()  # its service holds the run that failed, and would refuse the same id
        write(store, name, options, data, modes[0])


def _log_cell(store: Store, cell: str, options: Mapping[str, Any], data: Mapping[str, Any], mode: Mode) -> None:
    record = store.read(cell)
    curve = store.curve(cell) if store.has(cell, CURVE) else {}
    described = {"name": run_name(record), "job_type": record.kind, "tags": _tags(record), "config": _config(record)}
    run = _start(store.root, run_id(options["group"], cell), mode, {**options, **described})
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    if data:
        _use(run, _dataset(data))
    for number, row in enumerate(zip(*curve.values(), strict=True)):
        # Numbered, so that a run that is joined again refuses the rows it has.
        run.log({name: value.item() for name, value in zip(curve, row, strict=True)}, step=number)
    run.summary.update(_summary(record))
    if store.has(cell, CHECKPOINT):
        run.log_artifact(_checkpoint(store, record))
    run.finish()


def _log_summary(store: Store, name: str, options: Mapping[str, Any], data: Mapping[str, Any], mode: Mode) -> None:
    """One run with the experiment's tables, and its figures where there are some."""
    import wandb

    described = {"name": "summary", "job_type": "summary", "config": flat({"dataset": data})}
    run = _start(store.root, run_id(options["group"], name), mode, {**options, **described})
    if data:
        _use(run, _dataset(data))
    tables = {table: store.root / f"{table}.csv" for table in TABLES}
    found: dict[str, Any] = {f"tables/{table}": _table(path) for table, path in tables.items() if path.exists()}
    figures = sorted((store.root / "figures").glob("*.png"))
    run.log(found | {f"figures/{path.stem}": wandb.Image(str(path)) for path in figures})
    run.finish()


def _use(run: Any, artifact: Any) -> None:
    """Name an artifact as an input of the run.

    `run.use_artifact` refuses offline, and online it waits for the server; the record it writes can be synced.
    """
    run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


def _start(root: Path, identity: str, mode: Mode, options: dict[str, Any]) -> Any:
    """A run under an id that is its cell's for good: online it is joined, offline it takes the old one's place."""
    import wandb

    for old in (root / "wandb").glob(f"offline-run-*-{identity}"):
        shutil.rmtree(old)  # W&B joins no run offline, and two folders of one run would be sent as two histories
    resume = "allow" if mode == "online" else None
    return wandb.init(
        **options, id=identity, resume=resume, mode=mode, dir=str(root), reinit="create_new", settings=_quiet()
    )


def run_name(record: CellRecord) -> str:
    """model-features-variant-horizon-seed, as far as there are such, with the fold where it is not the first."""
    parts = [record.model, record.features, record.variant, f"{days(record.horizon)}d"]
    parts += [f"fold{record.fold}"] if record.fold else []
    parts += [str(record.seed)] if record.seed is not None else []
    return "-".join(part for part in parts if part)


def run_id(group: str, cell: str) -> str:
    """The id of a cell's run, the same whenever it is mirrored."""
    return hashlib.sha256(f"{group}/{cell}".encode()).hexdigest()[:16]


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
        init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT", "30")),
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def _config(record: CellRecord) -> dict[str, Any]:
    names = ("id", "kind", "model", "features", "target", "horizon", "fold", "seed", "parameters")
    names = (*names, "variant") if record.variant else names
    parts = {"cell": {name: getattr(record, name) for name in names}, "fingerprints": record.fingerprints}
    return flat(parts | {"config": record.config})


def _tags(record: CellRecord) -> list[str]:
    said = (record.model, record.features, record.variant, record.target, f"{days(record.horizon)} days", record.status)
    return list(dict.fromkeys(tag[:TAG_LENGTH] for tag in said if tag))


def _summary(record: CellRecord) -> dict[str, Any]:
    metrics = {f"{m.split}/{m.slice}/{m.metric}": m.value for m in record.metrics}
    return flat(metrics | {"timing": record.timing, "status": record.status, "reason": record.reason})


def _outcome(store: Store, count: int, mode: str) -> str:
    runs = f"{count} run{'' if count == 1 else 's'}"
    if mode == "online":
        return f"{runs} mirrored online."
    return f"{runs} kept offline; to send them: wandb sync {store.root / 'wandb'}/offline-run-*"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
