"""The protocol for probes on every layer: train rows fit, validation rows choose l2, test rows are read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core.checks import check_choice, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._logistic import fit_logistic
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import CERTIFICATE, class_labels, l2_values, training_labels
from diffred_core.linear_probe._ridge import RidgeRows
from diffred_core.linear_probe._select import select_l2
from diffred_core.moments import FeatureMoments
from diffred_core.precision import full_precision

SPLITS = ("train", "validation", "test")
RowsByLayer = Mapping[str, Mapping[str, Tensor]]
Targets = Mapping[str, Mapping[str, Tensor]]

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
    validation_correct : Tensor (n_layers, n_targets, n_validation) of bool
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
    validation_correct: Tensor
    probes: dict[tuple[str, str], LinearProbe]

    @classmethod
    def joined(cls, parts: Sequence[LayerProbes]) -> LayerProbes:
        """Return the layers of all `parts`, of the same targets, in their order."""
        tables = (field.name for field in fields(cls) if field.name not in ("layers", "targets", "probes"))
        return cls(
            layers=tuple(name for part in parts for name in part.layers),
            targets=parts[0].targets,
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in tables},
            probes={key: probe for part in parts for key, probe in part.probes.items()},
        )


@torch.no_grad()
def probe_layers(
    layers: RowsByLayer,
    targets: Targets,
    *,
    method: str = "ridge",
    l2: float | Sequence[float] | Tensor = LAYER_L2,
    moments: Mapping[str, FeatureMoments] | None = None,
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
    moments : {layer: FeatureMoments}, optional
        Of the training rows in double precision, where they are at hand: ridge probes then need no Gram matrix anew.

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
    check_choice(method, _PATHS, "expected method 'ridge' or 'logistic'")
    data = LayerData.of(layers, targets)
    with full_precision(data.y["train"].device):
        cells = {
            (name, data.targets[target]): _scored(path, data, layer, target)
            for layer, name in enumerate(data.layers)
            for target, path in enumerate(_paths(data, layer, l2, (moments or {}).get(name), fit=_PATHS[method]))
        }
    probes = {key: cell.pop("probe") for key, cell in cells.items()}
    shape, columns = (len(data.layers), len(data.targets)), next(iter(cells.values()))
    tables = {name: torch.stack([cell[name] for cell in cells.values()]).unflatten(0, shape) for name in columns}
    return LayerProbes(data.layers, data.targets, **tables, probes=probes)


Paths = Callable[[Tensor, Tensor, Sequence[int], Tensor, FeatureMoments | None], list[LinearProbe]]


def _paths(
    data: LayerData,
    layer: int,
    l2: float | Sequence[float] | Tensor,
    moments: FeatureMoments | None,
    *,
    fit: Paths,
) -> list[LinearProbe]:
    """Return the probes of a layer along `l2`, one path a target."""
    X = data.X["train"][layer]
    variance = X.var(0, correction=0) if moments is None else moments.variance
    scale = variance.mean(dtype=torch.float64)
    if not scale > 0:
        raise InputError(
            f"expected features that vary in layers[{data.layers[layer]!r}], got the same row throughout; leave it out"
        )
    values = l2_values(l2, device=X.device, positive=True)
    if values.ndim > 1:
        raise InputError(f"expected l2 as a number or (n_l2,), got shape {tuple(values.shape)}; all layers share it")
    return fit(X, data.y["train"], data.n_classes, values.reshape(-1) * scale, moments)


def _ridge_paths(
    X: Tensor, y: Tensor, n_classes: Sequence[int], l2: Tensor, moments: FeatureMoments | None
) -> list[LinearProbe]:
    """Solve all targets as columns of one problem, then cut the solution into probes."""
    indicators = torch.cat([one_hot(labels, C) for labels, C in zip(y.T, n_classes, strict=True)], 1).double()
    features = torch.arange(X.shape[1], device=X.device)
    solution = RidgeRows(X, indicators, moments).solve(features[None], l2[:, None])
    parts = zip(solution.weight[:, 0].split(n_classes, 2), solution.bias[:, 0].split(n_classes, 1), strict=True)
    certificate = {name: getattr(solution, name)[:, 0] for name in CERTIFICATE}
    subsets = features.expand(len(l2), -1)
    return [
        LinearProbe(weight, bias, subsets=subsets, l2=l2, n_features=len(features), **certificate)
        for weight, bias in parts
    ]


def _logistic_paths(
    X: Tensor, y: Tensor, n_classes: Sequence[int], l2: Tensor, _moments: FeatureMoments | None
) -> list[LinearProbe]:
    return [fit_logistic(X, labels, l2=l2, n_classes=C) for labels, C in zip(y.T, n_classes, strict=True)]


_PATHS: dict[str, Paths] = {"ridge": _ridge_paths, "logistic": _logistic_paths}


def _scored(path: LinearProbe, data: LayerData, layer: int, target: int) -> dict[str, Any]:
    """Return what `LayerProbes` holds of one layer and one target, by its names, and the chosen probe."""
    chosen_by = path.predict(data.X["validation"][layer]) == data.y["validation"][:, target]
    selection = select_l2(chosen_by.double().mean(-1), path.l2)
    probe = path[int(selection.index)]
    correct = probe.predict(data.X["test"][layer]) == data.y["test"][:, target]
    return {
        "accuracy": correct.double().mean(),
        "validation_accuracy": selection.score.max(),
        "l2": probe.l2,
        "at_edge": selection.at_edge,
        "converged": probe.converged,
        "gradient_norm": probe.gradient_norm,
        "correct": correct,
        "validation_correct": chosen_by[selection.index],
        "probe": probe,
    }


@dataclass(frozen=True, eq=False)
class LayerData:
    """What the probes of layers read, checked."""

    layers: tuple[str, ...]
    targets: tuple[str, ...]
    X: dict[str, list[Tensor]]  # by split, one a layer
    y: dict[str, Tensor]  # by split, (n_samples, n_targets)
    n_classes: tuple[int, ...]  # of every target, by its training labels

    @classmethod
    def of(cls, layers: RowsByLayer, targets: Targets) -> LayerData:
        """Check the request of a caller."""
        for name, mapping in {"layers": layers, "targets": targets}.items():
            if not mapping:
                raise InputError(f"expected at least one entry in {name}, got none; pass {{name: {{split: tensor}}}}")
            for key, splits in mapping.items():
                _check_splits(splits, where=f"{name}[{key!r}]")
        X = {split: [_features(splits, split, layer) for layer, splits in layers.items()] for split in SPLITS}
        for split, every in X.items():
            if len({len(rows) for rows in every}) > 1:
                raise InputError(
                    f"expected the same rows in every layer of split {split!r}, got "
                    f"{', '.join(f'{len(rows)} in {layer!r}' for layer, rows in zip(layers, every, strict=True))}; "
                    "read all layers from one pass over the images"
                )
        labels = [_labels(splits, X, target) for target, splits in targets.items()]
        y = {split: torch.stack([by_split[split] for by_split, _ in labels], 1) for split in SPLITS}
        return cls(tuple(layers), tuple(targets), X, y, tuple(n_classes for _, n_classes in labels))

    def groups(self) -> Iterable[tuple[list[int], list[int]]]:
        """Yield the layers of one width and the targets of one number of classes: what one batch can hold."""
        for width in sorted({rows.shape[1] for rows in self.X["train"]}):
            layers = [i for i, rows in enumerate(self.X["train"]) if rows.shape[1] == width]
            for n_classes in sorted(set(self.n_classes)):
                yield layers, [t for t, number in enumerate(self.n_classes) if number == n_classes]


def _check_splits(splits: Mapping[str, Tensor], *, where: str) -> None:
    if not isinstance(splits, Mapping) or any(split not in splits for split in SPLITS):
        came = ", ".join(map(repr, splits)) if isinstance(splits, Mapping) else type(splits).__name__
        raise InputError(
            f"expected splits 'train', 'validation' and 'test' in {where}, got {came}; hold out validation rows: l2 is "
            "never chosen on the test rows"
        )


def _features(splits: Mapping[str, Tensor], split: str, layer: str) -> Tensor:
    width = None if split == "train" else splits["train"].shape[1]
    return finite_features(splits[split], n_features=width, name=f"layers[{layer!r}][{split!r}]")


def _labels(splits: Mapping[str, Tensor], X: dict[str, list[Tensor]], target: str) -> tuple[dict[str, Tensor], int]:
    train, n_classes = training_labels(splits["train"], X["train"][0], name=f"targets[{target!r}]['train']")
    y = {"train": train}
    for split in SPLITS[1:]:
        name = f"targets[{target!r}][{split!r}]"
        y[split], _ = class_labels(splits[split], X[split][0], n_classes=n_classes, name=name)
    return y, n_classes
