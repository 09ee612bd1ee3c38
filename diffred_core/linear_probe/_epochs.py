"""Probes on every layer by the published recipe, epoch by epoch: what choosing the epoch on test rows adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe._layers import LayerData, RowsByLayer, Targets
from diffred_core.linear_probe._published import PUBLISHED_TUNNEL
from diffred_core.linear_probe._recipes import Recipe
from diffred_core.linear_probe._sgd import ProbeRuns, check_recipe, with_ones
from diffred_core.precision import full_precision


@dataclass(frozen=True, eq=False)
class EpochCurves:
    """Accuracy after every epoch, for every layer, target and seed.

    Attributes
    ----------
    layers, targets : tuple of str
    seeds : tuple of int
    validation, test : Tensor (n_layers, n_targets, n_seeds, n_epochs) of float64
    steps : int
        Steps that each run took.
    """

    layers: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    validation: Tensor
    test: Tensor
    steps: int

    @property
    def as_published(self) -> Tensor:
        """Test accuracy of the best epoch on the test rows, ``(n_layers, n_targets, n_seeds)``."""
        return self.test.amax(-1)

    @property
    def selected(self) -> Tensor:
        """Test accuracy of the best epoch on the validation rows, of equal ones the first; of the shape above."""
        best = (self.validation == self.validation.amax(-1, keepdim=True)).byte().argmax(-1, keepdim=True)
        return self.test.gather(-1, best)[..., 0]

    @property
    def optimism(self) -> Tensor:
        """What choosing the epoch on the test rows adds: `as_published` minus `selected`, never negative.

        ``intervals.mean_interval(curves.optimism[layer, target])`` is its mean over seeds, with limits.
        """
        return self.as_published - self.selected


@torch.no_grad()
def probe_layers_by_epoch(
    layers: RowsByLayer, targets: Targets, *, recipe: Recipe = PUBLISHED_TUNNEL["cnn"], seeds: Sequence[int]
) -> EpochCurves:
    """Train probes on every layer for every target by a published recipe; return their accuracy after every epoch.

    Harun et al. (2024) report the best test accuracy of 30 epochs: `EpochCurves.as_published` (of their released
    scripts, linear_probe2.py does, while linear_probe.py takes the last epoch: ``test[..., -1]``). Layers of one width,
    targets of one number of classes and all seeds train in one batch, each as it would alone (see `fit_adamw`).

    Parameters
    ----------
    layers, targets
        As in `probe_layers`.
    recipe : AdamWRecipe or SGDRecipe
        By default that of the paper's VGG and ResNet networks.
    seeds : sequence of int
        Of start and order of the rows; one run each.

    Raises
    ------
    InputError
        As `probe_layers` and `fit_adamw`; no seed.
    """
    data, seeds = LayerData.of(layers, targets), tuple(int(seed) for seed in seeds)
    if not seeds:
        raise InputError("expected at least one of seeds, got none; pass seeds=[0]")
    check_recipe(recipe, len(data.y["train"]))
    shape = (len(data.layers), len(data.targets), len(seeds), recipe.epochs)
    curves = {split: torch.zeros(shape, dtype=torch.float64) for split in ("validation", "test")}
    with full_precision(data.y["train"].device):
        steps = [_train_group(data, group, recipe, seeds, curves) for group in data.groups()]
    # all groups read the same rows
    return EpochCurves(data.layers, data.targets, seeds, steps=steps[0], **curves)


def _train_group(
    data: LayerData,
    group: tuple[list[int], list[int]],
    recipe: Recipe,
    seeds: tuple[int, ...],
    curves: dict[str, Tensor],
) -> int:
    """Train all seeds of the layers and targets of `group`; enter accuracies into `curves`, return the steps."""
    layers, targets = group
    X = {split: torch.stack([with_ones(every[layer]) for layer in layers]) for split, every in data.X.items()}
    y = {split: labels[:, targets] for split, labels in data.y.items()}
    owner = torch.arange(len(layers)).repeat_interleave(len(seeds))
    run = ProbeRuns(X["train"], y["train"], data.n_classes[targets[0]], recipe, seeds=seeds * len(layers), owner=owner)
    cells = torch.tensor(layers)[:, None, None], torch.tensor(targets)[:, None], torch.arange(len(seeds))
    for epoch in run.epochs():
        for split, curve in curves.items():
            hits = (run.predictions(X[split]) == y[split]).double().mean(1)  # (n_layers * n_seeds, n_targets)
            curve[*cells, epoch] = hits.unflatten(0, (len(layers), -1)).mT.cpu()
    return run.steps
