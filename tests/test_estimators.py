"""The estimators obey scikit-learn's own checks, equal its solutions, and work in its pipelines and searches."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diffred_core.errors import InputError
from diffred_core.estimators import KeepDimensions, LogisticProbe, RandomSubset, RidgeProbe, SoftMask


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, np.array([f"digit {c}" for c in y[:600]])


KEEPING = [KeepDimensions(), KeepDimensions(kind="importance")]


@parametrize_with_checks([RidgeProbe(), LogisticProbe(), RandomSubset(), SoftMask(), *KEEPING])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_ridge_probe_equals_ridge_classifier(digits):
    X, y = digits
    ours = RidgeProbe(l2=1e-2).fit(X, y)
    theirs = RidgeClassifier(alpha=1e-2 * len(X)).fit(X, y)
    # theirs regresses on {-1, 1}, ours on {0, 1}: scores agree after 2 s - 1
    np.testing.assert_allclose(2 * ours.decision_function(X) - 1, theirs.decision_function(X), atol=1e-8)
    assert not np.allclose(RidgeProbe(l2=1e-1).fit(X, y).coef_, ours.coef_)


def test_logistic_probe_equals_logistic_regression(digits):
    X, y = digits
    ours = LogisticProbe(l2=1e-3, tol=1e-8).fit(X, y)
    theirs = LogisticRegression(C=1 / (len(X) * 1e-3), tol=1e-10, max_iter=5000).fit(X, y)
    assert ours.converged_
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert not LogisticProbe(l2=1e-3, max_iter=1, tol=1e-12).fit(X, y).converged_


def test_random_subset_is_nested_over_fractions_and_changes_with_the_seed(digits):
    X, _ = digits
    small, large = (set(RandomSubset(fraction=f, seed=3).fit(X).indices_) for f in (0.2, 0.5))
    assert small < large
    assert len(small) == int(0.2 * X.shape[1])
    assert small != set(RandomSubset(fraction=0.2, seed=4).fit(X).indices_)


def test_soft_mask_weighs_features_and_constant_ones_get_nothing(digits):
    X, y = digits
    fitted = SoftMask(kind="sqrt").fit(X, y)
    np.testing.assert_allclose(fitted.transform(X), X * fitted.mask_)
    assert fitted.mask_.max() == 1
    assert (fitted.mask_[X.std(0) == 0] == 0).all()
    assert (fitted.mask_[X.std(0) > 0.3] > 0).all()


def test_pipelines_and_grid_search_run(digits):
    X, y = digits
    pipe = make_pipeline(StandardScaler(), RandomSubset(seed=0), RidgeProbe())
    search = GridSearchCV(pipe, {"randomsubset__fraction": [0.05, 0.8], "ridgeprobe__l2": [1e-3, 1e-1]}, cv=3).fit(X, y)
    assert search.best_params_["randomsubset__fraction"] == 0.8
    masked = cross_val_score(make_pipeline(SoftMask(), LogisticProbe()), X, y, cv=3).mean()
    shuffled = np.random.default_rng(0).permutation(y)
    assert masked > 0.8 > 0.25 > cross_val_score(make_pipeline(SoftMask(), LogisticProbe()), X, shuffled, cv=3).mean()


def test_kept_dimensions_of_pca_equal_scikit_learn_and_fewer_bits_lose(digits):
    X, _ = digits
    ours = KeepDimensions(n_selected=10).fit(X)
    theirs = PCA(10, svd_solver="full").fit(X)  # by default it draws at random
    np.testing.assert_allclose(np.abs(ours.transform(X)), np.abs(theirs.transform(X)), atol=1e-4)
    coarse = KeepDimensions(n_selected=10, number_format="int8").fit(X)
    assert 1e-3 < np.abs(coarse.transform(X) - ours.transform(X)).max() < 0.1
    assert coarse.encode(X).dtype == np.uint8
    assert KeepDimensions(n_selected=10, number_format="binary_zero").fit(X).encode(X).shape == (len(X), 2)


def test_kept_dimensions_have_names_and_work_in_a_pipeline(digits):
    X, y = digits
    names = KeepDimensions(kind="first", n_selected=2).fit(X).get_feature_names_out([f"p{i}" for i in range(64)])
    assert names.tolist() == ["p0", "p1"]
    assert KeepDimensions(n_selected=2).fit(X).get_feature_names_out().tolist() == ["pca0", "pca1"]
    probe = make_pipeline(KeepDimensions(kind="importance"), RidgeProbe(l2=1e-3))
    search = GridSearchCV(probe, {"keepdimensions__n_selected": [1, 32]}, cv=3).fit(X, y)
    assert search.best_params_ == {"keepdimensions__n_selected": 32}


@pytest.mark.parametrize("kind", ["random_subset", "pca"])
def test_kept_dimensions_are_saved_and_loaded_without_pickle(digits, kind, tmp_path):
    X, _ = digits
    fitted = KeepDimensions(kind=kind, n_selected=10, number_format="int8").fit(X)
    fitted.save(tmp_path / "t.safetensors")
    loaded = KeepDimensions.load(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(loaded.encode(X), fitted.encode(X))
    assert (loaded.kind, loaded.n_selected, loaded.number_format) == (kind, 10, "int8")
    (tmp_path / "t.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match=r"expected a transform in .* got an unreadable file"):
        KeepDimensions.load(tmp_path / "t.safetensors")
    with pytest.raises(ValueError, match="expected rows that vary, got constant ones"):
        KeepDimensions().fit(np.ones((5, 3)))
