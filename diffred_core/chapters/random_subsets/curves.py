"""Predictions of one probe along the sizes of one draw, and how each probe makes them.

Of every probe the regulariser is chosen anew at every size, on validation rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core import linear_probe
from diffred_core.chapters.random_subsets.comparators import Selection
from diffred_core.chapters.random_subsets.data import ProbeData
from diffred_core.chapters.random_subsets.sizes import SizeGrid

# in units of the mean variance of a feature of the layer, so that one grid serves every layer
RIDGE_L2: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0)
LOGISTIC_L2: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
LOGISTIC_TOL = 1e-4  # of the largest gradient entry, as in scikit-learn; a tenth of it changes 0.1 % of predictions


@dataclass(frozen=True, eq=False)
class Curve:
    """One probe on the nested subsets of one draw.

    Attributes
    ----------
    method, probe : str
    repeat : int
    seed : int or None
    fractions : sequence of float, n_sizes of them
    sizes : sequence of int, n_sizes of them
    correct : Tensor (n_sizes, n_samples) of bool
        Whether each measured row is predicted right.
    l2 : Tensor (n_sizes,) of float64
        The regulariser of each fit.
    at_edge : Tensor (n_sizes,) of bool, or None
        Whether a better one may lie outside of those tried (`linear_probe.select_l2`); None where nothing was chosen.
    converged : Tensor (n_sizes,) of bool, or None
        None for a closed form.
    """

    method: str
    probe: str
    repeat: int
    seed: int | None
    fractions: Sequence[float]
    sizes: Sequence[int]
    correct: Tensor
    l2: Tensor
    at_edge: Tensor | None = None
    converged: Tensor | None = None

    @property
    def accuracy(self) -> Tensor:
        """Share of right rows at every size, (n_sizes,) of float64."""
        return self.correct.double().mean(1)

    def class_accuracy(self, y: Tensor) -> Tensor:
        """Return the share of right rows of every class, (n_sizes, n_classes); NaN for a class without rows."""
        members = torch.nn.functional.one_hot(y).double()
        return self.correct.double() @ members / members.sum(0)


def full_selection(n_features: int) -> tuple[Selection, SizeGrid]:
    """Return the selection that keeps everything, and its one size."""
    return Selection("full", 0, None, torch.arange(n_features)), SizeGrid((1.0,), (n_features,))


def ridge(data: ProbeData, selection: Selection, grid: SizeGrid, *, l2: Sequence[float]) -> Curve:
    """Return the ridge probe at every size, from one factor for each of `l2`."""
    moments = selection.moments(data.moments)
    values = _l2_values(l2, data.moments.variance.mean())
    probe = linear_probe.fit_ridge_prefixes(moments, order=selection.order, sizes=grid.sizes, l2=values)
    predictions = probe.predict(selection.features(data.scored))
    return _chosen("ridge", data, selection, grid, values, predictions)


def logistic(data: ProbeData, selections: Sequence[Selection], grid: SizeGrid, *, l2: Sequence[float]) -> list[Curve]:
    """Return the logistic probe of every draw at every size, fitted to `LOGISTIC_TOL` as one batch."""
    values = _l2_values(l2, data.moments.variance.mean())
    subsets = [selection.order[:size] for selection in selections for size in grid.sizes]
    probe = linear_probe.fit_logistic(
        *data.train, subsets=subsets, l2=values, n_classes=data.n_classes, tol=LOGISTIC_TOL
    )
    predictions = probe.predict(data.scored).unflatten(1, (len(selections), -1))
    converged = probe.converged.unflatten(1, (len(selections), -1))
    return [
        _chosen("logistic", data, selection, grid, values, predictions[:, i], converged[:, i])
        for i, selection in enumerate(selections)
    ]


def sgd(data: ProbeData, selection: Selection, grid: SizeGrid) -> Curve:
    """Return the published SGD probe at every size; one seed draws the subset, the start and the order of rows."""
    subsets = [selection.order[:size] for size in grid.sizes]
    probe = linear_probe.fit_sgd(*data.train, subsets=subsets, seed=selection.seed or 0, n_classes=data.n_classes)
    predictions = probe.predict(data.measured[0])
    return Curve(
        *(selection.method, "sgd", selection.repeat, selection.seed, grid.fractions, grid.sizes),
        correct=predictions == data.measured[1],
        l2=probe.l2,
        converged=probe.converged,
    )


def _l2_values(relative: Sequence[float], scale: Tensor) -> Tensor:
    return torch.tensor(sorted(relative), dtype=torch.float64) * scale.cpu()


def _chosen(
    probe: str,
    data: ProbeData,
    selection: Selection,
    grid: SizeGrid,
    l2: Tensor,
    predictions: Tensor,
    converged: Tensor | None = None,
) -> Curve:
    """Return the curve of the best l2 of every size; predictions (n_l2, n_sizes, validation rows + measured rows)."""
    n_validation = len(data.validation[1])
    accuracy = (predictions[..., :n_validation] == data.validation[1]).double().mean(-1)
    choice = linear_probe.select_l2(accuracy, l2)
    chosen, at = choice.index, torch.arange(len(grid.sizes))
    return Curve(
        *(selection.method, probe, selection.repeat, selection.seed, grid.fractions, grid.sizes),
        correct=predictions[chosen, at, n_validation:] == data.measured[1],
        l2=choice.l2,
        at_edge=choice.at_edge,
        converged=None if converged is None else converged[chosen, at],
    )
