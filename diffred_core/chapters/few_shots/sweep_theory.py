"""The theory of two Gaussian classes, formula beside simulation: no images, no network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor

from diffred_core import few_shot, results
from diffred_core.chapters.few_shots.names import APPROXIMATED, EXACT, SIMULATED
from diffred_core.results.rows import Row

PAIRS = ((0.2, 1.0), (0.2, 3.0), (1.0, 2.0))  # distance and spread of the second dimension; the first has 2 and 1
FIRST = (2.0, 1.0)
PAIR_SHOTS = (1, 5, 20, 100, 1000)
WIDTH, STRONG = 256, 8
KEPT_SIZES = (3, 8, 26, 64, 128, 256)
SHOTS = (1, 5, 20, 100)


def theory(*, n_trials: int = 40_000, seed: int = 0, shots: Sequence[int] = SHOTS) -> pd.DataFrame:
    """Return errors of the nearest centroid on two Gaussian classes: simulated, exact given prototypes, approximated.

    Two worlds. In the first a second dimension joins a good one (method ``first`` or ``both``, the second dimension in
    column label). In the second a few strong dimensions stand among many (``top`` and the number kept, by the true
    ratio of distance to spread, and masks on all of them).

    Parameters
    ----------
    n_trials : int
        Draws of both prototypes and a query.
    seed : int
    shots : sequence of int
        Of the second world.

    Returns
    -------
    DataFrame
        A results table with metric error, by column recipe: simulated, exact (the exact formula averaged over drawn
        prototypes), both with sd and n of their draws, and approximated; and metric helps, 1 where the criterion says
        so.

    Raises
    ------
    InputError
        If a number is below 1.
    """
    rows = [*_pair_rows(n_trials, seed), *_width_rows(n_trials, seed, shots)]
    shared = {"experiment": "few_shot_theory", "task": "gaussian", "model": "two classes", "layer": "none"}
    return results.as_table([shared | row for row in rows])


def _pair_rows(n_trials: int, seed: int) -> Iterator[Row]:
    masks = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    for distance, spread in PAIRS:
        gaps, spreads = (
            torch.tensor(pair, dtype=torch.float64) for pair in zip(FIRST, (distance, spread), strict=True)
        )
        for n_shot in PAIR_SHOTS:
            point = {"n_features": 2, "n_shot": n_shot, "label": f"distance {distance:g}, spread {spread:g}"}
            points = [point | {"method": "first", "n_selected": 1}, point | {"method": "both", "n_selected": 2}]
            yield from _error_rows(points, masks, gap=gaps, spread=spreads, n_trials=n_trials, seed=seed)
            helps = few_shot.helps(gaps, spreads, n_shot=n_shot)[1]
            yield point | {"method": "both", "metric": "helps", "value": float(helps)}


def _width_rows(n_trials: int, seed: int, shots: Sequence[int]) -> Iterator[Row]:
    gap, spread = few_shot.gaussian_problem(WIDTH, STRONG, seed=seed)
    ratio = gap / spread
    ranks = ratio.argsort(descending=True).argsort()
    for n_shot in shots:
        named = {("top", k): (ranks < k).double() for k in KEPT_SIZES} | {
            ("mask_theory", WIDTH): few_shot.optimal_mask(ratio, spread, n_shot=n_shot),
            ("mask_scaled", WIDTH): ratio / spread,
            ("mask_inverse_spread", WIDTH): 1 / spread,
        }
        point = {"n_features": WIDTH, "n_shot": n_shot}
        points = [point | {"method": method, "n_selected": k, "fraction": k / WIDTH} for method, k in named]
        masks = torch.stack(list(named.values()))
        yield from _error_rows(points, masks, gap=gap, spread=spread, n_trials=n_trials, seed=seed)


def _error_rows(
    points: Sequence[Row], masks: Tensor, *, gap: Tensor, spread: Tensor, n_trials: int, seed: int
) -> Iterator[Row]:
    """Yield the errors with every mask, which has the columns of its point; all points have one number of shots."""
    n_shot = int(points[0]["n_shot"])
    options = {"n_shot": n_shot, "masks": masks}
    simulated = few_shot.simulated_errors(gap, spread, n_trials=n_trials, seed=seed, **options)
    # other draws, as the two must agree by more than having seen the same; fewer where each has many dimensions
    fewer = max(1, n_trials // (10 if len(gap) > 2 else 1))
    exact = few_shot.averaged_errors(gap, spread, n_trials=fewer, seed=seed + 1, **options)
    approximated = few_shot.approximate_error(masks * gap, masks * spread, n_shot=n_shot)
    for i, point in enumerate(points):
        row = point | {"metric": "error"}
        for recipe, (mean, error), n in ((SIMULATED, simulated, n_trials), (EXACT, exact, fewer)):
            yield row | {"recipe": recipe, "value": float(mean[i]), "sd": float(error[i]) * math.sqrt(n), "n": n}
        yield row | {"recipe": APPROXIMATED, "value": float(approximated[i])}
