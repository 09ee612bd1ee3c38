"""Tables of one model and task that stand on its pages."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.drawing import Table
from diffred_core.results import summarize, where

SHOWN_FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
SIMILARITIES = {  # by method and metric
    (names.WHOLE, names.CKA): "subset and layer",
    (names.WHOLE, names.BIASED): "the same, biased",
    (names.WHOLE_NULL, names.NULL): "uncorrelated",
    (names.PAIR, names.CKA): "two subsets",
    (names.PAIR_NULL, names.NULL): "two uncorrelated",
    (names.PERMUTED, names.BIASED): "rows permuted, biased",
}


def accuracy_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of the headline probe at a few sizes: random subsets, principal directions, all features."""
    rows = where(table, probe=names.HEADLINE, method=(names.RANDOM, names.PCA, names.FULL), fraction=SHOWN_FRACTIONS)
    return _in_percent(summarize(rows, ["method", "fraction"], metric=names.ACCURACY), "method")


def accuracy_by_probe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of every probe on random subsets at a few sizes, and on the full layer."""
    rows = where(table, method=(names.RANDOM, names.FULL), fraction=SHOWN_FRACTIONS)
    summary = summarize(rows, ["probe", "fraction"], metric=names.ACCURACY)
    return _in_percent(summary.sort_values(["fraction", "probe"]), "probe")


def similarity_by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return every estimator of similarity and its references, mean over draws, by share of the features."""
    means = table.groupby(["fraction", "method", "metric"])["value"].mean().unstack(["method", "metric"])
    means = means[list(SIMILARITIES)].set_axis(list(SIMILARITIES.values()), axis=1).reset_index()
    return means.assign(fraction=shares(means["fraction"]))


def similarity_over_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the similarity of subset and layer with its limits over rows, averaged over draws."""
    rows = where(table, method=names.WHOLE, metric=names.CKA)
    means = rows[rows["low"].notna()].groupby("fraction")[["low", "value", "high"]].mean().reset_index()
    return means.rename(columns={"value": "CKA"})


def shares(fractions: pd.Series) -> pd.Series:
    """Return shares as text in percent."""
    return (100 * fractions).map("{:g} %".format)


def _in_percent(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the column `name`, the number of draws, and the rest in percent."""
    percent = 100 * summary[["fraction", "mean", "low", "high"]].rename(columns={"fraction": "features"})
    return summary[[name, "n"]].join(percent)


accuracy = Table(
    accuracy_by_size,
    "Test accuracy in percent, logistic probe. Features: percent kept. Low, high: 95 % t interval over n draws.",
    digits=1,
)
probes = Table(
    accuracy_by_probe,
    "Test accuracy in percent: logistic and ridge converged, SGD as published. Features: percent kept.",
    digits=1,
)
similarity = Table(similarity_by_size, "Linear CKA, mean over draws (of pairs: over pairs of draws).")
over_rows = Table(
    similarity_over_rows,
    lambda rows: (
        "Debiased CKA of subset and layer, means over draws." if len(rows) else "No interval over rows was asked for."
    ),
)
