"""A folder of results: cells on disk, claims on them, and the tables made from them.

Here: what is kept of cells, whether it is whole, means with intervals, comparisons, the table in all its forms and the
sentences below it. Knows no metric, slice or target by name: each record says how it was judged. May import
`lab.experiment` and what is below; nothing that trains.
"""
