"""What a published claim is, and when an interval says that it holds.

A claim holds where its whole interval is on the right side of the limit, fails where the whole interval is on the
wrong side, and is undecided where the interval contains the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

import pandas as pd
from numpy.typing import ArrayLike

from diffred_core import intervals
from diffred_core.results.rows import Row

Side = Literal["above", "below", "within"]
Verdict = Literal["holds", "fails", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("holds", "undecided", "fails")


class ValueWithLimits(TypedDict):
    """A measurement with the limits of its interval, as `judge` takes them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Claim:
    """A statement about one table, what was measured, and the verdict; made by `judge`.

    Attributes
    ----------
    name : str
        Short, for tables.
    statement : str
        What is claimed.
    evidence : str
        The numbers.
    value, low, high, limit : float
        The measurement with its interval, and the limit that the claim is about.
    verdict : {"holds", "undecided", "fails"}
    """

    name: str
    statement: str
    evidence: str
    value: float
    low: float
    high: float
    limit: float
    verdict: Verdict


def judge(
    *,
    name: str,
    statement: str,
    evidence: str,
    value: float,
    low: float,
    high: float,
    limit: float = 0.0,
    side: Side = "above",
) -> Claim:
    """Return the claim that a measurement lies on one side of a limit, with the verdict of its interval.

    Parameters
    ----------
    name, statement, evidence, value, low, high, limit
        As in `Claim`. Limits of an interval that is not known are NaN, and leave the claim undecided.
    side : {"above", "below", "within"}
        Where the claim puts the value: above the limit, at most at it, or not further than it from 0.
    """
    right, wrong = {
        "above": (low > limit, high <= limit),
        "below": (high <= limit, low > limit),
        "within": (low >= -limit and high <= limit, low > limit or high < -limit),
    }[side]
    verdict: Verdict = "holds" if right else "fails" if wrong else "undecided"
    numbers = {"value": float(value), "low": float(low), "high": float(high), "limit": float(limit)}
    return Claim(name=name, statement=statement, evidence=evidence, **numbers, verdict=verdict)


def judge_exact(
    *, name: str, statement: str, evidence: str, value: float, limit: float = 0.0, side: Side = "above"
) -> Claim:
    """Return the claim about a number that has no error: it is its own interval."""
    numbers = {"value": value, "low": value, "high": value, "limit": limit}
    return judge(name=name, statement=statement, evidence=evidence, **numbers, side=side)


def above_zero(
    *,
    name: str,
    statement: str,
    measured: str,
    differences: ArrayLike,
    level: float = 0.95,
    digits: int = 3,
    over: str = "draws",
) -> Claim:
    """Return the claim that the mean of `differences` is above 0, with its Student t interval.

    Parameters
    ----------
    name, statement : str
        As in `Claim`.
    measured : str
        What the difference is of; the difference itself is put behind it.
    differences : array-like (n_repeats,)
        One a repeat; a single one has no interval, and leaves the claim undecided.
    level : float
    digits : int
        Decimal places of the numbers.
    over : str
        What the repeats are, in the plural.
    """
    value, low, high = intervals.mean_interval(differences, level=level)
    mean, least, most = (f"{number:+.{digits}f}" for number in (value, low, high))
    spread = f"{percent(level)} interval {least} to {most} over {over}"
    evidence = f"{measured}: {mean}, {spread if low == low else f'without an interval: one of the {over}'}."
    return judge(name=name, statement=statement, evidence=evidence, value=value, low=low, high=high)


def on_average(cells: Mapping[tuple[str, str], Claim], *, side: Side = "above", level: float = 0.95) -> Claim:
    """Return the claim that holds of the mean over models and tasks.

    Parameters
    ----------
    cells : mapping of (task, model) to Claim
        The same claim about each; at least one.
    side : {"above", "below", "within"}
        Where each of them puts its value.
    level : float
        Coverage of the interval, over models that are resampled with all their tasks.
    """
    (first, *_), by_model = cells.values(), dict[str, list[float]]()
    for (_, model), claim in cells.items():
        by_model.setdefault(model, []).append(claim.value)
    n = max(map(len, by_model.values()))
    whole = [values for values in by_model.values() if len(values) == n]  # a model that lacks a task would weigh more
    mean, low, high = intervals.cluster_bootstrap(whole, level=level)
    counts = {verdict: sum(claim.verdict == verdict for claim in cells.values()) for verdict in VERDICTS}
    words = ", ".join(f"{verdict} {number}" for verdict, number in counts.items())
    over = f"{percent(level)} interval over {len(whole)} models {low:+.3f} to {high:+.3f}"
    spread = over if len(whole) > 1 else "of one model, so without an interval"
    return judge(
        name=first.name,
        statement=first.statement,
        evidence=f"Mean {mean:+.3f}, {spread}, limit {first.limit:+g}; of {len(cells)} pairs of model and task: "
        f"{words}.",
        value=mean,
        low=low,
        high=high,
        limit=first.limit,
        side=side,
    )


def claim_rows(claims: Iterable[Claim], cell: Mapping[str, object]) -> Iterator[Row]:
    """Yield the claims as rows of a results table: metric ``claim``, its name as method, its verdict as label.

    Parameters
    ----------
    claims : iterable of Claim
    cell : mapping
        Columns that the rows share: task, model, layer, n_features.
    """
    for claim in claims:
        measured = {"value": claim.value, "low": claim.low, "high": claim.high}
        yield {**cell, "metric": "claim", "method": claim.name, "label": claim.verdict, **measured}


def with_limits(row: pd.Series) -> ValueWithLimits:
    """Return the value of a row of a results table with the limits of its interval."""
    return {"value": float(row["value"]), "low": float(row["low"]), "high": float(row["high"])}


def percent(share: float) -> str:
    """Return a share in words: ``20 %``."""
    return f"{100 * share:.4g} %"
