"""GradMax: the gradient of new units meets its bound, which no other orthonormal weights pass."""

from __future__ import annotations

import pytest
import torch

from diffred_core.chapters.training import growth
from diffred_core.errors import InputError


@pytest.fixture(scope="module")
def problem():
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(200, 8, generator=draw, dtype=torch.float64)
    return growth.Student.drawn(8, 3, 5, draw=draw), X, torch.randn(200, 5, generator=draw, dtype=torch.float64)


def test_what_is_lacking_is_the_gradient_of_a_layer_of_zeros(problem):
    student, X, targets = problem
    zero = torch.zeros(8, 5, dtype=torch.float64, requires_grad=True)
    loss = (student(X) + X @ zero - targets).square().sum(1).mean() / 2
    (gradient,) = torch.autograd.grad(loss, zero)
    torch.testing.assert_close(growth.lacking(student, X, targets), gradient)


@pytest.mark.parametrize("n_new", [1, 3, 5])
def test_gradmax_meets_the_bound_and_nothing_passes_it(problem, n_new):
    student, X, targets = problem
    gradient = growth.lacking(student, X, targets)
    bound = float(torch.linalg.svdvals(gradient)[:n_new].square().sum())
    draw = torch.Generator().manual_seed(1)

    def reached(method):
        new = growth.outgoing_weights(gradient, n_new, method=method, scale=1.0, draw=draw)
        torch.testing.assert_close(new @ new.T, torch.eye(n_new, dtype=torch.float64))
        grown = student.grown(new)
        torch.testing.assert_close(grown(X), student(X), rtol=0, atol=1e-14)
        return growth.incoming_gradient(grown, X, targets, n_new=n_new)

    assert reached("gradmax") == pytest.approx(bound, rel=1e-10)
    others = [reached("random") for _ in range(30)]
    assert max(others) <= bound * (1 + 1e-10)
    # five orthonormal weights span all five outputs: then every choice is the same
    assert (min(others) < 0.99 * bound) == (n_new < 5)


def test_descent_lowers_the_loss_and_keeps_its_first_value(problem):
    student, X, targets = problem
    trained, losses = growth.descended(student, X, targets, steps=50, learning_rate=0.05, at=(0, 10), setting="a test")
    assert list(losses) == [0, 10, 50]
    assert losses[0] == pytest.approx(float(growth.half_error(student, X, targets)))
    assert losses[0] > losses[10] > losses[50] == pytest.approx(float(growth.half_error(trained, X, targets)))


def test_a_lesson_meets_its_bound_by_gradmax_alone():
    lesson = growth.lesson(n_rows=100, steps=40, seed=1)
    best, gradient = lesson.reached(3, method="gradmax")
    other, less = lesson.reached(3, method="random")
    assert gradient == pytest.approx(lesson.bound(3), rel=1e-10)
    assert less < 0.95 * lesson.bound(3)
    torch.testing.assert_close(best(lesson.X), other(lesson.X), rtol=0, atol=1e-14)


def test_bad_input_is_a_sentence():
    with pytest.raises(InputError, match="expected from 1 to 10 new units, as many as outputs, got 11"):
        growth.lesson(n_rows=50, steps=1).reached(11, method="random")
    with pytest.raises(InputError, match=r"expected a finite loss, got \w+ at step \d+ of the student of seed 3"):
        growth.lesson(n_rows=50, steps=200, learning_rate=1e8, seed=3)
