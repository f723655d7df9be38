"""The slices of targets that rank candidates: all of them, those a user had touched before, and the others."""

from lab.evaluation.measures import SliceSpec

SLICES = ("all", "repeat", "novel")

FAMILIARITY = (
    SliceSpec(name="all", meaning="all candidates"),
    SliceSpec(
        name="repeat",
        meaning="those that the user had touched by the cutoff",
        reason_whole="each is for what its user had taken before",
    ),
    SliceSpec(
        name="novel",
        meaning="those that the user had never touched",
        reason_whole="none is for what its user had taken before",
    ),
)
