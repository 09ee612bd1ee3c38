"""What the precision of the forward pass changes: in the features, in their similarity, in the accuracy of probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import cka, intervals, results, subsets
from diffred_core import moments as feature_moments
from diffred_core.chapters.random_subsets import curves, names
from diffred_core.chapters.random_subsets.comparators import ComparatorDraw
from diffred_core.chapters.random_subsets.curves import Curve, ProbeData
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


def precision_errors(
    by_precision: Mapping[str, TaskFeatures],
    *,
    fraction: float = names.FRACTION,
    n_seeds: int = 5,
    seed: int = 1,
    split: str = "test",
    ridge_l2: Sequence[float] = curves.RIDGE_L2,
    level: float = 0.95,
    n_boot: int = 1000,
) -> pd.DataFrame:
    """Return what features of the same images in several precisions differ in, each held against the first.

    Parameters
    ----------
    by_precision : mapping of str to TaskFeatures
        Of one model and task, by the name of the precision; the first is the reference.
    fraction : float
        Share of the dimensions in the random subsets.
    n_seeds, seed : int
        Random subsets, and the seed of the first.
    split : str
        Rows on which everything is measured; probes are trained on the training rows of the same precision.
    ridge_l2, level, n_boot
        As in `probes`.

    Returns
    -------
    DataFrame
        A results table; `label` is the precision. Of each: accuracy (ridge; methods full and random) and cka_debiased
        (method subset_whole), one row a draw. Of each but the first: feature_error, the Frobenius norm of the
        difference over that of the reference; feature_error_max, the largest entry over the largest entry; and
        accuracy_change, with low and high of a paired bootstrap over test rows, and over draws too where there are.

    Raises
    ------
    InputError
        If there are fewer than two precisions, their rows differ, or an argument is out of range.
    """
    if len(by_precision) < 2:
        raise InputError(
            f"expected at least 2 precisions to compare, got {', '.join(by_precision) or 'none'}; name fp32 and another"
        )
    measured = {
        name: _Measured.of(features, fraction, seeds=range(seed, seed + n_seeds), split=split, l2=ridge_l2)
        for name, features in by_precision.items()
    }
    first, *others = measured.values()
    if any(one.X.shape != first.X.shape or not torch.equal(one.y, first.y) for one in others):
        raise InputError("expected the same images in every precision, got other rows or labels; load one task")
    rows = [{"label": name} | row for name, one in measured.items() for row in one.rows()]
    bootstrap = {"level": level, "n_boot": n_boot, "seed": seed}
    for name, one in list(measured.items())[1:]:
        rows += [{"label": name} | row for row in (*_feature_errors(one.X, first.X), *_changes(one, first, bootstrap))]
    features = next(iter(by_precision.values()))
    shared = shared_columns(features, experiment="precision", split=split, layer="penultimate")
    return results.as_table([shared | row for row in rows])


@dataclass(frozen=True, eq=False)
class _Measured:
    """Probes on the whole layer and on random subsets of it, and how like the layer these are, in one precision."""

    data: ProbeData
    draws: Sequence[ComparatorDraw]
    sizes: Sizes
    l2: Sequence[float]

    @classmethod
    def of(cls, features: TaskFeatures, fraction: float, *, seeds: range, split: str, l2: Sequence[float]) -> _Measured:
        data = ProbeData.of(features, split=split, standardize=False)
        orders = [(s, subsets.random_order(features.n_features, seed=s)) for s in seeds]
        draws = [ComparatorDraw(names.RANDOM, repeat, s, order) for repeat, (s, order) in enumerate(orders)]
        return cls(data, draws, Sizes.of(features.n_features, [fraction]), l2)

    @property
    def X(self) -> Tensor:
        """Measured features (n_rows, n_features)."""
        return self.data.measured[0]

    @property
    def y(self) -> Tensor:
        """Their labels (n_rows,)."""
        return self.data.measured[1]

    @cached_property
    def whole(self) -> Curve:
        """The probe on all dimensions."""
        return curves.ridge(self.data, *curves.whole_layer(self.data), l2=self.l2)

    @cached_property
    def parts(self) -> list[Curve]:
        """The probe on every random subset."""
        return [curves.ridge(self.data, draw, self.sizes, l2=self.l2) for draw in self.draws]

    def rows(self) -> Iterator[Row]:
        """Yield accuracy and similarity, one row a draw."""
        for curve in (self.whole, *self.parts):
            about = {"method": curve.method, "probe": curve.probe, "repeat": curve.repeat, "seed": curve.seed}
            size = {"fraction": curve.fractions[0], "n_selected": curve.sizes[0], "l2": float(curve.l2[0])}
            yield about | size | {"metric": names.ACCURACY, "value": float(curve.accuracy[0])}
        (size,), (share,) = self.sizes.n_selected, self.sizes.fractions
        masks = torch.cat([subsets.prefix_masks(draw.order, [size]) for draw in self.draws])
        values = cka.subset_cka(feature_moments.from_features(self.X), masks).tolist()
        for draw, value in zip(self.draws, values, strict=True):
            place = {"repeat": draw.repeat, "seed": draw.seed, "fraction": share, "n_selected": size}
            yield place | {"method": names.WHOLE, "metric": names.CKA, "value": value}


def _feature_errors(X: Tensor, exact: Tensor) -> Iterator[Row]:
    """Yield how far the features are from the exact ones, both (n_rows, n_features)."""
    X, exact = X.double(), exact.double()
    errors = {
        names.FEATURE_ERROR: (X - exact).norm() / exact.norm(),
        names.LARGEST_ERROR: (X - exact).abs().max() / exact.abs().max(),
    }
    for metric, value in errors.items():
        yield {"method": names.FULL, "metric": metric, "value": float(value)}


def _changes(one: _Measured, reference: _Measured, bootstrap: Mapping[str, float]) -> Iterator[Row]:
    """Yield the change of accuracy, of the whole layer and of random subsets, with its interval."""
    pairs = {names.FULL: ([one.whole], [reference.whole]), names.RANDOM: (one.parts, reference.parts)}
    for method, both in pairs.items():
        correct, before = (torch.stack([curve.correct[0] for curve in side]).cpu() for side in both)
        change = intervals.paired_bootstrap(correct, before, **bootstrap)
        place = {"method": method, "probe": names.RIDGE, "fraction": both[0][0].fractions[0]}
        yield place | {"metric": names.CHANGE, "value": change.estimate, "low": change.low, "high": change.high}
