"""Importance and masks: invariances, closed forms, and what each kind refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_selection import f_classif

from diffred_core import soft_mask
from diffred_core.errors import InputError


def slow_pair_importance(X, y):
    """The mean over pairs of 2 |difference of means| / (sum of standard deviations), written as loops."""
    classes = sorted(set(y.tolist()))
    values = []
    for j in range(X.shape[1]):
        pairs = []
        for a in classes:
            for b in classes:
                if a < b:
                    u, v = X[y == a, j].numpy(), X[y == b, j].numpy()
                    pairs.append(2 * abs(u.mean() - v.mean()) / (u.std(ddof=1) + v.std(ddof=1)))
        values.append((np.mean(pairs), np.max(pairs), np.min(pairs)))
    return np.array(values)


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(4).repeat(12)
    X = torch.randn(48, 7, generator=generator, dtype=torch.float64) + torch.linspace(0, 2, 7) * y[:, None]
    return X, y


@pytest.mark.parametrize(("kind", "column"), [("mean_pair", 0), ("max_pair", 1), ("min_pair", 2)])
def test_pair_importance_equals_loops(data, kind, column):
    np.testing.assert_allclose(
        soft_mask.importance(*data, kind=kind), slow_pair_importance(*data)[:, column], rtol=1e-12
    )


def test_fisher_importance_is_the_anova_f(data):
    X, y = data
    np.testing.assert_allclose(soft_mask.importance(X, y, kind="fisher"), f_classif(X, y)[0], rtol=1e-10)


@pytest.mark.parametrize("kind", ["mean_pair", "max_pair", "min_pair", "fisher"])
def test_importance_ignores_the_scale_of_a_feature_while_distances_do_not(data, kind):
    X, y = data
    scaled = X * torch.logspace(-3, 3, 7)
    torch.testing.assert_close(soft_mask.importance(scaled, y, kind=kind), soft_mask.importance(X, y, kind=kind))
    assert not torch.allclose(torch.cdist(scaled, scaled), torch.cdist(X, X))  # the control


def test_constant_feature_has_no_importance_and_a_perfect_one_stays_finite():
    y = torch.tensor([0, 0, 1, 1])
    X = torch.tensor([[1.0, 0.0, 0.1], [1.0, 0.0, 0.3], [1.0, 1.0, 0.2], [1.0, 1.0, 0.4]])
    R = soft_mask.importance(X, y)
    assert R[0] == 0
    assert R[1] > 1e6 * R[2] > 0
    assert torch.isfinite(R).all()


def test_masks_follow_their_formulas():
    R, spread = torch.tensor([4.0, 1.0, 0.0]).double(), torch.tensor([2.0, 0.5, 1.0]).double()
    expected = {
        "importance": [1, 0.25, 0],
        "sqrt": [1, 0.5, 0],
        "scaled": [1, 1, 0],
        "inverse_spread": [0.25, 1, 0.5],
        "mmc": [1, 1, 0],
        "hard": [1, 1, 0],
    }
    for kind, weights in expected.items():
        got = soft_mask.mask(R, kind=kind, spread=spread, magnitude=spread, fraction=0.5)
        np.testing.assert_allclose(got, weights, err_msg=kind)


def test_theory_mask_beats_every_other_in_signal_to_noise():
    # S_n of a diagonally masked two-class problem: sum m^2 D^2 / 2 over the root of sum m^4 c
    generator = torch.Generator().manual_seed(1)
    gap, sigma = (
        torch.rand(30, generator=generator).double() * 2,
        torch.rand(30, generator=generator).double() + 0.3,
    )
    for n in (1, 5, 100):
        c = sigma**2 * gap**2 * (1 + 1 / n) + sigma**4 * (2 * n + 1) / n**2

        def ratio(m, c=c):
            return ((m**2 * gap**2).sum() / 2 / (m**4 * c).sum().sqrt()).item()

        best = ratio(soft_mask.mask(gap / sigma, kind="theory", spread=sigma, n_shot=n))
        for kind in ("importance", "sqrt", "scaled", "inverse_spread"):
            assert best > ratio(soft_mask.mask(gap / sigma, kind=kind, spread=sigma))
        for _ in range(50):
            assert best >= ratio(torch.rand(30, generator=generator).double())


def test_bad_input_is_named(data):
    X, y = data
    with pytest.raises(InputError, match=r"kind: expected one of mean_pair.*did you mean 'max_pair'"):
        soft_mask.importance(X, y, kind="max_pairs")
    with pytest.raises(InputError, match="at least two classes with two rows each"):
        soft_mask.importance(X[:4], y[:4])
    with pytest.raises(InputError, match="one above 0"):
        soft_mask.mask(torch.zeros(3))
    with pytest.raises(InputError, match="spread: mask kind 'scaled' needs it"):
        soft_mask.mask(torch.ones(3), kind="scaled")
    with pytest.raises(InputError, match=r"fraction: expected a number in \(0, 1\], got 1.2"):
        soft_mask.mask(torch.ones(3), kind="hard", fraction=1.2)
    with pytest.raises(InputError, match="kind: expected one of importance"):
        soft_mask.mask(torch.ones(3), kind="soft")
