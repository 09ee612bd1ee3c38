"""CKA of whole layers, on the smaller side: d x d products for many rows, n x n kernels for few; and of any kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.cka._subset import check_rows, checked_self
from diffred_core.errors import InputError
from diffred_core.moments.blocks import BLOCK_ROWS, add_product, column_mean, mirrored
from diffred_core.moments.running_sums import Unit
from diffred_core.precision import full_precision


def centred_kernel(K: Tensor, *, debiased: bool) -> Tensor:
    """Return the doubly centred kernel HKH, or the U-centred one.

    The inner product of two U-centred kernels is n (n - 3) times the unbiased HSIC (Song et al. 2012; by
    centring as in Szekely and Rizzo 2014): zero the diagonal, then take off row and column means with
    n - 2 and n - 1 in place of n. Nothing cancels, and the factor drops out of CKA.
    """
    n = len(K)
    if not debiased:
        return K - K.mean(0) - K.mean(1, keepdim=True) + K.mean()
    K = K.clone().fill_diagonal_(0.0)
    rows = K.sum(1) / (n - 2)
    return (K - rows - rows[:, None] + K.sum() / ((n - 1) * (n - 2))).fill_diagonal_(0.0)


class _FeatureSide:
    """A layer of many rows: similarities from d x d products of blocks of centred rows.

    With x, y centred and a_i = |x_i|^2, b_i = |y_i|^2 the diagonals of their kernels, the similarities are
      biased    |x'y|^2
      debiased  |x'y|^2 - n/(n-2) sum_i a_i b_i + (sum a)(sum b)/((n-1)(n-2)),
    the inner product of the U-centred kernels written out for kernels whose rows sum to zero.
    """

    def __init__(self, X: Tensor):
        self.X = X
        self.unit = Unit.of(X[:BLOCK_ROWS], origin=column_mean(X))
        self.norms = torch.cat([block.square().sum(1, dtype=torch.float64) for block in self.blocks()])

    def blocks(self) -> Iterator[Tensor]:
        return (self.unit.apply(block) for block in self.X.split(BLOCK_ROWS))

    def similarity(self, other: _FeatureSide, *, debiased: bool) -> tuple[Tensor, Tensor]:
        """Return the similarity and its biased counterpart."""
        total = self.X.new_zeros(self.X.shape[1], other.X.shape[1], dtype=torch.float64)
        for x, y in zip(self.blocks(), self.blocks() if other is self else other.blocks(), strict=True):
            add_product(total, x, x if other is self else y)
        biased = (mirrored(total) if other is self else total).square().sum()
        if not debiased:
            return biased, biased
        n = len(self.X)
        traces = self.norms.sum() * other.norms.sum() / ((n - 1) * (n - 2))
        return biased - n / (n - 2) * (self.norms @ other.norms) + traces, biased


class _SampleSide:
    """A layer of few rows: similarities are inner products of centred n x n kernels."""

    def __init__(self, X: Tensor, *, debiased: bool):
        x = Unit.of(X).apply(X)
        kernel = (x @ x.T).double()
        self.biased = kernel.square().sum()
        self.kernel = centred_kernel(kernel, debiased=debiased)

    def similarity(self, other: _SampleSide, *, debiased: bool) -> tuple[Tensor, Tensor]:
        """Return the similarity and (for a layer with itself) its biased counterpart."""
        return (self.kernel * other.kernel).sum(), self.biased


@torch.no_grad()
def layer_cka(
    layers: Sequence[Tensor | ArrayLike],
    other_layers: Sequence[Tensor | ArrayLike] | None = None,
    *,
    debiased: bool = True,
) -> Tensor:
    """Return the linear CKA of every layer with every other (Kornblith et al. 2019, eq. 4 and sec. 3).

    Parameters
    ----------
    layers : sequence of Tensor (n_samples, n_features), of any widths
        Features of the same samples in several layers.
    other_layers : sequence of Tensor, optional
        Layers to compare with, such as those of another model; by default `layers` themdiagonal.
    debiased : bool
        Whether to use the unbiased estimator of HSIC (Song et al. 2012); its values can be negative and are not
        clipped. The biased value of independent features is about d / (n + d), not 0.

    Returns
    -------
    Tensor of shape (n_layers, n_other_layers), float64
        The CKA values. With more rows than features nothing of size n x n is made.

    Raises
    ------
    InputError
        If layers differ in their rows, there are fewer than 4 (2 if not debiased), or a layer does not vary or is not
        finite.
    """
    prepared = [finite_features(X, name=f"layers[{i}]") for i, X in enumerate(layers)]
    n_layers = len(prepared)
    prepared += [finite_features(Y, name=f"other_layers[{i}]") for i, Y in enumerate(other_layers or [])]
    if not n_layers or (other_layers is not None and len(prepared) == n_layers):
        raise InputError("expected at least one layer, got none; pass a list of feature matrices")
    if len({len(X) for X in prepared}) > 1:
        raise InputError(
            f"expected the same samples in every layer, got row counts {sorted({len(X) for X in prepared})}; "
            "pass features of the same rows in the same order"
        )
    n = len(prepared[0])
    check_rows(n, debiased=debiased)
    with full_precision(prepared[0].device):
        few = n <= max(X.shape[1] for X in prepared)
        # one kind for all of them, so that each compares with each; of the same tensor only one
        kind = partial(_SampleSide, debiased=debiased) if few else _FeatureSide
        of_tensor: dict[int, Any] = {id(X): kind(X) for X in {id(X): X for X in prepared}.values()}
        own = {id(side): side.similarity(side, debiased=debiased) for side in of_tensor.values()}
        sides = [of_tensor[id(X)] for X in prepared]
        diagonal = torch.tensor([own[id(side)] for side in sides], dtype=torch.float64)
        norms = checked_self(diagonal[:, 0], diagonal[:, 1], what="layer")
        values = _pairs(sides[:n_layers], sides[n_layers:], diagonal, debiased=debiased)
    columns = norms[n_layers:] if other_layers is not None else norms
    return (values / norms[:n_layers, None] / columns).to(prepared[0].device)


def _pairs(rows: Sequence[Any], columns: Sequence[Any], diagonal: Tensor, *, debiased: bool) -> Tensor:
    """Return the similarity of every row layer with every column layer; without any, of all row layers."""
    if columns:
        pairs = [
            [own if a is b else a.similarity(b, debiased=debiased)[0] for b in columns]
            for a, own in zip(rows, diagonal[: len(rows), 0], strict=True)
        ]
        return torch.tensor(pairs, dtype=torch.float64)
    values = torch.diag(diagonal[:, 0])
    for i, a in enumerate(rows):
        for j, b in enumerate(rows[:i]):
            values[i, j] = values[j, i] = a.similarity(b, debiased=debiased)[0]
    return values


def linear_cka(X: Tensor | ArrayLike, Y: Tensor | ArrayLike, *, debiased: bool = True) -> float:
    """Return the linear CKA of two layers; see `layer_cka`.

    Parameters
    ----------
    X : Tensor of shape (n_samples, d_x)
        Features of one layer.
    Y : Tensor of shape (n_samples, d_y)
        Features of the same samples in another layer.
    debiased : bool
        Whether to use the unbiased estimator of HSIC.

    Returns
    -------
    float
        At most 1; a debiased value can be negative.

    Raises
    ------
    InputError
        As `layer_cka`.
    """
    return float(layer_cka([X], [Y], debiased=debiased))


def kernel_cka(K: Tensor, L: Tensor, *, debiased: bool = True) -> float:
    """Return the CKA of two kernel matrices (Kornblith et al. 2019, eq. 4; debiased as in Nguyen et al. 2021, eq. 3).

    Parameters
    ----------
    K, L : Tensor of shape (n_samples, n_samples)
        Symmetric kernel matrices of the same samples.
    debiased : bool
        Whether to use the unbiased estimator of HSIC; its value can be negative and is not clipped.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    InputError
        If the shapes differ, a kernel is not symmetric, there are fewer than 4 rows (2 if not debiased), or a kernel
        does not vary or is not finite.
    """
    for name, kernel in (("K", K), ("L", L)):
        if kernel.shape != (len(K), len(K)) or not torch.allclose(kernel, kernel.T, equal_nan=True):
            raise InputError(
                f"expected {name} to be a symmetric matrix of shape ({len(K)}, {len(K)}), got {tuple(kernel.shape)}"
                f"{' and not symmetric' if kernel.shape == (len(K), len(K)) else ''}; pass two kernels of the same rows"
            )
    K, L = (finite_features(kernel.double(), name=name) for name, kernel in (("K", K), ("L", L)))
    check_rows(len(K), debiased=debiased)
    plain = torch.stack([centred_kernel(kernel, debiased=False).square().sum() for kernel in (K, L)])
    centred = [centred_kernel(kernel, debiased=debiased) for kernel in (K, L)]
    norms = checked_self(torch.stack([kernel.square().sum() for kernel in centred]), plain, what="kernel")
    return float((centred[0] * centred[1]).sum() / norms[0] / norms[1])
