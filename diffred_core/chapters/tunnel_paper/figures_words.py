"""The figures of the replayed statistics in words, with their numbers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.tunnel_paper.figures_statistics import PREDICTORS, READINGS, UNITS


def describe_effects(effects: pd.DataFrame) -> str:
    """Return `plot_effects` in words."""
    parts = [
        f"{row.title} {row.gain:+.3g} ({_range(row)}; Cliff's delta {row.delta:+.2f})" for row in effects.itertuples()
    ]
    metric = UNITS[effects["metric"].iloc[0]]
    level = f"{100 * effects['level'].iloc[0]:g} %"
    return f"Dot chart of the change of {metric} by factor, with {level} intervals over networks: {'; '.join(parts)}."


def _range(row: tuple) -> str:
    if pd.isna(row.low):
        return f"{row.n_pairs} pairs, {row.least:+.3g} and {row.most:+.3g}"
    return f"{row.low:+.3g} to {row.high:+.3g}"


def describe_slopes(slopes: pd.DataFrame) -> str:
    """Return `plot_slopes` in words."""
    sentences = []
    for metric, rows in slopes.groupby("metric", sort=False):
        rows = rows.reindex(rows["share"].abs().sort_values(ascending=False).index)
        parts = [f"{PREDICTORS[r.variable]} {r.share:+.2f} (published {r.published:+.2f})" for r in rows.itertuples()]
        sentences.append(f"{UNITS[str(metric)]}: {', '.join(parts)}")
    return f"Dot chart of normalised SHAP slopes by predictor. {'; '.join(sentences)}."


def describe_resolutions(networks: pd.DataFrame) -> str:
    """Return `plot_resolutions` in words."""
    parts = []
    for (network, augmentation), rows in networks.groupby(["network", "augmentation"], sort=False):
        rows = rows.sort_values("resolution")
        first, last = rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{network} {'with' if augmentation else 'without'} augmentation from {first['retained']:.1f} % at "
            f"{first['resolution']} to {last['retained']:.1f} % at {last['resolution']} pixels"
        )
    return f"Line chart of OOD performance retained against training resolution: {'; '.join(parts)}."


def describe_label_residuals(residuals: pd.DataFrame) -> str:
    """Return `plot_label_residuals` in words."""
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    parts = [f"{label} {worst[reading]:.4f}" for reading, (label, _, _) in READINGS.items() if reading in worst]
    return f"Scatter of residuals of the alignment by OOD set, logarithmic. Largest residual: {', '.join(parts)}."
