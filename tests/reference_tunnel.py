"""Slow, obvious twins of the measures of depth and of class geometry. The package never imports them."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.linalg
import torch
from sklearn.linear_model import Ridge
from torch import Tensor


def retained(curve: list[float]) -> float:
    """Hundred times the last accuracy over the best one."""
    best = 0.0
    for accuracy in curve:
        best = max(best, accuracy)
    return 100 * curve[-1] / best


def singular_values(X: np.ndarray, *, centred: bool = True) -> np.ndarray:
    """Those of the rows themselves, by an SVD of the data matrix."""
    X = np.asarray(X, float)
    return np.linalg.svd(X - X.mean(0) if centred else X, compute_uv=False)


def covariance_rank(X: np.ndarray, eps: float) -> int:
    """Singular values of the covariance above `eps` times the largest."""
    values = np.linalg.svd(np.cov(np.asarray(X, float).T), compute_uv=False)
    return sum(1 for value in values if value > eps * values[0])


def rankme(X: np.ndarray, *, eps: float, centred: bool) -> float:
    """Exponential of the entropy of the singular values."""
    s = singular_values(X, centred=centred)
    p = s / s.sum() + eps
    return float(np.exp(-sum(value * np.log(value) for value in p)))


def scatter(X: np.ndarray, y: np.ndarray, convention: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """S_W and S_B by outer products of single rows, the class means and the global mean."""
    means = np.stack([X[y == c].mean(0) for c in range(y.max() + 1)])
    centre = X.mean(0) if convention == "papyan" else means.mean(0)
    within = sum(np.outer(x - means[c], x - means[c]) for x, c in zip(X, y, strict=True)) / len(X)
    between = sum(np.outer(mean - centre, mean - centre) for mean in means) / len(means)
    return within, between, means, centre


def nc1(X: np.ndarray, y: np.ndarray, convention: str) -> float:
    """Trace of S_W times the pseudo-inverse of S_B, over the number of classes."""
    within, between, means, _ = scatter(X, y, convention)
    return float(np.trace(within @ scipy.linalg.pinv(between)) / len(means))


def harun_classifier(X: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[float, float, float]:
    """NC2, NC3 and "NC4" of the follow-up's code, with ``weight (n_classes, n_features)``."""
    _, _, means, centre = scatter(X, y, "harun")
    K = len(means)
    simplex = (np.eye(K) - np.ones((K, K)) / K) / np.sqrt(K - 1)
    WW, WH = weight @ weight.T, weight @ (means - centre).T
    return (
        np.linalg.norm(WW / np.linalg.norm(WW) - simplex),
        np.linalg.norm(WH / np.linalg.norm(WH) - simplex),
        np.linalg.norm(weight @ centre + bias),
    )


def papyan_duality(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Squared distance of the classifier from the class means, both of unit norm."""
    _, _, means, centre = scatter(X, y, "papyan")
    M = means - centre
    return float(((weight / np.linalg.norm(weight) - M / np.linalg.norm(M)) ** 2).sum())


def papyan_mismatch(X: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray, rows: np.ndarray) -> float:
    """Share of `rows` that the classifier gives to another class than that of the nearest mean."""
    means = scatter(X, y, "papyan")[2]
    differ = [np.argmax(weight @ x + bias) != np.argmin([np.linalg.norm(x - mean) for mean in means]) for x in rows]
    return sum(differ) / len(rows)


def angles(vectors: np.ndarray) -> list[float]:
    """Cosines of all ordered pairs of different vectors."""
    pairs = itertools.permutations(vectors, 2)
    return [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]


def separation(X: np.ndarray, y: np.ndarray) -> float:
    """Class separation by its definition: sums over all pairs of rows."""
    classes = [X[y == c] for c in np.unique(y)]

    def mean_distance(A: np.ndarray, B: np.ndarray) -> float:
        return float(np.mean([[1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in B] for a in A]))

    within = np.mean([mean_distance(A, A) for A in classes])
    total = np.mean([mean_distance(A, B) for A in classes for B in classes])
    return float(1 - within / total)


def alignment_curve(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Label energy in the leading left singular vectors, from the vectors themselves."""
    U, s, _ = np.linalg.svd(X - X.mean(0), full_matrices=False)
    Y = np.eye(y.max() + 1)[y]
    Y -= Y.mean(0)
    energy = ((U.T @ Y) ** 2).sum(1) * (s > 1e-6 * s[0])
    return energy.cumsum() / (Y**2).sum()


def adamw_by_torch(X: Tensor, y: Tensor, n_classes: int, recipe, *, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias after every epoch of a plain loop with `torch.nn.Linear` and `torch.optim.AdamW`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(X.shape[1], n_classes)
        layer.weight.data.normal_(0, recipe.init_std)
        layer.bias.data.zero_()
        torch.manual_seed(seed)
        order = torch.randperm(len(X))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    found = []
    for _ in range(recipe.epochs):
        for rows in order.split(recipe.batch_size):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(layer(X[rows]), y[rows], label_smoothing=recipe.label_smoothing)
            loss.backward()
            optimizer.step()
        found.append((layer.weight.detach().clone(), layer.bias.detach().clone()))
    return found


def ridge_protocol(X: dict[str, Tensor], y: dict[str, Tensor], relative: list[float]) -> tuple[float, float, float]:
    """Test accuracy, chosen l2 and validation accuracy of a layer, with scikit-learn, one fit a regulariser."""
    n, scale = len(X["train"]), float(X["train"].double().var(0, correction=0).mean())
    Y = np.eye(int(y["train"].max()) + 1)[y["train"].numpy()]
    best = (-1.0, 0.0, 0.0)
    for value in relative:
        model = Ridge(alpha=n * value * scale).fit(X["train"].double().numpy(), Y)
        score = {s: float((model.predict(X[s].double().numpy()).argmax(1) == y[s].numpy()).mean()) for s in X}
        if score["validation"] >= best[0]:
            best = (score["validation"], value * scale, score["test"])
    return best[2], best[1], best[0]
