"""Exact Shapley values of an ensemble of regression trees, path-dependent as in TreeSHAP (Lundberg et al. 2020).

What a tree expects when only the features S of x are known: follow x at splits on S, and both branches, weighted by
their training rows, elsewhere. So a leaf of value w whose path splits on the features P contributes the game

    v(S) = w  prod_{j in P and S} a_j  prod_{j in P less S} f_j ,

a_j whether x goes the way of the path at all splits on j, f_j the product of the shares of rows that do. Features off
the path change nothing. The Shapley value of such a product is an integral of its multilinear extension (Owen 1972),

    phi_j = w (a_j - f_j)  int_0^1  prod_{k in P, k != j} (a_k t + f_k (1 - t))  dt ,

of a polynomial of degree |P| - 1, which ceil(|P| / 2) Gauss-Legendre nodes integrate exactly. No sum over subsets is
left, and values of all rows and leaves come from one array expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from diffred_core.errors import InputError

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.tree._tree import Tree

_NO_CHILD = -1
# a leaf's value, and for every feature on its path the interval that leads there and the share of rows
Leaf = tuple[float, dict[int, tuple[float, float]], dict[int, float]]


def shapley_values(model: GradientBoostingRegressor, X: ArrayLike) -> np.ndarray:
    """Return the Shapley value of every feature in every prediction of a gradient-boosting regressor.

    Parameters
    ----------
    model : GradientBoostingRegressor
        Fitted, with one output.
    X : array-like (n_samples, n_features)
        Rows to explain, finite.

    Returns
    -------
    ndarray (n_samples, n_features) of float64
        Each row adds up to its prediction less the mean that the trees expect when nothing is known.

    Raises
    ------
    InputError
        If `X` has another number of features than the model was fitted on, or is not finite.
    """
    # The trees compare what float32 makes of a value.
    X = np.asarray(X, np.float32)
    if X.ndim != 2 or X.shape[1] != model.n_features_in_ or not np.isfinite(X).all():
        raise InputError(
            f"expected finite X of shape (n_samples, {model.n_features_in_}), got {X.shape}; pass the columns that the "
            "model was fitted on"
        )
    leaves = [leaf for tree in model.estimators_[:, 0] for leaf in _leaves(tree.tree_)]
    rows, row_of = np.unique(X, axis=0, return_inverse=True)  # equal rows have equal values
    return model.learning_rate * _of_leaves(leaves, rows)[row_of.ravel()]


def _leaves(tree: Tree) -> Iterator[Leaf]:
    waiting = [(0, {}, {})]
    while waiting:
        node, bounds, shares = waiting.pop()
        if tree.children_left[node] == _NO_CHILD:
            yield float(tree.value[node].item()), bounds, shares
            continue
        j, cut = int(tree.feature[node]), float(tree.threshold[node])
        low, high = bounds.get(j, (-np.inf, np.inf))
        branches = (
            (tree.children_left[node], (low, min(high, cut))),
            (tree.children_right[node], (max(low, cut), high)),
        )
        for child, interval in branches:
            share = tree.weighted_n_node_samples[child] / tree.weighted_n_node_samples[node]
            waiting.append((int(child), bounds | {j: interval}, shares | {j: shares.get(j, 1.0) * share}))


def _of_leaves(leaves: list[Leaf], X: np.ndarray) -> np.ndarray:
    """Return the sum over leaves of their games' Shapley values, (n_rows, n_features)."""
    n_slots = max(len(bounds) for _, bounds, _ in leaves)
    # Shorter paths are filled with features that always go along (a = f = 1) and so get nothing.
    feature = np.zeros((len(leaves), n_slots), int)
    low, high = np.full(feature.shape, -np.inf), np.full(feature.shape, np.inf)
    share, value = np.ones(feature.shape), np.array([weight for weight, _, _ in leaves])
    for i, (_, bounds, shares) in enumerate(leaves):
        for slot, (j, interval) in enumerate(bounds.items()):
            feature[i, slot], (low[i, slot], high[i, slot]), share[i, slot] = j, interval, shares[j]
    along = (X[:, feature] > low) & (X[:, feature] <= high)  # (n_rows, n_leaves, n_slots)
    values = np.zeros((X.shape[1], len(X)))
    for slot in range(n_slots):
        others = np.arange(n_slots) != slot
        gain = value * (along[..., slot] - share[:, slot]) * _integral(along[..., others], share[:, others])
        np.add.at(values, feature[:, slot], gain.T)
    return values.T


def _integral(along: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the integral over t from 0 to 1 of ``prod_k (a_k t + f_k (1 - t))``, the product over the last axis."""
    nodes, weights = np.polynomial.legendre.leggauss(max(1, (along.shape[-1] + 2) // 2))
    terms = [w / 2 * (along * t + share * (1 - t)).prod(-1) for t, w in zip((nodes + 1) / 2, weights, strict=True)]
    return np.sum(terms, axis=0)
