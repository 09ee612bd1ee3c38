"""Every layer of one model: accuracy on its task and out of distribution, the tunnel, and the shape of the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from diffred_core import results
from diffred_core.chapters.depth.as_published import published_rows, spread_layers
from diffred_core.chapters.depth.checks import check_layers, same_rows
from diffred_core.chapters.depth.curve_rows import accuracy_rows, tunnel_rows
from diffred_core.chapters.depth.curves import IN_DISTRIBUTION, TRANSFER, Layers, Resampling, own_curve, shifted_curve
from diffred_core.chapters.depth.shape import geometry_rows, redundancy_rows, similarity_rows
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

REDUNDANCY_FRACTIONS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)


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
    n_boot: int = 1000,
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
        the layer, these too.

    Returns
    -------
    DataFrame
        A results table whose `task` is the one that is measured and whose `method` is the design. Layers stand in
        execution order. By layer: accuracy (_low, _high), accuracy_validation, l2_at_edge; on the task itself
        numerical_rank, stable_rank, rankme, class_separation, nc1 to nc4 (_papyan, _harun), cka_to_last, and by draw
        accuracy_kept, diffused_redundancy; at some layers and by seed accuracy_as_published,
        accuracy_selected_epoch, optimism. Of all layers together, in the rows of the last one: percent_retained,
        percent_retained_held_out (of the layer that validation rows choose), best_layer_gain (of that layer over the
        last), retained_beyond_id (percent_retained_held_out less that of the task itself), id_ood_correlation,
        alignment, tunnel_start_95 and _98 (each with _low, _high), tunnel_start_revised, best_layer; layers are counted
        from 1.

    Raises
    ------
    InputError
        If there are fewer than two layers, tasks have other layers, a split or all classes but one are missing in a
        task, classes under shift differ, or an option is out of range.
    """
    check_layers(layers, transfer, shifted, split=split)
    if n_subsets < 0:
        raise InputError(f"n_subsets must be at least 0, got {n_subsets}; 0 leaves redundancy out")
    options = {"split": split, "probe": probe, "how": Resampling(level, n_boot, seed)}
    rows: list[Row] = []
    inside, probes = own_curve(layers, method=IN_DISTRIBUTION, **options)
    curves = [inside]
    for number, other in enumerate(transfer, start=1):
        # Rows of another task are other rows, resampled on their own; corrupted ones stay paired with theirs.
        how = replace(options["how"], seed=seed + number)
        curves.append(own_curve(other, method=TRANSFER, split=split, probe=probe, how=how)[0])
    for number, other in enumerate(shifted, start=1 + len(transfer)):
        how = options["how"] if same_rows(layers, other) else replace(options["how"], seed=seed + number)
        curves.append(shifted_curve(probes, layers, other, split=split, how=how))
    for curve in curves:
        rows += accuracy_rows(curve, layers, probe=probe)
    for curve in curves:
        rows += tunnel_rows(curve, inside, layers, probe=probe)
    rows += geometry_rows(layers, probes, probe=probe, eps=rank_eps)
    rows += similarity_rows(layers, split=split)
    if n_subsets:
        seeds = range(seed, seed + n_subsets)
        rows += redundancy_rows(
            layers, split=split, fractions=REDUNDANCY_FRACTIONS, fraction=fraction, delta=delta, seeds=seeds
        )
    chosen = spread_layers(list(layers), published_layers)
    if chosen:
        rows += _published(layers, transfer, chosen, split=split, seeds=range(seed, seed + n_published_seeds))
    model = next(iter(layers.values())).model
    common = {"experiment": "layers", "model": model, "split": split}
    return results.as_table([common | row for row in rows])


def _published(
    layers: Layers, transfer: Sequence[Layers], chosen: Sequence[str], *, split: str, seeds: Sequence[int]
) -> Iterator[Row]:
    yield from published_rows(layers, method=IN_DISTRIBUTION, chosen=chosen, split=split, seeds=seeds)
    for other in transfer:
        yield from published_rows(other, method=TRANSFER, chosen=chosen, split=split, seeds=seeds)
