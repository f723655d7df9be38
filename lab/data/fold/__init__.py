"""One fold's look at the histories: what is known at its cutoffs, candidates, queries and labels' containers.

Here: what decides who is asked and what counts as known. May import `lab.data.log` and what is below.
"""
