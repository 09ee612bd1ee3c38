"""What a map on a layer lacks, ignores and risks: identities, slow twins, and a negative control for each."""

from __future__ import annotations

import numpy as np
import pytest
import reference_spectra
import torch
from reference_probes import classes_in_mixture

from diffred_core import geometry, linear_probe, moments
from diffred_core.errors import InputError

DRAW = torch.Generator()


@pytest.fixture(autouse=True)
def seeded():
    DRAW.manual_seed(3)


@pytest.fixture
def rows():
    X, y = classes_in_mixture(75, 10, 3, separation=0.7)
    return X[:70], y[:70]


def of(X, y=None):
    return moments.from_features(X, y, quartic=False)


def normal(*shape):
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


def test_gradmax_values_equal_those_of_the_residual_rows(rows):
    X, y = rows
    kept = torch.tensor([8, 0, 5])
    probe = linear_probe.fit_ridge(of(X, y), subsets=kept, l2=0.1)
    residual = torch.eye(3, dtype=torch.float64)[y] - probe.scores(X)
    values = geometry.gradmax_values(of(X, y), probe.weight, features=kept)
    np.testing.assert_allclose(
        values.numpy(), reference_spectra.gradmax_by_rows(X.numpy(), residual.numpy()), atol=1e-10
    )
    assert values[0] > 0.01


def test_gradmax_values_are_those_of_the_weights_times_l2_and_0_without_regulariser(rows):
    layer = of(*rows)
    probe = linear_probe.fit_ridge(layer, l2=0.3)
    torch.testing.assert_close(
        geometry.gradmax_values(layer, probe.weight), 0.3 * torch.linalg.svdvals(probe.weight), rtol=0, atol=1e-10
    )
    assert geometry.gradmax_values(layer, linear_probe.fit_ridge(layer, l2=0).weight).max() < 1e-10
    assert geometry.gradmax_values(layer, 2 * probe.weight).max() > 1e-3


def test_no_orthonormal_growth_has_a_greater_gradient_than_gradmax(rows):
    X, y = rows
    layer, probe = of(X, y), linear_probe.fit_ridge(of(X, y), subsets=torch.tensor([1, 2]), l2=0.1)
    kept = probe.subsets
    M = (layer.class_sums.T - layer.gram[:, kept] @ probe.weight) / layer.n  # (d, C)
    bound = geometry.gradmax_values(layer, probe.weight, features=kept)[:2].square().sum()
    best = torch.linalg.svd(M.T)[0][:, :2]
    assert (best.T @ M.T).square().sum() == pytest.approx(float(bound), abs=1e-10)
    others = [(torch.linalg.qr(normal(3, 2))[0].T @ M.T).square().sum() for _ in range(50)]
    assert max(others) <= bound + 1e-12
    assert min(others) < 0.9 * bound


def test_a_linear_map_is_as_complex_as_its_weights_are_large(rows):
    weight = normal(10, 3)
    assert geometry.geometric_complexity(weight) == pytest.approx(float(weight.norm() ** 2), rel=1e-10)
    assert geometry.geometric_complexity(3 * weight) == pytest.approx(
        9 * geometry.geometric_complexity(weight), rel=1e-10
    )
    # all directions of a linear network once each, scaled so that their mean is the trace
    network, directions = normal(10, 20), 20**0.5 * torch.eye(20, dtype=torch.float64)
    through = geometry.geometric_complexity(weight, tangents=(network @ directions).T)
    assert through == pytest.approx(float((weight.T @ network).norm() ** 2), rel=1e-10)
    assert through != pytest.approx(geometry.geometric_complexity(weight), rel=0.1)


def test_the_complexity_through_a_network_is_that_of_its_jacobians():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5)).double()
    images, weight = normal(4, 6), normal(5, 3)
    exact = reference_spectra.jacobian_complexity(network, images, weight)
    basis = 6**0.5 * torch.eye(6, dtype=torch.float64)
    tangents = [torch.autograd.functional.jvp(network, x[None], z[None])[1][0] for x in images for z in basis]
    assert geometry.geometric_complexity(weight, tangents=torch.stack(tangents)) == pytest.approx(exact, rel=1e-10)
    drawn = [torch.autograd.functional.jvp(network, x[None], normal(1, 6))[1][0] for x in images for _ in range(2000)]
    estimate = geometry.geometric_complexity(weight, tangents=torch.stack(drawn))
    assert estimate == pytest.approx(exact, rel=0.1)
    assert geometry.geometric_complexity(weight[:, :1], tangents=torch.stack(drawn)) < 0.8 * exact


def test_the_tail_of_a_map_equals_the_projector(rows):
    X, y = rows
    weight, parts = normal(10, 3), geometry.spectrum(of(X, y))
    for variance in (0.6, 0.9, 0.99):
        tail = geometry.tail_map(parts, weight, variance=variance).numpy()
        np.testing.assert_allclose(
            tail, reference_spectra.tail_by_projector(X.numpy(), weight.numpy(), variance), atol=1e-10
        )
    assert geometry.tail_map(parts, weight, variance=1).abs().max() < 1e-20  # the rows reach every direction
    assert geometry.tail_map(parts, weight, variance=0.9).trace() > 0.1


def test_noise_in_the_tail_moves_scores_by_that_covariance(rows):
    X, y = rows
    weight, parts = normal(10, 3), geometry.spectrum(of(X, y))
    tail = geometry.tail_map(parts, weight, variance=0.9)
    k = int((parts.values.cumsum(0) < 0.9 * parts.values.sum()).sum()) + 1
    noise = normal(40_000, 10 - k) @ parts.vectors[:, k:].T
    torch.testing.assert_close((noise @ weight).T.cov(), tail, rtol=0.05, atol=0.05)
    assert (normal(40_000, 10) @ weight).T.cov().trace() > 1.5 * tail.trace()


def test_gradient_descent_leaves_what_no_row_reaches_as_it_began_and_ridge_leaves_nothing():
    X = torch.cat([normal(50, 3), torch.zeros(50, 4, dtype=torch.float64)], 1) @ torch.linalg.qr(normal(7, 7))[0]
    y = torch.arange(50) % 3
    X, Y = X - X.mean(0), torch.eye(3, dtype=torch.float64)[y]
    parts, start = geometry.spectrum(of(X, y)), normal(7, 3)
    transverse = geometry.tail_map(parts, start, variance=1)
    for begin, expected in ((start, transverse), (0 * start, 0 * transverse)):
        weight = begin.clone()
        for _ in range(200):
            weight -= 0.01 * X.T @ (X @ weight - Y) / 50
        torch.testing.assert_close(geometry.tail_map(parts, weight, variance=1), expected, rtol=0, atol=1e-10)
        assert (weight - begin).abs().max() > 1e-3  # it did move
    ridge = linear_probe.fit_ridge(of(X, y), l2=0.1).weight
    assert geometry.tail_map(parts, ridge, variance=1).abs().max() < 1e-20
    assert transverse.trace() > 1


@pytest.mark.parametrize("n_classes", [1, 3])
def test_the_risk_of_a_warm_start_is_that_of_gradient_descent(n_classes):
    population = normal(400, 20) @ torch.diag(torch.logspace(0, -1, 20, dtype=torch.float64)) + 0.3
    X, source, target = population[:8], normal(20, n_classes), normal(20, n_classes)
    end = reference_spectra.fine_tuned(X.numpy(), source.numpy(), target.numpy(), n_steps=20_000)
    simulated = reference_spectra.population_risk(population.numpy(), end, target.numpy())
    assert geometry.warm_start_risk(X, of(population), target - source) == pytest.approx(simulated, rel=1e-6)
    closed = source + torch.linalg.pinv(X) @ X @ (target - source)
    exact = reference_spectra.population_risk(population.numpy(), closed.numpy(), target.numpy())
    assert geometry.warm_start_risk(X, of(population), target - source) == pytest.approx(exact, rel=1e-10)
    assert geometry.warm_start_risk(X, of(population), target) != pytest.approx(exact, rel=0.01)


def test_fine_tuning_repairs_a_difference_in_a_leading_direction_and_spreads_one_in_the_tail():
    scale = torch.cat([torch.ones(10), 0.1 * torch.ones(30)]).double()
    population, unit = normal(2000, 40) * scale, torch.eye(40, dtype=torch.float64)
    second_moment = population.T @ population / 2000
    after = [geometry.warm_start_risk(population[:12], of(population), unit[i]) for i in (0, 39)]
    before = [float(second_moment[i, i]) for i in (0, 39)]  # of differences of equal length
    assert after[0] < 0.3 * before[0]
    assert after[1] > 2 * before[1]
    assert geometry.warm_start_risk(population, of(population), unit[0]) < 1e-20  # rows span all features
    assert geometry.warm_start_risk(population[:12], of(population), unit[:, 0]) == pytest.approx(after[0], rel=1e-12)


def test_the_fisher_information_of_a_head_is_its_expected_squared_gradient(rows):
    X, weight = rows[0], normal(10, 3)
    torch.testing.assert_close(
        geometry.head_fisher(X, X @ weight), reference_spectra.fisher_by_gradients(X, weight), rtol=1e-10, atol=1e-12
    )
    assert geometry.head_fisher(X, 100 * X @ weight).max() < geometry.head_fisher(X, X @ weight).max()  # it is sure


def test_diversity_is_the_mean_over_pairs_0_for_one_task_twice_and_1_for_nothing_in_common():
    embeddings = normal(5, 8).square()
    assert geometry.task_diversity(embeddings) == pytest.approx(
        reference_spectra.diversity_by_pairs(embeddings.numpy()), abs=1e-10
    )
    same, apart = torch.ones(3, 8), torch.tensor([[1.0, 1, 0, 0], [0, 0, 2, 5]])
    assert geometry.task_diversity(same) == pytest.approx(0, abs=1e-10)
    assert geometry.task_diversity(apart) == pytest.approx(1, abs=1e-10)
    union = torch.cat([same[:, :4], apart])
    assert geometry.task_diversity(same[:, :4]) < geometry.task_diversity(union) < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: geometry.gradmax_values(of(X), normal(10, 3)), "moments with class sums"),
        (lambda X, y: geometry.gradmax_values(of(X, y), normal(9, 3)), r"= \(10, 3\), got \(9, 3\)"),
        (
            lambda X, y: geometry.geometric_complexity(normal(10, 3), tangents=normal(4, 9)),
            r"tangents of shape \(n_tangents, 10\), at least one, got \(4, 9\)",
        ),
        (lambda X, y: geometry.geometric_complexity(normal(10, 3), tangents=normal(0, 10)), "at least one"),
        (lambda X, y: geometry.tail_map(geometry.spectrum(of(X)), normal(9, 3)), r"weight of shape \(10, n_classes\)"),
        (lambda X, y: geometry.tail_map(geometry.spectrum(of(X)), normal(10, 3), variance=0), r"variance in \(0, 1\]"),
        (lambda X, y: geometry.spectrum(of(torch.ones(5, 3))), "features that vary"),
        (lambda X, y: geometry.stable_rank(geometry.spectrum(of(X)), centred=False), "got a spectrum; it is centred"),
        (lambda X, y: geometry.warm_start_risk(X, of(X), normal(9)), r"difference of shape \(10,\)"),
        (lambda X, y: geometry.warm_start_risk(X[:, :4], of(X), normal(10)), "10 features as in the fit, got 4"),
        (lambda X, y: geometry.head_fisher(X, normal(5, 3)), r"logits of shape \(70, n_classes\), got \(5, 3\)"),
        (lambda X, y: geometry.task_diversity(normal(1, 3).square()), "at least two tasks"),
        (lambda X, y: geometry.task_diversity(-normal(2, 3).square()), "none negative"),
        (lambda X, y: geometry.task_diversity(torch.tensor([[1.0, 2], [0, 0]])), "no task 0"),
    ],
)
def test_bad_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)
