"""What is measured of one network on one task: redundancy of its last layer, its shape, and its own classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core import cka, geometry, moments, redundancy, subsets
from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.random_subsets.comparators import draw as draws_of
from diffred_core.chapters.random_subsets.curves import RIDGE_L2, Curve, ProbeData, ridge, whole_layer
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.chapters.random_subsets.sweep_prefix import prefix_test
from diffred_core.chapters.random_subsets.sweep_similarity import TELLING
from diffred_core.features import TaskFeatures
from diffred_core.results import where
from diffred_core.results.rows import Row
from diffred_core.small_networks import Images, Network, adversarial_pixels

BATCH = 256


@dataclass(frozen=True)
class Measured:
    """What is asked of every network alike.

    Attributes
    ----------
    fractions : sequence of float
        Shares of the dimensions at which random subsets and the first k are measured.
    n_draws, seed : int
        Random subsets of every share, and the seed of the first: the same ones in every network of one width.
    n_prefix_draws : int
        Random subsets of `random_subsets.prefix_test`.
    eps, attack_steps, n_attacked : float, int, int
        Of the attack by which robust accuracy is measured, and on how many test images at most.
    rank_eps : float
        Of the numerical rank.
    """

    fractions: Sequence[float]
    n_draws: int
    seed: int
    n_prefix_draws: int
    eps: float
    attack_steps: int
    n_attacked: int
    rank_eps: float


def features_of(network: Network, images: Images) -> TaskFeatures:
    """Return the features before the classifier on all splits of a task, on the CPU."""
    backbone, keys = network.backbone, dict.fromkeys(images.splits, network.key)
    device = next(backbone.module.parameters()).device
    with torch.inference_mode():
        batches = (backbone.normalised(batch.to(device)) for batch in images.pixels.split(BATCH))
        X = torch.cat([backbone.features(batch).cpu() for batch in batches]).clone()
    splits = {split: (X[rows], images.y[rows]) for split, rows in images.splits.items()}
    return TaskFeatures(backbone.name, images.task, images.classes, keys, splits)


def redundancy_rows(features: TaskFeatures, of: Measured) -> Iterator[Row]:
    """Yield accuracy by size, diffused redundancy, similarity above its null and inequality, each mean over draws."""
    data, sizes = ProbeData.of(features, split="test", standardize=False), Sizes.of(features.n_features, of.fractions)
    seeds = range(of.seed, of.seed + of.n_draws)
    whole, all_of_it = whole_layer(data)
    full = ridge(data, whole, all_of_it, l2=RIDGE_L2)
    first, *drawn = (
        ridge(data, draw, sizes, l2=RIDGE_L2)
        for method in (names.FIRST_K, names.RANDOM)
        for draw in draws_of(method, data.moments, seeds=seeds)
    )
    of_full = float(full.accuracy)
    yield {"method": names.FULL, "fraction": 1.0, "metric": names.ACCURACY, "value": of_full}
    for method, accuracy in ((names.FIRST_K, first.accuracy), (names.RANDOM, _mean(drawn))):
        yield from _curve_rows(method, sizes, accuracy.tolist(), of_full)
    yield from _inequality_rows(drawn, full, data.measured[1], sizes)
    at: Row = {"method": names.RANDOM, **_at(sizes)}
    yield from (at | {"metric": names.EXCESS, "value": excess} for excess in _excess(data, sizes, seeds))


def _mean(drawn: Sequence[Curve]) -> Tensor:
    return torch.stack([curve.accuracy for curve in drawn]).mean(0)


def _at(sizes: Sizes) -> Row:
    """Return the columns of the size at which single numbers are compared."""
    (fraction,), (size,) = (of := sizes.nearest([names.FRACTION])).fractions, of.n_selected
    return {"fraction": fraction, "n_selected": size}


def _curve_rows(method: str, sizes: Sizes, accuracy: list[float], of_full: float) -> Iterator[Row]:
    for fraction, size, value in zip(sizes.fractions, sizes.n_selected, accuracy, strict=True):
        at: Row = {"method": method, "fraction": fraction, "n_selected": size}
        yield at | {"metric": names.ACCURACY, "value": value}
        if fraction == _at(sizes)["fraction"]:
            yield at | {"metric": names.KEPT, "value": value / of_full}
    for metric, estimator in ((names.FIRST, "first"), (names.NEAREST, "nearest")):
        for delta in names.DELTAS:
            value = redundancy.diffused_redundancy(sizes.fractions, accuracy, of_full, delta=delta, estimator=estimator)
            yield {"method": method, "delta": delta, "metric": metric, "value": value}


def _inequality_rows(drawn: Sequence[Curve], full: Curve, y: Tensor, sizes: Sizes) -> Iterator[Row]:
    """Yield the Gini coefficient of single draws and its rise over the whole layer, each less what chance gives."""
    labels, counts = y.unique(return_counts=True)
    j = sizes.fractions.index(_at(sizes)["fraction"])

    def beyond(correct: Tensor) -> tuple[float, float]:
        by_class = torch.stack([correct[:, y == label].double().mean(1) for label in labels], dim=1).cpu().numpy()
        gini = float(redundancy.gini_by_curve(by_class).mean())
        return gini, gini - redundancy.gini_null(float(by_class.mean()), counts.cpu().numpy())

    (gini, random), (_, whole) = beyond(torch.stack([curve.correct[j] for curve in drawn])), beyond(full.correct)
    at: Row = {"method": names.RANDOM, **_at(sizes)}
    yield at | {"metric": names.GINI, "value": gini}
    yield at | {"metric": names.GINI_RISE, "value": random - whole}


def _excess(data: ProbeData, sizes: Sizes, seeds: Sequence[int]) -> list[float]:
    """Return the debiased CKA of random parts with the layer less that of uncorrelated dimensions, mean over draws.

    A part without a feature that varies enough to be like anything is left out; where no part has one, nothing is
    returned.
    """
    layer = moments.from_features(data.measured[0].double())
    telling = cka.similarity_matrix(layer).diagonal() > TELLING * layer.gram.diagonal().square()
    n, size = layer.n_features, sizes.nearest([names.FRACTION]).n_selected
    masks = torch.stack([subsets.prefix_masks(subsets.random_order(n, seed=seed), size)[0] for seed in seeds])
    masks = masks[masks[:, telling.to(masks.device)].any(1)]
    return [float((cka.subset_cka(layer, masks) - cka.diagonal_null(layer, masks)).mean())] if len(masks) else []


def shape_rows(features: TaskFeatures, of: Measured) -> Iterator[Row]:
    """Yield class separation R2, NC1, and two ranks of the training rows."""
    X, y = features.splits["train"]
    layer = moments.from_features(X.double(), y, n_classes=features.n_classes, quartic=False)
    values = {
        names.SEPARATION: _separation(X, y),
        names.NC1: geometry.neural_collapse(layer).nc1,
        names.RANK: geometry.numerical_rank(layer, eps=of.rank_eps),
        names.RANKME: geometry.rankme(layer),
    }
    for metric, value in values.items():
        yield {"method": names.FULL, "split": "train", "metric": metric, "value": float(value)}


def _separation(X: Tensor, y: Tensor) -> float:
    """Return the class separation of the rows that have a direction: rectified features can all be 0."""
    directed = X.any(dim=1)
    return geometry.class_separation(X[directed], y[directed])


def prefix_rows(features: TaskFeatures, of: Measured) -> Iterator[Row]:
    """Yield the p-value of the first k dimensions among random k, and what they gain over them, at every size."""
    table = where(prefix_test(features, n_draws=of.n_prefix_draws, seed=of.seed), method=names.FIRST_K)
    kept = ["method", "fraction", "n_selected", "metric", "value"]
    yield from where(table, metric=(names.PREFIX_P, names.GAIN))[kept].to_dict("records")


def classifier_rows(network: Network, images: Images, of: Measured) -> Iterator[Row]:
    """Yield the accuracy of the network's own classifier, clean and under attack, and its last training loss."""
    (pixels, y), backbone = images.split("test"), network.backbone
    few = torch.arange(0, len(y), max(1, -(-len(y) // of.n_attacked)))  # through all classes, whatever their order
    attacked = [
        adversarial_pixels(
            backbone.module, batch, labels, normalised=backbone.normalised, eps=of.eps, steps=of.attack_steps
        )
        for batch, labels in _batches(network, pixels[few], y[few])
    ]
    right = {
        names.CLASSIFIER: _right(network, pixels, y),
        names.ROBUST: _right(network, torch.cat(attacked), y[few]),
    }
    for metric, hits in right.items():
        yield {"method": names.FULL, "metric": metric, "value": float(hits.double().mean())}
    if network.losses:
        yield {"method": names.FULL, "metric": names.LOSS, "split": "train", "value": network.losses[-1]}


@torch.inference_mode()
def _right(network: Network, pixels: Tensor, y: Tensor) -> Tensor:
    """Return whether the network's own classifier is right on every image, (n,) of bool."""
    backbone = network.backbone
    hits = [
        backbone.module(backbone.normalised(batch)).argmax(1) == labels
        for batch, labels in _batches(network, pixels, y)
    ]
    return torch.cat(hits).cpu()


def _batches(network: Network, pixels: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    device = next(network.backbone.module.parameters()).device
    return zip(pixels.to(device).split(BATCH), y.to(device).split(BATCH), strict=True)
