"""Tables of the chapter for readers: every measure of a random part, of the layer, and of the floors."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import METHOD_WORDS, WORDS
from diffred_core.drawing import Table
from diffred_core.results import summarize, where

WHOLE = "whole layer"


def measures_at_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return every measure near the share of the claims, with its interval over draws, and of the whole layer."""
    rows = table[table["metric"].isin(list(WORDS))]
    rows = rows.assign(measure=[_named(row.metric, row.label) for row in rows.itertuples()])
    means = summarize(at_shares(rows, [names.FRACTION]), ["metric", "measure", "method"])
    by_method = means.pivot(index="measure", columns="method", values="mean")
    by_method = by_method[[m for m in METHOD_WORDS if m in by_method]].rename(columns=METHOD_WORDS)
    limits = where(means, method=names.RANDOM).set_index("measure")[["low", "high"]]
    whole = where(rows, fraction=1.0, method=names.RANDOM).groupby("measure")["value"].mean().rename(WHOLE)
    first, *floors = by_method.columns
    order = means.drop_duplicates("measure").sort_values("metric", key=lambda m: m.map(list(WORDS).index))["measure"]
    shown = pd.concat([by_method[[first]], limits, whole, by_method[floors]], axis=1).loc[order]
    return shown.rename_axis(index="measure", columns=None).reset_index()


def _named(metric: str, other: str | None) -> str:
    return WORDS[metric] if pd.isna(other) else f"{WORDS[metric]}, {other}"


measures = Table(
    measures_at_share,
    "Every measure of a random 20 % of the features (or the nearest share that was measured), its 95 % t interval over "
    "draws, of the whole layer, and of the floors. C is the number of classes; NC1 to NC4 as by Papyan et al.",
)
