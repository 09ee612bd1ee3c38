"""Class sums that grow block by block, and with every new class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from diffred_core.errors import InputError


class ClassSums:
    """Sum and number of the rows of every class.

    Parameters
    ----------
    n_features : int
        Width of the rows.
    n_classes : int, optional
        Number of classes; without it, one more than the greatest label met.
    device : torch.device
        Where the totals live.
    """

    def __init__(self, n_features: int, *, n_classes: int | None, device: torch.device):
        self.n_classes = n_classes
        self.sums = torch.zeros(n_classes or 0, n_features, dtype=torch.float64, device=device)
        self.counts = torch.zeros(n_classes or 0, dtype=torch.float64, device=device)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add the rows of x to the sums of their classes.

        Raises
        ------
        InputError
            If a label is not below the `n_classes` that was given.
        """
        greatest = int(y.max())
        if self.n_classes is not None and greatest >= self.n_classes:
            raise InputError(
                f"expected labels below n_classes={self.n_classes}, got {greatest}; "
                "pass the number of classes of the task, or leave n_classes out"
            )
        missing = max(0, greatest + 1 - len(self.counts))
        self.sums, self.counts = pad(self.sums, (0, 0, 0, missing)), pad(self.counts, (0, missing))
        # a product with one-hot labels, not index_add: the same to the last bit on every run of a GPU
        membership = one_hot(y, len(self.counts)).to(x.dtype)
        self.sums += membership.T @ x
        self.counts += membership.sum(0, dtype=torch.float64)
