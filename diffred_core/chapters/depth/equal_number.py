"""As many features of the last layer as of an earlier one, and as of all hidden units of the network together.

The paper draws the k units of all layers from flattened maps (Nanda et al. 2023); here they are those of pooled maps,
as the features were asked for: `pool="2x2"` gives a map four units a channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffred_core import intervals, linear_probe, moments, subsets, tunnel
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.curves import (
    MEASURED,
    Resampling,
    TaskLayers,
    labels_of,
    layer_columns,
    rows_of,
    splits_of,
    training_moments,
)
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.linear_probe import LAYER_L2
from diffred_core.moments import FeatureMoments
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

LAST_FRACTIONS: tuple[float, ...] = (0.01, 0.05, 0.2)  # of the last layer: how many dimensions each side keeps
LEAST_FRACTIONS: tuple[float, ...] = (*LAST_FRACTIONS, 0.5)  # a last layer that is too narrow for these keeps half


def equal_number_rows(
    layers: TaskLayers,
    layer_moments: Mapping[str, FeatureMoments],
    *,
    seeds: Sequence[int],
    split: str,
    resampling: Resampling,
) -> Iterator[Row]:
    """Yield the accuracy of k random dimensions of every layer and of all together, and by how much the last one leads.

    k are a few shares of the last layer; a layer with fewer dimensions has no row. Each draw is a random subset of its
    own; the lead has limits over draws and measured rows. Rows of all layers together stand at the last layer, with
    the method ``random_hidden``.
    """
    last_name, last = list(layers.items())[-1]
    sizes = Sizes.of(last.n_features, LEAST_FRACTIONS).nearest(LAST_FRACTIONS).n_selected
    by_layer = {
        name: _of_layer(of, layer_moments[name], sizes, seeds=seeds, split=split) for name, of in layers.items()
    }
    of_all, leading = _of_all(layers, sizes, seeds=seeds, split=split), by_layer[last_name]
    for size in sizes:
        for name, correct in by_layer.items():
            if size in correct:
                shared = layer_columns(name, layers[name]) | {"method": names.OF_LAYER, "probe": "ridge"}
                yield from _accuracy_rows(shared, correct[size], size, seeds)
                if name != last_name:
                    lead = _lead(leading[size], correct[size], resampling)
                    yield shared | {"n_selected": size, "metric": names.LAST_LEAD} | lead
        shared = layer_columns(last_name, last) | {"method": names.OF_ALL_HIDDEN, "probe": "ridge"}
        yield from _accuracy_rows(shared, of_all[size], size, seeds)
        lead = _lead(leading[size], of_all[size], resampling)
        yield shared | {"n_selected": size, "metric": names.LAST_LEAD} | lead


def retained_of_k(layers: TaskLayers, *, seeds: Sequence[int], split: str) -> Row:
    """Return how much of the best layer's accuracy the last one retains where every layer gives as many features.

    As many as the narrowest layer has, drawn at random, mean over draws: what depth loses then is no matter of width.
    """
    k = min(of.n_features for of in layers.values())
    kept = training_moments(layers)
    by_layer = [_of_layer(of, kept[name], [k], seeds=seeds, split=split)[k] for name, of in layers.items()]
    accuracies = torch.stack([correct.double().mean() for correct in by_layer])
    (name, last) = list(layers.items())[-1]
    value = float(tunnel.percent_retained(accuracies))
    return layer_columns(name, last) | {
        "probe": "ridge",
        "n_selected": k,
        "metric": names.RETAINED_OF_K,
        "value": value,
    }


def _of_layer(
    of: TaskFeatures, moments: FeatureMoments, sizes: Sequence[int], *, seeds: Sequence[int], split: str
) -> dict[int, Tensor]:
    """Return, by size, whether the probe on so many random units is right, (n_draws, n_measured)."""
    X, y = rows_of(of, split, parts=MEASURED), labels_of(of, split)
    fitting = [size for size in sizes if size <= of.n_features]
    if not fitting:
        return {}
    orders = [subsets.random_order(of.n_features, seed=seed) for seed in seeds]
    correct = _correct(moments, [order[:size] for size in fitting for order in orders], X, y)
    return dict(zip(fitting, correct.unflatten(0, (len(fitting), -1)), strict=True))


def _of_all(layers: TaskLayers, sizes: Sequence[int], *, seeds: Sequence[int], split: str) -> dict[int, Tensor]:
    """Return the same of units of all layers together; each draw gathers those of its largest size."""
    last, correct = list(layers.values())[-1], []
    owners = torch.arange(len(layers)).repeat_interleave(torch.tensor([of.n_features for of in layers.values()]))
    unit = torch.cat([torch.arange(of.n_features) for of in layers.values()])
    y = labels_of(last, split)
    for seed in seeds:
        chosen = subsets.random_order(len(owners), seed=seed)[: max(sizes)]
        X = _gathered(layers, owners[chosen], unit[chosen], split)
        kept = moments.from_features(X["train"], y["train"], n_classes=last.n_classes, quartic=False)
        correct.append(_correct(kept, [torch.arange(size) for size in sizes], X, y))
    return dict(zip(sizes, torch.stack(correct, 1), strict=True))


def _gathered(layers: TaskLayers, owners: Tensor, units: Tensor, split: str) -> dict[str, Tensor]:
    """Return the units of some layers side by side, in double precision, by part."""
    parts: dict[str, list[Tensor]] = {}
    at = [(owners == number).nonzero().flatten() for number in range(len(layers))]
    for of, places in zip(layers.values(), at, strict=True):
        for part, rows in splits_of(of, split).items():
            parts.setdefault(part, []).append(rows[:, units[places].to(rows.device)])
    back = torch.cat(at).argsort()
    return {part: torch.cat(columns, 1)[:, back.to(columns[0].device)].double() for part, columns in parts.items()}


def _correct(
    moments: FeatureMoments, chosen: Sequence[Tensor], X: Mapping[str, Tensor], y: Mapping[str, Tensor]
) -> Tensor:
    """Return whether the probes on the `chosen` features are right, (n_subsets, n_measured)."""
    # units of an early layer may never fire: the regulariser must stay above 0 all the same
    variance = moments.variance.cpu()
    scale = torch.stack([variance[subset].mean().clamp_min(1e-12) for subset in chosen])
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64)[:, None] * scale
    probe, _ = linear_probe.choose_l2(
        linear_probe.fit_ridge(moments, subsets=chosen, l2=l2), X["validation"], y["validation"]
    )
    return probe.predict(X["test"]) == y["test"]


def _accuracy_rows(shared: Row, correct: Tensor, size: int, seeds: Sequence[int]) -> Iterator[Row]:
    for repeat, (seed, right) in enumerate(zip(seeds, correct, strict=True)):
        draw = {"repeat": repeat, "seed": seed, "n_selected": size}
        yield shared | draw | {"metric": names.ACCURACY_OF_K, "value": float(right.double().mean())}


def _lead(leading: Tensor, correct: Tensor, resampling: Resampling) -> Row:
    """Return how much more accurate `leading` is, with its interval over draws and rows, if one is wanted."""
    if resampling.n_boot is None:
        return {"value": float(leading.double().mean() - correct.double().mean())}
    options = {"level": resampling.level, "n_boot": resampling.n_boot, "seed": resampling.seed}
    lead = intervals.paired_bootstrap(leading.cpu().numpy(), correct.cpu().numpy(), **options)
    return {"value": lead.estimate, "low": lead.low, "high": lead.high}
