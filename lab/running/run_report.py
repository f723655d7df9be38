"""Figures and page of a run, the last thing that it does."""

from pathlib import Path

from rich.console import Console

from lab.core.escape import terminal
from lab.core.progress import Progress
from lab.core.shell import shell_command
from lab.results.stages import DRAW, READ
from lab.running.guesses import FIGURES
from lab.running.plan import print_line


def write_run_report(root: Path, stale: bool, console: Console, draw: bool, progress: Progress | None = None) -> bool:
    """Draw figures and page of a results folder, or only print the command that does; whether nothing failed.

    Whatever goes wrong here, the numbers of the run are kept.
    """
    again = shell_command("lab.report", str(root), *(["--stale"] if stale else []))
    if not draw:
        print_path(console, f"Figures and a page of them: {again}")
        return True
    from lab.report.write import draw_report  # with matplotlib behind it

    try:
        page = draw_report(root, stale, console, progress)
    except Exception as error:
        print_line(console, f"The report could not be written ({type(error).__name__}: {error}); all else is there.")
        print_path(console, f"To try again: {again}")
        return False
    finally:
        if progress is not None:
            # Of figures that this report has not, or that could not be drawn, nothing is left to do.
            progress.advance(1, kind=READ, timed=False)
            progress.advance(FIGURES, kind=DRAW, timed=False)
    print_path(console, f"Report: {page}")
    return True


def print_path(console: Console, line: str) -> None:
    """Print a line with a path in it, left whole."""
    console.print(terminal(line), markup=False, highlight=False, soft_wrap=True)
