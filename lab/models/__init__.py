"""The encoders, imported when first asked for, so that listing models costs no import of flax.

Parameters of an encoder at width 64, without embedding and head:

| model       | 1 layer | 2 layers | 3 layers | default |
|-------------|---------|----------|----------|---------|
| RNN         |   8,256 |   16,640 |   25,024 | 1 layer |
| LSTM        |  33,024 |   66,176 |   99,328 | 1 layer |
| GRU         |  24,768 |   49,664 |   74,560 | 1 layer |
| Transformer |  49,536 |   98,944 |  148,352 | 2 layers |
| HSTU        |  21,400 |   42,672 |   63,944 | 4 layers |

So LSTM(layers=3) and GRU(layers=4), with 99,456, are the size of the default Transformer, HSTU() with 85,216 is a
little smaller, and LSTM() is the size of Transformer(layers=1, mlp_ratio=2), with 33,152.
"""

from typing import TYPE_CHECKING

from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.models.base import Model
    from lab.models.gru import GRU
    from lab.models.hstu import HSTU
    from lab.models.lstm import LSTM
    from lab.models.rnn import RNN
    from lab.models.transformer import Transformer

__all__ = ["GRU", "HSTU", "LSTM", "RNN", "Model", "Transformer"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {"Model": "base", "RNN": "rnn", "LSTM": "lstm", "GRU": "gru", "Transformer": "transformer", "HSTU": "hstu"},
)
