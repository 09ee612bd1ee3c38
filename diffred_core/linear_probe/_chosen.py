"""The logistic probe with its regulariser chosen on validation rows: a loose search, then one fit to the end.

All regularisers of a subset start together. One that is clearly behind leaves the search early, and the chosen one goes
on from where the search left it, with its history and preconditioner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from diffred_core.checks import as_labels, check_positive, finite_features
from diffred_core.errors import InputError
from diffred_core.linear_probe._cross_entropy import CrossEntropy, Gathered
from diffred_core.linear_probe._logistic import GroupFit, check_every_class_has_rows
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._problems import (
    DEFAULT_MEMORY_BYTES,
    Problems,
    Solution,
    Subsets,
    as_problems,
    class_labels,
)
from diffred_core.linear_probe._select import L2Choice, select_l2
from diffred_core.linear_probe.curvature import centred
from diffred_core.linear_probe.lbfgs import State, begin, resume
from diffred_core.precision import full_precision

_FIRST_LOOK = 8  # iterations of every fit before any is compared: all but the last digits of what it predicts
# Standard errors of a paired difference (McNemar 1947) by which a regulariser is behind that leaves the search.
_BEHIND = 4.0


@torch.no_grad()
def choose_logistic(
    X: Tensor,
    y: Tensor,
    validation: tuple[Tensor, Tensor],
    *,
    subsets: Subsets | None = None,
    l2: Sequence[float] | Tensor,
    n_classes: int | None = None,
    tol: float = 1e-6,
    search_tol: float | None = None,
    max_iter: int = 2000,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> tuple[LinearProbe, L2Choice]:
    """Fit the logistic probe of every subset with the `l2` that is most accurate on validation rows.

    All of `l2` are fitted to `search_tol` and the best is chosen, as by `choose_l2`; only the chosen fit goes on to
    `tol` and is certified there. Those that are four standard errors behind the best after eight iterations stop there.
    Test rows have no way in.

    Parameters
    ----------
    X, y, subsets, n_classes, max_iter, memory_bytes
        As in `fit_logistic`.
    validation : (Tensor (n_validation, n_features), Tensor (n_validation,) of int64)
    l2 : (n_l2,) or (n_l2, n_subsets)
    tol : float
        Largest absolute entry of the gradient at which the returned probes have converged.
    search_tol : float, optional
        The same for the fits that are compared, by default ten times `tol`. Measured on three tasks (1,280 ImageNet
        features, six `l2`): of ten choices eight are those of converged fits, the others cost no accuracy on test rows
        (means of 60 fits differ by at most 0.06 points, either way), and the search takes half the time.

    Returns
    -------
    LinearProbe of batch shape () or (n_subsets,)
    L2Choice
        Its score is the accuracy where each fit stopped.

    Raises
    ------
    InputError
        As `fit_logistic` and `choose_l2`.
    """
    X, held = finite_features(X), finite_features(validation[0], n_features=X.shape[1])
    y, n_classes = class_labels(y, X, n_classes=n_classes)
    search_tol = 10 * tol if search_tol is None else search_tol
    options = {"max_iter": max_iter, "tol": tol, "search_tol": search_tol, "memory_bytes": memory_bytes}
    for name, option in options.items():
        check_positive(option, name=name)
    check_every_class_has_rows(y, n_classes)
    problems = as_problems(subsets, l2, n_features=X.shape[1], device=X.device, positive=True)
    if torch.as_tensor(l2).ndim == 0:
        raise InputError("expected several l2 to choose from, got a single number; pass l2=[...]")
    fit = GroupFit(X, y, n_classes, tol=tol, max_iter=max_iter, memory_bytes=memory_bytes)
    search = _Search(fit, held.T.contiguous(), as_labels(validation[1], len(held)).to(X.device), search_tol)
    with full_precision(X.device):
        return _chosen(problems, search, memory_bytes)


def _chosen(problems: Problems, search: _Search, memory_bytes: int) -> tuple[LinearProbe, L2Choice]:
    """Search in every group; put choices and fits in the order of the problems."""
    score, solutions = torch.zeros_like(problems.l2), []
    groups = problems.groups(partial(search.bytes_a_subset, n_l2=len(problems.l2)), memory_bytes)
    for positions, features in groups:
        at = positions.to(problems.device)
        score[:, at], solution = search(features, problems.l2[:, at])
        solutions.append((positions, solution))
    choice = select_l2(score, problems.l2)
    several = problems.batch_shape[1:]
    probe = replace(problems, l2=choice.l2[None], batch_shape=several).probe(solutions)
    if several:
        return probe, choice
    return probe, L2Choice(choice.index[0], choice.l2[0], choice.at_edge[0], choice.score[:, 0])


@dataclass(frozen=True, eq=False)
class _Search:
    """Looks for the best regulariser of every subset of a group, and fits the probes with these to the end."""

    fit: GroupFit
    columns: Tensor  # (n_features, n_validation)
    y: Tensor  # (n_validation,)
    tol: float

    def bytes_a_subset(self, k: int, n_l2: int) -> int:
        """Return what a subset needs for its fits, and the validation rows beside."""
        return self.fit.bytes_a_subset(k, n_l2) + 4 * (k + 1) * len(self.y)

    def __call__(self, features: Tensor, l2: Tensor) -> tuple[Tensor, Solution]:
        """Return the accuracy of every fit, ``(n_l2, g)``, and the solution of the best, for ``features (g, k)``."""
        fit, flat = self.fit, l2.T.reshape(-1)
        theta, warm = fit.solved.start(features, len(l2), fit.n_classes)
        loss, every = fit.early_loss(features, flat), theta.clone()
        begun, score = begin(loss, theta, warm=warm), torch.zeros_like(l2)
        for state, alive, accuracy in self._looks(loss, begun, self._held(features)):
            every[state.members] = state.theta
            score = torch.where(alive, accuracy, torch.minimum(score, accuracy.amax(0) - 1 / len(self.y)))
        index = select_l2(score, l2).index
        chosen = torch.arange(len(features), device=index.device) * len(l2) + index
        (state,) = state.parts(torch.isin(state.members, chosen))
        state = resume(loss, state, tol=fit.early_tol(fit.tol), max_iter=fit.early_iterations)
        del loss
        solution = fit.certified(features, flat[chosen], state.theta, state.iterations)
        every[chosen] = state.theta
        fit.solved.add(features, every)
        return score, solution

    def _looks(self, loss: CrossEntropy, state: State, held: Gathered) -> Iterator[tuple[State, Tensor, Tensor]]:
        """Yield the fits after a few iterations, then those that are not clearly behind, at the tolerance.

        With each goes which they are and their accuracy, ``(n_l2, g)`` both, the second 0 for others.
        """
        tol, most = self.fit.early_tol(self.tol), self.fit.early_iterations
        behind = torch.zeros_like(state.members, dtype=torch.bool)
        for max_iter in (min(_FIRST_LOOK, most), most):
            (state,) = state.parts(~behind)
            state = resume(loss, state, tol=tol, max_iter=max_iter)
            owners, correct = loss.owners(state.members), self._correct(loss, state, held)
            alive, accuracy = torch.zeros(2, len(loss.l2), dtype=torch.float64, device=self.y.device)
            alive[state.members], accuracy[state.members] = 1.0, correct.double().mean(1)
            behind = _behind(correct, torch.tensor(owners, device=self.y.device))
            shape = len(held.features), -1
            yield state, alive.view(shape).T > 0, accuracy.view(shape).T

    def _held(self, features: Tensor) -> Gathered:
        parts = [centred(self.columns[subset], self.fit.mean[subset], torch.float32) for subset in features]
        return Gathered(torch.stack(parts))

    def _correct(self, loss: CrossEntropy, state: State, held: Gathered) -> Tensor:
        """Return which validation rows each fit predicts right, ``(m, n_validation)``."""
        theta, owners = state.theta.float(), loss.owners(state.members)
        starts = range(0, len(self.y), loss.rows)
        blocks = (slice(start, start + loss.rows) for start in starts)
        return torch.cat([held.forward(theta, owners, rows).max(1).indices == self.y[rows] for rows in blocks], 1)


def _behind(correct: Tensor, owners: Tensor) -> Tensor:
    """Return which fits ``correct (m, n_validation)`` are behind the best of their owner by more than chance.

    Of two fits only the rows count of which one is right and the other wrong: of `d` of them the difference has a
    standard error of at most ``sqrt(d)`` rows.
    """
    right, behind = correct.sum(1), torch.zeros(len(correct), dtype=torch.bool, device=correct.device)
    for owner in owners.unique():
        at = (owners == owner).nonzero().squeeze(1)
        lead = at[right[at].argmax()]
        differ = (correct[at] != correct[lead]).sum(1)
        behind[at] = right[lead] - right[at] > _BEHIND * differ.double().sqrt()
    return behind
