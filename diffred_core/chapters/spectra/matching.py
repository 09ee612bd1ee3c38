"""Which index finds the same layer in a network of another seed (Kornblith et al. 2019, sec. 6.1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from diffred_core.chapters.spectra import names
from diffred_core.errors import InputError
from diffred_core.results import where

INDEX_WORDS = {
    "cka": "CKA",
    "debiased_cka": "CKA, debiased",
    "rbf_cka": "CKA, Gaussian kernel",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
    "mutual_knn": "mutual 10 nearest neighbours",
    "procrustes": "Procrustes",
}
# percent of layers that are found, as the notes of this project recall table 2 of the paper; it was not read again
PUBLISHED = {"cka": 99.3, "rbf_cka": 99.1, "svcca": 15.1, "pwcca": 11.1}


def as_map(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one index of one pair of networks as a matrix, layers in the order in which they run."""
    columns = list(dict.fromkeys(rows["label"]))
    return rows.pivot(index="layer", columns="label", values="value").loc[list(dict.fromkeys(rows["layer"])), columns]


def share_matched(values: np.ndarray) -> float:
    """Return the share of layers whose most similar layer in the other network is the same one, both ways.

    Parameters
    ----------
    values : array (n_layers, n_layers)
        Similarity of the layers of two networks of one design.
    """
    same = np.arange(len(values))
    return float(np.concatenate([values.argmax(1) == same, values.argmax(0) == same]).mean())


def matched_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of layers that every index matches in every pair of seeds: rows of metric and repeat.

    Returns
    -------
    DataFrame
        Columns metric (the index), recipe (``trained`` or ``untrained``), repeat (the pair), value; and n_layers.

    Raises
    ------
    InputError
        If no seeds were compared.
    """
    rows = where(table, method=names.BETWEEN_SEEDS)
    if rows.empty:
        raise InputError("expected maps between seeds, got none; run spectra.seed_maps")
    shares = []
    for (metric, recipe, repeat), pair in rows.groupby(["metric", "recipe", "repeat"], sort=False):
        values = as_map(pair).to_numpy(dtype=float)
        key = {"metric": metric, "recipe": recipe, "repeat": repeat}
        shares.append(key | {"value": share_matched(values), "n_layers": len(values)})
    return pd.DataFrame(shares)


def by_pair(table: pd.DataFrame, index: str, *, recipe: str = names.TRAINED) -> pd.Series:
    """Return what an index matches, by pair of seeds."""
    rows = where(matched_layers(table), metric=index, recipe=recipe)
    return rows.set_index("repeat")["value"]


def components(table: pd.DataFrame) -> pd.DataFrame:
    """Return CKA with the layer, label energy and accuracy of the leading components, a row a number of them.

    Raises
    ------
    InputError
        If they were not measured.
    """
    rows = where(table, method=names.PRINCIPAL)
    if rows.empty:
        raise InputError("expected rows of principal components, got none; run spectra.similarity_across")
    return rows.pivot(index="n_selected", columns="metric", values="value").sort_index()
