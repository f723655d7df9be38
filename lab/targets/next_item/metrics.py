"""Every metric of the target next item: one label a query, ranked among all candidates, on the host.

A label at rank r (0 is best; ties count against the model) gives, for k = 5, 10, 20:

- hr@k: 1 where r < k, else 0; recall@k is the same, there being one label;
- ndcg@k: 1 / log2(r + 2) where r < k, else 0 (Järvelin and Kekäläinen 2002);
- mrr@k: 1 / (r + 1) where r < k, else 0; mrr: the same for any r.

A query counts in the slice `repeat` where its user had taken the label before, else in `novel`. What only a whole cell
has: coverage@k, the share of all candidates that are among the first k of some query; popularity@k, the mean number of
known events of the first k, over that of all candidates (1: no bias); popularity@label, the same of the labels; cold,
label events whose item was unknown at the valid cutoff, which no query counts. Known events are those up to the valid
cutoff, less cancellations, of the users that baselines learn from.
"""

from dataclasses import dataclass

import numpy as np

CUTS = (5, 10, 20)
PER_QUERY = (*(f"{name}@{k}" for name in ("ndcg", "hr", "recall", "mrr") for k in CUTS), "mrr", "log_loss")


@dataclass(frozen=True)
class LabelPlaces:
    """Q labelled queries."""

    rank: np.ndarray
    """int64[Q]."""
    first: np.ndarray
    """int32[Q, K], the best candidates, best first; -1 where no more are left."""
    label: np.ndarray
    """int32[Q]."""
    seen: np.ndarray
    """bool[Q]: whether the user had taken the label before."""
    log_probability: np.ndarray
    """float[Q], of the label."""


def query_metrics(placed: LabelPlaces) -> dict[str, np.ndarray]:
    """float64[Q] of each of PER_QUERY."""
    rank = placed.rank
    values: dict[str, np.ndarray] = {"mrr": 1 / (rank + 1), "log_loss": -placed.log_probability.astype(np.float64)}
    for k in CUTS:
        inside = rank < k
        values[f"ndcg@{k}"] = np.where(inside, 1 / np.log2(rank + 2), 0.0)
        values[f"hr@{k}"] = values[f"recall@{k}"] = inside.astype(np.float64)
        values[f"mrr@{k}"] = np.where(inside, 1 / (rank + 1), 0.0)
    return {name: values[name] for name in PER_QUERY}


def cell_metrics(placed: LabelPlaces, known: np.ndarray) -> dict[str, float]:
    """What only all queries together have; `known` float[C] are the candidates' known events.

    Popularity is NaN where cancellations leave none of these.
    """
    times = known / known.mean() if known.any() else np.full(len(known), np.nan)
    values = {"popularity@label": _mean(times[placed.label])}
    for k in CUTS:
        first = placed.first[:, :k]
        first = first[first >= 0]
        values[f"coverage@{k}"] = len(np.unique(first)) / len(known)
        values[f"popularity@{k}"] = _mean(times[first])
    return values


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def place_labels(
    scores: np.ndarray, label: np.ndarray, left_out: np.ndarray | None, depth: int
) -> tuple[np.ndarray, ...]:
    """Rank of each label and the first `depth` candidates, from scores float32[Q, C] of all of them.

    `left_out` bool[Q, C] are no candidates, unless they are the label. Of equal scores the lower number comes first.
    """
    rows = np.arange(len(scores))
    if left_out is not None:
        out = left_out.copy()
        out[rows, label] = False
        scores = np.where(out, -np.inf, scores)
    own = scores[rows, label]
    rank = (scores >= own[:, None]).sum(1) - 1
    return rank, top_candidates(scores, depth)


def log_probability(log_probabilities: np.ndarray, label: np.ndarray, left_out: np.ndarray | None) -> np.ndarray:
    """float[Q], of each label among the candidates that are not left out, from float[Q, C] over all of them.

    `left_out` as in `place_labels`; NaN where no candidate that is left has any probability.
    """
    rows = np.arange(len(log_probabilities))
    own = log_probabilities[rows, label]
    if left_out is None:
        return own
    out = left_out.copy()
    out[rows, label] = False
    kept = np.where(out, -np.inf, log_probabilities)
    best = kept.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # -inf less -inf
        mass = np.exp(kept - best).sum(axis=1, dtype=np.float64)
    return own - (best[:, 0] + np.log(mass))


def top_candidates(scores: np.ndarray, depth: int) -> np.ndarray:
    """int32[Q, depth]: the candidates with the highest scores, of equal ones those with the lower numbers.

    -1 where no more are left, the others having -inf.
    """
    depth = min(depth, scores.shape[1])
    if depth < scores.shape[1]:
        # Only what is at least level with the last of them needs sorting.
        least = np.partition(scores, -depth, axis=1)[:, -depth]
        scores = np.where(scores >= least[:, None], scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return np.where(np.take_along_axis(scores, order, 1) == -np.inf, -1, order).astype(np.int32)
