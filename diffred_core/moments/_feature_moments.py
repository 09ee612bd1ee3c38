"""Everything that CKA and ridge probes need to know of a layer, without its rows; of sets of rows and their union."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from diffred_core.errors import InputError
from diffred_core.moments.power_sums import PowerSums


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Centred moments of a layer; every tensor is float64 and on the device of the features.

    Attributes
    ----------
    n : int
        Number of rows.
    mean : Tensor of shape (n_features,)
        Mean of every feature.
    gram : Tensor of shape (n_features, n_features)
        G = X'X of the centred features.
    quartic : Tensor of shape (n_features, n_features) or None
        Q = (X*X)'(X*X) of the centred features, which only debiased CKA needs.
    class_sums : Tensor of shape (n_classes, n_features) or None
        Sum of the centred rows of every class.
    class_counts : Tensor of shape (n_classes,) or None
        Number of rows of every class.
    cubic : Tensor of shape (n_features, n_features) or None
        T = (X*X)'X of the centred features, which only merging of quartic moments needs.
    """

    n: int
    mean: Tensor
    gram: Tensor
    quartic: Tensor | None = None
    class_sums: Tensor | None = None
    class_counts: Tensor | None = None
    cubic: Tensor | None = None

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.mean)

    @property
    def variance(self) -> Tensor:
        """Population variance of every feature, shape (n_features,)."""
        return self.gram.diagonal() / self.n

    @cached_property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues of the Gram matrix, rising, ``(n_features,)``; rounding may leave some below 0."""
        values: Tensor = torch.linalg.eigvalsh(self.gram)
        return values

    @cached_property
    def principal_directions(self) -> Tensor:
        """Eigenvectors of the Gram matrix as columns by falling variance, ``(n_features, n_features)``."""
        directions: Tensor = torch.linalg.eigh(self.gram).eigenvectors.flip(1)
        return directions

    @property
    def class_totals(self) -> tuple[Tensor, Tensor]:
        """Class sums ``(n_classes, n_features)`` and class counts ``(n_classes,)``.

        Raises
        ------
        InputError
            If the moments were made without labels.
        """
        if self.class_sums is None or self.class_counts is None:
            raise InputError("expected moments with class sums, got none; build them with moments.from_features(X, y)")
        return self.class_sums, self.class_counts

    def extended_gram(self) -> Tensor:
        """Return ``[X 1]'[X 1]`` of the features as they are, a constant column appended, ``(d + 1, d + 1)``."""
        mean = torch.cat([self.mean, self.mean.new_ones(1)])
        gram: Tensor = self.n * torch.outer(mean, mean)
        gram[:-1, :-1] += self.gram
        return gram

    def extended_label_sums(self) -> Tensor:
        """Return ``[X 1]'y`` of the features as they are, one row a class, y +1 in it and -1 in the rest.

        Raises
        ------
        InputError
            If the moments were made without labels.
        """
        sums, counts = self.class_totals
        of_class = torch.cat([sums + counts[:, None] * self.mean, counts[:, None]], 1)
        return 2 * of_class - self.n * torch.cat([self.mean, self.mean.new_ones(1)])

    def to(self, device: torch.device | str) -> FeatureMoments:
        """Return the same moments on another device."""
        return self._map(lambda tensor: tensor.to(device))

    def select(self, columns: Tensor | Sequence[int]) -> FeatureMoments:
        """Return the moments of the features `columns`, in that order, as if only they had been summed.

        Parameters
        ----------
        columns : LongTensor of shape (n_selected,) or sequence of int
            Indices of features.

        Raises
        ------
        InputError
            If an index lies outside 0, ..., n_features - 1, or there is none.
        """
        columns = torch.as_tensor(columns, device=self.mean.device)
        wrong_kind = columns.ndim != 1 or columns.is_floating_point() or columns.dtype == torch.bool
        if wrong_kind or not len(columns) or columns.min() < 0 or columns.max() >= self.n_features:
            raise InputError(
                f"expected columns to be indices from 0 to {self.n_features - 1}, got "
                f"{columns.dtype} of shape {tuple(columns.shape)}"
                f"{'' if wrong_kind or not len(columns) else f' from {columns.min()} to {columns.max()}'}; "
                "pass a prefix of subsets.random_order(n_features, seed=...)"
            )
        return self._map(lambda tensor: tensor[..., columns], both=lambda m: m[columns[:, None], columns])

    def transform(self, P: Tensor) -> FeatureMoments:
        """Return the moments of the features X P: gram P'GP, class sums and mean times P.

        Fourth moments of mixtures are not determined by the pairwise ones: `quartic` and `cubic` are None.

        Parameters
        ----------
        P : Tensor of shape (n_features, n_components)
            A linear map, such as principal directions or a random projection.

        Raises
        ------
        InputError
            If `P` has another number of rows.
        """
        if P.ndim != 2 or len(P) != self.n_features:
            raise InputError(
                f"expected P of shape ({self.n_features}, n_components), got {tuple(P.shape)}; "
                "pass one row for every feature"
            )
        P = P.to(self.gram)
        plain = replace(self, quartic=None, cubic=None)
        return plain._map(lambda tensor: tensor @ P, both=lambda gram: P.T @ gram @ P)

    def standardized(self) -> FeatureMoments:
        """Return the moments of the z-scored features, (X - mean) / std with the population std: G_ij / (s_i s_j).

        CKA then is a CKA of correlations, in which no feature of great variance dominates. Constant features stay
        zero, as the centred ones are.
        """
        std = self.variance.sqrt()
        inverse = torch.where(std > 0, 1 / std, 0.0)
        power = {"gram": (1, 1), "quartic": (2, 2), "cubic": (2, 1)}
        scaled = {
            name: getattr(self, name) * (inverse[:, None] ** i * inverse**j)
            for name, (i, j) in power.items()
            if getattr(self, name) is not None
        }
        sums = None if self.class_sums is None else self.class_sums * inverse
        return replace(self, mean=torch.zeros_like(self.mean), class_sums=sums, **scaled)

    def power_sums(self) -> PowerSums:
        """Return these moments as power sums about the mean."""
        return PowerSums.of_one(self.n, torch.zeros_like(self.mean), self.gram, cubic=self.cubic, quartic=self.quartic)

    def _map(self, side: Callable[[Tensor], Tensor], both: Callable[[Tensor], Tensor] | None = None) -> FeatureMoments:
        """Return a copy with `side` applied to what has features on one axis, `both` to what has them on two."""
        both = both or side
        kinds = {"mean": side, "class_sums": side, "gram": both, "quartic": both, "cubic": both}
        values = {name: getattr(self, name) for name in kinds}
        mapped: dict[str, Any] = {name: kinds[name](value) for name, value in values.items() if value is not None}
        return replace(self, **mapped)


def merge(parts: Sequence[FeatureMoments]) -> FeatureMoments:
    """Return the moments of all rows of `parts` together, exactly (Chan, Golub and LeVeque 1983, carried to order 4).

    Every part is moved from its own mean to the common one and added; nothing is ever subtracted.

    Parameters
    ----------
    parts : sequence of FeatureMoments
        Moments of disjoint sets of rows of the same features, such as shards or folds.

    Returns
    -------
    FeatureMoments
        With `quartic` if all parts have it; with as many classes as the part that has most.

    Raises
    ------
    InputError
        If there is no part, the parts have different features, only some have class sums, or a part has `quartic`
        without `cubic`.
    """
    parts = list(parts)
    if not parts:
        raise InputError("expected at least one FeatureMoments to merge, got none; pass a non-empty list")
    _check(parts)
    if len(parts) == 1:
        return parts[0]
    n = sum(part.n for part in parts)
    # averages of differences: equal means stay equal to the last bit
    mean = parts[0].mean + sum(part.n * (part.mean - parts[0].mean) for part in parts) / n
    sums = reduce(PowerSums.combined, (_moved(part, mean, keep=_quartic(parts)) for part in parts))
    class_sums, class_counts = None, None
    if parts[0].class_sums is not None:
        parts = with_same_classes(parts)
        totals = [(part.class_totals, part.mean - mean) for part in parts]
        class_sums = torch.stack([sums + counts[:, None] * shift for (sums, counts), shift in totals]).sum(0)
        class_counts = torch.stack([counts for (_, counts), _ in totals]).sum(0)
    return FeatureMoments(n, mean, sums.xy, sums.xxyy, class_sums=class_sums, class_counts=class_counts, cubic=sums.xxy)


def with_same_classes(parts: Sequence[FeatureMoments]) -> list[FeatureMoments]:
    """Return `parts` with class sums of one shape, zero for classes that a part does not have."""
    totals = [part.class_totals for part in parts]
    n_classes = max(len(counts) for _, counts in totals)
    return [
        replace(
            part,
            class_sums=pad(sums, (0, 0, 0, n_classes - len(counts))),
            class_counts=pad(counts, (0, n_classes - len(counts))),
        )
        for part, (sums, counts) in zip(parts, totals, strict=True)
    ]


def _quartic(parts: Sequence[FeatureMoments]) -> bool:
    return all(part.quartic is not None for part in parts)


def _check(parts: Sequence[FeatureMoments]) -> None:
    widths = {part.n_features for part in parts}
    if len(widths) > 1:
        raise InputError(
            f"expected moments of the same features, got widths {sorted(widths)}; merge one layer at a time"
        )
    if len({part.class_sums is None for part in parts}) > 1:
        raise InputError("expected class sums in all moments or in none, got both; pass y for every shard, or for none")
    if len(parts) > 1 and _quartic(parts) and any(part.cubic is None for part in parts):
        raise InputError(
            "expected third moments beside the fourth ones of every part, got quartic without cubic; "
            "make the parts by moments.accumulate, or by from_features with cubic=True or quartic=False"
        )


def _moved(part: FeatureMoments, mean: Tensor, *, keep: bool) -> PowerSums:
    """Return the power sums of `part` about `mean`, of fourth order only if that is to be kept."""
    sums = part.power_sums()
    if not keep:
        sums = replace(sums, xxy=None, xyy=None, xxyy=None)
    shift = mean - part.mean
    return sums.about(shift, shift)
