"""The regulariser is chosen on validation rows, on held-out folds or leaving one out: never on test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import DEFAULT_MEMORY_BYTES, Subsets
from diffred_core.linear_probe._ridge import fit_ridge
from diffred_core.linear_probe.factor import class_targets
from diffred_core.moments import FeatureMoments, FoldMoments


@dataclass(frozen=True, eq=False)
class L2Choice:
    """Which `l2` of a path was best, for each subset or size.

    Attributes
    ----------
    index : LongTensor (...)
        Position in the path.
    l2 : Tensor (...) of float64
    at_edge : Tensor (...) of bool
        No value between the smallest and the largest of the path is as good as the best: a better one may lie beyond.
    score : Tensor (n_l2, ...)
        What the choice was made by.
    """

    index: Tensor
    l2: Tensor
    at_edge: Tensor
    score: Tensor


def select_l2(score: Tensor, l2: Sequence[float] | Tensor, *, higher_is_better: bool = True) -> L2Choice:
    """Return the best `l2` for each subset or size; of equal ones the largest, the simpler probe.

    Parameters
    ----------
    score : Tensor (n_l2, ...)
        Accuracy, or a loss, on rows that are neither training nor test rows: ``path.accuracy(X_validation,
        y_validation)``, ``ridge_curve`` on validation rows, `ridge_loo`, `ridge_cross_validation`.
    l2 : (n_l2,) or (n_l2, ...) like `score`
    higher_is_better : bool
        False for a loss.

    Raises
    ------
    InputError
        Shapes that do not fit, or a score that is not finite.
    """
    score = torch.as_tensor(score)
    values = torch.as_tensor(l2, dtype=torch.float64, device=score.device)
    if score.ndim == 0 or values.shape not in (score.shape[:1], score.shape):
        raise InputError(
            f"expected score of shape (n_l2, ...) with one entry for each of l2, got {tuple(score.shape)} for l2 of "
            f"shape {tuple(values.shape)}; pass the l2 that the path was fitted with"
        )
    if not torch.isfinite(score).all():
        raise InputError("expected finite values in score, got NaN or infinity; repair the validation rows")
    grid = values.reshape(*values.shape, *[1] * (score.ndim - values.ndim)).expand(score.shape)
    best = score == (score.amax(0) if higher_is_better else score.amin(0))
    index = torch.where(best, grid, -torch.inf).argmax(0)
    # an inner value that is as good as an end shows that going on to that end gains nothing
    inner = best & (grid < grid.amax(0)) & (grid > grid.amin(0))
    return L2Choice(index, grid.gather(0, index[None])[0], ~inner.any(0), score)


def choose_l2(path: LinearProbe, X: Tensor, y: Tensor) -> tuple[LinearProbe, L2Choice]:
    """Return, of probes fitted along a path of `l2`, the one most accurate on validation rows, for each subset.

    It sees training rows (through the fitted path) and validation rows; test rows have no way in.

    Parameters
    ----------
    path : LinearProbe of batch shape (n_l2,) or (n_l2, n_subsets)
        From `fit_ridge` or `fit_logistic` with several `l2`.
    X : Tensor (n_validation, n_features)
    y : Tensor (n_validation,) of int64

    Returns
    -------
    LinearProbe of batch shape () or (n_subsets,)
    L2Choice

    Raises
    ------
    InputError
        A single probe instead of a path.
    """
    if not path.batch_shape:
        raise InputError("expected path fitted with several l2, got a single probe; pass l2=[...] to the fit")
    selection = select_l2(path.accuracy(X, y), path.l2)
    if len(path.batch_shape) == 1:
        return path[int(selection.index)], selection
    return path[selection.index, torch.arange(path.batch_shape[1], device=selection.index.device)], selection


@torch.no_grad()
def ridge_cross_validation(
    folds: FoldMoments,
    *,
    subsets: Subsets | None = None,
    l2: Sequence[float] | Tensor,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the K-fold mean squared error of ridge probes from fold moments alone: no pass over rows.

    A fold's error needs its moments only: with ``r = mean W + bias - share`` over its rows,
    ``sum ||x W + bias - y||^2 = tr W'GW - 2 tr W'B + tr Yc'Yc + n ||r||^2``.

    Parameters
    ----------
    folds : FoldMoments
        ``moments.fold_moments(X, y, n_folds=5)``.
    subsets, l2, memory_bytes
        As in `fit_ridge`.

    Returns
    -------
    Tensor (n_l2,) or (n_l2, n_subsets) of float64
        Squared error a row, summed over classes; for ``select_l2(..., higher_is_better=False)``.
    """
    errors = [
        _squared_error(fit_ridge(folds.training(i), subsets=subsets, l2=l2, memory_bytes=memory_bytes), held)
        for i, held in enumerate(folds.folds)
    ]
    return reduce(torch.add, errors) / sum(held.n for held in folds.folds)


def _squared_error(probe: LinearProbe, held: FeatureMoments) -> Tensor:
    targets, share = class_targets(held)
    spread = held.class_totals[1].double().sum() - held.n * share.square().sum()
    k, n_classes = probe.weight.shape[-2:]
    subsets, weights = probe.subsets.reshape(-1, k), probe.weight.reshape(-1, k, n_classes)
    errors = []
    for subset, weight, bias in zip(subsets, weights, probe.bias.reshape(-1, n_classes), strict=True):
        S = subset[subset >= 0]
        W = weight[: len(S)]
        r = held.mean[S] @ W + bias - share
        fit = (W * (held.gram[S[:, None], S] @ W - 2 * targets[S])).sum()
        errors.append(fit + spread + held.n * r.square().sum())
    return torch.stack(errors).reshape(probe.batch_shape)
