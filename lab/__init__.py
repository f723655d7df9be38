"""Experiments on how shoppers' interests evolve: which model, which features, how far ahead."""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.data.log.cleaning import Cleaning
    from lab.data.timeline import Timeline
    from lab.experiment.experiment import Experiment
    from lab.experiment.registry import register
    from lab.training.settings import Training

__all__ = ["Cleaning", "Experiment", "Timeline", "Training", "register"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Cleaning": "data.log.cleaning",
        "Experiment": "experiment.experiment",
        "Timeline": "data.timeline",
        "Training": "training.settings",
        "register": "experiment.registry",
    },
)
