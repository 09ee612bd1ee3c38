"""Classifiers behind the averaged features of a small network: linear, by cosine, and one for every nested prefix."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

COSINE_SCALE = 20.0  # one over the temperature of 0.05
SMALLEST_PREFIX = 8


class CosineHead(nn.Module):
    """Logits ``s cos(w_k, x)``: the cosine softmax of Kornblith et al. (2021), with s = 20 and no bias."""

    def __init__(self, n_features: int, n_classes: int):
        super().__init__()
        self.linear = skip_init(nn.Linear, n_features, n_classes, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits (n, n_classes) of features (n, n_features)."""
        return COSINE_SCALE * F.linear(F.normalize(features), F.normalize(self.linear.weight))


class MatryoshkaHead(nn.Module):
    """A linear classifier of its own for the first m features, for every m of `prefix_sizes`.

    Kusupati et al. (2022, eq. 1): ``sum_m c_m L(W^(m) x_{1:m}; y)``, all c_m = 1 unless the objective weighs them.
    The logits of the network are those of all features.
    """

    def __init__(self, n_features: int, n_classes: int):
        super().__init__()
        self.sizes = prefix_sizes(n_features)
        self.linear = nn.ModuleList(skip_init(nn.Linear, size, n_classes) for size in self.sizes)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits (n, n_classes) of all features (n, n_features)."""
        logits: Tensor = self.linear[0](features)
        return logits

    def of_prefixes(self, features: Tensor) -> list[Tensor]:
        """Return the logits of every prefix, the whole first."""
        return [linear(features[:, :size]) for linear, size in zip(self.linear, self.sizes, strict=True)]


def prefix_sizes(n_features: int) -> list[int]:
    """Return how many features the prefixes hold: all, half of them, a quarter, ..., down to 8.

    Kusupati et al. (2022, sec. 3): 2048, 1024, ..., 8 of a ResNet50.
    """
    sizes = [n_features]
    while sizes[-1] >= 2 * SMALLEST_PREFIX:
        sizes.append(sizes[-1] // 2)
    return sizes


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": lambda n_features, n_classes: skip_init(nn.Linear, n_features, n_classes),
    "cosine": CosineHead,
    "matryoshka": MatryoshkaHead,
}
