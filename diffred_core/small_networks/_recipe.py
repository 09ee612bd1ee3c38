"""How a small network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diffred_core.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """AdamW under a cosine after a linear warm-up, label-smoothed cross-entropy: the published kind of run, shortened.

    Harun et al. (2024, sec. A): AdamW, 100 epochs, 5 of them warm-up, batches of 512, label smoothing 0.1, weight
    decay 0.05 and a learning rate of 0.006 (ImageNet-100) or 0.01 (CIFAR). Differs: fewer epochs of fewer images, so
    smaller batches; the last weights are kept, theirs were the best of all epochs on validation images.

    Attributes
    ----------
    epochs, batch_size : int
        Of 0 epochs an untrained network is left, a control: what depth alone does to a layer. Its weights are the first
        ones, its batch norms have the statistics of the training images. The last, smaller batch of an epoch is left
        out; every epoch reads the images in a new order.
    lr, weight_decay : float
        Greatest learning rate, and the decoupled decay of all parameters.
    label_smoothing, warmup : float
        Share of the target spread over all classes; share of the steps before the learning rate is at its greatest.
    shift : int
        Pixels by which an image is moved at most in training, each way, its edge repeated; 0 for no augmentation.
    flip : bool
        Whether every other image, at random, is mirrored in training.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    epochs: int = 5
    batch_size: int = 64
    lr: float = 3e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    warmup: float = 0.1
    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "lr"):
            self._check(name, getattr(self, name) > 0, "above 0")
        for name in ("epochs", "weight_decay", "shift"):
            self._check(name, getattr(self, name) >= 0, "of at least 0")
        for name in ("label_smoothing", "warmup"):
            self._check(name, 0 <= getattr(self, name) < 1, "in [0, 1)")

    def _check(self, name: str, fits: bool, what: str) -> None:
        if not fits:
            raise InputError(f"expected recipe.{name} {what}, got {getattr(self, name)}; leave it out for the default")

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of `step`, from 0, of `n_steps`."""
        rising = self.warmup * n_steps
        if step < rising:
            return self.lr * min(1.0, (step + 1) / rising)
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - rising) / (n_steps - rising)))


SHORT = Recipe()
"""The default: seconds to a minute for a few thousand images on one core."""
