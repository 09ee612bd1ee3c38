"""Accuracy by layer, in one of three designs and as published, and the rows computed from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffred_core import intervals, linear_probe, moments, tunnel
from diffred_core.chapters.depth import names
from diffred_core.chapters.random_subsets.names import STEPS
from diffred_core.checks import check_same_classes
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

PARTS = ("train", "validation", "test")
MEASURED = ("validation", "test")  # parts of which a probe from moments reads the rows
TaskLayers = Mapping[str, "TaskFeatures"]
Measure = Callable[["Reading", "Reading"], np.ndarray]


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
        What to say of the fit of every layer: l2, whether it converged, whether l2 lies at an end of the values tried.
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


def training_moments(layers: TaskLayers) -> dict[str, FeatureMoments]:
    """Return the moments of the training rows of every layer: made once, for all that is read of them."""
    parts = ((name, *of.splits["train"], of.n_classes) for name, of in layers.items())
    return {name: moments.from_features(X.double(), y, n_classes=C, quartic=False) for name, X, y, C in parts}


def own_curve(
    layers: TaskLayers,
    layer_moments: Mapping[str, FeatureMoments],
    *,
    method: str,
    split: str,
    probe: str,
    resampling: Resampling,
) -> tuple[LayerCurve, LayerProbes]:
    """Return the curve of probes that are trained on the task itself, and the probes.

    `layer_moments` are those of `training_moments`, or none where nothing else reads them.
    """
    task = task_of(layers)
    probes = own_probes(layers, layer_moments, split=split, probe=probe)
    fits = tuple(row | {"at_edge": float(edge)} for row, edge in zip(_fits(probes), probes.at_edge[:, 0], strict=True))
    options = {"method": method, "resampling": resampling, "fits": fits}
    return _curve(task, probes.correct[:, 0], probes.validation_correct[:, 0], **options), probes


def own_probes(
    layers: TaskLayers, layer_moments: Mapping[str, FeatureMoments], *, split: str, probe: str
) -> LayerProbes:
    """Return the probe of every layer."""
    task = task_of(layers)
    targets = {task.task: labels_of(task, split)}
    # a layer at a time: all of them in double precision would fill the memory
    parts = (
        linear_probe.probe_layers({name: rows_of(of, split)}, targets, method=probe, moments=layer_moments)
        for name, of in layers.items()
    )
    return LayerProbes.joined(list(parts))


def shifted_curve(
    probes: LayerProbes, layers: TaskLayers, shifted: TaskLayers, *, split: str, resampling: Resampling
) -> LayerCurve:
    """Return the accuracy of the probes of `layers` on the rows of another task with the same classes."""
    source, other = task_of(layers), task_of(shifted)
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
    return _curve(other, correct, validation, method=names.SHIFT, resampling=resampling, fits=_fits(probes))


def task_of(layers: TaskLayers) -> TaskFeatures:
    """Return the features of the first layer, which stand for the task that all layers share."""
    return next(iter(layers.values()))


def layer_columns(name: str, of: TaskFeatures) -> Row:
    """Return the columns that say whose layer a row is about."""
    return {"layer": name, "n_features": of.n_features, "task": of.task, "n_way": of.n_classes}


def rows_of(of: TaskFeatures, split: str, *, parts: Collection[str] = PARTS) -> dict[str, Tensor]:
    """Return the rows of some parts, in double precision, below whose rounding the smallest regularisers lie."""
    return {part: rows.double() for part, rows in splits_of(of, split).items() if part in parts}


def splits_of(of: TaskFeatures, split: str) -> dict[str, Tensor]:
    """Return the rows of every part as they are."""
    return {part: of.splits[at][0] for part, at in _parts(split).items()}


def labels_of(of: TaskFeatures, split: str) -> dict[str, Tensor]:
    """Return the labels of every part."""
    return {part: of.splits[at][1] for part, at in _parts(split).items()}


def accuracy_rows(curve: LayerCurve, layers: TaskLayers, *, probe: str) -> Iterator[Row]:
    """Yield the accuracy of every layer with its limits, in execution order."""
    for i, (name, of) in enumerate(layers.items()):
        fit = dict(curve.fits[i])
        edge = fit.pop("at_edge", None)
        shared = _shared(curve, probe) | {"layer": name, "n_features": of.n_features} | fit
        limits = {} if curve.resampled is None else curve.limits(curve.resampled.accuracy[:, i])
        yield shared | {"metric": names.ACCURACY, "value": curve.measured.accuracy[i]} | limits
        yield shared | {"metric": "accuracy_validation", "value": curve.measured.validation[i]}
        if edge is not None:
            yield shared | {"metric": "l2_at_edge", "value": edge}


def tunnel_rows(curve: LayerCurve, inside: LayerCurve, layers: TaskLayers, *, probe: str) -> Iterator[Row]:
    """Yield what one curve says of the tunnel: of all layers, and so in the row of the last one.

    A start of the tunnel is counted from 1; there is no row where the rule finds none.
    """
    name, last = list(layers.items())[-1]
    shared = _shared(curve, probe) | {"layer": name, "n_features": last.n_features}
    for metric, measure in _measures(curve, inside).items():
        value = measure(curve.measured, inside.measured)
        if np.isfinite(value):
            yield shared | {"metric": metric, "value": float(value)} | _limits(curve, inside, measure)
    yield shared | {"metric": names.BEST_LAYER, "value": int(curve.measured.best) + 1}
    start = tunnel.revised_tunnel_start(curve.measured.accuracy)
    if curve.method != names.IN_DISTRIBUTION and start is not None:
        yield shared | {"metric": "tunnel_start_revised", "value": start + 1}


def spread_layers(layers: Sequence[str], count: int) -> list[str]:
    """Return `count` of `layers`, evenly spread, the last among them.

    Raises
    ------
    InputError
        If `count` is negative.
    """
    if count < 0:
        raise InputError(f"published_layers must be at least 0, got {count}; 0 leaves the published probe out")
    step = len(layers) / max(1, min(count, len(layers)))
    return [layers[round((i + 1) * step) - 1] for i in range(min(count, len(layers)))]


def published_rows(
    layers: TaskLayers, *, method: str, chosen: Sequence[str], split: str, seeds: Sequence[int], recipe: str
) -> Iterator[Row]:
    """Yield, seed by seed, accuracy as published, that of the epoch chosen on validation rows, their difference, steps.

    Harun et al. (2024), appendix A.8: 30 epochs of AdamW, the best test accuracy among them.
    """
    task = task_of(layers)
    X = {name: {part: rows.float() for part, rows in splits_of(layers[name], split).items()} for name in chosen}
    targets = {task.task: labels_of(task, split)}
    curves = linear_probe.probe_layers_by_epoch(X, targets, recipe=linear_probe.tunnel_recipe(recipe), seeds=seeds)
    measured = (
        ({"metric": names.ACCURACY, "label": names.AS_PUBLISHED}, curves.as_published),
        ({"metric": names.ACCURACY, "label": names.SELECTED_EPOCH}, curves.selected),
        ({"metric": names.OPTIMISM}, curves.optimism),
        ({"metric": STEPS}, torch.full_like(curves.optimism, curves.steps)),
    )
    for i, name in enumerate(chosen):
        shared = layer_columns(name, layers[name]) | {"method": method, "probe": "adamw", "recipe": recipe}
        for repeat, seed in enumerate(seeds):
            for kind, values in measured:
                yield shared | {"repeat": repeat, "seed": seed} | kind | {"value": float(values[i, 0, repeat])}


def _parts(split: str) -> dict[str, str]:
    return dict(zip(PARTS, ("train", "validation", split), strict=True))


def _fits(probes: LayerProbes) -> tuple[Row, ...]:
    fits = zip(probes.l2[:, 0], probes.converged[:, 0], strict=True)
    return tuple({"l2": float(l2), "converged": bool(converged)} for l2, converged in fits)


def _curve(
    task: TaskFeatures, correct: Tensor, validation: Tensor, *, resampling: Resampling, **about: Any
) -> LayerCurve:
    correct, validation = correct.cpu(), validation.cpu()
    measured = Reading(*(rows.double().mean(1).numpy() for rows in (correct, validation)))
    about |= {"task": task.task, "n_classes": task.n_classes, "level": resampling.level}
    return LayerCurve(measured=measured, resampled=resampling.reading(correct, validation), **about)


def _places(source: TaskFeatures, other: TaskFeatures) -> Tensor:
    """Return the class of `source` that every class of `other` is, by name."""
    check_same_classes(source.task, source.classes, other=other.task, other_classes=other.classes)
    device = next(iter(other.splits.values()))[1].device
    return torch.tensor([source.classes.index(name) for name in other.classes], device=device)


def _limits(curve: LayerCurve, inside: LayerCurve, measure: Measure) -> Row:
    if curve.resampled is None or inside.resampled is None:
        return {}
    draws = measure(curve.resampled, inside.resampled)
    return curve.limits(draws[np.isfinite(draws)])


def _measures(curve: LayerCurve, inside: LayerCurve) -> dict[str, Measure]:
    """Return what is read of `curve` and of `inside`: from (..., n_layers) to (...)."""
    measures: dict[str, Measure] = {
        names.RETAINED: lambda reading, _: tunnel.percent_retained(reading.accuracy).numpy(),
        names.RETAINED_HELD_OUT: lambda reading, _: _held_out(reading),
        names.BEST_GAIN: lambda reading, _: reading.chosen - reading.last,
    }
    if curve.method == names.IN_DISTRIBUTION:
        return measures | {metric: _start(share) for metric, share in names.TUNNEL_STARTS.items()}
    return measures | {
        names.CORRELATION: lambda ood, own_task: tunnel.id_ood_correlation(own_task.accuracy, ood.accuracy).numpy(),
        # what the last layers cost here beyond what they cost on the task itself: a tunnel is below 0
        names.RETAINED_BEYOND: lambda ood, own_task: _held_out(ood) - _held_out(own_task),
        names.ALIGNMENT: lambda ood, own_task: tunnel.alignment(
            own_task.last, ood.last, id_classes=inside.n_classes, ood_classes=curve.n_classes
        ).numpy(),
    }


def _start(share: float) -> Measure:
    """Return `tunnel.tunnel_start` of many curves at once, counted from 1."""
    return lambda reading, _: (reading.accuracy >= share * reading.accuracy[..., -1:]).argmax(-1) + 1


def _held_out(of: Reading) -> np.ndarray:
    """Return the percentage retained of the layer that validation rows choose; it may be worse than the last."""
    return 100 * of.last / np.maximum(of.chosen, 1e-12)


def _shared(curve: LayerCurve, probe: str) -> Row:
    return {"method": curve.method, "task": curve.task, "n_way": curve.n_classes, "probe": probe}
