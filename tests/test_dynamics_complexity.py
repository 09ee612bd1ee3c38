"""Geometric complexity of small networks: exact for linear ones, and that of the slow Jacobian for others."""

from __future__ import annotations

import pytest
import torch

from diffred_core.chapters.training import complexity
from diffred_core.chapters.training.perceptrons import PerceptronRecipe, Perceptrons
from diffred_core.errors import InputError


@pytest.fixture(scope="module")
def networks():
    return Perceptrons.drawn((5, 12, 9, 3), [0, 1])


X = torch.randn(20, 5, generator=torch.Generator().manual_seed(2))


def test_it_is_that_of_the_jacobian_row_by_row(networks):
    for i, value in enumerate(complexity.network_complexity(networks, X)):
        one = networks[slice(i, i + 1)]
        slow = [torch.func.jacrev(lambda x, of=one: of.outputs(x[None])[-1][0, 0])(x).square().sum() for x in X]
        assert value.item() == pytest.approx(float(torch.stack(slow).mean()), rel=1e-5)


def test_a_linear_map_has_its_squared_norm():
    linear = Perceptrons.drawn((5, 3), [0, 1])
    expected = linear.weights[0].double().square().sum((1, 2))
    torch.testing.assert_close(complexity.network_complexity(linear, X), expected)
    torch.testing.assert_close(complexity.network_complexity(linear, 100 * X), expected)


def test_it_grows_with_the_square_of_the_outputs_and_is_0_where_no_unit_is_active(networks):
    value = complexity.network_complexity(networks, X)
    larger = Perceptrons((*networks.weights[:-1], 3 * networks.weights[-1]), networks.biases)
    torch.testing.assert_close(complexity.network_complexity(larger, X), 9 * value, rtol=1e-5, atol=0)
    dead = Perceptrons(networks.weights, (networks.biases[0] - 1e3, *networks.biases[1:]))
    assert not complexity.network_complexity(dead, X).any()


def test_noisy_labels_are_wrong_in_their_share():
    y = torch.arange(1000) % 7
    for share in (0.0, 0.25, 1.0):
        changed = complexity.noisy_labels(y, share, n_classes=7, seed=3)
        assert (changed != y).double().mean() == share
        assert changed.min() >= 0
        assert changed.max() <= 6
    assert not torch.equal(changed, complexity.noisy_labels(y, 1.0, n_classes=7, seed=4))


def parts():
    draw = torch.Generator().manual_seed(1)
    y = torch.randint(3, (240,), generator=draw)
    X = 2 * torch.nn.functional.one_hot(y, 5).float() + torch.randn(240, 5, generator=draw)
    return (X[:160], y[:160]), (X[160:], y[160:])


OPTIONS = {
    "widths": (5, 16, 3),
    "seeds": [0, 1],
    "recipe": PerceptronRecipe(steps=150, batch_size=40, learning_rate=0.01),
}


def test_a_penalty_makes_networks_less_steep_and_noise_steeper():
    done = list(complexity.trained_with(*parts(), **OPTIONS, l2=(0.0, 0.05), label_noise=(0.0, 0.5)))
    assert [(one.what, one.strength) for one in done] == [
        ("l2", 0.0),
        ("l2", 0.05),
        ("label_noise", 0.0),
        ("label_noise", 0.5),
    ]
    plain, decayed, same, noisy = (one.complexity for one in done)
    assert (decayed < 0.5 * plain).all()
    torch.testing.assert_close(same, plain)
    assert not torch.allclose(noisy, plain, rtol=0.01)


def test_learning_rates_are_compared_at_one_time_of_the_flow():
    recipe = PerceptronRecipe(steps=100, batch_size=40, learning_rate=0.01, optimiser="sgd")
    options = OPTIONS | {"recipe": recipe}
    slow, fast, batch = complexity.trained_by(*parts(), **options, learning_rate=(0.01, 0.02), batch_size=(40,))
    torch.testing.assert_close(slow.complexity, fast.complexity, rtol=0.05, atol=0)
    torch.testing.assert_close(slow.complexity, batch.complexity)
    (longer,) = complexity.trained_by(
        *parts(),
        **OPTIONS | {"recipe": PerceptronRecipe(**vars(recipe) | {"steps": 200})},
        learning_rate=(0.01,),
        batch_size=(),
    )
    assert not torch.allclose(longer.complexity, slow.complexity, rtol=0.05)


def test_bad_input_is_a_sentence():
    with pytest.raises(InputError, match="expected l2 of at least 0, got -1"):
        list(complexity.trained_with(*parts(), **OPTIONS, l2=(-1.0,)))
    with pytest.raises(InputError, match=r"expected label noise in \[0, 1\], got 1.5"):
        list(complexity.trained_with(*parts(), **OPTIONS, label_noise=(1.5,)))
