"""Label alignment regularisation: its closed form by rows, its limits, and a shift that it survives."""

from __future__ import annotations

import numpy as np
import pytest
import reference_spectra
import torch
from reference_probes import classes_in_mixture

from diffred_core import linear_probe, moments
from diffred_core.errors import InputError


def of(X, y=None):
    return moments.from_features(X, y, quartic=False)


@pytest.fixture
def domains():
    X, y = classes_in_mixture(150, 8, 3, separation=0.7)
    draw = torch.Generator().manual_seed(1)
    return X[:90], y[:90], X[90:] * torch.linspace(0.5, 2, 8, dtype=X.dtype) + torch.randn(8, generator=draw)


def stacked(probe):
    return torch.cat([probe.weight, probe.bias[None]]).numpy()


@pytest.mark.parametrize(("rank", "strength"), [(2, 0.1), (4, 1.0), (4, 30.0), (9, 0.5), (3, 0.0)])
def test_it_equals_the_solution_by_rows(domains, rank, strength):
    X, y, target = domains
    probe = linear_probe.fit_label_aligned(of(X, y), of(target), strength=strength, rank=rank)
    labels = reference_spectra.signs(y.numpy())
    twin = reference_spectra.label_aligned_by_rows(X.numpy(), labels, target.numpy(), strength=strength, rank=rank)
    np.testing.assert_allclose(stacked(probe), twin, atol=1e-10 * max(1, np.abs(twin).max()))
    assert bool(probe.converged)
    assert float(probe.l2) == strength


def test_its_objective_is_smallest_there(domains):
    X, y, target = domains
    probe = linear_probe.fit_label_aligned(of(X, y), of(target), strength=0.7, rank=3)
    Phi, Psi = (np.column_stack([Z, np.ones(len(Z))]) for Z in (X.numpy(), target.numpy()))
    (_, s, V), (_, t, U) = np.linalg.svd(Phi), np.linalg.svd(Psi)
    labels = reference_spectra.signs(y.numpy())

    def objective(w):
        fit = ((Phi @ w - labels) ** 2).sum() - (s[3:, None] ** 2 * (V[3:] @ w) ** 2).sum()
        return fit / len(Phi) + 0.7 * (t[3:, None] ** 2 * (U[3:] @ w) ** 2).sum() / len(Psi)

    best, draw = objective(stacked(probe)), np.random.default_rng(0)
    others = [objective(stacked(probe) + 0.01 * draw.normal(size=(9, 3))) for _ in range(50)]
    assert best < min(others)
    plain = linear_probe.fit_label_aligned(of(X, y), of(target), strength=0, rank=9)
    assert objective(stacked(plain)) > best


def test_all_directions_and_no_penalty_are_least_squares(domains):
    X, y, target = domains
    probe = linear_probe.fit_label_aligned(of(X, y), of(target), strength=0, rank=9)
    Phi = np.column_stack([X.numpy(), np.ones(len(X))])
    expected = np.linalg.lstsq(Phi, reference_spectra.signs(y.numpy()), rcond=None)[0]
    np.testing.assert_allclose(stacked(probe), expected, atol=1e-9)
    same = linear_probe.fit_label_aligned(of(X, y), of(target + 5), strength=0, rank=9)
    np.testing.assert_allclose(stacked(same), expected, atol=1e-9)
    regularised = linear_probe.fit_label_aligned(of(X, y), of(target), strength=1, rank=4)
    assert np.abs(stacked(regularised) - expected).max() > 0.01


def shifted_domains(seed=0):
    """Return source, its labels, target and its labels: a faint clue of the source is loud and empty in the target."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(800) % 2
    sign = (2.0 * y - 1)[:, None].double()
    signal = sign * torch.tensor([2.0, 1.5]) + 2 * torch.randn(800, 2, generator=draw)
    clue = 0.3 * sign + 0.1 * torch.randn(800, 3, generator=draw)
    loud = 2.5 * torch.randn(800, 3, generator=draw)
    source, target = torch.cat([signal[:400], clue[:400]], 1), torch.cat([signal[400:], loud[400:]], 1)
    target = target @ torch.diag(torch.tensor([2.0, 2, 1, 1, 1], dtype=torch.float64))
    return source.double(), y[:400], target.double(), y[400:]


def test_it_raises_accuracy_on_a_target_whose_trailing_directions_mislead():
    source, y, target, held = shifted_domains()
    plain = linear_probe.fit_label_aligned(of(source, y), of(target), strength=0, rank=6)
    aligned = linear_probe.fit_label_aligned(of(source, y), of(target), strength=10, rank=2)
    assert float(aligned.accuracy(target, held)) > float(plain.accuracy(target, held)) + 0.1
    assert float(plain.accuracy(source, y)) > float(aligned.accuracy(source, y))  # the clue was worth something there


@pytest.mark.parametrize(("rank", "strength", "steps"), [(2, 0.1, 1), (4, 1.0, 50), (9, 0.0, 300), (3, 0.0, 20)])
def test_steps_are_those_of_gradient_descent(domains, rank, strength, steps):
    X, y, target = domains
    probe = linear_probe.fit_label_aligned(of(X, y), of(target), strength=strength, rank=rank, steps=steps)
    labels = reference_spectra.signs(y.numpy())
    options = {"strength": strength, "rank": rank, "steps": steps}
    twin = reference_spectra.label_aligned_by_descent(X.numpy(), labels, target.numpy(), **options)
    np.testing.assert_allclose(stacked(probe), twin, atol=1e-10)
    assert int(probe.iterations) == steps
    assert not bool(probe.converged)
    more = linear_probe.fit_label_aligned(of(X, y), of(target), **options | {"steps": steps + 1})
    assert np.abs(stacked(more) - twin).max() > 1e-6


def test_many_steps_are_the_minimiser_where_the_two_spectra_meet_and_spectra_are_made_once(domains):
    X, y, target = domains
    alignment = linear_probe.LabelAlignment.of(of(X, y), of(target))
    solver = alignment.solver(strength=1.0, rank=4)
    few, many, least = (solver.probe(of(X, y), steps=steps) for steps in (5, 10**7, None))
    np.testing.assert_allclose(stacked(many), stacked(least), rtol=1e-6)
    assert np.abs(stacked(few) - stacked(least)).max() > 0.1 * np.abs(stacked(least)).max()
    own = linear_probe.fit_label_aligned(of(X, y), of(target), strength=1.0, rank=4)
    np.testing.assert_array_equal(stacked(own), stacked(least))
    back = alignment.swapped().solver(strength=1.0, rank=4).probe(of(target, y[:60]))
    twin = linear_probe.fit_label_aligned(of(target, y[:60]), of(X), strength=1.0, rank=4)
    np.testing.assert_allclose(stacked(back), stacked(twin), atol=1e-12)


def test_labels_of_the_target_are_not_read():
    source, y, target, held = shifted_domains()
    one, other = (
        linear_probe.fit_label_aligned(of(source, y), part, strength=1, rank=3)
        for part in (of(target), of(target, 1 - held))
    )
    torch.testing.assert_close(one.weight, other.weight, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, t: linear_probe.fit_label_aligned(t, t, strength=1, rank=2), "moments with class sums"),
        (
            lambda s, t: linear_probe.fit_label_aligned(s, t.select([0, 1]), strength=1, rank=2),
            "got 5 and 2; take them",
        ),
        (lambda s, t: linear_probe.fit_label_aligned(s, t, strength=-1, rank=2), "strength of at least 0, got -1"),
        (lambda s, t: linear_probe.fit_label_aligned(s, t, strength=1, rank=0), "expected rank from 1 to 6"),
        (lambda s, t: linear_probe.fit_label_aligned(s, t, strength=1, rank=2, steps=0), "steps of at least 1, got 0"),
        (
            lambda s, t: linear_probe.fit_label_aligned(s, t, strength=1, rank=2, target_rank=9),
            "target_rank from 1 to 6",
        ),
        (
            lambda s, t: linear_probe.fit_label_aligned(
                of(torch.eye(5).double(), torch.zeros(5).long()), t, strength=1, rank=2
            ),
            "at least two classes, got one class",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    source, y, target, _ = shifted_domains()
    with pytest.raises(InputError, match=message):
        call(of(source, y), of(target))
