"""C10, which augmentation serves importance best, and how any claim about a mean over episodes is judged and said."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from diffred_core.results.claims import Claim, Side, judge, percent

Measurement = Mapping[str, float]  # mean, low, high, n, level


def augmentations_differ(gains: pd.DataFrame) -> Claim | None:
    """Return C10, that the best augmentation is not the same for all tasks; None if fewer than two tasks compare some.

    The lead of a task is what its best recipe gains on its next one. Judged is the smaller lead of two tasks with
    different best recipes, of all such pairs the clearest; and where one recipe is best for all tasks, the least clear
    lead, as evidence against. The intervals take gains of two recipes as independent, which is too wide for gains on
    the same episodes.

    Parameters
    ----------
    gains : DataFrame
        From `across.crop_gains`, one model.
    """
    gains = gains.groupby("task").filter(lambda rows: len(rows) > 1)
    if gains["task"].nunique() < 2:
        return None
    best = {task: rows.loc[rows["mean"].idxmax()] for task, rows in gains.groupby("task")}
    leads = {
        task: difference(*(row for _, row in rows.nlargest(2, "mean").iterrows()))
        for task, rows in gains.groupby("task")
    }
    course = "; ".join(
        f"{row['recipe']} on {task} ({points(row['mean'])}, {100 * leads[task]['mean']:+.1f} on the next)"
        for task, row in best.items()
    )
    clear = sum(lead["low"] > 0 for lead in leads.values())
    by_lead = sorted(leads, key=lambda task: leads[task]["low"], reverse=True)
    other = next((task for task in by_lead if best[task]["recipe"] != best[by_lead[0]]["recipe"]), None)
    lead, sign = (leads[by_lead[-1]], -1) if other is None else (leads[other], 1)
    which = (
        "One is best for all; their least clear lead, against the claim" if other is None else "The lead that decides"
    )
    low, high = sorted((sign * lead["low"], sign * lead["high"]))
    return judged(
        "C10 best augmentation differs",
        "the augmentation that serves importance best differs by task.",
        f"Best: {course}; clearly ahead in {clear} of {len(leads)} tasks. {which}",
        {**lead, "mean": sign * lead["mean"], "low": low, "high": high},
    )


def difference(a: Measurement, b: Measurement) -> Measurement:
    """Return a - b of independent means with the interval of the root of both squared half-widths."""
    reach = math.hypot(a["high"] - a["mean"], b["high"] - b["mean"])
    mean, n = a["mean"] - b["mean"], min(a["n"], b["n"])
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "n": n, "level": a["level"]}


def judged(
    name: str, statement: str, measured: str, row: Measurement, *, limit: float = 0.0, side: Side = "above"
) -> Claim:
    """Return the claim about a mean over episodes; `measured` says what it is of."""
    evidence = (
        f"{measured}: {points(row['mean'])}, {percent(row['level'])} interval {100 * row['low']:+.1f} to "
        f"{100 * row['high']:+.1f} over {int(row['n']):,} episodes."
    )
    numbers = {"value": row["mean"], "low": row["low"], "high": row["high"], "limit": limit}
    return judge(name=name, statement=statement, evidence=evidence, **numbers, side=side)


def points(share: float) -> str:
    """Return a difference of accuracies in words."""
    return f"{100 * share:+.1f} points"
