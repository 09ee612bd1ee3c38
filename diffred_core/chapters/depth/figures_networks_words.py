"""The figures of small networks in words."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.depth.figures_networks import NAMES, POOLING
from diffred_core.tunnel import strength


def describe_depth_accuracy(summary: pd.DataFrame) -> str:
    """Return `plot_depth_accuracy` in words."""
    sentences = []
    for (model, method), cell in summary.groupby(["model", "method"]):
        parts = [_fall(task, rows) for (_, task), rows in cell.groupby(["metric", "task"])]
        sentences.append(f"{model} {NAMES[str(method)]}: {'; '.join(parts)}")
    return (
        "Line charts of the test accuracy of a probe by convolution, best mean and mean at the last convolution. "
        f"{'. '.join(sentences)}."
    )


def describe_depth_geometry(summary: pd.DataFrame) -> str:
    """Return `plot_depth_geometry` in words."""
    sentences = []
    for (model, method), cell in summary[summary["method"].isin(POOLING)].groupby(["model", "method"]):
        rank, collapse = (
            cell[cell["metric"] == metric].sort_values("layer")["mean"] for metric in ("numerical_rank", "nc1")
        )
        sentences.append(
            f"{model} {POOLING[str(method)]}: rank from {rank.iloc[0]:.0f} over at most {rank.max():.0f} to "
            f"{rank.iloc[-1]:.0f}, NC1 from {10 ** collapse.iloc[0]:.2f} to {10 ** collapse.iloc[-1]:.2f}"
        )
    return f"Line charts of numerical rank and NC1 by convolution, first to last. {'. '.join(sentences)}."


def describe_retained(summary: pd.DataFrame) -> str:
    """Return `plot_retained` in words."""
    parts = [
        f"{row.model} {NAMES[row.method]} {row.mean:.1f} % ({strength(row.mean)} tunnel"
        f"{'' if pd.isna(row.low) else f', interval {row.low:.1f} to {row.high:.1f}'})"
        for row in summary.itertuples(index=False)
    ]
    return f"Dot chart of the OOD performance retained at the last convolution, mean over tasks: {'; '.join(parts)}."


def _fall(task: str, rows: pd.DataFrame) -> str:
    rows = rows.sort_values("layer")
    best = rows.loc[rows["mean"].idxmax()]
    number = int(best["layer"].removeprefix("conv"))
    return f"{task} {100 * best['mean']:.1f} % at {number}, {100 * rows['mean'].iloc[-1]:.1f} % at the last"
