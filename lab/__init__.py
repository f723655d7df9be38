"""Experiments on how shoppers' interests evolve: which model, which features, how far ahead."""

from typing import TYPE_CHECKING

from lab.lazy import lazily

if TYPE_CHECKING:
    from lab.data.cleaning import Cleaning
    from lab.data.timeline import Timeline
    from lab.experiment import Experiment
    from lab.registry import register
    from lab.training.settings import Training

__all__ = ["Cleaning", "Experiment", "Timeline", "Training", "register"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Cleaning": "data.cleaning",
        "Experiment": "experiment",
        "Timeline": "data.timeline",
        "Training": "training.settings",
        "register": "registry",
    },
)
