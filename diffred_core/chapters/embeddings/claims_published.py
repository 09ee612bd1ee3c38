"""What is said about bits and dimensions, held against the published scores of every encoder."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.embeddings.names_published import DIFFERENCE, FOR_PREFIXES, THRESHOLD_POINTS
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, percent

BITS = {  # comparison: the name of its claim, and what stands on its two sides
    "8 bits or a quarter": ("fewer bits, 1/4 of the bytes", "8 bits of all dimensions", "the first quarter"),
    "2 bits or a quarter at 8 bits": (
        "fewer bits, 1/16 of the bytes",
        "2 bits of all dimensions",
        "8 bits of the first quarter",
    ),
    "1 bit or an eighth at 8 bits": (
        "fewer bits, 1/32 of the bytes",
        "1 bit of all dimensions",
        "8 bits of the first eighth",
    ),
}
PREFIXES = {
    "PCA or the first half": ("PCA or the first k, half", "principal components, half as many as dimensions"),
    "PCA or the first quarter": ("PCA or the first k, quarter", "principal components, a quarter of the dimensions"),
}
THRESHOLD = "1 bit at the median or at zero"


def published_claims(table: pd.DataFrame, encoder: str, *, level: float = 0.95) -> list[Claim]:
    """Return the claims on one encoder of a table of `published_scores`.

    That fewer bits are ahead of fewer dimensions at equal bytes; that principal components are ahead of the first k
    unless the encoder was trained for prefixes, when they are behind; that the threshold of a single bit decides.
    """
    differences = where(table, model=encoder, metric=DIFFERENCE).set_index("label")
    claims = []
    for comparison, (name, one, other) in BITS.items():
        statement = f"at equal bytes {one} keep more of the score than {other} of them."
        claims.append(judge(name=name, statement=statement, **_measured(differences.loc[comparison], level)))
    trained = FOR_PREFIXES[encoder]
    for comparison, (name, what) in PREFIXES.items():
        side = "behind the first k, for which it was trained" if trained else "ahead of the first k"
        measured = _measured(differences.loc[comparison], level)
        claims.append(
            judge(name=name, statement=f"{what}, are {side}.", side="below" if trained else "above", **measured)
        )
    return [*claims, _threshold(differences.loc[THRESHOLD], level)]


def _threshold(row: pd.Series, level: float) -> Claim:
    """Judge the size of the difference: its interval is that of the signed one, turned to the side it lies on."""
    sign = 1.0 if row["value"] >= 0 else -1.0
    low, high = sorted((sign * row["low"], sign * row["high"]))
    better = "the median" if sign > 0 else "zero"
    return judge(
        name="where one bit is cut",
        statement=f"cutting at zero or at the median differs by more than {THRESHOLD_POINTS:g} points.",
        evidence=f"{better.capitalize()} is ahead by {_points(abs(row['value']), low, high, level)}.",
        value=abs(row["value"]),
        low=low,
        high=high,
        limit=THRESHOLD_POINTS / 100,
    )


def _measured(row: pd.Series, level: float) -> dict:
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    evidence = f"The difference is {_points(value, low, high, level)} over {int(row['n'])} sets."
    return {"value": value, "low": low, "high": high, "evidence": evidence}


def _points(value: float, low: float, high: float, level: float) -> str:
    limits = f"{percent(level)} interval {100 * low:+.1f} to {100 * high:+.1f}"
    return f"{100 * value:+.1f} points of the full score ({limits}, sets resampled)"
