"""Maps from d to k dimensions: kept dimensions, principal directions, random projections; every k is a prefix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from diffred_core import soft_mask, subsets
from diffred_core.checks import as_labels, check_choice, finite_features
from diffred_core.errors import InputError

_RANK = 1e-6  # of the largest variance: directions below it are rounding of float32


@dataclass(frozen=True, eq=False)
class Reduction:
    """A map of rows ``x`` of d numbers to k: ``x[kept]``, or ``(x - offset) @ matrix``.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    n_features : int
        d.
    kept : LongTensor (k,) or None
        Dimensions, in the order in which they are kept.
    matrix : Tensor (d, k) of float32, or None
    offset : Tensor (d,) of float32, or None
        Subtracted first; None for nothing.
    """

    kind: str
    n_features: int
    kept: Tensor | None = None
    matrix: Tensor | None = None
    offset: Tensor | None = None

    @property
    def n_selected(self) -> int:
        """K."""
        if self.kept is not None:
            return len(self.kept)
        return self.n_features if self.matrix is None else self.matrix.shape[1]

    def prefix(self, k: int) -> Reduction:
        """Return the map to the first `k` of its dimensions.

        Raises
        ------
        InputError
            If it has fewer.
        """
        if not 1 <= k <= self.n_selected:
            raise InputError(f"expected k from 1 to {self.n_selected} for {self.kind}, got {k}; fit on more rows")
        if self.kept is not None:
            return replace(self, kept=self.kept[:k])
        return self if self.matrix is None else replace(self, matrix=self.matrix[:, :k])

    def apply(self, X: Tensor) -> Tensor:
        """Return the rows of `X` (n_samples, d) in k dimensions, (n_samples, k)."""
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise InputError(f"expected rows of {self.n_features} dimensions as in the fit, got {tuple(X.shape)}")
        if self.kept is not None:
            return X[:, self.kept]
        if self.matrix is None:
            return X
        return (X if self.offset is None else X - self.offset.to(X)) @ self.matrix.to(X)


@torch.no_grad()
def fit_reductions(
    X: Tensor, y: Tensor | None = None, *, kinds: Iterable[str] | None = None, most: int | None = None, seed: int = 0
) -> dict[str, Reduction]:
    """Return the maps of several kinds, fitted on the same rows; one eigendecomposition serves those that need it.

    ======================  ==================================================================================
    ``random_subset``       a random order of the dimensions (`subsets.random_order`)
    ``first``               as they stand: what training for prefixes gives a meaning to
    ``top_variance``        by falling variance
    ``importance``          by how well they tell classes of two rows or more apart (`soft_mask.importance`)
    ``pca``                 principal directions of the centred rows
    ``pca_uncentred``       of the rows as they are: inner products are kept best
    ``pca_whitened``        the directions of ``pca``, each divided by its standard deviation
    ``random_projection``   Gaussian directions, scaled so that squared lengths are kept on average
    ======================  ==================================================================================

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Rows to fit on.
    y : LongTensor (n_samples,), optional
    kinds : iterable of str, optional
        By default all; ``importance`` only with labels.
    most : int, optional
        Most dimensions to keep; by default all. Principal directions are at most as many as vary in the rows.
    seed : int
        Of the two random kinds.

    Raises
    ------
    InputError
        If a kind is unknown or needs labels that are not there, or a value is not finite.
    """
    X = finite_features(X).float()
    codes = None if y is None else as_labels(y, len(X))
    chosen = [kind for kind in KINDS if kind != "importance" or y is not None] if kinds is None else list(kinds)
    for kind in chosen:
        check_choice(kind, KINDS, "kinds must be among {}")
    if "importance" in chosen and codes is None:
        raise InputError("expected labels y for the kind 'importance', got none; pass them or leave it out")
    rows = _Rows(X, codes, min(most or X.shape[1], X.shape[1]), seed)
    return {kind: _FITS[kind](rows) for kind in chosen}


@dataclass(frozen=True, eq=False)
class _Rows:
    """What maps are fitted on, with the two eigendecompositions that several of them share."""

    X: Tensor
    y: Tensor | None
    most: int
    seed: int

    @cached_property
    def mean(self) -> Tensor:
        return self.X.double().mean(0).float()

    @cached_property
    def variance(self) -> Tensor:
        return self.X.double().var(0, correction=0)

    @cached_property
    def centred(self) -> tuple[Tensor, Tensor]:
        return principal_directions(self.X - self.mean, self.most)

    @cached_property
    def uncentred(self) -> tuple[Tensor, Tensor]:
        return principal_directions(self.X, self.most)

    def keeping(self, kind: str, order: Tensor) -> Reduction:
        return Reduction(kind, self.X.shape[1], kept=order[: self.most])

    def by_matrix(self, kind: str, matrix: Tensor, offset: Tensor | None = None) -> Reduction:
        return Reduction(kind, self.X.shape[1], matrix=matrix.contiguous(), offset=offset)


def principal_directions(X: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return the mean squares along the leading principal directions of rows as they are, and the directions.

    By the smaller of the two Grams: ``X'X v = s v``, or ``XX' u = s u`` and then ``v = X'u / sqrt(s)``.

    Returns
    -------
    values : Tensor (k,) of float64
        Falling, each above rounding.
    directions : Tensor (n_features, k) of float32
    """
    n, d = X.shape
    wide = n < d
    gram = (X @ X.T if wide else X.T @ X).double()
    values, vectors = torch.linalg.eigh(gram)
    values, vectors = values.flip(0)[:most], vectors.flip(1)[:, :most]
    sound = values > _RANK * values[:1]
    values, vectors = values[sound], vectors[:, sound].float()
    if wide:
        vectors = (X.T @ vectors) / values.sqrt().float()
    return values / n, vectors


def _random_subset(rows: _Rows) -> Reduction:
    return rows.keeping("random_subset", subsets.random_order(rows.X.shape[1], seed=rows.seed))


def _first(rows: _Rows) -> Reduction:
    return rows.keeping("first", torch.arange(rows.X.shape[1]))


def _top_variance(rows: _Rows) -> Reduction:
    return rows.keeping("top_variance", rows.variance.argsort(descending=True, stable=True))


def _importance(rows: _Rows) -> Reduction:
    assert rows.y is not None  # `fit_reductions` has refused this
    often = torch.bincount(rows.y)[rows.y] > 1  # a spread within a class needs two rows
    codes = rows.y[often].unique(return_inverse=True)[1]
    relevance = soft_mask.importance(soft_mask.class_statistics(rows.X[often], codes), kind="fisher")
    return rows.keeping("importance", relevance.nan_to_num(-torch.inf).argsort(descending=True, stable=True))


def _pca(rows: _Rows) -> Reduction:
    return rows.by_matrix("pca", rows.centred[1], rows.mean)


def _pca_uncentred(rows: _Rows) -> Reduction:
    return rows.by_matrix("pca_uncentred", rows.uncentred[1])


def _pca_whitened(rows: _Rows) -> Reduction:
    values, directions = rows.centred
    return rows.by_matrix("pca_whitened", directions / values.sqrt().float(), rows.mean)


def _random_projection(rows: _Rows) -> Reduction:
    generator = torch.Generator().manual_seed(rows.seed)
    matrix = torch.randn(rows.X.shape[1], rows.most, generator=generator)
    return rows.by_matrix("random_projection", matrix / rows.X.shape[1] ** 0.5)


_FITS = {
    "random_subset": _random_subset,
    "first": _first,
    "top_variance": _top_variance,
    "importance": _importance,
    "pca": _pca,
    "pca_uncentred": _pca_uncentred,
    "pca_whitened": _pca_whitened,
    "random_projection": _random_projection,
}
KINDS: tuple[str, ...] = tuple(_FITS)
