"""Logistic probes on whatever hypothesis thinks of: shapes, scales, ranks, constant and repeated columns."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_probes import logistic_gradient_norm

from diffred_core import linear_probe


@st.composite
def rows_with_defects(draw):
    """Features of a drawn rank and scale, their labels, and the places of a constant column and of a repeated pair."""
    n, d = draw(st.integers(6, 60)), draw(st.integers(3, 25))
    n_classes, rank = draw(st.integers(2, 4)), draw(st.integers(1, d))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    mixed = torch.randn(n, rank, generator=generator) @ torch.randn(rank, d, generator=generator)
    X = mixed * 10.0 ** draw(st.integers(-3, 3)) + draw(st.sampled_from([0.0, 1.0, 100.0]))
    X[:, 0], X[:, 1] = 7.0, X[:, 2]
    return X, torch.arange(n) % n_classes, 10.0 ** draw(st.integers(-4, 1))


@settings(deadline=None, max_examples=40)
@given(rows_with_defects())
def test_a_probe_is_the_certified_minimum_whatever_the_features(case):
    X, y, l2 = case
    scale = X.std(0, correction=0).max().item()
    probe = linear_probe.fit_logistic(X, y, l2=l2, tol=1e-6 * max(1.0, scale), max_iter=5000)
    assert torch.isfinite(probe.weight).all()
    assert torch.isfinite(probe.bias).all()
    assert probe.converged
    assert logistic_gradient_norm(X.double(), y, probe.weight, probe.bias, l2) <= 1.01e-6 * max(1.0, scale)
    # without a slope of the loss, l2 alone acts on the constant column; what is twice there is weighed twice alike
    assert probe.weight[0].abs().max() <= 1e-6 * max(1.0, scale) / l2
    assert (probe.weight[1] - probe.weight[2]).abs().max() <= 2e-6 * max(1.0, scale) / l2


@settings(deadline=None, max_examples=15)
@given(rows_with_defects(), st.data())
def test_a_batch_of_subsets_equals_its_members(case, data):
    X, y, l2 = case
    X = (X - X.mean(0)) / X.std(0).clamp_min(1e-6)
    columns = st.lists(st.integers(0, X.shape[1] - 1), min_size=1, unique=True)
    subsets = data.draw(st.lists(columns, min_size=1, max_size=4))
    batch = linear_probe.fit_logistic(X, y, subsets=subsets, l2=l2, tol=1e-6)
    for i, subset in enumerate(subsets):
        solo = linear_probe.fit_logistic(X[:, subset], y, l2=l2, tol=1e-6)
        assert batch.converged[i] == solo.converged
        torch.testing.assert_close(batch.weight[i, : len(subset)], solo.weight, rtol=0, atol=2e-6 / l2)
