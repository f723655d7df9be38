"""How far the work is and how long it will still take: a live bar in a terminal, plain lines in a log."""

import time
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from lab.core.escape import printable, terminal
from lab.core.pace import Pace

REDRAW_SECONDS = 15.0
"""Seconds between the lines of a log."""


class Progress:
    """Progress through `total` units of work, or through units of several kinds of work, each with its own pace.

    with Progress(total=1200, describe="cells") as progress:
        progress.advance(40, "lstm · full, seed 3")
        progress.say("a line of its own, above the bar")

    The bar is drawn where the console is a terminal, and never in a file: there, a line stands at the
    first advance, then every `every` seconds, and at the end.
    """

    def __init__(
        self,
        total: float | Mapping[str, float],
        describe: str,
        console: Console | None = None,
        every: float = REDRAW_SECONDS,
        guesses: Mapping[str, float] | None = None,
    ) -> None:
        """`guesses`: see `Estimate`."""
        self._console = console or Console()
        self._describe, self._every = describe, every
        self._estimate = Estimate(total, guesses)
        live = self._console.is_terminal and self._console.file.isatty() and not self._console.is_dumb_terminal
        self._bar = _bar(self._console, self._estimate) if live else None
        self._task: TaskID | None = None
        self._said = -float("inf")

    def __enter__(self) -> "Progress":
        self._estimate.begin(time.monotonic())
        if self._bar is not None:
            self._task = self._bar.add_task(self._describe, total=None, text="")
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

    def advance(self, amount: float, text: str = "", kind: str = "", timed: bool = True) -> None:
        """Count `amount` more units of a kind as done; `text` says what was, or is, worked on."""
        now, text = time.monotonic(), printable(text)
        self._estimate.advance(amount, now, kind, timed)
        if self._bar is not None and self._task is not None:
            share = self._estimate.share(now)
            self._bar.update(self._task, total=None if share is None else 1.0, completed=share or 0.0, text=text)
        elif now - self._said >= self._every and not self._estimate.done:  # its end has a line of its own
            self._said = now
            line = f"{self._describe}: {self._estimate.text(now)}{' · ' if text else ''}{text}"
            width = self._console.width
            self.say(line if len(line) <= width else f"{line[: width - 4]} ...")

    def say(self, line: str) -> None:
        """Print a line of its own, whole, above the bar where there is one."""
        line = terminal(line)
        if self._console.options.ascii_only:
            line = line.encode("ascii", "replace").decode()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Estimate:
    """What is left of the work, from what was timed of each of its kinds; it is told the time and asks no clock.

    A kind of which nothing was timed takes what is guessed of it, as much longer or shorter as others took. Without
    guesses what the others will take is the least that is left.
    """

    def __init__(self, total: float | Mapping[str, float], guesses: Mapping[str, float] | None = None) -> None:
        """`guesses`: seconds of one unit of each kind."""
        self._left = dict(total) if isinstance(total, Mapping) else {"": total}
        self._pace = Pace(guesses or {})
        self._timed: defaultdict[str, float] = defaultdict(float)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._whole = sum(self._left.values())
        self._start = self._last = 0.0

    def begin(self, now: float) -> None:
        self._start = self._last = now

    def advance(self, amount: float, now: float, kind: str = "", timed: bool = True) -> None:
        """Count units of a kind as done in the time since the last call, or with `timed` false in no time told."""
        self._left[kind] = max(self._left.get(kind, 0) - amount, 0)
        if timed and amount:
            self._timed[kind] += amount
            self._seconds[kind] += now - self._last
            self._pace.time(kind, amount, now - self._last)
        self._last = now

    @property
    def done(self) -> bool:
        return not any(self._left.values())

    def elapsed(self, now: float) -> float:
        return now - self._start

    def _of(self, kind: str) -> float | None:
        """Seconds of one unit."""
        return self._seconds[kind] / self._timed[kind] if self._timed[kind] else self._pace.guess(kind)

    def least(self, now: float) -> float | None:
        """Seconds that are left at least, of the kinds that are known; None before there is anything to go by."""
        left = {kind: amount for kind, amount in self._left.items() if amount}
        known = {kind: seconds for kind in left if (seconds := self._of(kind)) is not None}
        timed = any(self._timed[kind] for kind in left) and self._last > self._start
        if left and not timed and (not known or len(known) < len(left)):
            return None
        whole = sum(known[kind] * left[kind] for kind in known)
        return max(self._last + whole - now, 0.0)

    def left(self, now: float) -> float | None:
        """Seconds that are left; None before something is known of every kind."""
        known = all(self._of(kind) is not None for kind, amount in self._left.items() if amount)
        return self.least(now) if known else None

    def share(self, now: float) -> float | None:
        """Which share is done, of the time where the work has kinds, else of the work; None where that is not known."""
        if len(self._left) == 1:
            return 1 - sum(self._left.values()) / self._whole if self._whole else 1.0
        left = self.left(now)
        return None if left is None else self.elapsed(now) / max(self.elapsed(now) + left, 1e-9)

    def text(self, now: float) -> str:
        """` 42 %, 1 min 20 s left`, or `at least 20 s left`."""
        share, left = self.share(now), self.least(now)
        if share is None:
            return f"at least {duration(left)} left" if left else "no estimate yet"
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
