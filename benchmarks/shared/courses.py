"""The course of one training in a process of its own, as it prints it: a line of JSON at first, then one an epoch."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np

from lab.results.table_layout import short


@dataclass(frozen=True)
class Epoch:
    """One pass over the training targets, and the look at the valid split after it."""

    train: float
    """Seconds of the pass."""
    valid: float
    """Seconds of the look."""
    since: float
    """Seconds since training began, compiling and looks included."""
    ndcg: float
    """NDCG@10 over the valid split."""

    def __str__(self) -> str:
        return f"{self.train:.2f} s + {self.valid:.2f} s, NDCG@10 {self.ndcg:.4f} after {self.since:.1f} s"


@dataclass
class Course:
    """What one contender did."""

    name: str
    targets: int
    """Next items that an epoch learns from."""
    asked: int
    """Users of the valid split."""
    items: int
    device: str
    preparation: float
    """Seconds from the process's start until training began: imports, reading, laying out."""
    epochs: list[Epoch] = field(default_factory=list)
    peak: float = 0.0
    """GB of resident memory at most."""

    @property
    def opening(self) -> str:
        """What is known before the first epoch."""
        counts = f"{self.targets:,} targets an epoch, {self.asked:,} users asked, {self.items:,} items"
        return f"{counts}, on {self.device}; ready in {self.preparation:.1f} s"

    @property
    def seconds(self) -> float:
        """Of a typical epoch's training; the first may compile."""
        return median(epoch.train for epoch in self.epochs)

    @property
    def best(self) -> float:
        """The best NDCG@10 of the valid split."""
        return max(epoch.ndcg for epoch in self.epochs)

    def reaches(self, ndcg: float) -> float | None:
        """Seconds of training until NDCG@10 is so high; None where it never is."""
        return next((epoch.since for epoch in self.epochs if epoch.ndcg >= ndcg), None)


class Failed(Exception):
    """A process that ended without having trained."""


def follow(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> Course:
    """Run a process in a folder and read its course, an epoch at a time. Raises Failed with what it had to say."""
    course = None
    with (folder / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if not line.startswith("{"):
                    continue
                if course is None:
                    course = Course(name, **json.loads(line))
                    say(course.opening)
                else:
                    course.epochs.append(Epoch(**json.loads(line)))
                    say(f"epoch {len(course.epochs)}: {course.epochs[-1]}")
        except BaseException:
            process.kill()
            raise
        finally:
            # Not Popen.wait: only this call tells one child's own peak.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
        if process.returncode or course is None or not course.epochs:
            errors.seek(0)
            raise Failed(f"{name} ended with {process.returncode}:\n{errors.read()[-2000:]}")
    course.peak = usage.ru_maxrss * 1024 / 1e9
    return course


Line = tuple[str, Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]
"""A name, seconds, and the NDCG@10 at each."""

LONE: Mapping[str, Any] = {"marker": "D", "markersize": 8, "linestyle": "none", "markeredgecolor": "black"}
"""How one epoch alone looks, which has no line to be found by."""


def draw(lines: Sequence[Line], path: Path, goals: Mapping[float, float] = MappingProxyType({})) -> None:
    """Write `draw_courses` as PNG."""
    draw_courses(lines, goals).savefig(path, dpi=150)


def draw_courses(lines: Sequence[Line], goals: Mapping[float, float]) -> Any:
    """Accuracy against seconds, on a logarithmic scale: lines of one name in one colour.

    goals: NDCG@10 to reach, each with the minutes within which it is wanted.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for name, *_ in lines))
    handles: dict[str, Any] = {}
    for name, seconds, ndcg in lines:
        style = {"marker": ".", "markersize": 4, "linewidth": 1.2} if len(seconds) > 1 else LONE
        (handles[name],) = axes.plot(seconds, ndcg, **style, color=f"C{names.index(name)}")
    for ndcg, minutes in goals.items():
        _aim(axes, ndcg, minutes)
    axes.set(xscale="log", xlabel="seconds since training began", ylabel="NDCG@10, valid", ylim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=2)
    return figure


def _aim(axes: Any, ndcg: float, minutes: float) -> None:
    """A height across, a stroke at its time, and both in words beside the panel, where no line runs through them."""
    axes.axhline(ndcg, color="0.5", linewidth=0.8, linestyle="--")
    axes.plot([60 * minutes], [ndcg], marker="|", markersize=14, markeredgewidth=1.6, color="black")
    said = f"wanted: {short(ndcg)}\nwithin {minutes:g} min"
    axes.text(1.01, ndcg, said, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
