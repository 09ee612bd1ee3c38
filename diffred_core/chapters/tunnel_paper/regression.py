"""The regression of the paper: gradient boosting of a metric on the design, its R2 and its slopes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold

from diffred_core.chapters.tunnel_paper.networks import METRICS, PREDICTORS
from diffred_core.chapters.tunnel_paper.shapley import shapley_values

ARCHITECTURES = ("CNN", "Transformer")
RANKED = tuple(name for name in PREDICTORS if name != "architecture")
N_FOLDS = 8


def design(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the regression sees of a network: ranks of the numeric predictors, architecture one-hot.

    Parameters
    ----------
    table : DataFrame
        From `read`.

    Returns
    -------
    DataFrame (n_rows, 9) of float64
        The seven numeric predictors as ranks 0, 1, ... of their values, then the two architectures. The order is that
        of the released script, which matters where two predictors split the rows alike.
    """
    ranks = {name: pd.factorize(table[name], sort=True)[0] for name in RANKED}
    one_hot = {name: table["architecture"] == name for name in ARCHITECTURES}
    return pd.DataFrame({**ranks, **one_hot}, index=table.index).astype(float)


def fit(table: pd.DataFrame, *, metric: str, seed: int = 0) -> GradientBoostingRegressor:
    """Return the regression of a metric on the design (appendix A.9): Huber loss, scikit-learn's defaults otherwise.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    metric : str
        One of `METRICS`.
    seed : int, default=0
        Breaks ties between splits; the published one is 0.
    """
    return _regressor(seed).fit(design(table).to_numpy(), _target(table, metric))


def explained(
    table: pd.DataFrame, *, metrics: Sequence[str] = METRICS, n_splits: int = 3, n_folds: int = N_FOLDS, seed: int = 0
) -> pd.DataFrame:
    """Return the share of variance that the design explains: in the rows it was fitted on, and in others.

    Rows with equal predictors (62 cells of the design, of 8 or 16 rows) are never on both sides of a split.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    metrics : sequence of str
        Which.
    n_splits : int, default=3
        Random divisions of the cells into folds.
    n_folds : int, default=8
        Folds of each.
    seed : int, default=0
        Of the first division.

    Returns
    -------
    DataFrame
        One row a metric: in_sample (the published number), cross_validated (mean over divisions; R2 over all rows,
        each predicted without its cell), lowest, highest (over divisions), n_splits, ceiling (R2 of the cell means:
        no function of the design can explain more in-sample), n_cells.
    """
    cell = _cells(table)
    rows = []
    for metric in metrics:
        y = _target(table, metric)
        held_out = [_cross_validated(table, y, cell, n_folds, s) for s in range(seed, seed + n_splits)]
        rows.append(
            {
                "metric": metric,
                "in_sample": r2_score(y, fit(table, metric=metric).predict(design(table).to_numpy())),
                "cross_validated": np.mean(held_out),
                "lowest": min(held_out),
                "highest": max(held_out),
                "n_splits": n_splits,
                "ceiling": r2_score(y, pd.Series(y).groupby(cell).transform("mean")),
                "n_cells": len(np.unique(cell)),
            }
        )
    return pd.DataFrame(rows)


def slopes(table: pd.DataFrame, *, metrics: Sequence[str] = METRICS, n_seeds: int = 3) -> pd.DataFrame:
    """Return the SHAP slope of every predictor (appendix A.9): Shapley values regressed on the predictor's ranks.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    metrics : sequence of str
        Which.
    n_seeds : int, default=3
        Seeds 0, 1, ... of the regressions. The published numbers are of seed 0; the others show how far slopes of
        predictors that split alike depend on how ties are broken.

    Returns
    -------
    DataFrame
        Columns metric, variable, slope (least squares on ranks over the highest rank), share (slope over the sum of
        absolute slopes), share_low and share_high (over seeds). The two one-hot columns of the architecture count as
        one variable: their Shapley values are added, and its rank is 0 for a CNN and 1 for a transformer.
    """
    found = []
    for metric in metrics:
        by_seed = pd.DataFrame([_slopes(table, metric, seed) for seed in range(n_seeds)])
        shares = by_seed.div(by_seed.abs().sum(axis=1), axis=0)
        columns = {
            "slope": by_seed.iloc[0],
            "share": shares.iloc[0],
            "share_low": shares.min(),
            "share_high": shares.max(),
        }
        found.append(pd.DataFrame(columns).rename_axis("variable").reset_index().assign(metric=metric))
    return pd.concat(found, ignore_index=True)[["metric", "variable", *columns]]


def variance_shares(table: pd.DataFrame, *, metric: str = "retained") -> dict[str, float]:
    """Return the shares of the variance of a metric that lie between networks, between OOD sets, and in neither.

    Parameters
    ----------
    table : DataFrame
        Rows of `read`; every network with the same OOD sets.
    metric : str
        Which.

    Returns
    -------
    dict
        ``networks``, ``ood_sets`` and ``rest``, which add up to 1: sums of squares of the two-way layout.
    """
    cells = table.pivot(index="block", columns="position", values=metric).to_numpy()
    total = ((cells - cells.mean()) ** 2).mean()
    rows, columns = (cells.mean(axis).var() / total for axis in (1, 0))
    return {"networks": float(rows), "ood_sets": float(columns), "rest": float(1 - rows - columns)}


def _slopes(table: pd.DataFrame, metric: str, seed: int) -> pd.Series:
    X = design(table)
    values = pd.DataFrame(shapley_values(fit(table, metric=metric, seed=seed), X), columns=X.columns)
    values["architecture"] = values[list(ARCHITECTURES)].sum(axis=1)
    ranks = X.assign(architecture=X["Transformer"])
    return pd.Series({name: _slope(ranks[name] / ranks[name].max(), values[name]) for name in PREDICTORS})


def _slope(x: pd.Series, y: pd.Series) -> float:
    x, y = x.to_numpy(), y.to_numpy()
    return float(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum())


def _regressor(seed: int) -> GradientBoostingRegressor:
    return GradientBoostingRegressor(loss="huber", random_state=seed)


def _target(table: pd.DataFrame, metric: str) -> np.ndarray:
    return table[metric].to_numpy() / (100 if metric == "retained" else 1)


def _cells(table: pd.DataFrame) -> np.ndarray:
    return table.groupby(list(PREDICTORS)).ngroup().to_numpy()


def _cross_validated(table: pd.DataFrame, y: np.ndarray, cell: np.ndarray, n_folds: int, seed: int) -> float:
    X, predicted = design(table).to_numpy(), np.empty_like(y)
    for train, test in GroupKFold(n_folds, shuffle=True, random_state=seed).split(X, y, cell):
        predicted[test] = _regressor(0).fit(X[train], y[train]).predict(X[test])
    return r2_score(y, predicted)
