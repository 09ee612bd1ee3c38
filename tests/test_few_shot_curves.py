"""Nearest-centroid curves: every size and mask from one pass equals a classifier fitted for it alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_few_shot import CosineCentroid, classes_around, curve_by_episodes, nearest_centroid

from diffred_core import few_shot
from diffred_core.errors import InputError

SIZES = [3, 1, 12, 7, 3]
TWINS = {"euclidean": nearest_centroid, "cosine": CosineCentroid}


@pytest.fixture(params=[1, 3], ids=["1 shot", "3 shots"])
def task(request):
    X, y = classes_around(6, 12, 12)
    return X, few_shot.sample_episodes(y, n_way=4, n_shot=request.param, n_query=5, n_episodes=9, seed=1)


def orders(n_episodes, d, seed=0):
    return torch.rand(n_episodes, d, generator=torch.Generator().manual_seed(seed)).argsort(1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("shared", [True, False], ids=["one order", "an order each"])
def test_every_size_equals_a_fit_of_its_own(task, metric, shared):
    X, episodes = task
    sizes = SIZES if metric == "euclidean" else [3, 2, 12, 7, 3]  # the cosine of one number is a tie of all
    order = orders(len(episodes), 12)
    order = order[0] if shared else order
    fast = few_shot.centroid_curve(X, episodes, order, sizes, metric=metric)
    slow = curve_by_episodes(TWINS[metric], X, episodes, order, sizes)
    np.testing.assert_allclose(fast, slow, atol=1e-12)
    assert len(np.unique(slow)) > 3  # the control: accuracies that differ
    other = few_shot.centroid_curve(X, episodes, order.flip(-1), sizes, metric=metric)
    assert not torch.allclose(fast, other)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("each", [True, False], ids=["a mask each", "one mask"])
def test_a_mask_equals_weighing_the_rows(task, metric, each):
    X, episodes = task
    order, mask = orders(len(episodes), 12), torch.rand(len(episodes), 12, generator=torch.Generator().manual_seed(3))
    mask = mask.double() if each else mask[0].double()
    sizes = [2, 12, 7]
    fast = few_shot.centroid_curve(X, episodes, order, sizes, metric=metric, mask=mask)
    np.testing.assert_allclose(fast, curve_by_episodes(TWINS[metric], X, episodes, order, sizes, mask=mask), atol=1e-12)
    assert not torch.equal(fast, few_shot.centroid_curve(X, episodes, order, sizes, metric=metric))


@pytest.mark.parametrize("memory_bytes", [1, 10_000, None], ids=["one by one", "several", "all at once"])
def test_many_masks_in_one_call_equal_a_call_each(task, memory_bytes):
    X, episodes = task
    masks = torch.rand(3, len(episodes), 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    order = orders(len(episodes), 12)
    together = few_shot.centroid_curve(X, episodes, order, SIZES, mask=masks, memory_bytes=memory_bytes)
    assert together.shape == (3, len(episodes), len(SIZES))
    for mask, found in zip(masks, together, strict=True):
        torch.testing.assert_close(found, few_shot.centroid_curve(X, episodes, order, SIZES, mask=mask))


def test_given_prototypes_take_the_place_of_the_means(task):
    X, episodes = task
    order = orders(len(episodes), 12)
    plain = few_shot.centroid_curve(X, episodes, order, SIZES)
    means = X[episodes.support].mean(2)
    torch.testing.assert_close(few_shot.centroid_curve(X, episodes, order, SIZES, prototypes=means), plain)
    # prototypes in the order of the classes turned round: no query of two classes at even distance stays right
    turned = few_shot.centroid_curve(X, episodes, order, SIZES, prototypes=means.flip(1))
    assert turned[:, 2].mean() < 0.2 < plain[:, 2].mean()


def test_relabelling_rows_features_or_classes_changes_nothing(task):
    X, episodes = task
    order, draw = orders(len(episodes), 12), torch.Generator().manual_seed(9)
    plain = few_shot.centroid_curve(X, episodes, order, SIZES)
    features, rows = torch.randperm(12, generator=draw), torch.randperm(len(X), generator=draw)
    moved = few_shot.centroid_curve(X[:, features], episodes, features.argsort()[order], SIZES)
    torch.testing.assert_close(moved, plain)
    place = rows.argsort()
    shuffled = few_shot.Episodes(place[episodes.support], place[episodes.query], episodes.classes, 0)
    torch.testing.assert_close(few_shot.centroid_curve(X[rows], shuffled, order, SIZES), plain)
    turned = few_shot.Episodes(episodes.support.flip(1), episodes.query.flip(1), episodes.classes.flip(1), 0)
    torch.testing.assert_close(few_shot.centroid_curve(X, turned, order, SIZES), plain)
    wrong = few_shot.Episodes(episodes.support, episodes.query.flip(1), episodes.classes, 0)
    assert few_shot.centroid_curve(X, wrong, order, SIZES)[:, 2].mean() < 0.2  # the control


def test_a_far_origin_does_not_cost_digits():
    X, y = classes_around(6, 12, 12)
    episodes = few_shot.sample_episodes(y, n_way=4, n_shot=1, n_query=5, n_episodes=40, seed=1)
    exact = few_shot.centroid_curve(X, episodes, torch.arange(12), SIZES)
    far = (X.float() + 5000.0).contiguous()
    assert (few_shot.centroid_curve(far, episodes, torch.arange(12), SIZES) - exact).abs().mean() < 0.005
    # the control: |z|^2 - 2 z.p + |p|^2 in float32 goes wrong here
    support, query = far[episodes.support[:, :, 0]], far[episodes.query].flatten(1, 2)
    distance = query.square().sum(-1)[..., None] - 2 * query @ support.mT + support.square().sum(-1)[:, None]
    naive = (distance.argmin(-1) == torch.arange(4).repeat_interleave(5)).double().mean(1)
    assert (naive - exact[:, 2]).abs().mean() > 0.05


def test_ties_share_their_hit():
    # one feature is the same in all rows, so the first size ties all classes; then two of three classes tie
    X = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.1], [1.0, 1.1], [1.0, 0.9]])
    support, query = torch.tensor([[[0], [1], [2]]]), torch.tensor([[[3], [4], [5]]])
    episodes = few_shot.Episodes(support, query, torch.tensor([[0, 1, 2]]), 0)
    for metric in ("euclidean", "cosine"):
        assert few_shot.centroid_curve(X, episodes, torch.arange(2), [1], metric=metric).item() == pytest.approx(1 / 3)
    assert few_shot.centroid_curve(X, episodes, torch.arange(2), [2]).item() == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_features_that_are_zero_score_chance(task):
    X, episodes = task
    X = torch.cat([torch.zeros_like(X[:, :2]), X], 1)
    for metric in ("euclidean", "cosine"):
        found = few_shot.centroid_curve(X, episodes, torch.arange(14), [1, 2, 14], metric=metric)
        assert torch.equal(found[:, :2], torch.full((len(episodes), 2), 0.25, dtype=torch.float64))
        assert found[:, 2].mean() > 0.3


def test_shuffled_labels_give_chance():
    X, y = classes_around(6, 30, 12)
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
    episodes = few_shot.sample_episodes(y, n_way=4, n_shot=3, n_query=9, n_episodes=400, seed=1)
    assert few_shot.centroid_curve(X, episodes, torch.arange(12), [12]).mean() == pytest.approx(0.25, abs=0.02)


def test_float32_and_every_device_agree(task, device):
    X, episodes = task
    order, masks = orders(len(episodes), 12), torch.rand(2, len(episodes), 12, dtype=torch.float64) + 0.1
    expected = few_shot.centroid_curve(X, episodes, order, SIZES, mask=masks)
    for dtype in (torch.float64, torch.float32):
        found = few_shot.centroid_curve(X.to(device, dtype), episodes, order, SIZES, mask=masks.to(device))
        assert (found.device.type, found.dtype) == (device.type, torch.float64)
        torch.testing.assert_close(found.cpu(), expected)


def bad(X, episodes):
    e, d = len(episodes), X.shape[1]
    nothing = torch.ones(e, d)
    nothing[3] = 0
    hole, repeated = X.clone(), orders(e, d)
    hole[0, 0], repeated[4, 0] = torch.nan, repeated[4, 1]
    return {
        "metric: expected one of euclidean, cosine, got 'cosin'; did you mean 'cosine'": {"metric": "cosin"},
        "expected finite values in X": {"X": hole},
        "as the episodes point to row": {"X": X[:10]},
        "expected order to be a permutation": {"order": torch.zeros(d, dtype=torch.long)},
        "every row of order to be a permutation": {"order": repeated},
        r"order of shape \(12,\) or \(9, 12\)": {"order": orders(e - 1, d)},
        "sizes from 1 to 12, got": {"sizes": [0, 3]},
        r"mask of shape \(12,\), \(9, 12\) or": {"mask": torch.ones(e, d - 1)},
        "got 1 of 9 that are 0 everywhere": {"mask": nothing},
        "weights in mask that are finite": {"mask": torch.full((d,), torch.inf)},
        r"finite prototypes of shape \(9, 4, 12\), got \(9, 3, 12\)": {"prototypes": torch.ones(e, 3, d)},
        "got NaN or infinity in them": {"prototypes": torch.full((e, 4, d), torch.nan)},
        "memory_bytes above 0, got 0": {"memory_bytes": 0},
    }


@pytest.mark.parametrize("message", bad(torch.ones(72, 12), range(9)))
def test_bad_input_is_named(task, message):
    X, episodes = task
    options = {"X": X, "order": torch.arange(12), "sizes": SIZES} | bad(X, episodes)[message]
    with pytest.raises(InputError, match=message):
        few_shot.centroid_curve(options.pop("X"), episodes, options.pop("order"), options.pop("sizes"), **options)
