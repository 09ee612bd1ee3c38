"""Where the labels lie in the spectrum of a layer: in its leading directions, or spread over all."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.geometry._classes import class_deviations
from diffred_core.geometry._spectrum import directions
from diffred_core.moments import FeatureMoments


@torch.no_grad()
def label_alignment(moments: FeatureMoments, *, eps: float = 1e-7) -> Tensor:
    """Return the share of the label energy in the leading k singular directions of a layer, for every k.

    ``A_k = sum_{i <= k} ||u_i' Yc||^2 / ||Yc||^2`` with the left singular vectors u of the centred features and the
    centred one-hot labels: the alignment of Imani et al. 2022, summed over classes. As ``u_i' Yc = v_i' Xc'Yc / s_i``,
    class sums are all it needs.

    Differs from the paper: features are centred instead of extended by a constant column, rows are not scaled to unit
    norm, and the curve is by rank k instead of by a threshold on s, which depends on n.

    Parameters
    ----------
    moments : FeatureMoments
        With class sums.
    eps : float
        Directions whose eigenvalue of ``X'X`` is at most this share of the largest count as none: they are rounding.

    Returns
    -------
    Tensor (min(n_features, n_samples - 1),) of float64
        Growing, at most 1; the last entry is the share that a linear fit explains. Labels without relation to the
        features have about ``k / (n - 1)``.

    Raises
    ------
    InputError
        As `neural_collapse`; an `eps` outside [0, 1); features that do not vary.
    """
    if not 0 <= eps < 1:
        raise InputError(f"expected eps in [0, 1), got {eps}; leave it out for the default")
    counts = moments.class_totals[1]
    sums = class_deviations(moments) * counts[:, None]
    values, vectors = directions(moments)
    energy = (sums @ vectors).square().sum(0) / values
    share = counts / moments.n
    total = moments.n * (1 - share.square().sum())
    return torch.where(values > eps * values[0], energy, 0.0).cumsum(0) / total


def alignment_rank(alignment: Tensor | ArrayLike, *, share: float = 0.9) -> int:
    """Return the smallest k whose directions hold more than `share` of the norm of the labels that the layer holds.

    ``k(share) = min {k : ||U_k' Y|| > share ||U' Y||}`` (Imani et al. 2024): of norms, not of energies, and of the
    part of the labels within the span.

    Parameters
    ----------
    alignment : Tensor (n_directions,)
        From `label_alignment`.
    share : float
        In (0, 1); 0.9 is published.

    Returns
    -------
    int
        From 1 to n_directions.

    Raises
    ------
    InputError
        A share out of range, or an alignment that is not growing or 0 throughout.
    """
    alignment = torch.as_tensor(alignment, dtype=torch.float64)
    if not 0 < share < 1:
        raise InputError(f"expected share in (0, 1), got {share}; 0.9 is the published share")
    if alignment.ndim != 1 or not len(alignment) or not alignment[-1] > 0 or (alignment.diff() < 0).any():
        raise InputError(
            f"expected alignment of shape (n_directions,), growing to above 0, got shape {tuple(alignment.shape)}; "
            "pass the result of geometry.label_alignment"
        )
    return int(((alignment / alignment[-1]).sqrt() > share).nonzero()[0]) + 1
