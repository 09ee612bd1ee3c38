"""Debiased CKA of 500 subsets with the whole layer, against ckatorch and two plain torch forms, a subset at a time."""

from __future__ import annotations

import torch
from _bench import Side, arguments, measure, report, rows_of
from ckatorch.core import cka_base

from diffred_core import cka, moments, subsets

N_SAMPLES, N_FEATURES, N_SUBSETS, N_FEW = 10_000, 1_280, 500, 10


def correlated_features() -> torch.Tensor:
    """Make features with a decaying spectrum and a shift, like those of a network."""
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(N_SAMPLES, 256, generator=generator) * torch.linspace(3, 0.1, 256)
    mixed = latent @ torch.randn(256, N_FEATURES, generator=generator) / 16
    return torch.relu(mixed + 0.3 * torch.randn(N_SAMPLES, N_FEATURES, generator=generator) + 0.2)


def song_cka(X: torch.Tensor, Y: torch.Tensor) -> float:
    """Debiased CKA from explicit n x n Gram matrices (Song et al. 2012, eq. 5)."""
    K, L = X @ X.T, Y @ Y.T
    K.fill_diagonal_(0), L.fill_diagonal_(0)
    n = len(K)

    def hsic(A, B):
        a, b = A.sum(0), B.sum(0)
        return (A * B).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a @ b) / (n - 2)

    return float(hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt())


def feature_space_cka(X: torch.Tensor, Y: torch.Tensor) -> float:
    """Biased CKA from products of features (Kornblith et al. 2019, eq. 4 with ``||Y'X||^2``)."""
    X, Y = X - X.mean(0), Y - Y.mean(0)
    return float((X.T @ Y).square().sum() / ((X.T @ X).norm() * (Y.T @ Y).norm()))


if __name__ == "__main__":
    options = arguments(__doc__, "cka_subsets")
    X = correlated_features().to(options.device)
    orders = [subsets.random_order(N_FEATURES, seed=seed) for seed in range(N_SUBSETS)]
    sizes = [64, 128, 256, 512, 1024]
    masks = torch.zeros(N_SUBSETS, N_FEATURES, device=X.device)
    for row, order in enumerate(orders):
        masks[row, order[: sizes[row % 5]]] = 1.0
    parts = [X[:, masks[row] > 0] for row in (0, 3)]

    def ours(debiased=True):
        """Count everything: the pass over the rows and all subsets."""
        return cka.subset_cka(moments.from_features(X, quartic=debiased), masks, debiased=debiased)

    def two_products():
        """Do what every debiased value needs, symmetry unused: ``X'X`` and ``(X*X)'(X*X)``."""
        squares = X * X
        return X.T @ X, squares.T @ squares

    ours_debiased, ours_biased = ours(), ours(debiased=False)
    error = max(
        abs(float(ours_debiased[row]) - song_cka(X.double(), part.double()))
        for row, part in zip((0, 3), parts, strict=True)
    )
    peer_error = abs(float(ours_debiased[0]) - float(cka_base(X, parts[0], unbiased=True)))
    error_biased = abs(float(ours_biased[0]) - feature_space_cka(X.double(), parts[0].double()))
    slow = max(1, options.repeats // 2)
    debiased = measure(
        [
            Side("diffred_core, moments counted", ours, role="ours", units=N_SUBSETS),
            Side("ckatorch 1.0.3, one subset at a time", lambda: cka_base(X, parts[0], unbiased=True), repeats=slow),
            Side("n x n Song estimator in torch", lambda: song_cka(X, parts[1]), repeats=slow),
            Side("two products X'X, shared by 500 subsets", two_products, role="floor", units=N_SUBSETS),
        ],
        repeats=options.repeats,
    )
    biased = measure(
        [
            Side("diffred_core, moments counted", lambda: ours(debiased=False), role="ours", units=N_SUBSETS),
            Side("feature-space CKA in torch", lambda: feature_space_cka(X, parts[1])),
        ],
        repeats=options.repeats,
    )
    few = masks[:N_FEW]
    by_moments = cka.subset_cka(moments.from_features(X), few)
    assert (cka.subset_cka_rows(X, few) - by_moments).abs().max() < 1e-6, "the claim is about equal values"
    of_few = measure(
        [
            Side("diffred_core, squared lengths of rows", lambda: cka.subset_cka_rows(X, few), role="ours"),
            Side("the same with fourth moments", lambda: cka.subset_cka(moments.from_features(X), few)),
        ],
        repeats=options.repeats,
    )
    facts = {"n": N_SAMPLES, "d": N_FEATURES, "subsets": N_SUBSETS}
    rows = rows_of(
        "debiased CKA of a subset",
        debiased,
        unit="subset",
        **facts,
        largest_difference_from_Song=f"{error:.1e}",
        difference_from_ckatorch=f"{peer_error:.1e}",
    )
    rows += rows_of("biased CKA of a subset", biased, unit="subset", **facts, difference=f"{error_biased:.1e}")
    few_facts = {"n": N_SAMPLES, "d": N_FEATURES, "subsets": N_FEW}
    rows += rows_of(f"debiased CKA of {N_FEW} subsets", of_few, unit=f"{N_FEW} subsets", **few_facts)
    # the same biased form serves as the debiased peer that does not build n x n matrices
    ratio = biased[1].median / debiased[0].median
    rows[0]["facts"] += f"; feature-space biased CKA over ours debiased {ratio:.0f}"
    report(rows, options.csv)
