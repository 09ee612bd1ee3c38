"""A loose search for the regulariser, then one fit to the end: the choice, the certificate, and where fits start."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from reference_probes import classes_in_mixture, logistic_gradient_norm
from sklearn.linear_model import LogisticRegression

from diffred_core import linear_probe
from diffred_core.errors import InputError
from diffred_core.linear_probe._chosen import _behind
from diffred_core.linear_probe._cross_entropy import CrossEntropy, Gathered
from diffred_core.linear_probe.lbfgs import begin, minimise, resume

L2 = [1e-4, 1e-2, 1e0, 1e2]
L2_OF_FOUR = torch.tensor(L2, dtype=torch.float64)
SUBSETS = [[0, 1], [4, 9, 2, 7, 1], list(range(15))]


@pytest.fixture
def rows():
    X, y = classes_in_mixture(240, 15, 3, separation=0.4)
    return (X[:120], y[:120]), (X[120:], y[120:])


def test_the_chosen_fit_is_certified_and_that_of_scikit_learn(rows):
    (X, y), validation = rows
    probe, choice = linear_probe.choose_logistic(X, y, validation, subsets=SUBSETS, l2=L2, tol=1e-8)
    path = linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=L2, tol=1e-8)
    expected = linear_probe.select_l2(path.accuracy(*validation), L2)
    assert choice.l2.tolist() == expected.l2.tolist() == probe.l2.tolist()
    assert probe.converged.all()
    for j, subset in enumerate(SUBSETS):
        one, l2 = probe[j], choice.l2[j].item()
        peer = LogisticRegression(C=1 / (len(X) * l2), solver="newton-cholesky", tol=1e-12, max_iter=200)
        peer.fit(X[:, subset].numpy(), y.numpy())
        np.testing.assert_allclose(one.weight.T.numpy(), peer.coef_, atol=1e-5 * np.abs(peer.coef_).max())
        assert (one.predict(X).numpy() == peer.predict(X[:, subset].numpy())).all()
        other = path[(int(choice.index[j]) + 1) % len(L2), j].weight.T.numpy()
        assert not np.allclose(other, peer.coef_, atol=1e-3 * np.abs(peer.coef_).max())


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-8])
def test_the_search_may_be_loose_and_the_result_may_not(rows, tol):
    (X, y), validation = rows
    probe, _ = linear_probe.choose_logistic(X, y, validation, subsets=SUBSETS, l2=L2[:2], tol=tol, search_tol=0.1)
    for j, subset in enumerate(SUBSETS):
        norm = logistic_gradient_norm(X[:, subset], y, probe[j].weight, probe[j].bias, probe.l2[j].item())
        assert norm <= tol
        assert probe[j].gradient_norm.item() == pytest.approx(norm, rel=1e-3, abs=1e-15)
    loose = linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=L2[:2], tol=0.1)
    assert (loose.gradient_norm > tol).any()


def test_one_subset_has_no_axis_of_subsets_and_test_rows_no_way_in(rows):
    (X, y), validation = rows
    probe, choice = linear_probe.choose_logistic(X, y, validation, l2=L2)
    assert probe.batch_shape == choice.l2.shape == ()
    assert list(inspect.signature(linear_probe.choose_logistic).parameters)[:3] == ["X", "y", "validation"]


def test_a_start_near_the_end_takes_fewer_steps_to_the_same_end(rows):
    X, y = rows[0]
    cold = linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=L2[:2], tol=1e-9)
    again = linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=L2[:2], tol=1e-9, start=cold)
    assert (again.iterations < cold.iterations).all()
    torch.testing.assert_close(again.weight, cold.weight, rtol=0, atol=1e-6)
    far = linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=[1.0, 10.0], tol=1e-9, start=cold)
    assert far.converged.all()
    torch.testing.assert_close(
        far.weight, linear_probe.fit_logistic(X, y, subsets=SUBSETS, l2=[1.0, 10.0], tol=1e-9).weight, rtol=0, atol=1e-6
    )


def test_a_start_of_other_subsets_is_refused(rows):
    X, y = rows[0]
    start = linear_probe.fit_logistic(X, y, subsets=[[0, 1], [2, 3]], l2=L2[:2])
    for subsets, l2 in (([[0, 1], [3, 2]], L2[:2]), ([[0, 1]], L2[:2]), ([[0, 1], [2, 3]], L2)):
        with pytest.raises(InputError, match=r"expected start with weights of shape .* the same subsets"):
            linear_probe.fit_logistic(X, y, subsets=subsets, l2=l2, start=start)


def test_a_fit_that_is_clearly_behind_leaves_the_search_and_the_choice_stays():
    X = torch.randn(4000, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = (2 * X[:, :3] + torch.randn(4000, 3, generator=torch.Generator().manual_seed(1))).argmax(1)
    train, validation = (X[:160], y[:160]), (X[160:], y[160:])
    l2 = [1e-8, 1e-6, 1e-1, 1e0]
    _, choice = linear_probe.choose_logistic(*train, validation, l2=l2, tol=1e-8, search_tol=1e-7)
    path = linear_probe.fit_logistic(*train, l2=l2, tol=1e-7).accuracy(*validation)
    assert int(choice.index) == int(path.argmax())
    stopped = choice.score != path
    assert stopped.any(), "none left the search: nothing is tested"
    assert not stopped[choice.index]
    assert (choice.score[stopped] < choice.score.max()).all()


def test_behind_is_more_than_chance():
    best = torch.ones(400, dtype=torch.bool)
    clearly, hardly = best.clone(), best.clone()
    clearly[:20], hardly[:12] = False, False
    owners = torch.tensor([0, 0, 0, 1])
    assert _behind(torch.stack([best, clearly, hardly, ~best]), owners).tolist() == [False, True, False, False]


def test_a_resumed_search_is_the_search_that_never_stopped(rows):
    (X, y), _ = rows
    loss = CrossEntropy(
        torch.arange(15)[None], Gathered(torch.cat([X.T, torch.ones(1, len(X))])[None]), y, L2_OF_FOUR, 64
    )
    theta = torch.zeros(4, 3, 16, dtype=torch.float64)
    whole, iterations = minimise(loss, theta, tol=1e-6, max_iter=4)
    state = resume(loss, begin(loss, theta, warm=False), tol=1e-6, max_iter=2)
    assert (state.theta - whole).abs().max() > 1e-3
    state = resume(loss, state, tol=1e-6, max_iter=4)
    torch.testing.assert_close(state.theta, whole, rtol=0, atol=1e-6)
    assert state.iterations.tolist() == iterations.tolist()
    assert state.members.tolist() == [0, 1, 2, 3]
