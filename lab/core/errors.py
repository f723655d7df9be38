"""The two kinds of failure that a person is told about in one sentence, without a traceback."""


class LabError(Exception):
    """A failure whose message is meant for the person at the keyboard.

    The message names the file, column, row or field, the value found and what would be right. The
    commands print it alone and leave with `exit_code`.
    """

    exit_code = 1


class InputError(LabError):
    """A mistake in what the user gave: a file, a column, a setting. Exit code 2."""

    exit_code = 2


class FaultError(LabError):
    """The machine failed: a full disk, a read-only folder, a damaged cache. Exit code 1."""

    exit_code = 1
