"""How alike layers are, between two networks and between seeds of one, by seven indices; and what CKA does not see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import geometry, linear_probe, results
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.layer import Layer
from diffred_core.chapters.spectra.shifts import check_domain
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns
from diffred_core.similarity import INDICES, similarity_map

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures
    from diffred_core.small_networks import Images, Network, TrainingRecipe

MOST_ROWS = 1000  # of a map: kernels are n x n
L2 = 1e-3  # of the probe on principal components, in units of the mean variance


def similarity_across(
    features: TaskFeatures,
    own_layers: Mapping[str, TaskFeatures],
    other_layers: Mapping[str, TaskFeatures],
    *,
    seeds: pd.DataFrame | None = None,
    split: str = "test",
) -> pd.DataFrame:
    """Return maps of the layers of two networks on the same rows, and the principal components of the last layer.

    Parameters
    ----------
    features : TaskFeatures
        Of the layer whose principal components are compared with it, with splits train, validation and `split`.
    own_layers, other_layers : mapping of str to TaskFeatures
        Of two networks on one task, with `split`, in the order in which they run.
    seeds : DataFrame, optional
        Of `seed_maps`, to stand in the same table.
    split : str
        Rows of the maps, the first 1,000 of them, and of the accuracy.

    Returns
    -------
    DataFrame
        A results table. Metrics of `similarity.INDICES` by layer and other layer (column label), method
        ``between_networks`` with the other network as recipe; method ``principal``: cka, label_energy and accuracy of
        the first n_selected components.

    Raises
    ------
    InputError
        No layers, or two networks on different rows.
    """
    check_domain(features, features, split=split)
    if not own_layers or not other_layers:
        raise InputError("expected layers of two networks, got none of one; name some in layers")
    first, other = (next(iter(of.values())) for of in (own_layers, other_layers))
    if not torch.equal(first.splits[split][1], other.splits[split][1]):
        raise InputError(f"expected the same rows under {first.model!r} and {other.model!r}; load one task")
    shared = shared_columns(first, experiment=names.ACROSS, split=split, layer="")
    shared |= {"method": names.BETWEEN_NETWORKS, "recipe": other.model}
    pair = [{name: of.splits[split][0] for name, of in side.items()} for side in (own_layers, other_layers)]
    rows = [shared | row for row in map_rows(*pair)]
    last = shared_columns(features, experiment=names.ACROSS, split=split, layer="penultimate")
    rows += [last | {"method": names.PRINCIPAL} | row for row in _component_rows(features, split)]
    table = results.as_table(rows)
    return table if seeds is None else results.check(pd.concat([table, seeds], ignore_index=True))


def map_rows(layers: Mapping[str, Tensor], other_layers: Mapping[str, Tensor]) -> Iterator[Row]:
    """Yield every index of every pair of layers; PWCCA of layers with fewer features than rows alone."""
    for index in INDICES:
        sides = []
        for side in (layers, other_layers):
            rows = {name: X[:MOST_ROWS] for name, X in side.items()}
            sides.append({name: X for name, X in rows.items() if index != "pwcca" or X.shape[1] < len(X) - 1})
        if not all(sides):
            continue
        values = similarity_map(*(list(side.values()) for side in sides), index=index)
        for (i, (name, X)), (j, other) in itertools.product(enumerate(sides[0].items()), enumerate(sides[1])):
            place = {"layer": name, "label": other, "n_features": X.shape[1]}
            yield place | {"metric": index, "value": float(values[i, j])}


def seed_maps(
    images: Images,
    *,
    architecture: str = "vggm11-w8",
    n_seeds: int = 5,
    seed: int = 0,
    recipe: TrainingRecipe | None = None,
    pool: str = "average",
    root: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train networks that differ in their seed alone, and return the map of every pair, trained and untrained.

    Parameters
    ----------
    images : Images
        The task that they are trained on; maps are on its test rows.
    architecture : str
        As `small_networks.Architecture.named`.
    n_seeds, seed : int
        Networks, at least two, and the seed of the first.
    recipe : TrainingRecipe, optional
    pool, root, progress
        As in `small_networks`.

    Returns
    -------
    DataFrame
        A results table as of `similarity_across`: method ``between_seeds``, recipe ``trained`` or ``untrained``, one
        repeat a pair.

    Raises
    ------
    InputError
        Fewer than two seeds, or as `small_networks.networks`.
    """
    # networks need torchvision, which a file of embeddings does without
    from diffred_core.small_networks import SHORT, Architecture, networks

    if n_seeds < 2:
        raise InputError(f"n_seeds must be at least 2, got {n_seeds}; a pair of seeds is compared")
    rows: list[Row] = []
    trained = recipe or SHORT
    for state, chosen in {names.TRAINED: trained, names.UNTRAINED: replace(trained, epochs=0)}.items():
        chosen_seeds = range(seed, seed + n_seeds)
        kept = networks(
            images, [Architecture.named(architecture)], seeds=chosen_seeds, recipe=chosen, root=root, progress=progress
        )
        layers = [_layers(network, images, pool) for network in kept]
        for repeat, (a, b) in enumerate(itertools.combinations(range(n_seeds), 2)):
            at = {"repeat": repeat, "seed": seed + a, "recipe": state}
            rows += [at | row for row in map_rows(layers[a], layers[b])]
    shared = {"experiment": names.ACROSS, "task": images.task, "model": architecture, "split": "test"}
    return results.as_table([shared | {"method": names.BETWEEN_SEEDS} | row for row in rows])


def _layers(network: Network, images: Images, pool: str) -> dict[str, Tensor]:
    from diffred_core.small_networks import convolution_features

    return convolution_features(network.backbone, images.split("test")[0][:MOST_ROWS], pool=pool)


def _component_rows(features: TaskFeatures, split: str) -> Iterator[Row]:
    """Yield the biased CKA of the first components with the layer, the label energy they hold, and a probe's accuracy.

    The CKA is exact without the rows: of kernels with the eigenvalues l the product is ``sum_{i <= k} l_i^2``, so that
    CKA is ``|l_1..k| / |l|``.
    """
    layer = Layer.of(features)
    spectrum = geometry.spectrum(layer.moments)
    similar = (spectrum.values.square().cumsum(0) / spectrum.values.square().sum()).sqrt()
    energy = geometry.label_alignment(layer.moments, of=spectrum)
    n = min(len(similar), len(energy))
    sizes = component_sizes(n, features.n_classes)
    turned = layer.moments.transform(spectrum.vectors)
    X = layer.X[split].double() @ spectrum.vectors
    l2 = L2 * float(layer.moments.variance.mean())
    order = torch.arange(turned.n_features)
    accuracy = linear_probe.ridge_curve(turned, X, layer.y[split], order=order, sizes=sizes, l2=l2)
    for k, right in zip(sizes, accuracy.tolist(), strict=True):
        at: Row = {"n_selected": k, "fraction": k / features.n_features}
        for metric, value in ((names.CKA, similar[k - 1]), (names.ENERGY, energy[k - 1]), (names.ACCURACY, right)):
            yield at | {"metric": metric, "value": float(value)}


def component_sizes(n: int, n_classes: int) -> Sequence[int]:
    """Return numbers of components: a few, as many as classes less one, and all."""
    spaced = torch.logspace(0, math.log10(n), 16, dtype=torch.float64).round().long().tolist()
    return sorted({*spaced, min(n, max(1, n_classes - 1)), n})
