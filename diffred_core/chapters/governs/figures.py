"""One factor on one task: accuracy against share and number of dimensions, every network, and every pair."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.governs import findings, names
from diffred_core.chapters.governs.tables import HEADS, OF_LAYER, compared
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.models import model_looks
from diffred_core.drawing.style import COLOURS, GREY
from diffred_core.results import where
from diffred_core.results.readable import readable

SHARE, NUMBER = "dimensions kept (%)", "dimensions kept"
SHOWN = (names.FIRST, names.SHARE, names.EXCESS, names.GINI)  # of the measures, those that are drawn
DELTA = 0.9

COLUMNS = ("axis", "model", "n_features", "x", "mean", "low", "high")


def kept_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of its accuracy that every network keeps at every tested size, by share and by number.

    Limits are those of the accuracy itself, divided by that of the whole layer.
    """
    rows = where(table, method=names.RANDOM, metric=names.MEAN_ACCURACY)
    whole = where(rows, fraction=1.0).set_index("model")["value"].rename("whole")
    sizes = rows[rows["fraction"].notna() & rows["n_selected"].notna()].join(whole, on="model")
    kept = sizes[["value", "low", "high"]].div(sizes["whole"], axis=0).rename(columns={"value": "mean"})
    kept = sizes[["model", "n_features"]].join(kept)
    axes = {SHARE: sizes["fraction"], NUMBER: sizes["n_selected"].astype(float)}
    return pd.concat([kept.assign(axis=axis, x=x) for axis, x in axes.items()], ignore_index=True)


def plot_kept(kept: pd.DataFrame) -> Axes:
    """Draw what is kept of the accuracy, on the left against the share of dimensions, on the right their number."""
    style.require(kept, COLUMNS, what="figures.kept")
    grid = style.panels(kept, size=(2.9, 3.3), col="axis", col_order=[SHARE, NUMBER])
    drawn = model_looks(kept["model"])
    for axis, ax in grid.axes_dict.items():
        for model, rows in where(kept, axis=axis).groupby("model", sort=False):
            label = f"{drawn[str(model)].words} ({int(rows['n_features'].iloc[0]):,})"
            banded = len(drawn) <= style.MOST_BANDS
            style.line(ax, rows.dropna(subset="mean"), x="x", look=drawn[str(model)], label=label, band=banded)
        ax.axhline(DELTA, color=GREY, linewidth=1, zorder=0)
        if axis == SHARE:
            style.percent_axis(ax, where(kept, axis=axis)["x"].tolist(), fewer=True)
        else:
            style.number_axis(ax, [1, 8, 64, 512], base=2)
        style.percent_ticks(ax)
        first = ax is grid.axes.flat[0]
        style.finish(ax, title="", x=f"{axis}, log", y="accuracy kept (%)" if first else "", legend=False)
    return style.name_panels(grid, "random dimensions; grey: 90 % of each network's own accuracy")


def describe_kept(kept: pd.DataFrame) -> str:
    """Return `plot_kept` in words."""
    parts = []
    for model, rows in where(kept, axis=SHARE).groupby("model", sort=False):
        near = rows.loc[(rows["x"] - names.FRACTION).abs().idxmin()]
        size = round(near["x"] * int(near["n_features"]))
        parts.append(
            f"{readable(str(model))} keeps {100 * near['mean']:.1f} % at {100 * near['x']:.3g} % ({size} dimensions)"
        )
    return (
        f"Line charts of the accuracy kept against the share and the number of random dimensions: {'; '.join(parts)}."
    )


def levels(table: pd.DataFrame) -> pd.DataFrame:
    """Return the drawn measures of every network, at 90 % of the accuracy where they are of one, with their words."""
    return _drawn(compared(table, names.RANDOM)).assign(row=lambda rows: rows["model"].map(readable))


def pair_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return the drawn measures of every pair of networks: what the first has more than the second."""
    rows = _drawn(compared(table, names.DIFFERENCE))
    return rows.assign(row=rows["model"].map(readable) + " − " + rows["label"].map(readable))


def plot_rows(summary: pd.DataFrame) -> Axes:
    """Draw one panel a measure, a row a network or pair, with intervals; of pairs zero is marked."""
    style.require(summary, ("measure", "row", "mean", "low", "high"), what="figures.levels")
    rows = list(dict.fromkeys(summary["row"]))[::-1]
    pairs, drawn = bool(summary["label"].notna().all()), model_looks(summary["model"])
    size = (2.9, max(2.2, 1.1 + 0.26 * len(rows)))
    grid = style.panels(summary, size=size, col="measure", col_wrap=2)
    style.row_names(grid.axes.flat[0], rows, size=8 if pairs else 9)
    for number, (measure, ax) in enumerate(grid.axes_dict.items()):
        ax.tick_params(axis="y", labelleft=number % 2 == 0, labelsize=8 if pairs else 9)
        ax.xaxis.set_major_locator(MaxNLocator(3 if pairs else 4))
        of_measure = where(summary, measure=measure)
        for place, row in zip(of_measure["row"].map(rows.index), range(len(of_measure)), strict=True):
            point = of_measure.iloc[[row]].set_index(pd.Index([place]))
            look = Look("", COLOURS[0]) if pairs else drawn[str(point["model"].iloc[0])]
            style.points(ax, point, look=replace(look, words=""), size=5)
        of_layer = of_measure["metric"].isin(OF_LAYER).all()
        if of_layer:
            style.percent_ticks(ax, "x")
        unit = ("points" if pairs else "%") if of_layer else ""
        if pairs:
            ax.axvline(0, color=GREY, linewidth=1)
        style.finish(ax, title=str(measure), x=unit, y="", legend=False)
        ax.set_title(str(measure), loc="left", fontsize=9 if pairs else 11)
        ax.tick_params(axis="x", labelsize=9)
    title = "first less second; " if pairs else ""
    return style.name_panels(grid, f"{title}bars: interval over draws and test rows")


def describe_rows(summary: pd.DataFrame) -> str:
    """Return `plot_rows` in words."""
    parts = []
    for measure, rows in summary.groupby("measure", sort=False):
        of_layer = rows["metric"].isin(OF_LAYER).all()
        times, digits, unit = (100, 1, ", in percent of the layer") if of_layer else (1, 2, "")
        values = (
            f"{r.row} {times * r.mean:.{digits}f} ({times * r.low:.{digits}f} to {times * r.high:.{digits}f})"
            for r in rows.itertuples()
        )
        parts.append(f"{measure}{unit}: {'; '.join(values)}")
    return f"Dot charts with intervals. {'. '.join(parts)}."


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["metric"].isin(SHOWN) & (rows["delta"].isna() | (rows["delta"] == DELTA))]
    return rows.rename(columns={"value": "mean"})


kept = Figure(
    kept_by_size, plot_kept, describe_kept, finding=partial(findings.kept, axis=SHARE, fraction=names.FRACTION)
)
_NEEDED = HEADS[names.SHARE]
networks = Figure(levels, plot_rows, describe_rows, finding=partial(findings.networks, measure=_NEEDED))
pairs = Figure(pair_differences, plot_rows, describe_rows, finding=partial(findings.pairs, measure=_NEEDED))
