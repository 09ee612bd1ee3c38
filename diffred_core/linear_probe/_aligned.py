"""The least-squares probe whose labels are aligned with the spectrum of an unlabelled target, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe
from diffred_core.linear_probe._ridge import ROUNDING
from diffred_core.moments import FeatureMoments


@torch.no_grad()
def fit_label_aligned(
    source: FeatureMoments, target: FeatureMoments, *, strength: float, rank: int, target_rank: int | None = None
) -> LinearProbe:
    """Fit a probe for an unlabelled target by label alignment regularisation (Imani et al. 2024, algorithm 1).

    Labels of a task lie in its leading singular directions, so of the fit on source rows only these are kept, and what
    the probe says in the trailing directions of the *target* is penalised:
    ``min_w ||Phi w - y||^2 - sum_{i > k} s_i^2 (v_i'w)^2 + strength sum_{i > k'} t_i^2 (u_i'w)^2`` with the singular
    values s, t and right singular vectors v, u of source and target, a constant column appended, nothing centred,
    labels +1 and -1, every class against the rest. With the terms put together the solution is
    ``(V_k S_k^2 V_k' + strength U_rest T_rest^2 U_rest')^+ Phi'y``.

    Differs from the paper: both sums are means over rows, so that `strength` does not depend on how many rows either
    domain has; the paper's is ``strength n_source / n_target``. Its experiments start gradient descent from 0, which
    ends at the same solution where there is one.

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

    Returns
    -------
    LinearProbe
        `l2` is the strength, `gradient_norm` that of the objective in the directions that it determines, `converged`
        whether that is rounding.

    Raises
    ------
    InputError
        A source without class sums or of one class, domains of different widths, a rank out of range, or a negative
        strength.
    """
    width = source.n_features + 1
    _check(source, target, strength=strength, ranks={"rank": rank, "target_rank": target_rank or rank})
    kept = _directions(source, slice(None, rank)) / source.n
    penalty = _directions(target, slice(target_rank or rank, None)) / target.n
    matrix, rhs = kept + strength * penalty, source.extended_label_sums().T / source.n
    values, vectors = torch.linalg.eigh(matrix)
    determined = values > width * torch.finfo(values.dtype).eps * values[-1]
    basis = vectors[:, determined]
    weight = basis @ (basis.T @ rhs / values[determined, None])
    residual = basis.T @ (matrix @ weight - rhs)
    norm = 2 * residual.abs().amax()
    return LinearProbe(
        weight=weight[:-1],
        bias=weight[-1],
        subsets=torch.arange(source.n_features, device=weight.device),
        l2=torch.tensor(float(strength), dtype=torch.float64),
        converged=norm <= ROUNDING * rhs.abs().amax(),
        iterations=torch.tensor(0),
        gradient_norm=norm,
        n_features=source.n_features,
    )


def _directions(moments: FeatureMoments, chosen: slice) -> Tensor:
    """Return the part of ``[X 1]'[X 1]`` that lies in the chosen eigenvectors, the leading ones first."""
    values, vectors = torch.linalg.eigh(moments.extended_gram())
    values, vectors = values.flip(0).clamp_min(0)[chosen], vectors.flip(1)[:, chosen]
    part: Tensor = (vectors * values) @ vectors.T
    return part


def _check(source: FeatureMoments, target: FeatureMoments, *, strength: float, ranks: dict[str, int]) -> None:
    if int((source.class_totals[1] > 0).sum()) < 2:
        raise InputError("expected source rows of at least two classes, got one class; add rows of another class")
    if source.n_features != target.n_features:
        raise InputError(
            f"expected the same features of both domains, got {source.n_features} and {target.n_features}; take them "
            "from one layer"
        )
    if not strength >= 0:
        raise InputError(f"expected strength of at least 0, got {strength}; 0 leaves the target out")
    for name, rank in ranks.items():
        if not 1 <= rank <= source.n_features + 1:
            raise InputError(
                f"expected {name} from 1 to {source.n_features + 1} (n_features and the constant), got {rank}; take "
                "geometry.alignment_rank"
            )
