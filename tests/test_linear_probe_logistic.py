"""Logistic probes: scikit-learn as the oracle, certificates by differentiation, batched against solo, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_probes import classes_in_mixture, logistic_gradient_norm, logistic_objective
from sklearn.linear_model import LogisticRegression

from diffred_core import linear_probe
from diffred_core.errors import InputError

L2 = 1e-2


@pytest.fixture
def task():
    return classes_in_mixture(120, 12, 3, separation=0.6)


def by_scikit_learn(X, y, l2):
    # its binary form keeps one weight vector for the two of the softmax: half the penalty
    scale = 2 if int(y.max()) == 1 else 1
    model = LogisticRegression(C=scale / (len(X) * l2), solver="newton-cholesky", tol=1e-10, max_iter=200)
    return model.fit(X.double().numpy(), y.numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "l2"), [((120, 12), 1e-2), ((120, 12), 1e-4), ((30, 60), 1e-2)])
def test_logistic_matches_scikit_learn(shape, l2, dtype):
    X, y = classes_in_mixture(*shape, 3, separation=0.6, dtype=dtype)
    probe = linear_probe.fit_logistic(X, y, l2=l2, tol=1e-9)
    peer = by_scikit_learn(X, y, l2)
    assert probe.converged
    np.testing.assert_allclose(probe.weight.T.numpy(), peer.coef_, atol=1e-5 * np.abs(peer.coef_).max())
    ours = logistic_objective(X.double(), y, probe.weight, probe.bias, l2)
    theirs = logistic_objective(
        X.double(), y, torch.from_numpy(peer.coef_.T).double(), torch.from_numpy(peer.intercept_).double(), l2
    )
    assert ours <= theirs + 1e-9
    other = linear_probe.fit_logistic(X, y, l2=3 * l2, tol=1e-8)
    assert not np.allclose(other.weight.T.numpy(), peer.coef_, atol=1e-3 * np.abs(peer.coef_).max())


def test_two_classes_match_the_binary_form():
    X, y = classes_in_mixture(80, 6, 2, separation=0.6)
    probe = linear_probe.fit_logistic(X, y, l2=L2, tol=1e-9)
    peer = by_scikit_learn(X, y, L2)
    difference = (probe.weight[:, 1] - probe.weight[:, 0]).numpy()
    np.testing.assert_allclose(difference, peer.coef_[0], atol=1e-6)
    np.testing.assert_allclose((probe.bias[1] - probe.bias[0]).item(), peer.intercept_[0], atol=1e-5)


def test_batched_equals_solo(task):
    X, y = task
    subsets, values = [[3, 1, 7], [0], list(range(12)), [5, 2, 11]], [1e-3, 1e-1]
    batch = linear_probe.fit_logistic(X, y, subsets=subsets, l2=values, tol=1e-9)
    tight = linear_probe.fit_logistic(X, y, subsets=subsets, l2=values, tol=1e-9, memory_bytes=1)
    assert batch.converged.all()
    assert batch.batch_shape == (2, 4)
    torch.testing.assert_close(tight.weight, batch.weight, rtol=0, atol=1e-6)
    for i, l2 in enumerate(values):
        for j, subset in enumerate(subsets):
            solo = linear_probe.fit_logistic(X[:, subset], y, l2=l2, tol=1e-9)
            torch.testing.assert_close(batch[i, j].weight, solo.weight, rtol=0, atol=1e-6)
            torch.testing.assert_close(batch[i, j].bias, solo.bias, rtol=0, atol=1e-5)
    assert len(set(batch.iterations.flatten().tolist())) > 1


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
def test_the_certificate_is_the_gradient_norm(task, tol):
    X, y = task[0].float(), task[1]
    probe = linear_probe.fit_logistic(X, y, subsets=[[0, 4], list(range(12))], l2=1e-4, tol=tol)
    for one in (probe[0], probe[1]):
        norm = logistic_gradient_norm(X[:, one.subsets], y, one.weight, one.bias, 1e-4)
        assert one.gradient_norm.item() == pytest.approx(norm, rel=1e-3, abs=1e-15)
        assert norm <= tol
        assert one.converged
    moved = logistic_gradient_norm(X[:, one.subsets], y, one.weight * 1.5, one.bias, 1e-4)
    assert moved > tol


@pytest.mark.parametrize("limit", range(2, 30, 3))
def test_converged_means_the_tolerance_and_not_ten_times_it(task, limit):
    X, y = task
    subsets, tol = [[0], [3, 1, 7], [5, 2, 11, 8, 0], list(range(12))], 1e-5
    probe = linear_probe.fit_logistic(X, y, subsets=subsets, l2=[1e-4, 1e-2], tol=tol, max_iter=limit)
    norms = torch.tensor([[gradient_norm(X, y, probe[i, j]) for j in range(4)] for i in range(2)])
    assert probe.converged.tolist() == (norms <= tol).tolist()


def test_fits_are_stopped_on_both_sides_of_the_tolerance(task):
    """The control of the test above: some of its fits end within ten times the tolerance, and not within it."""
    X, y = task
    ends = [linear_probe.fit_logistic(X, y, l2=1e-4, tol=1e-5, max_iter=n) for n in range(2, 30, 3)]
    norms = [gradient_norm(X, y, probe) for probe in ends]
    assert min(norms) <= 1e-5
    nearly = [
        linear_probe.fit_logistic(
            X, y, subsets=[[0], [3, 1, 7], [5, 2, 11, 8, 0]], l2=[1e-4, 1e-2], tol=1e-5, max_iter=n
        )
        for n in range(2, 30, 3)
    ]
    assert any(((probe.gradient_norm > 1e-5) & (probe.gradient_norm <= 1e-4)).any() for probe in nearly)


def test_what_float32_leaves_above_the_tolerance_is_finished_in_float64():
    """Tolerances just below what float32 is asked for: its end lies between them and ten times them."""
    X, y = classes_in_mixture(200, 20, 3, separation=0.6, dtype=torch.float32)
    tol = torch.finfo(torch.float32).eps * X.std(0).max().item()  # a quarter of the early tolerance
    subsets = [torch.randperm(20, generator=torch.Generator().manual_seed(s))[: 2 + s] for s in range(16)]
    probe = linear_probe.fit_logistic(X, y, subsets=subsets, l2=[1e-3, 1e-1], tol=tol)
    norms = torch.tensor([[gradient_norm(X, y, probe[i, j]) for j in range(16)] for i in range(2)])
    assert probe.converged.all()
    assert norms.max() <= 1.01 * tol
    assert (linear_probe.fit_logistic(X, y, subsets=subsets, l2=[1e-3, 1e-1], tol=4 * tol).gradient_norm > tol).any()


def gradient_norm(X, y, probe):
    kept = probe.subsets[probe.subsets >= 0]
    return logistic_gradient_norm(X[:, kept], y, probe.weight[: len(kept)], probe.bias, float(probe.l2))


def test_a_stopped_fit_says_so_without_a_warning(task):
    stopped = linear_probe.fit_logistic(*task, l2=[1e-4, 1e3], max_iter=4)
    assert stopped.converged.tolist() == [False, True]
    assert stopped.iterations[0] == 4
    assert stopped.gradient_norm[0] > 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_separable_classes_with_a_tiny_l2_behave(dtype):
    X, y = classes_in_mixture(90, 30, 3, separation=6.0, dtype=dtype)
    l2 = 1 / (90 * 1e5)
    probe = linear_probe.fit_logistic(X, y, l2=l2)
    assert probe.converged
    assert probe.accuracy(X, y) == 1.0
    assert torch.isfinite(probe.weight).all()
    peer = by_scikit_learn(X, y, l2)
    ours = logistic_objective(X.double(), y, probe.weight, probe.bias, l2)
    theirs = logistic_objective(
        X.double(), y, torch.from_numpy(peer.coef_.T).double(), torch.from_numpy(peer.intercept_).double(), l2
    )
    assert ours <= theirs + 1e-5


def test_shuffled_labels_give_chance_accuracy_and_true_ones_do_not():
    X, y = classes_in_mixture(600, 20, 4, separation=2.0)
    shuffled = y[torch.randperm(600, generator=torch.Generator().manual_seed(1))]
    chance = linear_probe.fit_logistic(X[:300], shuffled[:300], l2=L2).accuracy(X[300:], shuffled[300:])
    assert abs(chance - 0.25) < 4 * (0.25 * 0.75 / 300) ** 0.5
    assert linear_probe.fit_logistic(X[:300], y[:300], l2=L2).accuracy(X[300:], y[300:]) > 0.9


def test_shifting_the_features_leaves_the_probe_and_scaling_does_not(task):
    X, y = task
    probe = linear_probe.fit_logistic(X, y, l2=L2, tol=1e-9)
    shifted = linear_probe.fit_logistic(X + 1000.0, y, l2=L2, tol=1e-9)
    torch.testing.assert_close(shifted.weight, probe.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(shifted.scores(X + 1000.0), probe.scores(X), rtol=0, atol=1e-5)
    assert not torch.allclose(linear_probe.fit_logistic(2 * X, y, l2=L2).scores(2 * X), probe.scores(X), atol=1e-2)


def test_constant_duplicated_and_badly_scaled_features_are_harmless(task):
    X, y = task
    wide = torch.cat([X * torch.logspace(-3, 3, 12), torch.ones(120, 1, dtype=X.dtype), X[:, :1]], 1)
    probe = linear_probe.fit_logistic(wide, y, l2=L2)
    assert probe.converged
    assert probe.weight[12].abs().max() < 1e-9
    assert logistic_gradient_norm(wide, y, probe.weight, probe.bias, L2) <= 1e-6


@pytest.mark.parametrize("tol", [1e-6, 1e-9])
@pytest.mark.parametrize("l2", [1e-10, 1e-3, 1e3])
@pytest.mark.parametrize("shape", [(74, 33), (20, 30), (8, 1)])
def test_features_of_very_different_scale_and_extreme_l2_converge(shape, l2, tol):
    X, y = classes_in_mixture(*shape, 4, separation=0.01, dtype=torch.float32)
    X = X * torch.logspace(-2, 2, shape[1])
    probe = linear_probe.fit_logistic(X, y, l2=l2, tol=tol)
    assert probe.converged
    assert logistic_gradient_norm(X, y, probe.weight, probe.bias, l2) <= 1.01 * tol


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l2": 0.0}, r"expected finite values above 0 in l2.*\[0.0\]"),
        ({"l2": -1.0}, "above 0 in l2"),
        ({"tol": 0.0}, "expected tol above 0"),
        ({"max_iter": 0}, "expected max_iter above 0"),
        ({"y": torch.zeros(120, dtype=torch.long)}, "at least two classes in y, got one"),
        ({"y": torch.arange(120) % 2 * 2}, "got none of class 1, whose free intercept has no finite optimum"),
        ({"n_classes": 4}, "got none of class 3"),
        ({"n_classes": 2}, "class indices below n_classes=2 in y, got 2"),
        ({"y": torch.arange(120) % 3 - 1}, "class indices from 0 in y, got -1"),
        ({"y": torch.arange(119) % 3}, "one label for every row of X"),
        ({"X": torch.full((120, 12), torch.nan)}, "finite values in X, got NaN or infinity in 120 rows"),
        ({"X": torch.ones(120)}, r"expected X of shape \(n_samples, n_features\)"),
        ({"subsets": [[12]]}, "distinct indices in 0..11"),
    ],
)
def test_bad_input_is_named(task, change, message):
    options = {"l2": L2} | {k: v for k, v in change.items() if k not in "Xy"}
    with pytest.raises(InputError, match=message):
        linear_probe.fit_logistic(change.get("X", task[0]), change.get("y", task[1]), **options)


def test_logistic_is_the_same_on_every_device(task, device):
    X, y = task[0].float(), task[1]
    here = linear_probe.fit_logistic(X, y, subsets=[[0, 1, 2], [4]], l2=L2)
    there = linear_probe.fit_logistic(X.to(device), y.to(device), subsets=[[0, 1, 2], [4]], l2=L2)
    assert there.weight.device.type == device.type
    torch.testing.assert_close(there.weight.cpu(), here.weight, rtol=0, atol=1e-5)
