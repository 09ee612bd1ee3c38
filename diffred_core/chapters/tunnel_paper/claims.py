"""What the page concludes, each claim held against the results table of the chapter."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from diffred_core.chapters.tunnel_paper.comparisons import (
    CNNS,
    COMPARISONS,
    RESOLUTION_STEPS,
    VARIANTS,
    VIT,
    Comparison,
)
from diffred_core.chapters.tunnel_paper.names import DIGIT_VERDICTS, LEVEL, MEASURES, QUANTITIES, READINGS
from diffred_core.chapters.tunnel_paper.printed import comparison_frame, replay
from diffred_core.results import where
from diffred_core.results.claims import Claim, judge, judge_exact, percent

ALPHA = 0.05
MEASURE = "retained"


def all_claims(table: pd.DataFrame) -> list[Claim]:
    """Return the claims about a table of `statistics`, in the order of the page."""
    return [
        numbers_follow(table),
        headings_are_exchanged(table),
        rows_pair_in_file_order(table),
        effects_hold_over_networks(table),
        resolution_helps(table, CNNS, "CNNs"),
        resolution_helps(table, VIT, "ViT"),
        held_out_is_explained(table),
    ]


def numbers_follow(table: pd.DataFrame) -> Claim:
    """Return the claim that every printed number comes out again, those of mere alternatives left out."""
    numbers = replay(table).query("side != 'file_order'")
    n = numbers["verdict"].value_counts().reindex(DIGIT_VERDICTS, fill_value=0)
    kinds = numbers.loc[numbers["verdict"] == "differs", "quantity"].value_counts(sort=False)
    what = "; ".join(f"{QUANTITIES[str(kind)][1]}: {count}" for kind, count in kinds.items())
    evidence = (
        f"Of {len(numbers)} printed numbers {n['equal']} come out equal to the last printed digit, {n['rounding']} "
        f"more within what the rounding of the table allows, and {n['differs']} differ{what and f' ({what})'}."
    )
    statement = "every printed number follows from the published table."
    return judge_exact(name="printed numbers", statement=statement, evidence=evidence, value=n["differs"], side="below")


def headings_are_exchanged(table: pd.DataFrame) -> Claim:
    """Return the claim that exchanging two headings of table 4 fits the alignments better than any other reading."""
    residuals = table[table["metric"] == "alignment_residual"]
    worst = residuals["value"].abs().groupby(residuals["method"]).max()
    others = {name: words for name, words in READINGS.items() if name != "exchanged"}
    evidence = (
        f"With headings exchanged, the accuracies of table 4 give every alignment to {worst['exchanged']:.4f}; the "
        f"largest residual is {_join(f'{worst[name]:.4f} with headings {words}' for name, words in others.items())}."
    )
    statement = "table 4 has the headings of two columns exchanged."
    value = worst[list(others)].min() - worst["exchanged"]
    return judge_exact(name="headings of table 4", statement=statement, evidence=evidence, value=value)


def rows_pair_in_file_order(table: pd.DataFrame) -> Claim:
    """Return the claim that the printed p-values of resolution pair rows in the order of the file."""
    steps = tuple(comparison.name for comparison in RESOLUTION_STEPS)
    p = where(replay(table), quantity="p_value", subject=steps)
    fits = p["verdict"].isin(("equal", "rounding")).groupby(p["side"]).sum()
    evidence = (
        f"Of the {(p['side'] == 'matched').sum()} printed p-values of resolution, {fits['file_order']} come out, "
        f"digits or rounding, when the rows are paired in the order of the file, and {fits['matched']} when each "
        "network is paired with itself. Means and Cliff's deltas are the same either way."
    )
    statement = "the test of resolution did not pair each network with itself."
    value = fits["file_order"] - fits["matched"]
    return judge_exact(name="pairs of the test", statement=statement, evidence=evidence, value=value)


def effects_hold_over_networks(table: pd.DataFrame) -> Claim:
    """Return the claim that what is significant over cells has an interval without zero over pairs of networks."""
    rows = comparison_frame(table, COMPARISONS).query("measure == @MEASURE")
    few = rows["low"].isna()
    clear = (rows["low"] > 0) | (rows["high"] < 0)
    cells_only = rows[~clear & ~few & (rows["p_value"] < ALPHA)]
    evidence = (
        f"Over pairs of networks, the {percent(LEVEL)} interval of {clear.sum()} of {(~few).sum()} effects on "
        f"{MEASURES[MEASURE]} excludes zero ({few.sum()} more have too few pairs for an interval)."
    )
    if cells_only.empty:
        evidence += f" Each of the others has p of at least {ALPHA:g} over cells, too."
    else:
        named = _join(f"{row.title}: {_signed(row)}, p {row.p_value:.2g}" for row in cells_only.itertuples())
        evidence += f" It contains zero, while p over cells is below {ALPHA:g}, for {named}."
    statement = f"every effect with p below {ALPHA:g} over cells is clear over networks."
    return judge_exact(
        name="networks as the unit", statement=statement, evidence=evidence, value=len(cells_only), side="below"
    )


def resolution_helps(table: pd.DataFrame, comparison: Comparison, words: str) -> Claim:
    """Return the claim that the networks of a comparison of `VARIANTS`, in `words`, gain by a higher resolution."""
    rows = comparison_frame(table, VARIANTS).query("measure == @MEASURE").set_index("comparison")
    row = rows.loc[comparison.name]
    return judge(
        name=f"resolution, {words}",
        statement=f"{MEASURES[MEASURE]} rises from 32 to 224 pixels.",
        evidence=f"It changes by {_signed(row)}.",
        **row[["low", "high"]].to_dict(),
        value=row["gain"],
    )


def held_out_is_explained(table: pd.DataFrame) -> Claim:
    """Return the claim that the regression explains networks that it was not fitted on as well as the others."""
    rows = table[table["method"] == "regression"].set_index(["metric", "label"])
    explained, held_out, ceiling = (rows.loc[name] for name in ("r2", "r2_held_out", "r2_ceiling"))
    parts = (
        f"{words} {explained.loc[m, 'value']:.2f} in-sample, {held_out.loc[m, 'value']:.2f} on combinations held out "
        f"(at most {ceiling.loc[m, 'value']:.2f} by their means)"
        for m, words in MEASURES.items()
        if m in explained.index
    )
    shares = table[table["metric"] == "variance_share"].set_index("method")
    evidence = (
        f"R² is, for {'; '.join(parts)}. Of the variance of % retained over the {shares['n'].iloc[0]} ImageNet-100 "
        f"networks at 32 and 224 pixels, {100 * shares.loc['networks', 'value']:.0f} % lies between networks and "
        f"{100 * shares.loc['ood_sets', 'value']:.0f} % between OOD sets."
    )
    of_measure = held_out.loc[MEASURE, ["value", "low", "high"]].astype(float) - explained.loc[MEASURE, "value"]
    statement = f"the predictors explain as much of {MEASURES[MEASURE]} in combinations held out as in-sample."
    return judge(name="explained variance", statement=statement, evidence=evidence, **of_measure.to_dict())


def _signed(row: tuple | pd.Series) -> str:
    if pd.isna(row.low):
        return (
            f"{row.gain:+.1f} (the {row.n_pairs} pairs: {row.least:+.1f} to {row.most:+.1f}; too few for an interval)"
        )
    return f"{row.gain:+.1f} (interval {row.low:+.1f} to {row.high:+.1f} over {row.n_pairs} pairs)"


def _join(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
