"""The probes and subsets of the arrays layer behind scikit-learn's estimator interface.

They validate like scikit-learn and add no numerics of their own: every number comes from `linear_probe`, `moments`,
`soft_mask`, `subsets` and `compression`.
"""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from diffred_core import compression, linear_probe, moments, soft_mask, subsets
from diffred_core.errors import InputError


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

    def __init__(self, *, l2: float = 1e-3) -> None:
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

    def __init__(self, *, l2: float = 1e-3, max_iter: int = 1000, tol: float = 1e-6) -> None:
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

    def __init__(self, *, fraction: float = 0.2, seed: int = 0) -> None:
        self.fraction = fraction
        self.seed = seed

    def fit(self, X, y=None):
        """Draw the subset for the number of features of ``X``; `y` is ignored."""
        self._validate_params()
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan")
        (size,) = subsets.subset_sizes(X.shape[1], [self.fraction])
        self.indices_ = np.sort(subsets.random_order(X.shape[1], seed=self.seed)[:size].numpy())
        return self

    def _get_support_mask(self) -> np.ndarray:
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


class KeepDimensions(TransformerMixin, BaseEstimator):
    """Keep fewer dimensions, and fewer bits of each; see `diffred_core.compression` and ``diffred report``.

    `transform` returns the numbers that a search reads, `encode` those that are kept, in bytes.

    Parameters
    ----------
    kind : str, default="pca"
        A map of `diffred_core.compression.fit_reductions`; ``"importance"`` needs labels.
    n_selected : int, default=None
        How many dimensions to keep: half by default, principal directions at most as many as vary in the rows.
    number_format : str, default="float32"
        A format of `diffred_core.compression.fit_code`.
    seed : int, default=0
        Of random subsets and projections.
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "kind": [StrOptions(set(compression.KINDS))],
        "n_selected": [Interval(Integral, 1, None, closed="left"), None],
        "number_format": [StrOptions(set(compression.FORMATS))],
        "seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        kind: str = "pca",
        n_selected: int | None = None,
        number_format: str = "float32",
        seed: int = 0,
    ) -> None:
        self.kind = kind
        self.n_selected = n_selected
        self.number_format = number_format
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> KeepDimensions:
        """Fit map and format on ``X (n_samples, n_features)``; labels `y` are read by ``"importance"`` only."""
        self._validate_params()
        options = {"dtype": [np.float64, np.float32], "ensure_min_samples": 2}
        codes = None
        if self.kind == "importance":
            X, y = validate_data(self, X, y, **options)
            check_classification_targets(y)
            codes = torch.from_numpy(np.unique(y, return_inverse=True)[1])
        else:
            X = validate_data(self, X, **options)
        rows = _rows(X)
        size = max(1, X.shape[1] // 2) if self.n_selected is None else self.n_selected
        fitted = compression.fit_reductions(rows, codes, kinds=[self.kind], most=size, seed=self.seed)[self.kind]
        if not fitted.n_selected:
            raise ValueError(f"{type(self).__name__} expected rows that vary, got constant ones; add other rows")
        reduction = fitted.prefix(min(size, fitted.n_selected))
        self.transform_ = compression.Transform(
            reduction, compression.fit_code(self.number_format, reduction.apply(rows))
        )
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the kept numbers as a search reads them, ``(n_samples, k)``."""
        rows = self._checked(X)
        kept: np.ndarray = self.transform_.code.round_trip(self.transform_.reduction.apply(rows)).numpy()
        return kept.astype(np.float64, copy=False)

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the rows as they are kept, ``(n_samples, ...)``: `compression.Transform.encode`."""
        return self.transform_.encode(self._checked(X))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the kept dimensions, of a map by matrix ``pca0``, ``pca1``, ..."""
        check_is_fitted(self)
        reduction = self.transform_.reduction
        names = _check_feature_names_in(self, input_features)
        if reduction.matrix is not None:
            return np.array([f"{reduction.kind}{i}" for i in range(reduction.n_selected)], dtype=object)
        kept: np.ndarray = names if reduction.kept is None else names[reduction.kept.numpy()]
        return kept

    def save(self, path: Path | str) -> None:
        """Write what was fitted to a ``.safetensors`` file, from which no code can be executed."""
        check_is_fitted(self)
        save_file(self.transform_.arrays(), path, metadata=self.transform_.facts())

    @classmethod
    def load(cls, path: Path | str) -> KeepDimensions:
        """Return the fitted transformer of a file that `save` or ``diffred report`` has written.

        Raises
        ------
        InputError
            If the file is another one.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                arrays, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
        except Exception as error:  # of the library, for a damaged file
            raise InputError(f"expected a transform in {str(path)!r}, got an unreadable file; save it again") from error
        kept = compression.Transform.of_arrays(arrays, facts)
        loaded = cls(kind=kept.reduction.kind, n_selected=kept.reduction.n_selected, number_format=kept.code.name)
        loaded.transform_, loaded.n_features_in_ = kept, kept.reduction.n_features
        return loaded

    def _checked(self, X: np.ndarray) -> torch.Tensor:
        check_is_fitted(self)
        return _rows(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.kind == "importance"
        return tags
