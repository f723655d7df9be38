"""How the commands begin and end alike: help where nothing is asked, and a sentence where something went wrong."""

import errno
import io
import os
import sys
from collections.abc import Callable, Sequence

from lab.core.errors import FaultError, InputError, LabError
from lab.core.escape import printable, terminal
from lab.core.paragraphs import wrap_to_terminal

OUTPUT_CLOSED = 141
"""Exit code where whoever read the output has left, as `head` does: what the system gives a program that it ends so."""


def arguments_or_help(doc: str | None) -> list[str]:
    """The command line's arguments; without any, or where help is asked for, prints the command's text and leaves."""
    arguments = sys.argv[1:]
    if (code := help_exit_code(doc, arguments)) is not None:
        sys.exit(code)
    return arguments


def help_exit_code(doc: str | None, arguments: Sequence[str]) -> int | None:
    """The exit code where help is asked for, or nothing at all, and the command's text is printed; None elsewhere."""
    if arguments and arguments[0] not in ("-h", "--help"):
        return None

    def show() -> int:
        print(wrap_to_terminal(str(doc)))
        return 0 if arguments else 2

    return run_command(show)


def run_command(work: Callable[[], int]) -> int:
    """The exit code of a command's work: what can be told in a sentence is said, a bug of the lab's is raised.

    What the terminal's encoding has no character for is printed as an escape. Where nobody reads the output any more,
    nothing more is said.
    """
    for stream in (sys.stdout, sys.stderr):  # None where they are closed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run_and_report(work)
        finally:  # also where the work leaves by itself, as after its help
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return OUTPUT_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _discard_output()
        print(f"error: the output cannot be written ({error.strerror}).", file=sys.stderr)
        return 1


def _discard_output() -> None:
    """Or Python complains of what it could not write when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run_and_report(work: Callable[[], int]) -> int:
    try:
        return work()
    except LabError as error:
        said = error
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.ENOSPC) and error.filename is None:
            raise  # of the output, not of a file
        said = _error_of(error)
    except MemoryError as error:
        said = FaultError(f"The memory does not suffice ({error or 'for what was asked'}); ask for less of it.")
    except Exception as error:
        said = _error_of(error)
    print(terminal(f"error: {said}"), file=sys.stderr)
    return said.exit_code


def _error_of(error: Exception) -> LabError:
    """What to say where a path is too long or the user's own code failed; raises anything else anew."""
    from lab.core.user_code import user_code_error

    if (found := _name_too_long(error) or user_code_error(error)) is None:
        raise error
    return found


LONGEST_SHOWN = 60
"""Letters of a name that is too long which are shown."""


def _name_too_long(error: Exception) -> InputError | None:
    """What to say of a path with more letters than the file system allows; None of any other exception."""
    if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
        return None
    path = printable(str(error.filename))
    shown = path if len(path) <= LONGEST_SHOWN else f"{path[:LONGEST_SHOWN]}..."
    return InputError(f"{shown}: is too long for the file system; use a shorter name.")
