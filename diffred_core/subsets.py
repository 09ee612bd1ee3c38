"""Which features a subset keeps: one random order per seed, and its nested prefixes.

The rule is the published one (Nanda et al. 2023, reference code): ``torch.manual_seed(seed); torch.randperm(d)[:k]``,
so that the subsets of one seed are nested over sizes. Here the generator is a local one on the CPU: the same seed
gives the same subset on every device, and no global state is touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from diffred_core.errors import InputError


def random_order(n_features: int, *, seed: int) -> Tensor:
    """Return the random order of the features that `seed` stands for.

    Parameters
    ----------
    n_features : int
        Width of the layer, at least 1.
    seed : int
        Seed of the draw; the first k entries are the published random subset of size k of this seed.

    Returns
    -------
    LongTensor of shape (n_features,)
        A permutation of 0, ..., n_features - 1, on the CPU.

    Raises
    ------
    InputError
        If `n_features` is less than 1.
    """
    if n_features < 1:
        raise InputError(f"expected n_features of at least 1, got {n_features}; pass the width of the layer")
    return torch.randperm(n_features, generator=torch.Generator().manual_seed(seed))


def subset_sizes(n_features: int, fractions: Iterable[float]) -> list[int]:
    """Return the subset size of every fraction: ``max(1, int(fraction * n_features))``.

    Truncation is the published rule (0.1 of 2,048 features is 204). Differs from the published code: a fraction
    of less than one feature gives one feature, not none.

    Parameters
    ----------
    n_features : int
        Width of the layer, at least 1.
    fractions : iterable of float
        Fractions in (0, 1].

    Returns
    -------
    list of int
        One size per fraction, in the same order, each from 1 to `n_features`; narrow layers can repeat a size.

    Raises
    ------
    InputError
        If `n_features` is less than 1, or a fraction lies outside (0, 1].
    """
    if n_features < 1:
        raise InputError(f"expected n_features of at least 1, got {n_features}; pass the width of the layer")
    sizes = []
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise InputError(f"expected fractions in (0, 1], got {fraction}; pass 1.0 for all features")
        sizes.append(max(1, int(fraction * n_features)))
    return sizes


def top_size(n_features: int, fraction: float) -> int:
    """Return how many features the top `fraction` of a ranking is: ``ceil(fraction * n_features)``.

    Of rankings no published rule is known; this one never keeps less than was asked for.

    Raises
    ------
    InputError
        If `n_features` is less than 1, or the fraction lies outside (0, 1].
    """
    subset_sizes(n_features, [fraction])  # refuses both
    # rounded first: 0.07 * 100 is 7.000000000000001, and means 7
    return math.ceil(round(fraction * n_features, 9))


def check_order(order: Tensor, sizes: Sequence[int], *, n_features: int | None = None) -> list[int]:
    """Return `sizes` as plain integers if every one is a prefix length of the permutation `order`.

    Parameters
    ----------
    order : LongTensor of shape (n_features,)
        A permutation of the features.
    sizes : sequence of int
        Prefix lengths, each from 1 to n_features.
    n_features : int, optional
        Width that the order must have, where the caller knows it.

    Raises
    ------
    InputError
        If `order` is not a permutation, or a size lies outside 1, ..., n_features.
    """
    width = order.numel() if n_features is None else n_features
    if order.ndim != 1 or not torch.equal(order.detach().cpu().long().sort().values, torch.arange(width)):
        raise InputError(
            f"expected order to be a permutation of 0, ..., {width - 1}, got shape {tuple(order.shape)}"
            f"{' with repeated or missing entries' if order.shape == (width,) else ''}; "
            "pass subsets.random_order(n_features, seed=...)"
        )
    sizes = [int(size) for size in sizes]
    if not sizes or min(sizes) < 1 or max(sizes) > width:
        raise InputError(
            f"expected sizes from 1 to {width}, got {sizes}; pass subsets.subset_sizes(n_features, fractions)"
        )
    return sizes


def prefix_masks(order: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return one mask per size: 1 for the first `size` features of `order`, 0 for the rest.

    Parameters
    ----------
    order, sizes
        As in `check_order`; `random_order` gives an order.

    Returns
    -------
    Tensor of shape (n_sizes, n_features), float64, on the device of `order`
        The masks; nested wherever the sizes grow.

    Raises
    ------
    InputError
        As `check_order`.
    """
    sizes = check_order(order, sizes)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device, dtype=order.dtype)
    return (rank < torch.tensor(sizes, device=order.device)[:, None]).double()
