"""Rows of a table of the chapter at the share of the dimensions that is nearest to a wanted one, and its words.

A narrow layer has few shares: of 8 features, 0.15 and 0.2 both keep one, and the sweep names the size by the smaller.
So what is stated of "20 %" is read at the nearest share that was measured, and says which one that is.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.errors import InputError
from diffred_core.results.claims import percent
from diffred_core.results.rows import KEYS


def at_shares(table: pd.DataFrame, fractions: Sequence[float]) -> pd.DataFrame:
    """Return the rows of every model and task at the measured shares that are nearest to `fractions`.

    Raises
    ------
    InputError
        If no row has a share.
    """
    measured = table.loc[table["fraction"].notna(), [*KEYS, "fraction"]].drop_duplicates()
    if measured.empty:
        raise InputError(f"expected rows at a share of the dimensions near {fractions[0]:g}, got none; run the sweep")
    by_cell = [shares for _, shares in measured.groupby(KEYS)["fraction"]]
    nearest = {(shares - fraction).abs().idxmin() for shares in by_cell for fraction in fractions}
    return table.merge(measured.loc[sorted(nearest)], on=[*KEYS, "fraction"])


def shares_in_words(fractions: pd.Series) -> str:
    """Return the shares as one: ``20 %``, or ``15 % to 20 %`` where narrow layers have another."""
    low, high = percent(fractions.min()), percent(fractions.max())
    return low if low == high else f"{low} to {high}"


def measured_at(summary: pd.DataFrame, *, fraction: float = names.PCA_FRACTION) -> tuple[float, str, dict[str, float]]:
    """Return the measured share nearest to `fraction`, the metric in words, and its means there by method.

    Parameters
    ----------
    summary : DataFrame
        Means of one metric by method and share, of a table of `random_subsets.measure`.
    fraction : float
        Asked of the parts; of the whole layer there is one value.
    """
    drawn = summary[summary["method"] == names.RANDOM]
    share = float(drawn.loc[(drawn["fraction"] - fraction).abs().idxmin(), "fraction"])
    read = summary[(summary["fraction"] == share) | (summary["method"] == names.FULL)]
    return share, str(read["metric"].iloc[0]).replace("_", " "), dict(zip(read["method"], read["mean"], strict=True))
