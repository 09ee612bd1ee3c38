"""Accuracy against the number of kept dimensions by every order, and on all dimensions with every mask beside none.

Augmented views enter masks twice: they estimate the importance, and they may be averaged into the prototypes. Only a
mask against no mask at the same prototypes speaks for the mask; and ``1 / spread`` alone says what whitening explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

import diffred_core.chapters.few_shots.names as names
from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.setting import Setting, episode_row
from diffred_core.chapters.random_subsets.names import FULL
from diffred_core.results.rows import Row

Masks = dict[tuple[str, str], Tensor]  # (n_episodes, n_features) by who knows the importance, and kind


def curve_rows(setting: Setting, heads: Sequence[str], *, n_head_episodes: int) -> Iterator[Row]:
    """Yield the curves of every order with the Euclidean centroid, and of a few orders with other classifiers.

    Cosine and linear heads see rows of length 1, as in the released code of the group; the Euclidean centroid sees
    the features as they are, as in the theory of the paper. Linear heads run on the first `n_head_episodes`, and are
    compared with the centroids on these.
    """
    compared = (names.WITHOUT_QUERIES, *setting.estimates[:1], names.RANDOM)
    few = setting.unit.first(n_head_episodes)
    # the logistic head, by far the slowest, only where it is compared, or stands beside part I
    bridge = (names.WITHOUT_QUERIES, names.RANDOM) if names.BRIDGE_HEAD == names.LOGISTIC else (names.WITHOUT_QUERIES,)
    of_head = {names.RIDGE: compared, names.LOGISTIC: bridge}
    runs = {
        names.EUCLIDEAN: (setting, (*setting.knowing, *names.CONTROLS)),
        names.COSINE: (setting.unit, compared),
        **{head: (few, of_head[head]) for head in heads},
    }
    by_probe = {
        probe: {name: by_order(part, part.order(name), probe=probe) for name in orders}
        for probe, (part, orders) in runs.items()
    }
    for probe, curves in by_probe.items():
        for name, values in curves.items():
            point = setting.point_of(name) | {"method": name, "probe": probe}
            yield from _curve_rows(setting, point, values)
            for j, missed in enumerate((curves[names.WITHOUT_QUERIES] - values).T):
                yield episode_row(point | setting.at(j), "shortfall", missed)
    yield from _head_rows(setting, {probe: curves[names.WITHOUT_QUERIES][:, -1] for probe, curves in by_probe.items()})


def oracle_rows(setting: Setting) -> Iterator[Row]:
    """Yield the curve of the published oracle alone."""
    point = setting.point | {"method": names.ORACLE, "probe": names.EUCLIDEAN}
    yield from _curve_rows(setting, point, by_order(setting, setting.order(names.ORACLE)))


def mask_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield accuracy with every mask, its gain over no mask, over the control, and how often it wins.

    With both centroids, and importance by every estimate and by the published oracle. Prototypes are those of the plain
    images; masks by views meet those of the views as well.
    """
    for probe, part in ((names.EUCLIDEAN, setting), (names.COSINE, setting.unit)):
        masks = {who: _masks(part, who, kinds) for who in (*part.estimates, names.ORACLE)}
        together = {key: mask for by_kind in masks.values() for key, mask in by_kind.items()}
        yield from _mask_rows(part, together, probe=probe)
        if names.BY_VIEWS in masks:
            yield _prototype_row(part, probe=probe)
            yield from _mask_rows(part, masks[names.BY_VIEWS], probe=probe, prototypes=names.OF_VIEWS)


def estimate_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield the same for the Euclidean centroid of the plain prototypes and the first estimate alone."""
    for who in setting.estimates[:1]:
        yield from _mask_rows(setting, _masks(setting, who, kinds), probe=names.EUCLIDEAN)


def transform_rows(setting: Setting) -> Iterator[Row]:
    """Yield accuracy under the simple transformation of the features (Luo et al. 2022), and its gain over none."""
    moved = replace(setting.data, X=soft_mask.simple_transform(setting.data.X), views=None)
    lifted = replace(setting, data=moved)
    # raw features first, then their length: the order of the released code for nearest centroids
    for probe, plain, other in ((names.EUCLIDEAN, setting, lifted), (names.COSINE, setting.unit, lifted.unit)):
        values, reference = (by_mask(part, None, probe=probe)[0] for part in (other, plain))
        point = setting.point | setting.at(-1) | {"probe": probe, "label": names.ORIGINAL, "method": names.TRANSFORM}
        yield from _compared(point, values, reference)


def by_order(setting: Setting, order: Tensor, *, probe: str = names.EUCLIDEAN) -> Tensor:
    """Return the accuracy of every episode at every size, (n_episodes, n_sizes)."""
    X, episodes, sizes = setting.data.X, setting.episodes, setting.sizes
    if probe in names.HEADS:
        # scikit-learn's C = 1 on rows of length 1, the head of the released code (Luo et al. 2022), in our scale
        l2 = 1 / (episodes.n_way * episodes.n_shot)
        return few_shot.linear_head_curve(X, episodes, order, sizes, head=probe, l2=l2)
    return few_shot.centroid_curve(X, episodes, order, sizes, metric=names.METRICS[probe])


def by_mask(
    setting: Setting, masks: Tensor | None, *, probe: str = names.EUCLIDEAN, prototypes: Tensor | None = None
) -> Tensor:
    """Return the accuracy of every episode on all dimensions with every mask, (n_masks, n_episodes)."""
    X, width = setting.data.X, setting.data.X.shape[1]
    options = {"metric": names.METRICS[probe], "mask": masks, "prototypes": prototypes}
    accuracy = few_shot.centroid_curve(X, setting.episodes, torch.arange(width), [width], **options)
    return accuracy.reshape(-1, len(setting.episodes))


def _curve_rows(setting: Setting, point: Row, values: Tensor) -> Iterator[Row]:
    """Yield accuracy and its gain over the full layer, size by size, and the gain of the best size.

    That one, over all and over the least, is chosen on half the episodes and measured on the rest: measured where it
    was chosen, the largest of several means would be too large.
    """
    for j in range(len(setting.sizes)):
        here = point | setting.at(j)
        yield episode_row(here, "accuracy", values[:, j])
        yield episode_row(here, "gain", values[:, j] - values[:, -1])
    choosing, measuring = values.tensor_split(2)
    best = int(choosing.mean(0).argmax())
    here = point | setting.at(best)
    yield episode_row(here, "peak_gain", measuring[:, best] - measuring[:, -1])
    yield episode_row(here, "peak_rise", measuring[:, best] - measuring[:, 0])


def _head_rows(setting: Setting, full: dict[str, Tensor]) -> Iterator[Row]:
    """Yield how much more accurate each linear head is than each centroid on all dimensions, on the same episodes."""
    for head in names.HEADS:
        for centroid in names.CENTROIDS if head in full else ():
            point = setting.point | setting.at(-1) | {"method": FULL, "probe": head, "label": centroid}
            yield episode_row(point, "over_centroid", full[head] - full[centroid][: len(full[head])])


def _masks(setting: Setting, who: str, kinds: Sequence[str]) -> Masks:
    """Return the masks by what `who` knows, the control among them.

    ``theory_debiased`` is left out where its correction leaves no importance in some episode.
    """
    R, known, n_shot = setting.importance(who), setting.statistics(who), setting.episodes.n_shot
    options = {"spread": known.spread, "magnitude": known.magnitude, "n_shot": n_shot, "fraction": names.UPPER_FRACTION}
    masks = {}
    for kind in dict.fromkeys((*kinds, names.CONTROL_MASK)):
        debiased = kind in names.DEBIASED
        if not debiased or bool((R.square() > 2 / n_shot).any(-1).all()):
            masks[who, kind] = soft_mask.mask(R, kind=names.DEBIASED.get(kind, kind), **options, debiased=debiased)
    return masks


def _mask_rows(setting: Setting, masks: Masks, *, probe: str, prototypes: str = names.ORIGINAL) -> Iterator[Row]:
    point = setting.at(-1) | {"probe": probe, "label": prototypes}
    centres = setting.statistics(names.BY_VIEWS).mean if prototypes == names.OF_VIEWS else None
    stacked = torch.stack([torch.ones_like(next(iter(masks.values()))), *masks.values()])
    plain, *others = by_mask(setting, stacked, probe=probe, prototypes=centres)
    unmasked = setting.point_of(names.BY_VIEWS if prototypes == names.OF_VIEWS else names.NO_MASK)
    yield episode_row(unmasked | point | {"method": names.NO_MASK}, "accuracy", plain)
    accuracy = dict(zip(masks, others, strict=True))
    for (who, kind), values in accuracy.items():
        here = setting.point_of(who) | point | {"method": names.mask_method(kind, who)}
        yield from _compared(here, values, plain)
        yield episode_row(here, "over_control", values - accuracy[who, names.CONTROL_MASK])


def _prototype_row(setting: Setting, *, probe: str) -> Row:
    """Return what prototypes of the views gain over plain ones without any mask."""
    centres = setting.statistics(names.BY_VIEWS).mean
    plain, moved = (by_mask(setting, None, probe=probe, prototypes=part)[0] for part in (None, centres))
    here = {"probe": probe, "label": names.OF_VIEWS, "method": names.NO_MASK}
    return episode_row(setting.point_of(names.BY_VIEWS) | setting.at(-1) | here, "gain", moved - plain)


def _compared(point: Row, values: Tensor, plain: Tensor) -> Iterator[Row]:
    gain = values - plain
    yield episode_row(point, "accuracy", values)
    yield episode_row(point, "gain", gain)
    yield episode_row(point, "win_rate", (gain > 0).double() + (gain == 0).double() / 2)
