"""The encoders, imported when first asked for, so that listing models costs no import of flax."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.models.base import Model
    from lab.models.gru import GRU
    from lab.models.lstm import LSTM
    from lab.models.rnn import RNN
    from lab.models.transformer import Transformer

__all__ = ["GRU", "LSTM", "RNN", "Model", "Transformer"]

_HOMES = {"Model": "base", "RNN": "rnn", "LSTM": "lstm", "GRU": "gru", "Transformer": "transformer"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
