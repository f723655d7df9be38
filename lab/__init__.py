"""Experiments on how shoppers' interests evolve: which model, which features, how far ahead."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.data.cleaning import Cleaning
    from lab.data.timeline import Timeline
    from lab.experiment import Experiment
    from lab.registry import register
    from lab.training.settings import Training

__all__ = ["Cleaning", "Experiment", "Timeline", "Training", "register"]

_HOMES = {
    "Cleaning": "lab.data.cleaning",
    "Experiment": "lab.experiment",
    "Timeline": "lab.data.timeline",
    "Training": "lab.training.settings",
    "register": "lab.registry",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import lab` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
