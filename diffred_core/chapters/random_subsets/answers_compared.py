"""What the page of two cells found: which needs fewer dimensions, by how much, and whether that is decided."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import compared, names
from diffred_core.drawing import Answer
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, percent, with_limits
from diffred_core.results.readable import cell_name

UNITS = {compared.NEEDED: ("dimensions", 1, "dimensions"), compared.NEEDED_SHARE: ("share of the layer", 100, "points")}


def compare(table: pd.DataFrame, *, level: float = 0.95) -> Answer:
    """Return which of two cells needs fewer dimensions, and the verdicts.

    Parameters
    ----------
    table : DataFrame
        From `compared.compare`.
    level : float
        That of its intervals.
    """
    needs = where(table, metric=compared.NEEDED)
    whole = needs[needs["repeat"].isna()]
    sides = [
        f"{int(row.value):,} of {int(row.n_features):,}{'' if i else ' dimensions'} ({percent(_share(table, i))}) in "
        f"{cell_name(row.model, row.task)}"
        for i, row in enumerate(whole.itertuples())
    ]
    judged = [_fewer(table, metric, level=level) for metric in UNITS]
    keep = whole["delta"].iloc[0]
    what = f"A CKA of {keep:g}" if _is_similarity(table) else f"{percent(keep)} of the accuracy"
    sentence = f"{what} needs {sides[0]} and {sides[1]}. {_by_how_much(table, judged[0], level=level)}"
    return Answer(sentence, [*judged, _higher(table, level=level)])


def _by_how_much(table: pd.DataFrame, claim: Claim, *, level: float) -> str:
    d = where(table, metric=f"{compared.NEEDED}_difference").iloc[0]
    if pd.isna(d["low"]):
        return "They have no draws of the same seeds that could tell them apart."
    which = "first needs {} fewer" if d["value"] <= 0 else "second needs {} fewer"
    decided = "decided" if claim.verdict == "holds" else "not decided"
    return (
        f"Draw by draw the {which.format(f'{claim.value:,.0f}')} ({percent(level)} interval {claim.low:,.0f} to "
        f"{claim.high:,.0f} over {d['n']} draws): {decided}."
    )


def _share(table: pd.DataFrame, side: int) -> float:
    shares = where(table, metric=compared.NEEDED_SHARE)
    return float(shares.loc[shares["repeat"].isna(), "value"].iloc[side])


def _is_similarity(table: pd.DataFrame) -> bool:
    return bool((table["metric"] == names.CKA).any())


def _names(table: pd.DataFrame) -> tuple[str, str]:
    row = where(table, metric=compared.DIFFERENCE).iloc[0]
    return cell_name(row["model"], row["task"]), str(row["label"])


def _fewer(table: pd.DataFrame, metric: str, *, level: float) -> Claim:
    """Return the claim that the first needs less, or where it needs more, that the second does."""
    row = where(table, metric=f"{metric}_difference").iloc[0]
    (what, times, unit), (first, second), difference = UNITS[metric], _names(table), with_limits(row)
    less, more, sign = (first, second, -1) if row["value"] <= 0 else (second, first, 1)
    low, high = sorted((sign * difference["low"] + 0.0, sign * difference["high"] + 0.0))
    gain = sign * difference["value"] + 0.0  # no minus before a zero
    return judge(
        name=f"fewer {what}" if metric == compared.NEEDED else f"smaller {what}",
        statement=f"{less} needs less than {more} ({what}).",
        evidence=f"By {times * gain:,.4g} {unit}, {percent(level)} interval {times * low:,.4g} to {times * high:,.4g} "
        f"({row['recipe']}, these test rows).",
        value=gain,
        low=low,
        high=high,
    )


def _higher(table: pd.DataFrame, *, level: float) -> Claim:
    """Return the claim that the one which is higher at the published share is so beyond its interval."""
    rows = where(table, metric=compared.DIFFERENCE)
    row = rows.loc[(rows["fraction"] - names.FRACTION).abs().idxmin()]
    first, second = _names(table)
    above, below, sign = (first, second, 1) if row["value"] >= 0 else (second, first, -1)
    low, high = sorted((sign * row["low"], sign * row["high"]))
    times, unit = (1, "") if _is_similarity(table) else (100, " points")
    return judge(
        name=f"higher at {percent(row['fraction'])}",
        statement=f"with a random {percent(row['fraction'])} of its dimensions {above} lies above {below}.",
        evidence=f"By {times * sign * row['value']:.3g}{unit}, {percent(level)} interval {times * low:.3g} to "
        f"{times * high:.3g} ({row['recipe']}).",
        value=sign * row["value"],
        low=low,
        high=high,
    )
