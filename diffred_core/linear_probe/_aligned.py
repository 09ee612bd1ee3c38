"""The least-squares probe whose labels are aligned with the spectrum of an unlabelled target, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._ridge import ROUNDING
from diffred_core.moments import FeatureMoments


@torch.no_grad()
def fit_label_aligned(
    source: FeatureMoments,
    target: FeatureMoments,
    *,
    strength: float,
    rank: int,
    target_rank: int | None = None,
    steps: int | None = None,
) -> LinearProbe:
    """Fit a probe for an unlabelled target by label alignment regularisation (Imani et al. 2024, algorithm 1).

    Labels of a task lie in its leading singular directions, so of the fit on source rows only these are kept, and what
    the probe says in the trailing directions of the *target* is penalised:
    ``min_w ||Phi w - y||^2 - sum_{i > k} s_i^2 (v_i'w)^2 + strength sum_{i > k'} t_i^2 (u_i'w)^2`` with the singular
    values s, t and right singular vectors v, u of source and target, a constant column appended, nothing centred,
    labels +1 and -1, every class against the rest. With the terms put together the solution is
    ``(V_k S_k^2 V_k' + strength U_rest T_rest^2 U_rest')^+ Phi'y``.

    Differs from the paper: both sums are means over rows, so that `strength` does not depend on how many rows either
    domain has; the paper's is ``strength n_source / n_target``. Its released code takes the source's singular values
    for t, chooses k, k' and the strength by labelled target rows, and does not minimise: it takes 500 small steps of
    gradient descent from 0. `steps` stops there, ``(1 - (1 - m / m_1)^steps) / m`` in place of ``1 / m`` along every
    eigenvector of the matrix, m its eigenvalue and m_1 the largest.

    Parameters
    ----------
    source : FeatureMoments
        With class sums.
    target : FeatureMoments
        Of the same features; its labels, if it has any, are not read.
    strength : float
        At least 0; 0 is regression on the first `rank` directions of the source.
    rank : int
        k, from 1 to n_features + 1: ``geometry.alignment_rank(geometry.label_alignment(source, extended=True))``.
    target_rank : int, optional
        k' of the target, whose labels nobody knows; by default `rank`.
    steps : int, optional
        Of gradient descent from 0, each of the size ``1 / m_1``; by default the minimiser, which no number of steps
        need come near: where ``V_k`` and ``U_rest`` together hardly reach, it has great weights.

    Returns
    -------
    LinearProbe
        `l2` is the strength, `gradient_norm` that of the objective in the directions that it determines, `converged`
        whether that is rounding, `iterations` the steps.

    Raises
    ------
    InputError
        A source without class sums or of one class, domains of different widths, a rank out of range, a negative
        strength, or fewer than one step.
    """
    solver = LabelAlignment.of(source, target).solver(strength=strength, rank=rank, target_rank=target_rank)
    return solver.probe(source, steps=steps)


@dataclass(frozen=True, eq=False)
class LabelAlignment:
    """The spectra of two domains, made once for probes of many ranks, strengths and steps: see `fit_label_aligned`.

    Attributes
    ----------
    source, target : pair of Tensor
        Eigenvalues ``(n_features + 1,)`` of the mean of ``[x 1]'[x 1]``, falling, and eigenvectors as columns.
    """

    source: tuple[Tensor, Tensor]
    target: tuple[Tensor, Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, source: FeatureMoments, target: FeatureMoments) -> LabelAlignment:
        """Return the spectra of two domains of the same features.

        Raises
        ------
        InputError
            Domains of different widths.
        """
        if source.n_features != target.n_features:
            raise InputError(
                f"expected the same features of both domains, got {source.n_features} and {target.n_features}; take "
                "them from one layer"
            )
        return cls(_spectrum(source), _spectrum(target))

    def swapped(self) -> LabelAlignment:
        """Return the same with source and target in each other's place, for reverse validation."""
        return LabelAlignment(self.target, self.source)

    @torch.no_grad()
    def solver(self, *, strength: float, rank: int, target_rank: int | None = None) -> AlignedSolver:
        """Return what solves for the probe of any labels and any number of steps.

        Parameters
        ----------
        strength, rank, target_rank
            As in `fit_label_aligned`.

        Raises
        ------
        InputError
            A rank out of range, or a negative strength.
        """
        target_rank = target_rank or rank
        _check(len(self.source[0]), strength=strength, ranks={"rank": rank, "target_rank": target_rank})
        matrix = _part(self.source, slice(None, rank))
        if strength == 0 and rank == len(matrix):  # least squares, whose spectrum is at hand
            return AlignedSolver(matrix, self.source[0].flip(0), self.source[1].flip(1), strength=0.0)
        matrix = matrix + strength * _part(self.target, slice(target_rank, None))
        values, vectors = torch.linalg.eigh(matrix)
        return AlignedSolver(matrix, values, vectors, strength=float(strength))


@dataclass(frozen=True, eq=False)
class AlignedSolver:
    """The quadratic part of the objective with its eigenvalues, rising, and eigenvectors as columns."""

    matrix: Tensor
    values: Tensor
    vectors: Tensor
    strength: float

    @torch.no_grad()
    def probe(self, labels: FeatureMoments, *, steps: int | None = None) -> LinearProbe:
        """Return the probe of source rows with these labels.

        Parameters
        ----------
        labels : FeatureMoments
            Of the source rows, with class sums.
        steps : int, optional
            As in `fit_label_aligned`.

        Raises
        ------
        InputError
            Moments without class sums or of one class, or fewer than one step.
        """
        _check_labels(labels, steps)
        rhs = labels.extended_label_sums().T / labels.n
        weight = self.vectors @ (_filter(self.values, steps)[:, None] * (self.vectors.T @ rhs))
        determined = self.vectors[:, _determined(self.values)]
        norm = 2 * (determined.T @ (self.matrix @ weight - rhs)).abs().amax()
        return LinearProbe(
            weight=weight[:-1],
            bias=weight[-1],
            subsets=torch.arange(len(weight) - 1, device=weight.device),
            l2=torch.tensor(self.strength, dtype=torch.float64),
            converged=norm <= ROUNDING * rhs.abs().amax(),
            iterations=torch.tensor(steps or 0),
            gradient_norm=norm,
            n_features=len(weight) - 1,
        )


def _spectrum(moments: FeatureMoments) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(moments.extended_gram() / moments.n)
    return values.flip(0).clamp_min(0), vectors.flip(1)


def _part(spectrum: tuple[Tensor, Tensor], chosen: slice) -> Tensor:
    """Return the part of the matrix that lies in the chosen eigenvectors, the leading ones first."""
    values, vectors = spectrum[0][chosen], spectrum[1][:, chosen]
    part: Tensor = (vectors * values) @ vectors.T
    return part


def _determined(values: Tensor) -> Tensor:
    """Return which eigenvalues of a matrix, rising, are above rounding."""
    return values > len(values) * torch.finfo(values.dtype).eps * values[-1]


def _filter(values: Tensor, steps: int | None) -> Tensor:
    """Return what each eigenvector's part of the right side is multiplied by."""
    if steps is None:
        return torch.where(_determined(values), 1 / values, 0.0)
    share = (values / values[-1]).clamp(0, 1)
    # the geometric series of the steps; where the matrix has nothing, each adds as much as the first
    reached = -torch.expm1(steps * torch.log1p(-share))
    return torch.where(_determined(values), reached / values, steps / values[-1])


def _check(width: int, *, strength: float, ranks: dict[str, int]) -> None:
    if not strength >= 0:
        raise InputError(f"expected strength of at least 0, got {strength}; 0 leaves the target out")
    for name, rank in ranks.items():
        if not 1 <= rank <= width:
            raise InputError(
                f"expected {name} from 1 to {width} (n_features and the constant), got {rank}; take "
                "geometry.alignment_rank"
            )


def _check_labels(source: FeatureMoments, steps: int | None) -> None:
    if int((source.class_totals[1] > 0).sum()) < 2:
        raise InputError("expected source rows of at least two classes, got one class; add rows of another class")
    if steps is not None and steps < 1:
        raise InputError(f"expected steps of at least 1, got {steps}; leave them out for the minimiser")
