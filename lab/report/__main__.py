"""Write the tables, figures and page of a results folder.

    python -m lab.report results/NAME [--stale]

Leaves summary.csv, .md and .tex, figures/*.svg with a PNG beside each, and report.html, one file that
needs no network and no other file. Reads cells/, cells.csv, comparisons.csv and the pin of that folder,
and refuses a table that is not as the run wrote it (tables.json has their digests).
Where cells/ is not with the folder, as in a clone, figures and page are made from the tables.
Where `python -m lab.run FILE --stale` put stale cells into the tables, --stale keeps them there, marked;
figures are of the others.
"""

import sys
from pathlib import Path

from lab.core.entry_point import arguments_or_help, help_exit_code, run_command
from lab.core.escape import terminal
from lab.core.paragraphs import wrap_to_terminal

STALE = "--stale"


def main() -> None:
    """Write the report that the command line names, and leave: 0 done, 1 a fault, 2 a mistake of the user's."""
    arguments = arguments_or_help(__doc__)
    folders = [one for one in arguments if one != STALE]
    if len(folders) != 1:
        sys.exit(help_exit_code(__doc__, []))
    sys.exit(run_command(lambda: _write(Path(folders[0]), STALE in arguments)))


def _write(root: Path, stale: bool) -> int:
    from lab.report.write import write_report
    from lab.results.table_files import NO_DIGESTS, has_digests

    print(terminal(f"Report: {write_report(root, stale)}"))
    if not (root / "cells").is_dir():
        from lab.report.from_tables import ABSENT

        print(wrap_to_terminal(ABSENT))
    if not has_digests(root):
        print(wrap_to_terminal(NO_DIGESTS))
    return 0


if __name__ == "__main__":
    main()
