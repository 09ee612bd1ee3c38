"""The figures of two cells side by side, on the same axes, each beside its words."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import compared, findings, names
from diffred_core.chapters.random_subsets.figures import KEPT
from diffred_core.chapters.random_subsets.tables import shares
from diffred_core.drawing import Figure, Look, Table
from diffred_core.drawing.style import COLOURS, GREY, begin, finish, line, nearest, percent_axis, percent_ticks
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import cell_name

LOOKS = ((COLOURS[0], "o"), (COLOURS[1], "s"))
COLUMNS = ("cell", "metric", "fraction", "mean", "low", "high")
APART = ("cells", "measure", "fraction", "mean", "low", "high", "recipe")


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of each cell, from `compared.compare`: cell, metric, fraction, mean, low, high."""
    rows = where(table, metric=(names.ACCURACY, names.CKA)).rename(columns={"value": "mean"})
    cells = [f"{r.recipe}: {cell_name(r.model, r.task)}" for r in rows[["recipe", "model", "task"]].itertuples()]
    return rows.assign(cell=cells)[list(COLUMNS)].reset_index(drop=True)


def plot_curves(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw both curves with their intervals."""
    ax = begin(ax, summary, COLUMNS, what="plot_curves")
    for name, (colour, marker) in zip(summary["cell"].unique(), LOOKS, strict=False):
        line(ax, where(summary, cell=name), x="fraction", look=Look(name, colour, marker))
    percent_axis(ax, summary["fraction"])
    similarity = summary["metric"].iloc[0] == names.CKA
    if not similarity:
        percent_ticks(ax)
    return finish(
        ax, title="random subsets", x=KEPT, y="CKA, debiased" if similarity else "test accuracy (%)", columns=1
    )


def describe_curves(summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words."""
    parts = []
    for name in summary["cell"].unique():
        row = nearest(where(summary, cell=name), names.FRACTION)
        value = f"{row['mean']:.3f}" if row["metric"] == names.CKA else f"{100 * row['mean']:.1f} %"
        parts.append(f"{name} {value} at {percent(row['fraction'])}")
    return f"Line chart of two curves against the share of dimensions kept: {'; '.join(parts)}."


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first less the second by share: cells, measure, fraction, mean, low, high, recipe."""
    rows = where(table, metric=compared.DIFFERENCE).rename(columns={"value": "mean"})
    cells = [
        f"{cell_name(r.model, r.task)} less {r.label}" for r in rows[["model", "task", "label"]].itertuples(index=False)
    ]
    measure = names.CKA if (table["metric"] == names.CKA).any() else names.ACCURACY
    return rows.assign(cells=cells, measure=measure)[list(APART)].reset_index(drop=True)


def plot_differences(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the difference with its interval against the share of dimensions kept."""
    ax = begin(ax, summary, APART, what="plot_differences")
    line(ax, summary, x="fraction", look=Look("first less second", COLOURS[0]))
    ax.axhline(0, color=GREY, linewidth=1.2, linestyle="--", label="no difference")
    percent_axis(ax, summary["fraction"])
    title = f"first less second; band: {' and '.join(summary['recipe'].unique())}"
    similarity = summary["measure"].iloc[0] == names.CKA
    if not similarity:
        percent_ticks(ax)
    return finish(ax, title=title, x=KEPT, y="difference of CKA" if similarity else "difference (points of accuracy)")


def describe_differences(summary: pd.DataFrame) -> str:
    """Return `plot_differences` in words."""
    apart = summary[(summary["low"] > 0) | (summary["high"] < 0)]
    row = nearest(summary, names.FRACTION)
    similarity = row["measure"] == names.CKA
    value = f"{row['mean']:+.3f} of CKA" if similarity else f"{100 * row['mean']:+.1f} points"
    return (
        f"Line chart of {summary['cells'].iloc[0]}: {value} at {percent(row['fraction'])}; the interval "
        f"leaves out 0 at {len(apart)} of {len(summary)} shares."
    )


both = Figure(curves, plot_curves, describe_curves, finding=findings.both)
apart = Figure(differences, plot_differences, describe_differences, finding=findings.apart)


def differences_in_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return `differences` for readers: shares in percent, accuracies in points."""
    rows = differences(table)
    times = 1 if (rows["measure"] == names.CKA).all() else 100
    shown = pd.DataFrame({"dimensions": shares(rows["fraction"]), "difference": times * rows["mean"]})
    return shown.assign(low=times * rows["low"], high=times * rows["high"], interval=rows["recipe"])


numbers = Table(
    differences_in_points,
    "The first less the second by share of the dimensions, accuracies in points, with its interval and how that is "
    "made.",
    digits=2,
)
