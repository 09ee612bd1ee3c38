"""Figures across models and tasks."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from diffred_core.drawing.style import (
    COLOURS,
    GREY,
    MARKERS,
    axes_or_new,
    cell_names,
    finish,
    interval_name,
    percent_axis,
    require,
)


def plot_dumbbells(pairs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of random subsets and of the full layer, one row a model and task.

    Parameters
    ----------
    pairs : DataFrame
        Columns task, model, fraction, mean, low, high, n, level (of the subsets) and full.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(pairs, ("task", "model", "fraction", "mean", "low", "high", "n", "full"), what="plot_dumbbells")
    ax = axes_or_new(ax, size=(5.8, 1.6 + 0.4 * len(pairs)))
    rows = pairs.sort_values(["task", "model"], ascending=False).reset_index(drop=True)
    reach = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    share = f"{100 * rows['fraction'].iloc[0]:g} % of the features"
    ax.hlines(rows.index, rows["mean"], rows["full"], color="#BFBFBF", linewidth=2, zorder=1)
    ax.errorbar(rows["mean"], rows.index, xerr=reach, fmt="o", color=COLOURS[0], capsize=3, markersize=6, label=share)
    ax.plot(rows["full"], rows.index, "D", color=COLOURS[1], markersize=6, label="full layer")
    ax.set_yticks(rows.index, cell_names(rows))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    return _finish_rows(ax, f"bars: {interval_name(pairs)}", "test accuracy (%)", columns=2)


def plot_needed(needed: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of the features that keeps a share delta of the accuracy, one row a model and task.

    Parameters
    ----------
    needed : DataFrame
        Columns task, model, delta and fraction, the smallest tested share that keeps `delta`.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(needed, ("task", "model", "delta", "fraction"), what="plot_needed")
    cells = needed[["task", "model"]].drop_duplicates().sort_values(["task", "model"], ascending=False)
    cells = cells.reset_index(drop=True).rename_axis("row").reset_index()
    ax = axes_or_new(ax, size=(5.8, 2.2 + 0.4 * len(cells)))
    placed = needed.merge(cells, on=["task", "model"])
    for (delta, rows), colour, marker in zip(placed.groupby("delta"), COLOURS, MARKERS, strict=False):
        label = f"keeps {100 * delta:g} % of the accuracy"
        ax.plot(rows["fraction"], rows["row"], marker, color=colour, markersize=7, label=label)
    ax.set_yticks(cells["row"], cell_names(cells))
    percent_axis(ax, [min(0.01, *needed["fraction"])])
    ax.set_ylim(-0.6, len(cells) - 0.4)
    return _finish_rows(ax, "mean over draws", "smallest share of features that does (%, log scale)", columns=1)


def plot_frontier(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the number of features kept for several models, and the frontier of all of them.

    Parameters
    ----------
    summary : DataFrame
        Columns model, n_selected, mean, low, high of one task and probe, and the column `frontier`: whether no
        model does better with as few features.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(summary, ("model", "n_selected", "mean", "frontier"), what="plot_frontier")
    ax = axes_or_new(ax)
    best = summary[summary["frontier"]].sort_values("n_selected")
    ax.step(best["n_selected"], best["mean"], where="post", color=GREY, linewidth=6, alpha=0.25, label="frontier")
    for (model, rows), colour, marker in zip(summary.groupby("model"), COLOURS, MARKERS, strict=False):
        rows = rows.sort_values("n_selected")
        ax.plot(rows["n_selected"], rows["mean"], color=colour, marker=marker, markersize=4.5, lw=1.4, label=str(model))
    ax.set_xscale("log")
    ax.set_xticks([k for k in (1, 3, 10, 30, 100, 300, 1000, 3000) if k <= summary["n_selected"].max()])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    title = "random subsets, mean over draws"
    return finish(ax, title=title, x="number of features kept (log scale)", y="test accuracy (%)", columns=1)


def _finish_rows(ax: Axes, title: str, x: str, *, columns: int) -> Axes:
    ax.tick_params(axis="y", labelsize=9)
    return finish(ax, title=title, x=x, y="", columns=columns)
