"""One log: cleaned, sorted, encoded, and cached as histories.

Here: cleaning rules, the quarantine, the order of events, the cache. May import `lab.data.sources` and what is below.
"""
