"""How interest is judged, declared."""

from lab.evaluation.familiarity import FAMILIARITY
from lab.evaluation.measures import Measures, MetricSpec, Panel
from lab.targets.familiarity_panel import familiarity_panel

NDCG = "binary gain by label, discounted by log2(rank + 1), over the ideal ranking's"
AT_LABELS = "at the number of labels"

METRICS = (
    MetricSpec(name="ndcg@5", title="NDCG@5", definition=NDCG, low=0, high=1),
    MetricSpec(name="ndcg@10", title="NDCG@10", definition=NDCG, low=0, high=1),
    MetricSpec(name="recall@10", definition="share of a query's labels among the first ten", low=0, high=1),
    MetricSpec(name="map@10", definition="mean precision at the labels among the first ten", low=0, high=1),
    MetricSpec(name="accuracy@1", definition="whether the first is a label", low=0, high=1, tolerance=0.05),
    MetricSpec(
        name="auc",
        definition="share of pairs of a label and another candidate that are in the right order",
        low=0,
        high=1,
    ),
    MetricSpec(
        name="log_loss",
        definition="cross-entropy of the softmax over the slice's candidates against the labels' shares",
        better="lower",
        unit="nats",
        low=0,
        tolerance=0.05,
    ),
    *(
        MetricSpec(
            name=f"{what}_{how}",
            definition=f"{what} {AT_LABELS}; {words}",
            per="cell",
            low=0,
            high=1,
            tolerance=0.06 if (what, how) == ("precision", "macro") else 0.02,
        )
        for how, words in (("micro", "candidates pooled"), ("macro", "averaged over candidates"))
        for what in ("precision", "recall", "f1")
    ),
    MetricSpec(
        name="calibration_error",
        title="calibration error",
        definition="mean distance of predicted from observed shares, over bins",
        better="lower",
        per="cell",
        low=0,
        high=1,
        tolerance=0.03,
    ),
)

CALIBRATION = Panel(
    kind="metric",
    name="calibration",
    title="Calibration",
    words="The share of predicted probability that sits in bins of the wrong size, for each line and horizon.",
    metric="calibration_error",
)
RELIABILITY = Panel(
    kind="reliability",
    name="reliability",
    title="Reliability",
    words="Observed against predicted shares, in bins of a factor of two; on the dotted line what is predicted comes "
    "true. Below, how many pairs of a query and a category each point stands on.",
)

MEASURES = Measures(
    metrics=METRICS,
    leading="ndcg@10",
    slices=FAMILIARITY,
    things="categories",
    population="all categories known at the fold's valid cutoff are ranked, never a sample; ties count against the "
    "model; asked is who comes back in the window",
    stops_by="loss on valid, nats",
    panels=(familiarity_panel("categories"), CALIBRATION, RELIABILITY),
)
