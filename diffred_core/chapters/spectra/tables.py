"""Tables of the chapter for readers: every measure of a random part, of the layer, and of the floors."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.random_subsets.tables import shares
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.matching import INDEX_WORDS, PUBLISHED, matched_layers
from diffred_core.chapters.spectra.reading import (
    METHOD_WORDS,
    PROBE_WORDS,
    RULE_WORDS,
    SHARES,
    WORDS,
    shown_as,
    targets_of,
)
from diffred_core.drawing import Table
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable

WHOLE = "whole layer"


def measures_at_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return every measure near the share of the claims, with its interval over draws, and of the whole layer."""
    rows = table[table["metric"].isin(list(WORDS))]
    factor = rows["metric"].isin(SHARES).map({True: 100.0, False: 1.0})
    named = [_named(row.metric, row.label) for row in rows.itertuples()]
    rows = rows.assign(measure=named, value=rows["value"] * factor)
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
        return pd.DataFrame(columns=["domain", "probe", "dimensions", "accuracy", "low", "high"])
    means = summarize(rows, ["label", "fraction", "probe"])
    means = means.sort_values("probe", key=lambda probes: probes.map(list(PROBE_WORDS).index), kind="stable")
    means = means.sort_values(["label", "fraction"], kind="stable")
    percents = 100 * means[["mean", "low", "high"]].rename(columns={"mean": "accuracy"})
    shown = {
        "domain": means["label"].map(readable),
        "probe": means["probe"].map(PROBE_WORDS),
        "dimensions": shares(means["fraction"]),
    }
    return pd.DataFrame(shown).join(percents).reset_index(drop=True)


def every_probe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of every probe, rule, target and label shift, at 20 % and on the whole layer, in percent."""
    rows = where(table, metric=names.TARGET_ACCURACY)
    keys = ["label", "delta", "probe", "recipe"]
    means = summarize(at_shares(rows, [names.FRACTION]), keys)
    whole = where(rows, fraction=1.0).groupby(keys)["value"].mean().rename("whole").reset_index()
    means = means.merge(whole, on=keys, how="left")
    orders = {"label": targets_of(table), "probe": list(PROBE_WORDS), "recipe": list(RULE_WORDS)}
    means = means.sort_values(keys, key=lambda of: of.map(orders[of.name].index) if of.name in orders else of)
    percents = 100 * means[["mean", "low", "high", "whole"]]
    words = {"target": means["label"].map(readable), "rare classes lack": means["delta"].map(percent)}
    words |= {"probe": means["probe"].map(PROBE_WORDS), "chosen by": means["recipe"].map(RULE_WORDS)}
    columns = {"mean": "random part", "whole": WHOLE}
    return pd.DataFrame(words).join(percents.rename(columns=columns)).reset_index(drop=True)


def found_again(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of layers that every index finds in another seed, its interval, and the published one."""
    shares = matched_layers(table).assign(n=pd.NA, sd=pd.NA, low=pd.NA, high=pd.NA)
    means = summarize(shares, ["metric", "recipe"])
    trained, untrained = (where(means, recipe=r).set_index("metric") for r in (names.TRAINED, names.UNTRAINED))
    shown = 100 * trained[["mean", "low", "high"]].rename(columns={"mean": "trained"})
    shown["untrained"] = 100 * untrained["mean"]
    shown["published"] = pd.Series(PUBLISHED)
    shown = shown.loc[[index for index in INDEX_WORDS if index in shown.index]]
    return shown.rename(index=INDEX_WORDS).rename_axis("index").reset_index()


def _named(metric: str, other: str | None) -> str:
    return shown_as(metric) if pd.isna(other) else f"{shown_as(metric)}, {readable(other)}"


measures = Table(
    measures_at_share,
    "Every measure of a random 20 % of the dimensions (or the nearest share that was measured), its 95 % t interval "
    "over draws, of the whole layer, and of the floors. C is the number of classes; NC1 to NC4 as by Papyan et al.",
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
adapted = Table(
    every_probe,
    "Accuracy on the target in percent, of a random 20 % of the dimensions (or the nearest share that was measured) "
    "with its 95 % t interval over draws, and of the whole layer. Of half of the target's classes that share of the "
    "rows is lacking. Options that the target's labels choose are an oracle's.",
    digits=1,
)
matched = Table(
    found_again,
    "Layers of a network whose most similar layer in a network of another seed is the same one, in percent, with the "
    "95 % t interval over pairs of seeds (which share networks, so that it is too narrow), and the same before "
    "training. Published: ten networks of ten layers on CIFAR-10 (Kornblith et al. 2019, table 2), as recalled in the "
    "notes of this project and not read again; SVCCA there is another mean of the correlations, and the Gaussian "
    "kernel has 0.4 of the median distance.",
    digits=1,
)
