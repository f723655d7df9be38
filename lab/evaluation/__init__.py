"""From predictions to numbers: metrics on the host, and how far they can be trusted.

Here: metrics of plain arrays, and how a target declares its own. A metric that one target alone has is in that
target's folder. May import `lab.data`, `lab.statistics` and `lab.core`.
"""
