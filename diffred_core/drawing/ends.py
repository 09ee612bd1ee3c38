"""Names of lines at their ends, instead of a legend: nobody has to look back and forth."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from diffred_core.drawing.style import Look

LETTERS = 19  # of a line of a name
SIZE = 11  # points, as legends have
LINE_HEIGHT = 1.35 * SIZE / 72  # inches
HEIGHT = 0.72  # of a figure that its one panel takes, about: what is left holds title and axis
NAMES_AT = 1.04  # in widths of the axes


@dataclass(frozen=True)
class End:
    """Where a line ends, and how it is said and drawn."""

    look: Look
    x: float
    y: float


def name_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Write the names of lines right of the axes, at the heights of their ends; a thin line leads there.

    Names that would lie on one another are moved apart; their order stays that of the ends. Scales and limits of `ax`
    are to be final.
    """
    ax.autoscale_view()  # else the place of a number is that before the last line was drawn
    heights = [float(ax.transAxes.inverted().transform(ax.transData.transform((end.x, end.y)))[1]) for end in ends]
    texts = [textwrap.fill(end.look.words, LETTERS) for end in ends]
    unit = LINE_HEIGHT * ax.figure.dpi / (HEIGHT * ax.figure.bbox.height)
    placed = apart(heights, [unit * (text.count("\n") + 1) for text in texts])
    for end, text, height in zip(ends, texts, placed, strict=True):
        ax.annotate(
            text,
            xy=(end.x, end.y),
            xytext=(NAMES_AT, height),
            textcoords="axes fraction",
            va="center",
            fontsize=SIZE,
            linespacing=1,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.look.colour, "linewidth": 0.8, "relpos": (0, 0.5)},
        )


def apart(heights: Sequence[float], sizes: Sequence[float], *, high: float = 1.05) -> list[float]:
    """Return `heights`, moved so that spans of `sizes` about them do not overlap and none goes beyond `high`.

    Spans that meet become one block, about the mean of what they are to be at.

    Examples
    --------
    >>> apart([0.5, 0.5, 0.1], [0.2, 0.2, 0.2])
    [0.4, 0.6, 0.1]
    """
    order = sorted(range(len(heights)), key=lambda i: (heights[i], i))
    blocks: list[list[int]] = []
    for i in order:
        blocks.append([i])
        while len(blocks) > 1 and _bottom(blocks[-1], heights, sizes, high) < _top(blocks[-2], heights, sizes, high):
            last = blocks.pop()
            blocks[-1] += last
    placed = list(heights)
    for block in blocks:
        edge = _bottom(block, heights, sizes, high)
        for i in block:
            placed[i], edge = round(edge + sizes[i] / 2, 6), edge + sizes[i]
    return placed


def _bottom(block: Sequence[int], heights: Sequence[float], sizes: Sequence[float], high: float) -> float:
    """Return the lower edge of a block about the mean of its heights, no higher than lets it end at `high`."""
    size = sum(sizes[i] for i in block)
    return min(sum(heights[i] for i in block) / len(block) - size / 2, high - size)


def _top(block: Sequence[int], heights: Sequence[float], sizes: Sequence[float], high: float) -> float:
    return _bottom(block, heights, sizes, high) + sum(sizes[i] for i in block)
