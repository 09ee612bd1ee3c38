"""As many features of the last layer as of an earlier one, and as of all hidden units of the network together.

The paper draws the k units of all layers from flattened maps (Nanda et al. 2023); here they are those of pooled maps,
as the features were asked for: `pool="2x2"` gives a map four units a channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from diffred_core import intervals, linear_probe, moments, subsets
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.curves import Resampling, TaskLayers, labels_of, layer_columns, rows_of
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.linear_probe import LAYER_L2
from diffred_core.results.rows import Row

LAST_FRACTIONS: tuple[float, ...] = (0.01, 0.05, 0.2)  # of the last layer: how many features each side keeps
LEAST_FRACTIONS: tuple[float, ...] = (*LAST_FRACTIONS, 0.5)  # a last layer that is too narrow for these keeps half


def equal_number_rows(layers: TaskLayers, *, seeds: Sequence[int], split: str, resampling: Resampling) -> Iterator[Row]:
    """Yield the accuracy of k random features of every layer and of all together, and by how much the last one leads.

    k are a few shares of the last layer; a layer with fewer features has no row. Each draw is a random subset of its
    own; the lead has limits over draws and measured rows. Rows of all layers together stand at the last layer, with
    the method ``random_hidden``.
    """
    last_name, last = list(layers.items())[-1]
    parts, y = {name: rows_of(of, split) for name, of in layers.items()}, labels_of(last, split)
    for size in Sizes.of(last.n_features, LEAST_FRACTIONS).nearest(LAST_FRACTIONS).n_selected:
        pools = {name: {name: part} for name, part in parts.items() if layers[name].n_features >= size}
        leading = _correct(pools[last_name], y, size, seeds=seeds)
        for name, pool in pools.items():
            correct = leading if name == last_name else _correct(pool, y, size, seeds=seeds)
            shared = layer_columns(name, layers[name]) | {"method": names.OF_LAYER, "probe": "ridge"}
            yield from _accuracy_rows(shared, correct, size, seeds)
            if name != last_name:
                yield shared | {"n_selected": size, "metric": names.LAST_LEAD} | _lead(leading, correct, resampling)
        shared = layer_columns(last_name, last) | {"method": names.OF_ALL_HIDDEN, "probe": "ridge"}
        correct = _correct(parts, y, size, seeds=seeds)
        yield from _accuracy_rows(shared, correct, size, seeds)
        yield shared | {"n_selected": size, "metric": names.LAST_LEAD} | _lead(leading, correct, resampling)


def _correct(
    parts: Mapping[str, Mapping[str, Tensor]], y: Mapping[str, Tensor], size: int, *, seeds: Sequence[int]
) -> Tensor:
    """Return whether the probe on `size` random units of some layers is right, (n_draws, n_measured)."""
    widths = [part["train"].shape[1] for part in parts.values()]
    owners = [(name, i) for (name, _), width in zip(parts.items(), widths, strict=True) for i in range(width)]
    correct = []
    for seed in seeds:
        chosen = [owners[i] for i in subsets.random_order(len(owners), seed=seed)[:size].tolist()]
        X = {
            rows: torch.cat(
                [part[rows][:, [i for owner, i in chosen if owner == name]] for name, part in parts.items()], dim=1
            )
            for rows in y
        }
        kept = moments.from_features(X["train"], y["train"], n_classes=int(y["train"].max()) + 1, quartic=False)
        # units of an early layer may never fire: the regulariser must stay above 0 all the same
        l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * float(kept.variance.mean().clamp_min(1e-12))
        probe, _ = linear_probe.choose_l2(linear_probe.fit_ridge(kept, l2=l2), X["validation"], y["validation"])
        correct.append(probe.predict(X["test"]) == y["test"])
    return torch.stack(correct)


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
