"""What a layer knows of the labels: where in its spectrum they lie, and the share of distance between classes."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.checks import as_labels, check_choice, finite_features
from diffred_core.errors import InputError
from diffred_core.geometry._collapse import class_deviations
from diffred_core.geometry._rank import Spectrum, leading, spectrum
from diffred_core.moments import FeatureMoments
from diffred_core.moments.blocks import BLOCK_ROWS

OF_SPAN, OF_LABELS = "span", "labels"


@torch.no_grad()
def label_alignment(
    moments: FeatureMoments, *, eps: float = 1e-7, extended: bool = False, of: Spectrum | None = None
) -> Tensor:
    """Return the share of the label energy in the leading k singular directions of a layer, for every k.

    ``A_k = sum_{i <= k} ||u_i' Yc||^2 / ||Yc||^2`` with the left singular vectors u of the centred features and the
    centred one-hot labels: the alignment of Imani et al. 2022, summed over classes. As ``u_i' Yc = v_i' Xc'Yc / s_i``,
    class sums are all it needs.

    Differs from the paper: features are centred unless `extended`, rows are not scaled to unit norm, and the curve is
    by rank k instead of by a threshold on s, which depends on n.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums.
    eps : float
        Directions whose eigenvalue of ``X'X`` is at most this share of the largest count as none: they are rounding.
    extended : bool
        As published instead: nothing is centred, a constant column is appended to the features, and labels are +1 and
        -1, every class against the rest.
    of : Spectrum, optional
        That of the moments, where it is made already (`spectrum`); not for `extended` features, which have another.

    Returns
    -------
    Tensor (min(n_features, n_samples - 1),) of float64, if extended (min(n_features + 1, n_samples),)
        Growing, at most 1; the last entry is the share that a linear fit explains. Labels without relation to the
        features have ``k / (n - 1)``: exactly that on average over all orders of the labels, if they are centred.

    Raises
    ------
    InputError
        As `neural_collapse`; an `eps` outside [0, 1); features that do not vary; `of` beside `extended`.
    """
    if not 0 <= eps < 1:
        raise InputError(f"expected eps in [0, 1), got {eps}; leave it out for the default")
    if extended and of is not None:
        raise InputError("expected no spectrum beside extended=True, got one of centred features; leave it out")
    counts, deviations = moments.class_totals[1], class_deviations(moments)
    if extended:
        values, vectors = leading(moments.extended_gram(), moments.n)
        sums = moments.extended_label_sums()
        total = torch.as_tensor(moments.n * len(counts))
    else:
        values, vectors = of or spectrum(moments)
        sums = deviations * counts[:, None]
        total = moments.n * (1 - (counts / moments.n).square().sum())
    energy = (sums @ vectors).square().sum(0) / values
    return torch.where(values > eps * values[0], energy, 0.0).cumsum(0) / total


def alignment_rank(alignment: Tensor | ArrayLike, *, share: float = 0.9, of: str = OF_SPAN) -> int:
    """Return the smallest k whose directions hold more than `share` of the labels.

    ``k(share) = min {k : ||U_k' Y|| > share ||U' Y||}`` of the part of the labels within the span (Imani et al. 2024):
    of norms, not of energies. Or ``min {k : ||U_k' Y||^2 > share ||Y||^2}`` of all that the labels are, the end point
    of the curves of Imani et al. 2022.

    Parameters
    ----------
    alignment : Tensor (n_directions,)
        From `label_alignment`.
    share : float
        In (0, 1); 0.9 is published.
    of : {"span", "labels"}
        Which of the two.

    Returns
    -------
    int
        From 1 to n_directions.

    Raises
    ------
    InputError
        A share out of range, an unknown `of`, an alignment that is not growing or 0 throughout, or, of all labels, one
        that never exceeds the share.
    """
    alignment = torch.as_tensor(alignment, dtype=torch.float64)
    check_choice(of, (OF_SPAN, OF_LABELS), "expected of 'span' or 'labels'")
    if not 0 < share < 1:
        raise InputError(f"expected share in (0, 1), got {share}; 0.9 is the published share")
    if alignment.ndim != 1 or not len(alignment) or not alignment[-1] > 0 or (alignment.diff() < 0).any():
        raise InputError(
            f"expected alignment of shape (n_directions,), growing to above 0, got shape {tuple(alignment.shape)}; "
            "pass the result of geometry.label_alignment"
        )
    beyond = (alignment / alignment[-1]).sqrt() > share if of == OF_SPAN else alignment > share
    if not beyond.any():
        raise InputError(
            f"expected directions that hold more than {share} of the labels, got {float(alignment[-1]):.4g} in all of "
            "them; lower the share, or take of='span'"
        )
    return int(beyond.nonzero()[0]) + 1


@torch.no_grad()
def class_separation(X: Tensor | ArrayLike, y: Tensor | ArrayLike) -> float:
    """Return the class separation ``R^2 = 1 - d_within / d_total`` of cosine distances (Kornblith et al. 2021).

    Both are means of ``1 - cos`` over pairs of rows, every class (pair of classes) weighing the same, pairs of a row
    with itself included. With unit rows z, class means m_k of z and their mean m it is exactly
    ``1 - (1 - mean_k ||m_k||^2) / (1 - ||m||^2)``: one pass over the rows instead of n^2 pairs.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Not centred.
    y : Tensor (n_samples,) of int64
        Classes without rows are left out.

    Returns
    -------
    float
        From 0 (classes share one mean direction) to 1 (one direction a class).

    Raises
    ------
    InputError
        Fewer than two classes, a row that is 0 (it has no direction), or rows that all point the same way.
    """
    X = finite_features(X)
    y = as_labels(y, len(X)).to(X.device)
    counts = torch.bincount(y).double()
    if (counts > 0).sum() < 2:
        raise InputError("expected at least two classes in y, got one; add rows of another class")
    sums = X.new_zeros(len(counts), X.shape[1], dtype=torch.float64)
    for block, label in zip(X.split(BLOCK_ROWS), y.split(BLOCK_ROWS), strict=True):
        sums += one_hot(label, len(counts)).double().T @ _unit_rows(block.double())
    means = (sums / counts[:, None])[counts > 0]
    total = 1 - float(means.mean(0).square().sum())
    if total <= X.shape[1] * torch.finfo(torch.float64).eps:
        raise InputError("expected rows of several directions in X, got one; R^2 is then 0/0")
    return 1 - (1 - float(means.square().sum(1).mean())) / total


def _unit_rows(rows: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if not norms.all():
        raise InputError(
            f"expected rows that differ from 0 in X, got {int((norms == 0).sum())} zero rows; cosines need a direction"
        )
    return rows.div(norms)
