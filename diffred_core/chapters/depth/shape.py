"""The shape of every layer, its similarity to the last one, and how redundant it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from diffred_core import cka, geometry, linear_probe, redundancy, subsets
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.curves import MEASURED, TaskLayers, labels_of, layer_columns, rows_of
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.linear_probe import LAYER_L2, LayerProbes, LinearProbe
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row

REDUNDANCY_FRACTIONS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)


def geometry_rows(
    layers: TaskLayers,
    layer_moments: Mapping[str, FeatureMoments],
    probes: LayerProbes,
    *,
    probe: str,
    eps: float,
    conventions: Sequence[str],
) -> Iterator[Row]:
    """Yield ranks and neural collapse of every layer on the training rows, by the probes of `layers`."""
    for name, of in layers.items():
        (X, y), layer = of.splits["train"], layer_moments[name]
        shared = layer_columns(name, of) | {"method": "full", "split": "train"}
        for metric, value in _shape(layer, X, y, eps=eps).items():
            yield shared | {"metric": metric, "value": value}
        for convention in conventions:
            values = _collapse(layer, probes.probes[name, of.task], X, convention, probe=probe)
            for metric, value in values.items():
                yield shared | {"probe": probe, "recipe": convention, "metric": metric, "value": value}


def _shape(layer: FeatureMoments, X: Tensor, y: Tensor, *, eps: float) -> dict[str, float]:
    return {
        names.RANK: geometry.numerical_rank(layer, eps=eps),
        "stable_rank": geometry.stable_rank(layer),
        "rankme": geometry.rankme(layer),
        "class_separation": geometry.class_separation(X, y),
    }


def _collapse(
    layer: FeatureMoments, classifier: LinearProbe, X: Tensor, convention: str, *, probe: str
) -> dict[str, float]:
    """Return NC1 to NC4; without NC4 where it is the score at the mean of a ridge probe, one number for every layer."""
    nc = geometry.neural_collapse(layer, classifier.weight, classifier.bias, X=X, convention=convention)
    values = {names.NC1: nc.nc1, "nc2": nc.nc2, "nc3": nc.nc3}
    return values if (probe, convention) == ("ridge", names.HARUN) else values | {"nc4": nc.nc4}


def similarity_rows(layers: TaskLayers, *, split: str) -> Iterator[Row]:
    """Yield the debiased linear CKA of every layer with the last one."""
    rows = [of.splits[split][0] for of in layers.values()]
    values = cka.layer_cka(rows, rows[-1:])[:, 0].tolist()
    for (name, of), value in zip(layers.items(), values, strict=True):
        yield layer_columns(name, of) | {"method": "full", "metric": names.CKA_TO_LAST, "value": value}


def redundancy_rows(
    layers: TaskLayers,
    layer_moments: Mapping[str, FeatureMoments],
    probes: LayerProbes,
    *,
    fraction: float,
    delta: float,
    seeds: Sequence[int],
    split: str,
) -> Iterator[Row]:
    """Yield, draw by draw, the accuracy that a random share of a layer keeps, and its diffused redundancy at `delta`.

    `probes` are ridge probes. Layers too narrow for the fraction have no row of the first. Regularisers are those of
    `linear_probe.probe_layers`, so that the whole layer has the accuracy of its curve: in early layers, where one
    direction outweighs all others, the best one is far below those that suit a last layer.
    """
    for name, whole in zip(layers, probes.accuracy[:, :1].cpu(), strict=True):
        of, layer = layers[name], layer_moments[name]
        X, y = rows_of(of, split, parts=MEASURED), labels_of(of, split)
        sizes = Sizes.of(of.n_features, (*REDUNDANCY_FRACTIONS, fraction))
        shares = torch.tensor([*sizes.fractions, 1.0], dtype=torch.float64)
        for repeat, seed in enumerate(seeds):
            order = subsets.random_order(of.n_features, seed=seed)
            accuracy = _accuracy(layer, order, sizes.n_selected, X, y)
            shared = layer_columns(name, of) | {"method": "random", "probe": "ridge", "repeat": repeat, "seed": seed}
            if fraction in sizes.fractions:
                at = sizes.fractions.index(fraction)
                kept = {"metric": names.ACCURACY_KEPT, "value": float(accuracy[at]) / float(whole)}
                yield shared | {"fraction": fraction, "n_selected": sizes.n_selected[at]} | kept
            curve = torch.cat([accuracy, whole])
            value = float(redundancy.diffused_redundancy(shares, curve, float(whole), delta=delta))
            yield shared | {"delta": delta, "metric": names.REDUNDANCY, "value": value}


def _accuracy(
    layer: FeatureMoments, order: Tensor, sizes: Sequence[int], X: Mapping[str, Tensor], y: Mapping[str, Tensor]
) -> Tensor:
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * layer.variance.mean().cpu()
    path = linear_probe.fit_ridge_prefixes(layer, order=order, sizes=sizes, l2=l2)
    probe, _ = linear_probe.choose_l2(path, X["validation"], y["validation"])
    return probe.accuracy(X["test"], y["test"]).cpu()
