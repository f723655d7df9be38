"""A results folder as figures and as one self-contained page."""

from lab.report.write import write_report as write_report
