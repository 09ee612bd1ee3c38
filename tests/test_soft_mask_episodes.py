"""Statistics and importance of thousands of episodes at once equal those of each, computed from its rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_few_shot import class_rows, classes_around, importance_by_pairs
from scipy.stats import kendalltau

from diffred_core import few_shot, soft_mask
from diffred_core.errors import InputError


def make_task(n_shot, n_episodes=5, n_views=4):
    X, y = classes_around(5, 11, 6)
    draw = torch.Generator().manual_seed(2)
    views = X[:, None] + 0.3 * torch.randn(len(X), n_views, 6, generator=draw, dtype=torch.float64)
    episodes = few_shot.sample_episodes(y, n_way=3, n_shot=n_shot, n_query=4, n_episodes=n_episodes, seed=3)
    return X, y, views, episodes


def assert_statistics_equal(found, groups_of, episodes):
    for i in range(len(episodes)):
        groups = [groups_of(i, c) for c in range(episodes.n_way)]
        for c, rows in enumerate(groups):
            np.testing.assert_allclose(found.mean[i, c], rows.mean(0), rtol=1e-12)
            np.testing.assert_allclose(found.spread[i, c], rows.std(0, ddof=1), rtol=1e-10)
            assert found.count[i, c] == len(rows)
        np.testing.assert_allclose(found.magnitude[i], np.abs(np.concatenate(groups)).mean(0), rtol=1e-12)


@pytest.mark.parametrize(("n_shot", "with_views"), [(1, True), (3, True), (3, False)])
def test_support_statistics_equal_those_of_the_rows_and_their_views(n_shot, with_views):
    X, y, views, episodes = make_task(n_shot)
    views = views if with_views else None
    found = soft_mask.episode_statistics(X, episodes, views=views)
    assert_statistics_equal(found, lambda i, c: class_rows(X, y, episodes, i, c, views=views), episodes)
    assert not torch.allclose(found.spread[0], found.spread[1])
    for kind in ("mean_pair", "rank_mean"):
        R = soft_mask.importance(found, kind=kind)
        for i in range(len(episodes)):
            groups = [class_rows(X, y, episodes, i, c, views=views) for c in range(3)]
            np.testing.assert_allclose(R[i], importance_by_pairs(groups, kind), rtol=1e-9)


@pytest.mark.parametrize("without", ["nothing", "queries", "episode"])
def test_oracles_equal_recomputing_without_the_rows_left_out(without):
    X, y, _, episodes = make_task(2)
    found = soft_mask.oracle_statistics(X, y, episodes, without=without)
    rows = {"source": "oracle", "without": without}
    assert_statistics_equal(found, lambda i, c: class_rows(X, y, episodes, i, c, **rows), episodes)
    if without != "nothing":  # the control: leaving rows out is seen
        assert not torch.allclose(found.mean, soft_mask.oracle_statistics(X, y, episodes).mean)


def test_the_oracle_of_a_disjoint_split_reads_only_labels():
    X, y, _, episodes = make_task(1)
    other, labels = classes_around(5, 7, 6, seed=9)
    found = soft_mask.oracle_statistics(other, labels, episodes)
    expected = soft_mask.class_statistics(other, labels)
    torch.testing.assert_close(found.mean, expected.mean[episodes.classes])
    torch.testing.assert_close(found.spread, expected.spread[episodes.classes])
    assert not torch.allclose(found.mean, soft_mask.oracle_statistics(X, y, episodes).mean)


def test_what_an_oracle_leaves_out_cannot_be_told_from_it():
    X, y, _, episodes = make_task(2)
    changed = X.clone()
    changed[episodes.query[0].flatten()] += 100.0
    before, after = (soft_mask.oracle_statistics(Z, y, episodes, without="queries") for Z in (X, changed))
    torch.testing.assert_close(after.mean[0], before.mean[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(after.spread[0], before.spread[0], rtol=1e-6, atol=1e-6)
    leaky = soft_mask.oracle_statistics(changed, y, episodes)
    assert not torch.allclose(leaky.mean[0], before.mean[0], atol=1.0)  # the control


def test_a_unit_silent_in_the_rows_left_has_no_importance():
    X, y, _, episodes = make_task(2)
    X = X.clone()
    X[:, 0] = 0.0
    spoken = episodes.query[0].flatten()
    X[spoken, 0] = torch.rand(len(spoken), generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 3
    left = soft_mask.importance(soft_mask.oracle_statistics(X, y, episodes, without="queries"))
    assert left[0, 0] == 0
    assert soft_mask.importance(soft_mask.oracle_statistics(X, y, episodes))[0, 0] > 0


def test_statistics_come_in_the_dtype_and_on_the_device_of_the_features(device):
    X, y, views, episodes = make_task(2)
    for dtype, limit in ((torch.float32, 1e-4), (torch.float64, 1e-10)):
        rows, more = X.to(device, dtype), views.to(device, dtype)
        for found, expected in (
            (
                soft_mask.episode_statistics(rows, episodes, views=more),
                soft_mask.episode_statistics(X, episodes, views=views),
            ),
            (
                soft_mask.oracle_statistics(rows, y, episodes, without="queries"),
                soft_mask.oracle_statistics(X, y, episodes, without="queries"),
            ),
        ):
            for name in ("mean", "spread", "count", "magnitude"):
                value = getattr(found, name)
                assert (value.dtype, value.device.type) == (dtype, device.type)
                torch.testing.assert_close(value.cpu().double(), getattr(expected, name), rtol=limit, atol=limit)


def test_a_far_origin_does_not_cost_the_spread_its_digits():
    X, _, views, episodes = make_task(3)
    near = soft_mask.episode_statistics(X, episodes, views=views).spread
    far = soft_mask.episode_statistics(X + 1e6, episodes, views=views + 1e6).spread
    torch.testing.assert_close(far, near, rtol=1e-7, atol=0)
    rows = torch.cat([X[:, None], views], 1)[episodes.support[0, 0], :, 0].flatten().float() + 1e6
    naive = (rows.square().mean() - rows.mean().square()).clamp_min(0).sqrt()
    assert abs(naive - near[0, 0, 0]) > 0.1 * near[0, 0, 0]  # the control: E z^2 - (E z)^2 in float32


def test_the_order_of_importance_ignores_scales_that_change_plain_accuracy():
    X, _, views, episodes = make_task(2, n_episodes=40)
    scale = torch.logspace(-2, 2, 6, dtype=torch.float64)
    for kind in ("mean_pair", "max_pair", "min_pair", "fisher", "rank_mean"):
        plain, scaled = (
            soft_mask.importance(soft_mask.episode_statistics(X * s, episodes, views=views * s), kind=kind).argsort(-1)
            for s in (torch.ones(6, dtype=torch.float64), scale)
        )
        assert torch.equal(plain, scaled)
    found, moved = (few_shot.centroid_curve(Z, episodes, torch.arange(6), [6]) for Z in (X, X * scale))
    assert (found - moved).abs().mean() > 0.05  # the control


def test_estimates_agree_with_the_truth_more_at_more_shots_and_shuffled_ones_not_at_all():
    gap, spread = few_shot.gaussian_problem(80, 20, seed=0)
    X, y = few_shot.gaussian_classes(torch.stack([gap, 0 * gap]), spread, n_rows=80, seed=1)

    def concordance(X, n_shot):  # share of pairs of features that estimate and truth put in the same order
        episodes = few_shot.sample_episodes(y, n_way=2, n_shot=n_shot, n_query=1, n_episodes=30, seed=0)
        R = soft_mask.importance(soft_mask.episode_statistics(X, episodes))
        return np.mean([(1 + kendalltau(r, gap / spread).statistic) / 2 for r in R])

    few, many = concordance(X, 2), concordance(X, 40)
    assert 0.52 < few < many - 0.1
    shuffled = X[torch.randperm(len(X), generator=torch.Generator().manual_seed(0))]
    assert concordance(shuffled, 40) == pytest.approx(0.5, abs=0.06)


def test_one_task_is_one_of_many():
    X, _, views, episodes = make_task(2)
    found = soft_mask.episode_statistics(X, episodes, views=views)
    R = soft_mask.importance(found, shrinkage=0.5)
    torch.testing.assert_close(soft_mask.importance(found.of(3), shrinkage=0.5), R[3])
    assert R.shape == (5, 6)


def test_importance_of_many_does_not_depend_on_the_size_of_the_chunks(monkeypatch):
    X, y, views, episodes = make_task(2)
    found = soft_mask.episode_statistics(X, episodes, views=views)
    known = soft_mask.oracle_statistics(X, y, episodes, without="episode")
    plain = {kind: soft_mask.importance(found, kind=kind) for kind in ("mean_pair", "fisher", "rank_mean")}
    monkeypatch.setattr("diffred_core.soft_mask._mask._CHUNK_VALUES", 1)
    monkeypatch.setattr("diffred_core.soft_mask._statistics._CHUNK_VALUES", 1)
    torch.testing.assert_close(soft_mask.episode_statistics(X, episodes, views=views).spread, found.spread)
    torch.testing.assert_close(soft_mask.oracle_statistics(X, y, episodes, without="episode").spread, known.spread)
    for kind, expected in plain.items():
        torch.testing.assert_close(soft_mask.importance(found, kind=kind), expected)


def test_a_mask_from_the_support_helps_where_few_features_speak():
    gap, spread = few_shot.gaussian_problem(200, 6, seed=0, strong=1.6, weak=0.0)
    means = torch.stack([gap, -gap, 0 * gap])
    X, y = few_shot.gaussian_classes(means, spread, n_rows=60, seed=1)
    episodes = few_shot.sample_episodes(y, n_way=3, n_shot=5, n_query=10, n_episodes=100, seed=0)
    known = soft_mask.episode_statistics(X, episodes)
    masks = [
        soft_mask.mask(soft_mask.importance(known), kind=kind, spread=known.spread, n_shot=5)
        for kind in ("scaled", "theory")
    ]
    masks = torch.stack([torch.ones_like(masks[0]), *masks])
    plain, scaled, theory = few_shot.centroid_curve(X, episodes, torch.arange(200), [200], mask=masks).mean((1, 2))
    assert scaled > plain + 0.03
    assert theory > plain + 0.03


def bad(X, y, views, episodes):
    hole = views.clone()
    hole[0, 0, 0] = torch.nan
    used = views.clone()
    used[episodes.support[0, 0, 0], 0, 0] = torch.inf
    stats, oracle = soft_mask.episode_statistics, soft_mask.oracle_statistics
    return {
        "views: expected augmented views .* at n_shot=1, .* got None; pass views": lambda: stats(X, episodes),
        r"views: expected shape \(55, n_views, 6\).* got \(54, 4, 6\)": lambda: stats(X, episodes, views=views[1:]),
        r"got \(55, 4\)": lambda: stats(X, episodes, views=views[..., 0]),
        r"got \(55, 0, 6\)": lambda: stats(X, episodes, views=views[:, :0]),
        "views: expected finite values": lambda: stats(X, episodes, views=used),
        "expected at least .* rows in X": lambda: stats(X[:9], episodes, views=views[:9]),
        "without: expected one of nothing, queries, episode, got 'query'; did you mean 'queries'": lambda: oracle(
            X, y, episodes, without="query"
        ),
        r"expected y of shape \(55,\)": lambda: oracle(X, y[1:], episodes),
        r"y: expected at least 2 rows of every class of the episodes .* got 0 of class": lambda: oracle(
            X[:3], y[:3] * 0 + 9, episodes
        ),
    }


@pytest.mark.parametrize("message", bad(*make_task(1)))
def test_bad_input_is_named(message):
    with pytest.raises(InputError, match=message):
        bad(*make_task(1))[message]()


def test_an_oracle_that_leaves_too_few_rows_is_refused():
    X, y, _, _ = make_task(1)
    episodes = few_shot.sample_episodes(y, n_way=3, n_shot=1, n_query=10, n_episodes=5, seed=3)
    assert soft_mask.oracle_statistics(X, y, episodes).mean.shape == (5, 3, 6)
    with pytest.raises(InputError, match=r"y: expected at least 12 rows .*two beyond the 10 .* got 11 of class"):
        soft_mask.oracle_statistics(X, y, episodes, without="queries")
