"""The figures of few shots in words, with their numbers, from the same summaries."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.few_shots.figures_curves import ALONG, CHOSEN, ORDERS, shots_in_words
from diffred_core.chapters.few_shots.figures_rows import agreement_names, mask_names

SHARE = 0.05  # the upper end of the published 1 to 5 %


def describe_orders(summary: pd.DataFrame) -> str:
    """Return `plot_orders` in words."""
    parts = []
    for method, (label, _, _) in ORDERS.items():
        rows = summary[summary["method"] == method]
        if len(rows):
            near = rows.loc[(rows["fraction"] - SHARE).abs().idxmin()]
            best = rows.loc[rows["mean"].idxmax()]
            parts.append(f"{label} {_percent(near)} at {_share(near)}, at most {_percent(best)} at {_share(best)}")
    full = summary.loc[summary["fraction"] == 1.0].iloc[0]
    return (
        f"Line chart of few-shot accuracy against the share of dimensions kept. All dimensions reach {_percent(full)}. "
        f"By order: {'; '.join(parts)}."
    )


def describe_masks(summary: pd.DataFrame) -> str:
    """Return `plot_masks` in words."""
    rows = summary[summary["label"] == "original"].set_index("method")
    parts = [
        f"{name} {_gain(rows.loc[method])}"
        for method, name in mask_names(summary["method"]).items()
        if method in rows.index
    ]
    return f"Dot chart of the gain of every mask over no mask, with plain prototypes, in points: {'; '.join(parts)}."


def describe_gains(summary: pd.DataFrame, *, x: str = "n_shot") -> str:
    """Return `plot_gains` in words."""
    unit, parts = {"n_shot": "shots", "n_way": "classes"}[x], []
    for method, (label, _, _) in ALONG.items():
        rows = summary[summary["method"] == method].sort_values(x)
        if len(rows):
            course = ", ".join(f"{100 * row['mean']:+.1f} at {row[x]}" for _, row in rows.iterrows())
            parts.append(f"{label} {course}")
    return f"Line chart of gains in points of accuracy against the number of {unit}: {'; '.join(parts)}."


def describe_agreement(summary: pd.DataFrame) -> str:
    """Return `plot_agreement` in words."""
    names, parts = agreement_names(), []
    for (method, n_shot), rows in summary.groupby(["method", "n_shot"], sort=False):
        if method in names:
            parts.append(f"{names[method]} {rows['mean'].iloc[0]:.2f} ({shots_in_words(n_shot)})")
    return f"Dot chart of rank correlations with the oracle that does not see the queries: {'; '.join(parts)}."


def describe_peaks(peaks: pd.DataFrame) -> str:
    """Return `plot_peaks` in words."""
    parts = [
        f"{row['model']} on {row['task']}, {shots_in_words(row['n_shot'])}: {_gain(row)} with {_share(row)}"
        for _, row in peaks.iterrows()
    ]
    return f"Dot chart of the gain of the best share of dimensions over all of them, in points: {'; '.join(parts)}."


def describe_bridge(summary: pd.DataFrame) -> str:
    """Return `plot_bridge` in words."""
    parts = []
    for (method, n_shot), rows in summary.groupby(["method", "n_shot"], dropna=False, sort=False):
        near = rows.loc[(rows["fraction"] - SHARE).abs().idxmin()]
        data = "all training rows" if pd.isna(n_shot) else shots_in_words(n_shot)
        parts.append(f"{CHOSEN[str(method)]} with {data} {_gain(near)} at {_share(near)}")
    return f"Line chart of accuracy less that of all dimensions, in points, by the share kept: {'; '.join(parts)}."


def _percent(row: pd.Series) -> str:
    return f"{100 * row['mean']:.1f} %"


def _gain(row: pd.Series) -> str:
    return f"{100 * row['mean']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def _share(row: pd.Series) -> str:
    return f"{100 * row['fraction']:g} %"
