"""The protocol for probes on every layer: train rows fit, validation rows choose l2, test rows are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.errors import InputError, near_names
from diffred_core.linear_probe._checks import l2_values
from diffred_core.linear_probe._layer_data import LayerData, Layers, Targets
from diffred_core.linear_probe._logistic import fit_logistic
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._rows import RidgeRows
from diffred_core.linear_probe._select import choose_l2
from diffred_core.precision import full_precision

LAYER_L2: tuple[float, ...] = tuple(10.0**e for e in range(-8, 2))
"""Regularisers that `probe_layers` tries, in units of the mean variance of a layer's features."""


@dataclass(frozen=True, eq=False)
class LayerProbes:
    """The chosen probe of every layer for every target, and what it scores.

    Attributes
    ----------
    layers, targets : tuple of str
        Names of the two axes below.
    accuracy : Tensor (n_layers, n_targets) of float64
        On test rows.
    validation_accuracy : Tensor (n_layers, n_targets) of float64
        On the rows that chose `l2`, of which it is the best: not for reporting.
    l2 : Tensor (n_layers, n_targets) of float64
        The chosen regulariser, as the fit takes it.
    at_edge : Tensor (n_layers, n_targets) of bool
        It is the smallest or the largest tried: the best may lie beyond.
    converged : Tensor (n_layers, n_targets) of bool
    gradient_norm : Tensor (n_layers, n_targets) of float64
        Of the chosen probe, as `LinearProbe` has it; of ridge probes the largest over all targets of the layer.
    correct : Tensor (n_layers, n_targets, n_test) of bool
        Which test rows are predicted right, for `intervals.paired_bootstrap`.
    probes : dict of (layer, target) to LinearProbe
    """

    layers: tuple[str, ...]
    targets: tuple[str, ...]
    accuracy: Tensor
    validation_accuracy: Tensor
    l2: Tensor
    at_edge: Tensor
    converged: Tensor
    gradient_norm: Tensor
    correct: Tensor
    probes: dict[tuple[str, str], LinearProbe]


@torch.no_grad()
def probe_layers(
    layers: Layers, targets: Targets, *, method: str = "ridge", l2: float | Sequence[float] | Tensor = LAYER_L2
) -> LayerProbes:
    """Probe every layer for every target: fit on train rows, choose `l2` on validation rows, score test rows.

    Nothing but `l2` is chosen: features are neither scaled nor selected. Ridge probes of all targets of a layer share
    one Gram matrix and one factor for each `l2`, for a target is only a few more columns on the right.

    Parameters
    ----------
    layers : {layer: {"train" | "validation" | "test": Tensor (n_samples, n_features)}}
        Features in execution order, the same rows in every layer; widths may differ.
    targets : {target: {"train" | "validation" | "test": LongTensor (n_samples,)}}
        Class indices of those rows: of one task, or of several that ask different things of the same images.
    method : {"ridge", "logistic"}
    l2 : float or (n_l2,)
        Regularisers in units of the mean variance of the layer's features, so that one grid serves layers of any
        scale. What they mean to the fit is said in `fit_ridge` and `fit_logistic`.

    Returns
    -------
    LayerProbes

    Raises
    ------
    InputError
        A missing split, layers of different rows, labels that do not fit the rows or fall outside the classes of the
        training labels, fewer than two classes, features that are not finite or do not vary, an `l2` that is not above
        0, or an unknown method.

    Notes
    -----
    The chosen probe is not refitted on train and validation rows together. Of equal validation accuracies the largest
    `l2` is taken.
    """
    if method not in _PATHS:
        raise InputError(f"expected method 'ridge' or 'logistic', got {method!r}{near_names(method, _PATHS)}")
    data = LayerData.of(layers, targets)
    with full_precision(data.y["train"].device):
        rows = [
            [
                _scored(path, data, layer, target)
                for target, path in enumerate(_paths(data, layer, l2, fit=_PATHS[method]))
            ]
            for layer in range(len(data.layers))
        ]
    return _tabulated(data, rows)


Paths = Callable[[Tensor, Tensor, Sequence[int], Tensor], list[LinearProbe]]


def _paths(data: LayerData, layer: int, l2: float | Sequence[float] | Tensor, *, fit: Paths) -> list[LinearProbe]:
    """Return the probes of a layer along `l2`, one path a target."""
    X = data.X["train"][layer]
    scale = X.var(0, correction=0).mean(dtype=torch.float64)
    if not scale > 0:
        raise InputError(
            f"expected features that vary in layers[{data.layers[layer]!r}], got the same row throughout; leave it out"
        )
    values = l2_values(l2, device=X.device, positive=True)
    if values.ndim > 1:
        raise InputError(f"expected l2 as a number or (n_l2,), got shape {tuple(values.shape)}; all layers share it")
    return fit(X, data.y["train"], data.n_classes, values.reshape(-1) * scale)


def _ridge_paths(X: Tensor, y: Tensor, n_classes: Sequence[int], l2: Tensor) -> list[LinearProbe]:
    """Solve all targets as columns of one problem, then cut the solution into probes."""
    indicators = torch.cat([one_hot(labels, C) for labels, C in zip(y.T, n_classes, strict=True)], 1).double()
    features = torch.arange(X.shape[1], device=X.device)
    solution = RidgeRows(X, indicators).solve(features[None], l2[:, None])
    parts = zip(solution.weight[:, 0].split(n_classes, 2), solution.bias[:, 0].split(n_classes, 1), strict=True)
    certificate = {name: getattr(solution, name)[:, 0] for name in ("converged", "iterations", "gradient_norm")}
    subsets = features.expand(len(l2), -1)
    return [
        LinearProbe(weight, bias, subsets=subsets, l2=l2, n_features=len(features), **certificate)
        for weight, bias in parts
    ]


def _logistic_paths(X: Tensor, y: Tensor, n_classes: Sequence[int], l2: Tensor) -> list[LinearProbe]:
    return [fit_logistic(X, labels, l2=l2, n_classes=C) for labels, C in zip(y.T, n_classes, strict=True)]


_PATHS: dict[str, Paths] = {"ridge": _ridge_paths, "logistic": _logistic_paths}


@dataclass(frozen=True, eq=False)
class _Scored:
    """The chosen probe of one layer for one target; field names as in `LayerProbes`."""

    accuracy: Tensor
    validation_accuracy: Tensor
    l2: Tensor
    at_edge: Tensor
    converged: Tensor
    gradient_norm: Tensor
    correct: Tensor
    probe: LinearProbe


def _scored(path: LinearProbe, data: LayerData, layer: int, target: int) -> _Scored:
    probe, selection = choose_l2(path, data.X["validation"][layer], data.y["validation"][:, target])
    correct = probe.predict(data.X["test"][layer]) == data.y["test"][:, target]
    return _Scored(
        accuracy=correct.double().mean(),
        validation_accuracy=selection.score.max(),
        l2=probe.l2,
        at_edge=selection.at_edge,
        converged=probe.converged,
        gradient_norm=probe.gradient_norm,
        correct=correct,
        probe=probe,
    )


def _tabulated(data: LayerData, rows: list[list[_Scored]]) -> LayerProbes:
    names = [field.name for field in fields(_Scored) if field.name != "probe"]
    tables = {name: torch.stack([torch.stack([getattr(one, name) for one in row]) for row in rows]) for name in names}
    probes = {
        (layer, target): one.probe
        for layer, row in zip(data.layers, rows, strict=True)
        for target, one in zip(data.targets, row, strict=True)
    }
    return LayerProbes(data.layers, data.targets, **tables, probes=probes)
