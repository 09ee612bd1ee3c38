"""Small networks by depth: accuracy on their task and on others, rank and collapse, and what is retained."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.drawing.style import (
    COLOURS,
    GREY,
    MARKERS,
    TEXT,
    axes_or_new,
    finish,
    interval_name,
    line,
    percent_ticks,
    require,
    task_label,
)
from diffred_core.tunnel import STRENGTHS

POOLING = {"early_pooling": "early pooling", "late_pooling": "without early pooling"}
NAMES = POOLING | {f"{method}_untrained": f"{name}, untrained" for method, name in POOLING.items()}
DASHES = {"early_pooling": "-", "late_pooling": "--"}
MOST = 102.0  # percent: the end of the axis, so that an interval around 100 is seen
SHADES = ("#FFFFFF", "#F4F4F4", "#E6E6E6", "#D4D4D4")  # the stronger the tunnel, the darker


def plot_depth_accuracy(summary: pd.DataFrame) -> Axes:
    """Draw probe accuracy by convolution, one panel a network, one line a task; before training it is dotted.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(rows, ["model", "method", "metric", "task", "layer"])`` of the rows of a tunnel_small_networks
        table whose metric is id_accuracy or ood_accuracy.

    Returns
    -------
    Axes
        The first panel; its figure holds one row of panels a model, one column a way of pooling.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(
        summary, ("model", "method", "metric", "task", "layer", "mean", "low", "high", "n"), what="plot_depth_accuracy"
    )
    summary = _numbered(summary)
    models, methods = _names(summary, "model"), [m for m in POOLING if m in set(summary["method"])]
    panels = _panels(len(models), len(methods))
    tasks = {task: COLOURS[i] for i, task in enumerate(_tasks(summary))}
    for row, model in zip(panels, models, strict=True):
        for ax, method in zip(row, methods, strict=True):
            cell = summary[(summary["model"] == model) & (summary["method"] == method)]
            untrained = summary[(summary["model"] == model) & (summary["method"] == f"{method}_untrained")]
            for (metric, task), rows in cell.groupby(["metric", "task"]):
                colour, dash = (GREY, "--") if metric == "id_accuracy" else (tasks[task], "-")
                line(ax, rows, x="convolution", label=_role(metric, task), colour=colour, marker="o", dash=dash)
                before = untrained[(untrained["task"] == task) & (untrained["metric"] == metric)]
                ax.plot(before["convolution"], before["mean"], ":", color=colour, linewidth=1.6)
            _panel(ax, title=f"{model}, {POOLING[method]}", y="test accuracy (%)" if ax is row[0] else "")
            percent_ticks(ax)
    panels[0][0].set_ylim(top=1.01)  # of all panels: an interval of few networks may reach beyond an accuracy's most
    dotted = "; dotted: before training" if summary["method"].str.endswith("_untrained").any() else ""
    _legend(panels, f"bands: {interval_name(summary, over='networks')}{dotted}")
    return panels[0][0]


def plot_depth_geometry(summary: pd.DataFrame) -> Axes:
    """Draw the numerical rank and the within-class variability (NC1) by convolution, one line a trained network.

    Parameters
    ----------
    summary : DataFrame
        From ``summarize(rows, ["model", "method", "metric", "layer"])`` of the metrics numerical_rank and nc1, the
        values of nc1 as decimal logarithms: it falls by orders of magnitude.

    Returns
    -------
    Axes
        The first of two panels.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("model", "method", "metric", "layer", "mean", "low", "high", "n"), what="plot_depth_geometry")
    summary = _numbered(summary)
    panels = _panels(1, 2, share=False)
    for ax, metric, title in zip(panels[0], ("numerical_rank", "nc1"), ("numerical rank", "log10 of NC1"), strict=True):
        for i, model in enumerate(_names(summary, "model")):
            for method, name in POOLING.items():
                rows = summary[
                    (summary["model"] == model) & (summary["method"] == method) & (summary["metric"] == metric)
                ]
                if len(rows):
                    style = {"colour": COLOURS[i], "marker": MARKERS[i], "dash": DASHES[method]}
                    line(ax, rows, x="convolution", label=f"{model}, {name}", **style)
        _panel(ax, title=title, y=title)
    _legend(panels, f"bands: {interval_name(summary, over='networks')}")
    return panels[0][0]


def plot_retained(draws: pd.DataFrame, summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of OOD performance that each network retains, beside the published names for it.

    Parameters
    ----------
    draws : DataFrame
        Rows of the metric mean_percent_retained of a tunnel_small_networks table, one a network.
    summary : DataFrame
        From ``summarize(draws, ["model", "method"])``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If the summary lacks a column or is empty.
    """
    require(summary, ("model", "method", "mean", "low", "high", "n"), what="plot_retained")
    ax = axes_or_new(ax, size=(6.6, 2.0 + 0.6 * len(summary)))
    rows = summary.sort_values(["model", "method"], ascending=[True, True], ignore_index=True)
    left = max(0.0, min(75.0, 5 * (min(draws["value"].min(), rows["low"].fillna(100).min()) // 5)))
    _shade_strengths(ax, left)
    for place, row in rows.iterrows():
        seeds = draws[(draws["model"] == row["model"]) & (draws["method"] == row["method"])]["value"]
        ax.plot(seeds, [place] * len(seeds), "o", color=COLOURS[0], alpha=0.5, markersize=6)
        reach = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
        ax.errorbar(row["mean"], place, xerr=reach, fmt="|", color="#000000", markersize=16, capsize=4)
    ax.set_yticks(range(len(rows)), [f"{r.model}\n{NAMES[r.method]}" for r in rows.itertuples()])
    ax.set_xlim(left, MOST)
    ax.set_ylim(len(rows) - 0.4, -0.9)
    title = f"dots: networks\nbars: {interval_name(summary, over='networks')}"
    return finish(ax, title=title, x="retained (%), mean over OOD tasks", y="")


def _shade_strengths(ax: Axes, left: float) -> None:
    right = MOST
    heights = itertools.cycle((-0.68, -0.42))  # neighbours in two rows: the upper bins are narrow
    for (name, lowest), shade, height in zip(STRENGTHS.items(), SHADES, heights, strict=False):
        if right > left:
            lowest = max(lowest, left)
            ax.axvspan(lowest, right, color=shade, linewidth=0, zorder=0)
            ax.text((lowest + right) / 2, height, name, ha="center", va="center", fontsize=9, color=GREY)
        right = lowest


def _numbered(summary: pd.DataFrame) -> pd.DataFrame:
    return summary.assign(convolution=summary["layer"].str.removeprefix("conv").astype(int))


def _names(summary: pd.DataFrame, column: str) -> list[str]:
    return sorted(summary[column].unique())


def _tasks(summary: pd.DataFrame) -> list[str]:
    return sorted(summary.loc[summary["metric"] == "ood_accuracy", "task"].unique())


def _role(metric: str, task: str) -> str:
    return f"{task_label(task)} (trained on)" if metric == "id_accuracy" else task_label(task)


def _panels(n_rows: int, n_columns: int, *, share: bool = True):
    with plt.rc_context(TEXT):
        size = (4.2 * n_columns, 3.0 * n_rows + 0.8)
        return plt.subplots(
            n_rows, n_columns, figsize=size, squeeze=False, sharey=share, facecolor="white", layout="constrained"
        )[1]


def _panel(ax: Axes, *, title: str, y: str) -> None:
    finish(ax, title=title, x="convolution", y=y, legend=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(panels, title: str) -> None:
    handles = {}
    for ax in panels.flat:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure = panels.flat[0].figure
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
