"""Features of several layers and labels of several targets for the same rows, split three ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._checks import class_labels

SPLITS = ("train", "validation", "test")
Layers = Mapping[str, Mapping[str, Tensor]]
Targets = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True, eq=False)
class LayerData:
    """What the probes of layers read, checked.

    Attributes
    ----------
    layers, targets : tuple of str
    X : dict of split to list of Tensor (n_samples, n_features)
        One a layer.
    y : dict of split to LongTensor (n_samples, n_targets)
    n_classes : tuple of int
        Of every target, by its training labels.
    """

    layers: tuple[str, ...]
    targets: tuple[str, ...]
    X: dict[str, list[Tensor]]
    y: dict[str, Tensor]
    n_classes: tuple[int, ...]

    @classmethod
    def of(cls, layers: Layers, targets: Targets) -> LayerData:
        """Check the request of a caller."""
        for name, mapping in {"layers": layers, "targets": targets}.items():
            if not mapping:
                raise InputError(f"expected at least one entry in {name}, got none; pass {{name: {{split: tensor}}}}")
            for key, splits in mapping.items():
                _check_splits(splits, where=f"{name}[{key!r}]")
        X = {split: [_features(splits, split, layer) for layer, splits in layers.items()] for split in SPLITS}
        for split, found in X.items():
            if len({len(rows) for rows in found}) > 1:
                raise InputError(
                    f"expected the same rows in every layer of split {split!r}, got "
                    f"{', '.join(f'{len(rows)} in {layer!r}' for layer, rows in zip(layers, found, strict=True))}; "
                    "read all layers from one pass over the images"
                )
        labels = [_labels(splits, X, target) for target, splits in targets.items()]
        y = {split: torch.stack([one[split] for one, _ in labels], 1) for split in SPLITS}
        return cls(tuple(layers), tuple(targets), X, y, tuple(n_classes for _, n_classes in labels))

    def groups(self) -> Iterable[tuple[list[int], list[int]]]:
        """Yield the layers of one width and the targets of one number of classes: what one batch can hold."""
        for width in sorted({rows.shape[1] for rows in self.X["train"]}):
            layers = [i for i, rows in enumerate(self.X["train"]) if rows.shape[1] == width]
            for n_classes in sorted(set(self.n_classes)):
                yield layers, [t for t, one in enumerate(self.n_classes) if one == n_classes]


def _check_splits(splits: Mapping[str, Tensor], *, where: str) -> None:
    if not isinstance(splits, Mapping) or any(split not in splits for split in SPLITS):
        came = ", ".join(map(repr, splits)) if isinstance(splits, Mapping) else type(splits).__name__
        raise InputError(
            f"expected splits 'train', 'validation' and 'test' in {where}, got {came}; hold out validation rows: l2 is "
            "never chosen on the test rows"
        )


def _features(splits: Mapping[str, Tensor], split: str, layer: str) -> Tensor:
    name = f"layers[{layer!r}][{split!r}]"
    if split == "train":
        return finite_features(splits[split], name=name)
    return finite_features(splits[split], n_features=splits["train"].shape[1], name=name)


def _labels(splits: Mapping[str, Tensor], X: dict[str, list[Tensor]], target: str) -> tuple[dict[str, Tensor], int]:
    train, n_classes = class_labels(splits["train"], X["train"][0], name=f"targets[{target!r}]['train']")
    found = {"train": train}
    for split in SPLITS[1:]:
        name = f"targets[{target!r}][{split!r}]"
        found[split], _ = class_labels(splits[split], X[split][0], n_classes=n_classes, name=name)
    return found, n_classes
