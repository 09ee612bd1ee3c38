"""Tunnels in small networks trained here, with and without early pooling; every convolution is swept like any layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from diffred_core import results
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.equal_number import retained_of_k
from diffred_core.chapters.depth.sweep_layers import layers
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures
from diffred_core.results.rows import Row
from diffred_core.small_networks import (
    SHORT,
    Architecture,
    Images,
    Network,
    TrainingRecipe,
    block_features,
    check_one_size,
    convolution_features,
    networks,
)

DRAWS = range(1, 4)  # seeds of the random dimensions of an equal number


def small_networks(
    images: Images,
    others: Sequence[Images],
    *,
    depths: Sequence[int] = (11, 17),
    widths: Sequence[int] = (8,),
    early_pooling: Sequence[bool] = (True, False),
    n_seeds: int = 3,
    seed: int = 0,
    recipe: TrainingRecipe = SHORT,
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
        Every combination is an `Architecture`.
    n_seeds, seed : int
        Networks of each architecture, and the seed of the first; all share the seeds, so that they can be compared in
        pairs: with and without early pooling a seed has the same first weights and the same order of images.
    recipe : TrainingRecipe
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
        Of every network the rows of the sweep `layers`, without intervals over rows: method ``in_distribution`` for the
        task that it was trained on and ``transfer`` for the others, neural collapse in the convention ``harun``.
        ``model`` is depth and width, ``label`` ``early_pooling`` or ``late_pooling``, ``recipe`` ``trained`` or
        ``untrained`` (its first weights), ``layer`` ``conv01``, ``conv02``, ... And by network what `network_rows`
        adds: mean_percent_retained over the OOD tasks, by which tunnels are called weak or strong;
        percent_retained_of_k of each, of as many random dimensions of every layer as the narrowest has;
        classifier_accuracy, of its own classifier; and training_loss (none of untrained networks).

    Raises
    ------
    InputError
        If there is no OOD task, image sizes differ, or as `small_networks.networks`.
    """
    _check(images, others)
    architectures = [Architecture(*chosen) for chosen in itertools.product(depths, widths, early_pooling)]
    seeds = range(seed, seed + n_seeds)
    recipes = {names.TRAINED: recipe} | ({names.UNTRAINED: replace(recipe, epochs=0)} if untrained else {})
    tables = []
    for state, chosen in recipes.items():
        for network in networks(
            images, architectures, seeds=seeds, recipe=chosen, device=device, root=root, progress=progress
        ):
            table = network_rows(network, images, others, pool=pool, eps=eps, device=device)
            label = names.EARLY if network.architecture.early_pooling else names.LATE
            model = f"vggm{network.architecture.depth}-w{network.architecture.width}"
            kind = {"experiment": names.SMALL_NETWORKS, "model": model, "label": label, "recipe": state}
            tables.append(table.assign(**kind, seed=network.seed, repeat=network.seed - seed))
    return results.check(pd.concat(tables, ignore_index=True))


def _check(images: Images, others: Sequence[Images]) -> None:
    if not others:
        raise InputError("expected at least one OOD task, got none; name one, or hold classes out")
    check_one_size(images, others)


def network_rows(
    network: Network, images: Images, others: Sequence[Images], *, pool: str, eps: float, device: str
) -> pd.DataFrame:
    """Return what every layer of one network is good for, on the task that it was trained on and on others.

    Rows of the sweep `layers`; in those of the last layer also percent_retained_of_k of every OOD task,
    mean_percent_retained over them, classifier_accuracy, and training_loss of trained networks.
    """
    reference, *transfer = (_features(network, task, pool=pool, device=device) for task in (images, *others))
    options = {"n_subsets": 0, "published_layers": 0, "n_boot": None, "conventions": (names.HARUN,)}
    table = layers(reference, transfer=transfer, rank_eps=eps, **options)
    retained = results.where(table, metric=names.RETAINED, method=names.TRANSFER)["value"]
    values = {
        names.MEAN_RETAINED: sum(retained) / len(retained),
        names.CLASSIFIER: _classifier_accuracy(network, images),
    }
    if network.losses:
        values["training_loss"] = network.losses[-1]
    last = results.where(table, metric=names.BEST_LAYER, task=images.task).iloc[0]
    shared: Row = last[["experiment", "model", "split"]].to_dict()
    own = last[["task", "layer", "n_features", "n_way"]].to_dict()
    rows = [shared | own | {"method": "full", "metric": metric, "value": value} for metric, value in values.items()]
    rows += [shared | {"method": names.TRANSFER} | retained_of_k(of, seeds=DRAWS, split="test") for of in transfer]
    return pd.concat([table, results.as_table(rows)])


def _features(network: Network, images: Images, *, pool: str, device: str) -> dict[str, TaskFeatures]:
    network.backbone.module.to(device)
    y, keys = images.y.to(device), dict.fromkeys(images.splits, network.key)
    layers = {}
    read = block_features if network.architecture.family == "vit" else convolution_features
    for layer, X in read(network.backbone, images.pixels.to(device), pool=pool).items():
        splits = {split: (X[rows], y[rows]) for split, rows in images.splits.items()}
        layers[layer] = TaskFeatures(network.backbone.name, images.task, images.classes, keys, splits)
    return layers


@torch.inference_mode()
def _classifier_accuracy(network: Network, images: Images) -> float:
    (pixels, y), backbone = images.split("test"), network.backbone
    device = next(backbone.module.parameters()).device
    classes = [backbone.module(backbone.normalised(batch.to(device))).argmax(1).cpu() for batch in pixels.split(256)]
    return float((torch.cat(classes) == y).double().mean())
