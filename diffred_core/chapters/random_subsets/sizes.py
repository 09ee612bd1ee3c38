"""The published fractions, and shares of the accuracy to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffred_core import subsets
from diffred_core.chapters.random_subsets.names import REPORTED_DELTAS
from diffred_core.errors import InputError

# ResNet50, "main" and "morefracs" together (Nanda et al. 2023, reference scripts); 1 is the full layer
PUBLISHED_FRACTIONS: tuple[float, ...] = (
    *(0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9, 1.0),
)
# 20 points up to 0.8 and 10 from there to 1 (the authors' notebooks), with the reported ones and those of the figure
DELTAS: tuple[float, ...] = tuple(
    np.unique(np.round([*np.linspace(0, 0.8, 20), *np.linspace(0.8, 1, 10), *REPORTED_DELTAS, 0.98, 0.995], 6)).tolist()
)


@dataclass(frozen=True)
class Sizes:
    """Fractions of a layer, each with the number of dimensions that it keeps; the full layer is not among them.

    Attributes
    ----------
    fractions : tuple of float
        Growing, below 1.
    n_selected : tuple of int
        Growing, from 1 to n_features - 1.
    """

    fractions: tuple[float, ...]
    n_selected: tuple[int, ...]

    @classmethod
    def of(cls, n_features: int, fractions: Sequence[float]) -> Sizes:
        """Return the fractions that keep at least one feature, and of those that keep equally many the smallest.

        Raises
        ------
        InputError
            If a fraction lies outside (0, 1], or none keeps a feature and drops another.
        """
        shares = sorted(set(fractions))
        first: dict[int, float] = {}
        for fraction, size in zip(shares, subsets.subset_sizes(n_features, shares), strict=True):
            if fraction * n_features >= 1 and size < n_features:
                first.setdefault(size, fraction)
        if not first:
            raise InputError(
                f"fractions must keep 1 to {n_features - 1} of {n_features} dimensions, got {shares}; pass others"
            )
        return cls(tuple(first.values()), tuple(first))

    def up_to(self, size: int) -> Sizes:
        """Return the sizes that keep at most `size` features."""
        kept = sum(k <= size for k in self.n_selected)
        return Sizes(self.fractions[:kept], self.n_selected[:kept])

    def from_size(self, size: int) -> Sizes:
        """Return the sizes that keep at least `size` features."""
        left_out = sum(k < size for k in self.n_selected)
        return Sizes(self.fractions[left_out:], self.n_selected[left_out:])

    def nearest(self, fractions: Sequence[float]) -> Sizes:
        """Return the sizes that lie nearest to `fractions`."""
        places = sorted({int(np.abs(np.array(self.fractions) - fraction).argmin()) for fraction in fractions})
        return Sizes(tuple(self.fractions[i] for i in places), tuple(self.n_selected[i] for i in places))
