"""Multinomial logistic heads of thousands of episodes as one batch, each solved to its own certificate.

With ``K = L L'`` the rows of L are features with the same inner products as the supports, so the head on them is the
head on the supports, in n_support dimensions whatever the width of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe.curvature import inverse_curvature
from diffred_core.linear_probe.lbfgs import minimise

TOL = 1e-8  # largest gradient entry, features scaled to a mean square length of 1
_JITTER = 1e-11  # of that length: centred supports have a singular Gram matrix


def logistic_coefficients(gram: Tensor, n_way: int, l2: float, *, max_iter: int = 2000) -> tuple[Tensor, Tensor]:
    """Return coefficients ``(..., n_support, n_way)`` of the centred supports, and intercepts ``(..., n_way)``.

    Parameters
    ----------
    gram : Tensor (..., n_support, n_support) of float64
        Of the centred supports, class by class.
    n_way : int
    l2 : float
        Of ``mean cross-entropy + l2/2 |W|^2``.
    max_iter : int
        Most steps of any head.

    Raises
    ------
    InputError
        A head whose gradient stays above the tolerance.
    """
    n, shape = gram.shape[-1], gram.shape[:-2]
    scale, lower = _scaled_factor(gram.reshape(-1, n, n))
    # features / s need weights * s, and so a penalty l2 / s^2: the tolerance then means the same at every scale
    problem = SupportCrossEntropy(_with_ones(lower), n_way, l2 / scale)
    theta = gram.new_zeros(len(scale), n_way, n + 1)
    theta, _ = minimise(problem, theta, tol=TOL / 2, max_iter=max_iter)
    _certify(problem, theta)
    # logits of the supports are L V: coefficients A with K A = L V, in the scaled Gram matrix
    coefficients = torch.linalg.solve_triangular(lower.mT, theta[..., :-1].mT, upper=True) / scale[:, None, None]
    return coefficients.reshape(*shape, n, n_way), theta[..., -1].reshape(*shape, n_way)


def _scaled_factor(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean square length of the supports ``(p,)`` and the Cholesky factor of the Gram matrix over it."""
    n = gram.shape[-1]
    scale = gram.diagonal(dim1=1, dim2=2).mean(1)
    scale = torch.where(scale > 0, scale, 1.0)
    jitter = _JITTER * n * torch.eye(n, dtype=gram.dtype, device=gram.device)
    return scale, torch.linalg.cholesky(gram / scale[:, None, None] + jitter)


def _with_ones(lower: Tensor) -> Tensor:
    """Return features ``(p, n + 1, n)``, feature-major, with a row of ones for the intercept."""
    return torch.cat([lower.mT, lower.new_ones(len(lower), 1, lower.shape[1])], 1)


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

    Attributes
    ----------
    features : Tensor (n_problems, n_support + 1, n_support)
        Feature-major, the last feature 1.
    n_way : int
    l2 : Tensor (n_problems,)
    """

    features: Tensor
    n_way: int
    l2: Tensor

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
