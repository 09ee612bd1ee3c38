"""CKA of a few subsets from rows: debiased without the fourth moments of all pairs of features.

The U of `_subset` needs ``Q = (X*X)'(X*X)`` only in ``m'Qq = r_m . r_q`` with ``r_m = (X*X) m``, the squared lengths of
the rows of a subset. For s subsets these are n x s numbers from a product with the masks, ``n d s`` operations, where Q
takes ``n d^2``.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features
from diffred_core.cka._subset import check_rows, checked_masks, checked_self, subset_cka
from diffred_core.moments import FeatureMoments, from_features
from diffred_core.moments.blocks import BLOCK_ROWS


def subset_cka_rows(
    X: Tensor | ArrayLike, masks: Tensor, other_masks: Tensor | None = None, *, debiased: bool = True
) -> Tensor:
    """Return the CKA of subsets of features as `subset_cka` does, from rows, by the cheaper of two ways.

    Fewer subsets than features are cheaper without fourth moments. For other subsets of the same rows, keep the moments
    and call `subset_cka`.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    masks, other_masks, debiased
        As in `subset_cka`.

    Returns
    -------
    Tensor, float64
        Of shape (n_subsets,) without `other_masks`, else (n_subsets, n_other).

    Raises
    ------
    InputError
        As `subset_cka` and `moments.from_features`.
    """
    X = as_features(X)
    n_masks = len(masks) + (1 if other_masks is None else len(other_masks))
    few = debiased and needs_no_quartic(n_masks, X.shape[1])
    layer = from_features(X, quartic=debiased and not few)
    if not few:
        return subset_cka(layer, masks, other_masks, debiased=debiased)
    check_rows(layer.n, debiased=True)
    full = torch.ones(1, layer.n_features, device=X.device)
    W = checked_masks(masks, layer)
    V = checked_masks(full if other_masks is None else other_masks, layer, name="other_masks")
    both = torch.cat([W, V])
    U = _similarities(X, layer, both)
    least = both.square() @ layer.gram.diagonal().square()  # as in `subset_cka`: what rounding is measured by
    squares = U.diagonal()
    biased = torch.maximum(squares.detach(), least)
    of_w = checked_self(squares[: len(W)], biased[: len(W)], what="masks")
    of_v = checked_self(squares[len(W) :], biased[len(W) :], what="other_masks")
    values = U[: len(W), len(W) :] / of_w[:, None] / of_v
    return values.squeeze(1) if other_masks is None else values


def needs_no_quartic(n_masks: int, n_features: int) -> bool:
    """Return whether the squared lengths of rows are cheaper than Q: both are products of n x d with d columns or s."""
    return n_masks < n_features


def _similarities(X: Tensor, layer: FeatureMoments, weights: Tensor) -> Tensor:
    """Return ``w'Uv`` for all pairs of ``weights (s, n_features)``, ``(s, s)``."""
    n = layer.n
    blocks = (block.double() - layer.mean for block in X.split(BLOCK_ROWS))
    lengths = torch.cat([block.square_() @ weights.T for block in blocks])  # (n, s)
    traces = weights @ layer.gram.diagonal()
    similarity = weights @ layer.gram.square() @ weights.T - n / (n - 2) * (lengths.T @ lengths)
    return similarity + torch.outer(traces, traces) / ((n - 1) * (n - 2))
