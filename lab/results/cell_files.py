"""The files of a cell: their names, and its tables as bytes."""

import io
import re
from collections.abc import Iterator, Mapping

import numpy as np

from lab.evaluation.judge import CellEvaluation

RECORD, CURVE, USERS, CHECKPOINT = "cell.json", "curve.csv", "users.parquet", "checkpoint"
DRAWS, UNFINISHED = "draws.parquet", "unfinished"
"""`unfinished.<n>`: a checkpoint of a cell in training."""

Columns = Mapping[str, np.ndarray]


def evaluation_files(judged: CellEvaluation) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that keeps what was judged. Raises ValueError for a table of no usable name."""
    yield USERS, parquet_table(judged.queries)
    if judged.draws:
        yield DRAWS, parquet_table(judged.draws)
    for name, columns in judged.tables.items():
        if not re.fullmatch("[a-z][a-z_]{0,39}", name) or f"{name}.csv" == CURVE:
            raise ValueError(f"table {name!r}: use 1 to 40 letters a-z and _, and not `curve`")
        yield f"{name}.csv", csv_table(columns)


def csv_table(columns: Columns) -> bytes:
    import pandas as pd

    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    return frame.to_csv(index=False, lineterminator="\n").encode()


def parquet_table(columns: Columns) -> bytes:
    import polars as pl

    if "user" in columns and not np.issubdtype(columns["user"].dtype, np.integer):
        raise ValueError(f"users: column user has dtype {columns['user'].dtype}; results carry row numbers, never ids")
    buffer = io.BytesIO()
    pl.DataFrame(dict(columns)).write_parquet(buffer)
    return buffer.getvalue()
