"""The process that mirrors cells to Weights & Biases: `python -m lab.mirror ROOT MODE PROJECT [ENTITY]`.

Reads names of stored cells from standard input, a line each, until it ends. Writes to standard output what a
person should know, and everything else to standard error.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lab.cell_record import CellRecord
from lab.store import CURVE, Store, days

Mode = Literal["online", "offline"]

TAG_LENGTH = 64
"""Longest tag that W&B takes."""


def main() -> int:
    """Mirror until the input ends. An exit code other than 0 means that W&B failed for good."""
    root, mode, project, *entity = sys.argv[1:]
    os.nice(10)  # training comes first
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    store, count = Store(Path(root)), 0
    options = {"project": project, "entity": entity[0] if entity else None, "group": store.root.name}
    try:
        modes = _modes(mode)
        for line in sys.stdin:
            _mirror(store, line.strip(), options, modes, report)
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


def _mirror(store: Store, cell: str, options: Mapping[str, Any], modes: list[Mode], report: Any) -> None:
    """Mirror one cell; once W&B cannot be reached, this one and the rest are kept offline."""
    record = store.read(cell)
    curve = store.curve(cell) if store.has(cell, CURVE) else {}
    try:
        _log(store.root, record, curve, options, modes[0])
    except Exception as error:
        if len(modes) == 1:
            raise
        print(f"{_first_line(error)}; from here on runs are kept offline", file=report, flush=True)
        modes.pop(0)
        _log(store.root, record, curve, options, modes[0])


def _log(root: Path, record: CellRecord, curve: Mapping[str, Any], options: Mapping[str, Any], mode: Mode) -> None:
    import wandb

    run = wandb.init(
        **options,
        mode=mode,
        dir=str(root),
        name=record.id,
        job_type=record.kind,
        tags=_tags(record),
        config=_config(record),
        reinit="create_new",
        settings=_quiet(),
    )
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    for row in zip(*curve.values(), strict=True):
        run.log({name: value.item() for name, value in zip(curve, row, strict=True)})
    run.summary.update(_summary(record))
    run.finish()


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
    parts = {"cell": {name: getattr(record, name) for name in names}, "fingerprints": record.fingerprints}
    return flat(parts | {"config": record.config})


def _tags(record: CellRecord) -> list[str]:
    said = (record.model, record.features, record.target, f"{days(record.horizon)} days", record.status)
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
