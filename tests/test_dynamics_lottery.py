"""Iterative magnitude pruning: exactly so many weights go, the smallest ones, and the others begin where they began."""

from __future__ import annotations

import pytest
import torch

from diffred_core.chapters.training import lottery
from diffred_core.chapters.training.perceptrons import PerceptronRecipe
from diffred_core.errors import InputError


@pytest.fixture
def weights():
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(2, 10, 7, generator=draw), torch.randn(2, 7, 5, generator=draw)]


def test_the_smallest_weights_of_every_layer_go_and_half_as_many_in_the_last(weights):
    masks = [torch.ones_like(w) for w in weights]
    for _ in range(2):
        before, masks = masks, lottery.pruned(masks, weights, rate=0.36)
        for i, (mask, old, weight) in enumerate(zip(masks, before, weights, strict=True)):
            left = int(old[0].sum())
            dropped = round((0.36 if i == 0 else 0.18) * left)
            assert (mask.flatten(1).sum(1) == left - dropped).all()
            assert (mask <= old).all()  # what is gone stays gone
            for network in range(2):
                gone = weight[network][(mask < old)[network]].abs()
                kept = weight[network][mask[network] > 0].abs()
                assert gone.max() < kept.min()


def test_of_equal_weights_exactly_so_many_go():
    (mask,) = lottery.pruned([torch.ones(1, 4, 5)], [torch.ones(1, 4, 5)], rate=0.4)
    assert int(mask.sum()) == 16  # half of the rate: it is the last layer


def test_shuffled_masks_have_as_many_weights_at_other_places(weights):
    masks = lottery.pruned([torch.ones_like(w) for w in weights], weights, rate=0.5)
    moved = lottery.shuffled(masks, [0, 1])
    for a, b in zip(masks, moved, strict=True):
        assert torch.equal(a.flatten(1).sum(1), b.flatten(1).sum(1))
        assert not torch.equal(a, b)
    assert all(torch.equal(a, b) for a, b in zip(moved, lottery.shuffled(masks, [0, 1]), strict=True))


def rounds(**options):
    draw = torch.Generator().manual_seed(1)
    y = torch.randint(4, (240,), generator=draw)
    X = 2 * torch.nn.functional.one_hot(y, 12).float() + torch.randn(240, 12, generator=draw)
    parts = (X[:160], y[:160]), (X[160:], y[160:])
    recipe = PerceptronRecipe(steps=60, batch_size=40, learning_rate=5e-3)
    options = {"widths": (12, 40, 20, 4), "seeds": [0, 1], "recipe": recipe, "n_rounds": 3, "early": 5} | options
    return list(lottery.pruning_rounds(*parts, **options))


def test_rounds_have_their_shares_and_kinds():
    done = rounds(rate=0.5)
    assert [len(one.final) for one in done] == [1, 3, 3, 3]
    n_weights = [12 * 40, 40 * 20, 20 * 4]
    left = [1.0, 1.0, 1.0]
    for one in done:
        assert one.share == pytest.approx(
            sum(n * s for n, s in zip(n_weights, left, strict=True)) / sum(n_weights), abs=1e-3
        )
        left = [left[0] / 2, left[1] / 2, left[2] * 0.75]
        assert all(values.shape == (2,) for values in (*one.early.values(), *one.final.values()))
    whole = done[0]
    assert (whole.final[lottery.TICKET] > whole.early[lottery.TICKET]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.0}, r"expected a pruning rate in \(0, 1\), got 1.0"),
        ({"n_rounds": 0}, "expected n_rounds of at least 1, got 0"),
        ({"early": 60}, r"expected early within 1..59, before the last step, got 60"),
    ],
)
def test_bad_input_is_a_sentence(options, message):
    with pytest.raises(InputError, match=message):
        rounds(**options)
