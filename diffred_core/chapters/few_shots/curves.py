"""Accuracy against the number of kept dimensions, by every order, with a nearest centroid or a linear head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

import diffred_core.chapters.few_shots.names as names
from diffred_core import few_shot
from diffred_core.chapters.few_shots.setting import Setting, episode_row
from diffred_core.results.rows import Row


def curve_rows(setting: Setting, heads: Sequence[str], *, n_head_episodes: int) -> Iterator[Row]:
    """Yield the curves of every order with the Euclidean centroid, and of a few orders with other classifiers.

    Cosine and linear heads see rows of length 1, as in the released code of the group; the Euclidean centroid sees
    the features as they are, as in the theory of the paper. Linear heads run on the first `n_head_episodes`, and are
    compared with the centroids on these.
    """
    compared = (names.WITHOUT_QUERIES, *setting.estimates[:1], names.RANDOM)
    by_probe = {
        names.EUCLIDEAN: _curves(setting, (*setting.knowing, *names.CONTROLS), names.EUCLIDEAN),
        names.COSINE: _curves(setting.unit, compared, names.COSINE),
    }
    few = setting.unit.first(n_head_episodes)
    for head in heads:
        # the logistic head, by far the slowest, only where it is compared
        by_probe[head] = _curves(few, compared if head == names.RIDGE else (names.WITHOUT_QUERIES,), head)
    for probe, curves in by_probe.items():
        for name, values in curves.items():
            point = setting.point_of(name) | {"method": name, "probe": probe}
            yield from size_rows(setting, point, values)
            for j, missed in enumerate((curves[names.WITHOUT_QUERIES] - values).T):
                yield episode_row(point | setting.at(j), "shortfall", missed)
            yield from peak_rows(setting, point, values)
    yield from _head_rows(setting, {probe: curves[names.WITHOUT_QUERIES][:, -1] for probe, curves in by_probe.items()})


def oracle_rows(setting: Setting) -> Iterator[Row]:
    """Yield the curve of the published oracle alone."""
    point = setting.point | {"method": names.ORACLE, "probe": names.EUCLIDEAN}
    values = accuracy(setting, setting.order(names.ORACLE))
    yield from size_rows(setting, point, values)
    yield from peak_rows(setting, point, values)


def accuracy(setting: Setting, order: Tensor, *, probe: str = names.EUCLIDEAN) -> Tensor:
    """Return the accuracy of every episode at every size, (n_episodes, n_sizes)."""
    X, episodes, sizes = setting.source.X, setting.episodes, setting.sizes
    if probe in names.HEADS:
        # scikit-learn's C = 1 on rows of length 1, the head of the released code (Luo et al. 2022), in our scale
        l2 = 1 / (episodes.n_way * episodes.n_shot)
        return few_shot.linear_head_curve(X, episodes, order, sizes, head=probe, l2=l2)
    return few_shot.centroid_curve(X, episodes, order, sizes, metric=probe.removeprefix("centroid_"))


def size_rows(setting: Setting, point: Row, values: Tensor) -> Iterator[Row]:
    """Yield accuracy and its gain over the full layer, size by size."""
    for j in range(len(setting.sizes)):
        here = point | setting.at(j)
        yield episode_row(here, "accuracy", values[:, j])
        yield episode_row(here, "gain", values[:, j] - values[:, -1])


def peak_rows(setting: Setting, point: Row, values: Tensor) -> Iterator[Row]:
    """Yield the gain of the best size over all and over the least: chosen on half the episodes, measured on the rest.

    Measured where it was chosen, the largest of several means would be too large.
    """
    choosing, measuring = values.tensor_split(2)
    best = int(choosing.mean(0).argmax())
    here = point | setting.at(best)
    yield episode_row(here, "peak_gain", measuring[:, best] - measuring[:, -1])
    yield episode_row(here, "peak_rise", measuring[:, best] - measuring[:, 0])


def _curves(setting: Setting, orders: Sequence[str], probe: str) -> dict[str, Tensor]:
    return {name: accuracy(setting, setting.order(name), probe=probe) for name in orders}


def _head_rows(setting: Setting, full: dict[str, Tensor]) -> Iterator[Row]:
    """Yield how much more accurate each linear head is than each centroid on all dimensions, on the same episodes."""
    for head in names.HEADS:
        for centroid in names.CENTROIDS if head in full else ():
            point = setting.point | setting.at(-1) | {"method": "full", "probe": head, "label": centroid}
            yield episode_row(point, "over_centroid", full[head] - full[centroid][: len(full[head])])
