"""A batch of probe problems: which features, labels and regularisers; how solved groups become one `LinearProbe`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from diffred_core.checks import as_labels
from diffred_core.errors import InputError
from diffred_core.linear_probe._probe import LinearProbe

DEFAULT_MEMORY_BYTES = 2**29
CERTIFICATE = ("converged", "iterations", "gradient_norm")
_ONE_CLASS = "expected at least two classes in {}, got one; add rows of another class"

Subsets = Tensor | Sequence[int] | Sequence[Tensor] | Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class Problems:
    """Every subset with every value of `l2`."""

    subsets: Tensor  # (n_subsets, k_max), padded with -1
    sizes: list[int]
    l2: Tensor  # (n_l2, n_subsets) of float64
    batch_shape: tuple[int, ...]  # (n_l2,) and (n_subsets,) as far as the caller gave several
    n_features: int

    @property
    def device(self) -> torch.device:
        """Device of the indices, which is that of the data."""
        return self.subsets.device

    def groups(self, bytes_a_subset: Callable[[int], int], memory_bytes: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield ``(positions (g,), features (g, k))`` of subsets of one size, as many as the budget holds.

        `bytes_a_subset` maps a size to the memory that one subset of that size needs.
        """
        sizes = torch.tensor(self.sizes)
        for size in sorted(set(self.sizes)):
            positions = (sizes == size).nonzero().squeeze(1)
            width = max(1, int(memory_bytes // bytes_a_subset(size)))
            for part in positions.split(width):
                yield part, self.subsets[part.to(self.device), :size]

    def solved(
        self, solve: Callable[[Tensor, Tensor], Solution], bytes_a_subset: Callable[[int], int], memory_bytes: int
    ) -> LinearProbe:
        """Solve every group by its ``features (g, k)`` and ``l2 (n_l2, g)``."""
        groups = self.groups(bytes_a_subset, memory_bytes)
        return self.probe([(at, solve(features, self.l2[:, at.to(self.device)])) for at, features in groups])

    def probe(self, solutions: list[tuple[Tensor, Solution]]) -> LinearProbe:
        """Put the solutions of the groups, each with its positions, back into the order of the problems."""
        lead, (n_subsets, k_max) = len(self.l2), self.subsets.shape
        like = solutions[0][1]
        n_classes = like.weight.shape[-1]
        weight = like.weight.new_zeros(lead, n_subsets, k_max, n_classes)
        bias = weight.new_zeros(lead, n_subsets, n_classes)
        certificate = {name: getattr(like, name).new_zeros(lead, n_subsets) for name in CERTIFICATE}
        for positions, solution in solutions:
            at = positions.to(self.device)
            weight[:, at, : solution.weight.shape[-2]] = solution.weight
            bias[:, at] = solution.bias
            for name in CERTIFICATE:
                certificate[name][:, at] = getattr(solution, name)
        shape = self.batch_shape
        return LinearProbe(
            weight=weight.reshape(*shape, k_max, n_classes),
            bias=bias.reshape(*shape, n_classes),
            subsets=self.subsets.expand(lead, -1, -1).reshape(*shape, k_max),
            l2=self.l2.reshape(shape),
            **{name: value.reshape(shape) for name, value in certificate.items()},
            n_features=self.n_features,
        )


@dataclass(frozen=True, eq=False)
class Solution:
    """Solved problems of one group of ``g`` subsets of size ``k``, each with ``n_l2`` regularisers."""

    weight: Tensor  # (n_l2, g, k, n_classes)
    bias: Tensor  # (n_l2, g, n_classes)
    converged: Tensor  # (n_l2, g), as the two below
    iterations: Tensor
    gradient_norm: Tensor


def as_problems(
    subsets: Subsets | None,
    l2: float | Sequence[float] | Tensor,
    *,
    n_features: int,
    device: torch.device,
    positive: bool,
) -> Problems:
    """Read `subsets` and `l2` as the public functions document them; refuse what they cannot mean."""
    padded, batched = as_subsets(subsets, n_features=n_features, device=device)
    values = l2_values(l2, device=device, positive=positive)
    if values.ndim == 2 and (not batched or values.shape[1] != len(padded)):
        raise InputError(
            f"expected one column of l2 for each of {len(padded) if batched else 'several'} subsets, got shape "
            f"{tuple(values.shape)}; pass (n_l2,) to give every subset the same values"
        )
    grid = values if values.ndim == 2 else values.reshape(-1, 1).expand(-1, len(padded))
    shape = (len(grid),) * (values.ndim > 0) + (len(padded),) * batched
    return Problems(padded, (padded >= 0).sum(1).tolist(), grid, shape, n_features)


def as_subsets(subsets: Subsets | None, *, n_features: int, device: torch.device) -> tuple[Tensor, bool]:
    """Return the subsets padded with -1, ``(n_subsets, k_max)``, and whether the caller gave a batch.

    ``None`` means all features. One index list, or one bool mask of all features, is one problem; a 2-D tensor or a
    sequence of index lists (sizes may differ) or masks is a batch.
    """
    if subsets is None:
        return torch.arange(n_features, device=device)[None], False
    batched = subsets.ndim == 2 if isinstance(subsets, Tensor) else _is_nested(subsets)
    each: Any = subsets if batched else [subsets]
    lists = [_as_indices(subset, n_features) for subset in each]
    if not lists:
        raise InputError("expected at least one of subsets, got none; pass subsets=None for all features")
    return torch.nn.utils.rnn.pad_sequence(lists, batch_first=True, padding_value=-1).to(device), batched


def _is_nested(subsets: Sequence[Any]) -> bool:
    return len(subsets) == 0 or (not isinstance(subsets[0], int) and getattr(subsets[0], "ndim", 1) > 0)


def _as_indices(subset: Tensor | Sequence[int], n_features: int) -> Tensor:
    index = torch.as_tensor(subset).cpu()
    if index.dtype == torch.bool and index.shape == (n_features,):
        index = index.nonzero().squeeze(1)
    valid = index.ndim == 1 and index.numel() > 0 and not (index.is_floating_point() or index.dtype == torch.bool)
    if not valid or int(index.min()) < 0 or int(index.max()) >= n_features or len(index.unique()) < len(index):
        came = f"{index.dtype} of shape {tuple(index.shape)}"
        came += f" with values {index.min().item()}..{index.max().item()}" if index.numel() else ""
        raise InputError(
            f"expected subsets of at least one feature, distinct indices in 0..{n_features - 1}, "
            f"got {came}; draw subsets with subsets.random_order"
        )
    return index.long()


def class_labels(
    y: Tensor | ArrayLike, X: Tensor, *, n_classes: int | None = None, name: str = "y"
) -> tuple[Tensor, int]:
    """Return `y` as int64 indices on the device of `X`, and `n_classes`: given, or one above the largest label."""
    y = as_labels(y, len(X), name=name).to(X.device)
    highest = int(y.max())
    n_classes = highest + 1 if n_classes is None else n_classes
    if highest >= n_classes:
        raise InputError(
            f"expected class indices below n_classes={n_classes} in {name}, got {highest}; raise n_classes"
        )
    if n_classes < 2:
        raise InputError(_ONE_CLASS.format(name))
    return y, n_classes


def training_labels(
    y: Tensor | ArrayLike, X: Tensor, *, n_classes: int | None = None, name: str = "y"
) -> tuple[Tensor, int]:
    """Return `class_labels` of rows to fit on, of which at least two classes must have some."""
    y, n_classes = class_labels(y, X, n_classes=n_classes, name=name)
    if int(y.min()) == int(y.max()):
        raise InputError(_ONE_CLASS.format(name))
    return y, n_classes


def l2_values(l2: float | Sequence[float] | Tensor, *, device: torch.device, positive: bool) -> Tensor:
    """Return `l2` as float64 of 0, 1 or 2 dimensions; refuse negative (and, if `positive`, zero) values."""
    values = torch.as_tensor(l2, dtype=torch.float64, device=device)
    wrong = ~torch.isfinite(values) | (values <= 0 if positive else values < 0)
    if values.ndim > 2 or values.numel() == 0 or wrong.any():
        came = values[wrong].flatten()[:3].tolist() if wrong.any() else f"shape {tuple(values.shape)}"
        bound = "above 0" if positive else "of at least 0"
        raise InputError(
            f"expected finite values {bound} in l2, as a number, (n_l2,) or (n_l2, n_subsets), got {came}; "
            "pass for instance l2=1e-3"
        )
    return values
