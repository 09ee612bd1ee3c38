"""One model by depth: accuracy in and out of distribution, rank, collapse, redundancy, and what test selection buys."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.drawing.style import (
    COLOURS,
    GREY,
    MARKERS,
    axes_or_new,
    finish,
    line,
    percent_ticks,
    require,
    task_label,
)

COLUMNS = ("place", "layer", "method", "task", "metric", "mean", "low", "high", "n", "level")
DESIGNS = {  # method: how it is named in a legend, dash
    "in_distribution": ("{task} (reference)", "--"),
    "transfer": ("{task}, probe of its own", "-"),
    "shift": ("{task}, probe of the reference", ":"),
}
RANKS = {  # metric: label, colour, marker
    "n_features": ("width of the layer", GREY, None),
    "rankme": ("RankMe", COLOURS[0], MARKERS[0]),
    "numerical_rank": ("numerical rank", COLOURS[1], MARKERS[1]),
    "stable_rank": ("stable rank", COLOURS[2], MARKERS[2]),
}
COLLAPSE = {
    "nc1": ("NC1, within over between classes", COLOURS[0], MARKERS[0]),
    "nc2": ("NC2, simplex of the means", COLOURS[1], MARKERS[1]),
    "nc3": ("NC3, probe and means", COLOURS[2], MARKERS[2]),
    "nc4": ("NC4, probe and nearest mean", COLOURS[3], MARKERS[3]),
}
CONVENTIONS = {"papyan": "-", "harun": ":"}
SHARES = {
    "cka_to_last": ("CKA with the last layer", COLOURS[0], MARKERS[0]),
    "accuracy_kept": ("accuracy kept by a random part", COLOURS[1], MARKERS[1]),
    "diffused_redundancy": ("diffused redundancy", COLOURS[2], MARKERS[2]),
}
WITHOUT_BAND = ("diffused_redundancy",)  # steps of a coarse grid: an interval over draws says nothing
SHADE = "#E8E8E8"
MOST_NAMES = 26  # tick labels that fit side by side
SIZE = (6.4, 5.2)


def plot_layer_accuracy(
    curves: pd.DataFrame, *, normalised: bool = False, start: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw probe accuracy by layer, one line a task and design; bands are intervals over test rows.

    Parameters
    ----------
    curves : DataFrame
        From ``sweeps.by_layer(table, ["accuracy"])``.
    normalised : bool
        Divide every line by its greatest value, as in the figures of Harun et al. (2024).
    start : int, optional
        Layer, from 1, from which on the tunnel is shaded; there is none if it is the last.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(curves, COLUMNS, what="plot_layer_accuracy")
    ax = axes_or_new(ax, size=SIZE)
    if has_tunnel(curves, start):
        ax.axvspan(
            start - 0.5,
            curves["place"].max() + 0.5,
            color=SHADE,
            linewidth=0,
            zorder=0,
            label="tunnel, by the original rule",
        )
    colours = iter(COLOURS[:-1] * len(curves))
    markers = iter(MARKERS * len(curves))
    for (method, task), rows in series(curves):
        label, dash = DESIGNS[method]
        reference = method == "in_distribution"
        rows = _normalised(rows) if normalised else rows
        style = {"colour": GREY if reference else next(colours), "marker": next(markers), "dash": dash}
        line(ax, rows, x="place", label=label.format(task=task_label(task)), **style)
    percent_ticks(ax)
    _layer_axis(ax, curves)
    y = "accuracy (% of the best layer)" if normalised else "test accuracy (%)"
    level = f"{100 * float(curves['level'].iloc[0]):g} %"
    return finish(ax, title=f"bands: {level} bootstrap over test images", x="", y=y, columns=1)


def plot_layer_rank(shape: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the number of directions that every layer uses, by three counts, beside its width.

    Parameters
    ----------
    shape : DataFrame
        From ``sweeps.by_layer(table, ["numerical_rank", "stable_rank", "rankme"])``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(shape, (*COLUMNS, "n_features"), what="plot_layer_rank")
    ax = axes_or_new(ax, size=SIZE)
    width = shape.drop_duplicates("place").assign(metric="n_features", mean=lambda t: t["n_features"].astype(float))
    _metric_lines(ax, pd.concat([shape, width]), RANKS)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    _layer_axis(ax, shape)
    return finish(ax, title="training images", x="", y="directions (log scale)")


def plot_layer_collapse(collapse: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the four measures of neural collapse by layer, in two conventions; all are 0 for a collapsed layer.

    Parameters
    ----------
    collapse : DataFrame
        From ``sweeps.by_layer(table, [...])`` of the metrics nc1_papyan, nc1_harun and so on.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(collapse, COLUMNS, what="plot_layer_collapse")
    ax = axes_or_new(ax, size=(SIZE[0], SIZE[1] + 0.6))
    for convention, dash in CONVENTIONS.items():
        styles = {
            f"{name}_{convention}": (f"{label.split(',')[0]}, {convention.capitalize()}", *look)
            for name, (label, *look) in COLLAPSE.items()
        }
        _metric_lines(ax, collapse, styles, dash=dash)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    _layer_axis(ax, collapse)
    return finish(ax, title="training images, probe of the reference task", x="", y="0 where collapsed (log scale)")


def plot_layer_redundancy(shares: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by layer its likeness to the last one, and how much of it can go; bands are over random subsets.

    Parameters
    ----------
    shares : DataFrame
        From ``sweeps.by_layer(table, ["cka_to_last", "accuracy_kept", "diffused_redundancy"])``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(shares, COLUMNS, what="plot_layer_redundancy")
    ax = axes_or_new(ax, size=SIZE)
    _metric_lines(ax, shares, SHARES)
    ax.set_ylim(-0.03, 1.03)
    _layer_axis(ax, shares)
    draws = int(shares["n"].max())
    title = f"bands: {100 * float(shares['level'].iloc[0]):g} % t interval, {draws} subsets" if draws > 1 else ""
    return finish(ax, title=title, x="", y="share", columns=1)


def plot_layer_optimism(optimism: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what it adds to choose the epoch of the published probe on the test rows, layer by layer.

    Parameters
    ----------
    optimism : DataFrame
        From ``sweeps.by_layer(table, ["optimism"])``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    InputError
        If a column is missing or there is no row.
    """
    require(optimism, COLUMNS, what="plot_layer_optimism")
    rows = optimism.sort_values(["task", "place"], ascending=False, ignore_index=True)
    ax = axes_or_new(ax, size=(6.4, 1.8 + 0.4 * len(rows)))
    points = 100 * rows[["mean", "low", "high"]].astype(float)
    reach = [points["mean"] - points["low"], points["high"] - points["mean"]]
    ax.axvline(0, color=GREY, linewidth=1)
    ax.errorbar(points["mean"], rows.index, xerr=reach, fmt="o", color=COLOURS[0], capsize=3, markersize=6)
    ax.set_yticks(rows.index, [f"{row.layer} on {task_label(row.task)}" for row in rows.itertuples()])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    title = f"bars: {100 * float(rows['level'].iloc[0]):g} % t interval, {int(rows['n'].max())} runs"
    return finish(ax, title=title, x="points of accuracy added", y="")


def has_tunnel(curves: pd.DataFrame, start: int | None) -> bool:
    """Return whether a tunnel that begins in layer `start`, from 1, holds more than the last layer."""
    return start is not None and start < curves["place"].max()


def series(curves: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the lines of an accuracy figure: the reference first, then transfer, then shift."""
    found = {key: rows.sort_values("place") for key, rows in curves.groupby(["method", "task"], sort=False)}
    return sorted(found.items(), key=lambda item: list(DESIGNS).index(item[0][0]))


def _normalised(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = ["mean", "low", "high"]
    return rows.assign(**(rows[numbers].astype(float) / rows["mean"].max()))


def _metric_lines(ax: Axes, table: pd.DataFrame, styles: dict[str, tuple], *, dash: str = "-") -> None:
    for metric, (label, colour, marker) in styles.items():
        rows = table[table["metric"] == metric]
        if len(rows):
            style = {"colour": colour, "marker": marker, "dash": dash if marker else ":"}
            line(ax, rows, x="place", label=label, band=metric not in WITHOUT_BAND, **style)


def _layer_axis(ax: Axes, table: pd.DataFrame) -> None:
    """Name the layers below the axis, every so many of them where they are too many."""
    names = table.drop_duplicates("place").set_index("place")["layer"].sort_index()
    names = names.iloc[:: -(-len(names) // MOST_NAMES)]
    ax.set_xticks(names.index, names, rotation=90, fontsize=9)
    ax.set_xlim(table["place"].min() - 0.5, table["place"].max() + 0.5)
