"""Every layer of one model: accuracy on its task and out of distribution, the tunnel, and the shape of the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from diffred_core import results
from diffred_core.chapters.depth.as_published import published_rows, spread_layers
from diffred_core.chapters.depth.checks import check_layers, same_rows
from diffred_core.chapters.depth.curve_rows import accuracy_rows, tunnel_rows
from diffred_core.chapters.depth.curves import LayerCurve, Layers, Resampling, own_curve, shifted_curve
from diffred_core.chapters.depth.names import HARUN, IN_DISTRIBUTION, LAYERS, PAPYAN, TRANSFER
from diffred_core.chapters.depth.shape import RandomParts, geometry_rows, redundancy_rows, similarity_rows
from diffred_core.errors import InputError
from diffred_core.linear_probe import LayerProbes
from diffred_core.results.rows import Row


def layers(
    layers: Layers,
    *,
    transfer: Sequence[Layers] = (),
    shifted: Sequence[Layers] = (),
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
) -> pd.DataFrame:
    """Return what every layer of one model is good for, on the task itself and out of distribution, in two meanings.

    A probe is fitted on training rows, its regulariser chosen on validation rows. ``in_distribution``: on the task.
    ``transfer``: on another task, with training rows of its own, which is the published design (Harun et al. 2024).
    ``shift``: the probe of the task itself, measured on rows of another task with the same classes.

    Parameters
    ----------
    layers : mapping of str to TaskFeatures
        Layers in the order in which the network runs them, the penultimate one last: `features.Source.layers`.
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
        Random subsets of every layer; 0 leaves redundancy out.
    published_layers : int
        Layers, evenly spread and the last among them, that are also probed as published; 0 for none.
    n_published_seeds : int
        Runs of the published probe on each.
    seed : int
        Of the first subset, the first published run, and the resampling of rows.
    level, n_boot : float, int
        Coverage and number of resamples of the intervals over rows: the measured ones, and where validation rows choose
        the layer, these too. None leaves the intervals out.
    conventions : sequence of {"papyan", "harun"}
        Of neural collapse, as in `geometry.neural_collapse`.

    Returns
    -------
    DataFrame
        A results table whose `task` is the one that is measured and whose `method` is the design. Layers stand in
        execution order. By layer: accuracy with its limits, accuracy_validation, l2_at_edge; on the task itself
        numerical_rank, stable_rank, rankme, class_separation, nc1 to nc4 (`recipe`: the convention), cka_to_last, and
        by draw accuracy_kept, diffused_redundancy; at some layers and by seed, with probe ``adamw``, accuracy
        (`recipe`: ``as published`` or ``selected epoch``) and optimism, their difference. Of all layers together, in
        the rows of the last one: with limits percent_retained, percent_retained_held_out (of the layer that validation
        rows choose), best_layer_gain (of that layer over the last), retained_beyond_id (percent_retained_held_out less
        that of the task itself), id_ood_correlation, alignment, tunnel_start_95 and _98; without them
        tunnel_start_revised and best_layer. Layers are counted from 1.

    Raises
    ------
    InputError
        If there are fewer than two layers, tasks have other layers, a split or all classes but one are missing in a
        task, classes under shift differ, or an option is out of range.
    """
    check_layers(layers, transfer, shifted, split=split)
    if n_subsets < 0:
        raise InputError(f"n_subsets must be at least 0, got {n_subsets}; 0 leaves redundancy out")
    published = spread_layers(list(layers), published_layers)
    curves, probes = _curves(layers, transfer, shifted, split, probe, Resampling(level, n_boot, seed))
    rows = [row for curve in curves for row in accuracy_rows(curve, layers, probe=probe)]
    rows += [row for curve in curves for row in tunnel_rows(curve, curves[0], layers, probe=probe)]
    rows += geometry_rows(layers, probes, probe=probe, eps=rank_eps, conventions=conventions)
    rows += similarity_rows(layers, split=split)
    if n_subsets:
        rows += redundancy_rows(layers, RandomParts(fraction, delta, range(seed, seed + n_subsets)), split=split)
    if published:
        seeds = range(seed, seed + n_published_seeds)
        for method, one in ((IN_DISTRIBUTION, layers), *((TRANSFER, other) for other in transfer)):
            rows += published_rows(one, method=method, chosen=published, split=split, seeds=seeds)
    shared: Row = {"experiment": LAYERS, "model": next(iter(layers.values())).model, "split": split}
    return results.as_table([shared | row for row in rows])


def _curves(
    layers: Layers,
    transfer: Sequence[Layers],
    shifted: Sequence[Layers],
    split: str,
    probe: str,
    resampling: Resampling,
) -> tuple[list[LayerCurve], LayerProbes]:
    """Return the curve of the task itself and of all others, and the probes of the task itself."""
    inside, probes = own_curve(layers, method=IN_DISTRIBUTION, split=split, probe=probe, resampling=resampling)
    # Rows of another task are other rows, resampled on their own; corrupted ones stay paired with theirs.
    others = [replace(resampling, seed=resampling.seed + number + 1) for number in range(len(transfer) + len(shifted))]
    curves = [inside]
    for other, own in zip(transfer, others, strict=False):
        curves.append(own_curve(other, method=TRANSFER, split=split, probe=probe, resampling=own)[0])
    for other, own in zip(shifted, others[len(transfer) :], strict=True):
        paired = resampling if same_rows(layers, other) else own
        curves.append(shifted_curve(probes, layers, other, split=split, resampling=paired))
    return curves, probes
