"""The figure of targets that rank candidates: how well what is new to a user is ranked, against what is not."""

from lab.evaluation.measures import Panel


def familiarity_panel(things: str) -> Panel:
    """NDCG@10 of *novel* against *repeat*."""
    return Panel(
        kind="scatter",
        name="novel",
        title="Novel against repeat",
        words=f"How well each line ranks {things} never touched before (upwards) against those touched before (to the "
        "right); several horizons are joined, and the longest marked.",
        metric="ndcg@10",
        slices=("repeat", "novel"),
    )
