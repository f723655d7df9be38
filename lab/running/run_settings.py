"""Where a run happens, and what it leaves out: settings on which no number depends."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lab.running.checkpoint_schedule import CHECKPOINT_SECONDS
from lab.tracking.tracker import Tracking


@dataclass(frozen=True)
class RunSettings:
    """Where a run happens, on which no number depends."""

    out: Path
    cache: Path | None
    tracking: Tracking
    console: Console
    only: tuple[str, ...] = ()
    """Filters of cells, `key=value`."""
    report: bool = True
    """Whether a run that ends by itself leaves figures and a page."""
    checkpoint_every: float = CHECKPOINT_SECONDS
    """Seconds between two checkpoints of cells in training."""
