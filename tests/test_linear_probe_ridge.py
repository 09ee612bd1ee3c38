"""Ridge probes: against the slow twin and scikit-learn, batched against solo, primal against dual, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_probes import classes_in_mixture, ridge_by_augmented_rows
from sklearn.linear_model import Ridge, RidgeClassifier

from diffred_core import linear_probe, moments
from diffred_core.errors import InputError

L2 = 1e-2


def fitted(X, y, **options):
    return linear_probe.fit_ridge(moments.from_features(X, y, quartic=False), **options)


@pytest.fixture
def task():
    return classes_in_mixture(60, 12, 3)


@pytest.mark.parametrize("shape", [(60, 12), (10, 24)], ids=["n>d", "d>n"])
def test_ridge_equals_least_squares_on_augmented_rows(shape):
    X, y = classes_in_mixture(*shape, 3)
    probe = fitted(X, y, l2=L2)
    weight, bias = ridge_by_augmented_rows(X, y, 3, L2)
    torch.testing.assert_close(probe.weight, weight, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(probe.bias, bias, rtol=1e-8, atol=1e-10)
    assert probe.converged
    assert not torch.allclose(probe.weight, fitted(X, y, l2=2 * L2).weight, rtol=1e-3)


def test_ridge_matches_scikit_learn(task):
    X, y = task
    probe = fitted(X, y, l2=L2)
    peer = Ridge(alpha=len(X) * L2, solver="cholesky").fit(X.numpy(), np.eye(3)[y.numpy()])
    np.testing.assert_allclose(probe.weight.T.numpy(), peer.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(probe.bias.numpy(), peer.intercept_, rtol=1e-8, atol=1e-10)
    classifier = RidgeClassifier(alpha=len(X) * L2).fit(X.numpy(), y.numpy())
    np.testing.assert_array_equal(probe.predict(X).numpy(), classifier.predict(X.numpy()))


@pytest.mark.parametrize("shape", [(60, 12), (10, 24)], ids=["n>d", "d>n"])
def test_ridge_primal_equals_dual(shape):
    X, y = classes_in_mixture(*shape, 3)
    rows = linear_probe.fit_ridge_rows(X, y, subsets=[[0], list(range(8)), list(range(shape[1]))], l2=[L2, 1.0])
    primal = fitted(X, y, subsets=[[0], list(range(8)), list(range(shape[1]))], l2=[L2, 1.0])
    torch.testing.assert_close(rows.weight, primal.weight, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(rows.bias, primal.bias, rtol=1e-8, atol=1e-10)
    assert rows.converged.all()


def test_batched_equals_solo(task):
    X, y = task
    subsets, values = [[3, 1, 7], [0], list(range(12)), [5, 2, 11]], [1e-3, 1e-1]
    batch = fitted(X, y, subsets=subsets, l2=values, memory_bytes=1)
    assert batch.batch_shape == (2, 4)
    assert batch.sizes[0].tolist() == [3, 1, 12, 3]
    assert batch.predict(X).shape == (2, 4, 60)
    for i, l2 in enumerate(values):
        for j, subset in enumerate(subsets):
            solo = fitted(X[:, subset], y, l2=l2)
            torch.testing.assert_close(batch[i, j].weight, solo.weight)
            torch.testing.assert_close(batch.scores(X)[i, j], solo.scores(X[:, subset]))
            torch.testing.assert_close(batch.predict(X)[i, j], solo.predict(X[:, subset]))
            torch.testing.assert_close(batch.accuracy(X, y)[i, j], solo.accuracy(X[:, subset], y))
    assert not torch.equal(batch.predict(X)[0, 1], batch.predict(X)[0, 2])


def test_each_subset_can_have_its_own_l2(task):
    X, y = task
    probe = fitted(X, y, subsets=[[0, 1], [2, 3]], l2=torch.tensor([[1e-3, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(probe[0, 1].weight, fitted(X, y, subsets=[2, 3], l2=1.0).weight)
    assert probe.l2.tolist() == [[1e-3, 1.0]]


def test_a_mask_means_its_indices(task):
    X, y = task
    mask = torch.zeros(12, dtype=torch.bool)
    mask[[2, 5]] = True
    assert torch.equal(fitted(X, y, subsets=mask, l2=L2).weight, fitted(X, y, subsets=[2, 5], l2=L2).weight)


def test_shifting_the_features_changes_no_prediction_and_scaling_does(task):
    X, y = task
    probe, shifted = fitted(X, y, l2=1.0), fitted(X + 1000.0, y, l2=1.0)
    torch.testing.assert_close(shifted.weight, probe.weight, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(shifted.scores(X + 1000.0), probe.scores(X), rtol=1e-7, atol=1e-7)
    assert not torch.allclose(fitted(10 * X, y, l2=1.0).scores(10 * X), probe.scores(X), atol=1e-2)


def test_constant_and_duplicated_features_are_harmless_with_l2(task):
    X, y = task
    wide = torch.cat([X, torch.ones(60, 1, dtype=X.dtype), X[:, :1]], 1)
    probe = fitted(wide, y, l2=L2)
    assert probe.weight[12].abs().max() < 1e-12
    torch.testing.assert_close(probe.weight[0], probe.weight[13])
    assert probe.weight[0].abs().max() > 1e-3


@pytest.mark.parametrize("defect", ["constant", "duplicate", "more features than rows"])
def test_l2_of_zero_refuses_what_has_no_unique_solution(defect, task):
    X, y = task
    bad = {
        "constant": torch.cat([X, torch.ones(60, 1, dtype=X.dtype)], 1),
        "duplicate": torch.cat([X, X[:, :1]], 1),
        "more features than rows": classes_in_mixture(10, 24, 3)[0],
    }[defect]
    with pytest.raises(InputError, match=r"expected l2 large enough .* raise l2"):
        fitted(bad, y[: len(bad)], l2=0.0)
    weight, _ = ridge_by_augmented_rows(X, y, 3, 0.0)
    torch.testing.assert_close(fitted(X, y, l2=0.0).weight, weight, rtol=1e-7, atol=1e-9)


def test_separable_classes_are_learned_and_shuffled_labels_are_not():
    X, y = classes_in_mixture(400, 20, 4, separation=4.0)
    shuffled = y[torch.randperm(400, generator=torch.Generator().manual_seed(1))]
    assert fitted(X[:200], y[:200], l2=L2).accuracy(X[200:], y[200:]) == 1.0
    chance = fitted(X[:200], shuffled[:200], l2=L2).accuracy(X[200:], shuffled[200:])
    assert abs(chance - 0.25) < 4 * (0.25 * 0.75 / 200) ** 0.5


@settings(max_examples=25, deadline=None)
@given(n=st.integers(3, 20), d=st.integers(1, 12), l2=st.floats(1e-6, 1e2), seed=st.integers(0, 99))
def test_the_certificate_is_the_gradient(n, d, l2, seed):
    X, y = classes_in_mixture(n, d, 2, seed=seed)
    probe = fitted(X, y, l2=l2)
    weight, bias = probe.weight.clone().requires_grad_(), probe.bias.clone().requires_grad_()
    Y = torch.nn.functional.one_hot(y, 2).double()
    ((X @ weight + bias - Y).square().sum() / n + l2 * weight.square().sum()).backward()
    assert max(weight.grad.abs().max(), bias.grad.abs().max()) < 1e-9 * max(1.0, X.square().max().item())
    assert probe.gradient_norm < 1e-9 * max(1.0, X.square().max().item())
    assert probe.converged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -1.0}, r"values of at least 0 in l2.*\[-1.0\]"),
        ({"l2": float("nan")}, "finite values of at least 0 in l2"),
        ({"l2": torch.ones(2, 3)}, "one column of l2 for each of several subsets"),
        ({"l2": torch.ones(2, 3), "subsets": [[0], [1]]}, "one column of l2 for each of 2 subsets"),
        ({"l2": L2, "subsets": [[0, 0]]}, "distinct indices in 0..11"),
        ({"l2": L2, "subsets": [12]}, "distinct indices in 0..11"),
        ({"l2": L2, "subsets": [[]]}, "subsets of at least one feature"),
        ({"l2": L2, "subsets": []}, "at least one of subsets, got none"),
        ({"l2": L2, "memory_bytes": 0}, "expected memory_bytes above 0, got 0"),
    ],
)
def test_bad_options_are_named(task, options, message):
    with pytest.raises(InputError, match=message):
        fitted(*task, **options)


def test_moments_without_labels_are_refused(task):
    with pytest.raises(InputError, match="expected moments with class sums"):
        linear_probe.fit_ridge(moments.from_features(task[0], quartic=False), l2=L2)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_one_class_is_refused(task, n_classes):
    X, y = task[0], torch.zeros_like(task[1])
    with pytest.raises(InputError, match="at least two classes, got one class; add rows of another class"):
        linear_probe.fit_ridge(moments.from_features(X, y, n_classes=n_classes), l2=1e-2)
    with pytest.raises(InputError, match="at least two classes in y, got one; add rows of another class"):
        linear_probe.fit_ridge_rows(X, y + n_classes - 1, n_classes=n_classes, l2=1e-2)


@pytest.mark.parametrize("X", ["features.npz", [[1.0], ["a"]], [[1.0, 2.0], [3.0]]])
def test_what_is_no_array_is_refused(X):
    with pytest.raises(InputError, match=f"expected X as an array of numbers, got {type(X).__name__}; pass a tensor"):
        moments.from_features(X)


def test_rows_that_do_not_fit_the_probe_are_refused(task):
    X, y = task
    probe = fitted(X, y, l2=L2)
    with pytest.raises(InputError, match="expected X with 12 features as in the fit, got 11"):
        probe.predict(X[:, 1:])
    X = X.clone()
    X[3, 2] = torch.nan
    with pytest.raises(InputError, match="expected finite values in X, got NaN or infinity in 1 rows"):
        probe.scores(X)


def test_one_probe_has_no_length_and_no_items(task):
    probe = fitted(*task, l2=L2)
    with pytest.raises(TypeError, match="no length"):
        len(probe)
    with pytest.raises(TypeError, match="cannot be indexed"):
        probe[0]
    assert len(fitted(*task, l2=[L2, 1.0])) == 2


def test_ridge_on_float32_is_the_same_on_every_device(task, device):
    X, y = task[0].float().to(device), task[1].to(device)
    probe = fitted(X, y, subsets=[[0, 1, 2], [4]], l2=L2)
    exact = fitted(*task, subsets=[[0, 1, 2], [4]], l2=L2)
    assert probe.weight.device.type == device.type
    torch.testing.assert_close(probe.scores(X).cpu().double(), exact.scores(task[0]), rtol=1e-5, atol=1e-5)
