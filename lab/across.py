"""Compare the rows of several results folders, each of another log.

    python -m lab.across FOLDER FOLDER ... [--out FOLDER]

Prints each row's mean rank over the logs and the interquartile mean of its runs (over seeds, folds, horizons and
logs), and from five logs on which ranks differ. Leaves ranks.csv, pairs.csv and, from five logs on, the critical
difference diagram ranks.svg and .png in results/across, or in the folder that --out names. Reads pin.json alone.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.entry_point import arguments_or_help, run_command
from lab.core.errors import InputError
from lab.core.escape import printable, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from lab.report.across_logs import Across

OUT = Path("results/across")


def main() -> None:
    """Compare what the command line names, and leave: 0 done, 1 a fault, 2 a mistake of the user's."""
    arguments = arguments_or_help(__doc__)
    sys.exit(run_command(lambda: compare(*_read(arguments))))


def compare(folders: list[Path], out: Path) -> int:
    """Print what the folders say together, and write it into `out`; the exit code."""
    from rich.console import Console

    from lab.core.files import write_whole
    from lab.report.across_logs import findings, pairs_csv, ranks_csv, read_across
    from lab.report.ranks import draw_ranks

    across = read_across(folders)
    files = {"ranks.csv": ranks_csv(across), "pairs.csv": pairs_csv(across)}
    if across.ranking is not None:
        files |= {f"ranks.{kind}": content for kind, content in draw_ranks(across.names, across.ranking).items()}
    for name, content in files.items():
        write_whole(out / name, content)
    console = Console()
    console.print(_table(across), "")
    for sentence in findings(across):
        console.print(terminal(sentence), markup=False, highlight=False)
    console.print(terminal(f"Written to {out}: {', '.join(files)}"), markup=False, highlight=False, soft_wrap=True)
    return 0


def _read(arguments: list[str]) -> tuple[list[Path], Path]:
    folders, out = [], OUT
    rest = iter(arguments)
    for one in rest:
        if one == "--out":
            value = next(rest, None)
            if value is None:
                raise InputError("--out: names no folder; write --out FOLDER.")
            out = Path(value)
        elif one.startswith("-"):
            raise InputError(f"{one}: is no setting of this command; it has --out FOLDER alone.")
        else:
            folders.append(Path(one))
    if len(folders) < 2:
        raise InputError("folders: name two or more results folders, each of another log.")
    return folders, out


def _table(across: "Across") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from lab.results.conclusions import number

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("mean rank", justify="right")
    table.add_column(f"interquartile mean of {across.metric.label}")
    for i in across.ranks.argsort(kind="stable"):
        middle, over = across.interquartile(across.names[i])
        limits = f" ({number(over.low)} to {number(over.high)})" if over else ""
        table.add_row(Text(printable(across.names[i])), f"{across.ranks[i]:.2f}", number(middle) + limits)
    return table


if __name__ == "__main__":
    main()
