"""Proxy A-distance: 2 for domains that never meet, 0 for one domain split in two, and scikit-learn's in between."""

from __future__ import annotations

import numpy as np
import pytest
import reference_spectra
import torch

from diffred_core import linear_probe, subsets
from diffred_core.errors import InputError
from diffred_core.linear_probe._domains import _halves


def domains(shift, *, n=(300, 300), d=12, seed=0):
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(sum(n), d, generator=draw)
    labels = torch.cat([torch.zeros(n[0]), torch.ones(n[1])]).long()
    X[:, 0] += shift * labels
    return X, labels


def test_domains_that_never_meet_are_2_apart_and_one_domain_0():
    assert float(linear_probe.proxy_a_distance(*domains(30.0))) == 2
    same = [float(linear_probe.proxy_a_distance(*domains(0.0, seed=s), seed=s)) for s in range(20)]
    assert abs(np.mean(same)) < 0.1
    assert min(same) < 0 < max(same)  # chance puts it on either side, and it is not cut off
    assert 0.4 < float(linear_probe.proxy_a_distance(*domains(1.0))) < 1.2


def test_it_is_that_of_scikit_learn_on_the_same_rows():
    X, labels = domains(1.0)
    first, second = (rows.numpy() for rows in _halves(labels, 5))
    alpha = len(first) * 0.1 * float(X[first].double().var(0, correction=0).mean())
    expected = reference_spectra.domain_distance(X.double().numpy(), labels.numpy(), first, second, alpha)
    assert float(linear_probe.proxy_a_distance(X, labels, l2=0.1, seed=5)) == pytest.approx(expected, abs=1e-10)
    assert float(linear_probe.proxy_a_distance(X, labels, l2=0.1, seed=6)) != pytest.approx(expected, abs=1e-10)


def test_a_small_domain_beside_a_large_one_gains_nothing_by_its_size():
    unequal = [float(linear_probe.proxy_a_distance(*domains(0.0, n=(900, 60), seed=s), seed=s)) for s in range(20)]
    assert abs(np.mean(unequal)) < 0.2  # always "the large one" would be right in 94 % of the rows: 1.75
    first, second = _halves(domains(0.0, n=(900, 60))[1], 0)
    assert len(first) == len(second) == 60
    assert not set(first.tolist()) & set(second.tolist())


def test_prefixes_are_their_columns():
    X, labels = domains(2.0)
    order = subsets.random_order(12, seed=1)
    values = linear_probe.proxy_a_distance(X, labels, order=order, sizes=[3, 12])
    assert values.shape == (2,)
    whole = linear_probe.proxy_a_distance(X, labels)
    assert float(values[1]) == pytest.approx(float(whole))
    at = int((order == 0).nonzero()) + 1
    assert float(linear_probe.proxy_a_distance(X, labels, order=order, sizes=[max(1, at - 1)])[0]) < float(whole)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: linear_probe.proxy_a_distance(X, None), "expected domains as an array"),
        (lambda X, y: linear_probe.proxy_a_distance(X, y[:5]), r"domains of shape \(600,\)"),
        (lambda X, y: linear_probe.proxy_a_distance(X, y - 1), "class indices from 0 in domains, got -1"),
        (lambda X, y: linear_probe.proxy_a_distance(X, y.float()), "integer class indices, got torch.float32"),
        (lambda X, y: linear_probe.proxy_a_distance(X, 0 * y), "at least 4 rows of either domain, got 600 and 0"),
        (lambda X, y: linear_probe.proxy_a_distance(X, 2 * y), "expected domains 0 and 1, got 2"),
        (lambda X, y: linear_probe.proxy_a_distance(0 * X, y), "features that vary"),
        (lambda X, y: linear_probe.proxy_a_distance(X, y, sizes=[3]), "order and sizes together"),
        (lambda X, y: linear_probe.proxy_a_distance(X, y, l2=0), "l2 above 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call(*domains(1.0))
