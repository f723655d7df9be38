"""A fold made ready to train on: its feature groups fitted, its labels, its rows.

Here: where features, targets and rows meet. May import `lab.data`, `lab.features` and `lab.targets`, and not models.
"""
