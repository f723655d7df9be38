"""How it is judged what is next, declared."""

from collections.abc import Iterator
from typing import Literal

from lab.evaluation.familiarity import FAMILIARITY
from lab.evaluation.measures import Measures, MetricSpec, Remark
from lab.targets.familiarity_panel import familiarity_panel
from lab.targets.next_item.metrics import CUTS

HIT = "whether the label's rank is below k; with one label hr and recall are the same"
RECIPROCAL = "1 / (rank + 1) where the rank is below k, else 0"
NDCG = "1 / log2(rank + 2) of the one label where its rank, from 0, is below k, else 0"
POPULARITY = (
    "by the valid cutoff, as a multiple of the mean candidate's: 1 is no bias; less cancellations, by the users that "
    "baselines learn from"
)


def _metrics() -> Iterator[MetricSpec]:
    for name, definition in (("ndcg", NDCG), ("hr", HIT), ("recall", HIT), ("mrr", RECIPROCAL)):
        for k in CUTS:
            title = f"NDCG@{k}" if name == "ndcg" else ""
            yield MetricSpec(name=f"{name}@{k}", title=title, definition=definition, low=0, high=1)
    yield MetricSpec(name="mrr", definition="1 / (rank + 1), whatever the rank", low=0, high=1)
    yield MetricSpec(
        name="log_loss",
        definition="minus the log probability of the label in the softmax over the candidates",
        better="lower",
        unit="nats",
        low=0,
        tolerance=0.05,
    )
    for k in CUTS:
        yield MetricSpec(
            name=f"coverage@{k}",
            definition="share of the candidates that are among the first k of some query",
            per="cell",
            low=0,
            high=1,
            tolerance=0.05,
        )
    for k in (*CUTS, "label"):
        what = "the labels" if k == "label" else "the first k"
        yield MetricSpec(
            name=f"popularity@{k}",
            definition=f"how often {what} had been taken {POPULARITY}",
            better="nearest",
            best=1.0,
            per="cell",
            low=0,
            tolerance=0.02 if k == "label" else 0.1,
        )


COLD = Remark(
    metric="cold",
    text="Cold, {when}: {count} of {total} labels are what was unknown at the valid cutoff; no query counts them.",
)


def measures_of(thing: Literal["item", "category"], repeats: bool, stop_by: Literal["ndcg", "loss"]) -> Measures:
    """Without `repeats` what a user took before is no candidate."""
    things = "items" if thing == "item" else "categories"
    left_out = "" if repeats else "; what the user took before is left out, and queries with such a label are not asked"
    cold = MetricSpec(
        name="cold",
        definition=f"events whose next {thing} was not known at the valid cutoff; no query counts them",
        better="neither",
        per="cell",
        low=0,
        tolerance=0.0,
    )
    return Measures(
        metrics=(*_metrics(), cold),
        leading="ndcg@10",
        slices=FAMILIARITY,
        things=things,
        population=f"all {things} known at the fold's valid cutoff are ranked, never a sample; ties count against the "
        f"model; asked is every event whose next {thing} was known then{left_out}",
        stops_by="1 - NDCG@10 on valid" if stop_by == "ndcg" else "loss on valid, nats",
        remarks=(COLD,),
        panels=(familiarity_panel(things),),
    )
