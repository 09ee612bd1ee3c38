"""Reading one measurement of a few_shot table with its interval, and saying it."""

from __future__ import annotations

import math

import pandas as pd

from diffred_core import results, subsets
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, verdict

CENTROID = "centroid_euclidean"  # the classifier of the paper's theory
PUBLISHED, FAIR = "oracle_all", "oracle_no_query"  # the second does not see the images that it is tested on


def judged(name: str, statement: str, measured: str, found: pd.Series) -> Claim:
    """Return the claim that what was found lies above 0; `measured` says what it is of."""
    evidence = (
        f"{measured}: {points(found['mean'])}, {percent(found['level'])} interval {100 * found['low']:+.1f} to "
        f"{100 * found['high']:+.1f} over {int(found['n']):,} episodes."
    )
    said = verdict(found["low"], found["high"], 0.0, below=False)
    return Claim(name, statement, evidence, found["mean"], found["low"], found["high"], 0.0, said)


def oracle(
    table: pd.DataFrame, metric: str, level: float, *, fraction: float | None = None, who: str = PUBLISHED
) -> pd.Series:
    """Return one measurement of the published oracle, or of another, at the headline setting."""
    rows = table[(table["method"] == who) & (table["split"] == "pool") & (table["probe"] == CENTROID)]
    return row_of(
        rows[(rows["n_way"] == n_way(table)) & (rows["n_shot"] == all_shots(table)[0])],
        metric,
        level,
        fraction=fraction,
    )


def row_of(rows: pd.DataFrame, metric: str, level: float, *, fraction: float | None = None) -> pd.Series:
    """Return mean, low, high, n and level of one measurement, with its fraction.

    It is looked for by the number of dimensions that `fraction` keeps: of fractions that keep equally many a narrow
    layer has one row.

    Raises
    ------
    InputError
        If there is no such row.
    """
    if fraction is not None and len(rows):
        rows = rows[rows["n_selected"] == subsets.top_size(int(rows["n_features"].iloc[0]), fraction)]
    if not (rows["metric"] == metric).any():
        said = "" if fraction is None else f" at fraction {fraction:g}"
        raise InputError(f"expected {metric}{said}, got no such row; run sweeps.few_shot with it")
    return results.summarize_episodes(rows, ["fraction"], metric=metric, level=level).iloc[0]


def difference(a: pd.Series, b: pd.Series) -> pd.Series:
    """Return a - b of independent means with the interval of the root of both squared half-widths."""
    reach = math.hypot(a["high"] - a["mean"], b["high"] - b["mean"])
    mean, n = a["mean"] - b["mean"], min(a["n"], b["n"])
    return pd.Series({"mean": mean, "low": mean - reach, "high": mean + reach, "n": n, "level": a["level"]})


def negative(found: pd.Series) -> pd.Series:
    """Return the same with the other sign."""
    mean, low, high = -found["mean"], -found["high"], -found["low"]
    return pd.Series({"mean": mean, "low": low, "high": high, "n": found["n"], "level": found["level"]})


def n_way(table: pd.DataFrame) -> int:
    """Return the number of classes of the headline, at which curves of the pool were measured."""
    return int(table.loc[(table["method"] == PUBLISHED) & (table["split"] == "pool"), "n_way"].iloc[0])


def all_shots(table: pd.DataFrame) -> list[int]:
    """Return the numbers of shots at which everything was measured, growing."""
    found = table.loc[(table["method"] == PUBLISHED) & (table["split"] == "pool"), "n_shot"]
    if found.empty:
        raise InputError("expected a table of sweeps.few_shot, got one without oracle_all; run that sweep")
    return sorted(int(n_shot) for n_shot in found.unique())


def setting(table: pd.DataFrame) -> str:
    """Return the headline setting in words."""
    return f"{n_way(table)} classes, {plural(all_shots(table)[0], 'shot')}"


def points(share: float) -> str:
    """Return a difference of accuracies in words."""
    return f"{100 * share:+.1f} points"


def percent(share: float) -> str:
    """Return a share in words."""
    return f"{100 * share:.4g} %"


def plural(n: int, word: str) -> str:
    """Return a number of things in words."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
