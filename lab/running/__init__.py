"""A grid being run: the plan, programs assembled, cells computed, judged, resumed and kept.

Here: what goes from a declaration to finished cells. May import every room but `lab.predicting` and `lab.commands`.
"""
