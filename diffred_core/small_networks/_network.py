"""A small network: the trunk of its architecture, averaged over positions, and a classifier behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.small_networks._heads import HEADS
from diffred_core.small_networks._trunks import FAMILIES, N_FEATURES

_NAME = re.compile(r"(?P<family>[a-z]+)(?P<depth>\d+)-w(?P<width>\d+)(?P<late>-late)?")


@dataclass(frozen=True)
class Architecture:
    """What a small network looks like, its classes aside.

    Attributes
    ----------
    depth : int
        Layers with weights of a VGGm (11 or 17) or a ResNet (10 or 18), blocks of a ViT (2, 4, 6 or 12).
    width : int
        Channels of the first stage; the features before the classifier are eight times as many. Published are 64 of
        VGGm and ResNet, and 48 of the ViT-S.
    early_pooling : bool
        Whether the first two stages of a VGGm end in a max-pooling too. Without (VGGm with a dagger in Harun et al.
        2024) later maps have four times the side.
    family : str
        A key of `FAMILIES`: ``vggm``, ``resnet`` or ``vit``.

    Raises
    ------
    InputError
        If family or depth is unknown, the width is not positive, or early pooling is left out where there is none.
    """

    depth: int = 17
    width: int = 8
    early_pooling: bool = True
    family: str = "vggm"

    def __post_init__(self) -> None:
        check_choice(self.family, FAMILIES, "expected architecture.family to be one of {}")
        depths = FAMILIES[self.family].depths
        if self.depth not in depths:
            raise InputError(
                f"expected depth of a {self.family} to be one of {', '.join(map(str, depths))}, got {self.depth}; "
                "choose one"
            )
        if self.width < 1:
            raise InputError(f"expected width of at least 1 channel, got {self.width}; 8 trains in seconds")
        if not self.early_pooling and self.family != "vggm":
            raise InputError(f"expected early_pooling of a {self.family}, got False; only a vggm is without")

    @classmethod
    def named(cls, name: str) -> Architecture:
        """Return the architecture that has this `name`, such as ``resnet10-w16``.

        Raises
        ------
        InputError
            If it is no such name.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(
                f"expected architecture as FAMILY, depth, -w and width, such as vggm11-w16, resnet10-w16 or vit4-w16, "
                f"got {name!r}; families are {', '.join(FAMILIES)}"
            )
        return cls(int(match["depth"]), int(match["width"]), match["late"] is None, match["family"])

    @property
    def name(self) -> str:
        """``vggm17-w8`` with early pooling, ``vggm17-w8-late`` without."""
        return f"{self.family}{self.depth}-w{self.width}{'' if self.early_pooling else '-late'}"

    @property
    def n_features(self) -> int:
        """Width of the layer before the classifier."""
        return N_FEATURES * self.width

    def trunk(self) -> nn.Sequential:
        """Return all layers before the average, their weights not drawn."""
        family = FAMILIES[self.family]
        return family.trunk(family.depths[self.depth], self.width, self.early_pooling)


class SmallNetwork(nn.Module):
    """A small network with timm's names for its parts, so that it is a backbone like any other.

    Parameters
    ----------
    architecture : Architecture
    n_classes : int
        At least 2.
    seed : int
        Of the first weights: He-normal convolutions, other weights normal with the variance of one over their inputs,
        norms at one and zero, biases 0. The trunk is drawn first, so that networks of one seed that differ in pooling
        or classifier alone start from the same trunk.
    head : str
        A key of `HEADS`: ``linear``, ``cosine`` or ``matryoshka``.

    Raises
    ------
    InputError
        If there are fewer than two classes.
    """

    def __init__(self, architecture: Architecture, n_classes: int, *, seed: int, head: str = "linear"):
        super().__init__()
        if n_classes < 2:
            raise InputError(f"expected n_classes of at least 2, got {n_classes}; a classifier tells classes apart")
        self.blocks = architecture.trunk()
        self.output_fmt = FAMILIES[architecture.family].output_fmt
        self.head = HEADS[head](architecture.n_features, n_classes)
        _draw(self, torch.Generator().manual_seed(seed))

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the last maps of normalised `images` (n, 3, h, w), laid out as `output_fmt` says."""
        maps: Tensor = self.blocks(images)
        return maps

    def forward_head(self, maps: Tensor, *, pre_logits: bool = False) -> Tensor:
        """Return the logits (n, n_classes), or with `pre_logits` the averaged maps (n, n_features) before them."""
        averaged = maps.mean(dim=(1, 2) if self.output_fmt == "NHWC" else (2, 3))
        output: Tensor = averaged if pre_logits else self.head(averaged)
        return output

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised `images` (n, 3, h, w)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """Return the classifier."""
        return self.head


@torch.no_grad()
def _draw(module: nn.Module, generator: torch.Generator) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
