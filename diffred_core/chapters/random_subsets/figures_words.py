"""Figures in words, with their numbers: the alternative text of every ``plot_*``, from the same summary."""

from __future__ import annotations

import pandas as pd

from diffred_core.drawing.style import METHODS, PROBES

SHARE = 0.2  # the share at which the paper states its finding
FEWEST = 3  # draws below which an interval is left out: with two its ends say nothing


def describe_accuracy(summary: pd.DataFrame) -> str:
    """Return `plot_accuracy` in words."""
    parts = _nearest(summary[summary["method"] != "full"], SHARE)
    full = summary.loc[summary["method"] == "full", "mean"]
    reached = "; ".join(f"{METHODS[m][0]} {_percent(row)}" for m, row in parts.items() if m in METHODS)
    return (
        f"Line chart of test accuracy against the share of features kept. The full layer reaches "
        f"{_whole(full)}. At {_share(parts)} of the features: {reached}."
    )


def describe_probes(summary: pd.DataFrame) -> str:
    """Return `plot_probes` in words."""
    sentences = []
    for probe, rows in summary.groupby("probe"):
        random = _nearest(rows[rows["method"] == "random"], SHARE)
        full = rows.loc[rows["method"] == "full", "mean"]
        name = PROBES[str(probe)][0]
        sentences.append(f"{name} {_percent(random['random'])} at {_share(random)}, {_whole(full)} for the full layer")
    return f"Line chart of the accuracy of random subsets by probe: {'; '.join(sentences)}."


def describe_regulariser(summary: pd.DataFrame) -> str:
    """Return `plot_regulariser` in words."""
    ends = []
    for method, rows in summary[summary["method"] != "full"].groupby("method"):
        rows = rows.sort_values("fraction")
        first, last = rows["mean"].iloc[0], rows["mean"].iloc[-1]
        ends.append(f"{METHODS[str(method)][0]} from {first:.1f} to {last:.1f}")
    return (
        "Line chart of the decimal logarithm of the chosen regulariser against the share of features kept, from the "
        f"smallest share to the largest: {'; '.join(ends)}."
    )


def describe_redundancy(summary: pd.DataFrame) -> str:
    """Return `plot_redundancy` in words."""
    values = summary.set_index(["metric", "delta"])["mean"]
    parts = []
    for delta in (0.8, 0.9, 0.95, 0.99):
        first, nearest = (values.get((f"diffused_redundancy_{e}", delta)) for e in ("first", "nearest"))
        if first is not None:
            parts.append(
                f"{100 * delta:g} % kept, {100 * first:.4g} % can go ({100 * nearest:.4g} % by the nearest fraction)"
            )
    return (
        "Line chart of the share of features that can go against the share of the full accuracy that must be kept, "
        f"falling: {'; '.join(parts)}."
    )


def describe_similarity(summary: pd.DataFrame) -> str:
    """Return `plot_similarity` in words."""
    known = {
        "subset_whole": ("cka_debiased", "subset and layer"),
        "diagonal_null": ("cka", "the same for uncorrelated features"),
        "subset_subset": ("cka_debiased", "two subsets"),
        "diagonal_null_pairs": ("cka", "the same for uncorrelated features"),
    }
    parts, share = [], ""
    for method, (metric, label) in known.items():
        rows = _nearest(summary[(summary["method"] == method) & (summary["metric"] == metric)], SHARE)
        if method in rows:
            share = _share(rows)
            parts.append(f"{label} {rows[method]['mean']:.3f}")
    return f"Line chart of linear CKA against the share of features kept, rising to 1. At {share}: {', '.join(parts)}."


def describe_inequality(points: pd.DataFrame) -> str:
    """Return `plot_inequality` in words."""
    random = points[points["method"] == "random"].sort_values("accuracy")
    low, high = random.iloc[0], random.iloc[-1]
    return (
        "Scatter of the Gini coefficient of class accuracies against accuracy. Random subsets go from Gini "
        f"{low['gini']:.3f} at accuracy {100 * low['accuracy']:.1f} % to {high['gini']:.3f} at "
        f"{100 * high['accuracy']:.1f} %."
    )


def describe_dumbbells(pairs: pd.DataFrame) -> str:
    """Return `plot_dumbbells` in words."""
    rows = [f"{r.model} on {r.task} {100 * r.mean:.1f} of {100 * r.full:.1f} %" for r in _plain(pairs)]
    share = f"{100 * pairs['fraction'].iloc[0]:g} %"
    return f"Dot chart of accuracy with a random {share} of the features, of that of the full layer: {'; '.join(rows)}."


def describe_needed(needed: pd.DataFrame) -> str:
    """Return `plot_needed` in words."""
    parts = []
    for delta, rows in needed.groupby("delta"):
        low, high = 100 * rows["fraction"].min(), 100 * rows["fraction"].max()
        parts.append(f"{100 * delta:g} % of the accuracy needs {low:g} to {high:g} % of the features")
    return f"Dot chart, one row a model and task: {'; '.join(parts)}."


def describe_frontier(summary: pd.DataFrame) -> str:
    """Return `plot_frontier` in words."""
    best = summary[summary["frontier"]].sort_values("n_selected")
    chosen = best.iloc[[0, len(best) // 2, -1]].drop_duplicates("n_selected")
    steps = [f"{r.n_selected} features {100 * r.mean:.1f} % ({r.model})" for r in _plain(chosen)]
    return f"Line chart of accuracy against the number of features kept, with the frontier: {'; '.join(steps)}."


def _plain(rows: pd.DataFrame) -> list:
    return list(rows.itertuples(index=False))


def _nearest(rows: pd.DataFrame, fraction: float) -> dict[str, pd.Series]:
    """Return for every method the row whose fraction is nearest to `fraction`."""
    distance = (rows["fraction"] - fraction).abs()
    return {str(method): rows.loc[part.idxmin()] for method, part in distance.groupby(rows["method"])}


def _share(rows: dict[str, pd.Series]) -> str:
    return f"{100 * next(iter(rows.values()))['fraction']:g} %"


def _percent(row: pd.Series) -> str:
    text = f"{100 * row['mean']:.1f} %"
    if row["n"] < FEWEST or pd.isna(row["low"]):
        return text
    return f"{text} ({100 * row['level']:g} % interval {100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _whole(full: pd.Series) -> str:
    return f"{100 * float(full.iloc[0]):.1f} %"
