"""The published scores against the bytes of a vector, a panel an encoder, and the same in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.embeddings import names_published as names
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS
from diffred_core.results import where

BITS_OF_ALL = (names.FULL, names.HALF, names.EIGHT_BITS, names.FOUR_BITS, names.TWO_BITS, names.AT_MEDIAN)
LINES = {
    "all dimensions, fewer bits": Look("all dimensions, 32 to 1 bits", COLOURS[0], MARKERS[0]),
    "first": Look("first k, 32 bits", COLOURS[1], MARKERS[1]),
    "first, 8 bits": Look("first k, 8 bits", COLOURS[4], MARKERS[4], "--"),
    "pca": Look("k principal components", COLOURS[2], MARKERS[2]),
    "pq": Look("product quantisation, 8-bit codes", COLOURS[3], MARKERS[3]),
    "lsh": Look("random signs (LSH)", "#000000", MARKERS[5], ":"),
}
BANDED = ("all dimensions, fewer bits", "first", "pca")
COLUMNS = ("model", "line", "bytes", "mean", "low", "high", "n")
BYTES_AXIS = "bytes a vector (log)"


def lines_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the full score by encoder, line of the figure, and bytes of a vector."""
    by = ["model", "method", "n_selected", "recipe"]
    kept = where(table, metric=names.KEPT).set_index(by)
    size = where(table, metric=names.BYTES).set_index(by)["value"].rename("bytes")
    rows = kept[["n_features", "value", "low", "high", "n"]].join(size).reset_index().rename(columns={"value": "mean"})
    parts = [of_line.assign(line=line) for line, of_line in _of_lines(rows)]
    return pd.concat(parts, ignore_index=True)[[*COLUMNS, "n_selected"]].sort_values(["model", "line", "bytes"])


def _of_lines(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    dimensions = where(rows, method=names.DIMENSIONS)
    whole = dimensions[dimensions["n_selected"] == dimensions["n_features"]]
    yield "all dimensions, fewer bits", where(whole, recipe=BITS_OF_ALL)
    yield "first", where(dimensions, recipe=names.FULL)
    yield "first, 8 bits", where(dimensions, recipe=names.EIGHT_BITS)
    yield "pca", where(rows, method=names.PCA)
    codes = where(rows, method=names.PQ)
    yield "pq", codes[codes["recipe"].str.endswith("_8_pq")]
    yield "lsh", where(rows, method=names.LSH)


def plot_published(summary: pd.DataFrame) -> Axes:
    """Draw what is kept of the full score against the bytes of a vector, a panel an encoder."""
    style.require(summary, COLUMNS, what="plot_published")
    grid = style.panels(summary, size=(2.9, 2.7), col="model", col_wrap=2)
    for place, (encoder, ax) in enumerate(grid.axes_dict.items()):
        of_encoder = where(summary, model=encoder)
        for line, look in LINES.items():
            rows = where(of_encoder, line=line)
            if len(rows):
                style.line(ax, rows, x="bytes", look=look, band=line in BANDED)
        ax.axhline(1, color=GREY, linewidth=1, zorder=0)
        style.number_axis(ax, [32, 128, 512, 2048], base=2)
        style.percent_ticks(ax)
        title = textwrap.fill(names.ENCODERS.get(str(encoder), str(encoder)), 27)
        x = BYTES_AXIS if place >= len(grid.axes_dict) - 2 else ""
        style.finish(ax, title=title, x=x, y="nDCG@10 kept (%)" if place % 2 == 0 else "", legend=False)
    grid.set(ylim=(0, 1.05))
    return style.name_panels(grid, "Bands: 95 % bootstrap interval over 14 sets of queries")


def published_words(summary: pd.DataFrame) -> str:
    """Return `plot_published` in words."""
    sentences = []
    for encoder, of_encoder in summary.groupby("model"):
        named = names.ENCODERS.get(str(encoder), str(encoder))
        quarter = of_encoder["bytes"].max() / 4
        parts = [
            f"{LINES[line].words} {100 * at['mean']:.1f} %"
            for line, rows in of_encoder.groupby("line", sort=False)
            for at in [rows.iloc[(rows["bytes"] - quarter).abs().argmin()]]
            if at["bytes"] == quarter
        ]
        sentences.append(f"{named} at {quarter:,.0f} bytes: {'; '.join(parts)}")
    return (
        "Line charts of the share of the full nDCG@10 against the bytes of a vector, a panel an encoder. At a quarter "
        f"of the bytes of 32-bit floats: {'. '.join(sentences)}."
    )


def head_published(summary: pd.DataFrame) -> str:
    """Return on how many encoders 1 bit of all dimensions is ahead of the first k at 1/32 of the bytes, and how far."""
    least = summary[summary["bytes"] == summary.groupby("model")["bytes"].transform("max") / 32]
    bits, first = (where(least, line=line).set_index("model")["mean"] for line in LINES if line in BANDED[:2])
    points = 100 * (bits - first).dropna()
    if points.empty:
        return "Fewer bits and fewer dimensions have no number of bytes in common."
    ahead = int((points > 0).sum())
    side, n = ("ahead of", ahead) if 2 * ahead >= len(points) else ("behind", len(points) - ahead)
    return (
        f"At 1/32 of the bytes single bits are {side} the first k on {n} of {len(points)} encoders, "
        f"by up to {points.abs().max():.0f} points."
    )


published = Figure(lines_of, plot_published, published_words, finding=head_published)
