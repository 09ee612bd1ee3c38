"""Accuracy against the number of kept dimensions, by every order, with a nearest centroid or a linear head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from diffred_core import few_shot
from diffred_core.chapters.few_shots.orders import CONTROLS, order_of
from diffred_core.chapters.few_shots.setting import ORACLE, REFERENCE, Setting, episode_rows
from diffred_core.results.rows import Row

EUCLIDEAN, COSINE = "centroid_euclidean", "centroid_cosine"
HEADS = ("ridge", "logistic")


def curve_rows(setting: Setting, heads: Sequence[str], *, few: Setting) -> Iterator[Row]:
    """Yield the curves of every order with the Euclidean centroid, and of a few orders with other classifiers.

    Cosine and linear heads see rows of length 1, as in the released code of the group; the Euclidean centroid sees
    the features as they are, as in the theory of the paper. Linear heads run on the episodes of `few`, the first ones
    of `setting`, and are compared with the centroids on these.
    """
    found = {EUCLIDEAN: _curves(setting, (*setting.knowing, *CONTROLS), EUCLIDEAN)}
    compared = (REFERENCE, *setting.estimates[:1], "random")
    found[COSINE] = _curves(setting.unit, compared, COSINE)
    for head in heads:
        # the logistic head, by far the slowest, only where it is compared
        found[head] = _curves(few.unit, compared if head == "ridge" else (REFERENCE,), head)
    for probe, curves in found.items():
        for name, values in curves.items():
            point = setting.point | {"method": name, "probe": probe}
            yield from size_rows(setting, point, values)
            yield from _shortfall_rows(setting, point, curves[REFERENCE] - values)
            yield from peak_rows(setting, point, values)
    yield from _head_rows(setting, {probe: curves[REFERENCE][:, -1] for probe, curves in found.items()})


def oracle_rows(setting: Setting) -> Iterator[Row]:
    """Yield the curve of the published oracle alone."""
    point = setting.point | {"method": ORACLE, "probe": EUCLIDEAN}
    values = accuracy(setting, order_of(setting, ORACLE))
    yield from size_rows(setting, point, values)
    yield from peak_rows(setting, point, values)


def accuracy(setting: Setting, order: Tensor, *, probe: str = EUCLIDEAN) -> Tensor:
    """Return the accuracy of every episode at every size, (n_episodes, n_sizes)."""
    X, episodes, sizes = setting.source.X, setting.episodes, setting.sizes
    if probe in HEADS:
        # scikit-learn's C = 1 on rows of length 1, the head of the released code (Luo et al. 2022), in our scale
        l2 = 1 / (episodes.n_way * episodes.n_shot)
        return few_shot.linear_head_curve(X, episodes, order, sizes, head=probe, l2=l2)
    return few_shot.centroid_curve(X, episodes, order, sizes, metric=probe.removeprefix("centroid_"))


def size_rows(setting: Setting, point: Row, values: Tensor) -> Iterator[Row]:
    """Yield accuracy and its gain over the full layer, size by size."""
    for j in range(len(setting.sizes)):
        here = point | setting.at(j)
        yield from episode_rows(here, "accuracy", values[:, j])
        yield from episode_rows(here, "gain", values[:, j] - values[:, -1])


def peak_rows(setting: Setting, point: Row, values: Tensor) -> Iterator[Row]:
    """Yield the gain of the best size over all and over the least: chosen on half the episodes, measured on the rest.

    Measured where it was chosen, the largest of several means would be too large.
    """
    choosing, measuring = values.tensor_split(2)
    best = int(choosing.mean(0).argmax())
    here = point | setting.at(best)
    yield from episode_rows(here, "peak_gain", measuring[:, best] - measuring[:, -1])
    yield from episode_rows(here, "peak_rise", measuring[:, best] - measuring[:, 0])


def _curves(setting: Setting, names: Sequence[str], probe: str) -> dict[str, Tensor]:
    return {name: accuracy(setting, order_of(setting, name), probe=probe) for name in names}


def _shortfall_rows(setting: Setting, point: Row, missed: Tensor) -> Iterator[Row]:
    """Yield what an order misses of the accuracy of the oracle that does not see the queries, size by size."""
    for j in range(len(setting.sizes)):
        yield from episode_rows(point | setting.at(j), "shortfall", missed[:, j])


def _head_rows(setting: Setting, full: dict[str, Tensor]) -> Iterator[Row]:
    """Yield how much more accurate each linear head is than each centroid on all dimensions, on the same episodes."""
    for head in HEADS:
        for centroid in (EUCLIDEAN, COSINE) if head in full else ():
            point = setting.point | setting.at(-1) | {"method": "full", "probe": head, "label": centroid}
            yield from episode_rows(point, "over_centroid", full[head] - full[centroid][: len(full[head])])
