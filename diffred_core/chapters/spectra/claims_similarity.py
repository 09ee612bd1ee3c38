"""What the paper on CKA says, and a caution about it, held against a table of `similarity_across`."""

from __future__ import annotations

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.matching import INDEX_WORDS, by_pair, components
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, judge_exact, percent

FINDS = 0.9  # of the layers
ALIKE = 0.95  # of CKA
ENERGY = 0.75  # of the label energy of the layer


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about a table of `similarity_across`; those about seeds if there are some.

    Parameters
    ----------
    table : DataFrame
    level : float
        Coverage of the intervals, over pairs of seeds; pairs that share a network are not independent.

    Raises
    ------
    InputError
        If the table is of another sweep.
    """
    judged = [alike_without_labels(table)]
    seeds = set(where(table, method=names.BETWEEN_SEEDS)["metric"])
    if seeds:
        judged = [finds_layers(table, level=level), *judged]
        others = [other for other in ("svcca", "pwcca") if other in seeds]
        judged[1:1] = [finds_more(table, other=other, level=level) for other in others]
    return judged


def finds_layers(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that linear CKA finds the same layer in another seed for 9 of 10 (Kornblith et al. 2019)."""
    shares = by_pair(table, "cka")
    value, low, high = intervals.mean_interval(shares, level=level)
    spread = f"{percent(level)} interval {low:.3f} to {high:.3f} over pairs" if low == low else "one pair, no interval"
    return judge(
        name="CKA finds the same layer",
        statement=f"for more than {percent(FINDS)} of the layers of a network, the most similar by linear CKA in a "
        "network of another seed is the same layer.",
        evidence=f"It is for {100 * value:.1f} %, {spread}.",
        value=value,
        low=low,
        high=high,
        limit=FINDS,
    )


def finds_more(table: pd.DataFrame, *, other: str, level: float = 0.95) -> Claim:
    """Return the claim that linear CKA finds more layers than another index; as `finds_layers`."""
    cka, rival = by_pair(table, "cka"), by_pair(table, other)
    return above_zero(
        name=f"CKA finds more layers than {INDEX_WORDS[other]}",
        statement=f"linear CKA finds the same layer of another seed more often than {INDEX_WORDS[other]}.",
        measured=f"It is found for {100 * cka.mean():.1f} % against {100 * rival.mean():.1f} %; the difference",
        differences=cka - rival,
        level=level,
        over="pairs of seeds",
    )


def alike_without_labels(table: pd.DataFrame) -> Claim:
    """Return the caution that as few components as have CKA 0.95 with the layer lack a quarter of its label energy."""
    rows = components(table)
    k = int((rows[names.CKA] >= ALIKE).idxmax())
    share = float(rows.loc[k, names.ENERGY] / rows[names.ENERGY].iloc[-1])
    return judge_exact(
        name="high CKA is not equal task content",
        statement=f"the fewest tested components whose CKA with the layer is at least {ALIKE:g} hold at most "
        f"{percent(ENERGY)} of the label energy that the layer holds.",
        evidence=f"{k} components have CKA {rows.loc[k, names.CKA]:.3f} and hold {100 * share:.1f} % of it; a probe on "
        f"them is right for {100 * rows.loc[k, names.ACCURACY]:.1f} %, on all for "
        f"{100 * rows[names.ACCURACY].iloc[-1]:.1f} %.",
        value=share,
        limit=ENERGY,
        side="below",
    )
