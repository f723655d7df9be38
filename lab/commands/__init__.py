"""The commands' texts, flags and answers; `lab/run.py` and its neighbours are the thin files that start them.

Here: arguments, help, lists, the description of a log. May import every room.
"""
