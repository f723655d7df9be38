"""What several trained cells of one model and fold predict together, without any further training.

The mean of the probabilities of a model's seeds is a deep ensemble (Lakshminarayanan et al. 2017).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from lab.core.errors import InputError
from lab.predicting.interests import softmax
from lab.predicting.trained_cell import TrainedCell
from lab.running.assembly import cell_arrays, feed
from lab.training.fit import predict


def predictions(
    members: Sequence[TrainedCell], split: str
) -> Iterator[tuple[Int[np.ndarray, " q"], Float[np.ndarray, "S q C"]]]:
    """Queries of a split and every member's probabilities of all candidates, in blocks: no more is held at once.

    The members share one program and one fold's data, as `load_cells` gives them. Raises InputError for others.
    """
    first = members[0]
    if any(one.program is not first.program or one.data is not first.data for one in members):
        raise InputError("members: are of several models or folds; take cells of one model and fold, loaded together.")
    if (target := first.cell.experiment.target).factored:
        raise InputError(
            f"members: answer to target {target.name} by ranks, which have no mean; take cells of interest."
        )
    program, data, size = first.program, first.data, first.program.layout.cells_at_once
    chunks = [members[begin : begin + size] for begin in range(0, len(members), size)]
    calls = [
        predict(program, [cell_arrays(one.cell, data) for one in some], [one.params for one in some], feed(data, split))
        for some in chunks
    ]
    for blocks in zip(*calls, strict=True):
        rows = blocks[0][0]
        slot = np.where(rows[:, None] >= 0, data.splits[split].slot[rows], -1)
        logits = np.concatenate([scores[:, slot >= 0] for _, scores in blocks])
        yield slot[slot >= 0], softmax(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape)


def novel_as(
    near: Float[np.ndarray, "q C"], far: Float[np.ndarray, "q C"], touched: Bool[np.ndarray, "q C"]
) -> Float[np.ndarray, "q C"]:
    """Probabilities `near`, but with what is new to a user shared out as `far` does: how much of it stays the same.

    What a user will take up for the first time hardly depends on how far ahead it is asked, and long windows hold more
    of it to learn from.
    """
    among = np.where(touched, 0.0, far)
    amount = np.where(touched, 0.0, near).sum(axis=1, keepdims=True)
    return np.where(touched, near, among * amount / np.maximum(among.sum(axis=1, keepdims=True), 1e-30))
