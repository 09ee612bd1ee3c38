"""The ResNets for images of 32 pixels of He et al. (2015, arXiv 1512.03385), section 4.2, with option A shortcuts.

Tensors are named as in the checkpoints of akamaster/pytorch_resnet_cifar10.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut without parameters: every second pixel, new channels empty."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.stride, self.n_new = n_out // n_in, n_out - n_in
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps after the block."""
        before, after = self.n_new // 2, self.n_new - self.n_new // 2
        shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, after))
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(residual + shortcut)


class CifarResNet(nn.Module):
    """A first convolution, three stages of `n_blocks` blocks, an average over positions, a linear classifier."""

    def __init__(self, n_blocks: int, n_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        widths = (WIDTHS[0], *WIDTHS)
        for stage, (n_in, n_out) in enumerate(itertools.pairwise(widths), start=1):
            blocks = [Block(n_in if i == 0 else n_out, n_out) for i in range(n_blocks)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(WIDTHS[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (n_samples, n_classes) of images (n_samples, 3, height, width)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3):
            x = stage(x)
        return self.linear(x.mean(dim=(2, 3)))


def cifar_resnet(depth: int, n_classes: int = 10) -> CifarResNet:
    """Return the network of `depth` layers with weights, 6 n + 2 of them: 20, 32, 44, 56 or 110."""
    if (depth - 2) % 6:
        raise ValueError(f"depth must be 6 n + 2, such as 20 or 32, got {depth}")
    return CifarResNet((depth - 2) // 6, n_classes)
