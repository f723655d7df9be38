"""Cells that read the same rows, so that these are made once."""

from collections.abc import Sequence

from lab.core.fingerprint_marks import computes_cells
from lab.data.timeline import Fold
from lab.experiment.cells import Cell
from lab.experiment.experiment import Experiment
from lab.experiment.fingerprints import digest
from lab.models.base import Model


@computes_cells("model")
def group_by_rows(cells: Sequence[Cell], fold: Fold) -> list[tuple[bool, list[Cell]]]:
    """The cells of a fold by the rows they read: of variants that read the same, those of causal models and the others.

    Baselines read no rows and go with the first; no part is empty.
    """
    parts: dict[tuple[str, bool], list[Cell]] = {}
    for cell in cells:
        if cell.fold == fold.index:
            parts.setdefault((_rows_key(cell.experiment), _is_causal(cell)), []).append(cell)
    variants = list(dict.fromkeys(rows for rows, _ in parts))
    order = [(rows, causal) for rows in variants for causal in (True, False)]
    return [(causal, parts[rows, causal]) for rows, causal in order if (rows, causal) in parts]


def _rows_key(asked: Experiment) -> str:
    """What decides on the rows of an experiment's variant, as a text that is the same for the same."""
    training = asked.training
    shape = training.row_length, training.overlap, training.share, training.share_seed
    return digest([asked.timeline, asked.groups, shape])


def _is_causal(cell: Cell) -> bool:
    return not isinstance(cell.settings, Model) or cell.settings.causal
