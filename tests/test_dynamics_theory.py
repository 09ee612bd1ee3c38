"""The closed forms of the chapter `training`, each held against a slow, obvious twin, and against what must differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from diffred_core.chapters.training import frame
from diffred_core.chapters.training import sweep_gated_networks as gated
from diffred_core.chapters.training import sweep_lazy_hasty as lazy
from diffred_core.chapters.training import sweep_linear_teachers as teachers
from diffred_core.chapters.training import sweep_pc_bias as pc
from diffred_core.chapters.training import sweep_silent_alignment as silent
from diffred_core.chapters.training import sweep_spectral_bias as spectral
from diffred_core.errors import InputError


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_layer_by_gradient_descent_on_rows_is_the_closed_form():
    X, Y, step, n_steps = normal(50, 6), normal(50, 3, seed=1), 0.05, 40
    problem = pc._Problem(X, Y)
    weight = normal(6, 3, seed=2)
    right = torch.linalg.svd(X, full_matrices=False).Vh
    best = torch.linalg.lstsq(X, Y).solution
    first = (right @ (weight - best)).norm(dim=1)
    for _ in range(n_steps):
        weight = weight - step * X.T @ (X @ weight - Y) / len(X)
    shares = (right @ (weight - best)).norm(dim=1) / first
    expected = pc.closed_form(problem.values, step, [n_steps])[0]
    assert (shares - expected).abs().max() < 1e-12
    assert (shares - pc.closed_form(problem.values, step, [n_steps], gain=1.1)[0]).abs().max() > 1e-3


def test_half_times_lie_between_steps_and_are_infinite_where_nothing_halves():
    shares = torch.tensor([[1.0, 1.0, 1.0], [0.6, 0.5, 0.9], [0.4, 0.2, 0.8]])
    assert pc.half_times(shares).tolist() == pytest.approx([1.5, 1.0, math.inf])


def test_steps_for_a_number_of_directions_use_that_many():
    problem = pc._Problem(normal(60, 12), normal(60, 2, seed=1))
    steps = pc.steps_for(problem, 5)
    used = 1 - pc.closed_form(problem.values, 1 / float(problem.values[0]), [steps])[0]
    assert float(used.sum()) == pytest.approx(5)


def test_kernel_regression_is_descent_with_a_constant_kernel():
    X, y, a, W, start = normal(5, 9), normal(5, seed=1), normal(4, seed=2), normal(4, 9, seed=3), normal(9, seed=4)
    M = silent.kernel_matrix(a, W)
    assert torch.allclose(M, a @ a * torch.eye(9, dtype=torch.float64) + W.T @ W)
    w, step = start.clone(), 1 / float(torch.linalg.eigvalsh(X @ M @ X.T)[-1])
    for _ in range(200_000):
        gap = X @ w - y
        if float(gap.norm()) < 1e-12:
            break
        w = w - step * M @ X.T @ gap
    assert torch.allclose(silent.kernel_regression(M, X, y, start=start), w, atol=1e-8)
    plain = silent.kernel_regression(torch.eye(9, dtype=torch.float64), X, y, start=start)
    assert not torch.allclose(plain, w, atol=1e-2)


def test_the_last_alignment_is_that_of_one_added_direction():
    n, X = 7, math.sqrt(7) * torch.linalg.qr(normal(12, 7)).Q.T
    y = normal(n, seed=1)
    v = X.T @ y / (X.T @ y).norm()
    for added, expected in ((1.0, 2 / math.sqrt(n + 3)), (0.0, 1 / math.sqrt(n))):
        K = X @ (torch.eye(12, dtype=torch.float64) + added * torch.outer(v, v)) @ X.T
        assert float(y @ K @ y / (y @ y * K.norm())) == pytest.approx(expected)


def test_the_mode_of_two_layers_solves_its_equation():
    s, u_0, times = 1.3, 0.01, np.linspace(0, 5, 30)
    ran = solve_ivp(lambda _, u: 2 * u * (s - u), (0, 5), [u_0], t_eval=times, rtol=1e-10, atol=1e-12)
    assert silent.strength(times, s=s, u_0=u_0) == pytest.approx(ran.y[0], rel=1e-6)
    assert silent.strength(times, s=s, u_0=2 * u_0)[15] != pytest.approx(ran.y[0][15], rel=1e-2)


def test_the_warm_start_risk_is_the_pseudo_inverse_and_where_descent_ends():
    X, variances, target, source = (
        normal(8, 20),
        torch.linspace(0.1, 2, 20).double(),
        normal(20, seed=1),
        normal(20, seed=2),
    )
    unseen = (torch.eye(20, dtype=torch.float64) - torch.linalg.pinv(X) @ X) @ (target - source)
    risk = teachers.warm_start_risk(X, variances, target - source)
    assert risk == pytest.approx(float(variances @ unseen.square()), rel=1e-12)
    ended = teachers.descended_map(X, X @ target, source, setting="8 rows")
    assert float(variances @ (ended - target).square()) == pytest.approx(risk, rel=1e-6)
    assert risk != pytest.approx(float(variances @ (target - source).square()), rel=1e-2)


def race_error(step):
    """Return the greatest deviation of simulated modes from the reduction, over the strength."""
    start = gated._Routes.drawn(3, 6, seed=0).aligned(0.3)
    run = gated._Descent(start, 2, n_steps=round(1.0 / step), step=step, setting="test")
    modes = torch.stack(run.modes).numpy()
    options = {"size": 0.3, "n_domains": 3, "q": 2}
    off = [
        np.abs(modes[:, k] - gated.race(run.times, strength=s, **options)) / s for k, s in enumerate(gated.STRENGTHS)
    ]
    return float(np.max(off)), modes, run.times


def test_the_race_reduction_is_the_simulation_up_to_the_steps():
    coarse, _, _ = race_error(0.002)
    fine, modes, times = race_error(0.001)
    assert coarse < 0.03
    assert fine == pytest.approx(coarse / 2, rel=0.1)  # what is left is that of Euler's steps
    unshared = gated.race(times, strength=4.0, size=0.3, n_domains=1, q=2)
    assert np.abs(modes[:, 0] - unshared).max() > 0.4


def test_one_mode_of_the_lazy_model_is_its_closed_form():
    times = np.linspace(0, 8, 80_001)
    for alpha in (0.1, 10.0):
        options = {"target": 0.7, "alpha": alpha}
        course = lazy.mode_course(times * alpha, **options)
        assert course == pytest.approx(lazy.simulated_mode(times * alpha, **options), abs=2e-3)
        assert course[0] == 0
        assert course[-1] == pytest.approx(0.7, rel=0.05)
    assert lazy.mode_course(times, target=0.7, alpha=1.0)[5000] != pytest.approx(
        lazy.mode_course(times, target=0.7, alpha=1.1)[5000], rel=1e-2
    )


def test_sines_are_eigenvectors_of_the_kernel_on_the_circle():
    n, k = 24, 5
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    K = spectral.kernel_values(angles[:, None] - angles)
    wave = (k * angles + 0.3).sin()
    value = spectral.frequency_eigenvalues([k], n)[0]
    assert torch.allclose(K @ wave / n, value * wave, atol=1e-12)
    assert not torch.allclose(K @ wave / n, spectral.frequency_eigenvalues([k + 1], n)[0] * wave, atol=1e-4)


def test_the_kernel_is_that_of_very_many_random_units():
    angles = torch.tensor([0.0, 0.7, 2.0, 3.1], dtype=torch.float64)
    x, W = torch.stack([angles.cos(), angles.sin()], 1), normal(2, 400_000)
    on = (x @ W > 0).double()
    drawn = ((x @ W).relu()[:1] * (x @ W).relu()).mean(1) + (on[:1] * on).mean(1) * (1 + angles.cos())
    assert torch.allclose(drawn, spectral.kernel_values(angles), atol=0.01)


def test_the_order_of_frequencies_puts_what_is_not_reached_last():
    courses = torch.tensor([[0.0, 0.0, 0.0], [0.9, 0.1, 0.0], [1.0, 0.9, 0.2]])
    assert spectral.order_of([1, 2, 3], courses) == pytest.approx(1)
    assert spectral.order_of([1, 2, 3], courses.flip(1)) == pytest.approx(-1)


def test_a_descent_that_diverges_stops_with_step_and_setting():
    weight = torch.ones(2, 1, dtype=torch.float64).requires_grad_()
    scale = torch.tensor([[3.0], [1.0]], dtype=torch.float64)
    with pytest.raises(InputError, match=r"finite loss, got inf at step \d+ of one layer; take a smaller step"):
        frame.descend([weight], lambda: scale * weight, step=10.0, n_steps=500, setting="one layer")
    weight.data = torch.ones(2, 1, dtype=torch.float64)
    sizes = frame.descend([weight], lambda: scale * weight, step=0.1, n_steps=3, setting="one layer")
    assert sizes[:, 1].tolist() == pytest.approx([0.9**t for t in range(4)])
