"""Histories as steps, packed into the rows that models read.

Here: cutting, packing, padding, and the entries that candidate groups look at. May import `lab.data.fold` and below.
"""
