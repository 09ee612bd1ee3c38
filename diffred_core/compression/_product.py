"""Product quantisation (Jegou, Douze and Schmid 2011): a vector in pieces, each kept as the number of a centroid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffred_core.errors import InputError

LEVELS = 256  # a code is one byte


@dataclass(frozen=True, eq=False)
class ProductCode:
    """Codebooks, one a piece of the vector; a search reads the centroids.

    Attributes
    ----------
    centroids : Tensor (n_codes, 256, width) of float32
        A vector of d numbers is filled up with zeros to ``n_codes * width``, and cut into pieces of `width`.
    """

    centroids: Tensor
    name: str = "product"

    def __post_init__(self) -> None:
        if self.centroids.ndim != 3 or self.centroids.shape[1] > LEVELS:
            raise InputError(
                f"expected centroids of shape (n_codes, {LEVELS} at most, width), got {tuple(self.centroids.shape)}; "
                "pass one codebook a piece"
            )

    def n_bytes(self, k: int) -> int:
        """Return the bytes of a vector, whatever the number `k` of its dimensions."""
        return len(self.centroids)

    def encode(self, Z: Tensor) -> np.ndarray:
        """Return the nearest centroids of the rows of `Z` (n, k), (n, n_codes) of uint8."""
        pieces = cut(Z, len(self.centroids))
        codes = torch.empty(len(Z), len(self.centroids), dtype=torch.uint8)
        half = self.centroids.square().sum(2) / 2
        for m, centroids in enumerate(self.centroids):  # |z - c|^2 = |z|^2 + 2 (|c|^2 / 2 - z'c)
            codes[:, m] = torch.addmm(half[m], pieces[:, m], centroids.T, alpha=-1).argmin(1)
        return codes.numpy()

    def decode(self, codes: np.ndarray, k: int) -> Tensor:
        """Return the `k` numbers that kept rows stand for, (n, k) of float32."""
        rows = torch.from_numpy(codes).long()
        return torch.cat([centroids[rows[:, m]] for m, centroids in enumerate(self.centroids)], dim=1)[:, :k]

    def round_trip(self, Z: Tensor) -> Tensor:
        """Return ``decode(encode(Z))``."""
        return self.decode(self.encode(Z), Z.shape[1])

    def arrays(self) -> dict[str, Tensor]:
        """Return the tensors that define it, by name."""
        return {"centroids": self.centroids}


def cut(Z: Tensor, n_codes: int) -> Tensor:
    """Return the pieces of the rows of `Z` (n, k), filled up with zeros, (n, n_codes, width)."""
    width = -(-Z.shape[1] // n_codes)
    filled = torch.nn.functional.pad(Z.float(), (0, n_codes * width - Z.shape[1]))
    return filled.reshape(len(Z), n_codes, width)
