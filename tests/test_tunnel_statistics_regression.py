"""Shapley values equal their definition, slopes and explained variance equal plain formulas, with controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import invented_table, shapley_by_subsets, variance_shares_by_loops
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import r2_score

from diffred_core import results
from diffred_core.chapters.tunnel_paper.regression import (
    encoded_predictors,
    explained_rows,
    fit,
    slope_rows,
    variance_rows,
)
from diffred_core.chapters.tunnel_paper.shapley import shapley_values
from diffred_core.errors import InputError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return invented_table(tmp_path_factory.mktemp("tunnel"))


@pytest.fixture(scope="module")
def slopes(table):
    rows = pd.DataFrame(slope_rows(table, measures=("retained",), n_seeds=2))
    return rows.pivot(index="method", columns="metric", values=["value", "low", "high"])


def explained(table, **options):
    """Return the explained variance of % retained as {metric: row}."""
    return {row["metric"]: row for row in explained_rows(table, measures=("retained",), n_splits=1, **options)}


def fitted(n_features=5, depth=3, trees=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, n_features)).round(1)
    y = X[:, 0] * (X[:, 1] > 0) + X[:, 2] ** 2 + 0.1 * rng.normal(size=80)
    return GradientBoostingRegressor(n_estimators=trees, max_depth=depth, random_state=seed).fit(X, y), X


# Deeper trees split on one feature twice on a path; depth 1 has paths of one feature.
@pytest.mark.parametrize(("depth", "n_features"), [(1, 3), (2, 4), (3, 5), (5, 4), (6, 6)])
def test_shapley_values_equal_the_sum_over_subsets(depth, n_features):
    model, X = fitted(n_features, depth)
    values = shapley_values(model, X)
    for i in (0, 17):
        np.testing.assert_allclose(values[i], shapley_by_subsets(model, X[i]), atol=1e-12)


def test_shapley_values_add_up_to_the_prediction():
    model, X = fitted(trees=20)
    gap = model.predict(X) - shapley_values(model, X).sum(1)
    assert np.ptp(gap) < 1e-12
    assert np.ptp(model.predict(X)) > 1  # the control: predictions differ


def test_a_feature_no_tree_uses_gets_nothing():
    _, X = fitted()
    wider = np.column_stack([X, np.random.default_rng(1).permutation(len(X))])
    again = GradientBoostingRegressor(n_estimators=4, random_state=0).fit(
        np.column_stack([X, np.zeros(len(X))]), X[:, 0]
    )
    values = shapley_values(again, wider)
    assert not values[:, -1].any()
    assert values[:, 0].any()


def test_shapley_values_of_a_constant_are_zero():
    X = np.arange(12.0).reshape(6, 2)
    model = GradientBoostingRegressor(n_estimators=3).fit(X, np.ones(6))
    assert not shapley_values(model, X).any()


@pytest.mark.parametrize("X", [np.zeros((3, 4)), np.zeros(5), np.full((2, 5), np.nan)])
def test_shapley_values_refuse_other_columns(X):
    model, _ = fitted()
    with pytest.raises(InputError, match=r"expected finite X of shape \(n_samples, 5\), got"):
        shapley_values(model, X)


def test_the_predictors_are_ranks_and_one_hot(table):
    X = encoded_predictors(table)
    assert X.shape == (512, 9)
    assert X["resolution"].groupby(table["resolution"]).unique().map(list).to_dict() == {
        32: [0],
        64: [1],
        128: [2],
        224: [3],
    }
    assert (X["CNN"] + X["Transformer"] == 1).all()
    assert len(X.drop_duplicates()) == 62  # two networks share their predictors with two others


def test_slopes_are_least_squares_on_ranks(table, slopes):
    X = encoded_predictors(table)
    values = shapley_values(fit(table, measure="retained"), X)
    slope = slopes["value"]["slope"]
    for name in ("classes", "depth", "stem"):
        y = values[:, list(X.columns).index(name)]
        expected = np.polyfit(X[name] / X[name].max(), y, 1)[0]
        assert slope[name] == pytest.approx(expected)
    both = values[:, -2:].sum(1)
    assert slope["architecture"] == pytest.approx(np.polyfit(X["Transformer"], both, 1)[0])


def test_shares_of_slopes_add_up_to_one_in_absolute_value(slopes):
    slope, share = (slopes["value"][name] for name in ("slope", "slope_share"))
    assert share.abs().sum() == pytest.approx(1)
    assert (slopes["low"]["slope_share"] <= share).all()
    assert (share <= slopes["high"]["slope_share"]).all()
    assert np.sign(slope).tolist() == np.sign(share).tolist()


def test_slopes_find_the_factors_that_made_the_values(slopes):
    by = slopes["value"]["slope_share"]
    assert by["classes"] == by.max()
    assert by["augmentations"] > 0.05
    assert abs(by["stem"]) < by["augmentations"]


def test_explained_variance_is_less_on_cells_left_out(table):
    rows = explained(table, n_folds=4)
    y = table["retained"].to_numpy() / 100
    model = fit(table, measure="retained")
    in_sample, held_out = rows["r2"]["value"], rows["r2_held_out"]
    assert in_sample == pytest.approx(r2_score(y, model.predict(encoded_predictors(table).to_numpy())))
    assert held_out["value"] < in_sample <= rows["r2_ceiling"]["value"] < 1
    assert held_out["low"] == held_out["high"] == held_out["value"]
    assert rows["r2_ceiling"]["n"] == 62


def test_noise_is_explained_in_sample_and_not_beyond(table):
    rng = np.random.default_rng(0)
    noise = table.assign(retained=50 + table["block"].map(dict(enumerate(rng.normal(0, 10, 64)))))
    rows = explained(noise, n_folds=4)
    assert rows["r2"]["value"] > 0.5
    assert rows["r2_held_out"]["value"] < 0.2


def test_shares_of_variance_equal_the_loops(table):
    rows = results.where(table, id_set="ImageNet-100", resolution=(32, 224))
    cells = rows.pivot(index="block", columns="position", values="retained").to_numpy().tolist()
    shares = {row["method"]: row["value"] for row in variance_rows(rows)}
    assert (shares["networks"], shares["ood_sets"]) == pytest.approx(variance_shares_by_loops(cells))
    assert sum(shares.values()) == pytest.approx(1)
    same = rows.assign(retained=rows["position"] * 1.0)
    shares = {row["method"]: row["value"] for row in variance_rows(same)}
    assert shares["ood_sets"] == pytest.approx(1)  # the control
