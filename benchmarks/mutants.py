"""Whether the tests notice when a claim of the lab is broken.

Each mutant is a fault in one place of the code that makes one claim false: a
comparison at a cutoff, a tie, a seed, a window, a correction, a digest. In a
copy of the files that git tracks, one mutant after another is put into the
code, and the tests that should notice are run there. It is killed where a test
fails by what it found; a mutant that survives is a claim that no test proves.
A test that fails without the mutant, or a change that is no working code, is an
error and kills nothing. The checkout itself is never changed.

The exit code is 1 where a mutant survives or ends in an error.

Run:
    python -m benchmarks.mutants --jobs 2
    python -m benchmarks.mutants --only holm lab/results
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from benchmarks.shared.command import command, require
from benchmarks.shared.mutants import MUTANTS
from benchmarks.shared.mutants.mutant import Mutant
from benchmarks.shared.mutants.trial import Bench, Outcome, Ran, parts_of_tests, unproven
from lab.core.errors import InputError
from lab.core.progress import Progress, duration
from lab.core.spelling import did_you_mean
from lab.core.words import plural

Work = TypeVar("Work")
Done = TypeVar("Done")

ROOT = Path(__file__).resolve().parents[1]

TESTS = "unchanged"
TRIALS = "mutants"
"""The two kinds of work, each of which has a pace of its own."""


@dataclass(frozen=True)
class Asked:
    """Which mutants to try."""

    only: tuple[str, ...] = ()
    """Try only the mutants whose name or file has one of these in it. Default: all."""
    jobs: int = 1
    """Mutants tried at once, each in a copy of its own."""

    def __post_init__(self) -> None:
        require(self, jobs=1)


def main(asked: Asked) -> int:
    """Print a line for each mutant, and a table at the end; 1 where one is not killed."""
    return try_out(chosen(MUTANTS, asked.only), ROOT, asked.jobs)


def chosen(mutants: Sequence[Mutant], parts: Sequence[str]) -> list[Mutant]:
    """Those of whose name or file some part is one. Raises InputError for a part that is in none."""
    for part in parts:
        if not any(part in mutant.name or part in mutant.file for mutant in mutants):
            near = did_you_mean(part, [mutant.name for mutant in mutants])
            raise InputError(f"--only: {part} is in no mutant's name or file{near or '; leave it out to try all.'}")
    return [one for one in mutants if not parts or any(part in one.name or part in one.file for part in parts)]


def try_out(mutants: Sequence[Mutant], root: Path, jobs: int) -> int:
    """Try mutants of the code in a folder that git knows; 1 where one is not killed.

    Raises InputError, before anything is run, where the text of one is not in its file exactly once.
    """
    for mutant in mutants:
        mutant.changed(root)
    begun, count = time.monotonic(), min(jobs, len(mutants))
    parts = parts_of_tests(mutants, count)
    total = {TESTS: len(parts), TRIALS: len(mutants)}
    with tempfile.TemporaryDirectory() as folder, Progress(total, "mutants") as progress:
        benches = [Bench(root, Path(folder) / str(job)) for job in range(count)]
        progress.say(f"{plural(len(mutants), 'mutant')}. First what should notice them, on the code as it is.")
        unchanged: list[Ran] = []
        for ran in at_once(benches, parts, Bench.unchanged):
            unchanged.append(ran)
            progress.advance(1, f"{len(ran.passed)} tests passed", TESTS)
        found: dict[str, Outcome] = {}
        for mutant, outcome in outcomes(mutants, benches, unchanged):
            found[mutant.name] = outcome
            progress.say(line(mutant, outcome))
            progress.advance(1, mutant.name, TRIALS, timed=outcome.seconds > 0)
    print(table(mutants, found))
    print(summary(found, time.monotonic() - begun), flush=True)
    return int(any(outcome.kind != "killed" for outcome in found.values()))


def outcomes(
    mutants: Sequence[Mutant], benches: Sequence[Bench], unchanged: Sequence[Ran]
) -> Iterator[tuple[Mutant, Outcome]]:
    """What becomes of each mutant, as soon as it is known; those first whose tests could prove nothing."""
    reasons = {one.name: unproven(one, unchanged) for one in mutants}
    yield from ((one, Outcome("error", reasons[one.name], 0.0)) for one in mutants if reasons[one.name])
    left = [one for one in mutants if not reasons[one.name]]
    yield from at_once(benches, left, lambda bench, one: (one, bench.judge(one)))


def at_once(benches: Sequence[Bench], work: Sequence[Work], do: Callable[[Bench, Work], Done]) -> Iterator[Done]:
    """Do each piece of work on whichever bench is free, and give what it gave as soon as it is done."""
    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def take(one: Work) -> Done:
        bench = free.get()
        try:
            return do(bench, one)
        finally:
            free.put(bench)

    pool = ThreadPoolExecutor(len(benches))
    try:
        for done in as_completed([pool.submit(take, one) for one in work]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def line(mutant: Mutant, outcome: Outcome) -> str:
    """What became of a mutant, on a line of its own."""
    by = f": {outcome.said}" if outcome.said else ""
    return f"{outcome.kind:8s} {outcome.seconds:4.0f} s  {mutant.name}{by}"


def table(mutants: Sequence[Mutant], found: Mapping[str, Outcome]) -> str:
    """A row for each mutant, in their order: what became of it, where its fault is, and the claim that it breaks."""
    wide = max(len(mutant.name) for mutant in mutants)
    rows = [f"{'':8s}  {'mutant':{wide}s}  claim"]
    rows += [f"{found[one.name].kind:8s}  {one.name:{wide}s}  {one.claim}" for one in mutants]
    return "\n".join(rows)


def summary(found: Mapping[str, Outcome], seconds: float) -> str:
    """How many there were, and how many of them were killed."""
    kinds = [outcome.kind for outcome in found.values()]
    rest = f"{kinds.count('SURVIVED')} survived, {kinds.count('error')} ended in an error"
    return f"{plural(len(kinds), 'mutant')} in {duration(seconds)}: {kinds.count('killed')} killed, {rest}."


if __name__ == "__main__":
    command("mutants", Asked, main, __doc__)
