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

Masks = dict[tuple[str, str], Tensor]  # (n_episodes, n_features) by what the importance rests on, and kind


def curve_rows(setting: Setting, heads: Sequence[str], *, n_head_episodes: int) -> Iterator[Row]:
    """Yield the curves of every order with the Euclidean centroid, and of a few orders with other classifiers.

    Cosine and linear heads see rows of length 1, as in the released code of the group; the Euclidean centroid sees
    the features as they are, as in the theory of the paper. Linear heads run on the first `n_head_episodes`, and are
    compared with the centroids on these.
    """
    compared = (names.WITHOUT_QUERIES, *setting.estimates[:1], names.RANDOM)
    few = setting.unit.first(n_head_episodes)
    # the logistic head, by far the slowest, only where it is compared, or stands beside part I
    of_head = {names.RIDGE: compared, names.LOGISTIC: (names.WITHOUT_QUERIES, names.RANDOM)}
    runs = {
        names.EUCLIDEAN: (setting, (*setting.bases, *names.CONTROLS)),
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
    """Yield accuracy with every mask, its gain over no mask, over the control, how often it wins, and the best of them.

    With both centroids, and importance by every estimate and by the published oracle. Prototypes are those of the plain
    images; masks by views meet those of the views as well.
    """
    for probe, part in ((names.EUCLIDEAN, setting), (names.COSINE, setting.unit)):
        masks = {basis: _masks(part, basis, kinds) for basis in (*part.estimates, names.ORACLE)}
        together = {key: mask for by_kind in masks.values() for key, mask in by_kind.items()}
        point = part.at(-1) | {"probe": probe}
        plain, *others = by_mask(part, _stacked(together), probe=probe)
        accuracy = dict(zip(together, others, strict=True))
        yield from _mask_rows(part, point, accuracy, plain)
        for basis in masks:
            of_basis = {kind: values for (other, kind), values in accuracy.items() if other == basis}
            yield from _best_rows(part.point_of(basis) | point | {"label": basis}, of_basis, plain)
        if names.BY_VIEWS in masks:
            yield from _prototype_rows(part, point, masks[names.BY_VIEWS], plain)


def estimate_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield the masks with the Euclidean centroid of the plain prototypes and the first estimate alone."""
    for basis in setting.estimates[:1]:
        masks = _masks(setting, basis, kinds)
        plain, *others = by_mask(setting, _stacked(masks))
        point = setting.at(-1) | {"probe": names.EUCLIDEAN}
        yield from _mask_rows(setting, point, dict(zip(masks, others, strict=True)), plain)


def released_rows(setting: Setting) -> Iterator[Row]:
    """Yield the oracle of the released code (Luo et al. 2022): accuracy, gain over no mask, and how often it wins.

    R over the mean magnitude, of all images of two classes, the queries included; rows of length 1 before the
    statistics and after the mask; prototypes of length 1; cosine. Once as it stands and once with the clamp.

    Parameters
    ----------
    setting : Setting
        Of two classes, of all rows.
    """
    part = setting.unit
    point = part.point | part.at(-1) | {"probe": names.COSINE}
    plain = by_mask(part, None, probe=names.COSINE)[0]
    yield episode_row(point | {"method": names.NO_MASK}, "accuracy", plain)
    for kind in names.RELEASED:
        mask = _mask(part, names.ORACLE, kind)
        values = by_mask(part, mask, probe=names.COSINE, prototypes=_means_of_unit_rows(part, mask))[0]
        yield from _compared(point | {"method": names.mask_method(kind), "label": names.ORACLE}, values, plain)


def transform_rows(setting: Setting) -> Iterator[Row]:
    """Yield accuracy under the simple transformation of the features (Luo et al. 2022), and its gain over none."""
    moved = replace(setting.data, X=soft_mask.simple_transform(setting.data.X), views=None)
    lifted = replace(setting, data=moved)
    # raw features first, then their length: the order of the released code for nearest centroids
    for probe, plain, other in ((names.EUCLIDEAN, setting, lifted), (names.COSINE, setting.unit, lifted.unit)):
        values, reference = (by_mask(part, None, probe=probe)[0] for part in (other, plain))
        point = setting.point | setting.at(-1) | {"probe": probe, "method": names.TRANSFORM}
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
    """Yield accuracy and its gain over the full layer, size by size, and the gain of two sizes that are chosen.

    These, the best one (over all and over the least) and the least that is as accurate as all, are chosen on half the
    episodes and measured on the rest: measured where it was chosen, the largest of several means would be too large.
    """
    for j in range(len(setting.sizes)):
        here = point | setting.at(j)
        yield episode_row(here, "accuracy", values[:, j])
        yield episode_row(here, "gain", values[:, j] - values[:, -1])
    choosing, measuring = values.tensor_split(2)
    means = choosing.mean(0)
    best, least = int(means.argmax()), int((means >= means[-1]).nonzero()[0])
    here = point | setting.at(best)
    yield episode_row(here, "peak_gain", measuring[:, best] - measuring[:, -1])
    yield episode_row(here, "peak_rise", measuring[:, best] - measuring[:, 0])
    yield episode_row(point | setting.at(least), "recovered_gain", measuring[:, least] - measuring[:, -1])


def _head_rows(setting: Setting, full: dict[str, Tensor]) -> Iterator[Row]:
    """Yield how much more accurate each linear head is than each centroid on all dimensions, on the same episodes."""
    for head in names.HEADS:
        for centroid in names.CENTROIDS if head in full else ():
            point = setting.point | setting.at(-1) | {"method": FULL, "probe": head, "label": centroid}
            yield episode_row(point, "over_centroid", full[head] - full[centroid][: len(full[head])])


def _masks(setting: Setting, basis: str, kinds: Sequence[str]) -> Masks:
    """Return the masks by what importance rests on, the control among them.

    ``theory_debiased`` is left out where its correction leaves no importance in some episode.
    """
    above_bias = setting.importance(basis).square() > 2 / setting.episodes.n_shot
    biased = {kind for kind, options in names.VARIANTS.items() if "debiased" in options}
    dropped = set() if bool(above_bias.any(-1).all()) else biased
    kinds = [kind for kind in dict.fromkeys((*kinds, names.CONTROL_MASK)) if kind not in dropped]
    return {(basis, kind): _mask(setting, basis, kind) for kind in kinds}


def _mask(setting: Setting, basis: str, kind: str) -> Tensor:
    known, options = setting.statistics(basis), {"kind": kind} | names.VARIANTS.get(kind, {})
    # only the clamp depends on the scale of the features: it is meant for rows of length 1
    length = setting.data.X.norm(dim=-1).mean() if "clamp" in options else 1.0
    companions = {"spread": known.spread, "magnitude": known.magnitude / length, "n_shot": setting.episodes.n_shot}
    return soft_mask.mask(setting.importance(basis), **companions, fraction=names.UPPER_FRACTION, **options)


def _stacked(masks: Masks) -> Tensor:
    """Return no mask, as ones, before the masks, (n_masks + 1, n_episodes, n_features)."""
    return torch.stack([torch.ones_like(next(iter(masks.values()))), *masks.values()])


def _mask_rows(setting: Setting, point: Row, accuracy: Masks, plain: Tensor) -> Iterator[Row]:
    """Yield the rows of masks by their accuracies, ``plain`` that of none."""
    yield episode_row(setting.point | point | {"method": names.NO_MASK}, "accuracy", plain)
    for (basis, kind), values in accuracy.items():
        here = setting.point_of(basis) | point | {"method": names.mask_method(kind), "label": basis}
        yield from _compared(here, values, plain)
        yield episode_row(here, "over_control", values - accuracy[basis, names.CONTROL_MASK])


def _best_rows(point: Row, accuracy: dict[str, Tensor], plain: Tensor) -> Iterator[Row]:
    """Yield what the best reconstruction of the mask gains, chosen on half the episodes and measured on the rest."""
    reconstructions = [kind for kind in accuracy if kind in names.RECONSTRUCTIONS]
    if not reconstructions:
        return
    choosing, measuring = torch.arange(len(plain)).tensor_split(2)
    best = max(reconstructions, key=lambda kind: float(accuracy[kind][choosing].mean()))
    here = point | {"method": names.mask_method(best)}
    gain, over = ((accuracy[best] - other)[measuring] for other in (plain, accuracy[names.CONTROL_MASK]))
    yield episode_row(here, "best_gain", gain)
    yield episode_row(here, "best_win_rate", _wins(gain))
    yield episode_row(here, "best_over_control", over)


def _prototype_rows(setting: Setting, point: Row, masks: Masks, plain: Tensor) -> Iterator[Row]:
    """Yield what prototypes of the views gain over plain ones without any mask, and what masks gain over them."""
    probe, centres = str(point["probe"]), setting.statistics(names.BY_VIEWS).mean
    moved, *others = by_mask(setting, _stacked(masks), probe=probe, prototypes=centres)
    here = point | {"probe": names.OF_VIEWS[probe]} | setting.point_of(names.BY_VIEWS)
    yield episode_row(here | {"method": names.NO_MASK}, "gain", moved - plain)
    yield from _mask_rows(setting, here, dict(zip(masks, others, strict=True)), moved)


def _means_of_unit_rows(setting: Setting, mask: Tensor) -> Tensor:
    """Return means of masked supports of length 1, (n_episodes, n_way, n_features), as they are before the mask."""
    supports = setting.data.X[setting.episodes.support.to(mask.device)] * mask[:, None, None]
    means = torch.nn.functional.normalize(supports, dim=-1).mean(2)
    return torch.where(mask[:, None] > 0, means / mask[:, None], 0.0)


def _compared(point: Row, values: Tensor, plain: Tensor) -> Iterator[Row]:
    gain = values - plain
    yield episode_row(point, "accuracy", values)
    yield episode_row(point, "gain", gain)
    yield episode_row(point, "win_rate", _wins(gain))


def _wins(gain: Tensor) -> Tensor:
    return (gain > 0).double() + (gain == 0).double() / 2
