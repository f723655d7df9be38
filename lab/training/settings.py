"""How cells are trained."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from lab.core.errors import InputError
from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.number_limits import MOST, Limits, at_most
from lab.core.setting_types import check_types

MACHINE = ("cells_at_once", "resident_gib")
"""Settings that decide where numbers are computed and not which."""

LIMITED = ("batch", "evaluate_every", "valid_rows", "patience", "cells_at_once", "weight_decay", "prior_precision")
"""Settings that are at most MOST."""

MOST_STEPS = 10_000_000
"""Updates beyond what the largest runs take by far."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of the training loop, one for all cells of an experiment."""

    steps: int = 600
    """Updates of the parameters, at most."""
    batch: int = 16
    """Rows an update sees."""
    row_length: int = 128
    """Steps in a row; a longer history is cut into several."""
    overlap: int = 32
    """Steps of context that a later piece of a cut history repeats; evaluated next items go by row_length alone."""
    learning_rate: float = 2e-3
    """Peak of the learning rate (AdamW)."""
    warmup: float = 0.1
    """Share of the steps over which the learning rate rises; after it, it falls along a cosine to zero."""
    weight_decay: float = 0.1
    """Decoupled weight decay of matrices and tables."""
    prior_precision: float = 30.0
    """Precision p of a Gaussian prior around 0 on matrices and tables: p / (2 n) * |w|^2 beside the mean loss, n the
    number of training windows that do not overlap. It holds back what small logs teach, and lets large ones learn."""
    clip: float = 1.0
    """Largest global norm of a gradient."""
    dropout: float = 0.3
    """Share of activations dropped in the encoder and before the candidates are scored."""
    label_smoothing: float = 0.0
    """Share of each query's label weight that is spread over all candidates."""
    accumulate: int = 1
    """Pieces a batch is cut into, one after the other, where the whole does not fit memory."""
    evaluate_every: int = 50
    """Steps between looks at the valid split."""
    valid_rows: int = 256
    """Rows of the valid split that a look reads, spread evenly over it; 0: all."""
    patience: int = 4
    """Looks without a better valid loss after which a cell stops; 0: never. The best parameters are kept either way."""
    share: float = 1.0
    """Share of the users from whom everything is learned: parameters, fitted statistics, early stopping, baselines. Of
    the others nothing is used but their own past where the test asks them. A larger share holds every smaller one."""
    share_seed: int = 0
    """Which users these are."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the network computes in; parameters, losses and the optimiser stay float32."""
    split: Literal["auto", "cells", "batch"] = "auto"
    """What several devices share: the cells, or each cell's batch. auto: cells, but the batch where an accelerator
    has more devices than there are cells."""
    cells_at_once: int | None = None
    """Cells trained side by side on one device. Default: 1 on a CPU, what fits memory on an accelerator."""
    resident_gib: float = 4.0
    """Rows larger than this stream from the host instead of lying on the device."""

    @staticmethod
    @not_fingerprinted
    def number_limits() -> Limits:
        """What each number can be."""
        return {
            **dict.fromkeys(LIMITED, at_most(MOST)),
            "share_seed": at_most(2**63 - 1),
            "learning_rate": at_most(3e38, finite=True),  # it is a float32
        }

    def __post_init__(self) -> None:
        check_types(self, "training")
        for name in ("steps", "batch", "row_length", "accumulate", "evaluate_every", "learning_rate", "clip"):
            self._check(name, getattr(self, name) > 0, "above 0")
        if self.steps > MOST_STEPS:
            raise InputError(f"training.steps: {self.steps:,} would never end; use 1 to {MOST_STEPS:,}.")
        if not isfinite(self.learning_rate):
            raise InputError(f"training.learning_rate: {self.learning_rate:g} is no rate; use a number above 0.")
        for name in ("warmup", "dropout", "label_smoothing"):
            self._check(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        for name in ("weight_decay", "prior_precision", "patience", "resident_gib", "valid_rows"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        self._check("share", 0 < self.share <= 1, "above 0 and at most 1")
        self._check("share_seed", self.share_seed >= 0, "0 or more")
        self._check("share_seed", self.share_seed == 0 or self.share < 1, "0 where training.share is 1")
        self._check("overlap", 0 <= self.overlap < self.row_length, f"from 0 to below row_length ({self.row_length})")
        self._check("accumulate", self.batch % self.accumulate == 0, f"a divisor of batch ({self.batch})")
        self._check("cells_at_once", self.cells_at_once is None or self.cells_at_once > 0, "1 or more")

    def _check(self, name: str, ok: bool, right: str) -> None:
        if not ok:
            value = getattr(self, name)
            said = f"{value:g}" if isinstance(value, float) else value
            raise InputError(f"training.{name}: {said} will not do; it must be {right}.")
