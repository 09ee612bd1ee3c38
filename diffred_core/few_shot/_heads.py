"""Linear heads on the supports of every episode, at every number of kept features, for one or many masks.

A regularised linear head on a few supports lies in their span, so all it needs of the features are the inner products
of the supports with the supports and the queries: two Gram matrices, which grow chunk by chunk as running sums.

Thousands of logistic heads run as one batch, each solved to its own certificate. With ``K = L L'`` the rows of L are
features with the same inner products as the supports, so the head on them is the head on the supports, in n_support
dimensions whatever the width of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import check_choice, check_positive
from diffred_core.errors import InputError
from diffred_core.few_shot._episodes import Episodes
from diffred_core.few_shot._walk import Walk
from diffred_core.linear_probe.curvature import inverse_curvature
from diffred_core.linear_probe.factor import ridge_factor
from diffred_core.linear_probe.lbfgs import minimise

Head = Literal["ridge", "logistic"]
Coefficients = Callable[[Tensor, int, float], tuple[Tensor, Tensor]]
DEFAULT_MEMORY_BYTES = 2**26  # a batch that stays near the cache: four times as much took a fifth longer
TOL = 1e-8  # largest gradient entry of a logistic head, features scaled to a mean square length of 1
_JITTER = 1e-11  # of that length: centred supports have a singular Gram matrix


@torch.no_grad()
def linear_head_curve(
    X: Tensor | ArrayLike,
    episodes: Episodes,
    order: Tensor,
    sizes: Sequence[int],
    *,
    head: Head = "ridge",
    l2: float,
    mask: Tensor | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Tensor:
    """Return the accuracy of a linear head on the first k features of an order, for every k in `sizes`.

    Both heads have a free intercept. ``ridge`` minimises ``1/n |X W - Y|^2 + l2 |W|^2`` for one-hot Y over the
    n = n_way * n_shot supports, as `linear_probe.fit_ridge`; ``logistic`` minimises mean cross-entropy
    ``+ l2/2 |W|^2``, as `linear_probe.fit_logistic` (scikit-learn's ``C`` is ``1 / (n l2)``; ``2 / (n l2)`` for two
    classes). All of it is float64.

    Parameters
    ----------
    X, episodes, order, sizes, mask
        As in `centroid_curve`.
    head : {"ridge", "logistic"}
    l2 : float
        Above 0, the same at every size.
    memory_bytes : int
        Bound on the rows and Gram matrices of a batch of episodes.

    Returns
    -------
    Tensor (n_episodes, n_sizes), or (n_masks, n_episodes, n_sizes), of float64
        A tie counts as one over the number of classes in it.

    Raises
    ------
    InputError
        As `centroid_curve`; an unknown `head`, an `l2` not above 0, or one so small that a fit does not converge.
    """
    heads: dict[str, Coefficients] = {"ridge": ridge_coefficients, "logistic": logistic_coefficients}
    check_choice(head, heads, "head: expected one of {}")
    check_positive(l2, name="l2")
    walk = Walk.of(torch.as_tensor(X).double(), episodes, order, sizes, mask)
    width, n_support = walk.order.shape[1], episodes.n_way * episodes.n_shot
    n_rows = n_support + episodes.n_way * episodes.n_query
    values = n_rows * width + n_support * walk.n_masks * (width + 2 * n_rows * len(walk.stops))
    scores = partial(_scores, walk, heads[head], l2)
    return walk.curve(scores, n_rows=n_rows, values_an_episode=values, memory_bytes=memory_bytes)


def _scores(walk: Walk, head: Coefficients, l2: float, at: slice, room: Tensor) -> Tensor:
    """Return scores (n_stops, m, n_masks, n_way, n_way * n_query) of the episodes `at`."""
    episodes, n_support = walk.episodes, walk.episodes.n_way * walk.episodes.n_shot
    index = torch.cat([episodes.support[at].flatten(1), episodes.query[at].flatten(1)], 1)
    rows = walk.rows(index, at, out=room)
    rows -= rows[:, :n_support].mean(1, keepdim=True)
    left = walk.squares(at)[:, :, None] * rows[:, None, :n_support]
    products = walk.products(left.flatten(1, 2), rows).unflatten(2, left.shape[1:3])
    coefficients, bias = head(products[..., :n_support], episodes.n_way, l2)
    scores: Tensor = coefficients.mT @ products[..., n_support:] + bias[..., None]
    return scores


def ridge_coefficients(gram: Tensor, n_way: int, l2: float) -> tuple[Tensor, Tensor]:
    """Return coefficients ``(..., n_support, n_way)`` of the centred supports, and intercepts ``(..., n_way)``.

    `gram (..., n_support, n_support)` is that of the centred supports, class by class, in float64.
    """
    n = gram.shape[-1]
    targets = torch.eye(n_way, dtype=gram.dtype, device=gram.device).repeat_interleave(n // n_way, 0) - 1 / n_way
    lower = ridge_factor(gram.clone(), gram.new_full(gram.shape[:-2], n * l2))
    return torch.cholesky_solve(targets.expand(*gram.shape[:-1], n_way), lower), gram.new_full((n_way,), 1 / n_way)


def logistic_coefficients(gram: Tensor, n_way: int, l2: float, *, max_iter: int = 2000) -> tuple[Tensor, Tensor]:
    """Return the same for ``mean cross-entropy + l2/2 |W|^2``; refuse a head whose gradient stays above `TOL`."""
    n, shape = gram.shape[-1], gram.shape[:-2]
    gram = gram.reshape(-1, n, n)
    scale = gram.diagonal(dim1=1, dim2=2).mean(1)
    scale = torch.where(scale > 0, scale, 1.0)
    jitter = _JITTER * n * torch.eye(n, dtype=gram.dtype, device=gram.device)
    lower = torch.linalg.cholesky(gram / scale[:, None, None] + jitter)
    features = torch.cat([lower.mT, lower.new_ones(len(lower), 1, n)], 1)
    # features / s need weights * s, and so a penalty l2 / s^2: the tolerance then means the same at every scale
    problem = SupportCrossEntropy(features, n_way, l2 / scale)
    theta = gram.new_zeros(len(scale), n_way, n + 1)
    theta, _ = minimise(problem, theta, tol=TOL / 2, max_iter=max_iter)
    _certify(problem, theta)
    # logits of the supports are L V: coefficients A with K A = L V, in the scaled Gram matrix
    coefficients = torch.linalg.solve_triangular(lower.mT, theta[..., :-1].mT, upper=True) / scale[:, None, None]
    return coefficients.reshape(*shape, n, n_way), theta[..., -1].reshape(*shape, n_way)


def _certify(problem: SupportCrossEntropy, theta: Tensor) -> None:
    gradient = problem(theta, torch.arange(len(theta), device=theta.device))[1]
    failed = gradient.abs().amax((1, 2)) > TOL
    if failed.any():
        raise InputError(
            f"l2: expected one at which every logistic head converges, got a gradient above {TOL:g} in "
            f"{int(failed.sum())} of {len(failed)} heads; raise l2, now {float(problem.penalty.amax()):.3g} for "
            "supports of unit length"
        )


@dataclass(frozen=True, eq=False)
class SupportCrossEntropy:
    """The problems of many episodes, each with its own features but the same labels: class by class, n_shot each.

    An `Objective` of `linear_probe`'s minimiser; parameters are ``theta (m, n_way, n_support + 1)``, intercept last.
    """

    features: Tensor  # (n_problems, n_support + 1, n_support), feature-major, the last feature 1
    n_way: int
    l2: Tensor  # (n_problems,)

    @property
    def penalty(self) -> Tensor:
        """Weight of every coordinate in the quadratic term, ``(n_problems, 1, n_support + 1)``: 0 for the intercept."""
        weight = self.l2[:, None, None].repeat(1, 1, self.features.shape[1])
        weight[..., -1] = 0
        return weight

    @property
    def targets(self) -> Tensor:
        """One-hot labels, ``(n_way, n_support)``."""
        eye = torch.eye(self.n_way, dtype=self.features.dtype, device=self.features.device)
        return eye.repeat_interleave(self.features.shape[2] // self.n_way, 1)

    def __call__(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """Return values ``(m,)`` and gradients, like `theta`."""
        X, penalty, n = self._of(members), self.penalty[members], self.features.shape[2]
        logp = (theta @ X).log_softmax(1)
        value = -(logp * self.targets).sum((1, 2)) / n + (penalty * theta.square()).sum((1, 2)) / 2
        return value, (logp.exp() - self.targets) @ X.mT / n + penalty * theta

    def inverse_bound(self, members: Tensor) -> Tensor:
        """Return the inverses of Boehning's (1992) bound on the curvature."""
        X = self._of(members)
        return inverse_curvature(X @ X.mT / (2 * X.shape[2]), self.penalty[members])

    def inverse_curvature(self, theta: Tensor, members: Tensor) -> Tensor:
        """Return the inverses of the class-averaged diagonal of the curvature at `theta`."""
        X = self._of(members)
        weight = (1 - (theta @ X).softmax(1).square().sum(1, keepdim=True)) / (self.n_way * X.shape[2])
        return inverse_curvature((X * weight) @ X.mT, self.penalty[members])

    def _of(self, members: Tensor) -> Tensor:
        return self.features if len(members) == len(self.features) else self.features[members]
