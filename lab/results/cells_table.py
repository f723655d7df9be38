"""The table cells.csv, a line for each cell and metric, and how a table of cells is written as CSV."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lab.core.escape import csv_cell
from lab.evaluation.measures import Metric
from lab.experiment.cell_record import CellRecord


def columns_of(records: Sequence[CellRecord], columns: Sequence[str], after: str) -> list[str]:
    """The columns of a table of cells, with one for the variant, and one for what of a stale cell moved, where some
    cell has any; the latter stands after the column named."""
    more: dict[str, list[str]] = {"features": ["variant"] if any(one.variant for one in records) else []}
    more.setdefault(after, []).extend(["stale"] if any(one.stale for one in records) else [])
    return [name for column in columns for name in (column, *more.get(column, ()))]


def stale_text(record: CellRecord) -> str:
    """What moved of a stale cell, as tables have it."""
    return ", ".join(record.stale)


CELLS_COLUMNS = (
    *("cell", "model", "features", "target", "horizon", "fold", "seed"),
    *("split", "slice", "metric", "value", "status"),
)


def record_rows(record: CellRecord) -> Iterator[dict[str, Any]]:
    """A line per metric; a cell without any still has its line, so that it is not overlooked."""
    named = {name: getattr(record, name) for name in ("model", "features", "variant", "target", "fold", "seed")}
    status = "stale" if record.stale else record.status
    named |= {"cell": record.id, "horizon": days(record.horizon), "status": status, "stale": stale_text(record)}
    for metric in record.metrics or [(None, None, None, None)]:
        yield named | dict(zip(Metric._fields, metric, strict=True))


def days(horizon: float) -> str:
    """A horizon without needless decimals, and with all the needed ones."""
    return str(int(horizon)) if horizon == int(horizon) else str(float(horizon))


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows of mixed values as CSV: None is empty, floats read back to the same bits, no text is a formula."""
    import pandas as pd

    columns, rows = [csv_cell(name) for name in columns], [[_csv_value(value) for value in row] for row in rows]
    # Objects, so that an absent seed does not make floats of the others.
    return pd.DataFrame(rows, columns=columns, dtype=object).to_csv(index=False, lineterminator="\n").encode()


def _csv_value(value: Any) -> Any:
    return csv_cell(value) if isinstance(value, str) else value
