"""The regression of the paper: gradient boosting of a measure on the predictors, its R2 and its slopes.

Every `table` is that of `read`, every measure one of `names.MEASURES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold

from diffred_core.chapters.tunnel_paper.names import MEASURES, PREDICTORS
from diffred_core.chapters.tunnel_paper.shapley import shapley_values
from diffred_core.results.rows import Row

ONE_HOT = ("CNN", "Transformer")
RANKED = tuple(name for name in PREDICTORS if name != "architecture")


def encoded_predictors(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the regression sees of a network: ranks of the numeric predictors, architecture one-hot.

    Returns
    -------
    DataFrame (n_rows, 9) of float64
        The seven numeric predictors as ranks 0, 1, ... of their values, then the two architectures. The order is that
        of the released script, which matters where two predictors split the rows alike.
    """
    ranks = {name: pd.factorize(table[name], sort=True)[0] for name in RANKED}
    one_hot = {name: table["architecture"] == name for name in ONE_HOT}
    return pd.DataFrame({**ranks, **one_hot}, index=table.index).astype(float)


def fit(table: pd.DataFrame, *, measure: str, seed: int = 0) -> GradientBoostingRegressor:
    """Return the regression of a measure on the predictors (appendix A.9): Huber loss, else scikit-learn's defaults.

    The seed breaks ties between splits; the published one is 0.
    """
    return _regressor(seed).fit(encoded_predictors(table).to_numpy(), _target(table, measure))


def explained_rows(
    table: pd.DataFrame, *, measures: Iterable[str] = MEASURES, n_splits: int = 3, n_folds: int = 8, seed: int = 0
) -> Iterator[Row]:
    """Yield the share of variance that the predictors explain: in the rows it was fitted on, and in others.

    Rows with equal predictors (62 combinations, of 8 or 16 rows) are never on both sides of a split. Options as
    in `statistics`; `seed` is that of the first division.

    Yields
    ------
    dict
        Method ``regression``, label: the measure. Metric r2 (in-sample, the published number), r2_held_out (mean,
        least and greatest over divisions; R2 over all rows, each predicted without its combination) and r2_ceiling, by
        the means of combinations: no function of the predictors can explain more in-sample; n: the combinations.
    """
    combination = table.groupby(list(PREDICTORS)).ngroup().to_numpy()
    for measure in measures:
        y = _target(table, measure)
        held_out = [_held_out(table, y, combination, n_folds, s) for s in range(seed, seed + n_splits)]
        over_splits = {"low": min(held_out), "high": max(held_out), "n": n_splits, "recipe": f"{n_folds} folds"}
        fitted = fit(table, measure=measure).predict(encoded_predictors(table).to_numpy())
        means = pd.Series(y).groupby(combination).transform("mean")
        for row in (
            {"metric": "r2", "value": r2_score(y, fitted)},
            {"metric": "r2_held_out", "value": np.mean(held_out), **over_splits},
            {"metric": "r2_ceiling", "value": r2_score(y, means), "n": len(np.unique(combination))},
        ):
            yield {"method": "regression", "label": measure} | row


def slope_rows(table: pd.DataFrame, *, measures: Iterable[str] = MEASURES, n_seeds: int = 3) -> Iterator[Row]:
    """Yield the SHAP slope of every predictor (appendix A.9): Shapley values regressed on the predictor's ranks.

    The seeds of the regressions are 0, 1, ... The published numbers are of seed 0; the others show how far slopes of
    predictors that split alike depend on how ties are broken.

    Yields
    ------
    dict
        Method: the predictor, label: the measure. Metric slope (least squares on ranks over the highest rank) and
        slope_share (slope over the sum of absolute slopes; from the least to the greatest over seeds). The two one-hot
        columns of the architecture count as one predictor: their Shapley values are added, and its rank is 0 for a CNN
        and 1 for a transformer.
    """
    for measure in measures:
        by_seed = pd.DataFrame([_slopes(table, measure, seed) for seed in range(n_seeds)])
        shares = by_seed.div(by_seed.abs().sum(axis=1), axis=0)
        for name in PREDICTORS:
            row = {"method": name, "label": measure}
            over_seeds = {"low": shares[name].min(), "high": shares[name].max(), "n": n_seeds}
            yield row | {"metric": "slope", "value": by_seed[name].iloc[0]}
            yield row | {"metric": "slope_share", "value": shares[name].iloc[0]} | over_seeds


def variance_rows(table: pd.DataFrame, *, measure: str = "retained") -> Iterator[Row]:
    """Yield the shares of the variance of a measure that lie between networks, between OOD sets, and in neither.

    Every network of the table has the same OOD sets.

    Yields
    ------
    dict
        Metric variance_share; method ``networks``, ``ood_sets`` and ``rest``, which add up to 1: sums of squares of the
        two-way layout. Label: the measure; n: the networks.
    """
    cells = table.pivot(index="block", columns="position", values=measure).to_numpy()
    total = ((cells - cells.mean()) ** 2).mean()
    networks, ood_sets = (cells.mean(axis).var() / total for axis in (1, 0))
    shares = {"networks": networks, "ood_sets": ood_sets, "rest": 1 - networks - ood_sets}
    shared = {"metric": "variance_share", "label": measure, "n": len(cells)}
    yield from (shared | {"method": name, "value": float(share)} for name, share in shares.items())


def _slopes(table: pd.DataFrame, measure: str, seed: int) -> pd.Series:
    X = encoded_predictors(table)
    values = pd.DataFrame(shapley_values(fit(table, measure=measure, seed=seed), X), columns=X.columns)
    values["architecture"] = values[list(ONE_HOT)].sum(axis=1)
    ranks = X.assign(architecture=X["Transformer"])
    return pd.Series({name: _slope(ranks[name] / ranks[name].max(), values[name]) for name in PREDICTORS})


def _slope(x: pd.Series, y: pd.Series) -> float:
    x, y = x.to_numpy(), y.to_numpy()
    return float(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum())


def _regressor(seed: int) -> GradientBoostingRegressor:
    return GradientBoostingRegressor(loss="huber", random_state=seed)


def _target(table: pd.DataFrame, measure: str) -> np.ndarray:
    return table[measure].to_numpy() / (100 if measure == "retained" else 1)


def _held_out(table: pd.DataFrame, y: np.ndarray, combination: np.ndarray, n_folds: int, seed: int) -> float:
    X, predicted = encoded_predictors(table).to_numpy(), np.empty_like(y)
    for train, test in GroupKFold(n_folds, shuffle=True, random_state=seed).split(X, y, combination):
        predicted[test] = _regressor(0).fit(X[train], y[train]).predict(X[test])
    return r2_score(y, predicted)
