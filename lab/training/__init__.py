"""The training loop: one pure update, compiled calls, devices, rows on their way, checkpoints.

Here: what moves parameters. May import `lab.data.rows`, `lab.models`, `lab.targets` and no library heavier than jax,
flax, optax and numpy. Knows no experiment, no folder of results and no metric by name.
"""
