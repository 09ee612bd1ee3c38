"""Slow, obvious twins of the few-shot curves, statistics and importances: one episode at a time. Never imported by
the package."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid
from torch import Tensor


def classes_around(n_classes: int, n_rows: int, d: int, *, seed: int = 0, separation: float = 0.6) -> tuple:
    """Rows of Gaussian classes far from the origin, in shuffled order, with features of very different scale."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(n_classes).repeat(n_rows)[torch.randperm(n_classes * n_rows, generator=draw)]
    means = separation * torch.randn(n_classes, d, generator=draw, dtype=torch.float64)
    X = means[y] + torch.randn(len(y), d, generator=draw, dtype=torch.float64)
    return (X + 3.0) * torch.logspace(-0.5, 0.5, d, dtype=torch.float64), y


def masked_episode(
    X: Tensor, episodes, i: int, order: Tensor, size: int, mask: Tensor | None
) -> tuple[np.ndarray, ...]:
    """Support rows, their labels, query rows and their labels of episode i on its kept, weighted features."""
    features = (order if order.ndim == 1 else order[i])[:size]
    Z = X if mask is None else X * (mask if mask.ndim == 1 else mask[i])
    rows, labels = [], []
    for part in (episodes.support[i], episodes.query[i]):
        rows.append(torch.stack([Z[j, features] for of_class in part for j in of_class]).double().numpy())
        labels.append(np.repeat(np.arange(len(part)), part.shape[1]))
    return rows[0], labels[0], rows[1], labels[1]


def curve_by_episodes(fit, X, episodes, order, sizes, *, mask=None) -> np.ndarray:
    """Accuracy (n_episodes, n_sizes) of ``fit(support, labels)``, a scikit-learn estimator, refitted every time."""
    found = np.zeros((len(episodes), len(sizes)))
    for i in range(len(episodes)):
        for j, size in enumerate(sizes):
            support, labels, query, truth = masked_episode(X, episodes, i, order, size, mask)
            found[i, j] = np.mean(fit(support, labels).predict(query) == truth)
    return found


def nearest_centroid(support, labels):
    # two rows about each: the same centroids, without the spread of 0 that scikit-learn warns of at one shot
    return NearestCentroid().fit(np.concatenate([support + 1, support - 1]), np.concatenate([labels, labels]))


class CosineCentroid:
    """Largest cosine with the mean of a class."""

    def __init__(self, support, labels):
        self.means = [support[labels == c].mean(0) for c in np.unique(labels)]

    def predict(self, rows):
        return np.array([np.argmax([row @ p / np.linalg.norm(p) for p in self.means]) for row in rows])


class RidgeHead:
    """scikit-learn's Ridge on one-hot labels; its alpha is n * l2."""

    def __init__(self, support, labels, l2):
        self.model = Ridge(alpha=len(labels) * l2).fit(support, np.eye(labels.max() + 1)[labels])

    def predict(self, rows):
        return self.model.predict(rows).argmax(1)


def logistic_head(support, labels, l2):
    scale = 1 if labels.max() > 1 else 2
    return LogisticRegression(C=scale / (len(labels) * l2), tol=1e-9, max_iter=10_000).fit(support, labels)


def class_rows(X, y, episodes, i, c, *, views=None, source="support", without="nothing") -> np.ndarray:
    """The rows that speak for class c of episode i: its support (and views), or all rows of its label."""
    if source == "support":
        rows = [X[j].numpy() for j in episodes.support[i, c]]
        if views is not None:
            rows += [view.numpy() for j in episodes.support[i, c] for view in views[j]]
        return np.stack(rows).astype(np.float64)
    gone = set()
    if without != "nothing":
        gone |= set(episodes.query[i, c].tolist())
    if without == "episode":
        gone |= set(episodes.support[i, c].tolist())
    label = int(episodes.classes[i, c])
    return np.stack([X[j].numpy() for j in range(len(X)) if int(y[j]) == label and j not in gone]).astype(np.float64)


def importance_by_pairs(groups: list[np.ndarray], kind: str, shrinkage: float = 0.0) -> np.ndarray:
    """Importance of every dimension from the rows of every class, written as loops."""
    d, variances = groups[0].shape[1], np.array([g.var(0, ddof=1) for g in groups])
    spreads = np.sqrt((1 - shrinkage) * variances + shrinkage * variances.mean(0))
    ratios = []
    for a, b in combinations(range(len(groups)), 2):
        ratios.append(
            [
                2 * abs(groups[a][:, j].mean() - groups[b][:, j].mean()) / (spreads[a, j] + spreads[b, j])
                for j in range(d)
            ]
        )
    ratios = np.array(ratios)
    if kind == "rank_mean":
        return np.mean([[(1 + sum(r < value for r in row)) / d for value in row] for row in ratios], 0)
    return {"mean_pair": np.mean, "max_pair": np.max, "min_pair": np.min}[kind](ratios, 0)


def shares_by_pairs(X: np.ndarray, y: np.ndarray, active: list[int], n_shot: int) -> dict[tuple[int, int], np.ndarray]:
    """Share of the dimensions of every ninth (third by spread, third of it by distance) that do not help, by pair."""
    shares: dict[tuple[int, int], list[float]] = {}
    for a, b in combinations(np.unique(y), 2):
        gap = abs(X[y == a].mean(0) - X[y == b].mean(0))
        power = (X[y == a].var(0, ddof=1) + X[y == b].var(0, ddof=1)) / 2
        signal, noise = gap**2 / 2, power * gap**2 * (1 + 1 / n_shot) + power**2 * (2 + 1 / n_shot) / n_shot
        thirds = np.array_split(sorted(active, key=lambda j, power=power: power[j]), 3)
        for i, third in enumerate(thirds):
            for k, ninth in enumerate(np.array_split(sorted(third, key=lambda j, gap=gap: gap[j]), 3)):
                idle = []
                for j in ninth:
                    rest = np.arange(len(gap)) != j
                    without = signal[rest].sum() / np.sqrt(noise[rest].sum())
                    idle.append(signal.sum() / np.sqrt(noise.sum()) <= without)
                shares.setdefault((i, k), []).append(np.mean(idle))
    return {ninth: np.array(values) for ninth, values in shares.items()}
