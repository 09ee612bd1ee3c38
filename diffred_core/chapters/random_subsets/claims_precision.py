"""Whether a precision keeps what is measured: claims of non-inferiority, held against a table of one model and task."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.random_subsets import names
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, percent, with_limits


def all_claims(table: pd.DataFrame, *, margin: float = 0.01, level: float = 0.95) -> list[Claim]:
    """Return, of every precision but the first, the claims that accuracy and similarity are kept.

    Parameters
    ----------
    table : DataFrame
        Of `random_subsets.precision_errors`.
    margin : float
        Accuracy that may be lost, and change of CKA either way; 0.01 is one point.
    level : float
        Coverage that the sweep gave to changes of accuracy; of the interval over draws that CKA gets here.
    """
    changed = where(table, metric=names.CHANGE)["label"].unique()
    return [claim for name in changed for claim in _of_precision(table, name, margin=margin, level=level)]


def _of_precision(table: pd.DataFrame, name: str, *, margin: float, level: float) -> Iterator[Claim]:
    changes = where(table, label=name, metric=names.CHANGE)
    for method, words in ((names.FULL, "all dimensions"), (names.RANDOM, f"a random {percent(_share(table))}")):
        change = with_limits(where(changes, method=method).iloc[0])
        value, low, high = (f"{100 * change[key]:+.2f}" for key in ("value", "low", "high"))
        yield judge(
            name=f"{name} keeps accuracy",
            statement=f"with {words}, a probe on features computed in {name} loses less than {100 * margin:g} points.",
            evidence=f"Accuracy changes by {value} points, {percent(level)} interval {low} to {high} (ridge probe; "
            "paired bootstrap).",
            **change,
            limit=-margin,
        )
    yield _similarity(table, name, margin=margin, level=level)


def _similarity(table: pd.DataFrame, name: str, *, margin: float, level: float) -> Claim:
    by_draw = where(table, metric=names.CKA).pivot(index="repeat", columns="label", values="value")
    reference = where(table, metric=names.CKA)["label"].iloc[0]
    value, low, high = intervals.mean_interval((by_draw[name] - by_draw[reference]).astype(float), level=level)
    spread = f"{percent(level)} interval {low:+.4f} to {high:+.4f} over draws" if low == low else "a single draw"
    return judge(
        name=f"{name} keeps similarity",
        statement=f"the CKA of a random {percent(_share(table))} with the layer changes by less than {margin:g}.",
        evidence=f"It is {by_draw[name].mean():.4f} against {by_draw[reference].mean():.4f} in {reference}: "
        f"{value:+.4f}, {spread}.",
        value=value,
        low=low,
        high=high,
        limit=margin,
        side="within",
    )


def _share(table: pd.DataFrame) -> float:
    """Return the share of the dimensions in the random subsets."""
    return float(where(table, metric=names.CKA)["fraction"].iloc[0])
