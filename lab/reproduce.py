"""Reproduce a run from its pin: python -m lab.reproduce PIN [settings]

    python -m lab.reproduce results/lstm_vs_transformer/pin.json --cells 2
    python -m lab.reproduce PIN --source.path FOLDER/log.csv
    python -m lab.reproduce PIN --with FILE

A pin keeps the names of files alone: --source.path says where the log lies, and
--with names the experiment's file, where it has classes of the user's own.

Checks the data first, then says what differs here from where the pin was made,
and so at which level it judges: bitwise, tolerance or statistical (docs/pin.md).
Exit code 0: all matched; 1: something did not; 2: a mistake of the user's.
"""

import sys
from pathlib import Path

from lab.core.entry_point import arguments_or_help, run_command


def main() -> None:
    """Reproduce what the command line names, and leave: 0 all matched, 1 a difference or fault, 2 a user's mistake."""
    arguments = arguments_or_help(__doc__)
    try:
        code = run_command(lambda: _reproduce(Path(arguments[0]), arguments[1:]))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        code = 130
    sys.exit(code)


def _reproduce(path: Path, arguments: list[str]) -> int:
    from lab.commands.reproduction import reproduce  # with jax behind it

    return reproduce(path, arguments)


if __name__ == "__main__":
    main()
