"""C7 to C9: importance estimated from the support, masks by it, and linear probes beside centroids."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from diffred_core.chapters.few_shots.claims_reading import (
    CENTROID,
    all_shots,
    judged,
    n_way,
    percent,
    plural,
    points,
    row_of,
)
from diffred_core.errors import InputError
from diffred_core.results.claims import Claim

HARD = 0.05  # share at which hard selections are compared
POINT = 0.01  # of accuracy: linear probe and centroid that differ by less are called equal
COSINE = "centroid_cosine"
NAMES = {CENTROID: "Euclidean", COSINE: "cosine"}


def selection_is_inaccurate(table: pd.DataFrame, *, fraction: float = HARD, level: float = 0.95) -> Claim:
    """Return C7: dimensions selected by importance estimated from few shots fall short of those of an oracle."""
    n_shot, who = _first_estimate(table)
    rows = table[(table["split"] == "pool") & (table["n_shot"] == n_shot) & (table["n_way"] == n_way(table))]
    estimated = rows[rows["method"] == f"estimated_{who}"]
    curve = estimated[estimated["probe"] == CENTROID]
    shared = row_of(estimated[estimated["probe"].isna()], "overlap", level, fraction=fraction)
    ranks = row_of(estimated[estimated["probe"].isna()], "rank_correlation", level)
    gain = row_of(curve, "gain", level, fraction=fraction)
    return judged(
        "C7 selection is inaccurate",
        f"the top {percent(fraction)} by importance estimated from {plural(n_shot, 'shot')} falls short of an oracle "
        "that does not see the queries.",
        f"The two share {100 * shared['mean']:.0f} % of these dimensions (rank correlation of all "
        f"{ranks['mean']:.2f}), and the estimated ones gain {points(gain['mean'])} over all. The shortfall",
        row_of(curve, "shortfall", level, fraction=fraction),
    )


def mask_improves(
    table: pd.DataFrame, *, kind: str = "importance", n_shot: int = 1, probe: str = CENTROID, level: float = 0.95
) -> Claim:
    """Return C8: a soft mask, by importance estimated from the support, is more accurate than none.

    Both have the prototypes of the plain images, so that what the views add to prototypes is no part of it.
    """
    who = "views" if _has(table, "views", n_shot) else "shots"
    rows = table[(table["method"] == f"mask_{kind}_{who}") & (table["n_shot"] == n_shot)]
    rows = rows[(rows["n_way"] == n_way(table)) & (rows["probe"] == probe) & (rows["label"] == "original")]
    wins, over = (row_of(rows, metric, level) for metric in ("win_rate", "over_control"))
    return judged(
        f"C8 soft mask, {NAMES[probe]}, {plural(n_shot, 'shot')}",
        f"the soft mask '{kind}' is more accurate than none at {plural(n_shot, 'shot')} ({NAMES[probe]}).",
        f"It wins {100 * wins['mean']:.0f} % of the episodes (ties count half) and gains "
        f"{points(over['mean'])} over the control, one over the spread; over no mask",
        row_of(rows, "gain", level),
    )


def head_equals_centroid(
    table: pd.DataFrame, *, head: str = "logistic", centroid: str = COSINE, level: float = 0.95
) -> Claim:
    """Return C9: at one shot linear probe and nearest centroid are equally accurate, within `POINT`.

    It holds where the whole interval lies within, and fails where the whole interval lies outside.
    """
    n_shot = all_shots(table)[0]
    rows = table[(table["metric"].str.startswith("over_centroid")) & (table["n_shot"] == n_shot)]
    lead = row_of(rows[(rows["probe"] == head) & (rows["label"] == centroid)], "over_centroid", level)
    claim = judged(
        "C9 linear probe is centroid",
        f"a {head} probe and the nearest centroid (cosine) are equally accurate at {plural(n_shot, 'shot')}, within "
        f"{100 * POINT:g} point.",
        "The lead of the probe",
        lead,
    )
    within, outside = lead["low"] >= -POINT and lead["high"] <= POINT, lead["low"] > POINT or lead["high"] < -POINT
    return replace(claim, limit=POINT, verdict="holds" if within else "fails" if outside else "undecided")


def knows(table: pd.DataFrame, n_shot: int) -> bool:
    """Return whether somebody estimates importance from the support at so many shots."""
    return _has(table, "views", n_shot) or _has(table, "shots", n_shot)


def _has(table: pd.DataFrame, who: str, n_shot: int) -> bool:
    return bool(((table["method"] == f"estimated_{who}") & (table["n_shot"] == n_shot)).any())


def _first_estimate(table: pd.DataFrame) -> tuple[int, str]:
    """Return the fewest shots with an estimate, and whose it is."""
    for n_shot in all_shots(table):
        if knows(table, n_shot):
            return n_shot, "views" if _has(table, "views", n_shot) else "shots"
    raise InputError("expected an importance estimated from the support, got none; pass views, or at least 2 shots")
