"""How far vectors, one a class, are from the corners of a regular simplex about their mean."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from diffred_core.errors import InputError


class SimplexDeviation(NamedTuple):
    """Three ways to miss an equiangular tight frame (Papyan, Han & Donoho 2020, figs. 2 to 4); all 0 for a simplex."""

    norm_variation: float
    angle_variation: float
    angle_deviation: float


def simplex_deviation(vectors: Tensor) -> SimplexDeviation:
    """Return how far the rows of `vectors` are from a simplex equiangular tight frame.

    Parameters
    ----------
    vectors : Tensor (n_classes, n_features)
        Class means about the global mean, or ``weight.T`` of a classifier.

    Returns
    -------
    SimplexDeviation
        `norm_variation`, population std over mean of the norms; `angle_variation`, population std of the cosines of all
        pairs of classes; `angle_deviation`, mean of ``|cos + 1/(n_classes - 1)|`` over them.

    Raises
    ------
    InputError
        Fewer than two vectors, or one of length 0, which has no angle.
    """
    vectors = torch.as_tensor(vectors).double()
    if vectors.ndim != 2 or len(vectors) < 2:
        raise InputError(
            f"expected vectors of shape (n_classes, n_features), at least two, got {tuple(vectors.shape)}; "
            "pass one row for every class"
        )
    norms = torch.linalg.vector_norm(vectors, dim=1)
    if not (norms > 0).all():
        raise InputError(
            f"expected vectors of positive length, got 0 for class {int((norms == 0).nonzero()[0])}; "
            "a class mean at the global mean has no direction"
        )
    directions = vectors / norms[:, None]
    i, j = torch.triu_indices(len(vectors), len(vectors), offset=1)
    cosines = (directions @ directions.T)[i, j]
    return SimplexDeviation(
        float(norms.std(correction=0) / norms.mean()),
        float(cosines.std(correction=0)),
        float((cosines + 1 / (len(vectors) - 1)).abs().mean()),
    )
