"""How far the work is and how long it will still take: a live bar in a terminal, plain lines in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

EVERY = 15.0
"""Seconds between the lines of a log."""


class Progress:
    """Progress through `total` units of work (steps, or steps weighted by what they cost).

    with Progress(total=1200, describe="cells") as progress:
        progress.advance(40, "lstm · full, seed 3")
        progress.say("a line of its own, above the bar")

    The bar is drawn where the console is a terminal, and never in a file: there, a line stands at the
    first advance, then every `every` seconds, and at the end.
    """

    def __init__(self, total: float, describe: str, console: Console | None = None, every: float = EVERY) -> None:
        self._console = console or Console()
        self._describe, self._every = describe, every
        self._estimate = Estimate(total)
        live = self._console.is_terminal and self._console.file.isatty() and not self._console.is_dumb_terminal
        self._bar = _bar(self._console, self._estimate) if live else None
        self._task: TaskID | None = None
        self._said = -float("inf")

    def __enter__(self) -> "Progress":
        self._estimate.begin(time.monotonic())
        if self._bar is not None:
            self._task = self._bar.add_task(self._describe, total=self._estimate.total or None, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        # What went wrong is told by whoever catches it.
        if kind is None or issubclass(kind, KeyboardInterrupt):
            end = "done" if kind is None else "stopped"
            self.say(f"{self._describe}: {end} after {duration(self._estimate.elapsed(time.monotonic()))}")

    def advance(self, amount: float, text: str = "") -> None:
        """Count `amount` more units as done; `text` says what was, or is, worked on."""
        now = time.monotonic()
        self._estimate.advance(amount, now)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=amount, text=text)
        elif now - self._said >= self._every and not self._estimate.done:  # its end has a line of its own
            self._said = now
            line = f"{self._describe}: {self._estimate.text(now)}{' · ' if text else ''}{text}"
            width = self._console.width
            self.say(line if len(line) <= width else f"{line[: width - 4]} ...")

    def say(self, line: str) -> None:
        """Print a line of its own, whole, above the bar where there is one."""
        if self._console.options.ascii_only:
            line = line.encode("ascii", "replace").decode()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Estimate:
    """What is left of the work, from what was done so far; it is told the time and asks no clock.

    The rate is that of the whole run so far: cells compile before they compute, so that a rate of the
    last moments would jump at each of them.
    """

    def __init__(self, total: float) -> None:
        self.total = total
        self._done = self._start = self._last = 0.0

    def begin(self, now: float) -> None:
        self._start = self._last = now

    def advance(self, amount: float, now: float) -> None:
        self._done, self._last = min(self._done + amount, self.total), now

    @property
    def done(self) -> bool:
        return self._done >= self.total

    def elapsed(self, now: float) -> float:
        return now - self._start

    def left(self, now: float) -> float | None:
        """Seconds that are left; None before there is anything to go by."""
        if self._done <= 0 or self._last <= self._start:
            return None
        whole = (self._last - self._start) * (self.total / self._done)
        return max(self._start + whole - now, 0.0)

    def text(self, now: float) -> str:
        """` 42 %, 1 min 20 s left`."""
        share = self._done / self.total if self.total else 1.0
        left = self.left(now)
        return f"{int(share * 100):3d} %" + ("" if left is None else f", {duration(left)} left")


def duration(seconds: float) -> str:
    """A span as a person would say it: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Left(TextColumn):
    """Share and time left; it counts down between two advances too."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__("")
        self._estimate = estimate

    def render(self, task: Task) -> Text:
        return Text(self._estimate.text(time.monotonic()), no_wrap=True)


def _bar(console: Console, estimate: Estimate) -> Bar:
    text = TextColumn("{task.fields[text]}", markup=False)
    text.get_table_column().no_wrap = True
    text.get_table_column().overflow = "ellipsis"
    text.get_table_column().ratio = 1
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=16), _Left(estimate), text)
    return Bar(*columns, console=console, refresh_per_second=4, transient=True, expand=True)
