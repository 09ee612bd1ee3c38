"""The claims about what a few shots can tell without an oracle: C7 to C10."""

from __future__ import annotations

import math

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core import results
from diffred_core.chapters.few_shots.judging import (
    MARGIN,
    difference,
    estimate_of,
    judged,
    margin_in_words,
    measurement,
    negative,
    points,
    with_interval,
)
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import all_shots, headline
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.results.claims import Claim, percent
from diffred_core.results.readable import readable


def selection_is_inaccurate(
    table: pd.DataFrame, *, fraction: float = names.UPPER_FRACTION, level: float = 0.95
) -> Claim:
    """Return C7: dimensions selected by importance estimated from few shots fall short of those of an oracle.

    Raises
    ------
    InputError
        If nobody estimates importance at any number of shots.
    """
    n_shot = next((n_shot for n_shot in all_shots(table) if estimate_of(table, n_shot)), None)
    if n_shot is None:
        raise InputError("expected an importance estimated from the support, got none; pass views, or at least 2 shots")
    estimated = headline(table, n_shot=n_shot, method=estimate_of(table, n_shot))
    curve = where(estimated, probe=names.EUCLIDEAN)
    importance = estimated[estimated["probe"].isna() & estimated["label"].isna()]
    shared = measurement(importance, "overlap", level, fraction=fraction)
    ranks = measurement(importance, "rank_correlation", level)
    gain = measurement(curve, "gain", level, fraction=fraction)
    return judged(
        "C7 selection is inaccurate",
        f"the top {percent(fraction)} by importance estimated from {plural(n_shot, 'shot')} falls short of an oracle "
        "that does not see the queries.",
        f"The two share {100 * shared['mean']:.0f} % of these dimensions (rank correlation of all "
        f"{ranks['mean']:.2f}), and the estimated ones gain {points(gain['mean'])} over all. The shortfall",
        measurement(curve, "shortfall", level, fraction=fraction),
    )


def mask_improves(table: pd.DataFrame, *, n_shot: int = 1, probe: str = names.EUCLIDEAN, level: float = 0.95) -> Claim:
    """Return C8: a soft mask, by importance estimated from the support, is more accurate than none.

    The published formula is not known. Of all its reconstructions (`names.RECONSTRUCTIONS`) the best on one half of the
    episodes is judged on the other. Both have the prototypes of the plain images, so that what the views add to
    prototypes is no part of it.
    """
    rows = headline(table, n_shot=n_shot, probe=probe, label=estimate_of(table, n_shot) or names.BY_SHOTS)
    best, wins, over = (measurement(rows, f"best_{metric}", level) for metric in ("gain", "win_rate", "over_control"))
    method = rows.loc[rows["metric"] == "best_gain", "method"].iloc[0]
    masks = where(rows, method=tuple(names.mask_method(kind) for kind in names.RECONSTRUCTIONS))
    gains = results.summarize(masks, "method", metric="gain", level=level)
    better, worse = (int(clear.sum()) for clear in (gains["low"] > 0, gains["high"] < 0))
    return judged(
        f"C8 soft mask, {names.CENTROIDS[probe]}, {plural(n_shot, 'shot')}",
        f"the best of {len(gains)} reconstructions of the soft mask, chosen on one half of the episodes and judged on "
        f"the other, is more accurate than none at {plural(n_shot, 'shot')} ({names.CENTROIDS[probe]}).",
        f"The best is {names.MASK_METHODS[method]}. Each by itself on all episodes, {better} gain and {worse} lose "
        f"by their whole {percent(level)} interval. The best wins {100 * wins['mean']:.0f} % of the episodes (ties "
        f"count half) and gains {with_interval(over)} over the control, one over the spread with a floor; over no mask",
        best,
    )


def head_equals_centroid(
    table: pd.DataFrame,
    *,
    head: str = names.LOGISTIC,
    centroid: str = names.COSINE,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Claim:
    """Return C9: at one shot linear probe and nearest centroid are equally accurate, within a margin."""
    return judged(
        "C9 linear probe is centroid",
        f"a {head} probe and the nearest centroid ({names.CENTROIDS[centroid]}) are equally accurate at "
        f"{plural(all_shots(table)[0], 'shot')}, within {margin_in_words(margin)}.",
        "The lead of the probe",
        measurement(headline(table, probe=head, label=centroid), "over_centroid", level),
        limit=margin,
        side="within",
    )


def augmentations_differ(gains: pd.DataFrame) -> Claim | None:
    """Return C10, that the best augmentation is not the same for all tasks; None if fewer than two tasks compare some.

    The lead of a task is what its best recipe gains on its next one. Judged is the smaller lead of two tasks with
    different best recipes, of all such pairs the clearest; and where one recipe is best for all tasks, the least clear
    lead, as evidence against. A lead is never below 0, as the best is chosen by it: only intervals that hold for all
    differences of two recipes at once (`n_leads`) make it evidence. They take gains of two recipes as independent,
    which is too wide for gains on the same episodes.

    Parameters
    ----------
    gains : DataFrame
        From `across.crop_gains`, one model, at a level corrected for `n_leads`.
    """
    by_task = {task: rows.nlargest(2, "mean") for task, rows in gains.groupby("task") if len(rows) > 1}
    if len(by_task) < 2:
        return None
    best = {task: rows.iloc[0] for task, rows in by_task.items()}
    leads = {task: difference(rows.iloc[0], rows.iloc[1]) for task, rows in by_task.items()}
    course = "; ".join(
        f"{row['recipe']} on {readable(task)} ({points(row['mean'])}, {100 * leads[task]['mean']:+.1f} on the next)"
        for task, row in best.items()
    )
    clear = sum(lead["low"] > 0 for lead in leads.values())
    by_lead = sorted(leads, key=lambda task: leads[task]["low"], reverse=True)
    other = next((task for task in by_lead if best[task]["recipe"] != best[by_lead[0]]["recipe"]), None)
    if other is None:
        which, lead = "One is best for all; their least clear lead, against the claim", negative(leads[by_lead[-1]])
    else:
        which, lead = "The lead that decides", leads[other]
    statement = "the augmentation that serves importance best differs by task."
    measured = f"Best: {course}; clearly ahead in {clear} of {len(leads)} tasks. {which}"
    return judged("C10 best augmentation differs", statement, measured, lead)


def n_leads(gains: pd.DataFrame) -> int:
    """Return the number of differences of two recipes, over tasks, that could be the lead that C10 judges."""
    return max(1, sum(math.comb(len(rows), 2) for _, rows in gains.groupby("task")))
