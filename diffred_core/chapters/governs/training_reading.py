"""A table of networks trained here made ready: values by seed, paired differences, and why a layer is redundant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.governs import names_training as names
from diffred_core.errors import InputError
from diffred_core.results import where

# measures that objectives are compared by: what rows of a table they are
DR_OWN, DR_OTHER = f"DR, {names.OWN}", f"DR, {names.OTHER}"
MEASURES: dict[str, dict[str, object]] = {
    **{
        f"DR, {label}": {"metric": names.FIRST, "method": names.RANDOM, "delta": names.DELTA, "label": label}
        for label in (names.OWN, names.OTHER)
    },
    "DR first k": {"metric": names.FIRST, "method": names.FIRST_K, "delta": names.DELTA, "label": names.OWN},
    "class separation": {"metric": names.SEPARATION, "label": names.OWN},
    "log10 NC1": {"metric": names.NC1, "label": names.OWN},
    "RankMe": {"metric": names.RANKME, "label": names.OWN},
}
SEPARATION, NC1, RANKME = "class separation", "log10 NC1", "RankMe"
COLLAPSED, SPREAD, BOTH, NEITHER = "collapsed", "spread", "both", "neither"


def architecture_of(table: pd.DataFrame) -> str:
    """Return the architecture that all objectives were trained in: the one with the most of them, the first of such."""
    counts = table.groupby("model", sort=False)["recipe"].nunique()
    return str(counts.idxmax())


def objectives_of(table: pd.DataFrame) -> list[str]:
    """Return the objectives but the reference, in the order of the table.

    Raises
    ------
    InputError
        If the reference is not among them, or nothing else is.
    """
    goals = list(dict.fromkeys(where(table, model=architecture_of(table))["recipe"].dropna()))
    if names.REFERENCE not in goals or len(goals) < 2:
        raise InputError(
            f"expected networks of {names.REFERENCE} and of another objective, got {', '.join(goals) or 'none'}; "
            "differences need both"
        )
    return [name for name in goals if name != names.REFERENCE]


def by_seed(table: pd.DataFrame, objective: str, what: Mapping[str, object], *, model: str | None = None) -> pd.Series:
    """Return the values of one objective by seed, mean over tasks.

    Parameters
    ----------
    what : mapping
        Column and value of the rows: of `MEASURES`, say.
    model : str, optional
        By default that of `architecture_of`.

    Raises
    ------
    InputError
        If there is no such row.
    """
    rows = where(table, recipe=objective, model=model or architecture_of(table), **what)
    if rows.empty:
        known = ", ".join(sorted(table["recipe"].dropna().unique()))
        raise InputError(f"expected {what['metric']} of {objective}, got no such row; the table holds {known}")
    return rows.groupby("seed")["value"].mean()


def measure_by_seed(table: pd.DataFrame, objective: str, measure: str) -> pd.Series:
    """Return the values of one of `MEASURES` by seed; of NC1 the decimal logarithm, as it spans orders of magnitude."""
    values = by_seed(table, objective, MEASURES[measure])
    return np.log10(values) if measure == NC1 else values


def differences(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return by how much each objective differs from the reference, in pairs of networks of one seed.

    Returns
    -------
    DataFrame
        Columns objective, measure (of `MEASURES`), mean, low, high, n, level; limits are missing with one seed.
    """
    rows = []
    for objective in objectives_of(table):
        for measure in MEASURES:
            pairs = measure_by_seed(table, objective, measure) - measure_by_seed(table, names.REFERENCE, measure)
            interval = intervals.mean_interval(pairs.to_numpy(), level=level)
            about = {"objective": objective, "measure": measure, "n": len(pairs), "level": level}
            rows.append(about | dict(zip(("mean", "low", "high"), interval, strict=True)))
    return pd.DataFrame(rows)


def reasons(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Return of every objective whether its layer is collapsed or spread, compared with the reference.

    Collapsed: class separation surely higher. Spread: RankMe, the effective number of directions, surely higher. Where
    both or neither is sure, that is said.

    Returns
    -------
    DataFrame
        Columns objective, reason, and one a measure with the mean difference.
    """
    rows = differences(table, level=level)
    means = rows.pivot(index="objective", columns="measure", values="mean").loc[objectives_of(table), list(MEASURES)]
    surely = rows.assign(surely=rows["low"] > 0).pivot(index="objective", columns="measure", values="surely")
    words = {(True, True): BOTH, (True, False): COLLAPSED, (False, True): SPREAD, (False, False): NEITHER}
    reason = [words[bool(surely.loc[name, SEPARATION]), bool(surely.loc[name, RANKME])] for name in means.index]
    return means.rename_axis(columns=None).reset_index().assign(reason=reason)


def correlations(table: pd.DataFrame, one: str, other: Mapping[str, object]) -> pd.Series:
    """Return for every seed the correlation, over objectives, of a measure with other rows of the table."""
    goals = [names.REFERENCE, *objectives_of(table)]
    x = pd.DataFrame({goal: measure_by_seed(table, goal, one) for goal in goals})
    y = pd.DataFrame({goal: by_seed(table, goal, other) for goal in goals})
    return x.corrwith(y, axis=1).dropna()
