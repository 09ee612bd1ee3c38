"""What small networks are made of before their classifier: the trunks of a VGG, a ResNet and a ViT.

A trunk takes normalised images (n, 3, h, w) and returns maps (n, 8 * width, h', w'), which are averaged over positions;
a ViT gives them as (n, h', w', 8 * width).
Weights are not drawn here: `SmallNetwork` draws them from a generator of its own, not from the state of the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

N_FEATURES = 8  # of every trunk, in units of its width
VGG_WIDENING = (1, 2, 4, 8, N_FEATURES)  # channels of the stages, in units of the first
RESNET_WIDENING = (1, 2, 4, N_FEATURES)
EARLY = 2  # stages whose pooling the variant without early pooling leaves out
PATCH = 4  # pixels a side
HEAD_WIDTH = 32  # features of one attention head, at least

convolution = partial(skip_init, nn.Conv2d, bias=False)


class Trunk(Protocol):
    """How a trunk is made: from the blocks of its stages and its width."""

    def __call__(self, stages: Sequence[int], width: int, early_pooling: bool, /) -> nn.Sequential:
        """Return the trunk, its weights not drawn."""


class Block(nn.Module):
    """A 3 x 3 convolution, batch norm, ReLU and, at the end of a stage, a 2 x 2 max-pooling.

    An odd side is rounded up, so that no map is ever pooled away and images of 24 pixels end in maps of 2 x 2.
    """

    def __init__(self, n_in: int, n_out: int, *, pool: bool):
        super().__init__()
        self.convolution = convolution(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, n_out, h, w), or half of h and w if this block pools."""
        maps: Tensor = self.pool(torch.relu(self.norm(self.convolution(x))))
        return maps


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity, or a 1 x 1 convolution where the shape changes (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, *, stride: int):
        super().__init__()
        self.convolution1 = convolution(n_in, n_out, 3, padding=1, stride=stride)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.convolution2 = convolution(n_out, n_out, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(n_out)
        same = n_in == n_out and stride == 1
        projection = [] if same else [convolution(n_in, n_out, 1, stride=stride), nn.BatchNorm2d(n_out)]
        self.shortcut = nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, n_out, h / stride, w / stride)."""
        inner = torch.relu(self.norm1(self.convolution1(x)))
        return torch.relu(self.norm2(self.convolution2(inner)) + self.shortcut(x))


class Patches(nn.Module):
    """A linear map of every patch, and the sine and cosine of its place (Vaswani et al. 2017, in two dimensions).

    Places are fixed, as in the plain ViT of Beyer et al. (2022), so that a network takes images of any size.
    """

    def __init__(self, width: int):
        super().__init__()
        self.linear = skip_init(nn.Linear, 3 * PATCH**2, width)

    def forward(self, images: Tensor) -> Tensor:
        """Return tokens (n, h / 4, w / 4, width); sides are filled up to whole patches by repeating the edge."""
        height, width = images.shape[2:]
        images = F.pad(images, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")
        tokens: Tensor = self.linear(F.pixel_unshuffle(images, PATCH).permute(0, 2, 3, 1))
        return tokens + _places(*tokens.shape[1:]).to(tokens)


class TransformerBlock(nn.Module):
    """Attention and a perceptron of four times the width, each after a layer norm and beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.n_heads = max(n for n in range(1, max(1, width // HEAD_WIDTH) + 1) if width % n == 0)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = skip_init(nn.Linear, width, 3 * width), skip_init(nn.Linear, width, width)
        self.wide, self.narrow = skip_init(nn.Linear, width, 4 * width), skip_init(nn.Linear, 4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the shape (n, h, w, width) that they came in."""
        n, h, w, width = tokens.shape
        qkv = self.qkv(self.norm1(tokens)).view(n, h * w, 3, self.n_heads, width // self.n_heads)
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4).unbind(0))
        tokens = tokens + self.out(mixed.transpose(1, 2).reshape(n, h, w, width))
        changed: Tensor = tokens + self.narrow(F.gelu(self.wide(self.norm2(tokens))))
        return changed


def vgg_plan(stages: Sequence[int], width: int, early_pooling: bool) -> tuple[tuple[int, bool], ...]:
    """Return the channels of every convolution of a VGG, and whether its block ends in a pooling."""
    return tuple(
        (width * wider, i == n - 1 and (early_pooling or stage >= EARLY))
        for stage, (n, wider) in enumerate(zip(stages, VGG_WIDENING, strict=True))
        for i in range(n)
    )


def vgg(stages: Sequence[int], width: int, early_pooling: bool) -> nn.Sequential:
    """Return the trunk of a VGG with batch norm (VGGm: Harun et al. 2024)."""
    plan = vgg_plan(stages, width, early_pooling)
    channels = [3, *(n_out for n_out, _ in plan)]
    return nn.Sequential(*(Block(n_in, n_out, pool=pool) for n_in, (n_out, pool) in zip(channels, plan, strict=False)))


def resnet(stages: Sequence[int], width: int, _early_pooling: bool) -> nn.Sequential:
    """Return the trunk of a ResNet for small images: a 3 x 3 stem without pooling, then stages at half the side."""
    blocks: list[nn.Module] = [Block(3, width, pool=False)]
    n_in = width
    for stage, (n, wider) in enumerate(zip(stages, RESNET_WIDENING, strict=True)):
        for i in range(n):
            blocks.append(ResidualBlock(n_in, width * wider, stride=2 if stage and not i else 1))
            n_in = width * wider
    return nn.Sequential(*blocks)


def vit(stages: Sequence[int], width: int, _early_pooling: bool) -> nn.Sequential:
    """Return the trunk of a ViT (Dosovitskiy et al. 2021) with patches of 4 pixels and averaged tokens."""
    n_features = N_FEATURES * width
    blocks = [TransformerBlock(n_features) for _ in range(sum(stages))]
    return nn.Sequential(Patches(n_features), *blocks, nn.LayerNorm(n_features))


@dataclass(frozen=True)
class Family:
    """A kind of trunk: how many blocks its stages have at every depth, how it is made, and where its channels stand."""

    depths: Mapping[int, tuple[int, ...]]
    trunk: Trunk
    output_fmt: str = "NCHW"  # in timm's words


FAMILIES: dict[str, Family] = {
    # convolutions: VGGm-11 is VGG-13's trunk, VGGm-17 VGG-19's; the classifier is one layer
    "vggm": Family({11: (2, 2, 2, 2, 2), 17: (2, 2, 4, 4, 4)}, vgg),
    "resnet": Family({10: (1, 1, 1, 1), 18: (2, 2, 2, 2)}, resnet),
    "vit": Family({n: (n,) for n in (2, 4, 6, 12)}, vit, "NHWC"),
}


def _places(h: int, w: int, width: int) -> Tensor:
    """Return sine and cosine of row and column at width / 4 frequencies, (h, w, width)."""
    n = width // 4
    frequencies = 1e4 ** -(torch.arange(n) / n)
    angles = [torch.arange(side)[:, None] * frequencies for side in (h, w)]
    rows, columns = (torch.cat([a.sin(), a.cos()], dim=1) for a in angles)
    return torch.cat([rows[:, None].expand(h, w, -1), columns[None].expand(h, w, -1)], dim=2)
