"""Weights & Biases as a mirror of a results folder, in a process of its own.

Here: what a run is there, and what it has got. May import `lab.results`, `lab.report` and below; no cell waits for it.
"""
