"""All measures of random parts of a layer against the share of the dimensions kept, beside their floors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import geometry, linear_probe, results, subsets
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.chapters.spectra import heads, measures, names
from diffred_core.chapters.spectra.layer import Layer
from diffred_core.chapters.spectra.measures import Part
from diffred_core.chapters.spectra.shifts import Shift, check_domain
from diffred_core.errors import InputError
from diffred_core.geometry import Spectrum
from diffred_core.linear_probe import LAYER_L2, LinearProbe
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

FRACTIONS: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
N_WARM = 50  # training rows of a warm start


def spectra(
    features: TaskFeatures,
    *,
    untrained: Sequence[TaskFeatures] = (),
    shifted: Sequence[TaskFeatures] = (),
    tangents: Tensor | None = None,
    fractions: Sequence[float] = FRACTIONS,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    n_warm: int = N_WARM,
    n_heads: int = 0,
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return what a layer and random parts of it say of labels, classes, domains and probes, and the floors of it.

    All is measured on training rows, accuracy and flips on `split`. Of every part the Gram block, its eigenvectors and
    the class sums are taken once.

    Parameters
    ----------
    features : TaskFeatures
        Of one model and task, with splits train, validation and `split`.
    untrained : sequence of TaskFeatures
        The same rows under the network before training; draw r takes the r-th, and begins anew after the last.
    shifted : sequence of TaskFeatures
        The same classes in another domain, for proxy A-distance and warm starts.
    tangents : Tensor (n_tangents, n_features), optional
        From `features.Source.tangents`, for the geometric complexity of network and probe.
    fractions : sequence of float
        Shares of the dimensions to keep; the whole layer always is among them.
    n_seeds, seed : int
        Draws of every size, and the seed of the first.
    split : str
        Rows on which accuracy is measured.
    n_warm : int
        Training rows on which a warm start is fine-tuned.
    n_heads : int
        Draws in which heads are trained for the other domains, on the whole layer; at most `n_seeds`.
    layer : str
        Name of the layer, for the table.

    Returns
    -------
    DataFrame
        A results table. Method ``random`` and its floors ``shuffled_labels``, ``rotated`` and, if given,
        ``untrained``; one row a metric of `names`, size and draw. The whole layer has one draw, but for labels.
        ``label_alignment`` is the curve of the whole layer: ``n_selected`` and ``fraction`` are of its directions.

    Raises
    ------
    InputError
        If an argument is out of range, a split or a class has no rows, or a domain has other features or classes.
    """
    _check(features, untrained, shifted, n_seeds=n_seeds, split=split)
    if not 0 <= n_heads <= n_seeds:
        raise InputError(f"n_heads must be from 0 to n_seeds={n_seeds}, got {n_heads}; 0 trains none")
    plain = Layer.of(features)
    measures.check_tangents(tangents, plain)
    floors = [Layer.of(floor, method=names.UNTRAINED) for floor in untrained]
    domains = {other.task: Layer.of(other) for other in shifted}
    sizes, seeds = _sizes(features.n_features, fractions), range(seed, seed + n_seeds)
    sweep = _Sweep(sizes, split=split, tangents=tangents, n_warm=n_warm)
    rows: list[Row] = []
    for repeat, s in enumerate(seeds):
        draw = _Order(repeat, s, subsets.random_order(features.n_features, seed=s))
        parts = sweep.parts(plain, draw)
        rows += sweep.rows(parts, draw)
        rows += sweep.rows(sweep.relabelled(plain.shuffled(s), parts, draw), draw)
        rows += sweep.rows(sweep.parts(plain.rotated(s), draw), draw)
        if floors:
            rows += sweep.rows(sweep.parts(floors[repeat % len(floors)], draw), draw)
        for name, other in domains.items():
            rows += sweep.domain_rows(parts, other, draw, name=name)
            if repeat < n_heads:
                rows += sweep.head_rows(plain, other, draw, name=name)
        if repeat == 0:
            rows += _curve_rows(plain, floors, sweep.whole, draw)
    shared = shared_columns(features, experiment=names.EXPERIMENT, split=split, layer=layer)
    return results.as_table([shared | row for row in rows])


@dataclass(frozen=True, eq=False)
class _Order:
    """One random order of the dimensions, and the number of the draw."""

    repeat: int
    seed: int
    order: Tensor

    @property
    def columns(self) -> Row:
        """Columns of its rows."""
        return {"repeat": self.repeat, "seed": self.seed}


def _sizes(n_features: int, fractions: Sequence[float]) -> dict[int, float]:
    """Return the share of the dimensions by their number, the whole layer last."""
    sizes = Sizes.of(n_features, fractions) if set(fractions) != {1} else Sizes((), ())
    return dict(zip((*sizes.n_selected, n_features), (*sizes.fractions, 1.0), strict=True))


class _Sweep:
    """What all draws and forms of the layer share."""

    def __init__(self, sizes: Mapping[int, float], *, split: str, tangents: Tensor | None, n_warm: int) -> None:
        self.sizes, self.split, self.tangents, self.n_warm = sizes, split, tangents, n_warm
        self.whole: Spectrum  # of the layer as it is, its features in their own order

    def parts(self, layer: Layer, draw: _Order) -> dict[int, Part]:
        """Return the parts of every size whose features vary; the whole layer in the first draw alone."""
        order, moments = draw.order.to(layer.moments.mean.device), layer.moments
        varying = int((moments.variance[order] > 0).int().argmax()) + 1
        sizes = [k for k in self.sizes if k >= varying and (k < len(order) or draw.repeat == 0)]
        spectra = {k: geometry.spectrum(moments.select(order[:k])) for k in sizes}
        if layer.method == names.RANDOM and draw.repeat == 0:
            whole = spectra[len(order)]
            self.whole = Spectrum(whole.values, whole.vectors[order.argsort()])
        return _parts(layer, order, spectra)

    def relabelled(self, layer: Layer, parts: Mapping[int, Part], draw: _Order) -> dict[int, Part]:
        """Return the same parts, and the whole layer, with other labels: their spectra stand."""
        order = draw.order.to(layer.moments.mean.device)
        whole = Spectrum(self.whole.values, self.whole.vectors[order])
        return _parts(layer, order, {k: part.spectrum for k, part in parts.items()} | {len(order): whole})

    def rows(self, parts: Mapping[int, Part], draw: _Order) -> Iterator[Row]:
        """Yield the measures of parts, row by row."""
        for k, part in parts.items():
            shared = self._at(k, draw) | {"method": part.layer.method}
            values = measures.measures(part, split=self.split, tangents=self.tangents, seed=draw.seed)
            for metric, value in values:
                recipe = {"recipe": names.CONVENTION} if metric.startswith("nc") else {}
                yield shared | recipe | {"metric": metric, "value": value}

    def domain_rows(self, parts: Mapping[int, Part], other: Layer, draw: _Order, *, name: str) -> Iterator[Row]:
        """Yield how far another domain is, the same for domains at random, and what a start there is worth."""
        plain = next(iter(parts.values())).layer
        sizes = list(parts)
        X = torch.cat([plain.X["train"], other.X["train"]])
        domains = torch.arange(len(X), device=X.device) >= len(plain.X["train"])
        permuted = domains[torch.randperm(len(X), generator=torch.Generator().manual_seed(draw.seed))]
        for method, labels in ((names.RANDOM, domains), (names.SHUFFLED, permuted)):
            distances = linear_probe.proxy_a_distance(X, labels.long(), order=draw.order, sizes=sizes, seed=draw.seed)
            for k, value in zip(sizes, distances.tolist(), strict=True):
                yield self._of_domain(k, draw, method, name) | {"metric": names.DISTANCE, "value": value}
        few = torch.randperm(plain.moments.n, generator=torch.Generator().manual_seed(draw.seed))[: self.n_warm]
        probes = _probes(other, draw.order.to(X.device), sizes)
        for (k, part), probe in zip(parts.items(), probes, strict=True):
            at = self._of_domain(k, draw, names.RANDOM, name)
            for metric, value in measures.warm_start(part, probe, few):
                yield at | {"metric": metric, "value": value}
            if k in self._of_targets:
                for fitted, value in measures.on_target(part, other, probe, split=self.split):
                    yield at | {"probe": fitted, "metric": names.TARGET_ACCURACY, "value": value}

    def head_rows(self, plain: Layer, other: Layer, draw: _Order, *, name: str) -> Iterator[Row]:
        """Yield the accuracy in another domain of heads that are trained on the whole layer."""
        at = self._of_domain(plain.n_features, draw, names.RANDOM, name)
        splits = ({split: (X, of.y[split]) for split, X in of.X.items()} for of in (plain, other))
        shift = Shift.of(*splits, split=self.split, n_classes=plain.n_classes, name=name)
        for kind, value in heads.on_target(shift, seed=draw.seed):
            yield at | {"probe": kind, "metric": names.TARGET_ACCURACY, "value": value}

    @property
    def _of_targets(self) -> tuple[int, int]:
        """Sizes at which probes are moved to another domain: that of the claims, and the whole layer."""
        return min(self.sizes, key=lambda k: abs(self.sizes[k] - names.FRACTION)), max(self.sizes)

    def _at(self, k: int, draw: _Order) -> Row:
        return draw.columns | {"fraction": self.sizes[k], "n_selected": k}

    def _of_domain(self, k: int, draw: _Order, method: str, name: str) -> Row:
        return self._at(k, draw) | {"method": method, "label": name}


def _parts(layer: Layer, order: Tensor, spectra: Mapping[int, Spectrum]) -> dict[int, Part]:
    """Return the part of every size of which there is a spectrum, with its probe."""
    probes = _probes(layer, order, list(spectra))
    return {
        k: Part(layer, order[:k], layer.moments.select(order[:k]), spectrum, probe)
        for (k, spectrum), probe in zip(spectra.items(), probes, strict=True)
    }


def _probes(layer: Layer, order: Tensor, sizes: Sequence[int]) -> Iterator[LinearProbe]:
    """Yield the ridge probe on every prefix of `order`, its regulariser chosen on validation rows."""
    if not sizes:
        return
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * layer.moments.variance.mean().cpu()
    path = linear_probe.fit_ridge_prefixes(layer.moments, order=order, sizes=sizes, l2=l2)
    chosen, _ = linear_probe.choose_l2(path, layer.X["validation"], layer.y["validation"])
    for j in range(len(sizes)):
        yield chosen[j]


def _curve_rows(plain: Layer, floors: Sequence[Layer], whole: Spectrum, draw: _Order) -> Iterator[Row]:
    """Yield the label alignment of the whole layer at some numbers of directions, and of its floors."""
    curves = {
        names.RANDOM: geometry.label_alignment(plain.moments, of=whole),
        names.SHUFFLED: geometry.label_alignment(plain.shuffled(draw.seed).moments, of=whole),
    }
    if floors:
        curves[names.UNTRAINED] = geometry.label_alignment(floors[0].moments)
    for method, curve in curves.items():
        n = len(curve)
        for k in sorted({round(k) for k in torch.logspace(0, math.log10(n), 24, dtype=torch.float64).tolist()}):
            point = {"n_selected": k, "fraction": k / n, "method": method} | draw.columns
            yield point | {"metric": names.CURVE, "value": float(curve[k - 1])}


def _check(
    features: TaskFeatures,
    untrained: Sequence[TaskFeatures],
    shifted: Sequence[TaskFeatures],
    *,
    n_seeds: int,
    split: str,
) -> None:
    if n_seeds < 1:
        raise InputError(f"n_seeds must be at least 1, got {n_seeds}; 5 give an interval")
    for of_task in (features, *untrained, *shifted):
        check_domain(of_task, features, split=split)
    for floor in untrained:
        if len(floor.splits["train"][0]) != len(features.splits["train"][0]):
            raise InputError(
                f"expected the rows of {features.task!r} under the untrained network, got "
                f"{len(floor.splits['train'][0])} for {len(features.splits['train'][0])}; load the same task"
            )
