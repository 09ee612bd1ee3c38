"""A linear map on a layer: the gradient left for features that it lacks, its roughness, what it does off the data."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError
from diffred_core.geometry._rank import Spectrum
from diffred_core.moments import FeatureMoments


@torch.no_grad()
def gradmax_values(moments: FeatureMoments, weight: Tensor, *, features: Tensor | None = None) -> Tensor:
    """Return the singular values of ``residual' X / n``: how much gradient new units of a layer would get.

    GradMax (Evci et al. 2022, sec. 4) adds k units with incoming weight 0 and, as outgoing weights, the leading left
    singular vectors of this matrix; the squared gradient norm of the incoming weights then is the sum of the k first
    squares, the most that orthonormal outgoing weights can give. Here the network is a probe on some `features`, its
    residual that of centred one-hot labels, and the matrix is taken with all features of the layer: what is in the ones
    that the probe lacks.

    Parameters
    ----------
    moments : FeatureMoments
        Of the whole layer, with class sums.
    weight : Tensor (n_selected, n_classes)
        Of a linear probe with the intercept that fits best, such as a ridge probe.
    features : LongTensor (n_selected,), optional
        Which features the probe reads; all by default.

    Returns
    -------
    Tensor (min(n_classes, n_features),) of float64
        Descending. For a ridge probe on all features those of ``l2 * weight``, by its normal equations.

    Raises
    ------
    InputError
        Moments without class sums, or a weight of another shape.
    """
    sums, _ = moments.class_totals
    columns = torch.arange(moments.n_features, device=sums.device) if features is None else features
    if weight.shape != (len(columns), len(sums)):
        raise InputError(
            f"expected weight of shape (n_selected, n_classes) = {(len(columns), len(sums))}, got "
            f"{tuple(weight.shape)}; pass the features that the probe reads"
        )
    # rows of the symmetric matrix instead of columns: they lie together in memory
    covariance = (sums - weight.to(moments.gram).T @ moments.gram[columns]) / moments.n
    # C x C instead of an SVD of C x d would halve the digits of small values
    values: Tensor = torch.linalg.svdvals(covariance)
    return values


@torch.no_grad()
def geometric_complexity(weight: Tensor, *, tangents: Tensor | None = None) -> float:
    """Return ``mean_x ||grad_x f(x)||_F^2`` of a linear probe, of the features or of the images (Dherin et al. 2022).

    Of the features x it is exactly ``||weight||_F^2``. Through the network phi it is ``mean_x ||weight' J(x)||_F^2``
    with its Jacobian J: the mean of ``||weight' t||^2`` over `tangents` ``t = J(x) z``, z standard normal.

    Parameters
    ----------
    weight : Tensor (n_features, n_classes)
        Of the logits, before any softmax.
    tangents : Tensor (n_tangents, n_features), optional
        From `features.Source.tangents`; of a subset its columns. The relative error falls as
        ``sqrt(2 / n_tangents)`` or faster.

    Returns
    -------
    float
        f times c has c^2 times as much, images times c have 1/c^2: the normalisation of the images belongs to it.

    Raises
    ------
    InputError
        Tangents of another width, or none.
    """
    weight = torch.as_tensor(weight).double()
    if tangents is None:
        return float(weight.square().sum())
    if tangents.ndim != 2 or not len(tangents) or tangents.shape[1] != len(weight):
        raise InputError(
            f"expected tangents of shape (n_tangents, {len(weight)}), at least one, got {tuple(tangents.shape)}; take "
            "the columns that the probe reads"
        )
    return float((tangents.to(weight) @ weight).square().sum(1).mean())


@torch.no_grad()
def tail_map(of: Spectrum, weight: Tensor, *, variance: float = 0.99) -> Tensor:
    """Return ``W' P W`` with P the projection off the leading directions of a layer: the scores that noise there gets.

    The leading directions are the fewest that hold the share `variance` of it; what is transverse to them is the tail
    and all that no row reaches. White noise of variance s^2 there moves the scores with covariance ``s^2 W'PW``, and
    the trace is ``||P W||^2``: the transverse part of the map (He, Tsai and Ward 2022, sec. 2, where the data fill a
    subspace and P is exact).

    Parameters
    ----------
    of : Spectrum
        Of the training features.
    weight : Tensor (n_features, n_classes)
    variance : float
        In (0, 1]; 1 leaves exactly what no row reaches, up to rounding.

    Returns
    -------
    Tensor (n_classes, n_classes) of float64
        Symmetric, without negative eigenvalues beyond rounding.

    Raises
    ------
    InputError
        A share out of range, or a weight of another width.
    """
    if not 0 < variance <= 1:
        raise InputError(f"expected variance in (0, 1], got {variance}; 0.99 is the default")
    weight = torch.as_tensor(weight).to(of.vectors)
    if weight.ndim != 2 or len(weight) != len(of.vectors):
        raise InputError(
            f"expected weight of shape ({len(of.vectors)}, n_classes), got {tuple(weight.shape)}; pass the spectrum of "
            "the features that the probe reads"
        )
    power = of.values.cumsum(0)
    rounding = len(of.vectors) * torch.finfo(power.dtype).eps
    n_leading = int((of.values > rounding * of.values[0]).sum())
    if variance < 1:
        n_leading = min(n_leading, int((power < variance * power[-1]).sum()) + 1)
    top = of.vectors[:, :n_leading]
    tail = weight - top @ (top.T @ weight)
    return tail.T @ tail


@torch.no_grad()
def warm_start_risk(X: Tensor | ArrayLike, population: FeatureMoments, difference: Tensor) -> float:
    """Return the risk after fine-tuning a linear map from another task's: ``||Sigma^{1/2} P (t - s)||^2``.

    Gradient descent on the rows X from the source s ends at ``s + X^+ X (t - s)`` for noiseless labels of the target t;
    what is left is the difference off the rows, ``P = I - X^+ X``, weighed by the second moment Sigma of the target's
    population (Shachaf, Brutzkus and Globerson 2021, theorem 3.1). The source helps where it is below the risk of
    starting at s = 0. Nothing is centred, as published: append a constant column for an intercept.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Rows of the target on which it is fine-tuned.
    population : FeatureMoments
        Of all rows that the target has.
    difference : Tensor (n_features,) or (n_features, n_classes)
        Target less source; several columns are summed over.

    Returns
    -------
    float
        0 where the rows span all features.

    Raises
    ------
    InputError
        Rows or a difference of another width, or rows that are not finite.
    """
    X = finite_features(X, n_features=population.n_features).double()
    difference = torch.as_tensor(difference).to(population.gram)
    difference = difference[:, None] if difference.ndim == 1 else difference
    if difference.ndim != 2 or len(difference) != population.n_features:
        raise InputError(
            f"expected difference of shape ({population.n_features},) or ({population.n_features}, n_classes), got "
            f"{tuple(difference.shape)}; subtract probes on the same features"
        )
    _, s, directions = torch.linalg.svd(X, full_matrices=False)
    reached = directions[s > max(X.shape) * torch.finfo(s.dtype).eps * s[0]]
    left = difference - reached.T @ (reached @ difference)
    offset = population.n * (population.mean @ left).square().sum()
    return float(((left * (population.gram @ left)).sum() + offset) / population.n)
