"""Fine-tuning with linear teachers: what a start at another task's map is worth, and in which directions.

Shachaf, Brutzkus and Globerson (2021, NeurIPS, "A Theoretical Analysis of Fine-tuning with Linear Teachers"). Targets
are ``X theta_T``; gradient descent from ``theta_S`` on n rows of d > n columns ends at
``theta_S + P (theta_T - theta_S)`` with ``P = X^+ X``, so that its risk is

    ``|| Sigma^(1/2) (I - P) (theta_T - theta_S) ||^2``:

the difference counts where the inputs vary and the few rows do not look, not by its length. From nothing ``theta_S``
is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from diffred_core import linear_probe, moments
from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.errors import InputError
from diffred_core.linear_probe import LAYER_L2
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "linear_teachers"
N_PAIRS = 100  # of source and target with differences in random places, for the rank correlations
N_PLACED = 10  # directions in which a difference lies
TOLERANCE = 1e-9  # of the gradient, as a share of the first, at which gradient descent has ended
MOST_STEPS = 200_000


def linear_teachers(
    features: TaskFeatures,
    *,
    n_inputs: int = 200,
    rows: Sequence[int] = (20, 40, 80),
    decay: float = 1.0,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Fine-tune linear maps by gradient descent from maps that differ from the target in chosen directions.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    n_inputs : int
        Columns d of the inputs, normal with variance ``j^-decay`` in direction j.
    rows : sequence of int
        Numbers of training rows, each from 1 to d - 1; what is one number a seed is of the middle one.
    decay : float
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: curves ``risk`` by the number of rows, by gradient descent and by the closed form, of starts at
        nothing and at a difference of length 1 in leading, random and trailing directions; a number a seed
        ``risk_before`` and ``risk_ratio`` (after over before), ``error_of_formula`` (relative, the greatest), and the
        rank correlation of the risk over pairs with a ``weighted`` and a ``plain`` distance.

    Raises
    ------
    InputError
        If a number of rows leaves no direction unseen, or descent does not end.
    """
    frame.check_at_least(1, rows=rows)
    frame.check_at_least(2 * N_PLACED, n_inputs=n_inputs)
    if max(rows) >= n_inputs:
        raise InputError(
            f"expected fewer rows than n_inputs={n_inputs}, got {max(rows)}; with as many nothing is left to transfer"
        )
    variances = torch.arange(1, n_inputs + 1, dtype=torch.float64) ** -decay

    def rows_of(s: int) -> Iterator[Row]:
        world = _World(variances, rows, seed=s)
        yield from world.starts()
        yield from world.pairs(sorted(rows)[len(rows) // 2])

    rules = {of.WEIGHTED: weighted_weights, of.PLAIN: plain_weights}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


class _World:
    """Inputs of given variances (d,), a target, and rows drawn once: fewer are the first of them."""

    def __init__(self, variances: Tensor, rows: Sequence[int], *, seed: int) -> None:
        self.variances, self.rows = variances, list(rows)
        self.draw = torch.Generator().manual_seed(seed)
        self.X = self.normal(max(rows), len(variances)) * variances.sqrt()
        target = self.normal(len(variances))
        self.target = target / target.norm()

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.draw, dtype=torch.float64)

    def starts(self) -> Iterator[Row]:
        """Yield the risk from every start at every number of rows, by descent and by the formula."""
        d = len(self.variances)
        places = {
            of.FROM_LEADING: torch.arange(N_PLACED),
            of.FROM_RANDOM: torch.randperm(d, generator=self.draw)[:N_PLACED],
            of.FROM_TRAILING: torch.arange(d - N_PLACED, d),
        }
        worst = 0.0
        sources = {of.FROM_NOTHING: torch.zeros(d, dtype=torch.float64)}
        sources |= {name: self.target + self._difference(place) for name, place in places.items()}
        for name, source in sources.items():
            risk_by = {method: [self._risk(source, n, method) for n in self.rows] for method in METHODS}
            for method, risks in risk_by.items():
                yield from frame.curve(of.RISK, self.rows, risks, label=name, method=method)
            descended, formula = (torch.tensor(risk_by[method], dtype=torch.float64) for method in METHODS)
            before = float(self.variances @ (self.target - source).square())
            middle = float(descended[len(descended) // 2])
            yield {"metric": of.RISK_BEFORE, "value": before, "label": name}
            yield {"metric": of.RISK_RATIO, "value": middle / before, "label": name}
            worst = max(worst, float((descended / formula - 1).abs().max()))
        yield {"metric": of.FORMULA_ERROR, "value": worst}

    def pairs(self, n: int) -> Iterator[Row]:
        """Yield how well two distances of source and target tell the risk, over pairs that differ anywhere."""
        d = len(self.variances)
        risks, weighted, plain = [], [], []
        for _ in range(N_PAIRS):
            place = int(torch.randint(d - N_PLACED + 1, (1,), generator=self.draw))
            length = 0.5 + float(torch.rand(1, generator=self.draw))
            difference = length * self._difference(torch.arange(place, place + N_PLACED))
            risks.append(self._risk(self.target + difference, n, names.THEORY))
            weighted.append(float(self.variances @ difference.square()))
            plain.append(length)
        for label, distances in ((of.WEIGHTED_DISTANCE, weighted), (of.PLAIN_DISTANCE, plain)):
            yield {"metric": of.TELLS, "label": label, "value": float(stats.spearmanr(distances, risks).statistic)}

    def _difference(self, place: Tensor) -> Tensor:
        """Return a random vector of length 1 in some directions."""
        difference = torch.zeros(len(self.variances), dtype=torch.float64)
        difference[place] = self.normal(len(place))
        unit: Tensor = difference / difference.norm()
        return unit

    def _risk(self, source: Tensor, n: int, method: str) -> float:
        X = self.X[:n]
        if method == names.THEORY:
            return warm_start_risk(X, self.variances, self.target - source)
        ended = descended_map(X, X @ self.target, source, setting=f"{n} rows")
        return float(self.variances @ (ended - self.target).square())


METHODS = (names.MEASURED, names.THEORY)


def warm_start_risk(X: Tensor, variances: Tensor, difference: Tensor) -> float:
    """Return ``|| Sigma^(1/2) (I - X^+ X) (theta_T - theta_S) ||^2`` (Shachaf et al. 2021, theorem 3.1).

    `geometry.warm_start_risk` is the same for moments of features; here Sigma is known, and diagonal.

    Parameters
    ----------
    X : Tensor (n, d)
        Training rows, fewer than d.
    variances : Tensor (d,)
    difference : Tensor (d,)
    """
    rows = torch.linalg.qr(X.T).Q
    unseen = difference - rows @ (rows.T @ difference)
    return float(variances @ unseen.square())


def descended_map(X: Tensor, y: Tensor, start: Tensor, *, setting: str) -> Tensor:
    """Return where plain gradient descent on ``||X theta - y||^2 / 2n`` ends, from `start` (d,).

    Raises
    ------
    InputError
        If the gradient does not vanish.
    """
    values = torch.linalg.eigvalsh(X @ X.T / len(X))
    step = 2 / float(values[0] + values[-1])
    theta, first = start.clone(), None
    for t in range(MOST_STEPS):
        slope = X.T @ (X @ theta - y) / len(X)
        size = float(slope.norm())
        frame.refuse_divergence(size, step=t, setting=setting)
        first = size if first is None else first
        if size <= TOLERANCE * first:
            return theta
        theta = theta - step * slope
    raise InputError(
        f"expected gradient descent on {setting} to end, but it has not in {MOST_STEPS} steps; take a smaller decay"
    )


def plain_weights(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the features by the size of their weights in a ridge probe: a `bridge.Rule`."""
    order: Tensor = _probe_weights(X, y).norm(dim=1).argsort(descending=True)
    return order


def weighted_weights(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the features by the size of their weights times their own deviation: a `bridge.Rule`."""
    order: Tensor = (_probe_weights(X, y).norm(dim=1) * X.std(0)).argsort(descending=True)
    return order


def _probe_weights(X: Tensor, y: Tensor) -> Tensor:
    of_rows = moments.from_features(X, y, quartic=False)
    everything = torch.arange(X.shape[1])
    l2 = float(of_rows.variance.mean()) * LAYER_L2[len(LAYER_L2) // 2]
    weight: Tensor = linear_probe.fit_ridge_prefixes(of_rows, order=everything, sizes=[X.shape[1]], l2=l2)[0].weight
    return weight
