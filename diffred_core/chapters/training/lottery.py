"""Lottery tickets: a trained network loses its smallest weights, and the others begin anew where they began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffred_core.chapters.training.perceptrons import PerceptronRecipe, Perceptrons, training
from diffred_core.errors import InputError

TICKET, REDRAWN, RANDOM_MASK = "ticket", "redrawn_weights", "random_mask"
OTHER_WEIGHTS = 2**16  # a network that is drawn anew has none of the first seeds


@dataclass(frozen=True, eq=False)
class PruningRound:
    """What networks with one share of their weights reach.

    Attributes
    ----------
    share : float
        Of the weights that are left.
    early, final : dict of str to Tensor (n_seeds,)
        Accuracy on test rows after some steps and after all, of tickets, of the same masks with weights drawn anew, and
        of as many weights at random in every layer. Before anything is dropped there are only tickets.
    """

    share: float
    early: dict[str, Tensor]
    final: dict[str, Tensor]


def pruning_rounds(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    widths: Sequence[int],
    seeds: Sequence[int],
    recipe: PerceptronRecipe,
    rate: float = 0.36,
    n_rounds: int = 7,
    early: int = 60,
) -> Iterator[PruningRound]:
    """Yield the accuracy after every round of iterative magnitude pruning (Frankle and Carbin 2019, sec. 2).

    Train, drop the share `rate` of the smallest weights of every layer, half as many in the last one, set the others
    back to what they were at first, and again. Published is a rate of 0.2; 0.36 are two such rounds at once.

    Parameters
    ----------
    train, test : (X, y)
        Rows (n_samples, n_in) and labels.
    widths : sequence of int
        Of the inputs, the hidden layers and the outputs.
    seeds : sequence of int
        One a network of every kind.
    recipe : PerceptronRecipe
    rate : float
        In (0, 1).
    n_rounds : int
        How often weights are dropped.
    early : int
        Steps after which networks are looked at besides.

    Raises
    ------
    InputError
        If a number is out of range, or as `training`.
    """
    _check(rate=rate, n_rounds=n_rounds, early=early, recipe=recipe)
    first = Perceptrons.drawn(widths, seeds)
    anew = Perceptrons.drawn(widths, [seed + OTHER_WEIGHTS for seed in seeds])
    masks = [torch.ones_like(w) for w in first.weights]
    for number in range(n_rounds + 1):
        kinds = {TICKET: (first, masks)}
        if number:
            kinds |= {REDRAWN: (anew, masks), RANDOM_MASK: (first, shuffled(masks, seeds))}
        share = sum(float(m[0].sum()) for m in masks) / sum(m[0].numel() for m in masks)
        together = _joined([networks for networks, _ in kinds.values()])
        joined = [torch.cat(layer) for layer in zip(*(m for _, m in kinds.values()), strict=True)]
        options: dict[str, Any] = {"setting": f"networks with {100 * share:.3g} % of their weights", "masks": joined}
        looks = {
            step: networks
            for step, networks in training(
                together, *train, recipe=recipe, seeds=[*seeds] * len(kinds), at=(early,), **options
            )
        }
        reached = [
            dict(zip(kinds, looks[step].accuracy(*test).split(len(seeds)), strict=True))
            for step in (early, recipe.steps)
        ]
        yield PruningRound(share, *reached)
        masks = pruned(masks, looks[recipe.steps][: len(seeds)].weights, rate=rate)


def pruned(masks: Sequence[Tensor], weights: Sequence[Tensor], *, rate: float) -> list[Tensor]:
    """Return masks without the smallest weights of every layer and network: `rate` of those left, half in the last.

    Of every layer ``round(rate * left)`` weights go, ties in their order.

    Parameters
    ----------
    masks, weights : sequence of Tensor (n_networks, n_in, n_out)
        One a layer; all networks have as many weights left.
    rate : float
    """
    last = len(masks) - 1
    return [
        _without_smallest(mask, weight, rate / 2 if i == last else rate)
        for i, (mask, weight) in enumerate(zip(masks, weights, strict=True))
    ]


def shuffled(masks: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return masks with as many weights in every layer, at places drawn by the seed of the network."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return [
        torch.stack(
            [
                mask.flatten()[torch.randperm(mask.numel(), generator=draw)].view(mask.shape)
                for mask, draw in zip(layer, generators, strict=True)
            ]
        )
        for layer in masks
    ]


def _without_smallest(mask: Tensor, weight: Tensor, rate: float) -> Tensor:
    size = weight.where(mask > 0, -1.0).abs().where(mask > 0, -1.0).flatten(1)
    left = int(mask[0].sum())
    n_dropped = size.shape[1] - left + round(rate * left)
    smallest = size.argsort(dim=1, stable=True)[:, :n_dropped]
    return mask.flatten(1).scatter(1, smallest, 0.0).view(mask.shape)


def _joined(parts: Sequence[Perceptrons]) -> Perceptrons:
    weights, biases = (
        tuple(torch.cat(layer) for layer in zip(*(getattr(part, name) for part in parts), strict=True))
        for name in ("weights", "biases")
    )
    return Perceptrons(weights, biases)


def _check(*, rate: float, n_rounds: int, early: int, recipe: PerceptronRecipe) -> None:
    if not 0 < rate < 1:
        raise InputError(f"expected a pruning rate in (0, 1), got {rate}; 0.2 is published")
    if n_rounds < 1:
        raise InputError(f"expected n_rounds of at least 1, got {n_rounds}; of 0 nothing is dropped")
    if not 0 < early < recipe.steps:
        raise InputError(f"expected early within 1..{recipe.steps - 1}, before the last step, got {early}; lower it")
