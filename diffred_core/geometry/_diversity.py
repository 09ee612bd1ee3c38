"""Task diversity: how far apart the tasks of a layer lie, by the diagonal Fisher information of their heads."""

from __future__ import annotations

import torch
from torch import Tensor

from diffred_core.checks import finite_features
from diffred_core.errors import InputError

_ROUNDING = 1e-8  # as in the published code: keeps features that no task uses from 0/0


@torch.no_grad()
def head_fisher(X: Tensor, logits: Tensor) -> Tensor:
    """Return the diagonal Fisher information of the weights of a linear softmax head, mean over classes.

    ``F_j = mean_i x_ij^2 mean_c p_ic (1 - p_ic)``: the expected squared gradient of ``log p`` under the head's own
    labels. Differs from Task2Vec (Achille et al. 2019), whose Fisher information is that of all weights of a network
    fine-tuned to the task, averaged over filters: here the network is frozen and the head is all there is.

    Parameters
    ----------
    X : Tensor (n_samples, n_features)
        Rows of the task.
    logits : Tensor (n_samples, n_classes)
        Of its head on them.

    Returns
    -------
    Tensor (n_features,) of float64

    Raises
    ------
    InputError
        Logits of another number of rows, or rows that are not finite.
    """
    X = finite_features(X)
    if logits.ndim != 2 or len(logits) != len(X):
        raise InputError(
            f"expected logits of shape ({len(X)}, n_classes), got {tuple(logits.shape)}; score the rows of X"
        )
    p = torch.softmax(logits.double(), 1)
    weight = (p * (1 - p)).mean(1)
    return X.double().square().T @ weight / len(X)


@torch.no_grad()
def task_diversity(embeddings: Tensor) -> float:
    """Return the mean distance of the embeddings of all pairs of tasks (Miranda et al. 2022, sec. 3).

    The distance is the published code's: ``1 - cos`` of ``a / (a + b + 1e-8)`` and ``b / (a + b + 1e-8)``, so that a
    feature counts by the ratio of two tasks on it, not by its size.

    Parameters
    ----------
    embeddings : Tensor (n_tasks, n_features)
        None negative: from `head_fisher`, or of Task2Vec.

    Returns
    -------
    float
        From 0 (tasks alike) to 1 (no feature in common).

    Raises
    ------
    InputError
        Fewer than two tasks, entries that are negative or not finite, or a task whose embedding is 0.
    """
    embeddings = finite_features(embeddings, name="embeddings").double()
    if len(embeddings) < 2 or (embeddings < 0).any() or not embeddings.any(1).all():
        raise InputError(
            f"expected embeddings of shape (n_tasks, n_features), at least two tasks, none negative and no task 0, got "
            f"{tuple(embeddings.shape)}; pass one result of geometry.head_fisher a task"
        )
    distances = []
    for i, a in enumerate(embeddings[:-1]):
        b = embeddings[i + 1 :]
        total = a + b + _ROUNDING
        left, right = a / total, b / total
        cosine = (left * right).sum(1) / (left.norm(dim=1) * right.norm(dim=1))
        distances.append(1 - cosine)
    return float(torch.cat(distances).mean().clamp_min(0))
