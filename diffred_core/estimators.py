"""The probes and subsets of the arrays layer behind scikit-learn's estimator interface.

They validate like scikit-learn and add no numerics of their own: every number comes from `linear_probe`, `moments`,
`soft_mask` and `subsets`.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from diffred_core import linear_probe, moments, soft_mask, subsets


def _rows(X: np.ndarray) -> torch.Tensor:
    # a copy, because torch warns of arrays that it may not write to
    return torch.from_numpy(np.array(X, dtype=np.float64, order="C"))


class _LinearProbeClassifier(ClassifierMixin, BaseEstimator):
    """What the two probes share: label encoding, scores, predictions; `_fit_probe` is the one difference."""

    def fit(self, X, y):
        """Fit the probe on ``X (n_samples, n_features)`` with labels ``y (n_samples,)`` of any type."""
        self._validate_params()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} expected at least two classes in y, got one class ({self.classes_[0]!r}); "
                "add rows of another class"
            )
        probe = self._fit_probe(_rows(X), torch.from_numpy(codes))
        self.coef_, self.intercept_ = self._weights(probe)
        self.gradient_norm_, self.converged_ = float(probe.gradient_norm), bool(probe.converged)
        self.n_iter_ = max(int(probe.iterations), 1)
        return self

    def _weights(self, probe) -> tuple[np.ndarray, np.ndarray]:
        # The probe is affine, so its scores at the origin and at the unit vectors are its coefficients.
        unit = torch.eye(self.n_features_in_, dtype=torch.float64)
        bias = probe.scores(torch.zeros(1, self.n_features_in_, dtype=torch.float64)).reshape(1, -1)
        coef = probe.scores(unit).reshape(self.n_features_in_, -1) - bias
        return coef.T.numpy(), bias.reshape(-1).numpy()

    def _class_scores(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return X @ self.coef_.T + self.intercept_

    def decision_function(self, X):
        """Return scores ``(n_samples, n_classes)``, or ``(n_samples,)`` for two classes (second minus first)."""
        scores = self._class_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X):
        """Return the class of the largest score for each row, ``(n_samples,)``."""
        scores = self._class_scores(X)  # first, because it refuses an unfitted probe
        return self.classes_[scores.argmax(axis=1)]


class RidgeProbe(_LinearProbeClassifier):
    """Ridge regression on one-hot labels, from moments; see `diffred_core.linear_probe.fit_ridge`.

    Parameters
    ----------
    l2 : float, default=1e-3
        Weight of ``||W||^2`` beside the mean squared error; ``alpha = n_samples * l2`` in scikit-learn's terms.
    """

    _parameter_constraints: dict = {"l2": [Interval(Real, 0, None, closed="neither")]}  # noqa: RUF012

    def __init__(self, *, l2=1e-3):
        self.l2 = l2

    def _fit_probe(self, X, codes):
        summary = moments.from_features(X, codes, n_classes=len(self.classes_), quartic=False)
        return linear_probe.fit_ridge(summary, l2=self.l2)


class LogisticProbe(_LinearProbeClassifier):
    """Multinomial logistic regression to a certified gradient norm; see `diffred_core.linear_probe.fit_logistic`.

    Parameters
    ----------
    l2 : float, default=1e-3
        Objective: mean cross-entropy ``+ l2/2 ||W||^2``, intercept free; scikit-learn's ``C = 1 / (n_samples * l2)``.
    max_iter : int, default=1000
        Most iterations; `converged_` tells whether they sufficed.
    tol : float, default=1e-6
        Largest absolute entry of the gradient at which the fit counts as converged.
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "l2": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, *, l2=1e-3, max_iter=1000, tol=1e-6):
        self.l2 = l2
        self.max_iter = max_iter
        self.tol = tol

    def _fit_probe(self, X, codes):
        return linear_probe.fit_logistic(
            X, codes, l2=self.l2, n_classes=len(self.classes_), max_iter=self.max_iter, tol=self.tol
        )

    def predict_proba(self, X):
        """Return class probabilities ``(n_samples, n_classes)``."""
        return softmax(self._class_scores(X), axis=1)

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))


class RandomSubset(SelectorMixin, TransformerMixin, BaseEstimator):
    """Keep a random subset of the features: a prefix of `diffred_core.subsets.random_order`.

    Parameters
    ----------
    fraction : float, default=0.2
        Share of the features that stays, in (0, 1]; at least one feature stays.
    seed : int, default=0
        Seed of the order; subsets of one seed are nested over fractions.
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "fraction": [Interval(Real, 0, 1, closed="right")],
        "seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, *, fraction=0.2, seed=0):
        self.fraction = fraction
        self.seed = seed

    def fit(self, X, y=None):
        """Draw the subset for the number of features of ``X``; `y` is ignored."""
        self._validate_params()
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan")
        (size,) = subsets.subset_sizes(X.shape[1], [self.fraction])
        self.indices_ = np.sort(subsets.random_order(X.shape[1], seed=self.seed)[:size].numpy())
        return self

    def _get_support_mask(self):
        check_is_fitted(self)
        return np.isin(np.arange(self.n_features_in_), self.indices_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class SoftMask(TransformerMixin, BaseEstimator):
    """Weigh each feature by how well it separates the classes; see `diffred_core.soft_mask`.

    Parameters
    ----------
    kind : {"importance", "sqrt", "scaled", "inverse_spread", "mmc", "hard"}, default="importance"
        Which mask; reconstructions of Luo et al. (2023), whose formula is not public.
    pair : {"mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"}, default="mean_pair"
        How the importance sums up more than two classes.
    fraction : float, default=None
        Share of the features that ``kind="hard"`` keeps.
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "kind": [StrOptions({"importance", "sqrt", "scaled", "inverse_spread", "mmc", "hard"})],
        "pair": [StrOptions({"mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"})],
        "fraction": [Interval(Real, 0, 1, closed="right"), None],
    }

    def __init__(self, *, kind="importance", pair="mean_pair", fraction=None):
        self.kind = kind
        self.pair = pair
        self.fraction = fraction

    def fit(self, X, y):
        """Estimate importance from ``X (n_samples, n_features)`` and labels ``y (n_samples,)``, then the mask."""
        self._validate_params()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_classification_targets(y)
        rows = _rows(X)
        codes = torch.from_numpy(np.unique(y, return_inverse=True)[1])
        statistics = soft_mask.class_statistics(rows, codes)
        R = soft_mask.importance(statistics, kind=self.pair)
        options = {"kind": self.kind, "fraction": self.fraction}
        mask = soft_mask.mask(R, spread=statistics.spread, magnitude=statistics.magnitude, **options)
        self.importance_, self.mask_ = R.numpy(), mask.numpy()
        return self

    def transform(self, X):
        """Return ``X`` times the mask."""
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False) * self.mask_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
