"""All claims of one model and task."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.few_shots.claims_estimates import (
    COSINE,
    head_equals_centroid,
    knows,
    mask_improves,
    selection_is_inaccurate,
)
from diffred_core.chapters.few_shots.claims_oracle import (
    accuracy_peaks_inside,
    confounders_harm,
    fades_with_ways,
    few_percent_improve,
    more_shots_need_more,
    top_percent_recovers,
    varies,
)
from diffred_core.chapters.few_shots.claims_reading import CENTROID, all_shots
from diffred_core.results.claims import Claim


def every(table: pd.DataFrame, *, level: float = 0.95) -> list[Claim]:
    """Return C1 to C9 of one model and task, C8 at every number of shots by both centroids.

    Left out is what the settings say nothing about: C4 and C5 with one number of shots or classes, C7 and C8 where
    nobody estimates importance (one shot without views), C9 without a probe.

    Parameters
    ----------
    table : DataFrame
        Of sweeps.few_shot, one model and task.
    level : float
        Coverage of the intervals.

    Raises
    ------
    InputError
        If the table lacks what a claim is about.
    """
    known = [n_shot for n_shot in all_shots(table) if knows(table, n_shot)]
    masks = [(n_shot, probe) for n_shot in known for probe in (CENTROID, COSINE)]
    found = [
        top_percent_recovers(table, level=level),
        few_percent_improve(table, level=level),
        accuracy_peaks_inside(table, level=level),
        *([more_shots_need_more(table, level=level)] if varies(table, "n_shot") else []),
        *([fades_with_ways(table, level=level)] if varies(table, "n_way") else []),
        confounders_harm(table, level=level),
        *([selection_is_inaccurate(table, level=level)] if known else []),
        *(mask_improves(table, n_shot=n_shot, probe=probe, level=level) for n_shot, probe in masks),
    ]
    return found + ([head_equals_centroid(table, level=level)] if (table["metric"] == "over_centroid").any() else [])
