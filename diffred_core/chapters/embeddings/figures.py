"""Figures of a report on embeddings, each beside its words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.decision import share
from diffred_core.chapters.embeddings.tables import points
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import GREY
from diffred_core.results import where

LOOKS = {
    names.FULL: Look(names.METHOD_WORDS[names.FULL], "#000000", "X"),
    names.RANDOM: Look(names.METHOD_WORDS[names.RANDOM], "#0072B2", "o"),
    names.FIRST: Look(names.METHOD_WORDS[names.FIRST], "#332288", "p"),
    "top_variance": Look(names.METHOD_WORDS["top_variance"], "#009E73", "^"),
    "importance": Look(names.METHOD_WORDS["importance"], "#E69F00", "v"),
    "pca": Look(names.METHOD_WORDS["pca"], "#D55E00", "s"),
    "pca_uncentred": Look(names.METHOD_WORDS["pca_uncentred"], "#CC79A7", "D"),
    "pca_whitened": Look(names.METHOD_WORDS["pca_whitened"], "#882255", "P"),
    "random_projection": Look(names.METHOD_WORDS["random_projection"], "#56B4E9", "h"),
    names.PRODUCT: Look(names.METHOD_WORDS[names.PRODUCT], "#117733", "*"),
}
PANEL = (2.9, 2.6)  # inches
ENDS = {names.RANDOM: "mean", names.FIRST: "first"}  # the lines of `plot_prefixes`, and their columns


def plot_frontier(every: pd.DataFrame) -> Axes:
    """Draw quality against bytes, one panel a number format, with the frontier of all of them behind each."""
    style.require(every, ("recipe", "method", names.BYTES, "value", "frontier"), what="plot_frontier")
    every = every.assign(panel=every["recipe"].map(names.FORMAT_WORDS).fillna("codes of 8 bits"))
    formats = [words for words in (*names.FORMAT_WORDS.values(), "codes of 8 bits") if words in set(every["panel"])]
    columns = min(2, len(formats))
    grid = style.panels(every, size=PANEL, col="panel", col_wrap=columns, col_order=formats, sharey=True)
    best = every[every["frontier"]].sort_values(names.BYTES)
    lines = style.looks(LOOKS, every["method"])
    sizes = every[names.BYTES]
    for place, (name, ax) in enumerate(grid.axes_dict.items()):
        ax.step(best[names.BYTES], best["value"], where="post", color=GREY, linewidth=6, alpha=0.25, label="frontier")
        ax.axhline(every["delta"].iloc[0], color=GREY, linestyle=":", linewidth=1.2, label="tolerance")
        for method, rows in where(every, panel=name).groupby("method"):
            look = lines[str(method)]
            style.line(ax, rows.rename(columns={"value": "mean"}), x=names.BYTES, look=look, band=False)
        style.number_axis(ax, 8.0 ** np.arange(np.ceil(np.log2(sizes.min()) / 3), np.log2(sizes.max()) / 3), base=2)
        ax.set_xlim(sizes.min() / 1.3, sizes.max() * 1.3)  # one for all: what is further left is smaller
        style.percent_ticks(ax)
        x = "bytes a vector (log)" if place >= len(formats) - columns else ""
        style.finish(ax, title=name, x=x, y="quality kept (%)" if place % columns == 0 else "", legend=False)
    return style.name_panels(grid, "Share of the full vectors' quality, scored rows")


def describe_frontier(every: pd.DataFrame) -> str:
    """Return `plot_frontier` in words."""
    best = every[every["frontier"]].sort_values(names.BYTES)
    steps = [
        f"{int(row[names.BYTES])} bytes {100 * row['value']:.1f} % "
        f"({names.setting_words(row['method'], int(row['n_selected']), row['recipe'])})"
        for _, row in best.iterrows()
    ]
    return f"Line charts of the quality kept against bytes, one a number format. The frontier: {'; '.join(steps)}."


def head_frontier(every: pd.DataFrame) -> str:
    """Return the fewest bytes of a measured point that keeps what the tolerance asks, of how many, and by what."""
    enough = every[every["value"] >= every["delta"]].sort_values([names.BYTES, "value"], ascending=[True, False])
    if enough.empty:
        return f"Nothing that was tested keeps {share(every['delta'].iloc[0])} of the quality."
    best, most = enough.iloc[0], int(every[names.BYTES].max())
    setting = names.setting_words(best["method"], int(best["n_selected"]), best["recipe"])
    return f"{int(best[names.BYTES])} of {most:,} bytes keep {share(best['value'])} of the quality: {setting}."


def head_prefixes(rows: pd.DataFrame) -> str:
    """Return at how many widths the first k dimensions are above, within or below the range of random k."""
    above, below = int((rows["first"] > rows["high"]).sum()), int((rows["first"] < rows["low"]).sum())
    within = len(rows) - above - below
    sides = {"above": above, "within the range of": within, "below": below}
    words, n = max(sides.items(), key=lambda side: side[1])
    return f"At {n} of {len(rows)} widths the first k dimensions lie {words} random k."


def prefix_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the first k dimensions reach, and the range of random k, by k."""
    draws = where(table, split=names.DRAWS)
    random = where(draws, method=names.RANDOM).groupby("n_selected")["value"].agg(["mean", "min", "max"])
    first = where(draws, method=names.FIRST).set_index("n_selected")["value"].rename("first")
    return random.join(first, how="inner").reset_index().rename(columns={"min": "low", "max": "high"})


def plot_prefixes(rows: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw recall of the first k dimensions over the range of random k."""
    ax = style.begin(ax, rows, ("n_selected", "first", "mean", "low", "high"), what="plot_prefixes")
    style.line(ax, rows, x="n_selected", look=LOOKS[names.RANDOM], label="_")
    first = rows.drop(columns=["mean", "low", "high"]).rename(columns={"first": "mean"}).assign(low=float("nan"))
    style.line(ax, first, x="n_selected", look=LOOKS[names.FIRST], band=False, label="_")
    style.number_axis(ax, rows["n_selected"], base=2)
    style.percent_ticks(ax)
    last = rows.sort_values("n_selected").iloc[-1]
    name_ends(ax, [End(LOOKS[name], last["n_selected"], last[column]) for name, column in ENDS.items()])
    title = "Band: range of random subsets"
    return style.finish(ax, title=title, x="dimensions kept (log scale)", y="recall@10 of neighbours (%)", legend=False)


def describe_prefixes(rows: pd.DataFrame) -> str:
    """Return `plot_prefixes` in words."""
    steps = [
        f"{int(row.n_selected)}: first {100 * row.first:.1f} %, random {100 * row.low:.1f} to {100 * row.high:.1f} %"
        for row in rows.itertuples()
    ]
    return f"Line chart of recall@10 by the number of dimensions kept. {'; '.join(steps)}."


frontier = Figure(points, plot_frontier, describe_frontier, finding=head_frontier)
prefixes = Figure(
    prefix_rows,
    plot_prefixes,
    describe_prefixes,
    empty="The question of prefixes was left out for lack of time.",
    finding=head_prefixes,
)
