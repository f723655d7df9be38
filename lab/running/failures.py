"""What ends a cell and not its run, and the sentence that its record keeps of it."""

import jax

from lab.core.errors import FaultError, LabError
from lab.data.timeline import span_text
from lab.dataset.dataset import SPLITS, Dataset
from lab.training.outcome import TrainingResult

FAILURES = (LabError, MemoryError, jax.errors.JaxRuntimeError)
"""What ends a cell, or the cells of a chunk, and not the run."""


def divergence_reason(result: TrainingResult) -> str:
    """Why a cell ended, in a sentence."""
    last = result.last_finite
    before = (
        f"; at step {last.step} it was {last.loss:.4g}, the norm of its gradient {last.gradient_norm:.4g}"
        if last
        else ""
    )
    return f"The loss was not finite at step {result.diverged_at}{before}."


def is_out_of_memory(error: Exception) -> bool:
    """Whether the host's or a device's memory did not suffice."""
    said = str(error).split("\n")[0]
    # A CPU that has begun to compute says the latter, as an internal error.
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in said or "Out of memory" in said


def failure_reason(error: Exception) -> str:
    """What ended a cell, in a sentence."""
    if isinstance(error, LabError):
        return str(error)
    said = " ".join(str(error).split("\n")[0].split()).rstrip(".") or type(error).__name__
    if is_out_of_memory(error):
        return (
            f"The memory did not suffice ({said}); use a smaller training.batch, training.cells_at_once, "
            f"training.row_length or model width, or a larger training.accumulate."
        )
    return f"The device failed ({said})."


def check_labels(data: Dataset, horizon: int) -> None:
    """Raise FaultError where some split has no answer at all within a horizon."""
    for name in SPLITS:
        if not len(data.splits[name].labels[horizon].ids):
            raise FaultError(
                f"In the {name} split no one touches a known {'item' if data.view.items else 'category'} within "
                f"{span_text(data.view.fold.horizons[horizon])}, so that nothing can be asked there; leave it out of "
                f"horizons."
            )
