"""The lab's models in PyTorch, as one would write them there: the library's recurrent layers and attention.

Ids are embedded, encoded, normalised, and the output at one step of each row is classified.
"""

# pyright: reportMissingImports=false

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.shared.ratios import TORCH
from lab.models import GRU, LSTM, RNN, Transformer
from lab.models.base import Model

DROPOUT = 0.1
THREADS = torch.get_num_threads()

RECURRENT: dict[type[Model], Callable[..., nn.Module]] = {RNN: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU}


class Recurrent(nn.Module):
    """The library's layer, batch first."""

    def __init__(self, layer: Callable[..., nn.Module], width: int, dropout: float) -> None:
        super().__init__()
        self.layer = layer(width, width, batch_first=True)
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.dropout(x, self.dropout, self.training)
        return functional.dropout(self.layer(x)[0], self.dropout, self.training)


class Block(nn.Module):
    """Causal attention with rotary positions, then a perceptron with squared ReLU; both pre-norm, no biases."""

    def __init__(self, width: int, heads: int, ratio: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, ratio * width, bias=False), nn.Linear(ratio * width, width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        rows, steps, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(rows, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(turned(q, cos, sin), turned(k, cos, sin), v, is_causal=True)
        y = self.out(y.transpose(1, 2).reshape(rows, steps, width))
        x = x + functional.dropout(y, self.dropout, self.training)
        y = self.down(functional.relu(self.up(self.mlp_norm(x))).square())
        return x + functional.dropout(y, self.dropout, self.training)


def turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Each pair (a, b) of the two halves turned by its angle."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Attentive(nn.Module):
    """A stack of blocks."""

    def __init__(self, model: Transformer, dropout: float) -> None:
        super().__init__()
        self.dropout, self.pairs = dropout, model.width // model.heads // 2
        blocks = (Block(model.width, model.heads, model.mlp_ratio, dropout) for _ in range(model.layers))
        self.blocks, self.norm = nn.ModuleList(blocks), nn.LayerNorm(model.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        frequency = 10_000.0 ** -(torch.arange(self.pairs, device=x.device) / self.pairs)
        angle = torch.arange(x.shape[1], device=x.device)[:, None] * frequency
        cos, sin = angle.cos(), angle.sin()
        x = functional.dropout(x, self.dropout, self.training)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)


class Classifier(nn.Module):
    """Logits [B, C] at step `position` [B] of rows of ids [B, T]; id 0 is padding."""

    def __init__(self, model: Model, ids: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(ids + 1, model.width, padding_idx=0)
        if isinstance(model, Transformer):
            self.encoder: nn.Module = Attentive(model, dropout)
        else:
            self.encoder = Recurrent(RECURRENT[type(model)], model.width, dropout)
        self.norm, self.head = nn.LayerNorm(model.width), nn.Linear(model.width, classes)

    def forward(self, ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(self.table(ids))
        return self.head(self.norm(hidden[torch.arange(len(ids), device=ids.device), position]))


def trainer(
    model: Model,
    vocabulary: int,
    classes: int,
    ids: torch.Tensor,
    position: torch.Tensor,
    label: torch.Tensor,
    dtype: torch.dtype = torch.float32,
) -> Callable[[], None]:
    """A function that makes one update on the batch's device, with clipping and the fused AdamW.

    Other than float32, `dtype` is what products compute in; parameters and the optimiser stay float32.
    """
    device = ids.device
    network = Classifier(model, vocabulary, classes, DROPOUT).to(device)
    settings = {"capturable": True} if device.type == "cuda" else {}
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.1, fused=True, **settings)

    def update() -> None:
        optimiser.zero_grad()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32, cache_enabled=False):
            loss = functional.cross_entropy(network(ids, position), label)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

    return update


def graphed(update: Callable[[], None]) -> Callable[[], None]:
    """The same update as a CUDA graph, which the host starts with one call."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # JAX frees memory from threads of its own, which must not end the capture.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        update()
    return graph.replay


def prepared() -> str:
    """Words on what there is; float32 products are from here on the matrix units' short ones where there are any."""
    torch.set_float32_matmul_precision("high")
    return f"PyTorch {torch.__version__} of {THREADS} threads"


def updating(
    model: Model, vocabulary: int, classes: int, batch: Sequence[np.ndarray], dtype: str, device: str, times: int
) -> dict[str, Callable[[], None]]:
    """Calls that make so many updates, one for each way to run them; `batch` has ids, positions and labels."""
    ids, position, label = (torch.as_tensor(part, device=device) for part in batch)
    update = trainer(model, vocabulary, classes, ids, position, label, getattr(torch, dtype))

    def repeated(update: Callable[[], None]) -> None:
        for _ in range(times):
            update()
        if device == "cuda":
            torch.cuda.synchronize()

    def threaded(count: int) -> None:
        torch.set_num_threads(count)
        repeated(update)

    if device == "cuda":
        return {TORCH: partial(repeated, update), f"{TORCH}, graph": partial(repeated, graphed(update))}
    return {f"{TORCH}, {count} threads": partial(threaded, count) for count in sorted({1, THREADS})}
