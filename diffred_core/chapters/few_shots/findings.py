"""The heading of every figure of the chapter: one short sentence with its number, from the summary that is drawn."""

from __future__ import annotations

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core.chapters.few_shots.names import plural
from diffred_core.drawing import style
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import span


def accuracy(summary: pd.DataFrame) -> str:
    """Return what few dimensions by an oracle and what all of them reach."""
    best = style.nearest(where(summary, method=names.ORACLE), names.UPPER_FRACTION)
    full = where(summary, fraction=1.0)["mean"].iloc[0]
    return (
        f"The best {percent(best['fraction'])} by an oracle reach {_percent(best['mean'])}, all dimensions "
        f"{_percent(full)}."
    )


def gains(summary: pd.DataFrame, *, x: str) -> str:
    """Return how the gain of the best share, by an oracle, changes along the axis."""
    oracle = where(summary, method=names.ORACLE).sort_values(x)
    first, last = oracle.iloc[0], oracle.iloc[-1]
    of_first = plural(first[x], "shot") if x == "n_shot" else f"{first[x]:g} classes"
    start = f"The oracle gains {_points(first['mean'])} points with {of_first}"
    return f"{start}, {_points(last['mean'])} with {last[x]:g}." if len(oracle) > 1 else f"{start}."


def bridge(summary: pd.DataFrame) -> str:
    """Return what random dimensions lose with all rows, and what chosen ones gain at the fewest shots."""
    at = {
        (str(method), n_shot): style.nearest(rows, names.UPPER_FRACTION)
        for (method, n_shot), rows in summary.groupby(["method", "n_shot"], dropna=False)
    }
    full = [_points(row["mean"]) for (method, n_shot), row in at.items() if method == names.RANDOM and pd.isna(n_shot)]
    few = {n_shot: row for (method, n_shot), row in at.items() if method == names.WITHOUT_QUERIES}
    parts = [f"random ones change accuracy by {points} points with all rows" for points in full]
    parts += [f"an oracle's by {_points(few[n]['mean'])} with {plural(n, 'shot')}" for n in sorted(few)[:1]]
    return f"Of {percent(next(iter(at.values()))['fraction'])} of the dimensions, {', '.join(parts)}."


def theory(errors: pd.DataFrame) -> str:
    """Return how many of the best dimensions are most accurate at the fewest shots, and what all reach."""
    kept = where(errors[errors["n_shot"] == errors["n_shot"].min()], method="top")
    best, last = kept.loc[kept["simulated"].idxmin()], kept.loc[kept["n_selected"].idxmax()]
    shots = plural(best["n_shot"], "shot")
    if best["n_selected"] == last["n_selected"]:
        return f"With {shots} all {last['n_selected']} dimensions are best: {_percent(1 - last['simulated'])}."
    return (
        f"With {shots} the {best['n_selected']} best dimensions reach {_percent(1 - best['simulated'])}, all "
        f"{last['n_selected']} {_percent(1 - last['simulated'])}."
    )


def masks(rows: pd.DataFrame) -> str:
    """Return the best mask that needs no oracle, from rows with their name."""
    known = rows[(rows["probe"] == names.EUCLIDEAN) & (rows["label"] != names.ORACLE)]
    if known.empty:
        return "No mask was made without an oracle."
    best = known.loc[known["mean"].idxmax()]
    verb = "gains" if best["mean"] >= 0 else "loses"
    return f"Without an oracle the best mask, {best['name']}, {verb} {100 * abs(best['mean']):.1f} points."


def agreement(rows: pd.DataFrame) -> str:
    """Return how well the best estimate agrees with the oracle at the fewest shots, from rows with their name."""
    fewest = rows[rows["method"].isin(names.ESTIMATES)]
    if fewest.empty:
        return f"No importance was estimated; oracles agree to {rows['mean'].max():.2f}."
    fewest = fewest[fewest["n_shot"] == fewest["n_shot"].min()]
    best = fewest.loc[fewest["mean"].idxmax()]
    shots = plural(best["n_shot"], "shot")
    return f"With {shots} importance {best['name']} has rank correlation {best['mean']:.2f} with the oracle."


def peaks(summary: pd.DataFrame) -> str:
    """Return over models and tasks what the best share gains at the fewest and at the most shots."""
    by_shots = {int(n): span(of) for n, of in summary.groupby("n_shot")["mean"]}
    fewest, most = min(by_shots), max(by_shots)
    parts = [f"The oracle's best share gains {by_shots[fewest]} points at {plural(fewest, 'shot')}"]
    parts += [f"{by_shots[most]} at {plural(most, 'shot')}"] if most > fewest else []
    return f"{', '.join(parts)}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(gain: float) -> str:
    return f"{round(100 * gain, 1) + 0.0:+.1f}"  # no minus before a zero
