"""Batch entropy of deep networks: theory of wide layers, and networks in which nothing arrives."""

from __future__ import annotations

import pytest
import torch

from diffred_core import geometry, moments
from diffred_core.chapters.training import trainability
from diffred_core.chapters.training.perceptrons import HE, TORCH, PerceptronRecipe, Perceptrons
from diffred_core.errors import InputError

X = torch.rand(100, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("initial", [HE, TORCH])
def test_wide_networks_have_the_predicted_variance_and_at_most_its_entropy(initial):
    wide = Perceptrons.drawn((20, 1500, 1500, 3), range(4), initial=initial)
    measured = torch.stack([layer.double().var(1).mean() for layer in wide.outputs(X)[:-1]])
    predicted = trainability.predicted_variances(X, 2, initial=initial)
    torch.testing.assert_close(measured, predicted, rtol=0.05, atol=0)
    assert (trainability.entropies(wide, X).mean(0) < trainability.entropy_of(measured)).all()
    other = trainability.predicted_variances(X, 2, initial=TORCH if initial == HE else HE)
    assert ((measured / other).log().abs() > 1).all()


def test_the_recursion_is_that_of_drawn_normal_units():
    draw = torch.Generator().manual_seed(1)
    A = torch.randn(4, 6, generator=draw, dtype=torch.float64)
    units = (torch.randn(400_000, 6, generator=draw, dtype=torch.float64) @ A.T).relu()
    drawn = units.T @ units / len(units)
    torch.testing.assert_close(trainability.rectified(A @ A.T), drawn, rtol=0.03, atol=0.03)
    assert (trainability.rectified(A @ A.T) - A @ A.T).abs().max() > 0.5


def test_entropies_are_those_of_the_geometry_of_every_layer():
    networks = Perceptrons.drawn((20, 15, 10, 3), [0, 1])
    first, second, _ = (layer[1].double() for layer in networks.outputs(X))
    expected = [geometry.batch_entropy(moments.from_features(rows, quartic=False)) for rows in (first, second)]
    assert trainability.entropies(networks, X)[1].tolist() == pytest.approx(expected, rel=1e-12)
    variance = first.var(0)
    assert float(trainability.entropy_of(variance).mean()) == pytest.approx(expected[0], rel=1e-12)


def test_entropy_falls_to_nothing_with_depth_and_then_nothing_is_learned():
    draw = torch.Generator().manual_seed(1)
    y = torch.arange(300) % 4
    X = torch.nn.functional.one_hot(y, 12).float() + 0.2 * torch.rand(300, 12, generator=draw)
    parts = (X[:200], y[:200]), (X[200:], y[200:])
    recipe = PerceptronRecipe(steps=40, batch_size=50, learning_rate=2e-3)
    options = {"width": 24, "seeds": [0, 1], "recipe": recipe, "n_classes": 4}
    done = {
        (one.depth, one.initial, one.objective): one
        for one in trainability.trained_deep(*parts, depths=(2, 24), **options)
    }
    assert min(done[2, initial, "plain"].accuracy.min() for initial in (HE, TORCH)) > 0.9
    deep = done[24, TORCH, "plain"]
    assert deep.before[:, -1].max() < 1e-9
    assert deep.accuracy.max() < 0.4
    assert done[24, HE, "plain"].before[:, -1].min() > 1e-4
    regularised = done[24, TORCH, "batch_entropy"]
    torch.testing.assert_close(regularised.before, deep.before)
    assert (regularised.after.min(1).values > 100 * deep.after.min(1).values).all()


def test_bad_input_is_a_sentence():
    with pytest.raises(InputError, match="expected a depth of at least 1 hidden layer, got 0"):
        trainability.predicted_variances(X, 0, initial=HE)
