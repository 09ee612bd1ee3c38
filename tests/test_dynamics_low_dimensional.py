"""Data in a subspace: off it no weight moves, but by a penalty, as a closed form says."""

from __future__ import annotations

import pytest
import torch

from diffred_core.chapters.training import low_dimensional
from diffred_core.chapters.training.low_dimensional import OffDataTraining
from diffred_core.chapters.training.perceptrons import PerceptronRecipe
from diffred_core.errors import InputError

RECIPE = PerceptronRecipe(steps=120, batch_size=40, learning_rate=0.1, optimiser="sgd")
N_KEPT = 4


def parts(*, exact=True):
    draw = torch.Generator().manual_seed(1)
    y = torch.randint(3, (240,), generator=draw)
    X = 2 * torch.nn.functional.one_hot(y, 10).float() + torch.randn(240, 10, generator=draw)
    train, test = low_dimensional.in_subspace(X[:160], X[160:], n_kept=N_KEPT) if exact else (X[:160], X[160:])
    return (train, y[:160]), (test, y[160:])


def ways(of, *, exact=True, **changed):
    options = {
        "n_kept": N_KEPT,
        "n_hidden": 24,
        "n_classes": 3,
        "seeds": [0, 1],
        "recipe": RECIPE,
        "at": (10,),
    } | changed
    done = low_dimensional.off_the_data(*parts(exact=exact), ways=of, **options)
    return {one.method: one for one in done}


def test_rows_are_exactly_in_the_subspace_and_keep_what_is_in_it():
    (train, _), (test, _) = parts()
    (raw, _), _ = parts(exact=False)
    for rows in (train, test):
        assert not rows[:, N_KEPT:].any()
        assert rows[:, :N_KEPT].any(0).all()
    values = torch.linalg.svdvals((raw - raw.mean(0)).double())[:N_KEPT]
    torch.testing.assert_close(torch.linalg.svdvals(train[:, :N_KEPT].double()), values, rtol=1e-5, atol=0)


def test_no_transverse_weight_moves_at_all():
    done = ways(
        {"plain": OffDataTraining(), "deeper": OffDataTraining(n_layers=3), "small": OffDataTraining(start=0.1)}
    )
    assert {one.moved for one in done.values()} == {0.0}
    for one in done.values():
        assert one.accuracy.min() > 0.5
        assert torch.equal(one.norms[0], one.norms[RECIPE.steps])
    ratio = done["small"].norms[0] / done["plain"].norms[0]
    torch.testing.assert_close(ratio, torch.full((2,), 0.01, dtype=torch.float64), rtol=1e-5, atol=0)
    # the control: rows that fill all of the space move all weights
    assert ways({"plain": OffDataTraining()}, exact=False)["plain"].moved > 0.01


def test_a_penalty_shrinks_them_by_the_closed_form():
    one = ways({"decay": OffDataTraining(l2=1e-2)})["decay"]
    for step in (0, 10, RECIPE.steps):
        torch.testing.assert_close(one.norms[step], one.predicted[step], rtol=1e-4, atol=0)
    assert (one.norms[RECIPE.steps] < 0.7 * one.norms[0]).all()
    assert not ways({"noise": OffDataTraining(noise=0.5)})["noise"].predicted


def test_transverse_noise_is_a_ridge_on_those_weights_of_a_linear_map():
    draw = torch.Generator().manual_seed(0)
    signal = torch.randn(60, 3, generator=draw, dtype=torch.float64)
    others = torch.randn(60, 5, generator=draw, dtype=torch.float64)
    noise = torch.linalg.qr(torch.cat([signal, others], 1)).Q[:, 3:]  # orthogonal to the data, as noise is on average
    s = 0.7
    X, y = torch.cat([signal, s * 60**0.5 * noise], 1), signal @ torch.ones(3, dtype=torch.float64)
    w = torch.randn(8, generator=draw, dtype=torch.float64)
    transverse = w[3:].clone()
    for step in range(1, 20):
        w = w - 0.1 * X.T @ (X @ w - y) / 60
        torch.testing.assert_close(w[3:], (1 - 0.1 * s**2) ** step * transverse)


def test_smaller_first_weights_turn_fewer_classes_under_noise():
    done = ways({"plain": OffDataTraining(), "small": OffDataTraining(start=0.01)}, test_noise=3.0)
    assert done["small"].flips.max() < 0.05 < done["plain"].flips.min()
    assert (done["small"].transverse < 1e-2 * done["small"].along).all()


def test_bad_input_is_a_sentence():
    with pytest.raises(InputError, match="expected a subspace of 1 to 9 of the 10 dimensions, got 10"):
        low_dimensional.in_subspace(torch.rand(20, 10), torch.rand(5, 10), n_kept=10)
    with pytest.raises(InputError, match="expected plain gradient descent, got optimiser 'adam'"):
        ways({"plain": OffDataTraining()}, recipe=PerceptronRecipe(steps=10))
