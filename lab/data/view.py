"""A fold's look at the histories, and the same look with the future taken away."""

from dataclasses import replace

import numpy as np

from lab.data.categories import Categories, assign
from lab.data.histories import Histories
from lab.data.queries import FoldView
from lab.data.timeline import Fold
from lab.errors import InputError


def look(histories: Histories, fold: Fold, categories: Categories) -> tuple[FoldView, str]:
    """The fold's view, with candidates fitted on the events up to its valid cutoff, and their rule in words."""
    known = np.asarray(histories.time) <= fold.valid_cutoff
    if not known.any():
        raise InputError("timeline: no event lies at or before the valid cutoff; use shorter horizons or fewer folds.")
    candidate, names, rule = assign(categories, histories, known)
    if len(names) < 2:
        raise InputError(
            f"category: the log has only {len(names)} category up to the valid cutoff ({', '.join(map(str, names))}); "
            f"interests need at least 2 to tell apart. Name another column, or use target.categories.rule='item'."
        )
    return FoldView(histories, fold, candidate, names), rule


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
