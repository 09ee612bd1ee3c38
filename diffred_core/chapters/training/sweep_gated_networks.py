"""Gated deep linear networks: routes that were never trained work when what routes share is learned first.

Saxe, Sodhani and Lewallen (2022, ICML, "The Neural Race Reduction: Dynamics of Abstraction in Gated Networks");
derived anew here, as the released code is for non-commercial use. M input domains have an encoder ``A_i`` each, M
output domains a decoder ``C_j``, all share the layer ``B``; the gate of route (i, j) computes ``C_j B A_i x``. White
inputs are to be mapped by ``T_ij = U_j S V_i'``, the same S on every route, and only some routes are trained. On

    ``A_i = R a V_i',  B = R_2 b R',  C_j = U_j c R_2'``   (a, b, c diagonal)

gradient flow stays, and every mode of strength s moves by itself: where each encoder and each decoder is on q of the
M q trained routes

    ``da/dt = q (s - cba) cb,   db/dt = M q (s - cba) ca,   dc/dt = q (s - cba) ba``,                    (race)

so the shared layer learns M times as fast: it wins the race. Without routes, of two layers from balanced weights, the
product follows ``s e^(2st) / (e^(2st) - 1 + s/u_0)`` (`sweep_silent_alignment.strength`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, names
from diffred_core.chapters.training import names_learning as of
from diffred_core.chapters.training.sweep_linear_teachers import plain_weights
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "gated_networks"
# from aligned weights: the reduction is of time without steps, so that these are smaller; the weights begin larger, and
# have learned all modes in a sixth of the time
FINER, LARGER, SHORTER = 25, 4, 6
STRENGTHS = (4.0, 3.0, 2.0, 1.0)  # of the modes of every route


def gated_networks(
    features: TaskFeatures,
    *,
    n_domains: int = 6,
    trained: Sequence[int] = (1, 2, 3, 5),
    width: int = 32,
    small: float = 0.05,
    large: float = 1.5,
    n_steps: int = 1200,
    step: float = 0.005,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Train some routes of a gated network and ask the others.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    n_domains : int
        M, of inputs and of outputs alike.
    trained : sequence of int
        Numbers q of output domains that every input domain is trained on, each from 1 to M - 1.
    width : int
        Of the layers between.
    small, large : float
        Sizes of the first weights: singular values of the aligned ones, and of random ones in the mean.
    n_steps, step
        Of gradient descent.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: curves ``mode`` (strength of every mode on trained routes, by time, from aligned weights, with
        the reduction) and ``route_error`` (of trained and other routes, by q; a share of that of no map); numbers a
        seed ``reduction_error``, ``route_error_end`` and ``route_error_fewest``.

    Raises
    ------
    InputError
        If there is one pathway only, or none is left to ask; a number is out of range, or a loss not finite.
    """
    _check(n_domains, trained, width)
    every = {of.ALIGNED: LARGER * small, of.RANDOM_SMALL: small, of.RANDOM_LARGE: large}

    def rows_of(s: int) -> Iterator[Row]:
        world = _Routes.drawn(n_domains, width, seed=s)
        for q in trained:
            for recipe, size in every.items():
                if recipe == of.ALIGNED and q != max(trained):
                    continue
                aligned = recipe == of.ALIGNED
                start = world.aligned(size) if aligned else world.random(size, seed=s)
                steps, length = (FINER * n_steps // SHORTER, step / FINER) if aligned else (n_steps, step)
                setting = f"{recipe}, {q} trained routes a domain"
                run = _Descent(start, q, n_steps=steps, step=length, setting=setting)
                rows = _mode_rows(run, size) if recipe == of.ALIGNED else _route_rows(run, trained)
                yield from (row | {"recipe": recipe} for row in rows)

    kept = other_classes(features, n_seeds=n_seeds, seed=seed)
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def _check(n_domains: int, trained: Sequence[int], width: int) -> None:
    frame.check_at_least(len(STRENGTHS), width=width)
    if n_domains < 2:
        raise InputError(f"expected n_domains of at least 2, got {n_domains}; one pathway shares nothing with another")
    if not trained or min(trained) < 1 or max(trained) >= n_domains:
        raise InputError(
            f"expected trained within 1..{n_domains - 1}, so that n_domains={n_domains} leave a route to ask, got "
            f"{list(trained)}; name other numbers"
        )


@dataclass(frozen=True, eq=False)
class _Routes:
    """Axes U, V (M, d, d) of outputs and inputs, d modes, and weights A (M, h, d), B (h, h), C (M, d, h)."""

    U: Tensor
    V: Tensor
    frames: tuple[Tensor, Tensor]
    A: Tensor
    B: Tensor
    C: Tensor

    @classmethod
    def drawn(cls, n_domains: int, width: int, *, seed: int) -> _Routes:
        draw, d = torch.Generator().manual_seed(seed), len(STRENGTHS)

        def axes(*shape: int) -> Tensor:
            turned: Tensor = torch.linalg.qr(torch.randn(*shape, generator=draw, dtype=torch.float64)).Q
            return turned

        none = torch.zeros(0, dtype=torch.float64)
        U, V = axes(n_domains, d, d), axes(n_domains, d, d)
        return cls(U, V, (axes(width, d), axes(width, d)), A=none, B=none, C=none)

    def aligned(self, size: float) -> _Routes:
        """Return the routes with weights on the manifold of the reduction, all strengths alike."""
        first, second = self.frames
        A, C = size * first @ self.V.mT, size * self.U @ second.T
        return replace(self, A=A, B=size * second @ first.T, C=C)

    def random(self, size: float, *, seed: int) -> _Routes:
        """Return the routes with normal weights whose singular values are about `size`."""
        draw, (n_domains, d, _), width = torch.Generator().manual_seed(seed + 1), self.V.shape, len(self.frames[0])
        shapes = ((n_domains, width, d), (width, width), (n_domains, d, width))
        A, B, C = (size * torch.randn(*s, generator=draw, dtype=torch.float64) / width**0.5 for s in shapes)
        return replace(self, A=A, B=B, C=C)

    @property
    def targets(self) -> Tensor:
        """Return the map of every route, (M, M, d, d): input domain, output domain, outputs, inputs."""
        strengths = torch.tensor(STRENGTHS, dtype=torch.float64)
        return torch.einsum("jok,k,ixk->ijox", self.U, strengths, self.V)

    @property
    def maps(self) -> Tensor:
        """Return what every route computes, shaped as `targets`."""
        return torch.einsum("joh,ihx->ijox", self.C, self.B @ self.A)

    def stepped(self, errors: Tensor, step: float) -> _Routes:
        """Return the routes after one step down the half sum of squares of `errors`, 0 off the trained ones."""
        inner, outer = self.B @ self.A, self.C @ self.B
        A = self.A - step * torch.einsum("joh,ijox->ihx", outer, errors)
        B = self.B - step * torch.einsum("joh,ijox,igx->hg", self.C, errors, self.A)
        C = self.C - step * torch.einsum("ijox,ihx->joh", errors, inner)
        return replace(self, A=A, B=B, C=C)


class _Descent:
    """Gradient descent on the routes (i, i), (i, i + 1) .. (i, i + q - 1), counted around."""

    def __init__(self, start: _Routes, q: int, *, n_steps: int, step: float, setting: str) -> None:
        n_domains = len(start.U)
        offset = (torch.arange(n_domains)[None] - torch.arange(n_domains)[:, None]) % n_domains
        self.trained, self.q = offset < q, q
        self.times: list[float] = []
        self.modes: list[Tensor] = []  # (d,), mean over trained routes
        self.errors: dict[str, list[float]] = {of.TRAINED: [], of.UNTRAINED: []}
        routes, targets, whole = start, start.targets, float(sum(s**2 for s in STRENGTHS))
        for t in range(n_steps + 1):
            off = routes.maps - targets
            frame.refuse_divergence(off.square().sum(), step=t, setting=setting)
            if t % max(1, n_steps // 40) == 0:
                self.times.append(t * step)
                modes = torch.einsum("jok,ijox,ixk->ijk", routes.U, off + targets, routes.V)
                self.modes.append(modes[self.trained].mean(0))
                by_route = off.square().sum((2, 3)) / whole
                self.errors[of.TRAINED].append(float(by_route[self.trained].mean()))
                self.errors[of.UNTRAINED].append(float(by_route[~self.trained].mean()))
            routes = routes.stepped(off * self.trained[:, :, None, None], step)


def race(times: Sequence[float], *, strength: float, size: float, n_domains: int, q: int) -> np.ndarray:
    """Return the product ``cba`` of one mode by the reduction (race), from ``a = b = c = size``.

    Parameters
    ----------
    times : sequence of float
    strength : float
        s of the mode.
    size : float
    n_domains, q : int
        M, and the trained routes of each domain.

    Returns
    -------
    ndarray (n_times,)
    """

    def slope(_: float, weights: np.ndarray) -> list[float]:
        a, b, c = weights
        gap = strength - c * b * a
        return [q * gap * c * b, n_domains * q * gap * c * a, q * gap * b * a]

    ran = solve_ivp(slope, (0, max(times)), [size] * 3, t_eval=list(times), rtol=1e-10, atol=1e-12, method="LSODA")
    product: np.ndarray = ran.y.prod(0)
    return product


def _mode_rows(run: _Descent, size: float) -> Iterator[Row]:
    modes, worst = torch.stack(run.modes), 0.0
    for k, strength in enumerate(STRENGTHS):
        expected = race(run.times, strength=strength, size=size, n_domains=len(run.trained), q=run.q)
        label = f"mode of strength {strength:g}"
        yield from frame.curve(of.MODE, run.times, modes[:, k], label=label)
        yield from frame.curve(of.MODE, run.times, expected, label=label, method=names.THEORY)
        worst = max(worst, float(np.abs(modes[:, k].numpy() - expected).max()) / strength)
    yield {"metric": of.REDUCTION_ERROR, "value": worst}


def _route_rows(run: _Descent, trained: Sequence[int]) -> Iterator[Row]:
    for label, errors in run.errors.items():
        yield {"metric": of.ROUTE_ERROR, "label": label, "at": run.q, "value": errors[-1]}
        for metric, q in ((of.ROUTE_ERROR_END, max(trained)), (of.ROUTE_ERROR_FEWEST, min(trained))):
            if run.q == q:
                yield {"metric": metric, "label": label, "value": errors[-1]}


def other_classes(features: TaskFeatures, *, n_seeds: int, seed: int) -> Iterator[Row]:
    """Yield the bridge: features chosen by a probe for half of the classes, asked to tell the other half apart."""
    half = features.n_classes // 2
    own = _of_classes(features, range(half, features.n_classes))
    for_others = _of_classes(features, range(half))

    def of_others(X: Tensor, y: Tensor, s: int) -> Tensor:
        return plain_weights(*bridge.half_of(for_others, seed=s), s)

    rules = {of.FOR_OTHERS: of_others, of.FOR_ITSELF: plain_weights}
    yield from bridge.rows(own, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)


def _of_classes(features: TaskFeatures, classes: range) -> TaskFeatures:
    splits = {}
    for split, (X, y) in features.splits.items():
        rows = (y >= classes.start) & (y < classes.stop)
        splits[split] = X[rows], y[rows] - classes.start
    return replace(features, classes=features.classes[classes.start : classes.stop], splits=splits)
