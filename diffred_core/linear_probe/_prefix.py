"""One Cholesky factor for all prefixes of an order: the walk over l2 values, rows and sizes that curves share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from diffred_core.checks import check_positive
from diffred_core.errors import InputError
from diffred_core.linear_probe._problems import l2_values
from diffred_core.linear_probe.factor import class_targets, ridge_factor
from diffred_core.moments import FeatureMoments
from diffred_core.subsets import check_order


class PrefixFactor:
    """``L (k_max, k_max)``, ``z (k_max, n_classes)`` and what goes with them (see `_curve`), for one `l2`."""

    def __init__(self, moments: FeatureMoments, features: Tensor, gram: Tensor, l2: Tensor) -> None:
        """Factor `gram`, the Gram matrix of `features` in their order."""
        sums, self.share = class_targets(moments)
        self.features, self.mean = features, moments.mean[features]
        self.lower = ridge_factor(gram.clone(), moments.n * l2)
        self.targets: Tensor = torch.linalg.solve_triangular(self.lower, sums[features], upper=False)

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


class PrefixCurve:
    """A checked request: which prefixes, which regularisers, how many rows at a time."""

    def __init__(
        self,
        moments: FeatureMoments,
        order: Tensor,
        sizes: Sequence[int],
        l2: float | Sequence[float] | Tensor,
        memory_bytes: int,
    ) -> None:
        device = moments.mean.device
        check_positive(memory_bytes, name="memory_bytes")
        order = torch.as_tensor(order)
        requested = torch.tensor(check_order(order, sizes, n_features=len(moments.mean)))
        growing, places = requested.unique(return_inverse=True)
        self.l2 = l2_values(l2, device=device, positive=False)
        if self.l2.ndim > 1:
            raise InputError(
                f"expected l2 as a number or (n_l2,) along a curve, got shape {tuple(self.l2.shape)}; "
                "pass the path, then choose for every size with select_l2"
            )
        k_max = int(growing[-1])
        self.moments, self.features = moments, order[:k_max].to(device)
        self.sizes: list[int] = growing.tolist()  # distinct and growing
        self.places = places.to(device)  # of each requested size in `sizes`
        self.rows = max(1, int(memory_bytes // (3 * 8 * k_max)))  # gathered, centred and projected copies in float64

    @cached_property
    def gram(self) -> Tensor:
        """Gram matrix of the features in their order, gathered once for all `l2`."""
        return self.moments.gram.index_select(0, self.features).index_select(1, self.features)

    def factors(self) -> Iterator[PrefixFactor]:
        """Yield the factor of every `l2` in turn."""
        for value in self.l2.reshape(-1):
            yield PrefixFactor(self.moments, self.features, self.gram, value)

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
        """Return `values` at the requested sizes, without the l2 axis if one number was requested."""
        values = values[:, self.places]
        return values if self.l2.ndim else values[0]
