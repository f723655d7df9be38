"""How the commands begin and end alike: help where nothing is asked, and a sentence where something went wrong."""

import sys
from collections.abc import Callable

from lab.errors import LabError


def asked(doc: str | None) -> list[str]:
    """The command line's arguments; without any, or where help is asked for, prints the command's text and leaves."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(str(doc).strip())
        sys.exit(0 if arguments else 2)
    return arguments


def ended(work: Callable[[], int]) -> int:
    """The exit code of a command's work: what can be told in a sentence is said, a bug of the lab's is raised."""
    try:
        return work()
    except LabError as error:
        said = error
    except Exception as error:
        from lab.own_code import blamed

        if (found := blamed(error)) is None:
            raise
        said = found
    print(f"error: {said}", file=sys.stderr)
    return said.exit_code
