"""A summary as rows of short texts, and those rows as Markdown and LaTeX."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.core import escape
from lab.core.words import plural
from lab.evaluation.measures import MetricSpec
from lab.results.comparisons import Comparison
from lab.results.conclusions import Found, by_pair, conclusions, decimals, horizon_text, is_tied, span
from lab.results.line import Line
from lab.results.query_notes import query_notes
from lab.results.slices import shown_slices
from lab.results.summary import Estimate, Summary
from lab.results.tuning_notes import tuning_notes
from lab.statistics.intervals import Interval

RESAMPLED = (
    "Users were resampled 1,000 to 10,000 times (more where they are fewer): with other resamples, the end of an "
    "interval over users would be 1 to 4 % of its half width elsewhere."
)
"""Said of intervals of whole cells: 2.67 / (1.96 sqrt(resamples)), as `lab.evaluation.resampling` has it."""


@dataclass(frozen=True)
class Entry:
    """One place of the table: `.274` and ` ±.012 ±.003`, or a word for what there is instead."""

    mean: str
    rest: str = ""
    best: bool = False
    tied: bool = False
    """Whether it cannot be told from the best of its column."""


@dataclass(frozen=True)
class Row:
    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Section:
    """The lines of one target and horizon."""

    title: str
    counts: tuple[str, ...]
    """How many queries each column is a mean of."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Grid:
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    """A sentence for each way in which a line's cells are not done."""
    caption: str
    remarks: tuple[str, ...]
    """What is to be known of the queries, a sentence each."""
    tuning: tuple[str, ...]
    """How the baselines were tuned, a line each."""
    conclusions: tuple[str, ...]
    """What the table says, a sentence each."""

    @property
    def ties(self) -> bool:
        """Whether some row cannot be told from the best of its column."""
        return any(entry.tied for section in self.sections for row in section.rows for entry in row.entries)


def layout_tables(summary: Summary, found: Sequence[Comparison], left_out: Sequence[str] = ()) -> tuple[Grid, ...]:
    """A table of the leading metric for each target: a section per horizon, a row per line, a column per slice.

    `left_out` says what of the experiment the log had no column for.
    """
    pairs, several = by_pair(found), len(summary.targets) > 1
    return tuple(_table(summary.of_target(target), pairs, left_out, several) for target in summary.targets)


def _table(summary: Summary, pairs: Found, left_out: Sequence[str], several: bool) -> Grid:
    """The table of one target; it is named where there are `several`."""
    spec, slices = summary.judged_by.lead, shown_slices(summary)
    groups: dict[float, list[Line]] = {}
    for line, _ in summary.lines:
        groups.setdefault(line.horizon, []).append(line)
    sections = (_section(summary, pairs, lines, spec, slices, several) for lines in groups.values())
    return Grid(
        columns=slices,
        sections=tuple(sections),
        notes=tuple(note for line, _ in summary.lines for note in _notes(line)),
        caption=_caption(summary, spec),
        remarks=query_notes(summary, left_out),
        tuning=tuning_notes(summary),
        conclusions=tuple(conclusions(summary, pairs)),
    )


def _caption(summary: Summary, spec: MetricSpec) -> str:
    seeds = max((len({r.seed for r in line.done} - {None}) for line, _ in summary.lines), default=0)
    over_seeds = f", ± that over {seeds} seeds" if seeds > 1 else ""
    found = [one for _, own in summary.lines for one in own if one.metric == spec.name]
    lone = " One user alone has no interval." if any(one.users is None and one.user_count for one in found) else ""
    unit = f", in {spec.unit}" if spec.unit else ""
    how = {"lower": " Lower is better.", "nearest": f" Best is {spec.best:g}."}.get(spec.better, "")
    # Of whole cells only those that were computed with users resampled have an interval over users.
    users = ", ± half its 95 % interval over users" if spec.per == "query" or any(one.users for one in found) else ""
    resampled = f" {RESAMPLED}" if users and spec.per == "cell" else ""
    return f"{spec.label}{unit} at the test cutoff: mean{users}{over_seeds}.{how}{lone}{resampled}"


def _section(
    summary: Summary, found: Found, lines: list[Line], spec: MetricSpec, slices: Sequence[str], several: bool
) -> Section:
    estimates = [[summary.estimate(line, name, spec.name) for line in lines] for name in slices]
    columns = [_column(lines, one, name, found, spec) for one, name in zip(estimates, slices, strict=True)]
    rows = (Row(_label(line), entries) for line, entries in zip(lines, zip(*columns, strict=True), strict=True))
    title = f"next {span(lines[0].horizon)}"
    title = f"{lines[0].target}, {title}" if several else title
    # Stale rows may be of another log.
    fresh = [i for i, line in enumerate(lines) if line.done and not line.stale] or range(len(lines))
    return Section(title, tuple(_count([one[i] for i in fresh]) for one in estimates), tuple(rows))


def _column(
    lines: list[Line], estimates: list[Estimate | None], slice_name: str, found: Found, spec: MetricSpec
) -> list[Entry]:
    top = _best(lines, estimates, spec)
    best = [lines[i] for i in top]
    return [
        _entry(line, one, i in top, is_tied(line, best, slice_name, found))
        for i, (line, one) in enumerate(zip(lines, estimates, strict=True))
    ]


def _best(lines: list[Line], column: list[Estimate | None], spec: MetricSpec) -> set[int]:
    """The lines with the best mean among the complete ones that are neither oracle nor stale."""
    means = {
        i: spec.merit(one.mean)
        for i, (line, one) in enumerate(zip(lines, column, strict=True))
        if one is not None and one.mean == one.mean and line.complete and line.kind != "oracle" and not line.stale
    }
    best = {i for i, mean in means.items() if mean == max(means.values())}
    # Where all are equal, none is ahead.
    return set() if len(best) == len(means) > 1 else best


def _count(column: list[Estimate | None]) -> str:
    queries = max((one.queries for one in column if one), default=0)
    return plural(queries, "query", "queries")


def _label(line: Line) -> str:
    name = f"{line.name} (bound)" if line.kind == "oracle" else line.name
    return name if line.complete or not line.done else f"{name} {len(line.done)}/{len(line.cells)}"


def _entry(line: Line, one: Estimate | None, best: bool, tied: bool) -> Entry:
    if not line.done:
        return Entry(", ".join(status for status, count in line.counts.items() if count))
    if one is None or one.mean != one.mean:
        return Entry("none")
    rest = f" {_half(one.users)} {_half(one.seeds)}"
    return Entry(short(one.mean), rest.rstrip(), best, tied)


def short(value: float) -> str:
    """Four characters for anything from 0 to 9.99, as many as it takes above: `.274`, `1.00`, `138.2`, `12,345`."""
    return f"{value:.3f}".removeprefix("0") if f"{abs(value):.3f}" < "1" else decimals(value)


def _half(interval: Interval | None) -> str:
    return f"±{short((interval.high - interval.low) / 2)}" if interval else "     "


def _notes(line: Line) -> Iterator[str]:
    if line.stale:
        count = plural(len(line.cells), "stale cell")
        yield f"{line.name}, {horizon_text(line.horizon)}: {count}, not what is asked for in {', '.join(line.stale)}."
    for status in ("diverged", "failed", "missing"):
        cells = [cell for cell in line.cells if cell.status == status]
        if cells:
            reason = next((cell.reason for cell in cells if cell.reason), "")
            start = f"{line.name}, {horizon_text(line.horizon)}: {len(cells)} of {len(line.cells)} {status}"
            yield f"{start}: {reason}" if reason else f"{start}."


def legend(shown: Grid, best: str, tie: str = "~") -> str:
    """What the marks of the table mean."""
    marks = f", {tie} what cannot be told from it" if shown.ties else ""
    return f"Best {best}{marks}."


def markdown(shown: Grid) -> str:
    """One table per section, fit to be pasted, and what they say."""
    said = (f"\n{escape.markdown(one)}" for one in (*shown.remarks, *shown.conclusions))
    tuned = ("", *(f"- {escape.markdown(one)}" for one in shown.tuning))
    under = (f"{shown.caption} {legend(shown, 'in bold', '`~`')}", *said, *(tuned if shown.tuning else ()))
    return "\n".join((*_markdown(shown), *under, *(f"\n- {escape.markdown(note)}" for note in shown.notes))) + "\n"


def _markdown(shown: Grid) -> Iterator[str]:
    for section in shown.sections:
        heads = (escape.markdown(f"{name} ({n})") for name, n in zip(shown.columns, section.counts, strict=True))
        yield f"| {escape.markdown(section.title)} | {' | '.join(heads)} |"
        yield f"|---|{'---|' * len(shown.columns)}"
        for row in section.rows:
            yield f"| {escape.markdown(row.name)} | {' | '.join(map(_markdown_entry, row.entries))} |"
        yield ""


def _markdown_entry(entry: Entry) -> str:
    mark = " ~" if entry.tied else ""
    return (f"**{entry.mean}**" if entry.best else entry.mean) + entry.rest + mark


def tex(shown: Grid) -> str:
    """A `tabular` for the booktabs package."""
    width = len(shown.columns) + 1
    return "\n".join(
        (
            f"% {escape.latex_comment(shown.caption)} {legend(shown, 'in bold')} Needs \\usepackage{{booktabs}}.",
            *(
                f"% {escape.latex_comment(note)}"
                for note in (*shown.remarks, *shown.conclusions, *shown.tuning, *shown.notes)
            ),
            f"\\begin{{tabular}}{{{'l' * width}}}",
            "\\toprule",
            " & ".join(("", *map(escape.latex, shown.columns))) + " \\\\",
            *(line for section in shown.sections for line in _tex(section, width)),
            "\\bottomrule",
            "\\end{tabular}",
            "",
        )
    )


def _tex(section: Section, width: int) -> Iterator[str]:
    yield "\\midrule"
    yield " & ".join(f"\\textit{{{escape.latex(text)}}}" for text in (section.title, *section.counts)) + " \\\\"
    for row in section.rows:
        yield " & ".join((escape.latex(row.name), *map(_tex_entry, row.entries))) + " \\\\"


def _tex_entry(entry: Entry) -> str:
    mean = escape.latex(entry.mean)
    mean = f"\\textbf{{{mean}}}" if entry.best else mean
    rest = "".join(f" {{\\footnotesize ${part.replace('±', chr(92) + 'pm ')}$}}" for part in entry.rest.split())
    return mean + rest + (" $\\sim$" if entry.tied else "")
