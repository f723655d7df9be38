"""The shortest valid experiment, with whatever a test changes of it."""

from typing import Any

from lab.data.sources import SyntheticShop
from lab.experiment.experiment import Experiment
from lab.models import GRU, LSTM
from lab.targets import Interest


def small_experiment(**changes: Any) -> Experiment:
    settings: dict[str, Any] = {
        "name": "small",
        "source": SyntheticShop(users=50),
        "target": Interest(),
        "horizons": (7, 30),
        "features": {"ids": ("category", "behaviour"), "more": ("category", "habit")},
        "models": (LSTM(width=8), GRU(width=8)),
        "seeds": 2,
    }
    return Experiment(**settings | changes)
