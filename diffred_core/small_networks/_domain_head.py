"""A small head on frozen features that is trained against a domain classifier (DANN)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffred_core.checks import as_labels, finite_features
from diffred_core.errors import InputError


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained: stochastic gradient descent with the schedules of Ganin et al. (2016, sec. 5.2.2).

    With p the share of the steps that are done, the learning rate is ``learning_rate / (1 + 10 p)^0.75`` and the domain
    gradient is reversed with the factor ``2 / (1 + exp(-10 p)) - 1``, times the strength of the head.

    Attributes
    ----------
    width : int
        Rectified units between features and the two classifiers.
    epochs, batch_size : int
        Passes over the source rows, and rows of either domain in a step; the last, smaller batch is left out.
    learning_rate, momentum : float
    """

    width: int = 128
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9

    def __post_init__(self) -> None:
        for name in ("width", "epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} of a HeadRecipe must be above 0, got {getattr(self, name)}; leave it out")


class DomainHead(nn.Module):
    """Features to a hidden layer, and from there to classes and to domains.

    Attributes
    ----------
    mean, scale : Tensor
        Taken off the features, and divided by: of the source rows, one scale for all features.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_classes: int, *, width: int) -> None:
        super().__init__()
        self.hidden, self.classes, self.domain = (
            nn.Linear(n_features, width),
            nn.Linear(width, n_classes),
            nn.Linear(width, 1),
        )
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(()))

    def embed(self, X: Tensor) -> Tensor:
        """Return the hidden layer of rows, ``(n_samples, width)``."""
        return F.relu(self.hidden((X - self.mean) / self.scale))

    @torch.no_grad()
    def predict(self, X: Tensor) -> Tensor:
        """Return the class of every row, ``(n_samples,)``."""
        logits: Tensor = self.classes(self.embed(X.float()))
        return logits.argmax(1)


def fit_domain_head(
    X: Tensor,
    y: Tensor,
    target: Tensor,
    *,
    n_classes: int | None = None,
    strength: float = 1.0,
    recipe: HeadRecipe | None = None,
    seed: int = 0,
) -> DomainHead:
    """Train a head for the source whose hidden layer a domain classifier cannot read (Ganin et al. 2016).

    Differs from the paper: the network below is frozen, so that one hidden layer is all that can be made alike.

    Parameters
    ----------
    X : Tensor (n_source, n_features)
    y : Tensor (n_source,) of int64
    target : Tensor (n_target, n_features)
        Rows of the other domain, unlabelled.
    n_classes : int, optional
        By default one more than the largest label.
    strength : float
        Of the reversed gradient, at least 0. At 0 the domain classifier is trained beside and nothing is reversed: the
        head of the source alone, with the same weights to the last bit whatever the target is.
    recipe : HeadRecipe, optional
    seed : int
        Of first weights and orders of the rows.

    Raises
    ------
    InputError
        Rows that are not finite or of different widths, fewer of either domain than a batch, labels out of range, or a
        negative strength.
    """
    recipe = recipe or HeadRecipe()
    X = finite_features(X).float()
    target = finite_features(target, n_features=X.shape[1], name="target").float()
    y = as_labels(y, len(X)).to(X.device)
    n_classes = int(y.max()) + 1 if n_classes is None else n_classes
    _check(X, y, target, n_classes=n_classes, strength=strength, recipe=recipe)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = DomainHead(X.shape[1], n_classes, width=recipe.width).to(X.device)
    head.mean, head.scale = X.mean(0), X.var(0, correction=0).mean().sqrt().clamp_min(1e-12)
    optimizer = torch.optim.SGD(head.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)
    for share, rows, others in _steps(len(X), len(target), recipe, seed):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate / (1 + 10 * share) ** 0.75
        optimizer.zero_grad()
        _loss(
            head, X[rows], y[rows], target[others], factor=strength * (2 / (1 + math.exp(-10 * share)) - 1)
        ).backward()
        optimizer.step()
    return head.requires_grad_(False)


def _loss(head: DomainHead, X: Tensor, y: Tensor, target: Tensor, *, factor: float) -> Tensor:
    source, other = head.embed(X), head.embed(target)
    hidden = _Reversed.apply(torch.cat([source, other]), factor)
    domains = torch.cat([torch.zeros(len(X)), torch.ones(len(target))]).to(X)
    of_domains = F.binary_cross_entropy_with_logits(head.domain(hidden)[:, 0], domains)
    return F.cross_entropy(head.classes(source), y) + of_domains


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is multiplied by ``-factor``."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


def _steps(n_source: int, n_target: int, recipe: HeadRecipe, seed: int) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Yield the share of the steps that are done, and the rows of either domain; each domain has its own generator."""
    size = recipe.batch_size
    others = _batches(n_target, size, torch.Generator().manual_seed(seed + 1))
    own = _batches(n_source, size, torch.Generator().manual_seed(seed))
    n_steps = recipe.epochs * (n_source // size)
    for step in range(n_steps):
        yield step / n_steps, next(own), next(others)


def _batches(n: int, size: int, draw: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(n, generator=draw)[: n - n % size].split(size)


def _check(X: Tensor, y: Tensor, target: Tensor, *, n_classes: int, strength: float, recipe: HeadRecipe) -> None:
    if min(len(X), len(target)) < recipe.batch_size:
        raise InputError(
            f"expected at least {recipe.batch_size} rows of either domain, a batch, got {len(X)} and {len(target)}; "
            "lower batch_size"
        )
    if int(y.max()) >= n_classes:
        raise InputError(f"expected labels below n_classes={n_classes}, got {int(y.max())}; pass all classes")
    if not strength >= 0:
        raise InputError(f"expected strength of at least 0, got {strength}; 0 leaves the domains alone")
