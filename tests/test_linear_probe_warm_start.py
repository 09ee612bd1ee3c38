"""What makes many logistic probes cheap together: starts from smaller prefixes, and one Gram matrix for all subsets."""

from __future__ import annotations

import pytest
import torch
from reference_probes import classes_in_mixture

from diffred_core import linear_probe, subsets
from diffred_core.linear_probe._cross_entropy import CrossEntropy, Gathered, Masked, prefers_masked
from diffred_core.linear_probe._logistic import Solved
from diffred_core.linear_probe.curvature import FullGram

L2 = 1e-3


def test_nested_subsets_start_from_the_smaller_one_and_end_where_a_cold_start_does():
    X, y = classes_in_mixture(400, 60, 3, separation=0.6)
    order = subsets.random_order(60, seed=1)
    nested = linear_probe.fit_logistic(X, y, subsets=[order[:40], order[:50], order[:60]], l2=[L2, 10 * L2], tol=1e-9)
    alone = [linear_probe.fit_logistic(X, y, subsets=[order[:k]], l2=[L2, 10 * L2], tol=1e-9) for k in (40, 50, 60)]
    assert nested.converged.all()
    for i, one in enumerate(alone):
        torch.testing.assert_close(nested.weight[:, i, : one.weight.shape[2]], one.weight[:, 0], rtol=0, atol=1e-6)
    assert (nested.iterations[:, 2] < alone[2].iterations[:, 0]).all()
    torch.testing.assert_close(nested.iterations[:, 0], alone[0].iterations[:, 0])  # nothing smaller to start from


def test_only_a_prefix_is_a_start():
    solved, theta = Solved(), torch.arange(1.0, 7, dtype=torch.float64).reshape(1, 2, 3)  # two classes, two features
    solved.start(torch.tensor([[4, 7]]), 1, 2)
    solved.add(torch.tensor([[4, 7]]), theta)
    start, warm = solved.start(torch.tensor([[4, 7, 2]]), 1, 2)
    assert warm
    torch.testing.assert_close(start[0, :, [0, 1, 3]], theta[0])
    assert (start[0, :, 2] == 0).all()
    start, warm = solved.start(torch.tensor([[4, 7, 3], [7, 4, 2]]), 1, 2)
    assert not warm
    assert (start[1] == 0).all()
    torch.testing.assert_close(start[0, :, [0, 1, 3]], theta[0])


def test_parts_of_the_full_gram_matrix_are_those_of_the_subsets():
    X, y = classes_in_mixture(90, 8, 3, separation=0.6)
    X = X + 50  # far from zero: the full matrix is of centred features too
    kept = torch.tensor([[5, 0, 3, 6, 1, 2], [7, 2, 1, 4, 0, 5]])
    mean, ones = X.mean(0), torch.ones(1, len(X), dtype=X.dtype)
    columns = [torch.cat([(X[:, one] - mean[one]).T, ones]) for one in kept]
    full = FullGram(X.T.contiguous(), mean, X.dtype, rows=32)
    both = {
        name: CrossEntropy(
            kept, Gathered(torch.stack(columns)), y, torch.tensor([L2, 1.0] * 2, dtype=X.dtype), 90, gram
        )
        for name, gram in {"own": None, "full": full}.items()
    }
    members, theta = torch.arange(4), torch.zeros(4, 3, 7, dtype=X.dtype)
    torch.testing.assert_close(both["full"].inverse_bound(members), both["own"].inverse_bound(members))
    # at zero every problem has the same curvature weights, so that their average is each of them
    own, shared = (both[name].inverse_curvature(theta, members) for name in ("own", "full"))
    torch.testing.assert_close(shared, own)
    theta[:, 0, :2] = 3.0
    own, shared = (both[name].inverse_curvature(theta, members) for name in ("own", "full"))
    assert not torch.allclose(shared, own, rtol=1e-3)
    assert both["full"]._full_if_cheaper(2) is full
    assert both["full"]._full_if_cheaper(1) is None


@pytest.mark.parametrize("owners", [[0, 0, 1, 1], [0, 1, 1], [1]])
def test_reading_the_whole_layer_equals_gathering(owners):
    generator = torch.Generator().manual_seed(0)
    layer = torch.randn(9, 50, generator=generator, dtype=torch.float64)
    kept = torch.tensor([[5, 0, 3, 8], [7, 2, 1, 8]])
    gathered, masked, rows = Gathered(layer[kept]), Masked(layer, kept), slice(10, 30)
    weights = torch.randn(len(owners), 3, 4, generator=generator, dtype=torch.float64)
    slow = torch.stack([w @ layer[kept[s]][:, rows] for w, s in zip(weights, owners, strict=True)])
    torch.testing.assert_close(gathered.forward(weights, owners, rows), slow)
    torch.testing.assert_close(masked.forward(weights, owners, rows), slow)
    back = torch.stack([r @ layer[kept[s]][:, rows].T for r, s in zip(slow, owners, strict=True)])
    torch.testing.assert_close(gathered.backward(slow, owners, rows), back)
    torch.testing.assert_close(masked.backward(slow, owners, rows), back)
    assert not torch.allclose(masked.forward(weights, [1 - s for s in owners], rows), slow)


def test_large_subsets_of_few_classes_are_read_through_the_whole_layer():
    X, y = classes_in_mixture(200, 10, 3, separation=0.6)
    assert prefers_masked(8, 10, 3)
    assert not prefers_masked(4, 10, 3)
    assert not prefers_masked(8, 10, 100)
    large = [[0, 1, 2, 3, 4, 5, 6, 9], [9, 8, 7, 6, 5, 4, 3, 2]]
    batch = linear_probe.fit_logistic(X, y, subsets=large, l2=L2, tol=1e-9)
    solo = [linear_probe.fit_logistic(X[:, one], y, l2=[L2] * 11, tol=1e-9) for one in large]  # 33 columns: gathered
    for one, alone in zip(batch.weight, solo, strict=True):
        torch.testing.assert_close(one, alone.weight[0], rtol=0, atol=1e-6)
