"""Every layer of one model: accuracy on its task and out of distribution, the tunnel, and the shape of the layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from diffred_core import linear_probe, results
from diffred_core.chapters.depth import curves
from diffred_core.chapters.depth.curves import LayerCurve, Resampling, TaskLayers, task_of
from diffred_core.chapters.depth.equal_number import equal_number_rows
from diffred_core.chapters.depth.names import HARUN, IN_DISTRIBUTION, LAYERS, PAPYAN, TRANSFER
from diffred_core.chapters.depth.shape import geometry_rows, redundancy_rows, similarity_rows
from diffred_core.chapters.random_subsets.baselines import baseline_rows
from diffred_core.chapters.random_subsets.names import BASELINE
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row


def layers(
    reference: TaskLayers,
    *,
    transfer: Sequence[TaskLayers] = (),
    shifted: Sequence[TaskLayers] = (),
    split: str = "test",
    probe: str = "ridge",
    rank_eps: float = 1e-3,
    fraction: float = 0.2,
    delta: float = 0.9,
    n_subsets: int = 3,
    published_layers: int = 3,
    n_published_seeds: int = 3,
    seed: int = 1,
    level: float = 0.95,
    n_boot: int | None = 1000,
    conventions: Sequence[str] = (PAPYAN, HARUN),
    recipe: str | None = None,
) -> pd.DataFrame:
    """Return what every layer of one model is good for, on the task itself and out of distribution, in two meanings.

    A probe is fitted on training rows, its regulariser chosen on validation rows. ``in_distribution``: on the task.
    ``transfer``: on another task, with training rows of its own, which is the published design (Harun et al. 2024).
    ``shift``: the probe of the task itself, measured on rows of another task with the same classes.

    Parameters
    ----------
    reference : mapping of str to TaskFeatures
        Layers on the task itself, in the order in which the network runs them, the penultimate one last:
        `features.Source.layers`.
    transfer, shifted : sequence of such mappings
        The same layers on other tasks. Those of `shifted` need no training rows.
    split : str, default="test"
        Rows on which accuracy is measured.
    probe : {"ridge", "logistic"}
    rank_eps : float
        Of the numerical rank; the published value.
    fraction, delta : float
        Share of a layer that is kept for ``accuracy_kept``, and share of its accuracy for ``diffused_redundancy``.
    n_subsets : int
        Random subsets of every layer; 0 leaves redundancy and equal numbers of features out.
    published_layers : int
        TaskLayers, evenly spread and the last among them, that are also probed as published; 0 for none.
    n_published_seeds : int
        Runs of the published probe on each.
    seed : int
        Of the first subset, the first published run, and the resampling of rows.
    level, n_boot : float, int
        Coverage and number of resamples of the intervals over rows: the measured ones, and where validation rows choose
        the layer, these too. None leaves the intervals out.
    conventions : sequence of {"papyan", "harun"}
        Of neural collapse, as in `geometry.neural_collapse`.
    recipe : str, optional
        Of the probes as published, a name in `linear_probe.PUBLISHED_TUNNEL`; by default that of the family of a
        pre-trained network (`linear_probe.published_tunnel_recipe`). Its name stands in the column `recipe` of their
        rows.

    Returns
    -------
    DataFrame
        A results table whose `task` is the one that is measured and whose `method` is the design. Layers stand in
        execution order. By layer: accuracy with its limits, accuracy_validation, l2_at_edge; on the task itself
        numerical_rank, stable_rank, rankme, class_separation, nc1 to nc4 (`recipe`: the convention), cka_to_last, and
        by draw accuracy_kept, diffused_redundancy, accuracy_of_k (of as many features of every layer that has them,
        and with method ``random_hidden`` of all layers together), with limits last_layer_lead over these; at some
        layers and by seed, with probe ``adamw``, accuracy (`label`: ``as published`` or ``selected epoch``), optimism,
        their difference, and steps. Of all layers together, in the rows of the last one: with limits percent_retained,
        percent_retained_held_out (of the layer that validation rows choose), best_layer_gain (of that layer over the
        last), retained_beyond_id (percent_retained_held_out less that of the task itself), id_ood_correlation,
        alignment, tunnel_start_95 and _98; without them tunnel_start_revised and best_layer. Layers are counted from 1.
        By task, accuracy_without_features of a guess and of the commonest training class.

    Raises
    ------
    InputError
        If there are fewer than two layers, tasks have other layers, a split or all classes but one are missing in a
        task, classes under shift differ, or an option is out of range.
    """
    _check_layers(reference, transfer, shifted, split=split)
    if n_subsets < 0:
        raise InputError(f"n_subsets must be at least 0, got {n_subsets}; 0 leaves redundancy out")
    published = curves.spread_layers(list(reference), published_layers)
    recipe = recipe or linear_probe.published_tunnel_recipe(task_of(reference).model)
    linear_probe.tunnel_recipe(recipe)  # a wrong name is refused before the work
    moments, resampling = curves.training_moments(reference), Resampling(level, n_boot, seed)
    measured, probes = _measured(reference, moments, transfer, shifted, split=split, probe=probe, resampling=resampling)
    rows = [row for curve in measured for row in curves.accuracy_rows(curve, reference, probe=probe)]
    rows += [row for curve in measured for row in curves.tunnel_rows(curve, measured[0], reference, probe=probe)]
    rows += geometry_rows(reference, moments, probes, probe=probe, eps=rank_eps, conventions=conventions)
    rows += similarity_rows(reference, split=split)
    if n_subsets:
        seeds = range(seed, seed + n_subsets)
        ridge = probes if probe == "ridge" else curves.own_probes(reference, moments, split=split, probe="ridge")
        rows += redundancy_rows(reference, moments, ridge, fraction=fraction, delta=delta, seeds=seeds, split=split)
        rows += equal_number_rows(reference, moments, seeds=seeds, split=split, resampling=resampling)
    if published:
        seeds = range(seed, seed + n_published_seeds)
        for method, task in ((IN_DISTRIBUTION, reference), *((TRANSFER, other) for other in transfer)):
            rows += curves.published_rows(
                task, method=method, chosen=published, split=split, seeds=seeds, recipe=recipe
            )
    for of_task in (reference, *transfer):
        rows += _without_features(of_task, split=split)
    shared: Row = {"experiment": LAYERS, "model": task_of(reference).model, "split": split}
    return results.as_table([shared | row for row in rows])


def _without_features(layers: TaskLayers, *, split: str) -> list[Row]:
    """Return what a guess and the commonest class reach on a task, in rows of its last layer."""
    name, features = list(layers.items())[-1]
    of_task: Row = {"task": features.task, "layer": name, "n_features": features.n_features}
    return [of_task | row for row in baseline_rows(features, split=split) if row["metric"] == BASELINE]


def _measured(
    layers: TaskLayers,
    moments: Mapping[str, FeatureMoments],
    transfer: Sequence[TaskLayers],
    shifted: Sequence[TaskLayers],
    *,
    split: str,
    probe: str,
    resampling: Resampling,
) -> tuple[list[LayerCurve], LayerProbes]:
    options = {"split": split, "probe": probe}
    inside, probes = curves.own_curve(layers, moments, method=IN_DISTRIBUTION, resampling=resampling, **options)
    # Rows of another task are other rows, resampled on their own; corrupted ones, as of ``mnist5k+noise:3``, stay
    # paired with those of their task.
    fresh = (replace(resampling, seed=resampling.seed + number) for number in itertools.count(1))
    measured = [inside]
    for other in transfer:
        measured.append(curves.own_curve(other, {}, method=TRANSFER, resampling=next(fresh), **options)[0])
    for other, unpaired in zip(shifted, fresh, strict=False):
        paired = resampling if task_of(other).task.startswith(f"{task_of(layers).task}+") else unpaired
        measured.append(curves.shifted_curve(probes, layers, other, split=split, resampling=paired))
    return measured, probes


def _check_layers(
    layers: TaskLayers, transfer: Sequence[TaskLayers], shifted: Sequence[TaskLayers], *, split: str
) -> None:
    """Refuse fewer than two layers, other layers in another task, and rows that cannot be measured or fitted."""
    if len(layers) < 2:
        raise InputError(f"layers must hold at least 2 layers to compare, got {', '.join(layers) or 'none'}; name more")
    for other in (*transfer, *shifted):
        if tuple(other) != tuple(layers):
            task = repr(task_of(other).task) if other else "an OOD task"
            raise InputError(
                f"expected the layers {', '.join(layers)} of {task} too, got {', '.join(other) or 'none'}; load all "
                "tasks with the same layers"
            )
    for task in (layers, *transfer):
        _check_split(task, "train", why="they fit the probes")
    for task in (layers, *transfer, *shifted):
        _check_measured(task, split)


def _check_measured(layers: TaskLayers, split: str) -> None:
    task = task_of(layers)
    if split == "validation" or split not in task.splits:
        raise InputError(
            f"split must be one of {', '.join(name for name in task.splits if name != 'validation')} of "
            f"{task.task!r}, got {split!r}; validation rows choose the regulariser"
        )
    _check_split(layers, "validation", why="they choose the regulariser and the layer")
    if len(task.splits[split][1].unique()) < 2:
        raise InputError(
            f"expected at least 2 classes among the {split} rows of {task.task!r}, got one; measure it on rows of "
            "several classes"
        )


def _check_split(layers: TaskLayers, split: str, *, why: str) -> None:
    task = task_of(layers)
    if split not in task.splits:
        raise InputError(
            f"expected a split {split!r} of {task.task!r}, got {', '.join(task.splits)}; hold rows out: {why}"
        )
