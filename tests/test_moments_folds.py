"""Folds from one pass, and moments of two layers at once."""

import pytest
import torch
from test_moments import skewed

from diffred_core import moments
from diffred_core.errors import InputError


@pytest.fixture
def data():
    y = torch.tensor([0] * 40 + [1] * 25 + [2] * 7)[torch.randperm(72, generator=torch.Generator().manual_seed(0))]
    return skewed(72, 5, dtype=torch.float64), y


def test_folds_are_stratified_and_disjoint(data):
    folds = moments.fold_moments(*data, n_folds=5)
    counts = torch.stack([fold.class_counts for fold in folds.folds])
    assert counts.sum(0).tolist() == [40, 25, 7]
    assert bool((counts.amax(0) - counts.amin(0) <= 1).all())
    assert sum(fold.n for fold in folds.folds) == 72


def test_training_moments_are_those_of_the_other_rows(data):
    X, y = data
    folds = moments.fold_moments(X, y, n_folds=3)
    turn = torch.tensor([int((y[:i] == y[i]).sum()) for i in range(len(y))])
    held_out = (turn + y) % 3
    for i in range(3):
        want = moments.from_features(X[held_out != i], y[held_out != i], quartic=False)
        got = folds.training(i)
        assert got.n == want.n
        torch.testing.assert_close(got.gram, want.gram)
        torch.testing.assert_close(got.mean, want.mean)
        torch.testing.assert_close(got.class_sums, want.class_sums)
        leak = moments.from_features(X, y).gram  # the control: all rows are something else
        assert not torch.allclose(got.gram, leak)


def test_total_is_all_rows(data):
    folds = moments.fold_moments(*data, n_folds=4)
    torch.testing.assert_close(folds.total().gram, moments.from_features(*data).gram)


def test_batch_sizes_do_not_change_the_folds(data):
    X, y = data
    whole = moments.fold_moments(X, y, n_folds=3)
    pieces = moments.accumulate_folds(zip(X.split(5), y.split(5), strict=True), n_folds=3)
    small = moments.accumulate_folds(zip(X.split(5), y.split(5), strict=True), n_folds=3, block_rows=7)
    for a, b, c in zip(whole.folds, pieces.folds, small.folds, strict=True):
        assert torch.equal(a.gram, b.gram)
        torch.testing.assert_close(a.gram, c.gram)
        assert torch.equal(a.class_counts, c.class_counts)


def test_bad_folds_are_refused(data):
    X, y = data
    with pytest.raises(InputError, match="n_folds of at least 2, got 1"):
        moments.fold_moments(X, y, n_folds=1)
    with pytest.raises(InputError, match="folds are stratified by class, pass labels"):
        moments.accumulate_folds([X], n_folds=2)
    with pytest.raises(InputError, match="use fewer folds"):
        moments.fold_moments(X[:3], y[:3] * 0, n_folds=4)
    with pytest.raises(InputError, match="expected fold from 0 to 2, got 3"):
        moments.fold_moments(X, y, n_folds=3).training(3)


def test_cross_moments_equal_products_of_centred_layers(device, tolerance):
    X, Y = skewed(200, 6).to(device), skewed(200, 4, seed=1).to(device) + 30
    x, y = (Z.double() - Z.double().mean(0) for Z in (X, Y))
    limit = tolerance(X)["rtol"]
    got = moments.accumulate_pair(zip(X.split(9), Y.split(9), strict=True), block_rows=64)
    for value, want in (
        (got.gram, x.T @ y),
        (got.quartic, (x * x).T @ (y * y)),
        (got.x.gram, x.T @ x),
        (got.y.quartic, (y * y).T @ (y * y)),
    ):
        torch.testing.assert_close(value, want, rtol=limit, atol=limit * float(want.abs().max()))
    whole = moments.from_pair(X, Y)
    torch.testing.assert_close(whole.quartic, got.quartic, rtol=limit, atol=limit * float(got.quartic.abs().max()))


def test_cross_moments_refuse_rows_that_do_not_match():
    X = skewed(20, 3)
    with pytest.raises(InputError, match="same samples in X and Y, got 20 and 19 rows"):
        moments.from_pair(X, X[1:])
    with pytest.raises(InputError, match="every pair of batches of widths 3 and 3"):
        moments.accumulate_pair([(X, X), (X, X[:, :2])])
