"""Similarities other than linear CKA, to see whether a finding depends on the measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_features, check_choice
from diffred_core.cka import centred_kernel, kernel_cka, layer_cka
from diffred_core.errors import InputError
from diffred_core.moments.blocks import column_mean

_ROWS = 1024  # whose neighbours are looked for at once


@torch.no_grad()
def svcca(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, variance: float = 0.99) -> float:
    """Return the mean canonical correlation of the leading principal components (Raghu et al. 2017).

    Each layer is cut to the fewest components that hold the share `variance` of its variance; the mean is over as many
    correlations as the narrower one has components.

    Parameters
    ----------
    X, Y : Tensor (n_samples, d_x), (n_samples, d_y)
        Features of the same samples in two layers.
    variance : float
        Share of variance to keep, in (0, 1].

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If `variance` is out of range, the rows do not match, are not finite or do not vary, or a layer has as many
        components as there are rows to correlate, when every correlation is 1 whatever the other layer.
    """
    if not 0 < variance <= 1:
        raise InputError(f"expected variance in (0, 1], got {variance}; 0.99 is usual")
    return _mean_correlation(*(_basis(values, variance) for values in _centred_pair(X, Y)))


@torch.no_grad()
def pwcca(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> float:
    """Return the projection-weighted mean of the canonical correlations (Morcos, Raghu and Bengio 2018).

    The weight of canonical variable h_i of X is ``sum_j |<h_i, x_j>|`` over the features x_j: directions that account
    for more of X count more. Not symmetric, nor invariant to rotations of X: the weights go by its single features.
    Parameters, range and errors as in `svcca`.
    """
    return _weighted_correlation(*(_with_basis(values) for values in _centred_pair(X, Y)))


@torch.no_grad()
def mutual_knn(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, k: int = 10) -> float:
    """Return the mean share of common members among the k nearest neighbours in both layers (Huh et al. 2024).

    Neighbours are by Euclidean distance; differs from the paper, which normalises rows to length 1 first. The value
    for unrelated layers is k / (n - 1).

    Parameters
    ----------
    X, Y : Tensor (n_samples, d_x), (n_samples, d_y)
        As in `svcca`.
    k : int
        Number of neighbours, from 1 to n_samples - 1.

    Returns
    -------
    float
        In [0, 1]. Memory is 1024 x n and the neighbours.

    Raises
    ------
    InputError
        If `k` is out of range, or as `procrustes_similarity`.
    """
    X, Y = _centred_pair(X, Y)
    if not 1 <= k < len(X):
        raise InputError(f"expected k from 1 to {len(X) - 1} (n_samples - 1), got {k}; 10 is usual")
    return _common(_neighbours(X, k), _neighbours(Y, k))


@torch.no_grad()
def procrustes_similarity(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> float:
    """Return the orthogonal Procrustes similarity ``|X'Y|_* / (|X| |Y|)`` (nuclear norm over Frobenius norms).

    The cosine between X and Y after the best rotation of one onto the other; it equals 1 - D^2/2 for the Procrustes
    distance D of layers scaled to norm 1 (Ding, Denain and Steinhardt 2021).

    Parameters
    ----------
    X, Y : Tensor (n_samples, d_x), (n_samples, d_y)
        As in `svcca`.

    Returns
    -------
    float
        In [0, 1]; 1 for layers equal up to rotation, scale and offset.

    Raises
    ------
    InputError
        If the layers have different rows, are not finite, or one does not vary.
    """
    return _after_rotation(*(_narrowed(values) for values in _centred_pair(X, Y)))


@torch.no_grad()
def rbf_cka(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, bandwidth: float = 0.5, debiased: bool = True) -> float:
    """Return CKA with Gaussian kernels ``exp(-|x_i - x_j|^2 / (2 s^2))`` (Kornblith et al. 2019, sec. 3).

    The width s is `bandwidth` times the median distance between two samples, of each layer on its own: rescaling a
    layer changes nothing. As the bandwidth grows the value tends to that of linear CKA.

    Parameters
    ----------
    X, Y : Tensor (n_samples, d_x), (n_samples, d_y)
        As in `svcca`.
    bandwidth : float
        Fraction of the median distance, positive.
    debiased : bool
        Whether to use the unbiased estimator of HSIC.

    Returns
    -------
    float
        At most 1. Memory is n x n: take a few thousand rows at most.

    Raises
    ------
    InputError
        If the bandwidth is not positive, more than half of the distances are 0, or as `cka.kernel_cka`.
    """
    if not bandwidth > 0:
        raise InputError(f"expected bandwidth above 0, got {bandwidth}; 0.5 is half the median distance")
    K, L = (_gaussian(values, bandwidth) for values in _centred_pair(X, Y))
    return kernel_cka(K, L, debiased=debiased)


@torch.no_grad()
def similarity_map(
    layers: Sequence[Tensor | ArrayLike], other_layers: Sequence[Tensor | ArrayLike], *, index: str
) -> Tensor:
    """Return an index of every layer with every other; what one layer needs is made once.

    Parameters
    ----------
    layers, other_layers : sequences of Tensor (n_samples, n_features), of any widths
        Features of the same samples.
    index : str
        One of `INDICES`: each is the function of that name with its defaults; ``cka`` and ``debiased_cka`` are linear.

    Returns
    -------
    Tensor of shape (n_layers, n_other_layers), float64

    Raises
    ------
    InputError
        An unknown index, no layer, or as that function.
    """
    check_choice(index, INDICES, "expected index to be one of {}")
    if not len(layers) or not len(other_layers):
        raise InputError("expected at least one layer, got none; pass a list of feature matrices")
    if index in ("cka", "debiased_cka"):
        return layer_cka(layers, other_layers, debiased=index == "debiased_cka").cpu()
    prepare, compare = _BY_LAYER[index]
    sides = [[prepare(_centred_pair(X, layers[0])[0]) for X in side] for side in (layers, other_layers)]
    return torch.tensor([[compare(a, b) for b in sides[1]] for a in sides[0]], dtype=torch.float64)


def _mean_correlation(basis: Tensor, other: Tensor) -> float:
    return float(torch.linalg.svdvals(basis.T @ other).clamp(max=1.0).mean())


def _with_basis(X: Tensor) -> tuple[Tensor, Tensor]:
    return X, _basis(X, 1.0)


def _weighted_correlation(layer: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    X, basis = layer
    left, correlations, _ = torch.linalg.svd(basis.T @ other[1], full_matrices=False)
    weights = ((basis @ left).T @ X).abs().sum(1)
    return float((weights * correlations.clamp(max=1.0)).sum() / weights.sum())


def _after_rotation(X: Tensor, Y: Tensor) -> float:
    return float(torch.linalg.svdvals(X.T @ Y).sum() / (X.norm() * Y.norm()))


def _neighbours(X: Tensor, k: int = 10) -> Tensor:
    return torch.cat([_nearest(X, rows, k) for rows in torch.arange(len(X), device=X.device).split(_ROWS)])


def _common(near: Tensor, other: Tensor) -> float:
    common = sum(
        int((a[:, :, None] == b[:, None, :]).sum()) for a, b in zip(near.split(_ROWS), other.split(_ROWS), strict=True)
    )
    return common / near.numel()


def _centred_pair(X: Tensor | ArrayLike, Y: Tensor | ArrayLike) -> tuple[Tensor, Tensor]:
    """Return both layers centred, in float64; refuse different rows, NaN, infinity, and a layer that does not vary."""
    pair = {"X": as_features(X), "Y": as_features(Y, name="Y")}
    if len(pair["X"]) != len(pair["Y"]):
        raise InputError(
            f"expected the same samples in X and Y, got {len(pair['X'])} and {len(pair['Y'])} rows; "
            "pass features of the same rows in the same order"
        )
    centred = []
    for name, values in pair.items():
        centred.append(values.double() - column_mean(values))
        if not bool(centred[-1].isfinite().all()):
            raise InputError(f"expected finite features, got NaN or infinity in {name}; drop the bad rows")
        if not bool(centred[-1].any()):
            raise InputError(f"expected features that vary from row to row, got a constant {name}; choose others")
    return centred[0], centred[1]


def _basis(X: Tensor, variance: float) -> Tensor:
    """Return an orthonormal basis (n_samples, rank) of the components that hold the share `variance`."""
    U, s, _ = torch.linalg.svd(X, full_matrices=False)
    rank = int((s > s[0] * max(X.shape) * torch.finfo(s.dtype).eps).sum())
    power = s[:rank].square()
    # fewest components whose share reaches `variance`; all of the rank for 1
    kept = rank if variance == 1 else int((power.cumsum(0) < variance * power.sum()).sum()) + 1
    kept = min(kept, rank)
    if kept >= len(X) - 1:
        raise InputError(
            f"expected fewer components than rows less one, got {kept} components of {len(X)} rows, where every "
            "canonical correlation is 1; pass more rows, or svcca with a smaller variance"
        )
    directions: Tensor = U[:, :kept]
    return directions


def _nearest(X: Tensor, rows: Tensor, k: int) -> Tensor:
    """Return the k nearest other samples of each of `rows`, shape (len(rows), k)."""
    distance = torch.cdist(X[rows], X)
    distance[torch.arange(len(rows), device=X.device), rows] = torch.inf
    return distance.topk(k, largest=False).indices


def _narrowed(X: Tensor) -> Tensor:
    """Return X, or for n < d an n x n matrix equal to X up to a rotation: X' = QR, so X = R'Q'."""
    return torch.linalg.qr(X.T, mode="r").R.T if X.shape[0] < X.shape[1] else X


def _gaussian(X: Tensor, bandwidth: float) -> Tensor:
    distance = torch.cdist(X, X, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = torch.triu_indices(len(X), len(X), 1, device=X.device)
    median = distance[pairs[0], pairs[1]].median() if len(X) > 1 else distance.sum()
    if median == 0:
        raise InputError(
            "expected samples that differ, got a median distance of 0 between them; drop duplicate rows first"
        )
    return torch.exp(-0.5 * (distance / (bandwidth * median)).square())


def _unit_kernel(X: Tensor) -> Tensor:
    """Return the U-centred Gaussian kernel at the default width, scaled to norm 1: products of two are debiased CKA."""
    kernel = centred_kernel(_gaussian(X, 0.5), debiased=True)
    unit: Tensor = kernel / kernel.norm()
    return unit


def _product(kernel: Tensor, other: Tensor) -> float:
    return float((kernel * other).sum())


# what is made of one layer, centred, and what of two of those
_BY_LAYER: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any, Any], float]]] = {
    "rbf_cka": (_unit_kernel, _product),
    "svcca": (partial(_basis, variance=0.99), _mean_correlation),
    "pwcca": (_with_basis, _weighted_correlation),
    "mutual_knn": (_neighbours, _common),
    "procrustes": (_narrowed, _after_rotation),
}
INDICES = ("cka", "debiased_cka", *_BY_LAYER)
