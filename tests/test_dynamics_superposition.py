"""Toy models of superposition: polytopes are exact, and dense features take the dimensions alone."""

from __future__ import annotations

import pytest
import torch

from diffred_core import geometry
from diffred_core.chapters.training import superposition
from diffred_core.errors import InputError

SHARES = {"digon": (1, 2), "triangle": (2, 3), "tetrahedron": (3, 4), "pentagon": (2, 5), "square antiprism": (3, 8)}


@pytest.mark.parametrize("name", superposition.POLYTOPES)
def test_corners_of_a_polytope_have_m_over_n_dimensions(name):
    m, n = SHARES[name]
    corners = superposition.polytope(name)
    assert corners.shape == (n, m)
    torch.testing.assert_close(corners.square().sum(1), torch.ones(n, dtype=torch.float64))
    D = geometry.feature_dimensionality(corners)
    torch.testing.assert_close(D, torch.full((n,), m / n, dtype=torch.float64), rtol=0, atol=1e-14)
    corners[0, 0] += 0.3
    assert (geometry.feature_dimensionality(corners) - m / n).abs().max() > 0.01


def test_features_left_out_cost_their_variance():
    draw = torch.Generator().manual_seed(0)
    importance = torch.tensor([0.5, 1.0, 0.25])
    x = torch.rand(400_000, 3, generator=draw) * (torch.rand(400_000, 3, generator=draw) < 0.3)
    drawn = (importance[[0, 2]] * (x[:, [0, 2]] - 0.15).square()).sum(1).mean()
    assert superposition.loss_without_superposition(0.3, importance, 1) == pytest.approx(float(drawn), rel=0.01)
    assert superposition.loss_without_superposition(0.3, importance, 3) == 0


def test_dense_features_take_a_dimension_each_and_sparse_ones_share():
    toys = superposition.trained_toys(
        n_features=4,
        n_dims=2,
        densities=(1.0, 0.05),
        seeds=[0, 1],
        importance_decay=0.7,
        steps=1200,
        learning_rate=1e-2,
    )
    assert toys.weights.shape == (2, 2, 4, 2)
    assert toys.represented[0].tolist() == [2, 2]
    assert toys.represented[1].min() > 2
    assert (toys.dimensionality.sum(2) < 2 + 1e-6).all()  # at most the rank
    torch.testing.assert_close(toys.dimensionality[0, :, :2], torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=0.02)
    importance = 0.7 ** torch.arange(4)
    alone = [superposition.loss_without_superposition(p, importance, 2) for p in toys.densities]
    assert toys.losses[0].mean().item() == pytest.approx(alone[0], rel=0.05)
    assert (toys.losses[1] < 0.7 * alone[1]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_dims": 5}, "expected fewer dimensions than features, at least 1, got 5 for 5"),
        ({"n_dims": 6}, "expected fewer dimensions than features, at least 1, got 6 for 5"),
        ({"densities": (0.0,)}, r"expected densities in \(0, 1\], got 0.0"),
        ({"importance_decay": 0.0}, r"expected importance_decay in \(0, 1\], got 0.0"),
        ({"learning_rate": 1e30}, r"expected a finite loss, got \w+ at step \d+ of 5 features in 2 dimensions, seed 0"),
    ],
)
def test_bad_input_is_a_sentence(changed, message):
    options = {"n_features": 5, "n_dims": 2, "densities": (0.5,), "seeds": [0], "steps": 20} | changed
    with pytest.raises(InputError, match=message):
        superposition.trained_toys(**options)


def test_an_unknown_polytope_is_refused():
    with pytest.raises(
        InputError, match=r"expected a polytope among digon, .*got 'pentagram'; did you mean 'pentagon'"
    ):
        superposition.polytope("pentagram")
