"""What runs over several seeds and tasks say of two lines."""

import numpy as np
from jaxtyping import Float


def improvement(a: Float[np.ndarray, "S T"], b: Float[np.ndarray, "R T"]) -> float:
    """The chance that a random run of a beats one of b on a random task, ties by half (Agarwal et al. 2021)."""
    more = (a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])
    return float(more.mean(axis=(0, 1)).mean())
