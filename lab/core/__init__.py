"""What everything stands on: errors, whole writes, lazy imports, type checks of settings, words for a terminal,
and which definitions a piece of code can reach.

Here: what knows nothing of logs, models or experiments and would be of use in another project. May import no other
room, and no library that takes long to load.
"""
