"""Claims that the last layer serves a task better than as many dimensions of an earlier one, or of all layers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.reading import places
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, percent, with_limits


def last_leads_middle_layer(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that k random dimensions of the last layer are more accurate than k of a middle layer.

    The middle one is the layer nearest to half way down that was compared, at the greatest k that it was compared at.

    Parameters
    ----------
    table : DataFrame
        Of `layers`, with `n_subsets` above 0.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If no earlier layer was compared with the last one.
    """
    rows = _leads(table, names.OF_LAYER).merge(places(table)[["layer", "place"]], on="layer")
    half = (len(places(table)) + 1) / 2
    from_middle = (rows["place"] - half).abs()
    nearest = rows[from_middle == from_middle.min()].sort_values(["place", "n_selected"], ascending=[True, False])
    middle = nearest.iloc[0]
    return _claim(middle, "last layer leads a middle one", f"of {middle['layer']}", level)


def last_leads_hidden_units(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that k random dimensions of the last layer are more accurate than k of all layers together.

    Parameters and errors are those of `last_leads_middle_layer`; k is the greatest measured.
    """
    rows = _leads(table, names.OF_ALL_HIDDEN)
    return _claim(rows.loc[rows["n_selected"].idxmax()], "last layer leads all layers", "of all layers", level)


def of_equal_number(table: pd.DataFrame) -> list[Claim]:
    """Return those of the two that the table is about: no other layer may be as wide as a fifth of the last one."""
    methods = set(where(table, metric=names.LAST_LEAD)["method"])
    claims = {names.OF_LAYER: last_leads_middle_layer, names.OF_ALL_HIDDEN: last_leads_hidden_units}
    return [claim(table) for method, claim in claims.items() if method in methods]


def _leads(table: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = where(table, metric=names.LAST_LEAD, method=method)
    if rows.empty:
        raise InputError(
            f"expected {names.LAST_LEAD} of {method}, got no such row; run the sweep with n_subsets above 0"
        )
    return rows


def _claim(row: pd.Series, name: str, others: str, level: float) -> Claim:
    lead = with_limits(row)
    value, low, high = (f"{100 * lead[end]:+.1f}" for end in ("value", "low", "high"))
    return judge(
        name=name,
        statement=f"{row['n_selected']} random dimensions of the last layer are more accurate than as many {others}.",
        evidence=f"They lead by {value} points, {percent(level)} interval {low} to {high} (paired bootstrap over draws "
        "and test rows).",
        **lead,
    )
