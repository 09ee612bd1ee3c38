"""Many small networks side by side: each is what it would be alone, and like a network of torch."""

from __future__ import annotations

import math

import pytest
import torch

from diffred_core.chapters.training.perceptrons import HE, TORCH, PerceptronRecipe, Perceptrons, training
from diffred_core.errors import InputError

WIDTHS = (6, 16, 16, 3)
RECIPE = PerceptronRecipe(steps=30, batch_size=20, learning_rate=0.01)


@pytest.fixture(scope="module")
def rows():
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(3, (90,), generator=draw)
    return 2 * torch.nn.functional.one_hot(y, 6).float() + torch.randn(90, 6, generator=draw), y


def trained(rows, seeds, **options):
    options = {"recipe": RECIPE, "setting": "a test", **options}
    *_, (_, networks) = training(Perceptrons.drawn(WIDTHS, seeds), *rows, seeds=seeds, **options)
    return networks


def test_outputs_are_those_of_a_network_of_torch(rows):
    networks = Perceptrons.drawn(WIDTHS, [3, 4])
    layers = []
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        linear = torch.nn.Linear(*weight[1].shape)
        linear.weight.data, linear.bias.data = weight[1].T, bias[1, 0]
        layers += [linear, torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1])
    outputs = networks.outputs(rows[0])
    torch.testing.assert_close(outputs[-1][1], module(rows[0]))
    assert not torch.allclose(outputs[-1][0], module(rows[0]))
    assert [tuple(layer.shape) for layer in outputs] == [(2, 90, 16), (2, 90, 16), (2, 90, 3)]
    assert networks.accuracy(*rows)[1] == (module(rows[0]).argmax(1) == rows[1]).double().mean()


def test_a_network_is_trained_as_it_would_be_alone(rows):
    together, alone = trained(rows, [1, 2]), trained(rows, [2])
    for a, b in zip(together[1:].weights, alone.weights, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(together.weights[0][0], alone.weights[0][0])
    assert together.accuracy(*rows).min() > 0.8 > Perceptrons.drawn(WIDTHS, [1, 2]).accuracy(*rows).max()


@pytest.mark.parametrize(("initial", "variance"), [(HE, 2 / 300), (TORCH, 1 / 900)])
def test_first_weights_have_their_variance(initial, variance):
    weight = Perceptrons.drawn((300, 200), [0, 1], initial=initial).weights[0]
    assert weight.var().item() == pytest.approx(variance, rel=0.03)
    reach = math.inf if initial == HE else 1 / math.sqrt(300)
    assert weight.abs().max() <= reach


def test_masked_weights_stay_zero_and_the_others_move(rows):
    masks = [
        (torch.rand(w.shape, generator=torch.Generator().manual_seed(5)) < 0.5).float()
        for w in Perceptrons.drawn(WIDTHS, [0, 1]).weights
    ]
    networks = trained(rows, [0, 1], masks=masks)
    for weight, mask, first in zip(networks.weights, masks, Perceptrons.drawn(WIDTHS, [0, 1]).weights, strict=True):
        assert not weight[mask == 0].any()
        assert (weight != first)[mask == 1].float().mean() > 0.6  # units that no row reaches rest


def test_an_l2_penalty_and_noise_are_of_their_own_network(rows):
    plain, decayed = trained(rows, [0, 1]), trained(rows, [0, 1], l2=torch.tensor([0.0, 0.1]))
    torch.testing.assert_close(plain.weights[0][0], decayed.weights[0][0])
    assert decayed.weights[0][1].norm() < 0.8 * plain.weights[0][1].norm()
    quiet, noisy = (trained(rows, [0], noise=torch.full((6,), s)) for s in (0.0, 1.0))
    torch.testing.assert_close(quiet.weights[0], plain.weights[0][:1], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(noisy.weights[0], quiet.weights[0], atol=1e-3)


def test_networks_are_looked_at_where_it_is_asked(rows):
    steps = dict(training(Perceptrons.drawn(WIDTHS, [0]), *rows, recipe=RECIPE, seeds=[0], setting="a test", at=(0, 7)))
    assert list(steps) == [0, 7, 30]
    assert torch.equal(steps[0].weights[0], Perceptrons.drawn(WIDTHS, [0]).weights[0])


def test_bad_input_is_a_sentence(rows):
    with pytest.raises(InputError, match="expected widths of inputs, layers and outputs"):
        Perceptrons.drawn((4, 0, 2), [0])
    with pytest.raises(InputError, match="expected initial to be one of he, torch, got 'hee'"):
        Perceptrons.drawn(WIDTHS, [0], initial="hee")
    with pytest.raises(InputError, match="expected steps above 0, got 0"):
        PerceptronRecipe(steps=0)
    with pytest.raises(InputError, match="expected at least batch_size=20 rows of a test, got 5"):
        trained((rows[0][:5], rows[1][:5]), [0])
    with pytest.raises(InputError, match=r"expected a finite loss, got \w+ at step \d+ of a test, seed 7"):
        trained(rows, [7], recipe=PerceptronRecipe(steps=30, batch_size=20, learning_rate=1e20, optimiser="sgd"))
