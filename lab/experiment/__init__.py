"""What is asked: an experiment, the grid of cells it spans, and the identity of each cell.

Here: declarations, the registry, names and fingerprints, the record that is kept of a cell, experiment files loaded.
May import data, features, models, targets, baselines and training; computes nothing.
"""
