"""Write the tables, figures and page of a results folder: python -m lab.report results/NAME

Leaves summary.csv, .md and .tex, figures/*.svg with a PNG beside each, and report.html, one file that
needs no network and no other file. Reads cells/, cells.csv, comparisons.csv and the pin of that folder.
"""

import sys
from pathlib import Path

from lab.errors import LabError


def main() -> None:
    """Write the report that the command line names, and leave: 0 done, 1 a fault, 2 a mistake of the user's."""
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(str(__doc__).strip())
        sys.exit(0 if arguments and arguments[0] in ("-h", "--help") else 2)
    try:
        from lab.report.write import write_report

        print(f"Report: {write_report(Path(arguments[0]))}")
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
