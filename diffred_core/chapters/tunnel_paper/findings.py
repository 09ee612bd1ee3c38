"""The findings of the page, in one or two sentences each, with their numbers."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from diffred_core.chapters.tunnel_paper.checks import READINGS
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS
from diffred_core.chapters.tunnel_paper.networks import METRICS

NAMES: dict[str, str] = {
    "retained": "% OOD performance retained",
    "correlation": "ID/OOD correlation",
    "alignment": "ID/OOD alignment",
}
QUANTITIES_OF_ONE: dict[str, str] = {
    "networks": "networks",
    "n_cells": "cells",
    "mean": "mean",
    "delta": "|Cliff's delta|",
    "p_value": "p",
    "r2": "R²",
    "slope": "slope",
    "slope_share": "slope, normalised",
}
QUANTITIES: dict[str, str] = {
    "networks": "networks by strength",
    "n_cells": "numbers of cells",
    "mean": "means",
    "delta": "Cliff's deltas",
    "p_value": "p-values",
    "r2": "R²",
    "slope": "slopes",
    "slope_share": "slopes, normalised",
}
ALPHA = 0.05
_SIDES = {"before": ", before", "after": ", after", "matched": ", pairs matched", "file_order": ", pairs in file order"}


def as_printed(replay: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `replay` for readers: both numbers with the printed digits.

    Returns
    -------
    DataFrame
        Columns number, metric, published, recomputed, verdict, where; text only. A p-value has two digits that count.
    """
    titles = {comparison.name: comparison.title for comparison in COMPARISONS}
    plain = replay["subject"].str.replace("_", " ")
    # A slope has a predictor for its subject; some comparisons bear the same names.
    subject = plain.where(replay["quantity"].str.startswith("slope"), replay["subject"].map(titles).fillna(plain))
    kind = replay["quantity"].map(QUANTITIES_OF_ONE) + replay["side"].map(_SIDES).fillna("")
    return pd.DataFrame(
        {
            "number": kind.where(subject == "", kind + ": " + subject),
            "metric": replay["metric"].map(NAMES).fillna(""),
            "published": [f"{row.published:.{row.digits}f}" for row in replay.itertuples()],
            "recomputed": [_with_digits(row) for row in replay.itertuples()],
            "verdict": replay["verdict"],
            "where": replay["source"],
        }
    )


def replay_counts(replay: pd.DataFrame) -> pd.DataFrame:
    """Return how many printed numbers of each kind are equal, explained by rounding, or differ.

    Parameters
    ----------
    replay : DataFrame
        From `replay`.

    Returns
    -------
    DataFrame
        Columns quantity (in words), equal, rounding, differs; one row a kind of number. The p-values of resolution are
        counted twice, once a way to pair rows.
    """
    by = replay.assign(
        kind=replay["quantity"].map(QUANTITIES)
        + replay["side"].where(replay["quantity"] == "p_value").map(_SIDES).fillna("")
    )
    counts = by.groupby("kind", sort=False)["verdict"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["equal", "rounding", "differs"], fill_value=0)
    return counts.rename_axis(columns=None, index="quantity").reset_index()


def replay_finding(replay: pd.DataFrame) -> str:
    """Return how many printed numbers come out again, those of mere alternatives left out."""
    counted = replay[replay["side"] != "file_order"]
    n = counted["verdict"].value_counts().reindex(["equal", "rounding", "differs"], fill_value=0)
    differing = counted.loc[counted["verdict"] == "differs", "quantity"].map(QUANTITIES).value_counts(sort=False)
    what = f" ({'; '.join(f'{kind}: {count}' for kind, count in differing.items())})" if len(differing) else ""
    return (
        f"Of {len(counted)} printed numbers {n['equal']} come out equal to the last printed digit, {n['rounding']} "
        f"more within what the rounding of the table allows, and {n['differs']} differ{what}."
    )


def labels_finding(residuals: pd.DataFrame) -> str:
    """Return which reading of two headings of table 4 fits the alignments."""
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    others = _join(f"{worst[name]:.4f} with {words}" for name, words in READINGS.items() if name != "exchanged")
    return (
        f"With {READINGS['exchanged']}, the accuracies of table 4 give every alignment to {worst['exchanged']:.4f}, "
        f"which rounding explains; the largest residual is {others}."
    )


def pairing_finding(replay: pd.DataFrame) -> str:
    """Return what each way to pair rows makes of the printed p-values of resolution."""
    p = replay[(replay["quantity"] == "p_value") & replay["subject"].str.startswith("resolution")]
    fits = p["verdict"].isin(("equal", "rounding")).groupby(p["side"]).sum()
    n = int((p["side"] == "matched").sum())
    return (
        f"Of the {n} printed p-values of resolution, {fits['file_order']} come out, digits or rounding, when the rows "
        f"are paired in the order of the file, and {fits['matched']} when each network is paired with itself. Means "
        "and Cliff's deltas are the same either way."
    )


def effects_finding(effects: pd.DataFrame, *, metric: str = "retained") -> str:
    """Return which effects stay away from zero when pairs of networks are the unit."""
    rows = effects[effects["metric"] == metric]
    few = rows["low"].isna()
    clear = (rows["low"] > 0) | (rows["high"] < 0)
    cells_only = rows[~clear & ~few & (rows["p_value"] < ALPHA)]
    sentence = (
        f"Over pairs of networks, the {100 * rows['level'].iloc[0]:g} % interval of {clear.sum()} of {(~few).sum()} "
        f"effects on {NAMES[metric]} excludes zero ({few.sum()} more have too few pairs for an interval)."
    )
    if cells_only.empty:
        return f"{sentence} Each of the others has p of at least {ALPHA:g} over cells, too."
    named = _join(f"{row.title}: {_signed(row)}, p {row.p_value:.2g}" for row in cells_only.itertuples())
    return f"{sentence} It contains zero, while p over cells is below {ALPHA:g}, for {named}."


def resolution_finding(variants: pd.DataFrame, *, metric: str = "retained") -> str:
    """Return the effect of resolution for CNNs and for the ViT."""
    rows = variants[variants["metric"] == metric].set_index("comparison")
    parts = (
        f"by {_signed(rows.loc[f'resolution_32_224_{name}'])} for {words}"
        for name, words in (("cnns", "the CNNs"), ("vit", "the ViT"))
    )
    return f"From 32 to 224 pixels, {NAMES[metric]} changes {_join(parts)}."


def regression_finding(explained: pd.DataFrame, shares: dict[str, float]) -> str:
    """Return the explained variance in-sample and held out, and where the variance of one metric lies."""
    rows = explained.set_index("metric")
    parts = (
        f"{NAMES[m]} {rows.loc[m, 'in_sample']:.2f} in-sample, {rows.loc[m, 'cross_validated']:.2f} on cells held out "
        f"(at most {rows.loc[m, 'ceiling']:.2f} by cell means)"
        for m in METRICS
        if m in rows.index
    )
    return (
        f"R² is, for {'; '.join(parts)}. Of the variance of % retained over the 28 ImageNet-100 networks at 32 and 224 "
        f"pixels, {100 * shares['networks']:.0f} % lies between networks and {100 * shares['ood_sets']:.0f} % between "
        "OOD sets."
    )


def _with_digits(row: tuple) -> str:
    return f"{row.recomputed:.2g}" if row.quantity == "p_value" else f"{row.recomputed:.{row.digits}f}"


def _signed(row: pd.Series) -> str:
    if pd.isna(row.low):
        return (
            f"{row.gain:+.1f} (the {row.n_pairs} pairs: {row.least:+.1f} to {row.most:+.1f}; too few for an interval)"
        )
    return f"{row.gain:+.1f} (interval {row.low:+.1f} to {row.high:+.1f} over {row.n_pairs} pairs)"


def _join(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
