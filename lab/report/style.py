"""How every figure of a report looks, and how it becomes bytes that depend on its content alone."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
MARKERS = "osD^vPX<>ph*d"
"""More than colours, so that lines of one colour differ in it, as all do in grey print."""
DASHES = ("-", "--", "-.", ":")

_STYLE: Any = {
    "svg.hashsalt": "interest-lab",  # ids of shapes, else drawn at random
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 10,
    "text.parse_math": False,  # a name may hold a $, and what stands between two is one of its words
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def style() -> Iterator[None]:
    """Figures made inside look as those of a report do."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def log_scale(panel: Any, *axes: Literal["x", "y"]) -> None:
    """Set axes of a panel to a logarithmic scale whose numbers are written without mathematics."""
    from matplotlib.ticker import LogFormatterSciNotation

    class Powers(LogFormatterSciNotation):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return plain_power(super().__call__(x, pos))

    for name in axes:
        panel.set(**{f"{name}scale": "log"})
        axis = getattr(panel, f"{name}axis")
        axis.set_major_formatter(Powers())
        axis.set_minor_formatter(Powers())


def plain_power(text: str) -> str:
    """`10⁻²`, `2×10³`: what matplotlib writes as `$\\mathdefault{10^{-2}}$`."""
    inner = re.sub(r"^\$\\mathdefault\{(.*)\}\$$", r"\1", text).replace(r"\times", "×")
    return re.sub(r"\^\{(-?\d+)\}", lambda found: found[1].translate(_RAISED), inner)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def svg(figure: Any) -> bytes:
    """The figure as SVG, without a date in it."""
    return _bytes(figure, format="svg", metadata={"Date": None, "Creator": None})


def png(figure: Any) -> bytes:
    """The figure as PNG, at 150 dots an inch."""
    return _bytes(figure, format="png", dpi=150, metadata={"Software": None})


def _bytes(figure: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    # Each panel has its place now: finding it again, for another format, takes as long as the drawing.
    figure.set_layout_engine("none")
    return buffer.getvalue()


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def line_style(index: int) -> dict[str, Any]:
    """How the line of that place is drawn: no two of the first 26 look the same, without their colours either."""
    again = index // len(COLOURS)
    return {
        "color": colour(index),
        "linestyle": DASHES[again % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markerfacecolor": "white" if again % 2 else colour(index),
    }
