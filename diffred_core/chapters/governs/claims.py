"""What the paper says of width, upstream data and architecture, held against the table of one factor on one task."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import names
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, percent, with_limits
from diffred_core.results.readable import readable

DELTA = 0.9
OVER = "draws and test rows, resampled alike in all networks"


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `governs.what_governs`: that the factor matters, and of width how.

    Parameters
    ----------
    table : DataFrame
        One factor, one task.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If the table lacks what a claim is about.
    """
    factor = str(table["recipe"].iloc[0])
    about = [factor_matters(table, level=level)]
    if factor == names.WIDTH:
        about += [claim(table, level=level) for claim in (wider_is_more_redundant, need_grows_slower, need_is_a_number)]
    return about


def factor_matters(
    table: pd.DataFrame, *, delta: float = DELTA, margin: float = names.MARGIN, level: float = 0.95
) -> Claim:
    """Return the claim that some two networks differ in the share of dimensions that they need by more than `margin`.

    That share is 1 - DR without the steps of the published fractions.

    It holds where the lower limit of the greatest difference is above the margin, and fails where the upper one is not:
    its limits are those of all pairs at once.

    Parameters
    ----------
    table : DataFrame
        One factor, one task.
    delta : float
        Share of the accuracy to be kept.
    margin : float
        Share of the layer.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If the table has no such row.
    """
    spread, factor = _row(table, names.SPREAD, names.SHARE, delta), table["recipe"].iloc[0]
    levels = where(table, method=names.RANDOM, metric=names.SHARE, delta=delta)
    values = "; ".join(f"{readable(row.model)} {row.value:.2f}" for row in levels.itertuples())
    return judge(
        name=f"{factor} changes redundancy",
        statement=f"networks that differ in {factor} differ in the share of dimensions that keeps {percent(delta)} of "
        f"the accuracy by more than {margin:g}.",
        evidence=f"It is {values}; the greatest difference {_interval(spread, level)} for all pairs at once ({OVER}).",
        **with_limits(spread),
        limit=margin,
    )


def wider_is_more_redundant(table: pd.DataFrame, *, delta: float = DELTA, level: float = 0.95) -> Claim:
    """Return the claim that the widest layer can drop a greater share than the narrowest; as `factor_matters`."""
    narrow, wide = _ends(table)
    rows = where(table, method=names.DIFFERENCE, metric=names.SHARE, delta=delta, model=wide, label=narrow)
    if rows.empty:
        raise InputError(f"expected the difference of {wide} and {narrow}, got none; order the levels by their width")
    return judge(
        name="wider is more redundant",
        statement=f"{wide} needs a smaller share of its dimensions than {narrow} for {percent(delta)} of the accuracy.",
        evidence=f"Its share differs by {_interval(rows.iloc[0], level)} ({OVER}).",
        **with_limits(rows.iloc[0]),
        side="below",
    )


def need_grows_slower(table: pd.DataFrame, *, delta: float = DELTA, level: float = 0.95) -> Claim:
    """Return the claim that the number of needed dimensions grows more slowly than the width; as `factor_matters`."""
    return _growth(
        table,
        name="need grows slower than width",
        statement=f"the number of dimensions for {percent(delta)} of the accuracy grows more slowly than the width.",
        delta=delta,
        level=level,
        limit=1.0,
    )


def need_is_a_number(
    table: pd.DataFrame, *, delta: float = DELTA, most: float = names.SAME_NUMBER, level: float = 0.95
) -> Claim:
    """Return the claim that layers of all widths need the same number of dimensions: a critical mass.

    It grows by at most a factor of ``2 ** most`` for each doubling of the width. Otherwise as `factor_matters`.
    """
    return _growth(
        table,
        name="critical mass is a number",
        statement=f"layers of all widths need the same number of dimensions for {percent(delta)} of the accuracy: at "
        f"most {2**most:.2f} times as many for each doubling of the width.",
        delta=delta,
        level=level,
        limit=most,
    )


def _growth(table: pd.DataFrame, *, name: str, statement: str, delta: float, level: float, limit: float) -> Claim:
    slope = _row(table, names.GROWTH, names.NEEDED, delta)
    needs = where(table, method=names.RANDOM, metric=names.NEEDED, delta=delta)
    numbers = "; ".join(
        f"{2**row.value:.0f} of {row.n_features:,} ({readable(row.model)})" for row in needs.itertuples()
    )
    factors = [f"{2 ** float(slope[end]):.2f}" for end in ("value", "low", "high")]
    return judge(
        name=name,
        statement=statement,
        evidence=f"Needed are {numbers}: {factors[0]} times as many for each doubling of the width, {percent(level)} "
        f"interval {factors[1]} to {factors[2]} ({OVER}).",
        **with_limits(slope),
        limit=limit,
        side="below",
    )


def _row(table: pd.DataFrame, method: str, metric: str, delta: float) -> pd.Series:
    rows = where(table, method=method, metric=metric, delta=delta)
    if rows.empty:
        raise InputError(f"expected {metric} of {method} at {delta:g}, got no such row; run the sweep with that delta")
    return rows.iloc[0]


def _ends(table: pd.DataFrame) -> tuple[str, str]:
    """Return the narrowest and the widest network."""
    widths = where(table, method=names.RANDOM).groupby("model")["n_features"].first().astype(int)
    return str(widths.idxmin()), str(widths.idxmax())


def _interval(row: pd.Series, level: float) -> str:
    return f"{row['value']:.2f}, {percent(level)} interval {row['low']:.2f} to {row['high']:.2f}"
