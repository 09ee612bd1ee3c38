"""Preconditioned L-BFGS for a batch of convex problems that never wait for, or disturb, one another.

Every problem has its own history, step and stopping test; one that has finished leaves the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor

HISTORY = 10  # pairs kept; 20 took as many iterations
_REFRESH = {5 * 2**i for i in range(20)}  # iterations with a new preconditioner: few, as each costs many gradients
_WARM = 20  # first of them that a start with a preconditioner of its own needs
_BACKTRACKS = 25
_OVERSHOOT = 0.8  # Hager and Zhang (2005), approximate Wolfe condition with delta = 0.1
_VALUE_NOISE = 1e-6  # relative; the derivative decides, the value only has to exclude a large rise


class Objective(Protocol):
    """What the minimiser asks of a batch of problems; `members` says which of them the rows of `theta` are."""

    def __call__(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return values ``(m,)`` and gradients, like `theta`."""

    def inverse_bound(self, members: Tensor) -> Tensor:
        """Return inverses ``(m, w, w)`` of an upper bound of the curvature."""

    def inverse_curvature(self, theta: Tensor, members: Tensor) -> Tensor:
        """Return inverses ``(m, w, w)`` of an estimate of the curvature at `theta`."""


@dataclass(eq=False)
class State:
    """Where a batch of problems stands: everything has the problem as its first axis."""

    members: Tensor  # (m,)
    iterations: Tensor  # (m,) of int64
    theta: Tensor  # (m, n_classes, w)
    value: Tensor  # (m,)
    gradient: Tensor  # (m, n_classes, w)
    inverse: Tensor  # (m, w, w), the preconditioner
    curved: Tensor  # (m,) of bool: it is of the curvature at a point, not the bound
    steps: Tensor  # (m, HISTORY, n_classes * w), newest first
    changes: Tensor  # (m, HISTORY, n_classes * w)
    curvatures: Tensor  # (m, HISTORY) step . change, 0 where there is no pair
    stalled: Tensor  # (m,) of bool

    def parts(self, *which: Tensor) -> list[State]:
        """Return the problems of every mask ``(m,)`` of bool.

        The state is used up, field by field: a copy of all of it would be the largest thing there is.
        """
        taken: list[dict[str, Tensor]] = [{} for _ in which]
        for name in _FIELDS:
            value = self.__dict__.pop(name)
            for part, mask in zip(taken, which, strict=True):
                part[name] = value if mask.all() else value[mask]
        return [State(**part) for part in taken]

    @classmethod
    def joined(cls, parts: list[State]) -> State:
        """Return the problems of all `parts`, which are used up, in the order of their numbers."""
        if len(parts) == 1:
            return parts[0]
        order = torch.cat([part.members for part in parts]).argsort()
        return cls(**{name: torch.cat([part.__dict__.pop(name) for part in parts])[order] for name in _FIELDS})


_FIELDS = tuple(field.name for field in fields(State))


def minimise(
    objective: Objective, theta: Tensor, *, tol: float, max_iter: int, warm: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the minimisers, like `theta`, and the iterations of every problem ``(n_problems,)``.

    A problem ends when its largest absolute gradient entry is at most `tol`, when no step lowers it any further
    (rounding), or after `max_iter` iterations; which of these, the caller's certificate must tell.

    Parameters
    ----------
    objective : Objective
    theta : Tensor (n_problems, n_classes, w) of float64
        Start.
    tol : float
    max_iter : int
    warm : bool
        Whether the start is near the minimum, so that its own curvature makes the better preconditioner.
    """
    solution, iterations = theta.clone(), torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
    for done in _finished(objective, begin(objective, theta, warm=warm), tol=tol, max_iter=max_iter):
        solution[done.members], iterations[done.members] = done.theta, done.iterations
    return solution, iterations


def begin(objective: Objective, theta: Tensor, *, warm: bool) -> State:
    """Return the state of every problem at its start; arguments of `minimise`."""
    members = torch.arange(len(theta), device=theta.device)
    value, gradient = objective(theta, members)
    inverse = objective.inverse_curvature(theta, members) if warm else objective.inverse_bound(members)
    pairs = theta.new_zeros(len(theta), HISTORY, theta[0].numel(), dtype=inverse.dtype)
    return State(
        members=members,
        iterations=torch.zeros_like(members),
        theta=theta,
        value=value,
        gradient=gradient,
        inverse=inverse,
        curved=torch.full_like(members, warm, dtype=torch.bool),
        steps=pairs,
        changes=pairs.clone(),
        curvatures=theta.new_zeros(len(theta), HISTORY),
        stalled=torch.zeros_like(members, dtype=torch.bool),
    )


def resume(objective: Objective, state: State, *, tol: float, max_iter: int) -> State:
    """Take every problem of `state` on to `tol`, with the history and preconditioner that it has.

    Parameters
    ----------
    objective, tol, max_iter
        As in `minimise`; `max_iter` counts the iterations before, too.
    state : State
        Used up.

    Returns
    -------
    State
        Of the same problems, in the same order.
    """
    return State.joined(list(_finished(objective, state, tol=tol, max_iter=max_iter)))


def _finished(objective: Objective, state: State, *, tol: float, max_iter: int) -> Iterator[State]:
    """Yield the problems as they end, in parts."""
    first = 0 if not state.curved.all() else _WARM
    for iteration in range(max_iter + 1):
        running = (state.gradient.abs().amax((1, 2)) > tol) & ~state.stalled & (state.iterations < max_iter)
        if not running.any():
            yield state
            return
        if not running.all():
            done, state = state.parts(~running, running)
            yield done
        if iteration in _REFRESH and iteration >= first:
            state.inverse = objective.inverse_curvature(state.theta, state.members)
            state.curved.fill_(True)
        _advance(objective, state)
        state.iterations += 1


def _advance(objective: Objective, state: State) -> None:
    """Take one accepted step in every problem and remember it."""
    direction = _direction(state)
    theta, value, gradient, accepted = _search(objective, state, direction)
    step, change = (theta - state.theta).flatten(1), (gradient - state.gradient).flatten(1)
    state.steps = torch.cat([step[:, None].to(state.steps.dtype), state.steps[:, :-1]], 1)
    state.changes = torch.cat([change[:, None].to(state.changes.dtype), state.changes[:, :-1]], 1)
    newest = (step * change).sum(1).clamp_min(0)
    state.curvatures = torch.cat([newest[:, None], state.curvatures[:, :-1]], 1)
    state.theta, state.value, state.gradient, state.stalled = theta, value, gradient, ~accepted


def _direction(state: State) -> Tensor:
    """Return the two-loop product of the inverse Hessian with the negative gradient (Nocedal & Wright, 7.4)."""
    shape, dtype = state.gradient.shape, state.steps.dtype
    q = state.gradient.flatten(1).to(dtype, copy=True)
    rho = torch.where(state.curvatures > 0, 1 / state.curvatures, 0.0).to(dtype)
    alphas = []
    for i in range(HISTORY):
        alpha = rho[:, i, None] * (state.steps[:, i] * q).sum(1, keepdim=True)
        q.addcmul_(alpha, state.changes[:, i], value=-1)
        alphas.append(alpha)
    newest = state.changes[:, 0]
    # one product for both: it is the reading of the preconditioner that takes the time
    r, scaled = (torch.cat([q.view(shape), newest.view(shape)], 1) @ state.inverse).chunk(2, 1)
    # s.y / y.M y of the newest pair sets the length that the preconditioner leaves open
    length = (newest * scaled.flatten(1)).sum(1)
    usable = (state.curvatures[:, 0] > 0) & (length > 0)
    r = r.flatten(1) * torch.where(usable, state.curvatures[:, 0] / length, 1.0).to(dtype)[:, None]
    for i in reversed(range(HISTORY)):
        beta = rho[:, i, None] * (state.changes[:, i] * r).sum(1, keepdim=True)
        r.addcmul_(alphas[i] - beta, state.steps[:, i])
    return -r.view(shape).double()


def _search(objective: Objective, state: State, direction: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return theta, value and gradient after an acceptable step, and where there was one (theta stays where not).

    A step is good when the slope at its end is at most 0.8 of the initial one uphill, and the value no higher than
    rounding explains: near the minimum the slope still tells up from down where differences of values drown.
    """
    theta = state.theta + direction
    value, gradient = objective(theta, state.members)
    downhill = -(state.gradient * direction).sum((1, 2))
    ceiling = state.value + _VALUE_NOISE * state.value.abs()
    length = torch.ones_like(downhill)
    for _ in range(_BACKTRACKS):
        uphill = (gradient * direction).sum((1, 2))
        good = (uphill <= _OVERSHOOT * downhill) & (value <= ceiling)
        if good.all():
            break
        bad = (~good).nonzero().squeeze(1)
        # the secant's estimate of where the slope is zero
        length[bad] *= (downhill / (downhill + uphill))[bad].nan_to_num(0.5).clamp(0.1, 0.5)
        theta[bad] = state.theta[bad] + length[bad, None, None] * direction[bad]
        value[bad], gradient[bad] = objective(theta[bad], state.members[bad])
    stay = ~good
    theta[stay], value[stay], gradient[stay] = state.theta[stay], state.value[stay], state.gradient[stay]
    return theta, value, gradient, good
