"""A mean over episodes as evidence: its row in a table, its words, and the verdict of its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core import results, subsets
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import all_shots, n_way
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, Side, judge, percent

Measurement = Mapping[str, float]  # mean, low, high, n, level
# of accuracy: less is called no difference. Tables of the group have intervals of up to 0.65 points either way (README
# of LightningFSL), so that within a point their rows can hardly be told apart
MARGIN = 0.01


def recovery(gain: Measurement, *, margin: float = MARGIN) -> Claim:
    """Return the claim that the accuracy of all dimensions is recovered, by the gain of some of them over all."""
    margin_in_words(margin)
    return judged("recovers", "", "", gain, limit=-margin)


def difference(a: Measurement, b: Measurement) -> Measurement:
    """Return a - b of independent means with the interval of the root of both squared half-widths."""
    reach = math.hypot(a["high"] - a["mean"], b["high"] - b["mean"])
    mean, n = a["mean"] - b["mean"], min(a["n"], b["n"])
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "n": n, "level": a["level"]}


def negative(row: Measurement) -> Measurement:
    """Return the same with the other sign."""
    return {**row, "mean": -row["mean"], "low": -row["high"], "high": -row["low"]}


def judged(
    name: str, statement: str, measured: str, row: Measurement, *, limit: float = 0.0, side: Side = "above"
) -> Claim:
    """Return the claim about a mean over episodes; `measured` says what it is of."""
    evidence = f"{measured}: {points(row['mean'])}, {interval_in_words(row)} over {int(row['n']):,} episodes."
    numbers = {"value": row["mean"], "low": row["low"], "high": row["high"], "limit": limit}
    return judge(name=name, statement=statement, evidence=evidence, **numbers, side=side)


def points(share: float) -> str:
    """Return a difference of accuracies in words."""
    return f"{100 * share:+.1f} points"


def interval_in_words(row: Measurement) -> str:
    """Return ``95 % interval +1.0 to +2.0``, at the level of the row."""
    return f"{percent(row['level'])} interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def with_interval(row: Measurement) -> str:
    """Return a difference of accuracies with its interval in words."""
    return f"{points(row['mean'])} ({interval_in_words(row)})"


def margin_in_words(margin: float) -> str:
    """Return a margin in words; refuse one that is none."""
    if not 0 < margin < 1:
        raise InputError(f"margin must be an accuracy above 0 and below 1, got {margin}; 0.01 is one point")
    return plural(round(100 * margin, 4), "point")


def measurement(rows: pd.DataFrame, metric: str, level: float, *, fraction: float | None = None) -> Measurement:
    """Return mean, low, high, n and level of one measurement, with its fraction.

    It is looked for by the number of dimensions that `fraction` keeps: of fractions that keep equally many a narrow
    layer has one row.
    """
    if fraction is not None and len(rows):
        rows = rows[rows["n_selected"] == subsets.top_size(int(rows["n_features"].iloc[0]), fraction)]
    if not (rows["metric"] == metric).any():
        at = "" if fraction is None else f" at fraction {fraction:g}"
        raise InputError(f"expected {metric}{at}, got no such row; run few_shots.episodes with it")
    return results.summarize(rows, ["fraction"], metric=metric, level=level).iloc[0].to_dict()


def estimate_of(table: pd.DataFrame, n_shot: int) -> str | None:
    """Return the estimate of importance at so many shots, with views where there are some; None without any."""
    present = set(table.loc[table["n_shot"] == n_shot, "method"])
    return next((basis for basis in names.ESTIMATES if basis in present), None)


def setting_in_words(table: pd.DataFrame) -> str:
    """Return classes and shots of the headline."""
    return f"{n_way(table)} classes, {plural(all_shots(table)[0], 'shot')}"
