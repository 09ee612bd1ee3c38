"""Linear heads in the span of the supports equal heads fitted on all features, at every size and mask."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from reference_few_shot import RidgeHead, classes_around, curve_by_episodes, logistic_head

from diffred_core import few_shot, linear_probe, moments
from diffred_core.errors import InputError
from diffred_core.few_shot._heads import logistic_coefficients, ridge_coefficients

SIZES = [3, 1, 12, 7, 3]
TWINS = {"ridge": RidgeHead, "logistic": logistic_head}


def make_task(n_shot=2, n_way=4, n_episodes=6):
    X, y = classes_around(6, 12, 12)
    episodes = few_shot.sample_episodes(y, n_way=n_way, n_shot=n_shot, n_query=5, n_episodes=n_episodes, seed=1)
    order = torch.rand(n_episodes, 12, generator=torch.Generator().manual_seed(0)).argsort(1)
    return X, episodes, order


@pytest.mark.parametrize(("n_shot", "n_way"), [(1, 4), (5, 4), (2, 2)], ids=["d>n", "n>d", "two classes"])
@pytest.mark.parametrize("head", ["ridge", "logistic"])
def test_every_size_equals_a_fit_in_all_features(head, n_shot, n_way):
    X, episodes, order = make_task(n_shot, n_way, n_episodes=3)
    fast = few_shot.linear_head_curve(X, episodes, order, SIZES, head=head, l2=0.05)
    slow = curve_by_episodes(partial(TWINS[head], l2=0.05), X, episodes, order, SIZES)
    np.testing.assert_allclose(fast, slow, atol=1e-12)
    assert len(np.unique(slow)) > 3


@pytest.mark.parametrize("head", ["ridge", "logistic"])
def test_masks_equal_weighing_the_rows_one_by_one_or_together(head):
    X, episodes, order = make_task(n_episodes=3)
    masks = torch.rand(2, 3, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    found = few_shot.linear_head_curve(X, episodes, order, SIZES, head=head, l2=0.01, mask=masks, memory_bytes=1)
    for mask, one in zip(masks, found, strict=True):
        np.testing.assert_allclose(
            one, curve_by_episodes(partial(TWINS[head], l2=0.01), X, episodes, order, SIZES, mask=mask), atol=1e-12
        )
    plain = few_shot.linear_head_curve(X, episodes, order, SIZES, head=head, l2=0.01)
    assert not torch.equal(plain, found[0])


def support_problem(n_shot=3, d=30):
    X, y = classes_around(4, n_shot, d)
    X, y = X[y.argsort(stable=True)], y.sort().values
    centred = X - X.mean(0)
    return X, y, centred, centred @ centred.T


@pytest.mark.parametrize("d", [30, 5], ids=["d>n", "n>d"])
@pytest.mark.parametrize("l2", [1.0, 1e-3])
def test_coefficients_are_those_of_the_probes_on_features(d, l2):
    X, y, centred, gram = support_problem(d=d)
    ridge, bias = ridge_coefficients(gram, 4, l2)
    probe = linear_probe.fit_ridge(moments.from_features(X, y, quartic=False), l2=l2)
    torch.testing.assert_close(centred.T @ ridge, probe.weight, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(centred @ centred.T @ ridge + bias, probe.scores(X), rtol=1e-6, atol=1e-8)
    logistic, bias = logistic_coefficients(gram, 4, l2)
    probe = linear_probe.fit_logistic(X, y, l2=l2, tol=1e-10)
    torch.testing.assert_close((centred.T @ logistic), probe.weight, rtol=1e-5, atol=1e-6)
    scores, expected = gram @ logistic + bias, probe.scores(X)
    torch.testing.assert_close(scores - scores.mean(1, True), expected - expected.mean(1, True), rtol=1e-5, atol=1e-5)


def test_the_gradient_of_a_logistic_head_is_zero_by_automatic_differentiation():
    _, y, centred, gram = support_problem()
    coefficients, bias = logistic_coefficients(gram, 4, 1e-2)
    weight = (centred.T @ coefficients).requires_grad_()
    bias = bias.requires_grad_()

    def gradient(w):
        loss = torch.nn.functional.cross_entropy(centred @ w + bias, y) + 1e-2 / 2 * w.square().sum()
        return max(part.abs().max().item() for part in torch.autograd.grad(loss, (w, bias)))

    length = centred.square().sum(1).mean().sqrt().item()
    assert gradient(weight) < 1e-8 * length
    assert gradient((0.9 * weight).detach().requires_grad_()) > 1e-4 * length  # the control


def test_heads_without_a_certificate_are_refused():
    gram = torch.stack([support_problem(d=d)[3] for d in (3, 30)])
    with pytest.raises(InputError, match=r"l2: .* every logistic head converges, got a gradient above 1e-08 in 2 of 2"):
        logistic_coefficients(gram, 4, 1e-3, max_iter=2)


def test_logistic_heads_do_not_depend_on_their_neighbours_in_the_batch():
    grams = torch.stack([support_problem(d=d)[3] for d in (3, 8, 30)])
    together = logistic_coefficients(grams, 4, 1e-2)[0]
    for gram, found in zip(grams, together, strict=True):
        torch.testing.assert_close(logistic_coefficients(gram, 4, 1e-2)[0], found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("head", ["ridge", "logistic"])
def test_scaling_features_like_the_root_of_l2_changes_nothing_but_scaling_alone_does(head):
    X, episodes, order = make_task(n_episodes=20)
    plain = few_shot.linear_head_curve(X, episodes, order, SIZES, head=head, l2=10.0)
    both = few_shot.linear_head_curve(1e4 * X, episodes, order, SIZES, head=head, l2=1e9)
    torch.testing.assert_close(both, plain)
    assert not torch.equal(few_shot.linear_head_curve(1e-4 * X, episodes, order, SIZES, head=head, l2=10.0), both * 0)
    alone = few_shot.linear_head_curve(1e4 * X, episodes, order, SIZES, head=head, l2=10.0)
    assert not torch.equal(alone, plain)


def test_supports_without_any_difference_score_chance():
    X, episodes, _ = make_task()
    X = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    for head in ("ridge", "logistic"):
        found = few_shot.linear_head_curve(X, episodes, torch.arange(13), [1, 13], head=head, l2=0.1)
        assert torch.equal(found[:, 0], torch.full((6,), 0.25, dtype=torch.float64))
        assert found[:, 1].mean() > 0.4


@pytest.mark.parametrize("head", ["ridge", "logistic"])
def test_every_device_agrees(head, device):
    X, episodes, order = make_task()
    expected = few_shot.linear_head_curve(X, episodes, order, SIZES, head=head, l2=0.1)
    found = few_shot.linear_head_curve(X.to(device), episodes, order, SIZES, head=head, l2=0.1)
    assert found.device.type == device.type
    torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "logit"}, "head: expected one of ridge, logistic, got 'logit'; did you mean 'logistic'"),
        ({"l2": 0.0}, "l2 above 0, got 0.0"),
        ({"sizes": [13]}, "sizes from 1 to 12"),
        ({"memory_bytes": 0}, "memory_bytes above 0"),
        ({"mask": torch.zeros(12)}, "0 everywhere"),
    ],
)
def test_bad_input_is_named(change, message):
    X, episodes, order = make_task()
    options = {"order": order, "sizes": SIZES, "l2": 0.1} | change
    with pytest.raises(InputError, match=message):
        few_shot.linear_head_curve(X, episodes, options.pop("order"), options.pop("sizes"), **options)
