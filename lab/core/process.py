"""How the commands begin and end alike: help where nothing is asked, and a sentence where something went wrong."""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lab.core.errors import FaultError, InputError, LabError
from lab.core.escape import printable, terminal
from lab.core.paragraphs import fitted

STOPS = (signal.SIGINT, signal.SIGTERM)
"""What asks a run to end: Ctrl-C, and the polite request of another program."""

READER_GONE = 141
"""Exit code where whoever read the output has left, as `head` does: what the system gives a program that it ends so."""

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
    if arguments and arguments[0] not in ("-h", "--help"):
        return None

    def show() -> int:
        print(fitted(str(doc)))
        return 0 if arguments else 2

    return ended(show)


def ended(work: Callable[[], int]) -> int:
    """The exit code of a command's work: what can be told in a sentence is said, a bug of the lab's is raised.

    What the terminal's encoding has no character for is printed as an escape. Where nobody reads the output any more,
    nothing more is said.
    """
    for stream in (sys.stdout, sys.stderr):  # None where they are closed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _told(work)
        finally:  # also where the work leaves by itself, as after its help
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return READER_GONE
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _discard_output()
        print(f"error: the output cannot be written ({error.strerror}).", file=sys.stderr)
        return 1


def _discard_output() -> None:
    """Or Python complains of what it could not write when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(work: Callable[[], int]) -> int:
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
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.ENOSPC) and error.filename is None:
            raise  # of the output, not of a file
        said = _blamed(error)
    except MemoryError as error:
        said = FaultError(f"The memory does not suffice ({error or 'for what was asked'}); ask for less of it.")
    except Exception as error:
        said = _blamed(error)
    print(terminal(f"error: {said}"), file=sys.stderr)
    return said.exit_code


def _blamed(error: Exception) -> LabError:
    """What to say where a path is too long or the user's own code failed; raises anything else anew."""
    from lab.core.user_code import blamed

    if (found := _too_long(error) or blamed(error)) is None:
        raise error
    return found


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
