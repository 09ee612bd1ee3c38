"""The paper's findings about factors of the tunnel (Harun et al. 2024), held against networks trained here.

All are judged in pairs of networks of one seed. That a change is the work of training is asked of the change in trained
networks beyond that in the same networks before training.
"""

from __future__ import annotations

import pandas as pd

from diffred_core import intervals
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.claims_untrained import of_network
from diffred_core.chapters.depth.contrasts import CONTRASTS, Contrast, by_seed, change, known, published_means
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim, above_zero, judge, percent

OVER = "pairs of networks"
MARGIN = 5.0  # points: the width of the narrowest published bin of strengths
WORDS = {"above": "retain more", "below": "retain less"}


def all_claims(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return the claims about every contrast of a table of `tunnel_factors`, the headline first, then the controls.

    Raises
    ------
    InputError
        If the table holds no contrast.
    """
    trained, before = known(table), known(table, recipe=names.UNTRAINED)
    if not trained:
        raise InputError("expected networks of two settings, got none that differ; run the sweep of factors")
    judged = sorted((name for name in trained if CONTRASTS[name].side), key=lambda name: name != "headline")
    claims = [of_contrast(table, name, level=level) for name in judged]
    claims += [is_work_of_training(table, name, level=level) for name in judged if name in before]
    if names.UNTRAINED in set(table["recipe"]):
        claims.append(training_keeps_less(table, level=level))
        claims += of_network(table, network="the base", kind={"label": names.BASE}, level=level)
    return claims


def of_contrast(table: pd.DataFrame, name: str, *, level: float = 0.95) -> Claim:
    """Return what the paper says of one change: that networks with it retain more, less, or nearly as much.

    Parameters
    ----------
    table : DataFrame
        Of `tunnel_factors`.
    name : str
        A key of `contrasts.CONTRASTS` of which the paper says something.
    level : float

    Raises
    ------
    InputError
        If the paper says nothing of it, or the table does not hold both sides.
    """
    contrast = CONTRASTS[name]
    if contrast.side is None:
        raise InputError(f"expected a change that the paper speaks of, got {name!r}; ask for another")
    pairs = change(table, contrast)
    if contrast.side == "within":
        return _stays(contrast, pairs, level=level)
    return above_zero(
        name=f"{contrast.words}: {WORDS[contrast.side]}",
        statement=f"with {contrast.words} networks {WORDS[contrast.side]} of their OOD performance.",
        measured=f"{_published(contrast)}the share retained {_goes(contrast)}, in points",
        differences=pairs if contrast.side == "above" else -pairs,
        level=level,
        digits=1,
        over=OVER,
    )


def is_work_of_training(table: pd.DataFrame, name: str, *, level: float = 0.95) -> Claim:
    """Return the claim that a change does more to trained networks, in the published direction, than to untrained ones.

    Parameters and errors are those of `of_contrast`; the table must hold the untrained networks.
    """
    contrast = CONTRASTS[name]
    trained, untrained = (change(table, contrast, recipe=recipe) for recipe in (names.TRAINED, names.UNTRAINED))
    sign = -1.0 if contrast.side == "below" else 1.0
    return above_zero(
        name=f"{contrast.words}: training",
        statement=f"what comes of {contrast.words} is the work of training: it is more than before training.",
        measured=(
            f"The share retained changes by {trained.mean():+.1f} points in trained networks and by "
            f"{untrained.mean():+.1f} in untrained ones; beyond these, in the published direction"
        ),
        differences=sign * (trained - untrained).dropna(),
        level=level,
        digits=1,
        over=OVER,
    )


def training_keeps_less(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that the base retains less of its OOD performance after training than before.

    Parameters and errors are those of `of_contrast`; the table must hold the untrained networks.
    """
    after, before = (by_seed(table, names.BASE, recipe=recipe) for recipe in (names.TRAINED, names.UNTRAINED))
    return above_zero(
        name="training retains less",
        statement="the base retains less of its OOD performance after training than before.",
        measured=f"It retains {after.mean():.1f} % against {before.mean():.1f} %; the loss, in points",
        differences=before - after,
        level=level,
        digits=1,
        over=OVER,
    )


def _stays(contrast: Contrast, pairs: pd.Series, *, level: float) -> Claim:
    value, low, high = intervals.mean_interval(pairs, level=level)
    return judge(
        name=f"{contrast.words}: retain as much",
        statement=f"{contrast.words} change the share retained by less than {MARGIN:g} points.",
        evidence=(
            f"{_published(contrast)}it changes by {value:+.1f} points, {percent(level)} interval {low:+.1f} to "
            f"{high:+.1f} over {OVER}."
        ),
        value=value,
        low=low,
        high=high,
        limit=MARGIN,
        side="within",
    )


def _goes(contrast: Contrast) -> str:
    return "falls by" if contrast.side == "below" else "rises by"


def _published(contrast: Contrast) -> str:
    before, after = published_means(contrast, names.RETAINED)
    return "Here " if before != before else f"Published: {before:.1f} % to {after:.1f} %. Here "
