"""Moments in one pass: exact whatever the batches, the offset, the scale or the order."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import class_sums_by_rows, moments_by_rows

from diffred_core import moments
from diffred_core.errors import InputError

ORDERS = ("mean", "gram", "cubic", "quartic")


def skewed(n, d, *, seed=0, dtype=torch.float32):
    """Features with third moments far from zero, so that every correction term counts."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, d, generator=generator, dtype=dtype) @ torch.randn(d, d, generator=generator, dtype=dtype)
    return (X / d**0.5).exp() + torch.arange(d, dtype=dtype)


def assert_moments(actual, expected, limit):
    for name in ORDERS:
        got = getattr(actual, name)
        if got is not None:
            want = expected[name] if isinstance(expected, dict) else getattr(expected, name)
            torch.testing.assert_close(got.cpu(), want.cpu(), rtol=limit, atol=limit * float(want.abs().max()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moments_equal_sums_over_rows(device, dtype, tolerance):
    X = skewed(120, 9, dtype=dtype)
    y = torch.arange(120) % 4
    expected = moments_by_rows(X)
    limit = tolerance(X.to(device))["rtol"]
    for got in (
        moments.from_features(X.to(device), y, cubic=True, block_rows=50),
        moments.accumulate([(X.to(device), y)], block_rows=50),
    ):
        assert_moments(got, expected, limit)
        torch.testing.assert_close(got.class_sums.cpu(), class_sums_by_rows(X, y, 4), rtol=limit, atol=limit * 120)
        assert got.class_counts.tolist() == [30, 30, 30, 30]
        assert all(getattr(got, name).dtype == torch.float64 for name in ORDERS)


def test_wide_layer_goes_through_strips():
    X = skewed(300, 300) - 100
    x = X.double() - X.double().mean(0)
    got = moments.from_features(X)
    assert torch.equal(got.gram, got.gram.T)
    assert_moments(got, {"mean": X.double().mean(0), "gram": x.T @ x, "quartic": (x**2).T @ x**2}, 1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 40), st.integers(0, 99))
def test_batch_sizes_do_not_change_a_bit(sizes, block_rows, seed):
    X, y = skewed(sum(sizes), 5, seed=seed), torch.arange(sum(sizes)) % 3
    whole = moments.accumulate([(X, y)], block_rows=block_rows)
    pieces = moments.accumulate(zip(X.split(sizes), y.split(sizes), strict=True), block_rows=block_rows)
    for name in (*ORDERS, "class_sums", "class_counts"):
        assert torch.equal(getattr(whole, name), getattr(pieces, name)), name


def test_batch_order_changes_rounding_only():
    X = skewed(500, 8)
    batches = list(X.split(37))
    assert_moments(moments.accumulate(batches[::-1], block_rows=64), moments.accumulate(batches, block_rows=64), 3e-6)


def test_first_batch_far_from_the_rest_is_corrected():
    X = skewed(400, 6, dtype=torch.float64)
    X[:10] += 50.0
    got = moments.accumulate([X[:10], X[10:]], block_rows=10)
    assert_moments(got, moments_by_rows(X), 1e-11)


@pytest.mark.parametrize("streamed", [False, True])
def test_offset_of_a_thousand_deviations_costs_nothing_in_float32(streamed):
    X = skewed(3000, 12)
    X = (X - X.mean(0)) / X.std(0) + 1000.0
    truth = X.double() - X.double().mean(0)
    expected = {"mean": X.double().mean(0), "gram": truth.T @ truth, "quartic": (truth**2).T @ truth**2}
    got = moments.accumulate(X.split(64), block_rows=256) if streamed else moments.from_features(X)
    got = moments.FeatureMoments(got.n, got.mean, got.gram, got.quartic)
    assert_moments(got, expected, 2e-6)
    # the control: the textbook form X'X - n mm' in float32 has no correct digit here
    naive = (X.T @ X - len(X) * torch.outer(X.mean(0), X.mean(0))).double()
    assert (naive - expected["gram"]).norm() / expected["gram"].norm() > 0.01


@pytest.mark.parametrize("scale", [1e-15, 1e-6, 1e6, 1e15])
def test_scale_leaves_float32_in_range(scale):
    X = skewed(200, 4)
    plain, scaled = moments.from_features(X), moments.from_features(X * scale)
    torch.testing.assert_close(scaled.gram / scale**2, plain.gram, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scaled.quartic / scale**4, plain.quartic, rtol=1e-5, atol=1e-5)
    raw = ((X * scale) ** 4).sum()
    assert scale in (1e-6, 1e6) or not 0 < float(raw) < float("inf")  # the control: float32 itself leaves its range


def test_constant_columns_are_exactly_zero(device):
    X = skewed(1000, 6).to(device)
    X[:, 2] = 0.1
    X[:, 4] = -1e7
    for got in (moments.from_features(X), moments.accumulate(X.split(33), block_rows=100)):
        assert not got.gram[[2, 4]].any()
        assert not got.quartic[[2, 4]].any()
        assert got.gram[0, 0] > 0


def test_merge_equals_all_rows():
    X, y = skewed(300, 7, dtype=torch.float64), torch.arange(300) % 5
    X[:3] += 20
    parts = [moments.accumulate([(X[a:b], y[a:b])]) for a, b in ((0, 3), (3, 100), (100, 300))]
    merged, whole = moments.merge(parts), moments.accumulate([(X, y)])
    assert merged.n == 300
    assert_moments(merged, moments_by_rows(X), 1e-11)
    torch.testing.assert_close(merged.class_sums, whole.class_sums)
    assert torch.equal(merged.class_counts, whole.class_counts)
    again = moments.merge([moments.merge(parts[1:]), parts[0]])
    assert_moments(again, merged, 1e-11)


def test_merge_of_second_moments_needs_no_third():
    X = skewed(90, 4, dtype=torch.float64)
    parts = [moments.from_features(part, quartic=False) for part in X.split(30)]
    merged = moments.merge(parts)
    assert merged.quartic is None
    torch.testing.assert_close(merged.gram, moments_by_rows(X)["gram"])


def test_merge_refuses_what_it_cannot_do_exactly():
    X, y = skewed(20, 4), torch.arange(20) % 2
    with pytest.raises(InputError, match="quartic without cubic"):
        moments.merge([moments.from_features(X), moments.from_features(X)])
    with pytest.raises(InputError, match=r"same features, got widths \[3, 4\]"):
        moments.merge([moments.accumulate([X]), moments.accumulate([X[:, :3]])])
    with pytest.raises(InputError, match="class sums in all moments or in none"):
        moments.merge([moments.accumulate([X]), moments.accumulate([(X, y)])])
    with pytest.raises(InputError, match="at least one FeatureMoments"):
        moments.merge([])


def test_merge_pads_classes_that_a_shard_has_not_seen():
    X, y = skewed(40, 3, dtype=torch.float64), torch.cat([torch.zeros(20), torch.full((20,), 2)]).long()
    merged = moments.merge([moments.accumulate([(X[:20], y[:20])]), moments.accumulate([(X[20:], y[20:])])])
    assert merged.class_counts.tolist() == [20, 0, 20]
    torch.testing.assert_close(merged.class_sums, class_sums_by_rows(X, y, 3))


def test_select_equals_moments_of_the_columns():
    X, y = skewed(60, 8, dtype=torch.float64), torch.arange(60) % 3
    columns = torch.tensor([5, 0, 3])
    got = moments.accumulate([(X, y)]).select(columns)
    want = moments.accumulate([(X[:, columns], y)])
    assert_moments(got, want, 1e-12)
    torch.testing.assert_close(got.class_sums, want.class_sums)
    assert got.n_features == 3
    assert_moments(moments.accumulate([X]).select([5, 0, 3]), want, 1e-12)


@pytest.mark.parametrize("columns", [[8], [-1], [], [[0]], [0.5], [True] * 8])
def test_select_refuses_what_is_no_index(columns):
    with pytest.raises(InputError, match="expected columns to be indices from 0 to 7"):
        moments.from_features(skewed(20, 8)).select(torch.tensor(columns))


def test_transform_equals_moments_of_the_product():
    X, y = skewed(60, 8, dtype=torch.float64), torch.arange(60) % 3
    P = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    got, want = moments.from_features(X, y).transform(P), moments.from_features(X @ P, y)
    torch.testing.assert_close(got.gram, want.gram)
    torch.testing.assert_close(got.mean, want.mean)
    torch.testing.assert_close(got.class_sums, want.class_sums)
    assert got.quartic is None
    with pytest.raises(InputError, match=r"expected P of shape \(8, n_components\), got \(3, 8\)"):
        moments.from_features(X).transform(P.T)


def test_standardized_equals_moments_of_z_scores():
    X, y = skewed(80, 5, dtype=torch.float64), torch.arange(80) % 3
    Z = (X - X.mean(0)) / X.std(0, correction=0)
    got, want = moments.accumulate([(X, y)]).standardized(), moments.accumulate([(Z, y)])
    assert_moments(got, replace(want, mean=torch.zeros(5).double()), 1e-11)
    torch.testing.assert_close(got.class_sums, want.class_sums)
    torch.testing.assert_close(got.variance, torch.ones(5).double())


def test_standardized_leaves_constant_columns_zero():
    X = skewed(50, 3)
    X[:, 1] = 7.0
    got = moments.from_features(X).standardized()
    assert got.gram.isfinite().all()
    assert not got.gram[1].any()


def test_labels_grow_with_the_stream_or_keep_the_count_given():
    X, y = skewed(30, 2), torch.tensor([0] * 10 + [4] * 20)
    batches = list(zip(X.split(10), y.split(10), strict=True))
    assert moments.accumulate(batches, block_rows=10).class_counts.tolist() == [10, 0, 0, 0, 20]
    assert len(moments.accumulate(batches, n_classes=9).class_counts) == 9
    with pytest.raises(InputError, match="labels below n_classes=4, got 4"):
        moments.accumulate(batches, n_classes=4)


def test_half_precision_and_numpy_are_taken():
    X = skewed(50, 4).half()
    assert_moments(moments.from_features(X), moments.from_features(X.float()), 0)
    assert_moments(moments.from_features(X.float().numpy()), moments.from_features(X.float()), 0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(bad):
    X = skewed(50, 4)
    X[7, 2] = bad
    for call in (moments.from_features, lambda values: moments.accumulate([values])):
        with pytest.raises(InputError, match="expected finite features"):
            call(X)


def test_streams_that_change_are_refused():
    X, y = skewed(20, 4), torch.zeros(20, dtype=torch.long)
    for batches, sentence in (
        ([X, X[:, :3]], "4 features of torch.float32"),
        ([X, X.double()], "got 4 of torch.float64"),
        ([(X, y), X], "without them"),
        ([X, (X, y)], "with them"),
        ([], "at least one batch, got none"),
        ([X[0]], r"X of shape \(n_samples, n_features\)"),
        ([X.long()], "floating-point dtype, got torch.int64"),
        ([(X, y[:5])], r"y of shape \(20,\)"),
        ([(X, y.float())], "integer class indices"),
        ([(X, y - 1)], "class indices from 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            moments.accumulate(batches)
    with pytest.raises(InputError, match="block_rows of at least 1, got 0"):
        moments.accumulate([X], block_rows=0)


def test_features_that_want_gradients_are_taken_as_numbers():
    X = skewed(20, 3).requires_grad_()
    assert not moments.from_features(X).gram.requires_grad


def test_moments_move_between_devices(device):
    X = skewed(20, 3)
    assert_moments(moments.from_features(X).to(device).to("cpu"), moments.from_features(X), 0)


PEAK = """
import re, torch
from diffred_core import moments

def peak():
    # of this program alone: what getrusage counts, a child inherits from its parent
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

moments.accumulate([torch.randn(300, 32)])
d, before = 2048, peak()
moments.accumulate(torch.randn(512, d) for _ in range(4))
print((peak() - before) / (8 * d * d))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_streamed_moments_take_the_memory_of_their_three_matrices_and_little_more() -> None:
    # G, Q and T stay; blocks of rows, their squares and one product in float32 are all that comes on top.
    run = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert 3 < float(run.stdout) < 9  # in matrices: 7; 14 where sums, formulas and moments have matrices of their own
