"""CDNV, dimensions per class and batch entropy: equal to their definitions, beside what must not give their values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import reference_spectra
import reference_tunnel
import torch
from reference_probes import classes_in_mixture
from sklearn.datasets import load_digits

from diffred_core import geometry, moments
from diffred_core.errors import InputError


def of(X, y=None):
    return moments.from_features(torch.as_tensor(X), None if y is None else torch.as_tensor(y), quartic=False)


def distance_variance(X, y):
    return geometry.cdnv(of(X, y), geometry.class_variances(torch.as_tensor(X), torch.as_tensor(y), of(X, y)))


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture
def rows():
    X, y = classes_in_mixture(75, 10, 3, separation=0.7)
    return X[:70].numpy(), y[:70].numpy()


def test_values_on_digits(digits):
    X, y = digits
    assert distance_variance(X, y) == pytest.approx(0.7152826865, abs=5e-11)
    assert geometry.batch_entropy(of(X)) == pytest.approx(2.0252615145, abs=5e-11)
    assert geometry.batch_entropy(of(X / 16)) == pytest.approx(0.2187181732, abs=5e-11)
    papyan, harun = (geometry.neural_collapse(of(X, y), convention=name) for name in ("papyan", "harun"))
    assert papyan.nc1 == pytest.approx(0.9263184539, abs=5e-11)
    assert harun.nc1 == pytest.approx(0.9263489155, abs=5e-11)
    assert papyan.means.norm_variation == pytest.approx(0.171100, abs=5e-7)
    assert papyan.means.angle_deviation == pytest.approx(0.194984, abs=5e-7)


def test_the_quotient_of_traces_is_nc1_without_directions(digits):
    X, y = digits
    balanced = np.concatenate([np.flatnonzero(y == c)[:170] for c in range(10)])  # where classes weigh the same
    quotient = geometry.within_between_ratio(of(X[balanced], y[balanced]))
    assert quotient == pytest.approx(reference_spectra.nc1_quotient(X[balanced], y[balanced]), rel=1e-10)
    assert reference_spectra.nc1_quotient(X, y) == pytest.approx(1.3789626398, abs=5e-11)
    assert geometry.within_between_ratio(of(X, y)) != pytest.approx(1.3789626398, abs=1e-6)  # classes weigh by rows


def test_a_between_class_scatter_of_low_rank_has_the_nc1_of_its_pseudo_inverse():
    X, y = classes_in_mixture(80, 10, 5, separation=0.7)
    for kept in (1, 2, 3):  # of five classes, whose means would span four directions
        part = X[:, :kept].numpy()
        for convention in ("papyan", "harun"):
            expected = reference_tunnel.nc1(part, y.numpy(), convention)
            assert geometry.neural_collapse(of(part, y), convention=convention).nc1 == pytest.approx(expected, rel=1e-8)
    doubled = np.concatenate([X.numpy(), X.numpy()], 1)  # no new direction: the same traces over and over
    expected = reference_tunnel.nc1(doubled, y.numpy(), "papyan")
    assert geometry.neural_collapse(of(doubled, y)).nc1 == pytest.approx(expected, rel=1e-8)
    assert expected != pytest.approx(2 * reference_tunnel.nc1(X.numpy(), y.numpy(), "papyan"), rel=0.1)


def test_cdnv_equals_the_mean_over_pairs_and_falls_as_classes_part(rows):
    X, y = rows
    assert distance_variance(X, y) == pytest.approx(reference_spectra.cdnv_by_pairs(X, y), rel=1e-10)
    apart = X + 10 * np.eye(10)[y]
    assert distance_variance(apart, y) < distance_variance(X, y) / 2
    assert distance_variance(X, np.random.default_rng(0).permutation(y)) > 2 * distance_variance(X, y)


def test_cdnv_sees_neither_rotation_scale_nor_offset_and_is_that_of_the_columns_of_a_subset(rows):
    X, y = rows
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))[0]
    assert distance_variance(0.3 * X @ rotation + 4, y) == pytest.approx(distance_variance(X, y), rel=1e-10)
    kept, layer = [6, 1, 3], of(X, y)
    variances = geometry.class_variances(torch.as_tensor(X), torch.as_tensor(y), layer)
    subset = geometry.cdnv(layer.select(kept), variances[:, kept])
    assert subset == pytest.approx(distance_variance(X[:, kept], y), rel=1e-10)
    assert subset != pytest.approx(distance_variance(X, y), rel=1e-3)


def test_classes_weigh_the_same_whatever_their_rows_and_one_row_has_no_variance():
    draw = np.random.default_rng(2)
    X, y = draw.normal(size=(13, 30)), np.array([0] * 8 + [1] * 4 + [2])  # unbalanced, one row, d > n
    assert distance_variance(X, y) == pytest.approx(reference_spectra.cdnv_by_pairs(X, y), rel=1e-10)
    variances = geometry.class_variances(torch.as_tensor(X), torch.as_tensor(y), of(X, y))
    assert variances[2].max() < 1e-28 < variances[:2].min()
    twice = np.concatenate([X, X[:8]]), np.concatenate([y, y[:8]])
    assert distance_variance(*twice) == pytest.approx(distance_variance(X, y), rel=1e-10)


def test_the_polytopes_have_their_dimensions():
    turns = np.exp(2j * np.pi * np.arange(5) / 5)
    pentagon, triangle = (np.stack([z.real, z.imag], 1) for z in (turns, np.exp(2j * np.pi * np.arange(3) / 3)))
    ring, height = np.pi / 2 * np.arange(4), np.full(4, 0.5**0.5)  # at which all axes weigh the same
    below = ring + np.pi / 4
    antiprism = np.concatenate(
        [np.stack([np.cos(ring), np.sin(ring), height], 1), np.stack([np.cos(below), np.sin(below), -height], 1)]
    )
    shapes = {
        1 / 2: np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]),
        2 / 3: triangle,
        3 / 4: np.eye(4) - 1 / 4,  # a tetrahedron
        2 / 5: pentagon,
        3 / 8: antiprism,
    }
    for share, vectors in shapes.items():
        values = geometry.feature_dimensionality(torch.tensor(vectors)).numpy()
        np.testing.assert_allclose(values, share, rtol=1e-10)
    assert geometry.feature_dimensionality(torch.eye(3)).tolist() == [1.0, 1.0, 1.0]  # no superposition


def test_dimensions_equal_their_definition_and_do_not_exceed_the_rank(rows):
    X, y = rows
    centres = geometry.class_centres(of(X, y))
    np.testing.assert_allclose(
        geometry.feature_dimensionality(centres).numpy(), reference_spectra.dimensionality(centres.numpy()), rtol=1e-10
    )
    assert geometry.feature_dimensionality(centres).sum() <= 2 + 1e-10
    assert geometry.feature_dimensionality(torch.tensor([[1.0, 1], [0, 0]])).tolist() == [1.0, 0.0]


def test_centres_are_about_the_mean_of_the_class_means(rows):
    X, y = rows
    means = np.stack([X[y == c].mean(0) for c in range(3)])
    np.testing.assert_allclose(geometry.class_centres(of(X, y)).numpy(), means - means.mean(0), atol=1e-12)
    assert np.abs(geometry.class_centres(of(X, y)).numpy() - (means - X.mean(0))).max() > 1e-4


def test_a_rotation_of_the_whole_layer_leaves_the_dimensions_and_one_of_a_subset_does_not(rows):
    X, y = rows
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))[0]
    whole, turned = (geometry.feature_dimensionality(geometry.class_centres(of(Z, y))) for Z in (X, X @ rotation))
    torch.testing.assert_close(whole, turned, rtol=1e-10, atol=0)
    part, turned = (geometry.feature_dimensionality(geometry.class_centres(of(Z[:, :3], y))) for Z in (X, X @ rotation))
    assert (part - turned).abs().max() > 1e-3


def test_batch_entropy_equals_its_definition_is_0_for_constants_and_keeps_tiny_variances(rows):
    X, _ = rows
    assert geometry.batch_entropy(of(X)) == pytest.approx(reference_spectra.batch_entropy_by_columns(X), rel=1e-10)
    assert geometry.batch_entropy(of(np.ones((5, 3)))) == 0
    tiny = geometry.batch_entropy(of(1e-10 * (X - X.mean(0))))
    assert 0 < tiny < 1e-17  # log(1 + tiny) would be 0
    shares = geometry.feature_entropy(of(X))
    assert geometry.batch_entropy(of(X[:, :4])) == pytest.approx(float(shares[:4].mean()), rel=1e-10)
    grown = [geometry.batch_entropy(of(scale * X)) for scale in (0.1, 1, 10)]
    assert all(a < b for a, b in pairwise(grown))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: geometry.batch_entropy(of(X[:1])), "at least 2 rows, got 1"),
        (lambda X, y: geometry.cdnv(of(X), torch.ones(3, 10)), "moments with class sums"),
        (lambda X, y: geometry.cdnv(of(X, y), torch.ones(3, 9)), r"variances of shape .* = \(3, 10\), got \(3, 9\)"),
        (lambda X, y: distance_variance(np.ones((70, 2)), y), "the same for classes 0 and 1"),
        (lambda X, y: geometry.cdnv(of(X, 2 * (y > 0)), torch.ones(3, 10)), "got none of class 1"),
        (
            lambda X, y: geometry.class_variances(
                torch.as_tensor(X), torch.as_tensor(y[::-1].copy()), of(X[1:], y[1:])
            ),
            "the 69 rows of the moments in X and y, got 70 rows",
        ),
        (lambda X, y: geometry.feature_dimensionality(torch.zeros(3, 2)), "vectors .* that are not all 0"),
        (lambda X, y: geometry.class_centres(of(X, 0 * y)), "at least two classes in moments, got one"),
    ],
)
def test_bad_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)
