"""Tables of one model and task that stand on its pages."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.comparators import COMPARATORS
from diffred_core.drawing import Table
from diffred_core.results import summarize, where

SHOWN_FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
KEPT_ABOVE = "kept above commonest"
SIMILARITIES = {  # by method and metric
    (names.WHOLE, names.CKA): "subset and layer",
    (names.WHOLE, names.BIASED): "the same, biased",
    (names.WHOLE_NULL, names.NULL): "uncorrelated",
    (names.PAIR, names.CKA): "two subsets",
    (names.PAIR_NULL, names.NULL): "two uncorrelated",
    (names.PERMUTED, names.BIASED): "rows permuted, biased",
}


def accuracy_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of the headline probe at a few sizes: random, principal directions, the full layer.

    Balanced accuracy is the mean over classes; what is kept is a share of the full layer's accuracy, as it is and above
    that of always giving the commonest class. The last rows are of answers that need no features.
    """
    rows = where(table, probe=names.HEADLINE, method=(names.RANDOM, names.PCA, names.FULL), fraction=SHOWN_FRACTIONS)
    by = ["method", "probe", "fraction"]
    summary = summarize(rows, by, metric=names.ACCURACY)
    balanced = where(rows, metric=names.CLASS_ACCURACY).groupby(by)["value"].mean().rename("balanced")
    full = float(where(summary, method=names.FULL)["mean"].iloc[0])
    constant = where(table, metric=names.BASELINE)
    majority = float(where(constant, method=names.MAJORITY)["value"].mean())
    shown = _in_percent(summary, "method", "probe").assign(
        error=100 * (1 - summary["mean"]),
        balanced=100 * summary.join(balanced, on=by)["balanced"],
        kept=100 * summary["mean"] / full,
        **{KEPT_ABOVE: 100 * (summary["mean"] - majority) / (full - majority) if full > majority else float("nan")},
    )
    words = {names.MAJORITY: "commonest class", names.CHANCE: "guess"}
    answers = pd.DataFrame({"method": constant["method"].map(words), "mean": 100 * constant["value"]})
    chance = 100 * float(where(constant, method=names.CHANCE)["value"].mean())
    return pd.concat([shown, answers.assign(balanced=chance)], ignore_index=True)


def gains_over_random(table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of accuracy that other ways to keep as many numbers gain over random subsets."""
    rows = where(table, probe=names.HEADLINE, metric=names.GAIN).sort_values("fraction", kind="stable")
    words = {name: comparator.words for name, comparator in COMPARATORS.items()}
    points = 100 * rows[["value", "low", "high"]].rename(columns={"value": "gain"})
    kept = rows["method"].map(lambda method: words.get(method, method.replace("_", " ")))
    return pd.DataFrame({"kept": kept, "probe": rows["probe"], "dimensions": shares(rows["fraction"])}).join(points)


def accuracy_by_probe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of every probe on random subsets at a few sizes, and on the full layer."""
    rows = where(table, method=(names.RANDOM, names.FULL), fraction=SHOWN_FRACTIONS)
    summary = summarize(rows, ["probe", "fraction"], metric=names.ACCURACY)
    return _in_percent(summary.sort_values(["fraction", "probe"]), "probe")


def recipes_in_words(traces: pd.DataFrame) -> pd.DataFrame:
    """Return `recipe_traces` for readers: one row a recipe, its learning rates in words."""
    shown = ["task", "recipe", "optimizer", "epochs", "learning rate", "weight_decay", "batch_size", "steps_per_epoch"]
    if traces.empty:
        return pd.DataFrame(columns=shown)
    rates = [_rates_in_words(rates) for rates in traces["learning_rates"]]
    decays = traces["weight_decay"].map("{:g}".format)
    rows = traces.assign(**{"learning rate": rates, "weight_decay": decays})[[*shown, "steps"]]
    return rows.rename(columns=lambda name: name.replace("_", " "))


def similarity_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return every estimator of similarity and its references, mean over draws, by share of the dimensions."""
    means = table.groupby(["fraction", "method", "metric"])["value"].mean().unstack(["method", "metric"])
    means = means[list(SIMILARITIES)].set_axis(list(SIMILARITIES.values()), axis=1).reset_index()
    return means.assign(fraction=shares(means["fraction"]))


def similarity_over_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the similarity of subset and layer with its limits over rows, averaged over draws."""
    rows = where(table, method=names.WHOLE, metric=names.CKA)
    means = rows[rows["low"].notna()].groupby("fraction")[["low", "value", "high"]].mean().reset_index()
    return means.rename(columns={"value": "CKA"})


def errors_by_precision(table: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of the features in percent and the similarity of subsets, one row a precision."""
    errors = where(table, metric=(names.FEATURE_ERROR, names.LARGEST_ERROR))
    wide = 100 * errors.pivot(index="label", columns="metric", values="value")
    similarity = where(table, metric=names.CKA).pivot(index="repeat", columns="label", values="value").astype(float)
    order = list(table["label"].unique())
    rows = wide.reindex(order).assign(
        CKA=similarity.mean(), change=similarity.sub(similarity[order[0]], axis=0).abs().max()
    )
    words = {names.FEATURE_ERROR: "error (%)", names.LARGEST_ERROR: "largest (%)", "change": "largest change of CKA"}
    return rows.rename(columns=words).rename_axis(index="precision", columns=None).reset_index()


def accuracy_by_precision(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and its change in percent, of all dimensions and of random subsets, one row a precision."""
    keys = ["fraction", "label"]
    accuracy = where(table, metric=names.ACCURACY).groupby(keys, sort=False)["value"].mean().rename("accuracy")
    change = where(table, metric=names.CHANGE).set_index(keys)[["value", "low", "high"]]
    rows = 100 * pd.concat([accuracy, change.rename(columns={"value": "change"})], axis=1)
    rows = rows.reset_index().rename(columns={"label": "precision"})
    return rows.assign(fraction=shares(rows["fraction"])).rename(columns={"fraction": "dimensions"})


def shares(fractions: pd.Series) -> pd.Series:
    """Return shares as text in percent."""
    return (100 * fractions).map("{:g} %".format)


def _in_percent(summary: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the `columns`, the number of draws, and the rest in percent."""
    percent = 100 * summary[["fraction", "mean", "low", "high", "level"]].rename(columns={"fraction": "dimensions"})
    return summary[[*columns, "n"]].join(percent)


def _levels(rows: pd.DataFrame) -> str:
    """Return the coverage of the intervals, which the column `level` has in percent."""
    return " and ".join(f"{level:g} %" for level in rows["level"].dropna().unique())


def _rates_in_words(rates: Mapping[str, float]) -> str:
    """Return a learning rate by the epoch from which on it holds: ``0.1, 0.01 from epoch 10, ...``."""
    changes = [f"{rate:g} from epoch {epoch}" for epoch, rate in rates.items()]
    kept = [f"{rates['0']:g}", *changes[1:]]
    return ", ".join(kept if len(kept) <= 5 else [*kept[:3], "...", kept[-1]])


accuracy = Table(
    accuracy_by_size,
    lambda rows: (
        f"Test accuracy in percent, {' and '.join(rows['probe'].dropna().unique())} probe. Dimensions: percent kept. "
        f"Low, high: {_levels(rows)} t interval over n draws; level in percent. Balanced: mean over classes. Kept: "
        "share of the full layer's accuracy, and of what it has above always giving the commonest training class."
    ),
    digits=1,
)
probes = Table(
    accuracy_by_probe,
    lambda rows: (
        "Test accuracy in percent: logistic and ridge converged, SGD as published. Dimensions: percent kept. Low, "
        f"high: {_levels(rows)} t interval over n draws; level in percent."
    ),
    digits=1,
)
gains = Table(
    gains_over_random,
    lambda rows: (
        "Points of test accuracy gained over as many random dimensions"
        + (f", {' and '.join(rows['probe'].unique())} probe" if len(rows) else "")
        + ". Low, high: paired bootstrap over draws and test rows, at the level of the sweep; a method with few draws "
        "has none."
    ),
    digits=1,
)
recipes = Table(
    recipes_in_words,
    lambda rows: (
        "Probes as published: the recipe of this task and network, and what training did. Epochs count from 0."
        if len(rows)
        else "No probe as published was asked for."
    ),
)
similarity = Table(similarity_by_size, "Linear CKA, mean over draws (of pairs: over pairs of draws).")
over_rows = Table(
    similarity_over_rows,
    lambda rows: (
        "Debiased CKA of subset and layer, means over draws." if len(rows) else "No interval over rows was asked for."
    ),
)
precision_errors = Table(
    errors_by_precision,
    "Error of the features relative to the first precision: Frobenius norm, and largest entry. Debiased CKA of random "
    "subsets with the layer: mean over draws, and how far it moves at most.",
    digits=4,
)
precision_accuracy = Table(
    accuracy_by_precision,
    "Test accuracy in percent, ridge probe, and its change in points from the first precision. Low, high: 95 % "
    "interval, paired bootstrap over rows and draws.",
    digits=2,
)
