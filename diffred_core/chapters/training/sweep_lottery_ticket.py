"""Lottery tickets in numbers, and their cousin on a frozen layer: features that the weights of a probe choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from diffred_core.chapters.training import bridge, frame, lottery
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.chapters.training.lottery import PruningRound
from diffred_core.chapters.training.perceptrons import PerceptronRecipe
from diffred_core.linear_probe import fit_ridge_rows
from diffred_core.results.rows import Row

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

ANALYSIS = "lottery_ticket"
KINDS = {lottery.TICKET: of.TICKET, lottery.REDRAWN: of.REDRAWN, lottery.RANDOM_MASK: of.RANDOM_MASK}
PROBE_L2 = 0.01  # of the probe that ranks features, in units of their mean variance


def lottery_ticket(
    features: TaskFeatures,
    pixels: PixelRows,
    *,
    widths: Sequence[int] = (300, 100),
    rate: float = 0.36,
    n_rounds: int = 7,
    n_steps: int = 300,
    early: int = 60,
    learning_rate: float = 1.2e-3,
    images_a_step: int = 60,
    n_seeds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Prune small networks by magnitude, in rounds, and compare tickets with their controls.

    Parameters
    ----------
    features : TaskFeatures
        For the bridge.
    pixels : PixelRows
        What the networks learn.
    widths : sequence of int
        Hidden units; LeNet-300-100 is published.
    rate, n_rounds, early
        As in `lottery.pruning_rounds`.
    n_steps, learning_rate, images_a_step
        Of Adam, in every round.
    n_seeds, seed : int

    Returns
    -------
    DataFrame
        A results table: metric ``accuracy_by_share`` of the weights that are left (column at), ``label`` the kind and
        ``recipe`` the look; and ``early_accuracy`` and ``final_accuracy`` at three shares (recipe).

    Raises
    ------
    InputError
        As `lottery.pruning_rounds`.
    """
    frame.check_at_least(1, widths=widths, n_seeds=n_seeds)
    recipe = PerceptronRecipe(steps=n_steps, batch_size=images_a_step, learning_rate=learning_rate)
    train, test = pixels.rows32
    options: dict[str, Any] = {
        "seeds": range(seed, seed + n_seeds),
        "recipe": recipe,
        "rate": rate,
        "n_rounds": n_rounds,
    }
    shape = (train[0].shape[1], *widths, pixels.n_classes)
    rounds = list(lottery.pruning_rounds(train, test, widths=shape, early=early, **options))
    rules = {of.MAGNITUDE: in_rounds, of.ONE_SHOT: at_once}
    kept = bridge.rows(features, rules, analysis=ANALYSIS, n_seeds=n_seeds, seed=seed)
    rows_of = lambda s: _rows(rounds, s - seed)  # noqa: E731
    return frame.simulated(ANALYSIS, features, rows_of, n_seeds=n_seeds, seed=seed, bridge=kept)


def in_rounds(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return an order of features by iterative magnitude pruning of a ridge probe's inputs, the last one left first.

    A `bridge.Rule`. In every round the probe is fitted anew on what is left, and loses the smallest 36 %.
    """
    order, left = list[Tensor](), torch.arange(X.shape[1])
    while len(left) > 1:
        ranked = left[_magnitudes(X[:, left], y).argsort(descending=True)]
        n_kept = min(len(left) - 1, round(0.64 * len(left)))
        order.append(ranked[n_kept:])
        left = ranked[:n_kept]
    return torch.cat([left, *reversed(order)])


def at_once(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the order of features by the magnitudes of one ridge probe on all: a `bridge.Rule`."""
    return _magnitudes(X, y).argsort(descending=True)


def _magnitudes(X: Tensor, y: Tensor) -> Tensor:
    """Return how much every feature moves the scores of a ridge probe: the length of its weights times its spread."""
    variance = X.var(0, correction=0)
    probe = fit_ridge_rows(X, y, l2=PROBE_L2 * float(variance.mean()), n_classes=int(y.max()) + 1)
    sizes: Tensor = probe.weight.view(X.shape[1], -1).norm(dim=1) * variance.sqrt()
    return sizes


def _rows(rounds: Sequence[PruningRound], i: int) -> Iterator[Row]:
    looks = {of.EARLY_ACCURACY: "early", of.FINAL_ACCURACY: "final"}
    shares = [one.share for one in rounds]
    middle = min(range(1, len(rounds)), key=lambda r: abs(shares[r] - of.MIDDLE_SHARE))
    numbers = {of.WHOLE: rounds[0], of.MIDDLE: rounds[middle], of.SPARSEST: rounds[-1]}
    for metric, look in looks.items():
        for kind, words in KINDS.items():
            with_kind = [one for one in rounds if kind in getattr(one, look)]
            values = [float(getattr(one, look)[kind][i]) for one in with_kind]
            left = [one.share for one in with_kind]
            yield from frame.curve(of.PRUNED, left, values, label=words, recipe=of.LOOKS[metric])
        for recipe, one in numbers.items():
            for kind, values in getattr(one, look).items():
                row = {"metric": metric, "recipe": recipe, "label": KINDS[kind]}
                yield row | {"value": float(values[i])}
