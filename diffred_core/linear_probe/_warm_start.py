"""Starts for logistic probes: the solution of the longest solved prefix of the same subset."""

from __future__ import annotations

import torch
from torch import Tensor


class Solved:
    """Solutions by the subset they belong to; groups come in order of size, so only two sizes are kept."""

    def __init__(self) -> None:
        self._size = 0
        self._here: dict[bytes, Tensor] = {}
        self._smaller: dict[bytes, Tensor] = {}
        self._smaller_size = 0

    def start(self, features: Tensor, n_l2: int, n_classes: int) -> tuple[Tensor, bool]:
        """Return where to start, and whether every subset had a solved prefix.

        Parameters
        ----------
        features : Tensor (g, k) of int64
            Not smaller than those of the calls before.

        Returns
        -------
        theta : Tensor (g * n_l2, n_classes, k + 1) of float64
            The weights of the prefix, its intercept last, and zeros in between.
        """
        g, k = features.shape
        if k > self._size:
            self._smaller, self._smaller_size, self._here, self._size = self._here, self._size, {}, k
        theta = torch.zeros(g, n_l2, n_classes, k + 1, dtype=torch.float64, device=features.device)
        prefixes = [_key(subset[: self._smaller_size]) for subset in features]
        found = [(i, self._smaller[key]) for i, key in enumerate(prefixes) if key in self._smaller]
        for i, solution in found:
            theta[i, ..., : self._smaller_size] = solution[..., :-1]
            theta[i, ..., -1] = solution[..., -1]
        return theta.flatten(0, 1), len(found) == g

    def add(self, features: Tensor, theta: Tensor) -> None:
        """Remember ``theta (g * n_l2, n_classes, k + 1)`` of the subsets ``features (g, k)``."""
        for subset, solution in zip(features, theta.unflatten(0, (len(features), -1)), strict=True):
            self._here[_key(subset)] = solution


def _key(subset: Tensor) -> bytes:
    return subset.cpu().numpy().tobytes()
