"""A fold's look at the histories, and the same look with the future taken away."""

from dataclasses import replace

import numpy as np

from lab.data.categories import Categories, assign
from lab.data.histories import Histories
from lab.data.queries import FoldView
from lab.data.timeline import Fold, date_text
from lab.errors import InputError

RARE = 0.01
"""Share of the events below which those up to the valid cutoff are taken for stray ones."""


def look(histories: Histories, fold: Fold, categories: Categories) -> tuple[FoldView, str]:
    """The fold's view, with candidates fitted on the events up to its valid cutoff, and their rule in words."""
    known = np.asarray(histories.time) <= fold.valid_cutoff
    if not known.any():
        raise InputError("timeline: no event lies at or before the valid cutoff; use shorter horizons or fewer folds.")
    candidate, names, rule = assign(categories, histories, known)
    if len(names) < 2:
        raise InputError(_too_few(names, known, fold))
    return FoldView(histories, fold, candidate, names), rule


def _too_few(names: np.ndarray, known: np.ndarray, fold: Fold) -> str:
    named = f" ({', '.join(map(str, names))})" if len(names) else ""
    early = (
        "so few that stray early times, or too long horizons, are the likely cause: leave the former out with "
        "cleaning.since, or shorten the latter. Else name"
        if known.mean() < RARE
        else "name"
    )
    return (
        f"category: the log has only {len(names)} categor{'y' if len(names) == 1 else 'ies'} up to the valid cutoff"
        f"{named}; interests need at least 2 to tell apart. The cutoff is {date_text(fold.valid_cutoff)}, and "
        f"{known.sum():,} of the {len(known):,} events lie before it; {early} another column, or use "
        f"target.categories.rule='item'."
    )


def known_at(view: FoldView, moment: int) -> FoldView:
    """The view with every event after `moment` gone: what anything may be fitted on.

    Users and codes keep their numbers; only the flat columns are shorter.
    """
    histories = view.histories
    kept = np.asarray(histories.time) <= moment
    counts = np.bincount(histories.user_of_event[kept], minlength=histories.users)

    def cut(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else np.asarray(column)[kept]

    shorter = replace(
        histories,
        offsets=np.append(0, np.cumsum(counts)),
        time=np.asarray(histories.time)[kept],
        item=np.asarray(histories.item)[kept],
        behaviour=np.asarray(histories.behaviour)[kept],
        category=cut(histories.category),
        price=cut(histories.price),
        quantity=cut(histories.quantity),
    )
    return replace(view, histories=shorter, candidate=view.candidate[kept])
