"""Figures of similarity: maps of layers by index, layers that are found again, and what CKA does not see."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from diffred_core.chapters.spectra import claims_similarity, names
from diffred_core.chapters.spectra.matching import INDEX_WORDS, as_map, components, matched_layers
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, MARKERS
from diffred_core.results import where
from diffred_core.results.readable import readable

OF_COMPONENTS = {
    names.CKA: Look("CKA with the layer (x 100)", COLOURS[0], MARKERS[0]),
    names.ENERGY: Look("label energy held", COLOURS[1], MARKERS[1]),
    names.ACCURACY: Look("accuracy of a ridge probe", COLOURS[2], MARKERS[2]),
}


def _maps(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the maps between two networks; between seeds those of trained ones, the mean over pairs."""
    rows = where(table, method=method)
    if method == names.BETWEEN_SEEDS:
        rows = where(rows, recipe=names.TRAINED)
    keys = ["metric", "layer", "label", "model", "recipe"]
    return rows.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index()


def plot_maps(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a heat map an index: layers of one network from left to right, of the other from the bottom up."""
    style.require(summary, ("metric", "layer", "label", "value"), what="figures of maps")
    shown = [index for index in INDEX_WORDS if index in set(summary["metric"])]
    grid = style.panels(summary, size=(2.15, 2.1), col="metric", col_order=shown, col_wrap=3, sharey=False)
    grid.figure.set_layout_engine("constrained")
    for panel, index in zip(grid.axes.flat, shown, strict=True):
        values = as_map(where(summary, metric=index)).T.iloc[::-1]
        numbers = {"xticklabels": _numbers(values.columns), "yticklabels": _numbers(values.index[::-1])[::-1]}
        sns.heatmap(values.astype(float), ax=panel, square=True, cmap="viridis", cbar_kws={"shrink": 0.7}, **numbers)
        panel.set_title(INDEX_WORDS[index], loc="left")
        panel.set(xlabel="layer", ylabel="layer of the other")
        style.small(panel, letters=14)
        panel.tick_params(labelsize=7, rotation=0)
    first: Axes = grid.axes.flat[0]
    return first


def _numbers(layers: pd.Index) -> list[str]:
    """Return numbers of layers, every third one."""
    step = 3
    return [str(i) if (i - 1) % step == 0 else "" for i in range(1, len(layers) + 1)]


def words_maps(summary: pd.DataFrame) -> str:
    """Return `plot_maps` in words."""
    parts = []
    for index, rows in summary.groupby("metric", sort=False):
        values = as_map(rows).to_numpy(dtype=float)
        parts.append(f"{INDEX_WORDS[str(index)]} from {values.min():.2f} to {values.max():.2f}")
    first = summary.iloc[0]
    name = readable(str(first["model"]))
    return f"Heat maps of the similarity of all layers of {name} with those of another: {'; '.join(parts)}."


def of_components(table: pd.DataFrame) -> pd.DataFrame:
    """Return CKA, label energy and accuracy by number of components; the last two as shares of the layer's."""
    wide = components(table)
    for metric in (names.ENERGY, names.ACCURACY):
        wide[metric] = wide[metric] / wide[metric].iloc[-1]
    long = wide.reset_index().melt("n_selected", value_name="mean")
    return long.assign(low=float("nan"), high=float("nan"), n=1)


def plot_components(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw them against the number of components."""
    ax = style.begin(ax, summary, ("metric", "n_selected", "mean"), what="figures.components")
    style.lines(ax, summary, OF_COMPONENTS, by="metric", x="n_selected")
    style.number_axis(ax, [1, 3, 10, 30, 100, 300, 1000])
    ax.set_xlim(right=float(summary["n_selected"].max()) * 1.2)
    style.percent_ticks(ax)
    return style.finish(
        ax, title="the whole layer", x="principal components (log scale)", y="share of the layer's (%)", columns=1
    )


def words_components(summary: pd.DataFrame) -> str:
    """Return `plot_components` in words."""
    parts = []
    for metric, look in OF_COMPONENTS.items():
        rows = where(summary, metric=metric).iloc[::3]
        points = ", ".join(f"{100 * row['mean']:.1f} % in {row['n_selected']}" for _, row in rows.iterrows())
        parts.append(f"{look.words} {points}")
    return f"Line chart against the number of principal components: {'; '.join(parts)}."


def plot_found(shares: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a point a pair of seeds, a row an index; untrained networks below the trained ones."""
    ax = style.begin(ax, shares, ("metric", "recipe", "value"), what="figures.found", size=(6.4, 4.6))
    shown = [index for index in INDEX_WORDS if index in set(shares["metric"])]
    named = shares.assign(index=shares["metric"].map(INDEX_WORDS), networks=shares["recipe"])
    options: dict[str, Any] = {
        "palette": [COLOURS[0], COLOURS[1]],
        "dodge": True,
        "jitter": False,
        "size": 6,
        "alpha": 0.6,
    }
    states = [names.TRAINED, names.UNTRAINED]
    order = [INDEX_WORDS[index] for index in shown]
    sns.stripplot(named, x="value", y="index", hue="networks", order=order, hue_order=states, ax=ax, **options)
    n_layers, n_pairs = int(shares["n_layers"].iloc[0]), shares["repeat"].nunique()
    if (legend := ax.get_legend()) is not None:  # the one of the page stands below
        legend.remove()
    style.percent_ticks(ax, "x")
    title = f"{n_layers} layers, a point a pair of seeds ({n_pairs})"
    return style.finish(ax, title=title, x="layers found again (%)", y="")


def words_found(shares: pd.DataFrame) -> str:
    """Return `plot_found` in words."""
    means = shares.groupby(["metric", "recipe"], sort=False)["value"].mean()
    parts = [f"{INDEX_WORDS[str(i)]} {100 * value:.1f} % of {recipe} networks" for (i, recipe), value in means.items()]
    return f"Dot chart of the layers that are found again in another seed, the mean over pairs: {'; '.join(parts)}."


def maps_finding(summary: pd.DataFrame) -> str:
    """Return how alike CKA finds the same layers of two seeds, or which layers of two networks it finds most alike."""
    index = names.CKA if names.CKA in set(summary["metric"]) else str(summary["metric"].iloc[0])
    values = as_map(where(summary, metric=index)).astype(float)
    if list(values.index) == list(values.columns):
        same = np.diag(values)
        others = (values.to_numpy().sum() - same.sum()) / (values.size - len(same))
        return (
            f"By {INDEX_WORDS[index]} the same layers of two networks are {same.mean():.2f} alike, others {others:.2f}."
        )
    row, column = divmod(int(values.to_numpy().argmax()), values.shape[1])
    most = f"layer {row + 1} of {len(values)} and {column + 1} of {values.shape[1]}"
    return f"By {INDEX_WORDS[index]} {most} are most alike: {values.iloc[row, column]:.2f}."


def components_finding(summary: pd.DataFrame) -> str:
    """Return how many components are nearly the layer by CKA, and what they hold of its label energy."""
    wide = summary.pivot(index="n_selected", columns="metric", values="mean").sort_index()
    k = int((wide[names.CKA] >= claims_similarity.ALIKE).idxmax())
    held = f"{100 * wide.loc[k, names.ENERGY]:.0f} % of its label energy"
    return f"With {k} principal components CKA with the layer is {wide.loc[k, names.CKA]:.2f}; they have {held}."


def found_finding(shares: pd.DataFrame) -> str:
    """Return which index finds most layers again in trained networks, and how many it finds in untrained ones."""
    means = 100 * shares.groupby(["recipe", "metric"])["value"].mean()
    trained = means[names.TRAINED]
    best = str(trained.idxmax())
    before = f", untrained {means[names.UNTRAINED, best]:.0f} %" if (names.UNTRAINED, best) in means.index else ""
    return f"The best index finds {trained[best]:.0f} % of the layers in another seed: {INDEX_WORDS[best]}{before}."


def _of(method: str, empty: str) -> Figure:
    return Figure(partial(_maps, method=method), plot_maps, words_maps, empty, maps_finding)


networks = _of(names.BETWEEN_NETWORKS, "No second network was named.")
seeds = _of(names.BETWEEN_SEEDS, "No seeds were compared.")
matched = Figure(matched_layers, plot_found, words_found, finding=found_finding)
principal = Figure(of_components, plot_components, words_components, finding=components_finding)
