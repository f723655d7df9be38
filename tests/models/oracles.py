"""Slow float64 encoders written from the formulas, one history at a time: no batch, no packing, no scan."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from lab.models import GRU

Params = Mapping[str, Any]


def encode(name: str, settings: Any, params: Params, steps: np.ndarray, starts: np.ndarray, time: np.ndarray):
    """The output [B, T, D] of the encoder called `name`, each history by itself."""
    out = np.zeros(steps.shape)
    for b in range(len(steps)):
        bounds = [0, *(t for t in range(1, steps.shape[1]) if starts[b, t]), steps.shape[1]]
        for begin, end in pairwise(bounds):
            span = slice(begin, end)
            out[b, span] = ENCODERS[name](settings, params, steps[b, span].astype(np.float64), time[b, span])
    return out


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def layer_norm(x: np.ndarray, params: Params) -> np.ndarray:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return x * np.asarray(params["scale"], np.float64) + np.asarray(params["bias"], np.float64)


def rnn_step(x: np.ndarray, kernel: np.ndarray, state: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return (np.tanh(x + state[0] @ kernel),)


def lstm_step(x: np.ndarray, kernel: np.ndarray, state: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    h, c = state
    i, f, o, g = np.split(x + h @ kernel, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x: np.ndarray, kernel: np.ndarray, state: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    (h,) = state
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3), np.split(h @ kernel, 3)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return ((1 - z) * n + z * h,)


def recurrent(step: Callable[..., tuple[np.ndarray, ...]], states: int) -> Callable[..., np.ndarray]:
    def encode(settings: Any, params: Params, x: np.ndarray, time: np.ndarray) -> np.ndarray:
        for layer in range(settings.layers):
            inner = x if layer == 0 else layer_norm(x, params[f"norm_{layer}"])
            given, kernel = params[f"input_{layer}"], np.asarray(params[f"recurrent_{layer}"], np.float64)
            state = (np.zeros(x.shape[-1]),) * states
            y = np.zeros_like(x)
            for t in range(len(x)):
                state = step(inner[t] @ np.asarray(given["kernel"], np.float64) + given["bias"], kernel, state)
                y[t] = state[0]
            x = y if layer == 0 else x + y
        return x

    return encode


def transformer(settings: Any, params: Params, x: np.ndarray, time: np.ndarray) -> np.ndarray:
    for layer in range(settings.layers):
        x = x + attention(
            settings, params[f"attention_{layer}"], layer_norm(x, params[f"attention_norm_{layer}"]), time
        )
        y = layer_norm(x, params[f"mlp_norm_{layer}"]) @ np.asarray(params[f"mlp_in_{layer}"]["kernel"], np.float64)
        x = x + np.maximum(y, 0) ** 2 @ np.asarray(params[f"mlp_out_{layer}"]["kernel"], np.float64)
    return layer_norm(x, params["norm"])


def attention(settings: Any, params: Params, x: np.ndarray, time: np.ndarray) -> np.ndarray:
    steps, width = x.shape
    size = width // settings.heads
    qkv = (x @ np.asarray(params["qkv"]["kernel"], np.float64)).reshape(steps, 3, settings.heads, size)
    out = np.zeros((steps, settings.heads, size))
    for head in range(settings.heads):
        q, k, v = (qkv[:, i, head] for i in range(3))
        for t in range(steps):
            logits = np.array([related(q[t], k[s], t - s, float(time[t]) - float(time[s])) for s in range(t + 1)])
            weights = np.exp(logits / np.sqrt(size) - np.max(logits / np.sqrt(size)))
            out[t, head] = weights @ v[: t + 1] / weights.sum()
    return out.reshape(steps, width) @ np.asarray(params["out"]["kernel"], np.float64)


def related(q: np.ndarray, k: np.ndarray, steps: int, days: float) -> float:
    """The product of a query and a key that lie so many steps and days apart: pairs as complex numbers."""
    pairs = len(q) // 2
    half = pairs // 2
    angles = [steps * 10_000.0 ** (-p / half) for p in range(half)]
    periods = [0.25 * (4096 / 0.25) ** (p / max(pairs - half - 1, 1)) for p in range(pairs - half)]
    angles += [2 * np.pi * days / period for period in periods]
    query, key = q[:pairs] + 1j * q[pairs:], k[:pairs] + 1j * k[pairs:]
    return float(np.real(np.sum(query * np.exp(1j * np.array(angles)) * np.conj(key))))


def silu(z: np.ndarray) -> np.ndarray:
    return z * sigmoid(z)


def hstu(settings: Any, params: Params, x: np.ndarray, time: np.ndarray) -> np.ndarray:
    if settings.recurrent:
        beneath = GRU(layers=settings.recurrent, width=settings.width)
        x = recurrent(gru_step, 1)(beneath, params["recurrent"], x, time)
    for layer in range(settings.layers):
        given = params[f"layer_{layer}"]
        pointwise = silu(layer_norm(x, given["norm"]) @ np.asarray(given["uqkv"]["kernel"], np.float64))
        u, *qkv = np.split(pointwise, 4, 1)
        y = layer_norm(pointwise_attention(settings, given, np.stack(qkv), time), given["gated_norm"])
        x = x + (y * u) @ np.asarray(given["out"]["kernel"], np.float64)
    return layer_norm(x, params["norm"])


def pointwise_attention(settings: Any, params: Params, qkv: np.ndarray, time: np.ndarray) -> np.ndarray:
    steps, size = len(time), settings.width // settings.heads
    q, k, v = qkv.reshape(3, steps, settings.heads, size)
    position, waited = (np.asarray(params[name], np.float64) for name in ("position", "time"))
    out = np.zeros((steps, settings.heads, size))
    for t in range(steps):
        for s in range(t + 1):
            minutes = (float(time[t]) - float(time[s])) * 24 * 60
            bias = waited[min(int(np.log2(minutes + 1)), 23)]
            for head in range(settings.heads):
                logit = q[t, head] @ k[s, head] / np.sqrt(size) + position[head, min(t - s, settings.reach - 1)] + bias
                out[t, head] += silu(logit) * v[s, head] / (t + 1)
    return out.reshape(steps, -1)


ENCODERS = {
    "RNN": recurrent(rnn_step, 1),
    "LSTM": recurrent(lstm_step, 2),
    "GRU": recurrent(gru_step, 1),
    "Transformer": transformer,
    "HSTU": hstu,
}
