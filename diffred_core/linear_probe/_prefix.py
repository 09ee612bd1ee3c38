"""One Cholesky factor for all prefixes of an order: the walk over l2 values, rows and sizes that curves share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from diffred_core.checks import check_positive
from diffred_core.errors import InputError
from diffred_core.linear_probe._checks import l2_values
from diffred_core.linear_probe.factor import class_targets, ridge_factor
from diffred_core.moments import FeatureMoments
from diffred_core.subsets import check_order


@dataclass(frozen=True, eq=False)
class PrefixFactor:
    """``L``, ``z`` and what goes with them (see `_curve`) for one order and one `l2`.

    Attributes
    ----------
    lower : Tensor (k_max, k_max) of float64
    targets : Tensor (k_max, n_classes) of float64
        ``z``.
    features : LongTensor (k_max,)
    mean : Tensor (k_max,) of float64
    share : Tensor (n_classes,) of float64
    """

    lower: Tensor
    targets: Tensor
    features: Tensor
    mean: Tensor
    share: Tensor

    @classmethod
    def of(cls, moments: FeatureMoments, features: Tensor, gram: Tensor, l2: Tensor) -> PrefixFactor:
        """Factor `gram`, the Gram matrix of `features` in their order."""
        sums, share = class_targets(moments)
        lower = ridge_factor(gram.clone(), moments.n * l2)
        z = torch.linalg.solve_triangular(lower, sums[features], upper=False)
        return cls(lower, z, features, moments.mean[features], share)

    def project(self, X: Tensor) -> Tensor:
        """Return ``P (n_samples, k_max)`` of float64."""
        centred = X.index_select(1, self.features).to(torch.float64).sub_(self.mean)
        # the transpose of a row-major matrix is the column-major one that the solver wants: nothing is copied
        projection: Tensor = torch.linalg.solve_triangular(self.lower, centred.T, upper=False)
        return projection.T

    def scores(self, projection: Tensor, sizes: Sequence[int]) -> Iterator[Tensor]:
        """Yield the scores ``(n_samples, n_classes)`` at each of the growing `sizes`, in one buffer used again."""
        running = self.share.repeat(len(projection), 1)
        for start, stop in zip([0, *sizes], sizes, strict=False):
            yield running.addmm_(projection[:, start:stop], self.targets[start:stop])


@dataclass(frozen=True, eq=False)
class PrefixCurve:
    """A checked request: which prefixes, which regularisers, how many rows at a time.

    Attributes
    ----------
    moments : FeatureMoments
    features : LongTensor (k_max,)
        The largest prefix.
    sizes : list of int
        Distinct and growing.
    back : LongTensor (n_sizes,)
        Where each size asked for stands in `sizes`.
    l2 : Tensor () or (n_l2,)
    rows : int
        Rows that the memory budget allows at once.
    """

    moments: FeatureMoments
    features: Tensor
    sizes: list[int]
    back: Tensor
    l2: Tensor
    rows: int

    @classmethod
    def of(
        cls,
        moments: FeatureMoments,
        order: Tensor,
        sizes: Sequence[int],
        l2: float | Sequence[float] | Tensor,
        memory_bytes: int,
    ) -> PrefixCurve:
        """Check what the caller of a curve asks for."""
        device = moments.mean.device
        check_positive(memory_bytes, name="memory_bytes")
        order = torch.as_tensor(order)
        asked = torch.tensor(check_order(order, sizes, n_features=len(moments.mean)))
        growing, back = asked.unique(return_inverse=True)
        values = l2_values(l2, device=device, positive=False)
        if values.ndim > 1:
            raise InputError(
                f"expected l2 as a number or (n_l2,) along a curve, got shape {tuple(values.shape)}; "
                "pass the path, then choose for every size with select_l2"
            )
        k_max = int(growing[-1])
        rows = max(1, int(memory_bytes // (3 * 8 * k_max)))  # gathered, centred and projected copies in float64
        return cls(moments, order[:k_max].to(device), growing.tolist(), back.to(device), values, rows)

    @cached_property
    def gram(self) -> Tensor:
        """Gram matrix of the features in their order, gathered once for all `l2`."""
        return self.moments.gram.index_select(0, self.features).index_select(1, self.features)

    def factors(self) -> Iterator[PrefixFactor]:
        """Yield the factor of every `l2` in turn."""
        for value in self.l2.reshape(-1):
            yield PrefixFactor.of(self.moments, self.features, self.gram, value)

    def walk(self, X: Tensor) -> Iterator[tuple[tuple[int, int], slice, Tensor]]:
        """Yield ``(l2 index, size index), rows, scores`` for every l2, block of rows and size."""
        for i, factor in enumerate(self.factors()):
            for rows in self.blocks(len(X)):
                for j, scores in enumerate(factor.scores(factor.project(X[rows]), self.sizes)):
                    yield (i, j), rows, scores

    def blocks(self, n_samples: int) -> Iterator[slice]:
        """Yield the slices of rows that fit the memory budget."""
        return (slice(start, start + self.rows) for start in range(0, n_samples, self.rows))

    def empty(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Return an empty tensor ``(n_l2, n distinct sizes, *shape)``."""
        return torch.empty(self.l2.numel(), len(self.sizes), *shape, dtype=dtype, device=self.l2.device)

    def arranged(self, values: Tensor) -> Tensor:
        """Return `values` at the sizes asked for, without the l2 axis if one number was asked for."""
        values = values[:, self.back]
        return values if self.l2.ndim else values[0]
