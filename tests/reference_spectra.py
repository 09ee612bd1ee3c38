"""Slow, obvious twins of the measures of labels, classes and spectra: their papers' definitions, in NumPy on rows.

The package never imports them.
"""

from __future__ import annotations

import itertools

import numpy as np
import scipy.stats
import torch


def signs(y: np.ndarray) -> np.ndarray:
    """Labels of every class against the rest, +1 and -1, one column a class."""
    return np.where(y[:, None] == np.arange(y.max() + 1), 1.0, -1.0)


def extended_alignment(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Share of the label energy in the leading left singular vectors of [X 1], nothing centred."""
    Phi = np.column_stack([X, np.ones(len(X))])
    U, s, _ = np.linalg.svd(Phi, full_matrices=False)
    energy = ((U.T @ Y) ** 2).sum(1) * (s > 1e-6 * s[0])
    return energy.cumsum() / (Y**2).sum()


def lar_rank(X: np.ndarray, y: np.ndarray, share: float) -> int:
    """k(eps) as the code of Imani et al. (2024) has it: norms, within the span, labels +1 and -1, a bias column."""
    U, s, _ = np.linalg.svd(np.column_stack([X, np.ones(len(X))]), full_matrices=False)
    U = U[:, s > 1e-6 * s[0]]
    whole = np.linalg.norm(U.T @ y)
    for k in range(1, U.shape[1] + 1):
        if np.linalg.norm(U[:, :k].T @ y) / whole > share:
            return k
    raise AssertionError("no k holds the share")


def energy_rank(curve: np.ndarray, share: float) -> int:
    """Smallest k whose directions hold more than a share of all label energy."""
    return next(k for k, value in enumerate(curve, 1) if value > share)


def label_cka_by_kernels(X: np.ndarray, y: np.ndarray) -> float:
    """Biased linear CKA with the one-hot labels, by centred n x n kernels."""
    H = np.eye(len(X)) - 1 / len(X)
    K, L = (H @ Z @ Z.T @ H for Z in (X, np.eye(y.max() + 1)[y]))
    return float((K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L))


def kernel_target_by_kernels(X: np.ndarray, y: np.ndarray) -> float:
    """Alignment of XX' with the labels' kernel: 1 within a class, -1/(C - 1) between two."""
    K = X @ X.T
    T = np.where(y[:, None] == y, 1.0, -1 / y.max())
    return float((K * T).sum() / np.linalg.norm(K) / np.linalg.norm(T))


def cdnv_by_pairs(X: np.ndarray, y: np.ndarray) -> float:
    """Mean over ordered pairs of classes of their variances over twice the squared distance of their means."""
    rows = [X[y == c] for c in range(y.max() + 1)]
    means = [A.mean(0) for A in rows]
    spread = [np.mean([((x - m) ** 2).sum() for x in A]) for A, m in zip(rows, means, strict=True)]
    pairs = itertools.permutations(range(len(rows)), 2)
    return float(np.mean([(spread[a] + spread[b]) / (2 * ((means[a] - means[b]) ** 2).sum()) for a, b in pairs]))


def nc1_quotient(X: np.ndarray, y: np.ndarray) -> float:
    """tr S_W / tr S_B, with S_B the mean over classes about the mean of all rows."""
    means = [X[y == c].mean(0) for c in range(y.max() + 1)]
    within = np.mean([((x - means[c]) ** 2).sum() for x, c in zip(X, y, strict=True)])
    return float(within / np.mean([((m - X.mean(0)) ** 2).sum() for m in means]))


def dimensionality(W: np.ndarray) -> list[float]:
    """Feature dimensionality with unit vectors, one vector at a time."""
    shares = []
    for w in W:
        unit = w / np.linalg.norm(w)
        shares.append(float((w @ w) / sum((unit @ other) ** 2 for other in W)))
    return shares


def batch_entropy_by_columns(X: np.ndarray) -> float:
    """Mean over features of 0.5 log(pi e s^2 + 1), s the standard deviation with n - 1."""
    return float(np.mean([0.5 * np.log(np.pi * np.e * np.std(x, ddof=1) ** 2 + 1) for x in X.T]))


def gradmax_by_rows(X: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Singular values of the mean over rows of residual times features."""
    M = sum(np.outer(r, x) for r, x in zip(residual, X, strict=True)) / len(X)
    return np.linalg.svd(M, compute_uv=False)


def fine_tuned(X: np.ndarray, source: np.ndarray, target: np.ndarray, *, n_steps: int) -> np.ndarray:
    """Where gradient descent on the rows X, labelled by `target`, ends that begins at `source`."""
    theta, step = source.copy(), 1 / np.linalg.norm(X, 2) ** 2
    for _ in range(n_steps):
        theta -= step * X.T @ (X @ theta - X @ target)
    return theta


def population_risk(rows: np.ndarray, theta: np.ndarray, target: np.ndarray) -> float:
    """Mean squared error over all rows of a population."""
    errors = rows @ (theta - target)
    return float(np.mean([(error**2).sum() for error in errors]))


def tail_by_projector(X: np.ndarray, weight: np.ndarray, variance: float) -> np.ndarray:
    """W'PW with the d x d projector off the fewest components that hold a share of the variance."""
    _, s, V = np.linalg.svd(X - X.mean(0), full_matrices=False)
    k = int(np.argmax((s**2).cumsum() / (s**2).sum() >= variance)) + 1
    projector = np.eye(X.shape[1]) - V[:k].T @ V[:k]
    return weight.T @ projector @ weight


def jacobian_complexity(network: torch.nn.Module, images: torch.Tensor, weight: torch.Tensor) -> float:
    """Mean squared Frobenius norm of the Jacobian of ``weight' network(x)``, one image at a time."""
    norms = []
    for image in images:
        jacobian = torch.func.jacrev(lambda x: weight.T @ network(x[None])[0])(image)
        norms.append(float(jacobian.detach().square().sum()))
    return sum(norms) / len(norms)


def fisher_by_gradients(X: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean over rows, labels of the model's own odds, and classes, of the squared gradient of log p by each weight."""
    total = torch.zeros_like(weight)
    for x in X:
        p = torch.softmax(x @ weight, 0)
        for c in range(weight.shape[1]):
            W = weight.clone().requires_grad_()
            torch.log_softmax(x @ W, 0)[c].backward()
            total += p[c].detach() * W.grad**2
    return total.mean(1) / len(X)


def diversity_by_pairs(embeddings: np.ndarray) -> float:
    """Mean distance of pairs of tasks as the published code has it."""
    distances = []
    for a, b in itertools.combinations(embeddings, 2):
        left, right = a / (a + b + 1e-8), b / (a + b + 1e-8)
        distances.append(1 - left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    return float(np.mean(distances))


def domain_distance(X: np.ndarray, domains: np.ndarray, first: np.ndarray, second: np.ndarray, alpha: float) -> float:
    """2 (1 - 2 err) of scikit-learn's ridge classifier on the rows `second`, fitted on `first`."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=alpha).fit(X[first], np.eye(2)[domains[first]])
    wrong = (model.predict(X[second]).argmax(1) != domains[second]).mean()
    return float(2 * (1 - 2 * wrong))


def label_aligned_by_rows(
    X: np.ndarray, Y: np.ndarray, target: np.ndarray, *, strength: float, rank: int
) -> np.ndarray:
    """Weights of label alignment regularisation, bias last, from the SVDs of both domains' rows."""
    Phi, Psi = (np.column_stack([Z, np.ones(len(Z))]) for Z in (X, target))
    _, s, V = np.linalg.svd(Phi)
    _, t, U = np.linalg.svd(Psi)
    kept = sum(s[i] ** 2 * np.outer(V[i], V[i]) for i in range(rank)) / len(X)
    penalty = sum(t[i] ** 2 * np.outer(U[i], U[i]) for i in range(rank, len(t))) / len(target)
    return np.linalg.pinv(kept + strength * penalty, hermitian=True) @ Phi.T @ Y / len(X)


def rank_correlation_by_copies(
    x: np.ndarray, y: np.ndarray, counts: np.ndarray, *, control: np.ndarray | None = None, of: np.ndarray | None = None
) -> float:
    """Return Spearman's correlation of cells, each written as often as it counts; partial, or of ranks in groups."""
    rows = np.repeat(np.arange(len(x)), counts.astype(int))
    groups = np.zeros(len(rows)) if of is None else of[rows]
    ranks = []
    for values in (x, y) if control is None else (x, y, control):
        ranked = np.empty(len(rows))
        for group in np.unique(groups):
            inside = groups == group
            ranked[inside] = (scipy.stats.rankdata(values[rows][inside]) - 0.5) / inside.sum() - 0.5
        ranks.append(ranked)
    if control is not None:
        design = np.column_stack([np.ones(len(rows)), ranks[2]])
        ranks = [rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks[:2]]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def label_aligned_by_descent(
    X: np.ndarray, Y: np.ndarray, target: np.ndarray, *, strength: float, rank: int, steps: int
) -> np.ndarray:
    """Weights of label alignment regularisation after `steps` of gradient descent on its objective, from 0."""
    Phi, Psi = (np.column_stack([Z, np.ones(len(Z))]) for Z in (X, target))
    (_, s, V), (_, t, U) = np.linalg.svd(Phi), np.linalg.svd(Psi)
    bottom, tail = s[rank:, None] * V[rank : len(s)], t[rank:, None] * U[rank : len(t)]
    matrix = (Phi.T @ Phi - bottom.T @ bottom) / len(X) + strength * tail.T @ tail / len(target)
    rate, w = 1 / np.linalg.norm(matrix, 2), np.zeros((Phi.shape[1], Y.shape[1]))
    for _ in range(steps):
        fit = Phi.T @ (Phi @ w - Y) - bottom.T @ (bottom @ w)
        w = w - rate * (fit / len(X) + strength * tail.T @ (tail @ w) / len(target))
    return w
