"""The process that mirrors cells to Weights & Biases: `python -m lab.mirror ROOT MODE PROJECT ABOUT [ENTITY]`.

Reads names of stored cells from standard input, a line each, until it ends; `.summary` stands for the tables of
the whole experiment. ABOUT is JSON: the group of its runs, and the dataset they use. Cells that the ledger knows are
passed over. Writes to standard output what a person should know, and everything else to standard error.
"""

import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lab.cell_record import CellRecord
from lab.claims import Claims
from lab.errors import FaultError
from lab.ledger import SUMMARY, TABLES, Ledger, figures, run_id
from lab.store import CHECKPOINT, CURVE, Store, days

Mode = Literal["online", "offline"]

UNHARMED = "The results are complete without it, and the same command mirrors what is missing."

TAG_LENGTH = 64
"""Longest tag that W&B takes."""

INIT, FINISH, REQUEST = "30", "30", "10"
"""Seconds that W&B has to begin a run, to end it, and for one of its requests, where WANDB_INIT_TIMEOUT,
WANDB_FINISH_TIMEOUT and WANDB_HTTP_TIMEOUT do not say. What hangs must end within the patience of the run."""


def main() -> int:
    """Mirror until the input ends. An exit code other than 0 means that W&B failed for good."""
    root, mode, project, about, *entity = sys.argv[1:]
    os.nice(10)  # training comes first
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    _prepare()
    store, sent, known = Store(Path(root)), Counter[str](), json.loads(about)
    options = {"project": project, "entity": entity[0] if entity else None, "group": known["group"]}
    ledger = Ledger(store.root, known["group"])
    try:
        modes = _modes(mode)
        with Claims(store.root / "wandb") as claims:
            for name in map(str.strip, sys.stdin):
                with _claimed(claims, ledger, name) as mine:
                    if mine:
                        _mirror(store, name, options, known.get("dataset", {}), modes, report)
                        ledger.note(name)
                        sent[modes[0]] += 1
    except Exception as error:  # of any kind: a mirror may break, the run beside it goes on
        print(f"{_first_line(error)}; mirrored before it: {sent.total()}. {UNHARMED}", file=report)
        raise
    for mode, count in sent.items():
        print(_outcome(store, count, mode), file=report, flush=True)  # W&B may end this process in a way of its own
    return 0


def _prepare() -> None:
    """Say to W&B by its environment what no setting of a run says."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # what it counts of its own use, over the user's network
    os.environ.setdefault("WANDB_HTTP_TIMEOUT", REQUEST)


@contextmanager
def _claimed(claims: Claims, ledger: Ledger, name: str) -> Iterator[bool]:
    """Whether it is for this process to mirror a cell: several may share a folder, and each finds what is missing."""
    mine = claims.take(name)
    try:
        yield mine and ledger.lacks(name)
    finally:
        claims.release([name])


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

    write = _log_summary if name == SUMMARY else _log_cell
    try:
        write(store, name, options, data, modes[0])
    except Exception as error:
        if len(modes) == 1:
            raise
        print(f"{_refusal(error)}; from here on runs are kept offline.", file=report, flush=True)
        modes.pop(0)
        _restart()
        write(store, name, options, data, modes[0])


def _restart() -> None:
    """End W&B's service: it holds the run that failed, and would refuse the same id."""
    import wandb

    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # a service that died takes who asks with it
        print(f"the service ended with {error!r}", file=sys.stderr)


def _log_cell(store: Store, cell: str, options: Mapping[str, Any], data: Mapping[str, Any], mode: Mode) -> None:
    record = store.read(cell)
    curve = store.curve(cell) if store.has(cell, CURVE) else {}
    described = {"name": run_name(record), "job_type": record.kind, "tags": _tags(record), "config": _config(record)}
    run = _start(store.root, run_id(options["group"], cell), mode, {**options, **described})
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    sent = [_use(run, _dataset(data))] if data else []
    for number, row in enumerate(zip(*curve.values(), strict=True)):
        # Numbered, so that a run that is joined again refuses the rows it has.
        run.log({name: value.item() for name, value in zip(curve, row, strict=True)}, step=number)
    run.summary.update(_summary(record))
    if store.has(cell, CHECKPOINT):
        sent.append(run.log_artifact(_checkpoint(store, record)))
    _end(run, sent)


def _log_summary(store: Store, name: str, options: Mapping[str, Any], data: Mapping[str, Any], mode: Mode) -> None:
    """One run with the experiment's tables, and its figures where there are some."""
    import wandb

    described = {"name": "summary", "job_type": "summary", "config": flat({"dataset": data})}
    run = _start(store.root, run_id(options["group"], name), mode, {**options, **described})
    sent = [_use(run, _dataset(data))] if data else []
    tables = {table: store.root / f"{table}.csv" for table in TABLES}
    found: dict[str, Any] = {f"tables/{table}": _table(path) for table, path in tables.items() if path.exists()}
    run.log(found | {f"figures/{path.stem}": wandb.Image(str(path)) for path in figures(store.root)})
    _end(run, sent)


def _end(run: Any, sent: list[Any]) -> None:
    """Finish the run, and ask after what was sent with it: that an artifact failed, W&B tells nobody else."""
    seconds = run.settings.finish_timeout
    try:
        run.finish()
    except TimeoutError as error:
        raise FaultError(f"a run was not taken within {seconds:g} s") from error
    for artifact in sent:
        handle = artifact._save_handle  # none offline; its public `wait` fetches what is of no use here
        said = handle and handle.wait_or(timeout=seconds).response.log_artifact_response.error_message
        if said:
            raise FaultError(f"{artifact.name}: {said}")


def _use(run: Any, artifact: Any) -> Any:
    """Name an artifact as an input of the run.

    `run.use_artifact` refuses offline, and online it waits for the server; the record it writes can be synced.
    """
    return run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


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


def _refusal(error: Exception) -> str:
    """What became of a run that was to go online, and what to do where the key is at fault."""
    import wandb
    from wandb.sdk.mailbox import HandleAbandonedError

    if isinstance(error, HandleAbandonedError | ConnectionError):
        return "W&B's service on this machine ended before its run did"
    said = f"{wandb.setup().settings.base_url}: {_first_line(error)}"
    return f"{said} (is the key right? wandb login --relogin)" if re.search(r"\b40[13]\b", said) else said


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
