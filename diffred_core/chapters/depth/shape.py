"""The shape of every layer, its likeness to the last one, and how redundant it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from diffred_core import cka, geometry, moments, redundancy
from diffred_core.chapters.depth.curves import Layers
from diffred_core.chapters.random_subsets import comparators
from diffred_core.chapters.random_subsets.curves import Curve, full_selection, ridge
from diffred_core.chapters.random_subsets.data import ProbeData
from diffred_core.chapters.random_subsets.sizes import SizeGrid
from diffred_core.geometry import NeuralCollapse
from diffred_core.linear_probe import LAYER_L2, LayerProbes
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


def geometry_rows(layers: Layers, probes: LayerProbes, *, probe: str, eps: float) -> Iterator[Row]:
    """Yield ranks and neural collapse of every layer on the training rows, by the probes of `layers`."""
    for name, of in layers.items():
        X, y = of.splits["train"]
        found = moments.from_features(X.double(), y, n_classes=of.n_classes, quartic=False)
        who = {"layer": name, "n_features": of.n_features, "task": of.task, "method": "full", "split": "train"}
        values = _shape(found, X, y, eps=eps)
        yield from (who | {"metric": metric, "value": value} for metric, value in values.items())
        classifier = probes.probes[name, of.task]
        for convention in ("papyan", "harun"):
            nc = geometry.neural_collapse(
                found, classifier.weight, classifier.bias, X=X.double(), convention=convention
            )
            for metric, value in _collapse(nc, constant_nc4=(probe, convention) == ("ridge", "harun")).items():
                yield who | {"probe": probe, "metric": f"{metric}_{convention}", "value": value}


def _shape(found: FeatureMoments, X: torch.Tensor, y: torch.Tensor, *, eps: float) -> dict[str, float]:
    return {
        "numerical_rank": geometry.numerical_rank(found, eps=eps),
        "stable_rank": geometry.stable_rank(found),
        "rankme": geometry.rankme(found),
        "class_separation": geometry.class_separation(X, y),
    }


def _collapse(nc: NeuralCollapse, *, constant_nc4: bool) -> dict[str, float]:
    """Return NC1 to NC4; without NC4 where it is the score at the mean of a ridge probe, one number for every layer."""
    values = {"nc1": nc.nc1, "nc2": nc.nc2, "nc3": nc.nc3}
    return values if constant_nc4 else values | {"nc4": nc.nc4}


def similarity_rows(layers: Layers, *, split: str) -> Iterator[Row]:
    """Yield the debiased linear CKA of every layer with the last one."""
    rows = [of.splits[split][0] for of in layers.values()]
    values = cka.layer_cka(rows, rows[-1:])[:, 0].tolist()
    for (name, of), value in zip(layers.items(), values, strict=True):
        who = {"layer": name, "n_features": of.n_features, "task": of.task, "method": "full"}
        yield who | {"metric": "cka_to_last", "value": value}


def redundancy_rows(
    layers: Layers, *, split: str, fractions: Sequence[float], fraction: float, delta: float, seeds: Sequence[int]
) -> Iterator[Row]:
    """Yield, draw by draw, the accuracy that a random share of a layer keeps, and its diffused redundancy.

    Layers too narrow for `fraction` have no row of the first. Regularisers are those of `linear_probe.probe_layers`, so
    that the whole layer has the accuracy of its curve: in early layers, where one direction outweighs all others, the
    best one is far below those that suit a last layer.
    """
    for name, of in layers.items():
        # in double precision, below whose rounding the smallest regularisers lie
        exact = replace(of, splits={at: (X.double(), y) for at, (X, y) in of.splits.items()})
        data = ProbeData.of(exact, split=split, standardize=False)
        full = ridge(data, *full_selection(of.n_features), l2=LAYER_L2)
        grid = SizeGrid.of(of.n_features, (*fractions, fraction))
        who = {"layer": name, "n_features": of.n_features, "task": of.task, "method": "random", "probe": "ridge"}
        for draw in comparators.draw("random", data.moments, seeds=seeds):
            curve = ridge(data, draw, grid, l2=LAYER_L2)
            for row in _draw_rows(curve, full, of, fraction=fraction, delta=delta):
                yield who | {"repeat": draw.repeat, "seed": draw.seed} | row


def _draw_rows(curve: Curve, full: Curve, of: TaskFeatures, *, fraction: float, delta: float) -> Iterator[Row]:
    whole = float(full.accuracy)
    if fraction in curve.fractions:
        at = curve.fractions.index(fraction)
        point = {"fraction": fraction, "n_selected": curve.sizes[at]}
        yield point | {"metric": "accuracy_kept", "value": float(curve.accuracy[at]) / whole}
    shares = torch.tensor([*curve.fractions, 1.0], dtype=torch.float64)
    accuracy = torch.cat([curve.accuracy, full.accuracy])
    drop = redundancy.diffused_redundancy(shares, accuracy, whole, delta=delta)
    yield {"delta": delta, "metric": "diffused_redundancy", "value": float(drop)}
