"""How many directions a layer uses, by three counts of its spectrum; and that spectrum.

All take the moments of the layer, so that they stream, its spectrum where that is made already, or its rows. Features
are centred unless asked otherwise. From moments of float32 features a singular value below 3e-4 of the largest is
rounding; rows given here are summed in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core import moments
from diffred_core.checks import as_features
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments


class Spectrum(NamedTuple):
    """The singular directions of centred features, made once for all that reads them.

    Attributes
    ----------
    values : Tensor (n_directions,) of float64
        Eigenvalues of ``X'X``, descending: the squared singular values.
    vectors : Tensor (n_features, n_directions) of float64
        Their eigenvectors, in columns; `n_directions` is ``min(n_features, n_samples - 1)``.
    """

    values: Tensor
    vectors: Tensor


Layer = FeatureMoments | Spectrum | Tensor | ArrayLike


@torch.no_grad()
def spectrum(moments: FeatureMoments) -> Spectrum:
    """Return the singular directions of the centred features, from their Gram matrix in float64.

    Parameters
    ----------
    moments : FeatureMoments
        Of a layer, or of some of its features (`FeatureMoments.select`).

    Raises
    ------
    InputError
        Features that do not vary.
    """
    return leading(moments.gram, moments.n - 1)


def leading(gram: Tensor, most: int) -> Spectrum:
    """Return the directions that `most` independent rows with the Gram matrix `gram` can have."""
    ascending, vectors = torch.linalg.eigh(gram)
    values = _possible(ascending, most)
    return Spectrum(values, vectors.flip(1)[:, : len(values)])


def numerical_rank(layer: Layer, *, eps: float = 1e-3) -> int:
    """Return how many singular values of the covariance exceed `eps` times the largest (Masarczyk et al. 2023).

    Parameters
    ----------
    layer : FeatureMoments, Spectrum, or Tensor (n_samples, n_features)
        Centred here, as a covariance is.
    eps : float
        In (0, 1). 1e-3 is published; ranks with another `eps` are not comparable. It applies to the covariance, whose
        singular values are the squares of those of the features.

    Returns
    -------
    int
        From 1 to ``min(n_features, n_samples - 1)``.

    Raises
    ------
    InputError
        An `eps` out of range, or features that do not vary.

    Notes
    -----
    Differs from the published computation: all features are used, not a random subset of 8,000 of them.
    """
    if not 0 < eps < 1:
        raise InputError(f"expected eps in (0, 1), got {eps}; 1e-3 is the published value")
    values = eigenvalues(layer)
    return int((values > eps * values[0]).sum())


def stable_rank(layer: Layer, *, centred: bool = True) -> float:
    """Return ``||X||_F^2 / ||X||_2^2``: the sum of the squared singular values over the largest.

    Parameters
    ----------
    layer : FeatureMoments, Spectrum, or Tensor (n_samples, n_features)
    centred : bool
        False measures the rows as they are; a common offset then is the largest direction.

    Returns
    -------
    float
        From 1 to the rank.

    Raises
    ------
    InputError
        Features that do not vary (if not `centred`: that are all 0).
    """
    values = eigenvalues(layer, centred=centred)
    return float(values.sum() / values[0])


def rankme(layer: Layer, *, eps: float = 1e-7, centred: bool = True) -> float:
    """Return RankMe, ``exp(-sum p log p)`` with ``p = s / sum(s) + eps`` for the singular values s of X.

    Garrido et al. 2023.

    Parameters
    ----------
    layer : FeatureMoments, Spectrum, or Tensor (n_samples, n_features)
    eps : float
        As published; keeps the logarithm finite.
    centred : bool
        Differs from the paper: it does not centre; pass False for its value.

    Returns
    -------
    float
        From 1 (one direction) to ``min(n_features, n_samples)`` (all alike), up to `eps`.

    Raises
    ------
    InputError
        An `eps` that is not above 0, or as `stable_rank`.
    """
    if not eps > 0:
        raise InputError(f"expected eps above 0, got {eps}; 1e-7 is the published value")
    singular = eigenvalues(layer, centred=centred).sqrt()
    p = singular / singular.sum() + eps
    return float(torch.exp(-(p * p.log()).sum()))


def eigenvalues(layer: Layer, *, centred: bool = True) -> Tensor:
    """Return the eigenvalues of ``X'X``, descending: the squared singular values of the features."""
    if isinstance(layer, Spectrum):
        if not centred:
            raise InputError("expected rows or moments for values that are not centred, got a spectrum; it is centred")
        return layer.values
    if not isinstance(layer, FeatureMoments):
        # in float64, so that small singular values survive
        layer = moments.from_features(as_features(layer, name="layer").double(), quartic=False)
    if centred:
        return _possible(layer.eigenvalues, layer.n - 1)
    return _possible(torch.linalg.eigvalsh(layer.gram + layer.n * torch.outer(layer.mean, layer.mean)), layer.n)


def _possible(ascending: Tensor, most: int) -> Tensor:
    """Return the eigenvalues that `most` independent rows can have, descending, none negative."""
    # what is beyond them is rounding, and the root that singular values take of it would not be small
    values = ascending.flip(0)[: max(1, most)].clamp_min(0)
    if not values[0] > 0:
        raise InputError(
            "expected features that vary, got the same row throughout; leave the layer out, or check how it is read"
        )
    return values
