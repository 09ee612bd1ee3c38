"""The claim that a layer was trained for its prefixes, held against a table of `random_subsets.prefix_test`."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge_exact

ALPHA = 0.05


def first_features_carry_more(table: pd.DataFrame, *, alpha: float = ALPHA) -> Claim:
    """Return the claim that the first k dimensions are more accurate than chance makes as many random ones.

    It holds where the least p-value, times the number of sizes (Bonferroni), is at most `alpha`; it fails where no size
    shows it, which is what a layer in arbitrary order gives in all but `alpha` of the cases.

    Parameters
    ----------
    table : DataFrame
        Of `random_subsets.prefix_test`, one model and task.
    alpha : float

    Raises
    ------
    InputError
        If the table has no p-value.
    """
    p = where(table, metric=names.PREFIX_P).set_index("n_selected")["value"]
    if p.empty:
        raise InputError(f"expected rows of {names.PREFIX_P}, got none; pass a table of random_subsets.prefix_test")
    gain = where(table, metric=names.GAIN, method=names.FIRST_K).set_index("n_selected")["value"]
    at = "; ".join(f"{100 * gain[k]:+.1f} points at {k} (p = {p[k]:.3f})" for k in p.index)
    least = min(1.0, float(p.min()) * len(p))
    return judge_exact(
        name="first dimensions carry more",
        statement="the first dimensions are more accurate than as many random ones: the order means something.",
        evidence=f"They gain {at}; least p over {len(p)} sizes, corrected, {least:.3f} against {alpha:g}.",
        value=least,
        limit=alpha,
        side="below",
    )
