"""The theory of two Gaussian classes, formula beside simulation: no images, no network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor

from diffred_core import few_shot, results
from diffred_core.results.rows import Row

PAIRS = ((0.2, 1.0), (0.2, 3.0), (1.0, 2.0))  # distance and spread of the second dimension; the first has 2 and 1
FIRST = (2.0, 1.0)
PAIR_SHOTS = (1, 5, 20, 100, 1000)
WIDTH, STRONG = 256, 8
KEPT = (3, 8, 26, 64, 128, 256)
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
        A results table with metrics error_simulated, error_exact (the exact formula averaged over drawn prototypes),
        each with sd and n of its draws; error_approximated; and helps, 1 where the criterion says so.

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
            names = [{"method": "first", "n_selected": 1}, {"method": "both", "n_selected": 2}]
            yield from _error_rows(point, names, gaps, spreads, masks, n_shot, n_trials, seed)
            helps = few_shot.helps(gaps, spreads, n_shot=n_shot)[1]
            yield point | {"method": "both", "metric": "helps", "value": float(helps)}


def _width_rows(n_trials: int, seed: int, shots: Sequence[int]) -> Iterator[Row]:
    gap, spread = few_shot.gaussian_problem(WIDTH, STRONG, seed=seed)
    ratio = gap / spread
    ranks = ratio.argsort(descending=True).argsort()
    for n_shot in shots:
        named = {("top", k): (ranks < k).double() for k in KEPT} | {
            ("mask_theory", WIDTH): few_shot.optimal_mask(ratio, spread, n_shot=n_shot),
            ("mask_scaled", WIDTH): ratio / spread,
            ("mask_inverse_spread", WIDTH): 1 / spread,
        }
        names = [{"method": method, "n_selected": k, "fraction": k / WIDTH} for method, k in named]
        point = {"n_features": WIDTH, "n_shot": n_shot}
        yield from _error_rows(point, names, gap, spread, torch.stack(list(named.values())), n_shot, n_trials, seed)


def _error_rows(
    point: Row, names: Sequence[Row], gap: Tensor, spread: Tensor, masks: Tensor, n_shot: int, n_trials: int, seed: int
) -> Iterator[Row]:
    options = {"n_shot": n_shot, "masks": masks}
    simulated = few_shot.simulated_errors(gap, spread, n_trials=n_trials, seed=seed, **options)
    # other draws, as the two must agree by more than having seen the same; fewer where each has many dimensions
    fewer = max(1, n_trials // (10 if len(gap) > 2 else 1))
    exact = few_shot.averaged_errors(gap, spread, n_trials=fewer, seed=seed + 1, **options)
    approximated = few_shot.approximate_error(masks * gap, masks * spread, n_shot=n_shot)
    for i, name in enumerate(names):
        for metric, (mean, error), n in (("error_simulated", simulated, n_trials), ("error_exact", exact, fewer)):
            drawn = {"value": float(mean[i]), "sd": float(error[i]) * math.sqrt(n), "n": n}
            yield point | name | {"metric": metric} | drawn
        yield point | name | {"metric": "error_approximated", "value": float(approximated[i])}
