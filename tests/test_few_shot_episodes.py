"""Episodes: who may be drawn, that nothing leaks from support to query, and what a seed means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffred_core import few_shot
from diffred_core.errors import InputError

NUMBERS = {"n_way": 3, "n_shot": 2, "n_query": 4, "n_episodes": 300, "seed": 5}


@pytest.fixture
def y():
    # five classes with gaps in their numbers, unequal sizes, in shuffled order; class 40 is too small
    sizes = {1: 12, 3: 30, 4: 9, 40: 5, 7: 17}
    labels = torch.cat([torch.full((n,), label) for label, n in sizes.items()])
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**40))
def test_an_episode_holds_distinct_rows_of_distinct_classes(n_way, n_shot, n_query, seed):
    y = torch.arange(60) % 4 * 3
    episodes = few_shot.sample_episodes(y, n_way=n_way, n_shot=n_shot, n_query=n_query, n_episodes=20, seed=seed)
    assert episodes.support.shape == (20, n_way, n_shot)
    assert episodes.query.shape == (20, n_way, n_query)
    for support, query, classes in zip(episodes.support, episodes.query, episodes.classes, strict=True):
        assert len(set(classes.tolist())) == n_way
        rows = torch.cat([support, query], 1)
        assert len(set(rows.flatten().tolist())) == rows.numel()  # no repeats, so support and query are disjoint
        assert torch.equal(y[rows], classes[:, None].expand_as(rows))


def test_sizes_are_properties(y):
    episodes = few_shot.sample_episodes(y, **NUMBERS)
    assert (episodes.n_episodes, episodes.n_way, episodes.n_shot, episodes.n_query) == (300, 3, 2, 4)
    assert len(episodes) == 300
    assert episodes.seed == 5


def test_small_classes_do_not_take_part(y):
    assert 40 not in few_shot.sample_episodes(y, **NUMBERS).classes
    assert 40 in few_shot.sample_episodes(y, **NUMBERS | {"n_query": 3}).classes


def test_rows_and_classes_come_up_evenly(y):
    episodes = few_shot.sample_episodes(y, **NUMBERS | {"n_episodes": 4000})
    share = torch.bincount(episodes.classes.flatten(), minlength=8)[[1, 3, 4, 7]] / 4000
    torch.testing.assert_close(share, torch.full((4,), 0.75), atol=0.04, rtol=0)
    for rows in (episodes.support, episodes.query):  # every row, not the first ones in the order of the file
        of_class = rows[episodes.classes == 3].flatten()
        count = torch.bincount(of_class, minlength=len(y))[y == 3].double()
        expected = count.sum() / 30
        assert ((count - expected).abs() < 5 * expected.sqrt()).all()


def test_a_seed_means_the_same_episodes_and_another_seed_others(y):
    first = few_shot.sample_episodes(y, **NUMBERS)
    assert few_shot.sample_episodes(y, **NUMBERS).digest == first.digest
    assert few_shot.sample_episodes(y.numpy(), **NUMBERS).digest == first.digest
    assert few_shot.sample_episodes(y, **NUMBERS | {"seed": 6}).digest != first.digest


def test_a_seed_does_not_touch_or_heed_the_global_state(y):
    torch.manual_seed(1)
    before = few_shot.sample_episodes(y, **NUMBERS).digest
    expected = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), expected)
    assert few_shot.sample_episodes(y, **NUMBERS).digest == before


def test_the_digest_sees_a_change_of_one_row(y):
    first = few_shot.sample_episodes(y, **NUMBERS)
    query = first.query.clone()
    query[-1, -1, -1] += 1
    assert few_shot.Episodes(first.support, query, first.classes, first.seed).digest != first.digest


def test_fewer_episodes_are_the_first_of_more(y):
    few = few_shot.sample_episodes(y, **NUMBERS | {"n_episodes": 257})
    many = few_shot.sample_episodes(y, **NUMBERS | {"n_episodes": 600})
    assert torch.equal(many.support[:257], few.support)
    assert torch.equal(many.query[:257], few.query)
    assert not torch.equal(many.classes[256 : 256 + 64], many.classes[:64])  # blocks do not repeat


def test_more_shots_keep_the_queries_and_more_ways_the_classes():
    y = torch.arange(200) % 8
    few = few_shot.sample_episodes(y, **NUMBERS)
    shots = few_shot.sample_episodes(y, **NUMBERS | {"n_shot": 6})
    assert torch.equal(shots.query, few.query)
    assert torch.equal(shots.support[..., :2], few.support)
    ways = few_shot.sample_episodes(y, **NUMBERS | {"n_way": 7})
    assert torch.equal(ways.query[:, :3], few.query)
    assert torch.equal(ways.classes[:, :3], few.classes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_way": 6}, r"at least n_way=6 classes with 6 rows each .* got 4 of 5 classes \(largest classes have \[30,"),
        ({"n_way": 5}, "got 4 of 5 classes"),
        ({"n_shot": 9, "n_query": 22}, r"n_way=3 classes with 31 rows each \(n_shot=9 and n_query=22\), got 0 of 5"),
        ({"n_way": 1}, "n_way of at least 2, got 1"),
        ({"n_shot": 0}, "n_shot of at least 1, got 0"),
        ({"n_query": 0}, "n_query of at least 1, got 0"),
        ({"n_episodes": 0}, "n_episodes of at least 1, got 0"),
    ],
)
def test_what_cannot_be_drawn_is_named(y, change, message):
    with pytest.raises(InputError, match=message):
        few_shot.sample_episodes(y, **NUMBERS | change)


@pytest.mark.parametrize(
    ("y", "message"),
    [(np.ones((3, 2), dtype=int), r"y of shape \(6,\)"), (torch.rand(9), "integer class indices")],
)
def test_labels_that_are_none_are_named(y, message):
    with pytest.raises(InputError, match=message):
        few_shot.sample_episodes(y, **NUMBERS)


def test_a_seed_means_the_same_episodes_in_every_version():
    """Tables of two versions are paired only if they are; a change of this digest is a change of all of them."""
    y = torch.arange(6).repeat(20)
    found = few_shot.sample_episodes(y, n_way=3, n_shot=2, n_query=4, n_episodes=5, seed=0)
    assert found.digest == "5b03017c49da6a180999a6b486bd7a19b3182069a478dfd3f2b088ef63baa591"
