"""The pin: one file from which others check and reproduce a run.

Here: what a pin holds, the machine it was made on, and whether two numbers agree. May import `lab.results` and below.
"""
