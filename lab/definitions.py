"""How predictions are judged, in words: what a pin says of slices, metrics and candidates."""

from typing import Any, Literal

from lab.evaluation import next_item
from lab.evaluation.metrics import PER_QUERY, SLICES
from lab.marks import no_numbers

METRICS = {
    "ndcg@5, ndcg@10": "binary gain by label, discounted by log2(rank + 1), over the ideal ranking's",
    "accuracy@1": "whether the first is a label",
    "auc": "share of pairs of a label and another candidate that are in the right order",
    "precision, recall, f1": "at the number of labels; micro pools candidates, macro averages over them",
    "recall@10": "share of a query's labels among the first ten",
    "map@10": "mean precision at the labels among the first ten",
    "queries": "queries that have a label in the slice",
    "log_loss": "cross-entropy of the softmax over the slice's candidates against the labels' shares, in nats",
    "calibration_error": "mean distance of predicted from observed shares, over bins",
    "valid loss, step": "the best loss on the valid split, and the step of the parameters kept",
}

CANDIDATES = "all categories known at the fold's valid cutoff, never a sample; ties count against the model"

NEXT_METRICS = {
    "ndcg@k": "1 / log2(rank + 2) of the one label where its rank, from 0, is below k, else 0",
    "hr@k, recall@k": "whether the label's rank is below k; with one label the two are the same",
    "mrr@k, mrr": "1 / (rank + 1) where the rank is below k, else 0; for any rank",
    "queries": "events whose next {thing} was known at the fold's valid cutoff",
    "cold": "events whose next item was not; no query counts them",
    "log_loss": "minus the log probability of the label in the softmax over the candidates, in nats",
    "coverage@k": "share of the candidates that are among the first k of some query",
    "popularity@k, popularity@label": "how often the first k (the labels) had been taken by the valid cutoff, as a "
    "multiple of the mean candidate's: 1 is no bias; less cancellations, by the users that baselines learn from",
    "valid loss, step": "the smallest 1 - ndcg@10 (or log loss: target.stop_by) on the valid split, and its step",
}
"""The same for next items, or for what else is predicted next."""


@no_numbers
def of_interest() -> dict[str, Any]:
    """How scores of all categories are judged."""
    return {"slices": list(SLICES), "per_query": list(PER_QUERY), "definitions": METRICS, "candidates": CANDIDATES}


@no_numbers
def of_next_items(thing: Literal["item", "category"], repeats: bool) -> dict[str, Any]:
    """How it is judged what is next; without `repeats` what a user took before is no candidate."""
    left_out = "" if repeats else "; what the user took before is left out, and queries with such a label are not asked"
    return {
        "slices": list(SLICES),
        "per_query": list(next_item.PER_QUERY),
        "definitions": {name: said.format(thing=thing) for name, said in NEXT_METRICS.items()},
        "candidates": (CANDIDATES.replace("categories", "items") if thing == "item" else CANDIDATES) + left_out,
    }
