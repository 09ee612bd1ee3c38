"""A tunnel made and unmade: small networks with and without early pooling, probed at every convolution."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from diffred_core import geometry, linear_probe, moments, results, tunnel
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.results.rows import Row
from diffred_core.small_networks import SHORT, Design, Images, Network, Recipe, convolution_features, networks

EXPERIMENT = "tunnel_small_networks"
POOLING = {True: "early_pooling", False: "late_pooling"}
UNTRAINED = "_untrained"
SHARES = (0.95, 0.98)  # of the final ID accuracy, by which the original rule finds the tunnel
Features = dict[str, dict[str, Tensor]]  # layer: split: rows


def tunnel_small_networks(
    images: Images,
    others: Sequence[Images],
    *,
    depths: Sequence[int] = (11, 17),
    widths: Sequence[int] = (8,),
    early_pooling: Sequence[bool] = (True, False),
    n_seeds: int = 3,
    seed: int = 0,
    recipe: Recipe = SHORT,
    untrained: bool = True,
    pool: str = "2x2",
    eps: float = 1e-3,
    device: str = "cpu",
    root: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train small networks on one task and probe every convolution on it (ID) and on other tasks (OOD).

    Ridge probes on the frozen layers, fitted on the training rows of each task, their regulariser chosen on its
    validation rows, measured on its test rows.

    Parameters
    ----------
    images : Images
        The task that the networks are trained on.
    others : sequence of Images
        OOD tasks, of the same image size.
    depths, widths, early_pooling : sequences
        Every combination is a `Design`.
    n_seeds, seed : int
        Networks of each design, and the seed of the first; designs share seeds, so that they can be compared in pairs:
        with and without early pooling a seed has the same first weights and the same order of images.
    recipe : Recipe
    untrained : bool
        Whether every network is probed before training too: what depth alone does to a layer is no work of training.
    pool : {"2x2", "average"}
        How maps become rows.
    eps : float
        Of the numerical rank.
    device, root, progress
        As in `small_networks.networks`.

    Returns
    -------
    DataFrame
        A results table. ``model`` is depth and width, ``method`` ``early_pooling`` or ``late_pooling``, with
        ``_untrained`` behind it for the first weights, ``layer`` ``conv01``, ``conv02``, ... By layer: id_accuracy and
        ood_accuracy with their l2 and l2_at_edge, numerical_rank and nc1 (convention harun) on the ID training rows. By
        network: percent_retained, id_ood_correlation (none where a curve is constant), alignment and
        tunnel_start_revised (from 1; none where there is no tunnel) of every OOD task; mean_percent_retained over them,
        by which tunnels are called weak or strong; id_percent_retained, tunnel_start_95 and _98 (from 1),
        classifier_accuracy and training_loss (none of untrained networks).

    Raises
    ------
    InputError
        If there is no OOD task, image sizes differ, or as `small_networks.networks`.
    """
    _check(images, others)
    designs = [Design(*chosen) for chosen in itertools.product(depths, widths, early_pooling)]
    seeds = range(seed, seed + n_seeds)
    recipes = {"": recipe} | ({UNTRAINED: replace(recipe, epochs=0)} if untrained else {})
    options = {"seeds": seeds, "device": device, "root": root, "progress": progress}
    rows = (
        {"experiment": EXPERIMENT, "split": "test", "repeat": network.seed - seed} | _who(network, state) | row
        for state, chosen in recipes.items()
        for network in networks(images, designs, recipe=chosen, **options)
        for row in _network_rows(network, images, others, pool=pool, eps=eps, device=device)
    )
    return results.as_table(list(rows))


def _check(images: Images, others: Sequence[Images]) -> None:
    if not others:
        raise InputError("expected at least one OOD task, got none; name one, or hold classes out")
    for other in others:
        if other.size != images.size:
            raise InputError(
                f"expected images of {images.size} pixels in {other.task!r} as in {images.task!r}, got {other.size}; "
                "read all tasks with one size"
            )


def _who(network: Network, state: str) -> Row:
    design = network.design
    return {
        "model": f"vggm{design.depth}-w{design.width}",
        "method": f"{POOLING[design.early_pooling]}{state}",
        "seed": network.seed,
    }


def _network_rows(
    network: Network, images: Images, others: Sequence[Images], *, pool: str, eps: float, device: str
) -> Iterator[Row]:
    """Yield all rows of one network, one task after the other, so that the features of one are held at a time."""
    features = _features(network, images, pool=pool, device=device)
    id_probes = _probes(features, images)
    yield from _accuracy_rows(id_probes, features, images, "id_accuracy")
    yield from _geometry_rows(features, images, eps=eps)
    retained = []
    for other in others:
        features = _features(network, other, pool=pool, device=device)
        ood_probes = _probes(features, other)
        retained.append(float(tunnel.percent_retained(ood_probes.accuracy[:, 0])))
        yield from _accuracy_rows(ood_probes, features, other, "ood_accuracy")
        yield from _ood_rows(id_probes, ood_probes, features, images, other)
    yield from _id_rows(network, id_probes, features, images, retained)


def _features(network: Network, images: Images, *, pool: str, device: str) -> Features:
    network.backbone.module.to(device)
    layers = convolution_features(network.backbone, images.pixels.to(device), pool=pool)
    # in double precision: the smallest regularisers are below the rounding of float32 products
    return {layer: {split: X[rows].double() for split, rows in images.splits.items()} for layer, X in layers.items()}


def _probes(features: Features, images: Images) -> LayerProbes:
    y = {split: images.split(split)[1] for split in images.splits}
    return linear_probe.probe_layers(features, {images.task: y})


def _accuracy_rows(probes: LayerProbes, features: Features, images: Images, metric: str) -> Iterator[Row]:
    for i, layer in enumerate(probes.layers):
        who = _layer(features, layer) | {
            "task": images.task,
            "n_way": images.n_classes,
            "probe": "ridge",
            "l2": float(probes.l2[i, 0]),
        }
        yield who | {"metric": metric, "value": float(probes.accuracy[i, 0])}
        yield who | {"metric": "l2_at_edge", "value": float(probes.at_edge[i, 0])}


def _geometry_rows(features: Features, images: Images, *, eps: float) -> Iterator[Row]:
    y = images.split("train")[1]
    for layer, splits in features.items():
        found = moments.from_features(splits["train"], y, n_classes=images.n_classes, quartic=False)
        who = _layer(features, layer) | {"task": images.task, "n_way": images.n_classes, "split": "train"}
        yield who | {"metric": "numerical_rank", "value": geometry.numerical_rank(found, eps=eps)}
        yield who | {"metric": "nc1", "value": geometry.neural_collapse(found, convention="harun").nc1}


def _id_rows(
    network: Network, probes: LayerProbes, features: Features, images: Images, retained: Sequence[float]
) -> Iterator[Row]:
    curve = probes.accuracy[:, 0]
    values = {
        "mean_percent_retained": sum(retained) / len(retained),
        "id_percent_retained": float(tunnel.percent_retained(curve)),
        "classifier_accuracy": _classifier_accuracy(network, images),
    }
    if network.losses:
        values["training_loss"] = network.losses[-1]
    values |= {f"tunnel_start_{100 * share:g}": tunnel.tunnel_start(curve, share=share) + 1 for share in SHARES}
    who = _layer(features, probes.layers[-1]) | {"task": images.task, "n_way": images.n_classes}
    for metric, value in values.items():
        yield who | {"metric": metric, "value": value}


def _ood_rows(
    id_probes: LayerProbes, ood_probes: LayerProbes, features: Features, images: Images, other: Images
) -> Iterator[Row]:
    inside, outside = id_probes.accuracy[:, 0], ood_probes.accuracy[:, 0]
    start = tunnel.revised_tunnel_start(outside)
    values: Mapping[str, float] = {
        "percent_retained": float(tunnel.percent_retained(outside)),
        "id_ood_correlation": float(tunnel.id_ood_correlation(inside, outside)),
        "alignment": float(
            tunnel.alignment(inside[-1], outside[-1], id_classes=images.n_classes, ood_classes=other.n_classes)
        ),
        "tunnel_start_revised": math.nan if start is None else start + 1,
    }
    who = _layer(features, ood_probes.layers[-1]) | {"task": other.task, "n_way": other.n_classes}
    for metric, value in values.items():
        if not math.isnan(value):
            yield who | {"metric": metric, "value": value}


@torch.inference_mode()
def _classifier_accuracy(network: Network, images: Images) -> float:
    """Return the accuracy of the network's own classifier on the test rows."""
    pixels, y = images.split("test")
    backbone = network.backbone
    device = next(backbone.module.parameters()).device
    found = [backbone.module(backbone.normalised(batch.to(device))).argmax(1).cpu() for batch in pixels.split(256)]
    return float((torch.cat(found) == y).double().mean())


def _layer(features: Features, layer: str) -> Row:
    return {"layer": layer, "n_features": features[layer]["train"].shape[1]}
