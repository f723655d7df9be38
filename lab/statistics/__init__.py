"""Intervals, tests and corrections of finished results; no cell's number depends on them."""
