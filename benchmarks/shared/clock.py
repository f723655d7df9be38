"""Wall time of some work, as the benchmarks tell it."""

import time
from collections.abc import Callable
from statistics import median

RUNS = 3


def seconds(work: Callable[[], object], *, compiles: bool = True) -> float:
    """Median wall time of a few runs; where the first `compiles`, after one that is not counted."""
    if compiles:
        work()
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times)
