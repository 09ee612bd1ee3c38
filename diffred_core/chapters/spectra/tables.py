"""Tables of the chapter for readers: every measure of a random part, of the layer, and of the floors."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.random_subsets.tables import shares
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import METHOD_WORDS, WORDS
from diffred_core.drawing import Table
from diffred_core.results import summarize, where

WHOLE = "whole layer"
PROBE_WORDS = {
    names.LEAST_SQUARES: "least squares",
    names.RIDGE: "ridge",
    names.LABEL_ALIGNED: "label alignment",
    names.ORACLE: "ridge on its own labels",
    names.HEAD: "trained head",
    names.DANN: "the same, domain-adversarial (DANN)",
    names.HEAD_ORACLE: "trained head on its own labels",
}


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


def accuracy_on_targets(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy in every other domain by probe, of a random part and of the whole layer, in percent."""
    rows = where(table, metric=names.TARGET_ACCURACY)
    if rows.empty:
        return pd.DataFrame(columns=["domain", "probe", "features", "accuracy", "low", "high"])
    means = summarize(rows, ["label", "fraction", "probe"])
    means = means.sort_values("probe", key=lambda probes: probes.map(list(PROBE_WORDS).index), kind="stable")
    means = means.sort_values(["label", "fraction"], kind="stable")
    percents = 100 * means[["mean", "low", "high"]].rename(columns={"mean": "accuracy"})
    shown = {"domain": means["label"], "probe": means["probe"].map(PROBE_WORDS), "features": shares(means["fraction"])}
    return pd.DataFrame(shown).join(percents).reset_index(drop=True)


def _named(metric: str, other: str | None) -> str:
    return WORDS[metric] if pd.isna(other) else f"{WORDS[metric]}, {other}"


measures = Table(
    measures_at_share,
    "Every measure of a random 20 % of the features (or the nearest share that was measured), its 95 % t interval over "
    "draws, of the whole layer, and of the floors. C is the number of classes; NC1 to NC4 as by Papyan et al.",
)
targets = Table(
    accuracy_on_targets,
    lambda rows: (
        "Accuracy on the other domain in percent, of probes fitted on the task, and of one fitted on the domain's own "
        "labels. Low, high: 95 % t interval over draws. Label alignment reads the images of the other domain, and no "
        "label of them."
        if len(rows)
        else "No second domain was named."
    ),
    digits=1,
)
