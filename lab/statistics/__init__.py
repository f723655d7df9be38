"""Intervals, tests and corrections of finished results, of plain arrays; no cell's number depends on them.

Here: a formula with its source, its coverage or error measured by `benchmarks/statistics.py`. May import `lab.core`.
"""
