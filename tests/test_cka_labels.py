"""Label-CKA and kernel-target alignment: equal to their n x n definitions and to the values published for digits."""

from __future__ import annotations

import numpy as np
import pytest
import reference_spectra
import torch
from reference_probes import classes_in_mixture
from sklearn.datasets import load_digits

from diffred_core import cka, geometry, moments
from diffred_core.errors import InputError


def of(X, y):
    return moments.from_features(torch.as_tensor(X), torch.as_tensor(y), quartic=False)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture
def rows():
    X, y = classes_in_mixture(75, 10, 3, separation=0.7)
    return X[:70].numpy(), y[:70].numpy()  # classes of 24, 23 and 23 rows


def test_values_on_digits(digits):
    X, y = digits
    assert cka.label_cka(of(X, y)) == pytest.approx(0.5096231172, abs=5e-11)
    assert cka.label_cka(of(X, np.random.default_rng(0).permutation(y))) < 0.05
    two = y < 2
    assert cka.kernel_target_alignment(of(X[two], y[two])) == pytest.approx(0.1520446369, abs=5e-11)


def test_both_equal_their_kernels_and_differ_from_each_other(rows):
    X, y = rows
    assert cka.label_cka(of(X, y)) == pytest.approx(reference_spectra.label_cka_by_kernels(X, y), rel=1e-10)
    aligned = cka.kernel_target_alignment(of(X, y))
    assert aligned == pytest.approx(reference_spectra.kernel_target_by_kernels(X, y), rel=1e-10)
    assert abs(aligned - cka.label_cka(of(X, y))) > 0.1


def test_an_offset_moves_the_alignment_and_not_the_cka(rows):
    X, y = rows
    assert cka.label_cka(of(X + 5, y)) == pytest.approx(cka.label_cka(of(X, y)), rel=1e-10)
    assert abs(cka.kernel_target_alignment(of(X + 5, y)) - cka.kernel_target_alignment(of(X, y))) > 0.01


def test_the_cka_with_principal_scores_is_that_of_their_spectrum(digits):
    X, _ = digits
    parts = geometry.spectrum(moments.from_features(torch.as_tensor(X), quartic=False))
    for k in (1, 9, 32):
        scores = (X - X.mean(0)) @ parts.vectors[:, :k].numpy()
        share = float(parts.values[:k].norm() / parts.values.norm())
        assert cka.linear_cka(X, scores, debiased=False) == pytest.approx(share, abs=1e-10)
    assert cka.linear_cka(X, X[:, :32], debiased=False) == pytest.approx(0.7714881727, abs=5e-11)
    assert float(parts.values[:9].norm() / parts.values.norm()) == pytest.approx(0.9723209870, abs=5e-11)


def test_label_cka_is_the_alignment_weighed_by_the_spectrum(digits):
    X, y = digits
    layer, Y = of(X, y), np.eye(10)[y]
    Yc, parts = Y - Y.mean(0), geometry.spectrum(layer)
    energy = geometry.label_alignment(layer, of=parts).diff(prepend=torch.zeros(1, dtype=torch.float64)).numpy()
    weighted = (parts.values.numpy() * energy * (Yc**2).sum()).sum() / parts.values.norm() / np.linalg.norm(Yc.T @ Yc)
    assert cka.label_cka(layer) == pytest.approx(float(weighted), abs=1e-10)
    unweighted = (energy * (Yc**2).sum()).sum() / np.linalg.norm(Yc.T @ Yc) / len(parts.values) ** 0.5
    assert cka.label_cka(layer) != pytest.approx(float(unweighted), abs=1e-3)


def test_subsets_are_their_columns(rows):
    X, y = rows
    kept = [7, 2, 4]
    for measure in (cka.label_cka, cka.kernel_target_alignment):
        assert measure(of(X, y).select(kept)) == pytest.approx(measure(of(X[:, kept], y)), rel=1e-10)


def test_a_class_with_one_row_counts_by_its_rows_and_more_features_than_rows_are_no_matter():
    draw = np.random.default_rng(1)
    X, y = draw.normal(size=(12, 30)), np.array([0] * 6 + [1] * 5 + [2])
    assert cka.label_cka(of(X, y)) == pytest.approx(reference_spectra.label_cka_by_kernels(X, y), rel=1e-10)
    assert cka.kernel_target_alignment(of(X, y)) == pytest.approx(
        reference_spectra.kernel_target_by_kernels(X, y), rel=1e-10
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: cka.label_cka(moments.from_features(torch.as_tensor(X))), "moments with class sums"),
        (lambda X, y: cka.label_cka(of(X, 0 * y)), "at least two classes, got one class"),
        (lambda X, y: cka.kernel_target_alignment(of(X, 0 * y)), "at least two classes, got one class"),
        (lambda X, y: cka.label_cka(of(np.ones((70, 2)), y)), "features that vary, got a kernel that is 0"),
        (lambda X, y: cka.kernel_target_alignment(of(np.zeros((70, 2)), y)), "features that vary"),
    ],
)
def test_bad_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)
