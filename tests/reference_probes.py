"""Slow, obvious twins of the probes. The package never imports them."""

from __future__ import annotations

import torch
from torch import Tensor


def classes_in_mixture(
    n: int, d: int, n_classes: int, *, seed: int = 0, separation: float = 1.0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Gaussian classes whose means are `separation` apart in every direction, mixed so that columns correlate."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % n_classes
    means = separation * torch.randn(n_classes, d, generator=draw, dtype=dtype)
    noise = torch.randn(n, d, generator=draw, dtype=dtype) @ torch.randn(d, d, generator=draw, dtype=dtype) / d**0.5
    return means[y] + noise + 3.0, y


def ridge_by_augmented_rows(X: Tensor, y: Tensor, n_classes: int, l2: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of the ridge probe by least squares on rows extended with the penalty, bias as a column."""
    n, d = X.shape
    Y = torch.nn.functional.one_hot(y, n_classes).double()
    rows = torch.cat([X.double(), torch.ones(n, 1, dtype=torch.float64)], 1)
    penalty = torch.cat(
        [(n * l2) ** 0.5 * torch.eye(d, dtype=torch.float64), torch.zeros(d, 1, dtype=torch.float64)], 1
    )
    targets = torch.cat([Y, torch.zeros(d, n_classes, dtype=torch.float64)])
    solution = torch.linalg.pinv(torch.cat([rows, penalty])) @ targets
    return solution[:-1], solution[-1]


def leave_one_out_by_refitting(X: Tensor, y: Tensor, n_classes: int, l2: float) -> float:
    """Accuracy of probes fitted without each row in turn, with the penalty ``n l2`` of all rows."""
    n, hits = len(X), 0
    for i in range(n):
        rest = torch.arange(n) != i
        weight, bias = ridge_by_augmented_rows(X[rest], y[rest], n_classes, l2 * n / (n - 1))
        hits += int((X[i] @ weight + bias).argmax() == y[i])
    return hits / n


def logistic_objective(X: Tensor, y: Tensor, weight: Tensor, bias: Tensor, l2: float) -> Tensor:
    """Mean cross-entropy plus ``l2/2 ||W||^2``, in the words of torch."""
    return torch.nn.functional.cross_entropy(X @ weight + bias, y) + l2 / 2 * weight.square().sum()


def logistic_gradient_norm(X: Tensor, y: Tensor, weight: Tensor, bias: Tensor, l2: float) -> float:
    """Largest absolute entry of the gradient for centred features, by automatic differentiation in float64."""
    mean = X.double().mean(0)
    bias = (bias.double() + mean @ weight.double()).requires_grad_()
    weight = weight.double().clone().requires_grad_()
    logistic_objective(X.double() - mean, y, weight, bias, l2).backward()
    return max(weight.grad.abs().max().item(), bias.grad.abs().max().item())


def sgd_by_torch(X: Tensor, y: Tensor, n_classes: int, recipe, seed: int) -> tuple[Tensor, Tensor, int]:
    """Weight, bias and number of steps of a plain loop with `torch.nn.Linear`, `SGD` and `StepLR`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(X.shape[1], n_classes).to(X.dtype)
        optimizer = torch.optim.SGD(
            layer.parameters(), lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.step_epochs, recipe.decay)
        torch.manual_seed(seed)
        steps = 0
        for _ in range(recipe.epochs):
            for rows in torch.randperm(len(X)).split(recipe.batch_size):
                if recipe.drop_last and len(rows) < recipe.batch_size:
                    continue
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(layer(X[rows]), y[rows]).backward()
                optimizer.step()
                steps += 1
            schedule.step()
    return layer.weight.detach().T, layer.bias.detach(), steps
