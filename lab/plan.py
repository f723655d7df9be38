"""What a run tells about its log, its folds and the work ahead."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from lab.assembly import Assembly
from lab.data.dataset import SPLITS, Dataset, Split
from lab.data.histories import Histories
from lab.data.timeline import DAY, Fold, date_text, days_text
from lab.training.fit import dispatches


def print_log(console: Console, histories: Histories, folds: Sequence[Fold]) -> None:
    """Size and span of the log, and what was left out of it."""
    facts = histories.facts
    span = (facts["last"] - facts["first"]) / DAY
    said = [
        f"{facts['source']}: {histories.events:,} events of {histories.users:,} users on "
        f"{len(histories.item_names):,} items, {date_text(facts['first'])} to {date_text(facts['last'])} "
        f"({span:.4g} days); {tie_rate(histories):.1%} share their time with another of the same user"
    ]
    quarantined = facts["quarantine"]["rows"]
    if quarantined:
        said.append(f"quarantined: {quarantined:,} rows")
    said.extend(f"cleaning: {rule['rule']} removed {rule['rows']:,} rows" for rule in facts["rules"] if rule["rows"])
    for line in said:
        console.print(line, markup=False, highlight=False)


def tie_rate(histories: Histories) -> float:
    """Share of events whose time another event of the same user has."""
    same = (np.diff(histories.time) == 0) & (np.diff(histories.user_of_event) == 0)
    tied = np.append(same, False) | np.append(False, same)
    return float(tied.mean())


def print_fold(console: Console, data: Dataset, rule: str) -> None:
    """Cutoffs, windows, users, queries, labels and padding of a fold's splits."""
    fold = data.view.fold
    every = days_text(fold.query_every)
    console.print(f"fold {fold.index}: categories {rule}; a tick every {every} days", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("split", "cutoffs", "users", "queries"):
        table.add_column(name, justify="left" if name in ("split", "cutoffs") else "right", no_wrap=True)
    for horizon in fold.horizons:
        table.add_column(f"{days_text(horizon)} d", justify="right", no_wrap=True)
    for name in ("cold", "rows", "padding"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in SPLITS:
        table.add_row(*_row(data.splits[name]))
    console.print(table)
    console.print("  (N d: queries with a label within N days; cold: label events in unknown categories)", style="dim")


def _row(split: Split) -> list[str]:
    cutoffs = split.queries.cutoff
    first, last = date_text(int(cutoffs.min()))[:10], date_text(int(cutoffs.max()))[:10]
    labelled = [f"{int((np.diff(labels.offsets) > 0).sum()):,}" for labels in split.labels]
    return [
        split.name,
        first if first == last else f"{first} .. {last[2:]}",
        f"{len(np.unique(split.queries.user)):,}",
        f"{len(split.queries):,}",
        *labelled,
        f"{sum(labels.cold for labels in split.labels):,}",
        f"{split.rows.count:,}",
        f"{split.padding:.1%}",
    ]


def print_plan(console: Console, assemblies: Sequence[Assembly], untrained: int) -> None:
    """Cells, programs, parameters, rows and steps of the work ahead."""
    trained = sum(len(assembly.cells) for assembly in assemblies)
    console.print(
        f"cells: {trained + untrained} ({trained} trained, {untrained} fitted or known); "
        f"compiled programs: {len(assemblies)}",
        highlight=False,
    )
    for assembly in assemblies:
        program, settings = assembly.program, assembly.program.learner.training
        console.print(
            f"  {assembly.cells[0].model}: {len(assembly.cells)} cells, {assembly.parameters:,} parameters each; "
            f"{program.rows:,} rows of {settings.row_length} steps, {program.batch} a batch; "
            f"{settings.steps:,} steps in {len(dispatches(settings))} dispatches; "
            f"{program.layout.cells_at_once} cells at once on {program.layout.lanes} device(s)",
            highlight=False,
            soft_wrap=True,
        )
