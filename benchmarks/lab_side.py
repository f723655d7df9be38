"""The lab's side of `benchmarks.peers`: trains one model on an ordered log and prints a line of JSON after every epoch.

The program is the one that a run compiles and its loop is the one that a run trains by; two of its calls are waited
for and timed. Every event that has a next one before the valid cutoff is a target, as it is RecBole's. All of the log
and its rows lie in memory, on the device too: rows that come from the host would be timed without their way there.
"""

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

BEGUN = time.perf_counter()
ROWS = 16
"""Rows of an update."""
ALL = 2**40
"""More events, and more GiB, than any log has: one shard, whose rows lie on the device."""


class Enough(Exception):
    """The time is up."""


def main() -> None:
    """Prepare, say what there is, train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=("GRU", "Transformer"))
    parser.add_argument("log", type=Path)
    for name in ("width", "length", "epochs", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--overlap", type=int, default=0)
    parser.add_argument("--seconds", type=float, required=True)
    learn(parser.parse_args())


def learn(asked: argparse.Namespace) -> None:
    """Lay the log out as the experiment says, and train its one cell."""
    import jax

    from benchmarks.judging import dataset
    from lab import models
    from lab.experiment.cells import grid
    from lab.running.assembly import assemble, cell_arrays, feed
    from lab.running.backend import prepare_backend
    from lab.training.fit import train

    prepare_backend(Path.cwd())
    jax.config.update("jax_enable_compilation_cache", False)  # from a cold start
    model = getattr(models, asked.model)(width=asked.width)
    experiment = declared(asked, model, 1)
    data = dataset(experiment, Path.cwd())
    # An epoch is as many updates as there are batches of rows, rounded.
    updates = max(round(data.splits["train"].packed.count / ROWS), 1)
    experiment = declared(asked, model, updates)
    cell = next(c for c in grid(experiment, "none", False) if c.kind == "model" and c.seed == asked.seed)
    assembly = assemble(experiment, data, model, [cell])
    rows, valid = data.splits["train"].packed.count, data.splits["valid"]
    answered = {name: int(split.labels[0].answered.sum()) for name, split in data.splits.items()}
    say(
        {
            "targets": round(answered["train"] * updates * assembly.program.batch / rows),
            "asked": len(valid.queries),
            "items": data.view.candidates,
            "device": jax.devices()[0].platform,
            "preparation": time.perf_counter() - BEGUN,
        }
    )
    # Items that only valid or test events have are no candidates here; RecBole counts who takes one as a miss.
    time_epochs(assembly.program, answered["valid"] / len(valid.queries), asked.seconds)
    with suppress(Enough):
        train(assembly.program, [cell_arrays(cell, data)], feed(data, "train"), feed(data, "valid"), lambda _: None)


def declared(asked: argparse.Namespace, model, updates: int):
    """The experiment: leave one out, all items ranked, softmax over all items, a look at all valid users an epoch."""
    from lab import Experiment, Training
    from lab.data.sources import Table
    from lab.data.timeline import Timeline
    from lab.targets import NextItem

    return Experiment(
        name="peers",
        source=Table(path=str(asked.log), order="rows"),
        timeline=Timeline(protocol="leave_one_out", min_events=1, shard_events=ALL),
        target=NextItem(),
        features={"items": ("item",)},
        models=(model,),
        seeds=asked.seed + 1,
        training=Training(
            steps=asked.epochs * updates,
            batch=ROWS,
            row_length=asked.length,
            overlap=asked.overlap,
            evaluate_every=updates,
            valid_rows=0,
            patience=0,
            resident_gib=ALL,
        ),
    )


def time_epochs(program, known: float, seconds: float) -> None:
    """Have the program's two calls of each epoch waited for, timed and told.

    `known`: the share of those asked who have an answer.
    """
    import jax

    run, judge = program.run_resident, program.judge
    begun = time.perf_counter()
    marks: list[float] = []

    def timed_run(*arguments):
        marks[:] = [time.perf_counter()]
        result = jax.block_until_ready(run(*arguments))
        marks.append(time.perf_counter())
        return result

    def timed_judge(*arguments):
        if len(marks) != 2:
            raise RuntimeError("a look at the valid split, and no epoch on rows of the device before it was timed")
        state, verdict = jax.block_until_ready(judge(*arguments))
        now = time.perf_counter()
        # What the target has early stopping go by: 1 - NDCG@10.
        ndcg = known * (1 - float(np.asarray(verdict.loss).ravel()[0]))
        say({"train": marks[1] - marks[0], "valid": now - marks[1], "since": now - begun, "ndcg": ndcg})
        marks.clear()
        if now - begun >= seconds:
            raise Enough
        return state, verdict

    program.run_resident, program.judge = timed_run, timed_judge


def say(what: dict) -> None:
    """One line that the parent reads."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
