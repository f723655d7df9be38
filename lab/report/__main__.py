"""Write the tables, figures and page of a results folder: python -m lab.report results/NAME

Leaves summary.csv, .md and .tex, figures/*.svg with a PNG beside each, and report.html, one file that
needs no network and no other file. Reads cells/, cells.csv, comparisons.csv and the pin of that folder.
"""

import sys
from pathlib import Path

from lab.leaving import asked, ended


def main() -> None:
    """Write the report that the command line names, and leave: 0 done, 1 a fault, 2 a mistake of the user's."""
    arguments = asked(__doc__)
    if len(arguments) != 1:
        print(str(__doc__).strip())
        sys.exit(2)
    sys.exit(ended(lambda: _write(Path(arguments[0]))))


def _write(root: Path) -> int:
    from lab.report.write import write_report

    print(f"Report: {write_report(root)}")
    return 0


if __name__ == "__main__":
    main()
