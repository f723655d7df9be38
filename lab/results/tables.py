"""The experiment's table: on the console, and as summary.csv, summary.md and summary.tex.

Models by feature set, then baselines, then the oracle where one is known, by horizon; a cell that is not
done is counted beside its line's name and explained below the table, and its line is not marked as best.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.core.escape import printable
from lab.core.files import write_whole
from lab.evaluation.measures import Measures
from lab.experiment.cell_record import CellRecord
from lab.results.cells_table import columns_of, csv_bytes, days, stale_text
from lab.results.comparisons import comparisons, comparisons_csv
from lab.results.line import Line
from lab.results.store import Store
from lab.results.summary import Estimate, Summary, summarise
from lab.results.table_files import COMPARISONS, SUMMARY, write_table_files
from lab.results.table_layout import Entry, Grid, layout_tables, legend, markdown, tex

_COLUMNS = (
    *("kind", "model", "features", "target", "horizon", "slice", "metric", "mean"),
    *("users_low", "users_high", "seeds_low", "seeds_high", "queries", "users"),
    *("done", "diverged", "failed", "missing"),
)


def write_tables(
    store: Store,
    planned: Iterable[CellRecord] | None = None,
    left_out: Sequence[str] = (),
    flag: str = "--out",
    measures: Mapping[str, Measures] | None = None,
) -> tuple[Grid, ...]:
    """Rebuild cells.csv, comparisons.csv and summary.csv, .md and .tex from the planned cells (or all stored).

    `left_out` says what of the experiment the log had no column for; `flag` is what names another folder on the command
    line; `measures` are those of targets of which no cell says how it was judged. Returns the table of each target.
    """
    planned = None if planned is None else list(planned)
    store.write_cells_table(planned, flag)
    summary = summarise(store, planned, measures=measures)
    found = comparisons(store, summary)
    shown = layout_tables(summary, found, left_out)
    write_table_files(store.root, {COMPARISONS: comparisons_csv(found), SUMMARY: _csv(summary)}, flag)
    write_whole(store.root / "summary.md", "\n".join(map(markdown, shown)).encode(), flag)
    write_whole(store.root / "summary.tex", "\n".join(map(tex, shown)).encode(), flag)
    return shown


def print_tables(shown: Sequence[Grid], console: Console) -> None:
    """Print one table after another."""
    for place, one in enumerate(shown):
        if place:
            console.print("")
        print_table(one, console)


def print_table(shown: Grid, console: Console) -> None:
    """Print a table and what it says, at most as wide as the console; without colours the best has a star."""
    star = console.color_system is None
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True, show_edge=False)
    for index, name in enumerate(("", *shown.columns)):
        table.add_column(Text(_text(name, console)), no_wrap=index > 0)
    for section in shown.sections:
        table.add_section()
        table.add_row(*(Text(_text(t, console), "italic") for t in (section.title, *section.counts)))
        for row in section.rows:
            table.add_row(Text(_text(row.name, console)), *(_rich(entry, star, console) for entry in row.entries))
    console.print(table, "")
    for line in (*shown.notes, _caption(shown, star), *shown.remarks, "", *shown.conclusions, *_where_tuned(shown)):
        console.print(Text(_text(line, console)), soft_wrap=False)


def _where_tuned(shown: Grid) -> tuple[str, ...]:
    """Where a reader finds how the baselines were tuned: it takes more lines than the table, and a run has said it."""
    return ("", "How each baseline was tuned on valid: summary.md.") if shown.tuning else ()


def _caption(shown: Grid, star: bool) -> str:
    return f"{shown.caption} {legend(shown, 'with *' if star else 'in bold')} Limits and more metrics: summary.csv."


def _rich(entry: Entry, star: bool, console: Console) -> Text:
    text = Text(_text(entry.mean, console), "bold" if entry.best else "")
    mark = "*" if star and entry.best else "~" if entry.tied else ""
    return text.append(_text(entry.rest, console) + mark, "not bold")


def _text(text: str, console: Console) -> str:
    """The text on one line, in what the console's encoding can say."""
    text = printable(text)
    return text.replace("±", "+").replace("·", "/") if console.options.ascii_only else text


def _csv(summary: Summary) -> bytes:
    columns = columns_of([line.cells[0] for line, _ in summary.lines], _COLUMNS, after="features")
    rows = [(line, _row(line, one)) for line, estimates in summary.lines for one in estimates or (None,)]
    named = (
        dict(zip(_COLUMNS, row, strict=True)) | {"variant": line.variant, "stale": stale_text(line.cells[0])}
        for line, row in rows
    )
    return csv_bytes(columns, ([row[name] for name in columns] for row in named))


def _row(line: Line, one: Estimate | None) -> tuple:
    name = (line.kind, line.model, line.features, line.target, days(line.horizon))
    counts = tuple(line.counts.values())
    if one is None:
        return (*name, *[None] * 9, *counts)
    users = (one.users.low, one.users.high) if one.users else (None, None)
    seeds = (one.seeds.low, one.seeds.high) if one.seeds else (None, None)
    asked = (one.queries, one.user_count) if one.users or one.queries else (None, None)
    return (*name, one.slice, one.metric, one.mean, *users, *seeds, *asked, *counts)
