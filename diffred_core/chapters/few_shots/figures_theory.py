"""Formula beside simulation: accuracy of two Gaussian classes by the number of dimensions kept."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import theory_errors
from diffred_core.drawing import Figure
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, axes_or_new, finish, percent_ticks, require


def _plot_theory(errors: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw simulated accuracy (points) and its approximation (lines) by the dimensions kept, one colour a shot number.

    Drawn are the methods ``top`` and ``mask_theory`` of `theory_errors`.
    """
    require(errors, ("method", "n_selected", "n_shot", "simulated", "approximated"), what="figures.theory")
    ax = axes_or_new(ax, size=(5.8, 4.8))
    kept = errors[errors["method"] == "top"]
    for (n_shot, rows), colour, marker in zip(kept.groupby("n_shot"), COLOURS, MARKERS, strict=False):
        rows = rows.sort_values("n_selected")
        ax.plot(rows["n_selected"], 1 - rows["simulated"], marker, color=colour, label=plural(n_shot, "shot"))
        ax.plot(rows["n_selected"], 1 - rows["approximated"], color=colour, linewidth=1.2)
        mask = errors[(errors["method"] == "mask_theory") & (errors["n_shot"] == n_shot)]
        ax.plot(mask["n_selected"] * 1.25, 1 - mask["simulated"], marker, color=colour, markerfacecolor="white")
    ax.plot([], [], color=GREY, label="formula (6)")
    ax.plot([], [], "o", color=GREY, markerfacecolor="white", label="all, mask (8)")
    ax.set_xscale("log")
    ax.set_xticks(sorted(kept["n_selected"].astype(int).unique()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    percent_ticks(ax)
    title = "filled points: simulation"
    return finish(ax, title=title, x="dimensions kept, best first (log scale)", y="accuracy (%)")


def _theory_in_words(errors: pd.DataFrame) -> str:
    parts = []
    for n_shot, rows in errors[errors["method"] == "top"].groupby("n_shot"):
        best, last = rows.loc[rows["simulated"].idxmin()], rows.loc[rows["n_selected"].idxmax()]
        mask = errors[(errors["method"] == "mask_theory") & (errors["n_shot"] == n_shot)].iloc[0]
        parts.append(
            f"{plural(n_shot, 'shot')}: {_accuracy(best)} with {best['n_selected']} dimensions, {_accuracy(last)} with "
            f"all {last['n_selected']}, {_accuracy(mask)} with the mask"
        )
    return f"Line chart of the accuracy of two Gaussian classes by the dimensions kept. {'; '.join(parts)}."


def _accuracy(row: pd.Series) -> str:
    return f"{100 * (1 - row['simulated']):.1f} %"


theory = Figure(theory_errors, _plot_theory, _theory_in_words)
