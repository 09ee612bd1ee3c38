"""Counts of directions: equal to an SVD of the rows, blind to rotation and scale, right at both ends."""

from __future__ import annotations

import pytest
import reference_tunnel
import torch
from reference_probes import classes_in_mixture

from diffred_core import geometry, moments
from diffred_core.errors import InputError


@pytest.fixture(params=[(60, 20), (15, 20)], ids=["more rows than features", "fewer rows than features"])
def X(request):
    n, d = request.param
    return classes_in_mixture(n, d, 3)[0] * torch.logspace(0, -2, d, dtype=torch.float64)


def test_ranks_equal_those_of_the_singular_values_of_the_rows(X):
    s = reference_tunnel.singular_values(X)
    assert geometry.numerical_rank(X) == reference_tunnel.covariance_rank(X, 1e-3)
    assert geometry.numerical_rank(X, eps=0.1) == reference_tunnel.covariance_rank(X, 0.1)
    assert geometry.stable_rank(X) == pytest.approx((s**2).sum() / s[0] ** 2)
    for centred in (True, False):
        expected = reference_tunnel.rankme(X, eps=1e-7, centred=centred)
        assert geometry.rankme(X, centred=centred) == pytest.approx(expected, rel=1e-5)
    raw = reference_tunnel.singular_values(X, centred=False)
    assert geometry.stable_rank(X, centred=False) == pytest.approx((raw**2).sum() / raw[0] ** 2)


def test_streamed_moments_give_the_ranks_of_the_rows(X):
    streamed = moments.accumulate(X.split(7), quartic=False)
    for rank in (geometry.numerical_rank, geometry.stable_rank, geometry.rankme):
        assert rank(streamed) == pytest.approx(rank(X), rel=1e-9)


def test_ranks_see_neither_rotation_nor_scale_nor_offset_but_do_see_the_spectrum(X):
    rotation = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(0), dtype=X.dtype))[0]
    squeezed = X * torch.logspace(0, -3, 20, dtype=X.dtype)
    for rank in (geometry.numerical_rank, geometry.stable_rank, geometry.rankme):
        assert rank(3.7 * X @ rotation + 5) == pytest.approx(rank(X), rel=1e-6)
        assert rank(squeezed) < rank(X)
    assert geometry.stable_rank(X + 5, centred=False) < geometry.stable_rank(X)


def test_the_ends_are_one_direction_and_all_alike():
    one = torch.outer(torch.arange(30, dtype=torch.float64), torch.tensor([1.0, -2, 3], dtype=torch.float64))
    assert geometry.numerical_rank(one) == 1
    assert geometry.stable_rank(one) == pytest.approx(1)
    assert geometry.rankme(one) == pytest.approx(1, abs=1e-4)
    alike = torch.cat([torch.eye(5), -torch.eye(5)])
    assert geometry.numerical_rank(alike) == 5
    assert geometry.stable_rank(alike) == pytest.approx(5)
    assert geometry.rankme(alike) == pytest.approx(5, abs=1e-4)


def test_float32_rows_do_not_fill_the_null_space():
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(40, 4, generator=draw) @ torch.randn(4, 100, generator=draw)
    assert geometry.numerical_rank(X, eps=1e-9) == 4
    assert geometry.rankme(X) < 4.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geometry.numerical_rank(torch.ones(5, 3)), "expected features that vary"),
        (lambda: geometry.rankme(torch.zeros(5, 3), centred=False), "expected features that vary"),
        (lambda: geometry.numerical_rank(torch.rand(5, 3), eps=1.0), "eps in \\(0, 1\\), got 1"),
        (lambda: geometry.rankme(torch.rand(5, 3), eps=0), "eps above 0, got 0"),
        (lambda: geometry.stable_rank(torch.rand(5)), "expected layer of shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
