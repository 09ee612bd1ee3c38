"""What a network is trained to do: a loss and any regularisers, composed by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.small_networks._attack import attacked
from diffred_core.small_networks._heads import MatryoshkaHead
from diffred_core.small_networks._losses import LOSSES, PENALTIES, dropped
from diffred_core.small_networks._network import SmallNetwork

DROPOUT, MATRYOSHKA, ADVERSARIAL = "dropout", "matryoshka", "adversarial"
STRENGTHS: dict[str, float] = {
    DROPOUT: 0.5,
    ADVERSARIAL: 0.5,
    MATRYOSHKA: 1.0,
    "decov": 0.1,
    "logit_penalty": 1e-3,
    "koleo": 0.1,
}
"""Every regulariser with its strength unless another is given.

Of dropout the share of the features before the classifier that is 0 in a step; of adversarial training the l2 radius in
units of 0..1 a channel and pixel; of Matryoshka heads the weight of every smaller prefix beside the whole; of a penalty
its weight. They are chosen for networks of these sizes: published weights are of wider layers.
"""
ATTACK_STEPS = 3
COSINE = "cosine_softmax"


@dataclass(frozen=True)
class TrainingObjective:
    """A loss, and regularisers with their strengths.

    Attributes
    ----------
    loss : str
        A key of `LOSSES`.
    regularisers : tuple of (str, float)
        Keys of `STRENGTHS`, each at most once, and how strong each is.

    Raises
    ------
    InputError
        If a name is unknown or comes twice, or a strength is out of range.
    """

    loss: str = "cross_entropy"
    regularisers: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        check_choice(self.loss, LOSSES, "expected loss to be one of {}")
        for name, strength in self.regularisers:
            check_choice(name, STRENGTHS, "expected regulariser to be one of {}")
            if not 0 < strength < (1 if name == DROPOUT else float("inf")):
                limits = "in (0, 1)" if name == DROPOUT else "above 0"
                raise InputError(f"expected strength of {name} {limits}, got {strength}; leave it out for the default")
        names = [name for name, _ in self.regularisers]
        if len(set(names)) < len(names) or (self.loss == COSINE and MATRYOSHKA in names):
            raise InputError(
                f"expected each regulariser once, and one kind of classifier, got {self.name!r}; leave one out"
            )

    @classmethod
    def named(cls, name: str) -> TrainingObjective:
        """Return the objective of a name such as ``squared_error+dropout:0.2``.

        Parts are joined by ``+``: at most one loss, cross-entropy where none is named, and regularisers, each with its
        strength behind a colon or with the one of `STRENGTHS`.

        Raises
        ------
        InputError
            If a part is unknown, no number follows a colon, or two losses are named.
        """
        losses, regularisers = list[str](), list[tuple[str, float]]()
        for part in name.split("+"):
            head, colon, number = part.partition(":")
            check_choice(head, [*LOSSES, *STRENGTHS], "expected loss or regulariser to be one of {}")
            if head in LOSSES and not colon:
                losses.append(head)
            else:
                regularisers.append((head, _number(number, part) if colon else STRENGTHS[head]))
        if len(losses) > 1:
            raise InputError(f"expected at most one loss in {name!r}, got {' and '.join(losses)}; name one")
        return cls(losses[0] if losses else "cross_entropy", tuple(regularisers))

    @property
    def name(self) -> str:
        """By which tables speak of it: ``cross_entropy``, ``dropout:0.5``, ``squared_error+decov:0.1``."""
        parts = [f"{name}:{strength:g}" for name, strength in self.regularisers]
        plain = self.loss == "cross_entropy" and parts
        return "+".join(parts if plain else [self.loss, *parts])

    @property
    def head(self) -> str:
        """Which classifier it needs: a key of `HEADS`."""
        return "cosine" if self.loss == COSINE else MATRYOSHKA if self.strength(MATRYOSHKA) else "linear"

    def strength(self, regulariser: str) -> float:
        """Return how strong a regulariser is, 0 where it is not there."""
        return dict(self.regularisers).get(regulariser, 0.0)

    def of_batch(
        self,
        module: SmallNetwork,
        pixels: Tensor,
        y: Tensor,
        *,
        normalised: Callable[[Tensor], Tensor],
        noise: torch.Generator,
    ) -> Tensor:
        """Return the objective of one batch.

        Parameters
        ----------
        module : SmallNetwork
            With the classifier `head`, in training mode.
        pixels : Tensor (n, 3, h, w) of uint8
        y : Tensor (n,) of int64
        normalised : callable
            From pixels, bytes or floats of 0..255, to the images that the network takes.
        noise : Generator
            Of what a regulariser draws.
        """
        if eps := self.strength(ADVERSARIAL):
            pixels = adversarial_pixels(module, pixels, y, normalised=normalised, eps=eps, steps=ATTACK_STEPS)
        features = module.forward_head(module.forward_features(normalised(pixels)), pre_logits=True)
        p = self.strength(DROPOUT)
        kept = dropped(features, p, noise) if p else features
        loss = LOSSES[self.loss]
        logits = module.head.of_prefixes(kept) if isinstance(module.head, MatryoshkaHead) else [module.head(kept)]
        total = loss(logits[0], y)
        for of_prefix in logits[1:]:
            total = total + self.strength(MATRYOSHKA) * loss(of_prefix, y)
        for name, penalty in PENALTIES.items():
            if weight := self.strength(name):
                total = total + weight * penalty(features, logits[0])
        return total


def adversarial_pixels(
    module: torch.nn.Module,
    pixels: Tensor,
    y: Tensor,
    *,
    normalised: Callable[[Tensor], Tensor],
    eps: float,
    steps: int,
) -> Tensor:
    """Return the images of `attacked` for a network in eval mode, float of 0..255; its mode is left as it was.

    Eval mode, so that an image is attacked by itself, and batch norms keep their statistics.
    """
    training = module.training
    module.eval()
    try:
        unit = pixels.float() / 255
        changed = attacked(lambda x: module(normalised(255 * x)), unit, y, eps=eps, steps=steps)
    finally:
        module.train(training)
    return 255 * changed


def _number(text: str, part: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"expected a number behind the colon of {part!r}, got {text!r}; such as dropout:0.5") from (
            error
        )
