"""The critical difference diagram: mean ranks over logs, bars joining those that cannot be told apart."""

from collections.abc import Sequence

import numpy as np

from lab.report.panels import LABEL, wrapped
from lab.report.style import png, style, svg
from lab.statistics.ranks import Ranking


def draw_ranks(names: Sequence[str], found: Ranking) -> dict[str, bytes]:
    """The diagram as `svg` and `png` (Demšar 2006)."""
    import pandas as pd
    from matplotlib.figure import Figure
    from scikit_posthocs import critical_difference_diagram

    shown = [wrapped(name, LABEL) for name in names]
    p = np.where(found.apart, 0.0, 1.0)
    with style():
        figure = Figure(figsize=(9, 1.6 + 0.22 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.grid(False)
        critical_difference_diagram(
            dict(zip(shown, found.mean, strict=True)),
            pd.DataFrame(p, index=shown, columns=shown),
            ax=axes,
            color_palette=["black"] * len(names),
            label_props={"fontsize": 9},
            elbow_props={"linewidth": 0.8},
            marker_props={"s": 14},
            crossbar_props={"color": "black", "linewidth": 2.5},
        )
        words = f"mean rank, 1 is best; bars join what cannot be told apart (critical difference {found.critical:.2f})"
        axes.set_title(words, fontsize=9, pad=14)
        return {"svg": svg(figure), "png": png(figure)}
