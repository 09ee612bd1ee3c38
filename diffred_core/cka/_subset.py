"""CKA of any subsets of features, hard or soft, as a bilinear form in one d x d matrix; its null.

Keeping the features of a mask m gives the kernel K_m = sum_j m_j^2 x_j x_j', x_j the centred columns. So every
similarity <K_m, K_q> is sum_jk m_j^2 q_k^2 U_jk with U_jk the similarity of the single features j and k:
  biased    U = H = G*G
  debiased  U = H - n/(n-2) Q + tt'/((n-1)(n-2)),  t = diag(G),
the second by U-centring kernels whose rows sum to zero. One U serves all subsets and all pairs of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.moments import CrossMoments, FeatureMoments
from diffred_core.subsets import check_order

# Self-similarity below this share of its own biased value is rounding of float32 products, not data. It is a limit
# for refusing, never added to anything: an epsilon in the denominator would break CKA(X, cX) = 1.
_ROUNDING = 1e-6


def check_rows(n: int, *, debiased: bool) -> None:
    """Refuse fewer rows than the estimator is defined for: 4 debiased (it divides by n - 3), else 2."""
    least = 4 if debiased else 2
    if n < least:
        raise InputError(
            f"expected at least {least} rows for {'debiased' if debiased else 'biased'} CKA, got {n}; pass more samples"
        )


def checked_self(similarity: Tensor, biased: Tensor, *, what: str) -> Tensor:
    """Return the square roots of self-similarities ``(n_items,)``; refuse what is not above 0 by more than rounding.

    A self-similarity is the squared norm of a centred kernel, so it is zero only where the rows do not vary or,
    debiased, where all rows are equally far apart. CKA is then 0/0. The `biased` counterparts set the size of rounding
    errors; `what` names an item for the message.
    """
    bad = ~(similarity.detach() > _ROUNDING * biased.detach())
    if bool(bad.any()):
        index = int(bad.nonzero()[0, 0])
        raise InputError(
            f"expected features that vary from row to row, got none in {what} {index}: its self-similarity is "
            f"{float(similarity.detach()[index]):.3g}, so CKA is 0/0; drop it, or choose features that are not constant"
        )
    return torch.sqrt(similarity)


def similarity_matrix(moments: FeatureMoments | CrossMoments, *, debiased: bool = True) -> Tensor:
    """Return U, the similarity (n (n - 3) or (n - 1)^2 times HSIC) of every feature with every other.

    Parameters
    ----------
    moments : FeatureMoments or CrossMoments
        Moments of one layer, or of two over the same rows.
    debiased : bool
        Whether to use the unbiased estimator of HSIC (Song et al. 2012), which needs `quartic`.

    Returns
    -------
    Tensor of shape (n_features, n_features), or (d_x, d_y) for two layers, float64
        Up to the common factor, which drops out of CKA.

    Raises
    ------
    InputError
        If there are fewer than 4 rows (2 if not debiased), or `quartic` is missing.
    """
    n = moments.n
    check_rows(n, debiased=debiased)
    H = moments.gram.square()
    if not debiased:
        return H
    if moments.quartic is None:
        raise InputError(
            "expected moments with fourth order for debiased CKA, got quartic=None; make them with quartic=True "
            "(transform cannot keep them), or pass debiased=False"
        )
    rows, columns = (moments.x, moments.y) if isinstance(moments, CrossMoments) else (moments, moments)
    t, s = rows.gram.diagonal(), columns.gram.diagonal()
    return H.sub_(moments.quartic, alpha=n / (n - 2)).addr_(t, s, alpha=1 / ((n - 1) * (n - 2)))


def checked_masks(masks: Tensor, moments: FeatureMoments, *, name: str = "masks") -> Tensor:
    """Return `masks` squared, the weights of the single features, in float64 beside the moments."""
    if masks.ndim != 2 or masks.shape[1] != moments.n_features:
        raise InputError(
            f"expected {name} of shape (n_subsets, {moments.n_features}), got {tuple(masks.shape)}; "
            "pass one row per subset, as subsets.prefix_masks gives"
        )
    weights = masks.to(moments.gram).square()
    if not bool(weights.detach().isfinite().all()):
        raise InputError(f"expected finite {name}, got NaN or infinity; check what made the mask")
    empty = (weights.detach() == 0).all(1)
    if bool(empty.any()):
        raise InputError(
            f"expected at least one feature in every subset, got none in {name}[{int(empty.nonzero()[0, 0])}]; "
            "leave empty subsets out"
        )
    return weights


def subset_cka(
    moments: FeatureMoments | CrossMoments, masks: Tensor, other_masks: Tensor | None = None, *, debiased: bool = True
) -> Tensor:
    """Return the CKA of every subset of features with the full layer, or with every other subset.

    Parameters
    ----------
    moments : FeatureMoments or CrossMoments
        Moments of one layer; or of two, then `masks` choose features of x and `other_masks` features of y.
    masks : Tensor of shape (n_subsets, n_features)
        Hard (0 and 1, or bool) or soft masks; a soft mask multiplies the features. Gradients flow to them.
    other_masks : Tensor of shape (n_other, n_features), optional
        Subsets to compare with; by default one subset, the full layer.
    debiased : bool
        Whether to use the unbiased estimator of HSIC; values can then be negative and are not clipped.

    Returns
    -------
    Tensor, float64
        Of shape (n_subsets,) without `other_masks`, else (n_subsets, n_other).

    Raises
    ------
    InputError
        If shapes do not fit, a mask is empty, there are fewer than 4 rows (2 if not debiased), `quartic` is missing,
        or the features of a subset are constant.

    Notes
    -----
    The full layer contains the subset, so the value is well above 0 without any redundancy: see `diagonal_null`.
    """
    rows, columns = (moments.x, moments.y) if isinstance(moments, CrossMoments) else (moments, moments)
    W = checked_masks(masks, rows)
    full = torch.ones(1, columns.n_features, device=W.device)
    V = checked_masks(full if other_masks is None else other_masks, columns, name="other_masks")
    U = similarity_matrix(moments, debiased=debiased)
    WU = W @ U
    of_w = _self_roots(rows, W, WU if rows is columns else None, debiased=debiased, what="masks")
    of_v = _self_roots(columns, V, V @ U if rows is columns else None, debiased=debiased, what="other_masks")
    values = WU @ V.T / of_w[:, None] / of_v
    return values.squeeze(1) if other_masks is None else values


def _self_roots(moments: FeatureMoments, W: Tensor, WU: Tensor | None, *, debiased: bool, what: str) -> Tensor:
    """Return the roots of the self-similarities w'Uw of the weighted layers."""
    WU = W @ similarity_matrix(moments, debiased=debiased) if WU is None else WU
    squares = (WU * W).sum(1)
    # w'Hw >= w' diag(H) w: enough to tell rounding from data without a second product
    biased = W.square() @ moments.gram.diagonal().square()
    return checked_self(squares, torch.maximum(squares.detach(), biased), what=what)


def prefix_cka(moments: FeatureMoments, order: Tensor, *, sizes: Sequence[int], debiased: bool = True) -> Tensor:
    """Return the CKA with the full layer of every prefix of `order`: O(d^2) for all sizes together.

    Row sums of the permuted U accumulate to the numerators. Going from k - 1 to k features adds to the
    self-similarity U_kk and twice the part of row k left of the diagonal.

    Parameters
    ----------
    moments : FeatureMoments
        Moments of the layer.
    order : LongTensor of shape (n_features,)
        A permutation of the features.
    sizes : sequence of int
        Prefix lengths from 1 to n_features.
    debiased : bool
        Whether to use the unbiased estimator of HSIC.

    Returns
    -------
    Tensor of shape (n_sizes,), float64
        Equal to ``subset_cka(moments, prefix_masks(order, sizes))``.

    Raises
    ------
    InputError
        As `subset_cka`; or if `order` is not a permutation, or a size lies outside 1, ..., n_features.
    """
    sizes = check_order(order, sizes, n_features=moments.n_features)
    order = order.to(moments.gram.device)
    U = similarity_matrix(moments, debiased=debiased)[order[:, None], order]
    last = torch.tensor(sizes, device=U.device) - 1
    cross = U.sum(1).cumsum(0)
    diagonal = moments.gram.diagonal()[order].square().cumsum(0)
    squares = (U.diagonal() + 2 * U.tril(-1).sum(1)).cumsum(0)
    whole = checked_self(squares[-1:], torch.maximum(squares[-1:], diagonal[-1:]), what="the full layer")
    return cross[last] / checked_self(squares[last], torch.maximum(squares, diagonal)[last], what="sizes") / whole


def diagonal_null(moments: FeatureMoments, masks: Tensor) -> Tensor:
    """Return the CKA of every subset with the full layer, had the features the same variances but no correlation.

    A subset lies inside the full layer, so this is far from 0: sqrt(k/d) for k of d features of equal variance.
    CKA above it is redundancy, CKA at it is mere inclusion. With h = diag(G)^2 and weights w = mask^2 it is
    ``sum_j w_j h_j / sqrt(sum_j w_j^2 h_j * sum_j h_j)``, for hard masks ``sqrt(sum_S h / sum h)``.

    Parameters
    ----------
    moments : FeatureMoments
        Moments of the layer.
    masks : Tensor of shape (n_subsets, n_features)
        Hard or soft masks.

    Returns
    -------
    Tensor of shape (n_subsets,), float64

    Raises
    ------
    InputError
        If the shape does not fit, a mask is empty, or the features of a subset are constant.
    """
    W = checked_masks(masks, moments)
    h = moments.gram.diagonal().square()
    squares = W.square() @ h
    whole = h.sum()[None]
    return W @ h / checked_self(squares, squares, what="masks") / checked_self(whole, whole, what="layer")


def permutation_null_mean(moments: FeatureMoments, other: FeatureMoments, *, masks: Tensor | None = None) -> Tensor:
    """Return the mean biased CKA over all permutations of the rows of one of two layers, in closed form.

    E <K, PLP'> = tr K tr L / (n - 1) for centred kernels: off the diagonal, L is replaced by its mean. So the
    mean CKA is ``tr K tr L / ((n - 1) |K| |L|)``, and tr K = tr G, |K| = |G|. The mean of debiased CKA is exactly 0.

    Parameters
    ----------
    moments, other : FeatureMoments
        Moments of two layers over the same number of rows; the same object twice for a subset and its layer.
    masks : Tensor of shape (n_subsets, n_features), optional
        Subsets of the first layer; by default one, the full layer.

    Returns
    -------
    Tensor of shape (n_subsets,), float64

    Raises
    ------
    InputError
        If the layers differ in their number of rows, or features are constant.
    """
    check_rows(min(moments.n, other.n), debiased=False)
    if moments.n != other.n:
        raise InputError(
            f"expected moments over the same rows, got {moments.n} and {other.n} rows; use the same samples for both"
        )
    ones = torch.ones(1, moments.n_features, device=moments.gram.device)
    W = checked_masks(ones if masks is None else masks, moments)
    squares = ((W @ moments.gram.square()) * W).sum(1)
    whole = other.gram.square().sum()[None]
    norms = checked_self(squares, squares, what="masks") * checked_self(whole, whole, what="layer")
    return (W @ moments.gram.diagonal()) * other.gram.trace() / ((moments.n - 1) * norms)
