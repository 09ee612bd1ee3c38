"""VGGm: the trunk of a VGG with batch norm, global average pooling and one linear classifier (Harun et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffred_core.errors import InputError

DEPTHS: dict[int, tuple[int, ...]] = {11: (2, 2, 2, 2, 2), 17: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five stages of VGGm-11 (VGG-13's trunk) and VGGm-17 (VGG-19's); the classifier is one."""
WIDENING = (1, 2, 4, 8, 8)  # channels of the stages, in units of the first
EARLY = 2  # stages whose pooling the variant without early pooling leaves out


@dataclass(frozen=True)
class Architecture:
    """What a small network looks like, its classes aside.

    Attributes
    ----------
    depth : int
        Layers with weights: a key of `DEPTHS`.
    width : int
        Channels of the first stage; 64 are published.
    early_pooling : bool
        Whether the first two stages end in a max-pooling too. Without (VGGm with a dagger in the paper) later maps
        have four times the side.

    Raises
    ------
    InputError
        If the depth is unknown or the width is not positive.
    """

    depth: int = 17
    width: int = 8
    early_pooling: bool = True

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise InputError(f"expected depth to be one of {', '.join(map(str, DEPTHS))}, got {self.depth}; choose one")
        if self.width < 1:
            raise InputError(f"expected width of at least 1 channel, got {self.width}; 8 trains in seconds")

    @property
    def name(self) -> str:
        """``vggm17-w8`` with early pooling, ``vggm17-w8-late`` without."""
        return f"vggm{self.depth}-w{self.width}{'' if self.early_pooling else '-late'}"

    @property
    def plan(self) -> tuple[tuple[int, bool], ...]:
        """Channels of every convolution, and whether its block ends in a pooling."""
        return tuple(
            (self.width * wider, i == n - 1 and (self.early_pooling or stage >= EARLY))
            for stage, (n, wider) in enumerate(zip(DEPTHS[self.depth], WIDENING, strict=True))
            for i in range(n)
        )


class Block(nn.Module):
    """A 3 x 3 convolution, batch norm, ReLU and, at the end of a stage, a 2 x 2 max-pooling.

    An odd side is rounded up, so that no map is ever pooled away and images of 24 pixels end in maps of 2 x 2.
    """

    def __init__(self, n_in: int, n_out: int, *, pool: bool):
        super().__init__()
        # skip_init: the weights are drawn below from a generator of their own, not from the state of the process
        self.convolution = nn.utils.skip_init(nn.Conv2d, n_in, n_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, n_out, h, w), or half of h and w if this block pools."""
        return self.pool(torch.relu(self.norm(self.convolution(x))))


class VGG(nn.Module):
    """A VGGm, with timm's names for its parts, so that it is a backbone like any other.

    Parameters
    ----------
    architecture : Architecture
    n_classes : int
        At least 2.
    seed : int
        Of the first weights: He-normal convolutions and classifier, batch norms at one and zero, bias 0. Two
        architectures that differ in their pooling alone start from the same weights.

    Raises
    ------
    InputError
        If there are fewer than two classes.
    """

    def __init__(self, architecture: Architecture, n_classes: int, *, seed: int):
        super().__init__()
        if n_classes < 2:
            raise InputError(f"expected n_classes of at least 2, got {n_classes}; a classifier tells classes apart")
        channels = [3, *(n_out for n_out, _ in architecture.plan)]
        self.blocks = nn.Sequential(
            *(Block(n_in, n_out, pool=pool) for n_in, (n_out, pool) in zip(channels, architecture.plan, strict=False))
        )
        self.head = nn.utils.skip_init(nn.Linear, channels[-1], n_classes)
        self._draw(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        for block in self.blocks:
            nn.init.kaiming_normal_(block.convolution.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        nn.init.kaiming_normal_(self.head.weight, nonlinearity="linear", generator=generator)
        nn.init.zeros_(self.head.bias)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the last maps of normalised `images` (n, 3, h, w)."""
        return self.blocks(images)

    def forward_head(self, maps: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Return the logits (n, n_classes), or with `pre_logits` the averaged maps (n, n_channels) before them."""
        averaged = maps.mean(dim=(2, 3))
        return averaged if pre_logits else self.head(averaged)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised `images` (n, 3, h, w)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """Return the linear classifier."""
        return self.head
