"""Accuracy by layer, in one of three designs: on the task itself, on another one, and under shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffred_core import intervals, linear_probe
from diffred_core.chapters.depth.names import SHIFT
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Layers = Mapping[str, "TaskFeatures"]


class Reading(NamedTuple):
    """Accuracies by layer, (..., n_layers), on measured rows and on the validation rows that may choose a layer."""

    accuracy: np.ndarray
    validation: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The layer that validation rows choose, (...); of equal ones the first."""
        return self.validation.argmax(-1)

    @property
    def last(self) -> np.ndarray:
        """Accuracy of the last layer, (...)."""
        return self.accuracy[..., -1]

    @property
    def chosen(self) -> np.ndarray:
        """Accuracy of the layer that validation rows choose, (...)."""
        return np.take_along_axis(self.accuracy, self.best[..., None], -1)[..., 0]


@dataclass(frozen=True)
class Resampling:
    """How the intervals over rows are made; without `n_boot` there are none."""

    level: float
    n_boot: int | None
    seed: int

    def __post_init__(self) -> None:
        intervals.check_level(self.level)

    def means(self, correct: Tensor, *, of: int) -> np.ndarray:
        """Return the accuracies (n_boot, n_layers) of resampled rows; `of` numbers sets of rows that are not paired."""
        return intervals.bootstrap_means(correct.numpy(), n_boot=self.n_boot, seed=(self.seed, of))

    def reading(self, correct: Tensor, validation: Tensor) -> Reading | None:
        """Return what resampled rows would show: another sample of validation rows may choose another layer."""
        return None if self.n_boot is None else Reading(self.means(correct, of=0), self.means(validation, of=1))


@dataclass(frozen=True, eq=False)
class LayerCurve:
    """The accuracy of one task by layer, with resamples of its rows.

    Attributes
    ----------
    method, task : str
        The design, and whose rows are measured.
    n_classes : int
    measured : Reading
        Of all rows, (n_layers,).
    resampled : Reading or None
        Of resampled rows, (n_boot, n_layers).
    level : float
        Coverage of the intervals.
    fits : tuple of dict
        What to say of the fit of every layer: l2, whether it converged, whether l2 lies at an end of its grid.
    """

    method: str
    task: str
    n_classes: int
    measured: Reading
    resampled: Reading | None
    level: float
    fits: tuple[Row, ...]

    def limits(self, draws: np.ndarray) -> Row:
        """Return the percentile interval of resampled values, as columns of a row."""
        low, high = np.quantile(draws, [0.5 - self.level / 2, 0.5 + self.level / 2])
        return {"low": float(low), "high": float(high)}


def own_curve(
    layers: Layers, *, method: str, split: str, probe: str, resampling: Resampling
) -> tuple[LayerCurve, LayerProbes]:
    """Return the curve of probes that are trained on the task itself, and the probes."""
    task = next(iter(layers.values()))
    X = {name: rows_of(of, split) for name, of in layers.items()}
    probes = linear_probe.probe_layers(X, {task.task: labels_of(task, split)}, method=probe)
    fits = tuple(row | {"at_edge": float(edge)} for row, edge in zip(_fits(probes), probes.at_edge[:, 0], strict=True))
    validation = [
        probes.probes[name, task.task].predict(rows["validation"]) == task.splits["validation"][1]
        for name, rows in X.items()
    ]
    return _curve(method, task, probes.correct[:, 0], torch.stack(validation), resampling, fits), probes


def shifted_curve(
    probes: LayerProbes, layers: Layers, shifted: Layers, *, split: str, resampling: Resampling
) -> LayerCurve:
    """Return the accuracy of the probes of `layers` on the rows of another task with the same classes."""
    source, other = (next(iter(one.values())) for one in (layers, shifted))
    order = _places(source, other)
    correct, validation = (
        torch.stack(
            [
                probes.probes[name, source.task].predict(of.splits[rows][0].double()) == order[of.splits[rows][1]]
                for name, of in shifted.items()
            ]
        )
        for rows in (split, "validation")
    )
    return _curve(SHIFT, other, correct, validation, resampling, _fits(probes))


def rows_of(of: TaskFeatures, split: str) -> dict[str, Tensor]:
    """Return the rows of every part, in double precision, below whose rounding the smallest regularisers lie."""
    return {part: of.splits[at][0].double() for part, at in _parts(split).items()}


def labels_of(of: TaskFeatures, split: str) -> dict[str, Tensor]:
    """Return the labels of every part."""
    return {part: of.splits[at][1] for part, at in _parts(split).items()}


def _parts(split: str) -> dict[str, str]:
    return {"train": "train", "validation": "validation", "test": split}


def _fits(probes: LayerProbes) -> tuple[Row, ...]:
    found = zip(probes.l2[:, 0], probes.converged[:, 0], strict=True)
    return tuple({"l2": float(l2), "converged": bool(converged)} for l2, converged in found)


def _curve(
    method: str, task: TaskFeatures, correct: Tensor, validation: Tensor, resampling: Resampling, fits: tuple[Row, ...]
) -> LayerCurve:
    correct, validation = correct.cpu(), validation.cpu()
    measured = Reading(*(rows.double().mean(1).numpy() for rows in (correct, validation)))
    resampled = resampling.reading(correct, validation)
    return LayerCurve(method, task.task, task.n_classes, measured, resampled, resampling.level, fits)


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
