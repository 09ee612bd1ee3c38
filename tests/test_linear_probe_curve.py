"""The ridge curve: every prefix from one factor equals a fit of its own; leave-one-out equals refitting."""

from __future__ import annotations

import pytest
import torch
from reference_probes import classes_in_mixture, leave_one_out_by_refitting

from diffred_core import linear_probe, moments, subsets
from diffred_core.errors import InputError

SIZES = [1, 5, 12, 3, 5]
L2 = [1e-3, 1e-1, 10.0]


@pytest.fixture
def data():
    X, y = classes_in_mixture(90, 12, 3, separation=0.7)
    return moments.from_features(X[:60], y[:60], quartic=False), X[60:], y[60:], subsets.random_order(12, seed=4)


@pytest.mark.parametrize(
    "memory_bytes", [2**20, 1, 7 * 3 * 8 * 12], ids=["one block", "row by row", "four blocks of seven and one of two"]
)
def test_every_prefix_equals_its_own_fit(data, memory_bytes):
    summary, X, y, order = data
    options = {"order": order, "sizes": SIZES, "l2": L2, "memory_bytes": memory_bytes}
    scores = linear_probe.ridge_curve_scores(summary, X, **options)
    solo = linear_probe.fit_ridge(summary, subsets=[order[:k] for k in SIZES], l2=L2)
    torch.testing.assert_close(scores, solo.scores(X), rtol=1e-9, atol=1e-11)
    assert torch.equal(linear_probe.ridge_curve_predictions(summary, X, **options), solo.predict(X))
    torch.testing.assert_close(linear_probe.ridge_curve(summary, X, y, **options), solo.accuracy(X, y))
    other = linear_probe.fit_ridge(summary, subsets=[order.flip(0)[:k] for k in SIZES], l2=L2)
    assert not torch.allclose(scores[:, 0], other.scores(X)[:, 0])


@pytest.mark.parametrize("l2", [L2, 1e-1])
def test_probes_of_all_prefixes_are_those_of_their_own_fits(data, l2):
    summary, X, _, order = data
    probe = linear_probe.fit_ridge_prefixes(summary, order=order, sizes=SIZES, l2=l2)
    solo = linear_probe.fit_ridge(summary, subsets=[order[:k] for k in SIZES], l2=l2)
    assert probe.batch_shape == solo.batch_shape
    for name in ("weight", "bias", "subsets", "l2", "converged", "iterations"):
        torch.testing.assert_close(getattr(probe, name), getattr(solo, name), rtol=1e-9, atol=1e-11)
    assert probe.converged.all()
    assert torch.equal(probe.predict(X), solo.predict(X))
    other = linear_probe.fit_ridge_prefixes(summary, order=order.flip(0), sizes=SIZES, l2=l2)
    assert not torch.allclose(other.bias, probe.bias)


def test_one_l2_drops_the_axis_of_the_path(data):
    summary, X, y, order = data
    path = linear_probe.ridge_curve(summary, X, y, order=order, sizes=SIZES, l2=L2)
    one = linear_probe.ridge_curve(summary, X, y, order=order, sizes=SIZES, l2=L2[1])
    assert path.shape == (3, 5)
    assert torch.equal(one, path[1])


def test_the_rows_of_a_last_partial_block_count(data):
    """Rows that nobody predicts right, put last: left out, they would raise the accuracy."""
    summary, X, y, order = data
    options = {"order": order, "sizes": SIZES, "l2": 1e-2}
    wrong = (linear_probe.ridge_curve_predictions(summary, X[:2], **options)[2] + 1) % 3
    rows, labels = torch.cat([X[2:], X[:2]]), torch.cat([y[2:], wrong])
    blocks = [linear_probe.ridge_curve(summary, rows, labels, **options, memory_bytes=n * 288) for n in (7, 2**20)]
    assert torch.equal(blocks[0], blocks[1])
    without = linear_probe.ridge_curve(summary, rows[:28], labels[:28], **options)
    assert blocks[0][2] == pytest.approx(without[2].item() * 28 / 30)
    assert blocks[0][2] < without[2]


@pytest.mark.parametrize("shape", [(24, 5), (9, 14)], ids=["n>d", "d>n"])
def test_leave_one_out_equals_refitting(shape):
    X, y = classes_in_mixture(*shape, 3, separation=0.6)
    order, sizes, l2 = subsets.random_order(shape[1], seed=1), [1, 3, shape[1]], [1e-2, 1.0]
    fast = linear_probe.ridge_loo(
        moments.from_features(X, y, quartic=False), X, y, order=order, sizes=sizes, l2=l2, memory_bytes=500
    )
    slow = [[leave_one_out_by_refitting(X[:, order[:k]], y, 3, value) for k in sizes] for value in l2]
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64))
    assert torch.unique(fast).numel() > 1


def test_leave_one_out_sees_through_overfitting():
    X, _ = classes_in_mixture(60, 50, 3)
    y = torch.randint(3, (60,), generator=torch.Generator().manual_seed(0))
    summary = moments.from_features(X, y, quartic=False)
    assert linear_probe.fit_ridge(summary, l2=1e-6).accuracy(X, y) > 0.95
    assert linear_probe.ridge_loo(summary, X, y, l2=1e-6) < 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [0]}, "expected sizes from 1 to 12"),
        ({"sizes": [13]}, "expected sizes from 1 to 12"),
        ({"order": torch.zeros(12, dtype=torch.long)}, "expected order to be a permutation"),
        ({"l2": torch.ones(2, 5)}, "expected l2 as a number or .* along a curve"),
        ({"l2": -1.0}, "at least 0 in l2"),
        ({"memory_bytes": -1}, "expected memory_bytes above 0"),
        ({"y": torch.full((30,), 3)}, "class indices below n_classes=3 in y, got 3"),
        ({"X": torch.full((30, 12), torch.inf)}, "finite values in X"),
    ],
)
def test_bad_curves_are_named(data, change, message):
    summary, X, y, order = data
    options = {"order": order, "sizes": SIZES, "l2": L2} | {k: v for k, v in change.items() if k not in "Xy"}
    with pytest.raises(InputError, match=message):
        linear_probe.ridge_curve(summary, change.get("X", X), change.get("y", y), **options)


def test_leave_one_out_refuses_other_rows(data):
    summary, X, y, _ = data
    with pytest.raises(InputError, match="expected the 60 rows of the moments in X, got 30"):
        linear_probe.ridge_loo(summary, X, y, l2=1.0)


def test_a_singular_prefix_is_refused_without_l2():
    X, y = classes_in_mixture(8, 12, 2)
    summary = moments.from_features(X, y, quartic=False)
    order = torch.arange(12)
    with pytest.raises(InputError, match="Gram matrix is singular"):
        linear_probe.ridge_curve(summary, X, y, order=order, sizes=[12], l2=0.0)
    assert linear_probe.ridge_curve(summary, X, y, order=order, sizes=[5], l2=0.0).shape == (1,)
