"""The frontier of size and accuracy of every task: how many random dimensions, of which model, are worth most.

A point is a model and a number of its dimensions. Its accuracy has an interval over draws and test rows; two points are
compared by `intervals.difference_interval`, which takes them for independent: of models read on the same test rows that
is too careful, never too bold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.errors import InputError
from diffred_core.intervals import Interval, difference_interval
from diffred_core.results import where
from diffred_core.results.claims import Claim, Verdict, judge, percent

ALL_MODELS = "all models"  # in the column model, of a claim about a task
POINT = ["task", "model", "probe", "fraction", "n_selected", "mean", "low", "high"]


def accuracy_frontier(probes: pd.DataFrame, *, probe: str = names.HEADLINE) -> pd.DataFrame:
    """Return accuracy of random subsets and full layers against their size, and which points nobody beats, by task.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes, one below the other.
    probe : str
        Which probe.

    Returns
    -------
    DataFrame
        Columns task, model, probe, fraction, n_selected, mean, low, high; frontier: whether no point of the task is at
        least as accurate with fewer dimensions, or more accurate with as many; and verdict: whether the intervals say
        so. It holds where the point is surely more accurate than every other of at most its size, fails where one of
        these is surely more accurate than the point, and is undecided between.

    Raises
    ------
    InputError
        If no table has accuracies with an interval over draws and test rows.
    """
    rows = where(probes, probe=probe, metric=names.MEAN_ACCURACY, method=(names.RANDOM, names.FULL))
    if rows.empty:
        raise InputError(
            f"expected {names.MEAN_ACCURACY} with the {probe} probe, got no such row; run the sweep with gap_fractions"
        )
    points = rows.rename(columns={"value": "mean"})[POINT]
    points = points.sort_values(["task", "n_selected", "mean"], ascending=[True, True, False], ignore_index=True)
    best = points.groupby("task")["mean"].transform(lambda mean: mean.cummax().shift(fill_value=-1.0))
    verdicts = [verdict for _, of_task in points.groupby("task") for verdict in _verdicts(of_task)]
    return points.assign(frontier=points["mean"] > best, verdict=verdicts)


def claims_by_task(probes: pd.DataFrame, *, level: float = 0.95) -> Iterator[tuple[str, Claim]]:
    """Yield for every task the claim that it has one frontier, which all models share."""
    points = accuracy_frontier(probes)
    for task in points["task"].unique():
        yield task, models_share_frontier(where(points, task=task), level=level)


def models_share_frontier(
    points: pd.DataFrame, *, fraction: float = names.FRACTION, margin: float = names.MARGIN, level: float = 0.95
) -> Claim:
    """Return the claim that the frontier is the task's own: no model falls more than `margin` below it.

    Every model is taken at its share nearest to `fraction`, and held against the most accurate point of another model
    with at most as many dimensions. Judged is the model that falls furthest: the claim holds where the whole interval
    of every model is within the margin, and fails where that of one is beyond. With one model there is nothing to hold
    it against, and no interval.

    Parameters
    ----------
    points : DataFrame
        Of `accuracy_frontier`, of one task.
    fraction, margin : float
        Share of the dimensions, and how much less accuracy counts as being on the frontier still.
    level : float
        Coverage that the sweeps gave to their intervals.
    """
    shortfalls = {}
    at = at_shares(points[points["fraction"] < 1], [fraction])
    for point in at.to_dict("records"):
        rivals = points[(points["model"] != point["model"]) & (points["n_selected"] <= point["n_selected"])]
        if len(rivals):
            best = rivals.loc[rivals["mean"].idxmax()].to_dict()
            shortfalls[point["model"]] = difference_interval(_interval(best), _interval(point))
    share = " or ".join(percent(value) for value in sorted(at["fraction"].unique()))
    about = {
        "name": f"one frontier at {share}",
        "statement": f"with {share} of its dimensions no model is inferior to another one's as many or fewer by "
        f"a margin of {100 * margin:g} points.",
    }
    if not shortfalls:
        alone = {"value": 0.0, "low": float("nan"), "high": float("nan")}
        evidence = "There is no other model to hold one against, with as many dimensions or fewer."
        return judge(**about, evidence=evidence, **alone, limit=margin, side="below")
    worst = max(shortfalls, key=lambda model: shortfalls[model].estimate)
    low, high = (max(getattr(one, end) for one in shortfalls.values()) for end in ("low", "high"))
    measured = {"value": shortfalls[worst].estimate, "low": low, "high": high}
    return judge(
        **about,
        evidence=f"{worst} falls furthest, by {100 * measured['value']:.1f} points; greatest limits over models of the "
        f"{percent(level)} intervals {100 * low:.1f} to {100 * high:.1f} ({points['probe'].iloc[0]} probe; draws and "
        "test rows, models taken for independent).",
        **measured,
        limit=margin,
        side="below",
    )


def _verdicts(points: pd.DataFrame) -> list[Verdict]:
    """Return whether the intervals put every point of a task on its frontier."""
    placed = [(row["n_selected"], _interval(row)) for row in points.to_dict("records")]
    verdicts: list[Verdict] = []
    for i, (size, interval) in enumerate(placed):
        leads = [
            difference_interval(interval, rival)
            for j, (other_size, rival) in enumerate(placed)
            if other_size <= size and j != i
        ]
        beaten = any(lead.high <= 0 and lead.estimate < 0 for lead in leads)
        verdicts.append("holds" if all(lead.low > 0 for lead in leads) else "fails" if beaten else "undecided")
    return verdicts


def _interval(point: Mapping[str, float]) -> Interval:
    return Interval(float(point["mean"]), float(point["low"]), float(point["high"]))
