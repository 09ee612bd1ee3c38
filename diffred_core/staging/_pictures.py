"""Figures of pages that no notebook draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from diffred_core.drawing import Figure


def draw(figure: Figure, summary: pd.DataFrame) -> tuple[bytes, str]:
    """Return a figure as PNG and its alternative text, from its summary; equal summaries give equal bytes."""
    import matplotlib.pyplot as plt  # heavy, and staging a book without figures does not need it

    from diffred_core.drawing import png

    canvas = figure.plot(summary).figure
    picture = png(canvas)
    plt.close(canvas)
    return picture, figure.words(summary)
