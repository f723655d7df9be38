"""Logs, from files to rows that a model reads, in the order of the rooms within:

sources   files and public data sets, read into the schema
log       one log cleaned, sorted, encoded and cached as histories
fold      what is known of the histories at a fold's cutoffs, what counts as a category, who is asked
rows      histories as steps, packed into rows

`schema` and `timeline` are below all four. May import `lab.core`; each of the four may import those above it in
this list. Nothing here knows of feature groups, targets or models.
"""
