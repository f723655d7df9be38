"""Faults that `benchmarks.mutants` puts into the lab's code one by one; each of them must make a test fail."""

from benchmarks.shared.mutants import of_data, of_files, of_judging, of_learning, of_results, of_rows
from benchmarks.shared.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *of_data.MUTANTS,
    *of_rows.MUTANTS,
    *of_learning.MUTANTS,
    *of_judging.MUTANTS,
    *of_results.MUTANTS,
    *of_files.MUTANTS,
)
"""From where a log is read to what is written of it."""
