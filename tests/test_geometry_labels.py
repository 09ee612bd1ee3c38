"""Class separation and label alignment: equal to their definitions, with labels that mean nothing beside them."""

from __future__ import annotations

import itertools

import pytest
import reference_spectra
import reference_tunnel
import torch
from reference_probes import classes_in_mixture
from sklearn.datasets import load_digits

from diffred_core import cka, geometry, moments
from diffred_core.errors import InputError


@pytest.fixture
def rows():
    X, y = classes_in_mixture(75, 10, 3, separation=0.7)
    return X[:70], y[:70]


def aligned(X, y, **options):
    return geometry.label_alignment(moments.from_features(X, y, quartic=False), **options)


def shuffled(y, seed=0):
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))]


def test_class_separation_equals_the_sum_over_pairs(rows):
    X, y = rows
    assert geometry.class_separation(X, y) == pytest.approx(reference_tunnel.separation(X.numpy(), y.numpy()))
    assert geometry.class_separation(X, 5 * y) == pytest.approx(geometry.class_separation(X, y))


def test_class_separation_sees_neither_rotation_nor_the_length_of_rows_but_does_see_an_offset(rows):
    X, y = rows
    rotation = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(0), dtype=X.dtype))[0]
    lengths = torch.linspace(0.1, 5, len(X), dtype=X.dtype)[:, None]
    before = geometry.class_separation(X, y)
    assert geometry.class_separation(lengths * X @ rotation, y) == pytest.approx(before)
    assert abs(geometry.class_separation(X + 20, y) - before) > 1e-3


def test_class_separation_is_one_for_one_direction_a_class_and_small_for_random_labels(rows):
    X, y = rows
    assert geometry.class_separation(torch.eye(3)[y], y) == pytest.approx(1)
    assert geometry.class_separation(X - X.mean(0), shuffled(y)) < 0.1


def test_alignment_equals_the_energy_in_the_left_singular_vectors(rows):
    X, y = rows
    curve = aligned(X, y)
    torch.testing.assert_close(curve, torch.as_tensor(reference_tunnel.alignment_curve(X.numpy(), y.numpy())))
    assert (curve.diff() >= 0).all()
    assert curve[-1] <= 1
    few = aligned(X[:8], y[:8])
    assert len(few) == 7
    assert few[-1].item() == pytest.approx(1)  # the seven directions of eight centred rows explain any labels


def test_the_end_of_the_curve_is_the_share_a_linear_fit_explains(rows):
    X, y = rows
    Y = torch.nn.functional.one_hot(y).double()
    A = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
    residual = Y - A @ torch.linalg.lstsq(A, Y).solution
    explained = 1 - residual.square().sum() / (Y - Y.mean(0)).square().sum()
    assert aligned(X, y)[-1].item() == pytest.approx(explained.item())


def test_published_values_on_digits():
    X, y = map(torch.as_tensor, load_digits(return_X_y=True))
    curve = aligned(X, y)
    found = [curve[k - 1].item() for k in (1, 5, 9, 20)]
    assert found == pytest.approx([0.089327, 0.338270, 0.490796, 0.586624], abs=1e-6)
    shares = torch.linspace(1, 64, 64) / (len(X) - 1)
    assert (aligned(X, shuffled(y)) < shares + 0.02).all()


def test_label_cka_is_the_spectrum_weighted_alignment():
    X, y = map(torch.as_tensor, load_digits(return_X_y=True))
    Y = torch.nn.functional.one_hot(y).double()
    Yc = Y - Y.mean(0)
    energy = aligned(X, y).diff(prepend=torch.zeros(1, dtype=torch.float64)) * Yc.square().sum()
    values = torch.linalg.svdvals(X - X.mean(0)).square()
    weighted = (values * energy).sum() / values.norm() / torch.linalg.matrix_norm(Yc.T @ Yc)
    assert weighted.item() == pytest.approx(0.5096231172, abs=1e-9)
    assert weighted.item() == pytest.approx(cka.linear_cka(X, Y, debiased=False), abs=1e-6)


def test_rotation_scale_and_offset_leave_the_alignment_alone(rows):
    X, y = rows
    rotation = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(0), dtype=X.dtype))[0]
    torch.testing.assert_close(aligned(0.2 * X @ rotation + 9, y), aligned(X, y))
    stretched = aligned(X * torch.logspace(1, -1, 10, dtype=X.dtype), y)
    assert (stretched - aligned(X, y)).abs().max() > 0.02


def test_directions_of_rounding_hold_no_labels():
    X, y = classes_in_mixture(60, 4, 3, dtype=torch.float32)
    doubled = torch.cat([X, X @ torch.randn(4, 6, generator=torch.Generator().manual_seed(0))], 1)
    curve = aligned(doubled, y)
    torch.testing.assert_close(curve[3:], aligned(X, y)[-1].expand(7), rtol=1e-4, atol=0)


def test_the_alignment_rank_is_of_norms_within_the_span():
    curve = [0.2, 0.4, 0.405, 0.45, 0.5]
    # sqrt(.4/.5) = .894, sqrt(.405/.5) = .9 exactly not above it in the definition, sqrt(.45/.5) = .949
    assert geometry.alignment_rank(curve, share=0.89) == 2
    assert geometry.alignment_rank(curve, share=0.9) == 4
    assert geometry.alignment_rank(curve, share=0.99) == 5


def test_extended_alignment_is_the_published_one_and_its_rank_on_digits_is_2(rows):
    X, y = rows
    twin = reference_spectra.extended_alignment(X.numpy(), reference_spectra.signs(y.numpy()))
    torch.testing.assert_close(aligned(X, y, extended=True), torch.as_tensor(twin), rtol=0, atol=1e-10)
    assert (aligned(X, y, extended=True)[:10] - aligned(X, y)).abs().max() > 0.1
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 2], y[y < 2]
    curve = aligned(torch.as_tensor(X), torch.as_tensor(y), extended=True)
    assert geometry.alignment_rank(curve) == reference_spectra.lar_rank(X, 2 * y - 1, 0.9) == 2
    energies = reference_spectra.extended_alignment(X, reference_spectra.signs(y))
    for share in (0.5, 0.9, 0.97):
        of_labels = geometry.alignment_rank(curve, share=share, of="labels")
        assert of_labels == reference_spectra.energy_rank(energies, share)
    assert of_labels > geometry.alignment_rank(curve, share=0.97)  # energies ask for more than norms


def test_more_features_than_rows_explain_everything_and_extended_rows_one_direction_more():
    X, y = classes_in_mixture(20, 30, 3)
    assert aligned(X, y).shape == (19,)
    assert aligned(X, y)[-1] == pytest.approx(1, abs=1e-10)
    assert aligned(X, y, extended=True).shape == (20,)
    twin = reference_spectra.extended_alignment(X.numpy(), reference_spectra.signs(y.numpy()))
    torch.testing.assert_close(aligned(X, y, extended=True), torch.as_tensor(twin), rtol=0, atol=1e-8)


def test_over_all_orders_of_the_labels_the_mean_alignment_is_k_over_n_less_1():
    X, y = classes_in_mixture(6, 3, 2)
    orders = [aligned(X, y[list(order)]) for order in itertools.permutations(range(6))]
    floor = torch.arange(1, 4, dtype=torch.float64) / 5
    torch.testing.assert_close(torch.stack(orders).mean(0), floor, rtol=1e-10, atol=0)
    assert (aligned(X, y) - floor).abs().max() > 0.1


def test_a_spectrum_is_made_once_for_any_labels(rows):
    X, y = rows
    parts = geometry.spectrum(moments.from_features(X, quartic=False))
    for labels in (y, shuffled(y)):
        torch.testing.assert_close(aligned(X, labels, of=parts), aligned(X, labels), rtol=1e-10, atol=1e-12)
    assert geometry.rankme(parts) == pytest.approx(geometry.rankme(moments.from_features(X, quartic=False)), rel=1e-10)


def test_a_class_with_one_row_and_unbalanced_classes_have_the_energy_of_their_indicators():
    X, _ = classes_in_mixture(30, 5, 2)
    y = torch.tensor([0] * 20 + [1] * 9 + [2])
    torch.testing.assert_close(
        aligned(X, y), torch.as_tensor(reference_tunnel.alignment_curve(X.numpy(), y.numpy())), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: geometry.class_separation(X, torch.zeros_like(y)), "at least two classes in y, got one"),
        (lambda X, y: geometry.class_separation(torch.cat([X[1:], 0 * X[:1]]), y), "got 1 zero rows"),
        (lambda X, y: geometry.class_separation(torch.ones(70, 2), y), "rows of several directions"),
        (lambda X, y: geometry.class_separation(X, y[:5]), "expected y of shape"),
        (lambda X, y: geometry.label_alignment(moments.from_features(X)), "moments with class sums"),
        (lambda X, y: aligned(torch.ones(70, 2), y), "features that vary"),
        (lambda X, y: aligned(X, y, eps=1.5), "eps in \\[0, 1\\), got 1.5"),
        (lambda X, y: geometry.alignment_rank([0.5, 0.4]), "growing to above 0"),
        (lambda X, y: geometry.alignment_rank([0.5, 0.8], of="labels"), "more than 0.9 of the labels, got 0.8 in all"),
        (lambda X, y: geometry.alignment_rank([0.5, 0.8], of="label"), "expected of 'span' or 'labels', got 'label'"),
        (
            lambda X, y: aligned(X, y, extended=True, of=geometry.spectrum(moments.from_features(X))),
            "no spectrum beside extended=True",
        ),
        (lambda X, y: geometry.alignment_rank([0.5, 0.6], share=90), "share in \\(0, 1\\), got 90"),
    ],
)
def test_bad_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)
