"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core.chapters.few_shots import across, claims
from diffred_core.chapters.few_shots.judging import MARGIN, measurement, points, with_interval
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import all_shots, headline, n_way
from diffred_core.drawing import Answer, Verdicts
from diffred_core.results.claims import Claim, percent
from diffred_core.results.readable import cell_name
from diffred_core.results.rows import KEYS

MASK = "C8"  # how the names of its claims begin


def few_shot(table: pd.DataFrame, *, margin: float = MARGIN, level: float = 0.95) -> Answer:
    """Return what the best share of the dimensions gains by an oracle, and the best mask without one.

    Parameters
    ----------
    table : DataFrame
        Of `few_shots.episodes`, one model and task.
    margin, level : float
        As of `claims.all_claims`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    judged = claims.all_claims(table, margin=margin, level=level)
    peaks = {n_shot: _peak(table, n_shot, level) for n_shot in all_shots(table)}
    gains = [
        f"{with_interval(peak)} by {percent(peak['fraction'])} at {plural(n_shot, 'shot')}"
        for n_shot, peak in peaks.items()
    ]
    sentence = (
        f"With {n_way(table)} classes the best share of the dimensions, by an oracle that sees the queries, gains over "
        f"all: {', '.join(gains)}. {_without_oracle(judged)}"
    )
    numbers = {
        f"oracle gain, {plural(n_shot, 'shot')}": f"{points(peak['mean'])} ({percent(peak['fraction'])})"
        for n_shot, peak in peaks.items()
    }
    return Answer(sentence, judged, numbers)


def few_shot_theory(table: pd.DataFrame) -> Answer:
    """Return how far each formula is from the simulation, from a table of `few_shots.theory`."""
    judged = claims.theory(table)
    exact, approximation, criterion, mask = judged
    sentence = (
        f"Against simulation the exact error (5) is off by at most {exact.value:.1f} standard errors "
        f"({exact.limit:.1f} is chance), its normal approximation (6) by at most {approximation.value:.3f}; the "
        f"criterion (7) names a wrong dimension in {criterion.value:.0f} clear cases, and the mask (8) is behind the "
        f"best other by at most {max(mask.value, 0.0):.4f}."
    )
    return Answer(sentence, judged)


def few_shot_summary(tables: pd.DataFrame, cells: across.Cells) -> Answer:
    """Return over all models and tasks what an oracle gains and what is gained without one.

    Parameters
    ----------
    tables : DataFrame
        Of `few_shots.episodes`, one below the other.
    cells : mapping
        From `across.claims_by_cell`.
    """
    peaks = across.peaks.summary(tables)
    gains = [f"{_range(rows['mean'])} at {plural(int(n), 'shot')}" for n, rows in peaks.groupby("n_shot")]
    judged = [claim for of_cell in cells.values() for claim in of_cell]
    sentence = (
        f"Over {plural(len(peaks[KEYS].drop_duplicates()), 'pair')} of model and task, the best share of the "
        f"dimensions, by an oracle that sees the queries, gains {', '.join(gains)}. {_without_oracle(judged)}"
    )
    return Answer(sentence, judged, in_full=False)


def verdicts(cells: across.Cells) -> Verdicts:
    """Return every claim on every model and task with its sentence, from `across.claims_by_cell`."""
    by_cell: dict[str, list[Claim]] = {cell_name(model, task): list(held) for (task, model), held in cells.items()}
    return Verdicts(by_cell, "Each verdict unfolds to its sentence.")


def _peak(table: pd.DataFrame, n_shot: int, level: float) -> dict[str, float]:
    rows = headline(table, n_shot=n_shot, method=names.ORACLE, probe=names.EUCLIDEAN)
    return dict(measurement(rows, "peak_gain", level))


def _without_oracle(judged: list[Claim]) -> str:
    masks = [claim for claim in judged if claim.name.startswith(MASK)]
    if not masks:
        return "Nothing was estimated without an oracle."
    gain, held = _range(pd.Series([mask.value for mask in masks])), sum(mask.verdict == "holds" for mask in masks)
    clearly = f"clearly so in {held} of {len(masks)} settings"
    return f"Without an oracle the best soft mask is ahead of none by {gain}; {clearly}."


def _range(gains: pd.Series) -> str:
    low, high = f"{100 * gains.min():+.1f}", f"{100 * gains.max():+.1f}"
    return f"{low} points" if low == high else f"{low} to {high} points"
