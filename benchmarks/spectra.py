"""All measures of the page `spectra`, part by part, against each by its definition: n x n kernels, pairs, refits."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import scipy.linalg
import torch
from _bench import Side, arguments, measure, report, rows_of
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from diffred_core import features, subsets
from diffred_core.chapters import spectra
from diffred_core.linear_probe import LAYER_L2
from diffred_core.results import where

MODEL, TASK, SEED = "tf_efficientnet_lite0.in1k", "mnist5k", 1
FRACTIONS = (0.05, 0.2, 0.5, 1.0)
FORMS = 3  # as it is, with shuffled labels, rotated: all of which our side measures


def label_cka(X: np.ndarray, Y: np.ndarray) -> float:
    """Centred n x n kernels, as Kornblith et al. (2019) define it."""
    H = np.eye(len(X)) - 1 / len(X)
    K, L = (H @ (Z @ Z.T) @ H for Z in (X, Y))
    return (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)


def kernel_target_alignment(X: np.ndarray, y: np.ndarray) -> float:
    """Hold an n x n kernel against that of the labels."""
    K, T = X @ X.T, np.where(y[:, None] == y, 1.0, -1 / y.max())
    return (K * T).sum() / np.linalg.norm(K) / np.linalg.norm(T)


def class_separation(X: np.ndarray, y: np.ndarray) -> float:
    """Mean cosine distances between all rows of all pairs of classes, by scipy."""
    rows = [X[y == c] for c in np.unique(y)]
    apart = np.array([[cdist(a, b, "cosine").mean() for b in rows] for a in rows])
    return 1 - apart.diagonal().mean() / apart.mean()


def nc1(X: np.ndarray, y: np.ndarray) -> float:
    """``tr(S_W pinv(S_B)) / C`` with both d x d matrices, as the published code of neural collapse has it."""
    means = np.stack([X[y == c].mean(0) for c in np.unique(y)])
    within = (X - means[y]).T @ (X - means[y]) / len(X)
    between = (means - X.mean(0)).T @ (means - X.mean(0)) / len(means)
    return np.trace(within @ scipy.linalg.pinv(between)) / len(means)


def cdnv(X: np.ndarray, y: np.ndarray) -> float:
    """Mean over ordered pairs of classes."""
    rows = [X[y == c] for c in np.unique(y)]
    means, spread = [a.mean(0) for a in rows], [((a - a.mean(0)) ** 2).sum(1).mean() for a in rows]
    pairs = permutations(range(len(rows)), 2)
    return np.mean([(spread[a] + spread[b]) / (2 * ((means[a] - means[b]) ** 2).sum()) for a, b in pairs])


def label_energy(X: np.ndarray, Y: np.ndarray) -> float:
    """Share of the label energy in the first C - 1 left singular vectors, from an SVD of the rows."""
    U = np.linalg.svd(X - X.mean(0), full_matrices=False)[0]
    Yc = Y - Y.mean(0)
    return ((U[:, : Y.shape[1] - 1].T @ Yc) ** 2).sum() / (Yc**2).sum()


def rankme(X: np.ndarray) -> float:
    """Entropy of the singular values, from an SVD of the rows of its own, as a package computes it."""
    s = np.linalg.svd(X - X.mean(0), compute_uv=False)
    p = s / s.sum() + 1e-7
    return np.exp(-(p * np.log(p)).sum())


def probe(X: dict[str, np.ndarray], y: dict[str, np.ndarray], Y: np.ndarray, scale: float) -> Ridge:
    """Return the most accurate of scikit-learn's ridge probes on validation rows, of equal ones the simplest."""
    fits = [Ridge(alpha=len(Y) * l2 * scale).fit(X["train"], Y) for l2 in LAYER_L2]
    accuracy = [(fit.predict(X["validation"]).argmax(1) == y["validation"]).mean() for fit in fits]
    return fits[max(range(len(fits)), key=lambda i: (accuracy[i], i))]


def of_probe(
    fit: Ridge, part: dict[str, np.ndarray], y: dict[str, np.ndarray], whole: np.ndarray, Y: np.ndarray
) -> dict:
    """Accuracy, the gradient left in all features, ``||W||^2`` and the part of it off the leading directions."""
    Xc, Yc = whole - whole.mean(0), Y - Y.mean(0)
    left = (Y - fit.predict(part["train"])).T @ Xc
    _, s, V = np.linalg.svd(part["train"] - part["train"].mean(0), full_matrices=False)
    k = int(np.argmax((s**2).cumsum() >= 0.99 * (s**2).sum())) + 1
    projector = np.eye(V.shape[1]) - V[:k].T @ V[:k]
    return {
        "accuracy": (fit.predict(part["test"]).argmax(1) == y["test"]).mean(),
        "gradient_left": np.linalg.norm(left) ** 2 / np.linalg.norm(Yc.T @ Xc) ** 2,
        "probe_complexity": (fit.coef_**2).sum(),
        "transverse_share": np.linalg.norm(projector @ fit.coef_.T) ** 2 / (fit.coef_**2).sum(),
    }


def by_definition(X: dict[str, np.ndarray], y: dict[str, np.ndarray], columns: np.ndarray) -> dict[str, float]:
    """Return the measures of one part, each from its own pass over the rows."""
    part = {split: rows[:, columns] for split, rows in X.items()}
    labels, rows = y["train"], part["train"]
    Y = np.eye(labels.max() + 1)[labels]
    return {
        "label_energy_top": label_energy(rows, Y),
        "label_cka": label_cka(rows, Y),
        "kernel_target_alignment": kernel_target_alignment(rows, labels),
        "class_separation": class_separation(rows, labels),
        "nc1": nc1(rows, labels),
        "cdnv": cdnv(rows, labels),
        "rankme": rankme(rows),
        "batch_entropy": np.log(np.pi * np.e * rows.var(0, ddof=1) + 1).mean() / 2,
        **of_probe(probe(part, y, Y, X["train"].var(0).mean()), part, y, X["train"], Y),
    }


if __name__ == "__main__":
    options = arguments(__doc__, "spectra")
    task = features.Source(MODEL, TASK).load()
    X = {split: rows.double().numpy() for split, (rows, _) in task.splits.items()}
    y = {split: labels.numpy() for split, (_, labels) in task.splits.items()}
    order = subsets.random_order(task.n_features, seed=SEED).numpy()
    sizes = {fraction: int(fraction * task.n_features) for fraction in FRACTIONS}

    kept: dict[str, Any] = {}  # what the two sides measured, so that their numbers are held together

    def ours() -> None:
        """Sweep the parts, their shuffled labels and the rotated layer: up to 23 measures each."""
        kept["ours"] = spectra.spectra(task, fractions=FRACTIONS, n_seeds=1, seed=SEED)

    def peer() -> None:
        """Measure the same parts as they are, twelve measures each."""
        kept["peer"] = {fraction: by_definition(X, y, order[:size]) for fraction, size in sizes.items()}

    sides = measure(
        [
            Side("diffred_core, 19 to 23 measures", ours, role="ours", units=FORMS * len(sizes)),
            Side("definitions (numpy, scipy, scikit-learn), 12 measures", peer, units=len(sizes), repeats=1),
        ],
        repeats=options.repeats,
    )
    apart = [
        abs(where(kept["ours"], metric=metric, method="random", fraction=fraction)["value"].item() / value - 1)
        for fraction, values in kept["peer"].items()
        for metric, value in values.items()
    ]
    rows = rows_of(
        f"parts of {', '.join(f'{100 * f:g} %' for f in FRACTIONS)} of a layer",
        sides,
        unit="part",
        features=f"{MODEL} on {TASK}",
        n_train=len(y["train"]),
        n_features=task.n_features,
        largest_relative_difference_of_48_values=f"{max(apart):.1e}",
        threads=torch.get_num_threads(),
    )
    report(rows, options.csv)
