"""Accuracy with every mask on all dimensions, beside no mask: what the mask gives, and what something else gives.

Augmented views enter twice: they estimate the importance, and they may be averaged into the prototypes. Only a mask
against no mask at the same prototypes speaks for the mask; and ``1 / spread`` alone says what whitening explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

import diffred_core.chapters.few_shots.names as names
from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.names import mask_method
from diffred_core.chapters.few_shots.setting import Setting, episode_row
from diffred_core.results.rows import Row

HARD_FRACTION = 0.05  # the upper end of the published 1 to 5 %
Masks = dict[str, dict[str, Tensor]]  # (n_episodes, n_features) by who knows the importance, then by kind


def mask_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield accuracy with every mask, its gain over no mask, over the control, and how often it wins.

    With both centroids, and importance by every estimate and by the published oracle. Prototypes are those of the plain
    images; masks by views meet those of the views as well.
    """
    for probe, seen in ((names.EUCLIDEAN, setting), (names.COSINE, setting.unit)):
        masks = {who: _masks(seen, who, kinds) for who in (*seen.estimates, names.ORACLE)}
        yield from _rows(seen, masks, probe=probe)
        if names.BY_VIEWS in masks:
            yield _prototype_row(seen, probe=probe)
            yield from _rows(seen, {names.BY_VIEWS: masks[names.BY_VIEWS]}, probe=probe, prototypes=names.OF_VIEWS)


def estimate_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield the same for the Euclidean centroid of the plain prototypes and the first estimate alone."""
    if setting.estimates:
        who = setting.estimates[0]
        yield from _rows(setting, {who: _masks(setting, who, kinds)}, probe=names.EUCLIDEAN)


def transform_rows(setting: Setting) -> Iterator[Row]:
    """Yield accuracy under the simple transformation of the features (Luo et al. 2022), and its gain over none."""
    source = setting.source
    moved = replace(setting, source=replace(source, X=soft_mask.simple_transform(source.X), views=None))
    # raw features first, then their length: the order of the released code for nearest centroids
    for probe, plain, other in ((names.EUCLIDEAN, setting, moved), (names.COSINE, setting.unit, moved.unit)):
        values, reference = (_accuracy(part, None, probe=probe)[0] for part in (other, plain))
        point = setting.point | setting.at(-1) | {"probe": probe, "label": names.ORIGINAL, "method": names.TRANSFORM}
        yield from _compared(point, values, reference)


def _masks(setting: Setting, who: str, kinds: Sequence[str]) -> dict[str, Tensor]:
    """Return the masks by what `who` knows, each (n_episodes, n_features), the control among them.

    ``theory_debiased`` is left out where its correction leaves no importance in some episode.
    """
    R, known, n_shot = setting.importance(who), setting.statistics(who), setting.episodes.n_shot
    options = {"spread": known.spread, "magnitude": known.magnitude, "n_shot": n_shot, "fraction": HARD_FRACTION}
    masks = {}
    for kind in dict.fromkeys((*kinds, names.CONTROL_MASK)):
        name, debiased = kind.removesuffix("_debiased"), kind.endswith("_debiased")
        if not debiased or bool((R.square() > 2 / n_shot).any(-1).all()):
            masks[kind] = soft_mask.mask(R, kind=name, **options, debiased=debiased)
    return masks


def _rows(setting: Setting, masks: Masks, *, probe: str, prototypes: str = names.ORIGINAL) -> Iterator[Row]:
    point = setting.at(-1) | {"probe": probe, "label": prototypes}
    centres = setting.statistics(names.BY_VIEWS).mean if prototypes == names.OF_VIEWS else None
    named = {(who, kind): mask for who, kinds in masks.items() for kind, mask in kinds.items()}
    stacked = torch.stack([torch.ones_like(next(iter(named.values()))), *named.values()])
    plain, *others = _accuracy(setting, stacked, probe=probe, prototypes=centres)
    unmasked = setting.point_of(names.BY_VIEWS if prototypes == names.OF_VIEWS else names.NO_MASK)
    yield episode_row(unmasked | point | {"method": names.NO_MASK}, "accuracy", plain)
    accuracy = dict(zip(named, others, strict=True))
    for (who, kind), values in accuracy.items():
        here = setting.point_of(who) | point | {"method": mask_method(kind, who)}
        yield from _compared(here, values, plain)
        yield episode_row(here, "over_control", values - accuracy[who, names.CONTROL_MASK])


def _prototype_row(setting: Setting, *, probe: str) -> Row:
    """Return what prototypes of the views gain over plain ones without any mask."""
    centres = setting.statistics(names.BY_VIEWS).mean
    plain, moved = (_accuracy(setting, None, probe=probe, prototypes=part)[0] for part in (None, centres))
    point = (
        setting.point_of(names.BY_VIEWS)
        | setting.at(-1)
        | {"probe": probe, "label": names.OF_VIEWS, "method": names.NO_MASK}
    )
    return episode_row(point, "gain", moved - plain)


def _accuracy(setting: Setting, masks: Tensor | None, *, probe: str, prototypes: Tensor | None = None) -> Tensor:
    """Return the accuracy of every episode on all dimensions with every mask, (n_masks, n_episodes)."""
    X, width = setting.source.X, setting.source.X.shape[1]
    options = {"metric": probe.removeprefix("centroid_"), "mask": masks, "prototypes": prototypes}
    accuracy = few_shot.centroid_curve(X, setting.episodes, torch.arange(width), [width], **options)
    return accuracy.reshape(-1, len(setting.episodes))


def _compared(point: Row, values: Tensor, plain: Tensor) -> Iterator[Row]:
    gain = values - plain
    yield episode_row(point, "accuracy", values)
    yield episode_row(point, "gain", gain)
    yield episode_row(point, "win_rate", (gain > 0).double() + (gain == 0).double() / 2)
