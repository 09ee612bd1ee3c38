"""The heading of every figure of the chapter: one short sentence with its number, from the summary that is drawn."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import names_training as of_training
from diffred_core.chapters.governs import training_reading as reading
from diffred_core.drawing import style
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable, span

FEWEST_POINTS = 3  # of a correlation
CLEAR = 0.3  # below it a correlation is called none


def kept(rows: pd.DataFrame, *, axis: str, fraction: float) -> str:
    """Return which network keeps most and which least at one share of the dimensions."""
    at = pd.DataFrame(
        [of.loc[(of["x"] - fraction).abs().idxmin()] for _, of in where(rows, axis=axis).groupby("model")]
    ).sort_values("mean")
    least, most = at.iloc[0], at.iloc[-1]
    return (
        f"At {percent(fraction)} of the dimensions {readable(most['model'])} keeps {100 * most['mean']:.1f} % of its "
        f"accuracy, {readable(least['model'])} {100 * least['mean']:.1f} %."
    )


def networks(summary: pd.DataFrame, *, measure: str) -> str:
    """Return which network needs the smallest and which the greatest share of its dimensions."""
    rows = summary[summary["measure"].str.startswith(measure)].sort_values("mean")
    least, most = rows.iloc[0], rows.iloc[-1]
    return (
        f"Keeping {percent(least['delta'])} of the accuracy needs {100 * least['mean']:.0f} % of {least['row']} and "
        f"{100 * most['mean']:.0f} % of {most['row']}."
    )


def pairs(summary: pd.DataFrame, *, measure: str) -> str:
    """Return how many pairs of networks surely differ in the share of dimensions needed."""
    rows = summary[summary["measure"].str.startswith(measure)]
    sure = int(((rows["low"] > 0) | (rows["high"] < 0)).sum())
    of = "The one pair differs" if len(rows) == 1 else f"{sure or 'None'} of {len(rows)} pairs differ"
    if len(rows) == 1 and not sure:
        of = "The one pair does not differ"
    return f"{of} surely in the share of the dimensions needed."


def variance(shares: pd.DataFrame) -> str:
    """Return which source has most of the variance of the last measure but one, and what the model has."""
    rows = where(shares, measure=_needed(shares)).set_index("source")["mean"]
    most = rows.idxmax()
    others = [f"the {name} for {100 * rows[name]:.0f} %" for name in ("model", "task") if name != most]
    return f"The {most} accounts for {100 * rows[most]:.0f} % of the variance of what is needed, {', '.join(others)}."


def factors(rows: pd.DataFrame) -> str:
    """Return which factor makes the greatest difference, and where."""
    most = rows.loc[rows["mean"].idxmax()]
    return (
        f"{most['factor'].capitalize()} makes the greatest difference: {100 * most['mean']:.0f} points of the layer, "
        f"on {readable(most['task'])}."
    )


def changes(summary: pd.DataFrame) -> str:
    """Return how many objectives surely change redundancy on their own task by more than the margin."""
    own = where(summary, measure=reading.DR_OWN)
    sure = int(((own["low"] > of_training.MARGIN) | (own["high"] < -of_training.MARGIN)).sum())
    objectives = "objective changes" if len(own) == 1 else "objectives change"
    return (
        f"{sure or 'None'} of {len(own)} {objectives} redundancy on the own task surely by over "
        f"{100 * of_training.MARGIN:g} points."
    )


def shapes(summary: pd.DataFrame, *, x: str, side: str) -> str:
    """Return how redundancy goes with class separation over the objectives."""
    points = where(summary, shape=x, side=side)
    if len(points) < FEWEST_POINTS or points["x"].std() == 0 or points["mean"].std() == 0:
        return f"{len(points)} objectives are too few, or too alike, to relate redundancy and class separation."
    r = float(points["x"].corr(points["mean"]))
    way = "hardly goes" if abs(r) < CLEAR else "rises" if r > 0 else "falls"
    return f"Over {len(points)} objectives redundancy on the own task {way} with class separation (r = {r:.2f})."


def orders(summary: pd.DataFrame, *, recipe: str, first: str, fraction: float) -> str:
    """Return what the first dimensions of Matryoshka heads gain over random ones, else those of plain networks."""
    known = recipe if recipe in set(summary["recipe"]) else summary["recipe"].iloc[0]
    at = {method: style.nearest(rows, fraction) for method, rows in where(summary, recipe=known).groupby("method")}
    ahead, other = at[first], next(row for method, row in at.items() if method != first)
    gain = 100 * (ahead["mean"] - other["mean"])
    heads = "With Matryoshka heads" if known == recipe else "Without Matryoshka heads"
    share = percent(ahead["fraction"])
    return f"{heads} the first {share} are {abs(gain):.1f} points {'above' if gain >= 0 else 'below'} a random {share}."


def curves(summary: pd.DataFrame) -> str:
    """Return what a fifth of the dimensions keeps over the objectives, on the own task and on others."""
    at = [style.nearest(rows, of_training.FRACTION) for _, rows in summary.groupby(["label", "recipe"])]
    by_side = dict(list(pd.DataFrame(at).groupby("label")["mean"]))
    sides = {of_training.OWN: "on the own task", of_training.OTHER: "on others"}
    parts = [f"{span(by_side[label], digits=0)} % {words}" for label, words in sides.items() if label in by_side]
    return f"A random {percent(at[0]['fraction'])} keeps {', '.join(parts)}."


def _needed(shares: pd.DataFrame) -> str:
    """Return the measure of the number of dimensions at the smaller share of the accuracy."""
    measures = list(dict.fromkeys(shares["measure"]))
    return next((measure for measure in measures if "needed" in measure), measures[0])
