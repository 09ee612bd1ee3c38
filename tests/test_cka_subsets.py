"""CKA of subsets from moments: every mask, hard or soft, against the n x n definitions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import cka_by_centring, cka_by_song

from diffred_core import cka, moments
from diffred_core.errors import InputError
from diffred_core.subsets import prefix_masks, random_order, subset_sizes

TWIN = {True: cka_by_song, False: cka_by_centring}


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def mixed(n, d, *, rank, seed=0, dtype=torch.float64):
    """Rank-`rank` features spread over d columns, with a little noise of their own."""
    return normal(n, rank, seed=seed, dtype=dtype) @ normal(rank, d, seed=seed + 1, dtype=dtype) + 0.1 * normal(
        n, d, seed=seed + 2, dtype=dtype
    )


@pytest.mark.parametrize("debiased", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d"), [(4, 6), (5, 3), (32, 50), (32, 8), (500, 20)])
def test_subsets_equal_the_n_by_n_definition(device, n, d, dtype, debiased, tolerance):
    X = (mixed(n, d, rank=3, dtype=dtype) + 2).to(device)
    order = random_order(d, seed=1).to(device)
    sizes = subset_sizes(d, [0.05, 0.4, 0.7, 1.0])
    got = cka.subset_cka(moments.from_features(X), prefix_masks(order, sizes), debiased=debiased)
    want = torch.tensor([TWIN[debiased](X[:, order[:k]], X) for k in sizes], dtype=torch.float64)
    limit = {**tolerance(X), "atol": tolerance(X)["atol"] * 5}  # n = 4: rounding is divided by n - 3
    torch.testing.assert_close(got, want.to(got), **limit)


@pytest.mark.parametrize("debiased", [True, False])
def test_soft_masks_scale_the_features(debiased):
    X = mixed(40, 9, rank=3)
    masks = torch.rand(4, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    others = normal(3, 9, seed=5)  # a sign does not matter to a kernel
    m = moments.from_features(X)
    got = cka.subset_cka(m, masks, others, debiased=debiased)
    want = [[TWIN[debiased](X * w, X * v) for v in others] for w in masks]
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))
    full = [TWIN[debiased](X * w, X) for w in masks]
    torch.testing.assert_close(cka.subset_cka(m, masks, debiased=debiased), torch.tensor(full, dtype=torch.float64))


@pytest.mark.parametrize("debiased", [True, False])
def test_two_layers_equal_the_definition(debiased):
    X, Y = mixed(60, 9, rank=3), mixed(60, 5, rank=3, seed=0)[:, :5] + normal(60, 5, seed=9)
    pair = moments.accumulate_pair(zip(X.split(7), Y.split(7), strict=True), block_rows=16)
    masks, others = torch.eye(9, dtype=torch.bool)[:3], torch.ones(2, 5).tril(-3).bool() | torch.eye(5).bool()[:2]
    got = cka.subset_cka(pair, masks, others, debiased=debiased)
    want = [[TWIN[debiased](X[:, m], Y[:, o]) for o in others] for m in masks]
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))
    whole = cka.subset_cka(pair, torch.ones(1, 9), debiased=debiased)
    assert float(whole) == pytest.approx(cka.linear_cka(X, Y, debiased=debiased), abs=1e-12)


def test_streamed_moments_give_the_same_cka_in_any_order():
    X = mixed(300, 12, rank=4, dtype=torch.float32) + 100
    masks = prefix_masks(random_order(12, seed=0), [1, 4, 9])
    whole = cka.subset_cka(moments.from_features(X), masks)
    batches = list(X.split(16))
    for stream in (batches, batches[::-1]):
        torch.testing.assert_close(
            cka.subset_cka(moments.accumulate(stream, block_rows=16), masks), whole, rtol=0, atol=2e-6
        )
    shards = [moments.accumulate(stream) for stream in (batches[:3], batches[3:])]
    torch.testing.assert_close(cka.subset_cka(moments.merge(shards), masks), whole, rtol=0, atol=2e-6)
    # the control: the mean over batches, which some packages report, is another number
    mean = torch.stack([cka.subset_cka(moments.from_features(b), masks, debiased=False) for b in batches[:-1]]).mean(0)
    assert (mean - cka.subset_cka(moments.from_features(X), masks, debiased=False)).abs().max() > 1e-3


def test_gradient_flows_to_soft_masks():
    m = moments.from_features(mixed(30, 6, rank=3))
    masks = torch.rand(2, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: cka.subset_cka(m, w), (masks,))


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 60), st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0, 999))
def test_prefixes_equal_masks(n, d, rank, debiased, seed):
    X = normal(n, rank, seed=seed) @ normal(rank, d, seed=seed + 1)
    X = torch.cat([X, X[:, :2], torch.ones(n, 1)], 1)  # duplicates and a constant column
    order = random_order(X.shape[1], seed=seed)
    if int(order[0]) == X.shape[1] - 1:
        order = order.roll(1)  # the constant column alone has no CKA
    sizes = list(range(1, X.shape[1] + 1))
    m = moments.from_features(X)
    got = cka.prefix_cka(m, order, sizes=sizes, debiased=debiased)
    want = cka.subset_cka(m, prefix_masks(order, sizes), debiased=debiased)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-8)
    assert float(got[-1]) == pytest.approx(1, abs=1e-9)


def test_planted_redundancy_is_far_above_the_floor_of_independent_columns():
    d, sizes = 200, [2, 10, 20, 100, 200]
    masks = torch.cat([prefix_masks(random_order(d, seed=s), sizes) for s in range(10)])
    floor = torch.tensor(sizes).div(d).sqrt().double()
    curves = {}
    for name, X in (("independent", normal(2000, d)), ("rank 5", mixed(2000, d, rank=5))):
        m = moments.from_features(X)
        curves[name] = cka.subset_cka(m, masks).reshape(10, -1).mean(0)
        null = cka.diagonal_null(m, masks).reshape(10, -1).mean(0)
        torch.testing.assert_close(null, floor, rtol=0, atol=0.06)
    torch.testing.assert_close(curves["independent"], floor, rtol=0, atol=0.02)
    assert bool((curves["rank 5"][1:] > 0.75).all())
    assert float(curves["rank 5"][1] - curves["independent"][1]) > 0.5


def test_z_scores_come_from_gram_space():
    X = normal(100, 6) @ torch.diag(torch.tensor([100.0, 1, 1, 1, 1, 1])).double()
    masks = torch.eye(6)
    Z = (X - X.mean(0)) / X.std(0)
    got = cka.subset_cka(moments.from_features(X).standardized(), masks)
    torch.testing.assert_close(got, torch.tensor([cka_by_song(Z[:, i : i + 1], Z) for i in range(6)]).double())
    assert float(cka.subset_cka(moments.from_features(X), masks)[0]) > 0.99 > float(got[0])


def test_bad_input_is_refused():
    X = normal(20, 6)
    m = moments.from_features(X)
    constant = moments.from_features(torch.cat([X[:, :5], torch.full((20, 1), 0.3)], 1))
    masks = torch.eye(6)
    for call, sentence in (
        (lambda: cka.subset_cka(m, masks[0]), r"masks of shape \(n_subsets, 6\), got \(6,\)"),
        (lambda: cka.subset_cka(m, masks, torch.eye(5)), r"other_masks of shape \(n_subsets, 6\), got \(5, 5\)"),
        (lambda: cka.subset_cka(m, masks * 0), r"at least one feature in every subset, got none in masks\[0\]"),
        (lambda: cka.subset_cka(m, masks / 0), "finite masks"),
        (lambda: cka.subset_cka(constant, masks), "got none in masks 5"),
        (lambda: cka.diagonal_null(constant, masks), "got none in masks 5"),
        (lambda: cka.prefix_cka(constant, torch.arange(6).flip(0), sizes=[1]), "got none in sizes 0"),
        (lambda: cka.subset_cka(moments.from_features(X, quartic=False), masks), "got quartic=None"),
        (lambda: cka.subset_cka(m.transform(torch.eye(6)), masks), "transform cannot keep them"),
        (lambda: cka.subset_cka(moments.from_features(X[:3]), masks), "at least 4 rows"),
        (lambda: cka.prefix_cka(m, torch.arange(5), sizes=[1]), "permutation of 0, ..., 5"),
        (lambda: cka.permutation_null_mean(m, moments.from_features(X[:9])), "got 20 and 9 rows"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()
    assert cka.subset_cka(moments.from_features(X, quartic=False), masks, debiased=False).shape == (6,)
    assert cka.subset_cka(constant, torch.ones(1, 6)).item() == pytest.approx(1)


def test_permutation_mean_equals_permutations():
    X, Y = mixed(40, 6, rank=2), mixed(40, 4, rank=2, seed=7)
    masks = torch.stack([torch.ones(6), torch.tensor([1.0, 1, 0, 0, 0, 0])]).double()
    got = cka.permutation_null_mean(moments.from_features(X), moments.from_features(Y), masks=masks)
    generator = torch.Generator().manual_seed(0)
    draws = {debiased: [] for debiased in (True, False)}
    for _ in range(400):
        Z = Y[torch.randperm(40, generator=generator)]
        for debiased, values in draws.items():
            values.append([cka.linear_cka(X, Z, debiased=debiased), cka.linear_cka(X[:, :2], Z, debiased=debiased)])
    for debiased, expected in ((False, got), (True, torch.zeros(2).double())):
        table = torch.tensor(draws[debiased], dtype=torch.float64)
        assert bool(((table.mean(0) - expected).abs() < 4 * table.std(0) / 20).all())
    assert bool((got > 0.02).all())  # the control: the biased mean is not 0


def test_diagonal_null_is_exact_for_uncorrelated_features():
    # orthogonal columns of unequal length: H is diagonal in the sample, so biased CKA is the null itself
    X = torch.linalg.qr(normal(50, 8) - normal(50, 8).mean(0)).Q @ torch.diag(torch.arange(1.0, 9)).double()
    m = moments.from_features(X)
    masks = torch.rand(5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(cka.diagonal_null(m, masks), cka.subset_cka(m, masks, debiased=False))
    hard = prefix_masks(torch.arange(8), [3])
    h = m.gram.diagonal().square()
    assert float(cka.diagonal_null(m, hard)) == pytest.approx(float((h[:3].sum() / h.sum()).sqrt()))
