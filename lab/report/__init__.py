"""A results folder as figures and as one self-contained page.

Here: figures, the page, and several folders put together. What a target wants shown it declares (`Panel`); how each
kind of panel is drawn is a file here. May import `lab.results`, `lab.pins` and below; matplotlib where it draws.
"""

from lab.report.write import write_report as write_report
