"""Marks in the source that say where the numbers of cells come from. Fingerprints read them; calling them does nothing.

A cell's fingerprint starts from the classes that the cell names (`lab.experiment.fingerprints`), and from what is
marked here.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def computes_cells(*kinds: str) -> Callable[[T], T]:
    """Mark a function or class that computes cells of these kinds (model, baseline, oracle): their numbers depend on it
    and on all that it uses."""
    return lambda marked: marked


def not_fingerprinted(marked: T) -> T:
    """Mark a function that checks, registers or describes settings: cells hold their settings themselves, so that
    its code moves none of their numbers. What uses it does not depend on it, nor does a class of
    the lab depend on its methods that are marked so."""
    return marked
