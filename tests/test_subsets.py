"""The draw of the subsets: the published rule, on every device the same."""

import pytest
import torch

from diffred_core.errors import InputError
from diffred_core.subsets import check_order, prefix_masks, random_order, subset_sizes, top_size


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_order_is_the_published_draw(seed):
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    published = torch.randperm(2048)
    torch.random.set_rng_state(before)
    assert torch.equal(random_order(2048, seed=seed), published)


def test_order_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    random_order(64, seed=3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_order_is_a_permutation_and_depends_on_the_seed():
    first, second = random_order(100, seed=0), random_order(100, seed=1)
    assert torch.equal(first.sort().values, torch.arange(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, random_order(100, seed=0))


def test_every_feature_comes_first_equally_often():
    first = torch.tensor([int(random_order(8, seed=seed)[0]) for seed in range(1600)])
    # 200 expected a feature, standard deviation 13.2
    assert (torch.bincount(first, minlength=8) - 200).abs().max() < 5 * 13.3


def test_sizes_truncate_as_published_but_never_to_zero():
    assert subset_sizes(2048, [0.0005, 0.001, 0.005, 0.1, 0.2, 0.3, 1.0]) == [1, 2, 10, 204, 409, 614, 2048]
    assert subset_sizes(384, [0.0005, 0.001, 0.005]) == [1, 1, 1]  # the published code keeps none of 384 here


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.2, float("nan")])
def test_fraction_outside_the_unit_interval_is_refused(fraction):
    with pytest.raises(InputError, match=r"expected fractions in \(0, 1\], got .*pass 1.0 for all features"):
        subset_sizes(10, [0.5, fraction])


@pytest.mark.parametrize("call", [lambda: random_order(0, seed=0), lambda: subset_sizes(0, [0.5])])
def test_no_features_are_refused(call):
    with pytest.raises(InputError, match="n_features of at least 1, got 0"):
        call()


def test_masks_are_the_prefixes_and_nested(device):
    order = random_order(50, seed=2).to(device)
    masks = prefix_masks(order, [1, 7, 50])
    assert masks.shape == (3, 50)
    assert masks.dtype == torch.float64
    for mask, size in zip(masks, [1, 7, 50], strict=True):
        assert torch.equal(mask.nonzero().squeeze(1).cpu(), order[:size].sort().values.cpu())
    assert bool((masks[0] <= masks[1]).all())
    assert bool((masks[1] <= masks[2]).all())


@pytest.mark.parametrize("sizes", [[0], [11], [], [3, -1]])
def test_sizes_outside_the_layer_are_refused(sizes):
    with pytest.raises(InputError, match="expected sizes from 1 to 10"):
        prefix_masks(random_order(10, seed=0), sizes)


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [[0, 1]]])
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(InputError, match="expected order to be a permutation"):
        prefix_masks(torch.tensor(order), [1])


def test_order_of_another_layer_is_refused():
    with pytest.raises(InputError, match=r"permutation of 0, \.\.\., 11"):
        check_order(random_order(10, seed=0), [1], n_features=12)


@pytest.mark.parametrize(
    ("n_features", "fraction", "size"),
    [(1280, 0.001, 2), (1280, 0.05, 64), (100, 0.07, 7), (3, 0.34, 2), (10, 1.0, 10)],
)
def test_the_top_of_a_ranking_is_never_less_than_asked_for(n_features, fraction, size):
    assert top_size(n_features, fraction) == size


def test_the_top_of_a_ranking_is_a_share():
    with pytest.raises(InputError, match=r"fractions in \(0, 1\], got 0"):
        top_size(10, 0)
