"""Figures by depth in words, with their numbers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.depth.figures_layers import DESIGNS, RANKS, SHARES, has_tunnel, series
from diffred_core.drawing.style import task_label


def describe_layer_accuracy(curves: pd.DataFrame, *, start: int | None = None) -> str:
    """Return `plot_layer_accuracy` in words, normalised or not."""
    parts = []
    for (method, task), rows in series(curves):
        best, last = rows.loc[rows["mean"].idxmax()], rows.iloc[-1]
        interval = f", {100 * last['level']:g} % interval {100 * last['low']:.1f} to {100 * last['high']:.1f}"
        name = DESIGNS[method][0].format(task=task_label(task))
        parts.append(
            f"{name} is best in {best['layer']} with {100 * best['mean']:.1f} % and "
            f"has {100 * last['mean']:.1f} % in the last layer{'' if pd.isna(last['low']) else interval}"
        )
    layers = curves.drop_duplicates("place").set_index("place")["layer"]
    shaded = f" The tunnel is shaded from {layers[start]} on." if has_tunnel(curves, start) else ""
    return f"Line chart of test accuracy over {len(layers)} layers, first to last: {'; '.join(parts)}.{shaded}"


def describe_layer_rank(shape: pd.DataFrame) -> str:
    """Return `plot_layer_rank` in words."""
    return f"Line chart of the directions that each layer uses: {_ends(shape, RANKS, '.1f')}."


def describe_layer_collapse(collapse: pd.DataFrame) -> str:
    """Return `plot_layer_collapse` in words."""
    names = {
        metric: (metric.upper()[:3] + f" ({metric[4:].capitalize()})",)
        for metric in sorted(collapse["metric"].unique())
    }
    return f"Line chart of neural collapse by layer, 0 where collapsed: {_ends(collapse, names, '.2f')}."


def describe_layer_redundancy(shares: pd.DataFrame) -> str:
    """Return `plot_layer_redundancy` in words."""
    return f"Line chart of shares by layer: {_ends(shares, SHARES, '.2f')}."


def describe_layer_optimism(optimism: pd.DataFrame) -> str:
    """Return `plot_layer_optimism` in words."""
    rows = optimism.sort_values(["task", "place"])
    parts = [f"{row.layer} on {row.task} {100 * row.mean:.2f}" for row in rows.itertuples(index=False)]
    return f"Dot chart of the points of accuracy that choosing the epoch on test images adds: {'; '.join(parts)}."


def _ends(table: pd.DataFrame, names: dict[str, tuple], form: str) -> str:
    """Say the first, the greatest and the last value of every metric."""
    parts = []
    for metric, (name, *_) in names.items():
        rows = table[table["metric"] == metric].sort_values("place")
        if len(rows):
            first, top, last = rows.iloc[0], rows.loc[rows["mean"].idxmax()], rows.iloc[-1]
            parts.append(
                f"{name} from {first['mean']:{form}} in {first['layer']} to {last['mean']:{form}} in {last['layer']}, "
                f"at most {top['mean']:{form}} in {top['layer']}"
            )
    return "; ".join(parts)
