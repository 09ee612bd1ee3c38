"""Neural collapse: both conventions against explicit scatter matrices, collapsed and other layers, invariances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference_tunnel
import torch
from reference_probes import classes_in_mixture
from sklearn.datasets import load_digits

from diffred_core import geometry, linear_probe, moments
from diffred_core.errors import InputError

CONVENTIONS = ["papyan", "harun"]


def summed(X, y):
    return moments.from_features(X, y, quartic=False)


def simplex_rows(n_classes, n_features):
    corners = torch.eye(n_classes, dtype=torch.float64) - 1 / n_classes
    draw = torch.Generator().manual_seed(4)
    rotation = torch.linalg.qr(torch.randn(n_features, n_features, generator=draw, dtype=torch.float64))[0]
    return corners @ rotation[:n_classes]


@pytest.fixture
def rows():
    X, y = classes_in_mixture(90, 12, 4, separation=0.5)
    keep = (y != 3) | (torch.arange(90) % 8 != 3)  # class 3 is smaller: the conventions then differ
    return X[keep], y[keep]


@pytest.fixture
def classifier():
    draw = torch.Generator().manual_seed(2)
    return torch.randn(12, 4, generator=draw, dtype=torch.float64), torch.randn(4, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_nc1_equals_the_trace_with_a_pseudo_inverse(rows, convention):
    X, y = rows
    found = geometry.neural_collapse(summed(X, y), convention=convention)
    assert found.nc1 == pytest.approx(reference_tunnel.nc1(X.numpy(), y.numpy(), convention), rel=1e-9)


def test_the_conventions_agree_on_nc1_for_classes_of_one_size_only(rows):
    X, y = rows
    other = {c: geometry.neural_collapse(summed(X, y), convention=c).nc1 for c in CONVENTIONS}
    assert other["papyan"] != pytest.approx(other["harun"], rel=1e-4)
    even = summed(*classes_in_mixture(88, 12, 4))
    same = {c: geometry.neural_collapse(even, convention=c).nc1 for c in CONVENTIONS}
    assert same["papyan"] == pytest.approx(same["harun"], rel=1e-9)


def test_more_classes_than_features():
    X, y = classes_in_mixture(120, 3, 8)
    found = geometry.neural_collapse(summed(X, y))
    assert found.nc1 == pytest.approx(reference_tunnel.nc1(X.numpy(), y.numpy(), "papyan"), rel=1e-9)


def test_published_values_on_digits():
    X, y = map(torch.as_tensor, load_digits(return_X_y=True))
    m = summed(X, y)
    papyan, harun = (geometry.neural_collapse(m, convention=c) for c in CONVENTIONS)
    assert papyan.nc1 == pytest.approx(0.9263184539, abs=1e-9)
    assert harun.nc1 == pytest.approx(0.9263489155, abs=1e-9)
    assert papyan.means.norm_variation == pytest.approx(0.171100, abs=1e-6)
    assert papyan.nc2 == papyan.means.angle_deviation == pytest.approx(0.194984, abs=1e-6)
    assert harun.nc2 is None
    assert geometry.class_separation(X, y) == pytest.approx(0.4278057144, abs=1e-9)


def test_the_classifier_metrics_equal_their_definitions(rows, classifier):
    (X, y), (weight, bias) = rows, classifier
    plain, W, b = X.numpy(), weight.T.numpy(), bias.numpy()
    harun = geometry.neural_collapse(summed(X, y), weight, bias, convention="harun")
    expected = reference_tunnel.harun_classifier(plain, y.numpy(), W, b)
    assert (harun.nc2, harun.nc3, harun.nc4) == pytest.approx(expected, rel=1e-9)
    papyan = geometry.neural_collapse(summed(X, y), weight, bias, X=X[:40])
    assert papyan.nc3 == pytest.approx(reference_tunnel.papyan_duality(plain, y.numpy(), W), rel=1e-9)
    mismatch = reference_tunnel.papyan_mismatch(plain, y.numpy(), W, b, plain[:40])
    assert papyan.nc4 == pytest.approx(mismatch)
    assert 0 < mismatch < 1
    assert papyan.weights == geometry.simplex_deviation(weight.T)
    cosines = reference_tunnel.angles(W)
    assert papyan.weights.angle_deviation == pytest.approx(np.mean([abs(c + 1 / 3) for c in cosines]))
    assert papyan.weights.angle_variation == pytest.approx(np.std(cosines))


def test_nc4_of_papyan_needs_rows_and_a_missing_bias_is_zero(rows, classifier):
    (X, y), (weight, _) = rows, classifier
    assert geometry.neural_collapse(summed(X, y), weight).nc4 is None
    without = geometry.neural_collapse(summed(X, y), weight, X=X)
    assert without == geometry.neural_collapse(summed(X, y), weight, torch.zeros(4), X=X)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_collapsed_layer_scores_zero_and_a_gaussian_one_does_not(convention):
    corners, y = simplex_rows(5, 9), torch.arange(100) % 5
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(100, 9, generator=draw, dtype=torch.float64)
    collapsed, spread = corners[y] + 2, corners[y] + 2 + 0.5 * noise
    weight = 3 * corners.T
    bias = -(weight.T @ torch.full((9,), 2.0, dtype=torch.float64))
    found = geometry.neural_collapse(summed(collapsed, y), weight, bias, X=collapsed, convention=convention)
    assert (found.nc1, found.nc2, found.nc3, found.nc4) == pytest.approx((0, 0, 0, 0), abs=1e-9)
    assert tuple(found.means) == pytest.approx((0, 0, 0), abs=1e-9)
    other = geometry.neural_collapse(
        summed(spread, y), torch.randn(9, 5, generator=draw).double(), X=spread, convention=convention
    )
    assert other.nc1 > 0.3
    assert min(other.nc2, other.nc3, other.nc4) > 0.02


def test_collapsed_float32_rows_have_nc1_of_rounding_only():
    y = torch.arange(100) % 5
    X = (simplex_rows(5, 9)[y] + 2).float()
    assert geometry.neural_collapse(summed(X, y)).nc1 < 1e-6


def test_random_labels_do_not_collapse(rows):
    X, y = rows
    shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]
    assert geometry.neural_collapse(summed(X, shuffled)).nc1 > 3 * geometry.neural_collapse(summed(X, y)).nc1
    assert geometry.within_between_ratio(summed(X, shuffled)) > 3 * geometry.within_between_ratio(summed(X, y))


def test_etf_weights_have_nc2_zero_and_others_do_not(rows, classifier):
    m = summed(*rows)
    etf = geometry.neural_collapse(m, 0.3 * simplex_rows(4, 12).T, convention="harun")
    assert etf.nc2 == pytest.approx(0, abs=1e-9)
    assert tuple(etf.weights) == pytest.approx((0, 0, 0), abs=1e-9)
    assert geometry.neural_collapse(m, classifier[0], convention="harun").nc2 > 0.1


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_rotation_scale_and_offset_leave_nc1_to_nc3_alone_but_stretching_does_not(rows, classifier, convention):
    (X, y), (weight, _) = rows, classifier
    draw = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=draw, dtype=torch.float64))[0]
    before = geometry.neural_collapse(summed(X, y), weight, convention=convention)
    after = geometry.neural_collapse(summed(7 * X @ rotation - 4, y), rotation.T @ weight, convention=convention)
    assert (after.nc1, after.nc2, after.nc3) == pytest.approx((before.nc1, before.nc2, before.nc3), rel=1e-8)
    stretched = X * torch.logspace(0, 1, 12, dtype=X.dtype)
    other = geometry.neural_collapse(summed(stretched, y), convention=convention)
    assert other.nc1 != pytest.approx(before.nc1, rel=1e-2)


def test_a_ridge_probe_says_nothing_by_haruns_nc4():
    m = summed(*classes_in_mixture(88, 12, 4))
    probe = linear_probe.fit_ridge(m, l2=0.1)
    found = geometry.neural_collapse(m, probe.weight, probe.bias, convention="harun")
    assert found.nc4 == pytest.approx(0.5)  # the norm of four class shares of a quarter


def test_within_over_between_is_the_ratio_of_sums_of_squares(rows):
    X, y = rows
    means = torch.stack([X[y == c].mean(0) for c in range(4)])
    expected = (X - means[y]).square().sum() / (means[y] - X.mean(0)).square().sum()
    assert geometry.within_between_ratio(summed(X, y)) == pytest.approx(expected.item())


def test_rounding_of_class_sums_does_not_enter_the_inverse(rows):
    exact = summed(*rows)
    rounded = replace(exact, class_sums=exact.class_sums + 1e-5)
    assert geometry.neural_collapse(rounded).nc1 == pytest.approx(geometry.neural_collapse(exact).nc1, rel=1e-3)


def test_streamed_moments_give_the_same_collapse(rows):
    X, y = rows
    batches = zip(X.split(11), y.split(11), strict=True)
    streamed = moments.accumulate(batches, n_classes=4, quartic=False)
    assert geometry.neural_collapse(streamed).nc1 == pytest.approx(geometry.neural_collapse(summed(X, y)).nc1)


def test_every_device_gives_the_same_collapse(rows, classifier, device):
    on_device = [tensor.to(device) for tensor in (*rows, *classifier)]
    for convention in CONVENTIONS:
        found = [
            geometry.neural_collapse(summed(X, y), weight, bias, X=X, convention=convention)
            for X, y, weight, bias in ((*rows, *classifier), on_device)
        ]
        values = [(one.nc1, one.nc2, one.nc3, one.nc4) for one in found]
        assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_agreement_is_one_for_the_nearest_centre_classifier_itself(rows, classifier):
    X, y = rows
    means = torch.stack([X[y == c].mean(0) for c in range(4)])
    bias = -means.square().sum(1) / 2
    assert geometry.nearest_centre_agreement(summed(X, y), means.T, bias, X) == 1
    assert geometry.nearest_centre_agreement(summed(X, y), *classifier, X) < 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: geometry.neural_collapse(moments.from_features(X)), "moments with class sums, got none"),
        (lambda X, y: geometry.neural_collapse(summed(X, torch.zeros_like(y))), "at least two classes in moments"),
        (lambda X, y: geometry.neural_collapse(summed(X, 2 * y)), "got none of class 1"),
        (lambda X, y: geometry.neural_collapse(summed(X, y), convention="papian"), "did you mean 'papyan'"),
        (
            lambda X, y: geometry.neural_collapse(summed(X, y), torch.ones(4, 12)),
            "= \\(12, 4\\) and bias of \\(4,\\), got \\(4, 12\\) and \\(4,\\); pass weight.T",
        ),
        (lambda X, y: geometry.neural_collapse(summed(X, y), torch.ones(12, 4), torch.ones(3)), "and \\(3,\\)"),
        (lambda X, y: geometry.neural_collapse(summed(X, y), torch.zeros(12, 4)), "positive length, got 0 for class 0"),
        (lambda X, y: geometry.neural_collapse(summed(torch.ones(8, 3), y[:8])), "class means that differ"),
        (lambda X, y: geometry.within_between_ratio(summed(torch.ones(8, 3), y[:8])), "class means that differ"),
        (lambda X, y: geometry.nearest_centre_agreement(summed(X, y), torch.ones(12, 4), None, X[:, :3]), "got 3"),
        (lambda X, y: geometry.simplex_deviation(torch.ones(1, 3)), "at least two, got \\(1, 3\\)"),
    ],
)
def test_bad_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)
