"""Accuracy with every mask on all dimensions, beside no mask: what the mask gives, and what something else gives.

Augmented views enter twice: they estimate the importance, and they may be averaged into the prototypes. Only a mask
against no mask at the same prototypes speaks for the mask; and ``1 / spread`` alone says what whitening explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from diffred_core import few_shot, soft_mask
from diffred_core.chapters.few_shots.curves import COSINE, EUCLIDEAN
from diffred_core.chapters.few_shots.setting import ORACLE, Setting, episode_rows
from diffred_core.results.rows import Row
from diffred_core.soft_mask import ClassStatistics

CONTROL = "inverse_spread"
MASKS = ("importance", "sqrt", "scaled", "theory", "theory_debiased", "mmc", "hard", CONTROL)
KNOWLEDGE = {"estimated_views": "views", "estimated_shots": "shots", ORACLE: "oracle"}  # suffix of the method
HARD_FRACTION = 0.05  # the upper end of the published 1 to 5 %
ORIGINAL, VIEWS = "original", "views"  # what prototypes are the mean of


def mask_rows(setting: Setting, *, kinds: Sequence[str]) -> Iterator[Row]:
    """Yield accuracy with every mask, its gain over no mask, over the control, and how often it wins.

    With both centroids, and importance by every estimate and by the published oracle. Prototypes are those of the plain
    images; masks by views meet those of the views as well.
    """
    for probe, seen in ((EUCLIDEAN, setting), (COSINE, setting.unit)):
        weights = _weights(seen, (*seen.estimates, ORACLE), kinds)
        yield from _rows(seen, weights, probe=probe, prototypes=ORIGINAL)
        yield from _prototype_rows(seen, probe=probe)
        if by_views := {key: mask for key, mask in weights.items() if key[1] == VIEWS}:
            yield from _rows(seen, by_views, probe=probe, prototypes=VIEWS)


def estimate_rows(setting: Setting, *, kinds: Sequence[str], label: str | None = None) -> Iterator[Row]:
    """Yield the same for the Euclidean centroid of the plain prototypes and the first estimate alone.

    `label`, if given, says what is special about the views.
    """
    if setting.estimates:
        weights = _weights(setting, setting.estimates[:1], kinds)
        yield from _rows(setting, weights, probe=EUCLIDEAN, prototypes=ORIGINAL, label=label)


def transform_rows(setting: Setting) -> Iterator[Row]:
    """Yield accuracy under the simple transformation of the features (Luo et al. 2022), and its gain over none."""
    source = setting.source
    moved = replace(setting, source=replace(source, X=soft_mask.simple_transform(source.X), views=None))
    # raw features first, then their length: the order of the released code for nearest centroids
    for probe, plain, other in ((EUCLIDEAN, setting, moved), (COSINE, setting.unit, moved.unit)):
        values, theirs = (_accuracy(part, None, probe=probe)[0] for part in (other, plain))
        point = setting.point | setting.at(-1) | {"probe": probe, "label": ORIGINAL, "method": "simple_transform"}
        yield from _compared(point, values, theirs)


def weights_of(statistics: ClassStatistics, kinds: Sequence[str], n_shot: int) -> dict[str, Tensor]:
    """Return the masks, each (n_episodes, n_features), the control among them.

    ``theory_debiased`` is left out where its correction leaves no importance in some episode.
    """
    R = soft_mask.importance(statistics)
    options = {"spread": statistics.spread, "magnitude": statistics.magnitude, "n_shot": n_shot}
    found = {}
    for kind in dict.fromkeys((*kinds, CONTROL)):
        name, debiased = kind.removesuffix("_debiased"), kind.endswith("_debiased")
        if debiased and not bool((R.square() > 2 / n_shot).any(-1).all()):
            continue
        found[kind] = soft_mask.mask(R, kind=name, **options, fraction=HARD_FRACTION, debiased=debiased)
    return found


def _weights(setting: Setting, who: Sequence[str], kinds: Sequence[str]) -> dict[tuple[str, str], Tensor]:
    """Return masks by kind and by the suffix of who knows the importance."""
    found = {name: weights_of(setting.statistics(name), kinds, setting.episodes.n_shot) for name in who}
    return {(kind, KNOWLEDGE[name]): mask for name, masks in found.items() for kind, mask in masks.items()}


def _rows(
    setting: Setting, weights: dict[tuple[str, str], Tensor], *, probe: str, prototypes: str, label: str | None = None
) -> Iterator[Row]:
    name = prototypes if label is None else f"{label}, {prototypes}"
    point = setting.point | setting.at(-1) | {"probe": probe, "label": name}
    centres = setting.statistics("estimated_views").mean if prototypes == VIEWS else None
    masks = [torch.ones_like(next(iter(weights.values()))), *weights.values()]
    plain, *others = _accuracy(setting, torch.stack(masks), probe=probe, prototypes=centres)
    yield from episode_rows(point | {"method": "no_mask"}, "accuracy", plain)
    found = dict(zip(weights, others, strict=True))
    for (kind, known), values in found.items():
        here = point | {"method": f"mask_{kind}_{known}"}
        yield from _compared(here, values, plain)
        yield from episode_rows(here, "over_control", values - found[CONTROL, known])


def _prototype_rows(setting: Setting, *, probe: str) -> Iterator[Row]:
    """Yield what prototypes of the views gain over plain ones without any mask, where there are views."""
    if setting.source.views is not None:
        centres = setting.statistics("estimated_views").mean
        plain, moved = (_accuracy(setting, None, probe=probe, prototypes=part)[0] for part in (None, centres))
        point = setting.point | setting.at(-1) | {"probe": probe, "label": VIEWS, "method": "no_mask"}
        yield from episode_rows(point, "gain", moved - plain)


def _accuracy(setting: Setting, masks: Tensor | None, *, probe: str, prototypes: Tensor | None = None) -> Tensor:
    """Return the accuracy of every episode on all dimensions with every mask, (n_masks, n_episodes)."""
    X, width = setting.source.X, setting.source.X.shape[1]
    options = {"metric": probe.removeprefix("centroid_"), "mask": masks, "prototypes": prototypes}
    found = few_shot.centroid_curve(X, setting.episodes, torch.arange(width), [width], **options)
    return found.reshape(-1, len(setting.episodes))


def _compared(point: Row, values: Tensor, plain: Tensor) -> Iterator[Row]:
    gain = values - plain
    yield from episode_rows(point, "accuracy", values)
    yield from episode_rows(point, "gain", gain)
    yield from episode_rows(point, "win_rate", (gain > 0).double() + (gain == 0).double() / 2)
