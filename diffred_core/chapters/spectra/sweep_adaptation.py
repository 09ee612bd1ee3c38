"""Probes and heads for a target without labels, on parts of the layer, with and without a label shift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from diffred_core import linear_probe, results, subsets
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.chapters.spectra import adapted, heads, names
from diffred_core.chapters.spectra.shifts import Shift, check_domain
from diffred_core.errors import InputError
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures
    from diffred_core.small_networks import DomainHead

LABEL_SHIFTS: tuple[float, ...] = (0.0, 0.9)


def adaptation(
    features: TaskFeatures,
    *,
    shifted: Sequence[TaskFeatures],
    fractions: Sequence[float] = (0.05, 0.2, 1.0),
    label_shifts: Sequence[float] = LABEL_SHIFTS,
    n_seeds: int = 5,
    seed: int = 1,
    n_heads: int = 1,
    epochs: int = 10,
    split: str = "test",
    layer: str = "penultimate",
) -> pd.DataFrame:
    """Return what probes and heads of a task reach in other domains whose labels they do not see.

    Beside every domain stands none: half of the task's own training rows as the target of the other half. Each draw has
    its own part of the dimensions, halves, rare classes and first weights.

    Parameters
    ----------
    features : TaskFeatures
        The source, with splits train, validation and `split`.
    shifted : sequence of TaskFeatures
        The same classes in other domains, each a target.
    fractions : sequence of float
        Shares of the dimensions to keep; the whole layer always is among them.
    label_shifts : sequence of float
        How much of the rows of half of the target's classes is dropped (`Shift.with_rare_classes`); 0 is always among
        them. Others are measured on the part nearest to 20 % of the dimensions alone.
    n_seeds, seed : int
        Draws, and the seed of the first.
    n_heads, epochs : int
        Draws in which heads are trained on the whole layer too, at most `n_seeds`, beside that part; and their epochs.
    split : str
        Rows of the target on which accuracy is measured.
    layer : str
        Name of the layer, for the table.

    Returns
    -------
    DataFrame
        A results table: metric target_accuracy by probe, recipe (who chose its options), label (the target), delta (the
        label shift) and fraction; metric proxy_a_distance by label and fraction. Closed forms on the whole layer, which
        know no chance, have one draw, and so has the distance there.

    Raises
    ------
    InputError
        No other domain, one without a split, of other features or classes, or an option out of range.
    """
    _check(features, shifted, n_seeds=n_seeds, n_heads=n_heads, split=split)
    sizes = _sizes(features.n_features, fractions)
    part = min(sizes, key=lambda k: abs(sizes[k] - names.FRACTION))
    rows: list[Row] = []
    for repeat in range(n_seeds):
        trained = {part: epochs} | ({features.n_features: epochs} if repeat < n_heads else {})
        draw = _AdaptationDraw(repeat, seed + repeat, sizes, claimed=part, epochs=trained)
        for shift in _shifts(features, shifted, split=split, seed=draw.seed):
            for severity in sorted({0.0, *label_shifts}):
                rows += draw.rows(shift.with_rare_classes(severity, seed=draw.seed))
    shared = shared_columns(features, experiment=names.ADAPTATION, split=split, layer=layer)
    return results.as_table([shared | {"method": names.RANDOM} | row for row in rows])


def _shifts(features: TaskFeatures, shifted: Sequence[TaskFeatures], *, split: str, seed: int) -> Iterator[Shift]:
    yield Shift.within(features, split=split, seed=seed)
    for other in shifted:
        yield Shift.of(features.splits, other.splits, split=split, n_classes=features.n_classes, name=other.task)


def _sizes(n_features: int, fractions: Sequence[float]) -> dict[int, float]:
    sizes = Sizes.of(n_features, fractions)
    return dict(zip((*sizes.n_selected, n_features), (*sizes.fractions, 1.0), strict=True))


class _AdaptationDraw:
    """One random order of the dimensions, and what is measured on its parts."""

    def __init__(
        self, repeat: int, seed: int, sizes: dict[int, float], *, claimed: int, epochs: dict[int, int]
    ) -> None:
        self.repeat, self.seed, self.sizes, self.claimed, self.epochs = repeat, seed, sizes, claimed, epochs
        self.order: Tensor = subsets.random_order(max(sizes), seed=seed)
        self.own: dict[tuple[bool, int], DomainHead] = {}  # by whether half the source trains it, and size

    def rows(self, shift: Shift) -> Iterator[Row]:
        """Yield what is measured of one shift, row by row."""
        sizes = [k for k in self.sizes if k == self.claimed or shift.severity == 0]
        for k in sizes:
            for probe, rule, value in self._accuracies(shift, k):
                fitted = {"probe": probe, "recipe": rule}
                yield self._at(shift, k) | fitted | {"metric": names.TARGET_ACCURACY, "value": value}
        known = [k for k in sizes if not self._is_known(k)]
        for k, value in zip(known, self._distances(shift, known), strict=True):
            yield self._at(shift, k) | {"metric": names.DISTANCE, "value": value}

    def _is_known(self, k: int) -> bool:
        """Return whether the first draw has said what this one would, up to the halves and rows that are drawn."""
        return k == len(self.order) and self.repeat > 0

    def _accuracies(self, shift: Shift, k: int) -> Iterator[tuple[str, str, float]]:
        part = shift.part(self.order[:k])
        if not self._is_known(k):
            yield from adapted.closed_forms(part)
        if k in self.epochs:
            X, y = part.measured
            for kind in heads.KINDS if shift.severity == 0 else heads.KINDS[:2]:  # one oracle is enough there
                yield kind, names.FIXED, part.accuracy(self._head(part, kind, k).predict(X), y)

    def _head(self, part: Shift, kind: str, k: int) -> DomainHead:
        place = (part.name == names.NO_SHIFT, k)
        if kind != names.HEAD or place not in self.own:
            head = heads.trained(part, kind, seed=self.seed, epochs=self.epochs[k])
            if kind != names.HEAD:
                return head
            self.own[place] = head
        return self.own[place]

    def _distances(self, shift: Shift, sizes: Sequence[int]) -> list[float]:
        X = torch.cat([shift.train[0], shift.target[0]])[:, self.order[: max(sizes)].to(shift.train[0].device)]
        domains = (torch.arange(len(X), device=X.device) >= len(shift.train[0])).long()
        order = torch.arange(X.shape[1])
        distances = linear_probe.proxy_a_distance(X, domains, order=order, sizes=sizes, seed=self.seed)
        values: list[float] = distances.tolist()
        return values

    def _at(self, shift: Shift, k: int) -> Row:
        place: Row = {"repeat": self.repeat, "seed": self.seed, "fraction": self.sizes[k], "n_selected": k}
        return place | {"label": shift.name, "delta": shift.severity}


def _check(features: TaskFeatures, shifted: Sequence[TaskFeatures], *, n_seeds: int, n_heads: int, split: str) -> None:
    if n_seeds < 1:
        raise InputError(f"n_seeds must be at least 1, got {n_seeds}; 5 give an interval")
    if not 0 <= n_heads <= n_seeds:
        raise InputError(
            f"n_heads must be from 0 to n_seeds={n_seeds}, got {n_heads}; 0 trains none on the whole layer"
        )
    if not shifted:
        raise InputError("expected at least one other domain, got one domain only; name some in shifted_tasks")
    for one in (features, *shifted):
        check_domain(one, features, split=split)
    if repeated := [one.task for one in shifted if [other.task for other in shifted].count(one.task) > 1]:
        raise InputError(f"expected every other domain once, got {repeated[0]!r} twice; leave one out")
