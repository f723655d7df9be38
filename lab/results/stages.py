"""The kinds of work that follow the cells of a run, for whoever counts how much of it is left."""

TABLES = "tables"
"""All tables, once."""
READ, DRAW = "reading", "drawing"
"""Reading for a page, once; and drawing, a unit for each figure."""
MIRROR = "mirror"
"""Waiting for W&B, once."""
