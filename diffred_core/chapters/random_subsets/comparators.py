"""Ways to keep k numbers of a layer: each is a linear map of the features and an order of its directions.

A way is drawn once per repeat; the first k directions of its order are what it keeps at size k. Figures read names,
words and looks here and shall load no torch: it is imported where directions are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from diffred_core.chapters.random_subsets import names

if TYPE_CHECKING:
    from torch import Tensor

    from diffred_core.moments import FeatureMoments


@dataclass(frozen=True, eq=False)
class ComparatorDraw:
    """One draw of one way to keep features.

    Attributes
    ----------
    method : str
        Name of the way.
    repeat : int
        Number of the draw; 0 for a way without randomness.
    seed : int or None
        Seed of the draw; None for a way without randomness.
    order : LongTensor of shape (n_directions,)
        Directions by the order in which they are kept.
    basis : Tensor of shape (n_features, n_directions), float64, or None
        Directions as columns; None for the features themselves.
    """

    method: str
    repeat: int
    seed: int | None
    order: Tensor
    basis: Tensor | None = None

    def moments(self, moments: FeatureMoments) -> FeatureMoments:
        """Return the moments of the directions."""
        return moments if self.basis is None else moments.transform(self.basis)

    def features(self, X: Tensor) -> Tensor:
        """Return the rows of `X` (n_samples, n_features) in the directions, (n_samples, n_directions)."""
        return X if self.basis is None else X @ self.basis.to(X)


def random_subset(moments: FeatureMoments, seed: int) -> tuple[Tensor, None]:
    """Return the published random subsets: prefixes of one permutation per seed."""
    from diffred_core import subsets

    return subsets.random_order(moments.n_features, seed=seed), None


def top_variance(moments: FeatureMoments) -> tuple[Tensor, None]:
    """Return the features by falling variance on the training rows."""
    return moments.variance.argsort(descending=True, stable=True).cpu(), None


def pca(moments: FeatureMoments) -> tuple[range, Tensor]:
    """Return the principal directions of the training rows by falling variance, at most n - 1 of them.

    Exact, from the Gram matrix. Differs from the paper, whose code takes the randomised ``torch.pca_lowrank`` at
    full rank, on augmented training images.
    """
    n_directions = min(moments.n_features, moments.n - 1)
    return range(n_directions), moments.principal_directions[:, :n_directions].contiguous()


def pca_last(moments: FeatureMoments) -> tuple[range, Tensor]:
    """Return the principal directions of `pca` by growing variance: what is least likely to be missed."""
    order, directions = pca(moments)
    return order[::-1], directions


def first(moments: FeatureMoments) -> tuple[range, None]:
    """Return the features as the layer numbers them: the order that Matryoshka training gives a meaning to.

    Of any other network it is one more arbitrary subset (Kusupati et al. 2022 train the first k for all k).
    """
    return range(moments.n_features), None


def random_projection_published(moments: FeatureMoments, seed: int) -> tuple[range, Tensor]:
    """Return the published random projection: entries uniform on [0, 1), columns of unit length.

    All columns share the all-ones direction (expected cosine 0.75 between two of them). Differs from the paper,
    whose code draws a new matrix for every size: here the sizes of one seed are nested.
    """
    return _unit_columns(_random_square("rand", moments, seed), moments)


def random_projection_gaussian(moments: FeatureMoments, seed: int) -> tuple[range, Tensor]:
    """Return directions drawn evenly from the sphere: normal entries, columns of unit length."""
    return _unit_columns(_random_square("randn", moments, seed), moments)


def random_projection_orthogonal(moments: FeatureMoments, seed: int) -> tuple[range, Tensor]:
    """Return a random orthonormal basis: the Q factor of a matrix of normal entries."""
    import torch

    return _unit_columns(torch.linalg.qr(_random_square("randn", moments, seed)).Q, moments)


@dataclass(frozen=True)
class Comparator:
    """A way to keep k numbers of a layer: how it is drawn, named and shown.

    Attributes
    ----------
    name : str
        In the column `method` of tables.
    directions : callable
        From the moments of the training rows, and a seed if it is drawn by seed, to an order of directions and the
        directions themselves; None for the features.
    draws : {"every seed", "n_projections", "one"}
        How often: by every seed, by the first seeds only, since a draw costs products of matrices, or once, without
        a seed.
    words : str
        In legends and sentences.
    colour, marker, dash : str
        Of its lines, as matplotlib takes them.
    gap : bool
        Whether its accuracy less that of the full layer, and of random subsets, gets an interval; with few draws a
        resample of them means nothing.
    """

    name: str
    directions: Callable[..., tuple[Tensor | range, Tensor | None]]
    draws: Literal["every seed", "n_projections", "one"]
    _: KW_ONLY
    words: str
    colour: str
    marker: str
    dash: str = "-"
    gap: bool = True


COMPARATORS: dict[str, Comparator] = {
    comparator.name: comparator
    for comparator in (
        Comparator(names.RANDOM, random_subset, "every seed", words="random subset", colour="#0072B2", marker="o"),
        *(
            Comparator(
                f"random_projection_{kind}",
                directions,
                "n_projections",
                words=f"projection, {words}",
                colour=colour,
                marker=marker,
                gap=False,
            )
            for kind, directions, words, colour, marker in (
                ("published", random_projection_published, "as published", "#CC79A7", "D"),
                ("gaussian", random_projection_gaussian, "Gaussian", "#E69F00", "v"),
                ("orthogonal", random_projection_orthogonal, "orthogonal", "#56B4E9", "P"),
            )
        ),
        Comparator(names.PCA, pca, "one", words="PCA", colour="#D55E00", marker="s"),
        Comparator("pca_last", pca_last, "one", words="PCA, last directions", colour="#882255", marker="X"),
        Comparator("top_variance", top_variance, "one", words="top variance", colour="#009E73", marker="^"),
        Comparator(names.FIRST_K, first, "one", words="first k", colour="#332288", marker="p"),
    )
}


def draw(
    method: str, moments: FeatureMoments, *, seeds: Sequence[int], n_projections: int | None = None
) -> Iterator[ComparatorDraw]:
    """Yield the draws of `method`: one per seed, of a projection by the first `n_projections` seeds, or a single one.

    Raises
    ------
    InputError
        If there is no such method.
    """
    import torch

    from diffred_core.checks import check_choice

    check_choice(method, COMPARATORS, "methods must be among {}")
    comparator, of_draws = COMPARATORS[method], seeds
    if comparator.draws == "n_projections":
        of_draws = seeds[:n_projections]
    for repeat, seed in enumerate([None] if comparator.draws == "one" else of_draws):
        order, basis = comparator.directions(moments, *([] if seed is None else [seed]))
        yield ComparatorDraw(method, repeat, seed, torch.as_tensor(order), basis)


def _random_square(distribution: Literal["rand", "randn"], moments: FeatureMoments, seed: int) -> Tensor:
    import torch

    shape, generator = (moments.n_features, moments.n_features), torch.Generator().manual_seed(seed)
    square: Tensor = getattr(torch, distribution)(*shape, generator=generator, dtype=torch.float64)
    return square


def _unit_columns(directions: Tensor, moments: FeatureMoments) -> tuple[range, Tensor]:
    unit = directions / directions.norm(dim=0)
    return range(unit.shape[1]), unit.to(moments.gram.device)
