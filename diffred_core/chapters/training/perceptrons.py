"""Fully connected rectifier networks of one shape, many at once: a seed and a setting each, trained side by side.

Small networks spend their time on calls, not on numbers: as one batched product twenty take little longer than five.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from diffred_core.chapters.training import frame
from diffred_core.checks import check_choice
from diffred_core.errors import InputError

HE, TORCH = "he", "torch"
INITIAL = {HE: 2.0, TORCH: 1 / 3}  # variance of a weight times the number of its inputs
OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
Objective = Callable[[Sequence[Tensor], Tensor], Tensor]
NEW_ORDER, NOISE = 2**32, 2**33  # seeds of batches and noise are none of first weights


@dataclass(frozen=True, eq=False)
class Perceptrons:
    """Networks of one shape; every layer but the last is rectified.

    Attributes
    ----------
    weights : tuple of Tensor (n_networks, n_in, n_out)
        One a layer.
    biases : tuple of Tensor (n_networks, 1, n_out)
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def drawn(cls, widths: Sequence[int], seeds: Sequence[int], *, initial: str = HE) -> Perceptrons:
        """Return networks with first weights.

        Parameters
        ----------
        widths : sequence of int
            Inputs, hidden units of every layer, outputs.
        seeds : sequence of int
            One a network; the same seed has the same weights, wherever it stands.
        initial : {"he", "torch"}
            Normal with variance ``2 / n_in`` and biases 0 (He et al. 2015), or what `torch.nn.Linear` draws: weights
            and biases uniform with variance ``1 / (3 n_in)``.

        Raises
        ------
        InputError
            Fewer than one layer or one unit, no seed, or an unknown `initial`.
        """
        check_choice(initial, INITIAL, "expected initial to be one of {}")
        if len(widths) < 2 or min(widths) < 1 or not seeds:
            raise InputError(
                f"expected widths of inputs, layers and outputs, each at least 1, and a seed for every network, got "
                f"{list(widths)} and {len(seeds)} seeds; name them"
            )
        networks = [_one(widths, seed, initial) for seed in seeds]
        weights, biases = (
            tuple(torch.stack(layer) for layer in zip(*parts, strict=True)) for parts in zip(*networks, strict=True)
        )
        return cls(weights, biases)

    @property
    def n_networks(self) -> int:
        """How many networks there are."""
        return len(self.weights[0])

    def __getitem__(self, chosen: Tensor | slice) -> Perceptrons:
        """Return some of the networks."""
        return Perceptrons(tuple(w[chosen] for w in self.weights), tuple(b[chosen] for b in self.biases))

    def outputs(self, X: Tensor) -> list[Tensor]:
        """Return the output of every layer, the logits last, each (n_networks, n_samples, n_out).

        Parameters
        ----------
        X : Tensor (n_samples, n_in) or (n_networks, n_samples, n_in)
        """
        layers, last = [], len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            X = X @ weight + bias
            X = X if i == last else X.relu()
            layers.append(X)
        return layers

    @torch.no_grad()
    def accuracy(self, X: Tensor, y: Tensor) -> Tensor:
        """Return the share of the rows that every network classifies as in `y`, ``(n_networks,)``."""
        return (self.outputs(X)[-1].argmax(-1) == y).double().mean(-1)

    def masked(self, masks: Sequence[Tensor]) -> Perceptrons:
        """Return the networks with some weights set to 0; `masks` are of the shape of the weights."""
        return replace(self, weights=tuple(w * m for w, m in zip(self.weights, masks, strict=True)))


@dataclass(frozen=True)
class PerceptronRecipe:
    """How perceptrons are trained on mean cross-entropy; all in one call share it.

    Attributes
    ----------
    steps, batch_size : int
        Every pass over the rows is in a new order; its last, smaller batch is left out.
    learning_rate : float
    optimiser : {"adam", "sgd"}

    Raises
    ------
    InputError
        If a number is out of range or the optimiser is unknown.
    """

    steps: int = 600
    batch_size: int = 60
    learning_rate: float = 1.2e-3
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        check_choice(self.optimiser, OPTIMISERS, "expected optimiser to be one of {}")
        for name in ("steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"expected {name} above 0, got {getattr(self, name)}; leave it out for the default")


def training(
    networks: Perceptrons,
    X: Tensor,
    y: Tensor,
    *,
    recipe: PerceptronRecipe,
    seeds: Sequence[int],
    setting: str,
    at: Sequence[int] = (),
    l2: Tensor | None = None,
    masks: Sequence[Tensor] | None = None,
    noise: Tensor | None = None,
    objective: Objective | None = None,
    more: Sequence[Tensor] = (),
) -> Iterator[tuple[int, Perceptrons]]:
    """Yield the networks at the steps `at`, and after the last one.

    Parameters
    ----------
    networks : Perceptrons
        Their first weights; they are left as they are.
    X : Tensor (n_samples, n_in)
    y : Tensor (n_samples,) or (n_networks, n_samples) of int64
    recipe : PerceptronRecipe
    seeds : sequence of int
        Of the order of the rows, one a network: networks of one seed see the same batches.
    setting : str
        What is trained, for an error.
    at : sequence of int
        Steps after which the networks are looked at; 0 is before the first.
    l2 : Tensor (n_networks,), optional
        Weight of the squared norm of all weights (not biases) in the loss of every network.
    masks : sequence of Tensor, optional
        1 where a weight is trained, 0 where it is and stays 0; one a layer, of its shape.
    noise : Tensor (n_in,), optional
        Standard deviation of the normal noise that every input gets anew in every step.
    objective : callable, optional
        From the outputs of all layers and the cross-entropy (n_networks,) to what is minimised, (n_networks,).
    more : sequence of Tensor
        What the objective trains besides.

    Raises
    ------
    InputError
        Fewer rows than one batch, or a loss that is not finite: with its step, seed and setting.
    """
    if len(X) < recipe.batch_size:
        raise InputError(f"expected at least batch_size={recipe.batch_size} rows of {setting}, got {len(X)}; take less")
    networks = networks if masks is None else networks.masked(masks)
    parameters = [tensor.clone().requires_grad_() for tensor in (*networks.weights, *networks.biases)]
    n_layers = len(networks.weights)
    trained = Perceptrons(tuple(parameters[:n_layers]), tuple(parameters[n_layers:]))
    optimiser = OPTIMISERS[recipe.optimiser]([*parameters, *more], lr=recipe.learning_rate)
    labels = y.expand(networks.n_networks, -1)
    draws = [torch.Generator().manual_seed(seed + NOISE) for seed in seeds]
    for step, rows in enumerate(_batches(len(X), recipe, seeds)):
        if step in at:
            yield step, _copied(trained)
        outputs = trained.outputs(X[rows] if noise is None else _noisy(X[rows], noise, draws))
        loss = _cross_entropy(outputs[-1], labels.gather(1, rows))
        loss = loss if objective is None else objective(outputs, loss)
        if l2 is not None:
            loss = loss + l2 * sum(w.square().sum((1, 2)) for w in trained.weights)
        refuse_divergence(loss.detach(), step=step, setting=setting, seeds=seeds)
        optimiser.zero_grad()
        loss.sum().backward()
        for weight, mask in zip(trained.weights, masks or (), strict=masks is not None):
            weight.grad = None if weight.grad is None else weight.grad * mask
        optimiser.step()
    yield recipe.steps, _copied(trained)


def refuse_divergence(losses: Tensor, *, step: int, setting: str, seeds: Sequence[int]) -> None:
    """Refuse losses (n_networks,) of which one is not finite; one seed a network.

    Raises
    ------
    InputError
        With step, setting and seed.
    """
    if not bool(losses.isfinite().all()):
        at = int((~losses.isfinite()).nonzero()[0])
        frame.refuse_divergence(losses[at], step=step, setting=f"{setting}, seed {seeds[at]}")


def _one(widths: Sequence[int], seed: int, initial: str) -> tuple[list[Tensor], list[Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for n_in, n_out in itertools.pairwise(widths):
        if initial == HE:
            weights.append(torch.randn(n_in, n_out, generator=draw) * math.sqrt(INITIAL[HE] / n_in))
            biases.append(torch.zeros(1, n_out))
        else:
            reach = 1 / math.sqrt(n_in)  # uniform within it: variance 1 / (3 n_in)
            weights.append((2 * torch.rand(n_in, n_out, generator=draw) - 1) * reach)
            biases.append((2 * torch.rand(1, n_out, generator=draw) - 1) * reach)
    return weights, biases


def _batches(n: int, recipe: PerceptronRecipe, seeds: Sequence[int]) -> Iterator[Tensor]:
    """Yield the rows of every step, (n_networks, batch_size)."""
    per_pass = n // recipe.batch_size
    generators = {seed: torch.Generator().manual_seed(seed + NEW_ORDER) for seed in seeds}
    for step in range(recipe.steps):
        if step % per_pass == 0:
            orders = {seed: torch.randperm(n, generator=draw) for seed, draw in generators.items()}
            rows = torch.stack([orders[seed] for seed in seeds])
        start = step % per_pass * recipe.batch_size
        yield rows[:, start : start + recipe.batch_size]


def _noisy(X: Tensor, noise: Tensor, draws: Sequence[torch.Generator]) -> Tensor:
    return X + noise * torch.stack([torch.randn(X.shape[1:], generator=draw) for draw in draws])


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    losses: Tensor = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape).mean(1)
    return losses


def _copied(networks: Perceptrons) -> Perceptrons:
    weights, biases = (tuple(t.detach().clone() for t in part) for part in (networks.weights, networks.biases))
    return Perceptrons(weights, biases)
