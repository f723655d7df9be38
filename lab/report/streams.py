"""Stream graphs: how interests grow and fade, as they were predicted and as they came out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.report.panels import LABEL, TITLE, wrapped
from lab.report.style import COLOURS, style

if TYPE_CHECKING:
    import pandas as pd

LIGHT = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours on which dark letters read better than white ones."""


def streams(table: "pd.DataFrame", title: str, learned_until: np.datetime64 | None = None) -> Any:
    """A matplotlib figure of two streams under each other: what was predicted, and what then happened.

    `table` has a row for each cutoff and category, with the shares `predicted` and `happened` (NaN where nobody came
    back), as `lab.predicting.evolution` gives them for a user, or their means over users. The categories with the
    largest shares are drawn, each as wide as its share, in one colour and place in both streams.
    `learned_until` is the valid cutoff: windows that closed by then have taught the model.
    """
    from matplotlib.figure import Figure

    names = _largest(table)
    with style():
        figure = Figure(figsize=(9, 6.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
        for panel, column in ((upper, "predicted"), (lower, "happened")):
            wide = table.pivot(index="cutoff", columns="category", values=column)[names]
            _flow(panel, wide.index.to_numpy(), wide.fillna(0.0).to_numpy().T, names)
        count = table["category"].nunique()
        upper.set_title(wrapped(f"{title}: predicted", TITLE), loc="left")
        lower.set_title("what happened in the window after each tick", loc="left")
        if learned_until is not None:
            _mark(upper, lower, learned_until)
        _scale(upper)
        handles, labels = upper.get_legend_handles_labels()
        said = f"the {len(names)} largest\nof {count} categories"
        figure.legend(handles[::-1], labels[::-1], loc="outside right center", title=said, alignment="left")
    return figure


def _largest(table: "pd.DataFrame") -> list[str]:
    """The categories whose share is largest at their best tick, those that peak early first."""
    wide = table.pivot(index="cutoff", columns="category", values="predicted")
    chosen = wide.max().nlargest(len(COLOURS)).index
    when = np.arange(len(wide)) @ wide[chosen].to_numpy() / wide[chosen].sum().to_numpy()
    return [str(name) for name in chosen[np.argsort(when)]]


def _flow(panel: Any, when: np.ndarray, shares: np.ndarray, names: Sequence[str]) -> None:
    """Bands around a middle line, [C, K] shares wide, each named where it is wide for long enough."""
    top = np.cumsum(shares, axis=0) - shares.sum(axis=0) / 2
    bands = list(zip(names, COLOURS, top, shares, strict=False))
    for name, colour, high, share in bands:
        said = wrapped(name, LABEL)
        panel.fill_between(when, high - share, high, facecolor=colour, edgecolor="white", linewidth=0.6, label=said)
    for name, colour, high, share in bands:
        room = np.minimum(np.minimum(share[:-2], share[1:-1]), share[2:])
        if len(room) and room.max() > 0.08 * shares.sum(axis=0).max():
            place = int(np.argmax(room)) + 1
            ink = "black" if colour in LIGHT else "white"
            at = (when[place], high[place] - share[place] / 2)
            panel.text(*at, wrapped(name, LABEL), ha="center", va="center", color=ink, fontsize=8, clip_on=True)
    panel.set(yticks=[], xlim=(when[0], when[-1]))
    panel.spines["left"].set_visible(False)


def _mark(upper: Any, lower: Any, moment: np.datetime64) -> None:
    for panel in (upper, lower):
        panel.axvline(moment, color="#333333", linewidth=1, linestyle="--")
    said = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 8, "va": "top"}
    upper.annotate("learned from", (moment, 1), (-4, 0), ha="right", **said)
    upper.annotate("new to the model", (moment, 1), (4, 0), ha="left", **said)


def _scale(panel: Any) -> None:
    """A bar of a round share, which both panels have in common, beside the upper one."""
    low, high = panel.get_ylim()
    share = max((one for one in (0.5, 0.2, 0.1, 0.05, 0.02) if one < (high - low) / 3), default=0.01)
    where = {"transform": panel.get_yaxis_transform(), "clip_on": False}
    panel.plot([1.02] * 2, [low, low + share], color="black", linewidth=3, **where)
    panel.text(1.035, low + share / 2, f"{share:.0%}", va="center", fontsize=8, **where)
    panel.set_ylim(low, high)
