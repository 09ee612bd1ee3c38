"""Slow, obvious twins of the fast formulas. The package never imports them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def moments_by_rows(X: Tensor) -> dict[str, Tensor]:
    """Mean, G, T and Q, one row at a time."""
    X = X.double()
    mean = sum(X) / len(X)
    centred = [row - mean for row in X]
    return {
        "mean": mean,
        "gram": sum(torch.outer(x, x) for x in centred),
        "cubic": sum(torch.outer(x * x, x) for x in centred),
        "quartic": sum(torch.outer(x * x, x * x) for x in centred),
    }


def class_sums_by_rows(X: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Sum of the centred rows of every class, one row at a time."""
    X = X.double()
    mean = X.mean(0)
    sums = torch.zeros(n_classes, X.shape[1], dtype=torch.float64)
    for row, label in zip(X, y, strict=True):
        sums[label] += row - mean
    return sums


def cka_by_centring(X: Tensor, Y: Tensor) -> float:
    """Biased linear CKA with explicit n x n kernels and centring matrices (Kornblith et al. 2019, eq. 3 and 4)."""
    return kernel_cka_by_centring(_kernel(X), _kernel(Y))


def kernel_cka_by_centring(K: Tensor, L: Tensor) -> float:
    n = len(K)
    H = torch.eye(n, dtype=K.dtype, device=K.device) - torch.ones(n, n, dtype=K.dtype, device=K.device) / n

    def hsic(A: Tensor, B: Tensor) -> Tensor:
        return torch.trace(A @ H @ B @ H) / (n - 1) ** 2

    return float(hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt())


def cka_by_song(X: Tensor, Y: Tensor) -> float:
    """Debiased linear CKA with the n x n estimator HSIC_1 (Nguyen et al. 2021, eq. 3)."""
    return kernel_cka_by_song(_kernel(X), _kernel(Y))


def kernel_cka_by_song(K: Tensor, L: Tensor) -> float:
    n = len(K)
    off = 1 - torch.eye(n, dtype=K.dtype, device=K.device)
    one = torch.ones(n, dtype=K.dtype, device=K.device)

    def hsic(A: Tensor, B: Tensor) -> Tensor:
        A, B = A * off, B * off
        first = torch.trace(A @ B)
        second = (one @ A @ one) * (one @ B @ one) / ((n - 1) * (n - 2))
        third = 2 / (n - 2) * (one @ A @ B @ one)
        return (first + second - third) / (n * (n - 3))

    return float(hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt())


def _kernel(X: Tensor) -> Tensor:
    # centring first changes nothing in exact arithmetic and keeps an offset from eating the digits
    X = X.double() - X.double().mean(0)
    return X @ X.T


def gaussian_kernel_by_pairs(X: Tensor, bandwidth: float) -> Tensor:
    """exp(-|x_i - x_j|^2 / (2 s^2)) with s = bandwidth times the median distance of two samples."""
    X = X.double()
    n = len(X)
    distance = torch.tensor([[float((X[i] - X[j]).norm()) for j in range(n)] for i in range(n)], dtype=torch.float64)
    median = sorted(float(distance[i, j]) for i in range(n) for j in range(i))[(n * (n - 1) // 2 - 1) // 2]
    return torch.exp(-(distance**2) / (2 * (bandwidth * median) ** 2))


def mutual_knn_by_sets(X: Tensor, Y: Tensor, k: int) -> float:
    """Mean share of common members of two sets of neighbours."""

    def neighbours(values: Tensor, i: int) -> set[int]:
        others = [j for j in range(len(values)) if j != i]
        return set(sorted(others, key=lambda j: float((values[j] - values[i]).norm()))[:k])

    return sum(len(neighbours(X, i) & neighbours(Y, i)) / k for i in range(len(X))) / len(X)


def gini_by_pairs(values: list[float]) -> float:
    """Mean absolute difference over all pairs, over twice the mean."""
    a = np.asarray(values, float) + 1e-7
    return float(np.abs(a[:, None] - a[None, :]).mean() / (2 * a.mean()))


def bootstrap_by_indexing(gain: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Means of resampled tables, each copied out by its indices."""
    rng = np.random.default_rng(seed)
    rows, columns = gain.shape
    return np.array(
        [gain[rng.integers(rows, size=rows)][:, rng.integers(columns, size=columns)].mean() for _ in range(n_boot)]
    )
