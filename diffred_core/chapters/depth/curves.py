"""Accuracy by layer, in one of three designs: on the task itself, on another one, and under shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffred_core import intervals, linear_probe
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Layers = Mapping[str, "TaskFeatures"]
IN_DISTRIBUTION, TRANSFER, SHIFT = "in_distribution", "transfer", "shift"


@dataclass(frozen=True)
class Resampling:
    """How the intervals over rows are made."""

    level: float
    n_boot: int
    seed: int

    def __post_init__(self) -> None:
        intervals.check_level(self.level)

    def means(self, correct: Tensor, *, of: int) -> np.ndarray:
        """Return the accuracies (n_boot, n_layers) of resampled rows; `of` numbers sets of rows that are not paired."""
        return intervals.bootstrap_means(correct.numpy(), n_boot=self.n_boot, seed=(self.seed, of))


class Reading(NamedTuple):
    """Accuracies by layer (..., n_layers), and the layer (...) that validation rows choose."""

    accuracy: np.ndarray
    best: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Accuracy of the last layer, (...)."""
        return self.accuracy[..., -1]

    @property
    def chosen(self) -> np.ndarray:
        """Accuracy of the layer that validation rows choose, (...)."""
        return np.take_along_axis(self.accuracy, np.asarray(self.best)[..., None], -1)[..., 0]


@dataclass(frozen=True, eq=False)
class LayerCurve:
    """The accuracy of one task by layer, with resamples of its rows.

    Attributes
    ----------
    method, task : str
        The design, and whose rows are measured.
    n_classes : int
    correct : Tensor (n_layers, n_rows) of bool
        Whether each measured row is predicted right.
    validation : Tensor (n_layers,) of float64
        Accuracy on validation rows, by which a layer may be chosen.
    draws : ndarray (n_boot, n_layers)
        Accuracies of resampled rows.
    validation_draws : ndarray (n_boot, n_layers)
        Accuracies of resampled validation rows: another sample of them may choose another layer.
    level : float
    fits : tuple of dict
        What to say of the fit of every layer: l2, whether it converged, whether l2 lies at an end of its grid.
    """

    method: str
    task: str
    n_classes: int
    correct: Tensor
    validation: Tensor
    draws: np.ndarray
    validation_draws: np.ndarray
    level: float
    fits: tuple[Row, ...]

    @property
    def accuracy(self) -> Tensor:
        """Share of right rows in every layer, (n_layers,) of float64."""
        return self.correct.double().mean(1)

    @property
    def best(self) -> int:
        """The layer that validation rows choose; of equal ones the first."""
        return int((self.validation == self.validation.max()).nonzero()[0])

    @property
    def reading(self) -> Reading:
        """The measured accuracies and the chosen layer."""
        return Reading(self.accuracy.numpy(), np.asarray(self.best))

    @property
    def readings(self) -> Reading:
        """The same for every resample of validation and measured rows."""
        return Reading(self.draws, self.validation_draws.argmax(-1))

    def interval(self, draws: np.ndarray) -> tuple[float, float]:
        """Return the percentile limits of resampled values."""
        low, high = np.quantile(draws, [0.5 - self.level / 2, 0.5 + self.level / 2], axis=0)
        return low, high


def own_curve(
    layers: Layers, *, method: str, split: str, probe: str, how: Resampling
) -> tuple[LayerCurve, LayerProbes]:
    """Return the curve of probes that are trained on the task itself, and the probes."""
    task = next(iter(layers.values()))
    X = {name: splits_of(of, split, 0) for name, of in layers.items()}
    found = linear_probe.probe_layers(X, {task.task: splits_of(task, split, 1)}, method=probe)
    fits = tuple(
        {"l2": float(found.l2[i, 0]), "converged": bool(found.converged[i, 0]), "at_edge": float(found.at_edge[i, 0])}
        for i in range(len(found.layers))
    )
    validation = [
        found.probes[name, task.task].predict(splits["validation"]) == task.splits["validation"][1]
        for name, splits in X.items()
    ]
    return _curve(method, task, found.correct[:, 0], torch.stack(validation), how, fits), found


def shifted_curve(probes: LayerProbes, layers: Layers, shifted: Layers, *, split: str, how: Resampling) -> LayerCurve:
    """Return the accuracy of the probes of `layers` on the rows of another task with the same classes."""
    source, other = (next(iter(one.values())) for one in (layers, shifted))
    order = _places(source, other)
    correct, validation = [], []
    for name, of in shifted.items():
        probe = probes.probes[name, source.task]
        correct.append(probe.predict(of.splits[split][0].double()) == order[of.splits[split][1]])
        validation.append(probe.predict(of.splits["validation"][0].double()) == order[of.splits["validation"][1]])
    fits = tuple(
        {"l2": float(probes.l2[i, 0]), "converged": bool(probes.converged[i, 0])} for i in range(len(probes.layers))
    )
    return _curve(SHIFT, other, torch.stack(correct), torch.stack(validation), how, fits)


def splits_of(of: TaskFeatures, split: str, which: int) -> dict[str, Tensor]:
    """Return rows (0, in double precision, below whose rounding the smallest regularisers lie) or labels (1)."""
    chosen = {"train": "train", "validation": "validation", "test": split}
    parts = {name: of.splits[at][which] for name, at in chosen.items()}
    return {name: part.double() for name, part in parts.items()} if which == 0 else parts


def _curve(
    method: str, task: TaskFeatures, correct: Tensor, validation: Tensor, how: Resampling, fits: tuple[Row, ...]
) -> LayerCurve:
    correct, validation = correct.cpu(), validation.cpu()
    draws, validation_draws = (how.means(rows, of=i) for i, rows in enumerate((correct, validation)))
    accuracy = validation.double().mean(1)
    return LayerCurve(method, task.task, task.n_classes, correct, accuracy, draws, validation_draws, how.level, fits)


def _places(source: TaskFeatures, other: TaskFeatures) -> Tensor:
    """Return the class of `source` that every class of `other` is, by name."""
    if set(source.classes) != set(other.classes):
        lacking = sorted(set(source.classes) - set(other.classes)) or sorted(set(other.classes) - set(source.classes))
        raise InputError(
            f"expected the classes of {source.task!r} in {other.task!r}, where its probes are to be measured, but "
            f"{lacking[0]!r} is in one of them only; measure such a task by transfer"
        )
    device = next(iter(other.splits.values()))[1].device
    return torch.tensor([source.classes.index(name) for name in other.classes], device=device)
