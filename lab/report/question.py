"""What was asked."""

from lab.core.paragraphs import paragraphs
from lab.data.timeline import LAST_EVENT
from lab.report.contents import Contents
from lab.results.cells_table import days


def question_text(contents: Contents) -> list[str]:
    """What the experiment asks, a paragraph each: by the pin where it says so, else by the lines it has."""
    about = contents.facts.get("about") or {}
    return list(paragraphs(about.get("text", ""))) or [_of_lines(contents)]


def _of_lines(contents: Contents) -> str:
    names = list(dict.fromkeys(line.name for line in contents.lines if line.kind == "model"))
    if all(line.horizon == LAST_EVENT for line in contents.lines):
        return f"Which ranks each user's next event best: {', '.join(names) or 'which baseline'}?"
    asked = ", ".join(dict.fromkeys(f"{days(line.horizon)}" for line in contents.lines))
    targets = " and ".join(dict.fromkeys(line.target for line in contents.lines))
    unit = "day" if asked == "1" else "days"
    return f"Which ranks {targets} best over the next {asked} {unit}: {', '.join(names) or 'which baseline'}?"
