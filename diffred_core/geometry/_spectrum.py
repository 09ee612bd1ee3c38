"""The spectrum of a layer from its moments, and what counts as no direction at all."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core import moments
from diffred_core.checks import as_features
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments

Layer = FeatureMoments | Tensor | ArrayLike


def as_moments(layer: Layer) -> FeatureMoments:
    """Return the moments of `layer`; rows are summed in float64, so that small singular values survive."""
    if isinstance(layer, FeatureMoments):
        return layer
    return moments.from_features(as_features(layer, name="layer").double(), quartic=False)


def eigenvalues(layer: Layer, *, centred: bool = True) -> Tensor:
    """Return the eigenvalues of ``X'X``, descending: the squared singular values of the features."""
    m = as_moments(layer)
    gram = m.gram if centred else m.gram + m.n * torch.outer(m.mean, m.mean)
    return _possible(torch.linalg.eigvalsh(gram), m.n - centred)


def directions(m: FeatureMoments) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues of the centred ``X'X``, descending, and their vectors in columns."""
    ascending, vectors = torch.linalg.eigh(m.gram)
    values = _possible(ascending, m.n - 1)
    return values, vectors.flip(1)[:, : len(values)]


def _possible(ascending: Tensor, most: int) -> Tensor:
    """Return the eigenvalues that `most` independent rows can have, descending, none negative."""
    # what is beyond them is rounding, and the root that singular values take of it would not be small
    values = ascending.flip(0)[: max(1, most)].clamp_min(0)
    if not values[0] > 0:
        raise InputError(
            "expected features that vary, got the same row throughout; leave the layer out, or check how it is read"
        )
    return values
