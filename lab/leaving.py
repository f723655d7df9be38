"""How the commands begin and end alike: help where nothing is asked, and a sentence where something went wrong."""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lab.errors import InputError, LabError
from lab.escape import printable, terminal
from lab.paragraphs import fitted

STOPS = (signal.SIGINT, signal.SIGTERM)
"""What asks a run to end: Ctrl-C, and the polite request of another program."""

SOON = 10.0
"""Seconds after a first request to end in which more of them add nothing: tables are being written."""


def asked(doc: str | None) -> list[str]:
    """The command line's arguments; without any, or where help is asked for, prints the command's text and leaves."""
    arguments = sys.argv[1:]
    if (code := helped(doc, arguments)) is not None:
        sys.exit(code)
    return arguments


def helped(doc: str | None, arguments: Sequence[str]) -> int | None:
    """The exit code where help is asked for, or nothing at all, and the command's text is printed; None elsewhere."""
    _show_what_cannot_be_encoded()
    if arguments and arguments[0] not in ("-h", "--help"):
        return None

    def show() -> int:
        print(fitted(str(doc)))
        return 0 if arguments else 2

    return ended(show)


def _show_what_cannot_be_encoded() -> None:
    """Print letters that the output's encoding lacks, such as ASCII's, as their codes; Python would stop there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def ended(work: Callable[[], int]) -> int:
    """The exit code of a command's work: what can be told in a sentence is said, a bug of the lab's is raised."""
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has left, as `head` does; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except LabError as error:
        said = error
    except Exception as error:
        from lab.own_code import blamed

        found = _too_long(error) or blamed(error)
        if found is None:
            raise
        said = found
    print(terminal(f"error: {said}"), file=sys.stderr)
    return said.exit_code


SHOWN = 60
"""Letters of a name that is too long which are shown."""


def _too_long(error: Exception) -> InputError | None:
    """What to say of a path with more letters than the file system allows; None of any other exception."""
    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    path = printable(str(error.filename))
    shown = path if len(path) <= SHOWN else f"{path[:SHOWN]}..."
    return InputError(f"{shown}: is too long for the file system; use a shorter name.")


def answer_stops(answer: Callable[[int, object], None] | signal.Handlers) -> None:
    """Have requests to end answered so, but for those that whoever started the process has it ignore."""
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as where a shell runs it in the background
            signal.signal(number, answer)


@contextmanager
def deaf() -> Iterator[None]:
    """Ignores requests to end while what is there is put in order, though not for longer than `SOON`.

    Ignored by the system, not by a handler in Python: polars answers Ctrl-C itself, whatever the handler does.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}

    def hear(*_: object) -> None:
        for number, answer in before.items():
            signal.signal(number, answer)

    answer_stops(signal.SIG_IGN)
    alarm = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, SOON)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        hear()
