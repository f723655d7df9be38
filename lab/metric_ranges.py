"""What values a metric can have at all: one outside says that a file was changed, or that its judge is wrong."""

import math

SHARES = (
    *("ndcg", "hr", "mrr", "map", "recall", "precision", "f1", "accuracy", "auc", "coverage"),
    *("recall_micro", "recall_macro", "precision_micro", "precision_macro", "f1_micro", "f1_macro"),
    *("calibration_error",),
)
"""Metrics from 0 to 1, by the name before the @."""

COUNTS = ("queries", "cold", "step")
"""Whole numbers from 0 on."""

ROUNDING = 1e-9
"""By how much a mean may miss a bound."""


def range_of(metric: str) -> tuple[float, float]:
    """The lowest and the highest value of a metric; without bounds where nothing is known of it."""
    name = metric.partition("@")[0]
    if name in SHARES:
        return 0.0, 1.0
    return (0.0, math.inf) if name in COUNTS else (-math.inf, math.inf)


def is_possible(metric: str, value: float) -> bool:
    """Whether a metric can have a value; NaN, for none, is possible of any."""
    low, high = range_of(metric)
    return math.isnan(value) or low - ROUNDING <= value <= high + ROUNDING


def impossible(metric: str, value: float) -> str:
    """`ndcg@10 is 7.249, and can only be from 0 to 1`."""
    low, high = range_of(metric)
    return f"{metric} is {value:g}, and can only be {f'from {low:g} to {high:g}' if math.isfinite(high) else 'above 0'}"
