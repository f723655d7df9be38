"""Small figures of a log: in the terminal, and as a file."""

from pathlib import Path

import numpy as np

from lab.core.errors import FaultError, InputError
from lab.data.log.histories import Histories
from lab.data.timeline import date_text

EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: np.ndarray, height: int) -> list[str]:
    """Upright bars of non-negative values, one column each, from the top line to the bottom one."""
    peak = max(float(np.max(values)), 1e-12)
    eighths = np.ceil(np.asarray(values) / peak * height * 8).astype(int)
    return ["".join(EIGHTHS[min(max(e - 8 * line, 0), 8)] for e in eighths) for line in reversed(range(height))]


def events_over_time(histories: Histories, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Events in `width` equal pieces of the span (fewer when it has fewer instants), and the pieces' edges."""
    first, last = int(histories.time.min()), int(histories.time.max())
    pieces = max(1, min(width, (last - first) // histories.facts["resolution"] + 1))
    edges = first + np.arange(pieces + 1) * (last + 1 - first) / pieces
    return np.histogram(histories.time, edges)[0], edges


def timeline_figure(histories: Histories, width: int, height: int = 5) -> list[str]:
    """Events over the span as bars, with the peak and the dates at the ends."""
    counts, edges = events_over_time(histories, width)
    first, last = date_text(int(edges[0]))[:10], date_text(int(edges[-1]) - 1)[:10]
    lines = [line.rstrip() for line in bars(counts, height)]
    gap = " " * max(1, len(counts) - len(first) - len(last))
    return [*lines, f"{first}{gap}{last}"]


def save_figure(histories: Histories, path: Path) -> None:
    """Events over time and history lengths, side by side. Raises InputError for an ending matplotlib lacks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    over_time, lengths = figure.subplots(1, 2)
    counts, edges = events_over_time(histories, 120)
    over_time.stairs(counts, edges.astype("datetime64[us]"), fill=True)
    over_time.set(title="events over time", ylabel="events")
    over_time.tick_params(axis="x", rotation=30)
    sizes = np.sort(np.diff(histories.offsets))
    lengths.plot(sizes, np.linspace(1, 0, len(sizes), endpoint=False))
    lengths.set(title="users with at least so many events", xlabel="events", ylabel="share of users", xscale="log")
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise InputError(f"figure: {path}: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise FaultError(f"figure: {path}: {error.strerror}.") from None
