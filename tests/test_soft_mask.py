"""Importance and masks: invariances, closed forms, and what each kind refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_few_shot import importance_by_pairs
from sklearn.feature_selection import f_classif

from diffred_core import soft_mask
from diffred_core.errors import InputError

PAIRS = ["mean_pair", "max_pair", "min_pair", "rank_mean"]
KINDS = ["importance", "sqrt", "scaled", "inverse_spread", "mmc", "theory", "hard"]


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(4).repeat(12)
    X = torch.randn(48, 7, generator=generator, dtype=torch.float64) + torch.linspace(0, 2, 7) * y[:, None]
    return X, y


def statistics_of(X, y):
    return soft_mask.class_statistics(X, y)


def test_class_statistics_are_those_of_each_class(data):
    X, y = data
    found = statistics_of(X, 3 * y + 1)  # labels with gaps
    for c in range(4):
        rows = X[y == c].numpy()
        np.testing.assert_allclose(found.mean[c], rows.mean(0))
        np.testing.assert_allclose(found.spread[c], rows.std(0, ddof=1))
    assert found.count.tolist() == [12] * 4
    np.testing.assert_allclose(found.magnitude, X.abs().mean(0))


@pytest.mark.parametrize("shrinkage", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", PAIRS)
def test_pair_importance_equals_loops(data, kind, shrinkage):
    X, y = data
    expected = importance_by_pairs([X[y == c].numpy() for c in range(4)], kind, shrinkage)
    found = soft_mask.importance(statistics_of(X, y), kind=kind, shrinkage=shrinkage)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if shrinkage:
        assert not np.allclose(soft_mask.importance(statistics_of(X, y)), expected)


def test_fisher_importance_is_the_anova_f(data):
    X, y = data
    uneven = torch.cat([torch.arange(len(y)), torch.arange(0, 48, 3)])
    X, y = X[uneven], y[uneven]
    found = soft_mask.importance(statistics_of(X, y), kind="fisher")
    np.testing.assert_allclose(found, f_classif(X, y)[0], rtol=1e-10)


@pytest.mark.parametrize("kind", [*PAIRS, "fisher"])
def test_importance_ignores_the_scale_of_a_feature_while_distances_do_not(data, kind):
    X, y = data
    scaled = X * torch.logspace(-3, 3, 7)
    torch.testing.assert_close(
        soft_mask.importance(statistics_of(scaled, y), kind=kind), soft_mask.importance(statistics_of(X, y), kind=kind)
    )
    assert not torch.allclose(torch.cdist(scaled, scaled), torch.cdist(X, X))  # the control


@pytest.mark.parametrize("kind", [*PAIRS, "fisher"])
def test_importance_follows_the_features_and_forgets_the_order_of_the_classes(data, kind):
    X, y = data
    plain = soft_mask.importance(statistics_of(X, y), kind=kind)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(soft_mask.importance(statistics_of(X[:, order], y), kind=kind), plain[order])
    torch.testing.assert_close(soft_mask.importance(statistics_of(X, 3 - y), kind=kind), plain)
    assert not torch.allclose(plain[order], plain)
    assert not torch.allclose(soft_mask.importance(statistics_of(X, y.sort().values), kind=kind), plain)


def test_constant_feature_has_no_importance_and_a_perfect_one_stays_finite():
    y = torch.tensor([0, 0, 1, 1])
    X = torch.tensor([[1.0, 0.0, 0.1], [1.0, 0.0, 0.3], [1.0, 1.0, 0.2], [1.0, 1.0, 0.4]])
    for kind in [*PAIRS[:3], "fisher"]:
        R = soft_mask.importance(statistics_of(X, y), kind=kind)
        assert R[0] == 0
        assert R[1] == 1e12
        assert 0 < R[2] < 1e2
    assert soft_mask.importance(statistics_of(X, y), kind="rank_mean").tolist() == pytest.approx([0, 1, 2 / 3])


def test_masks_follow_their_formulas():
    R, spread = torch.tensor([4.0, 1.0, 0.0]).double(), torch.tensor([2.0, 0.5, 1.0]).double()
    gain = (R.square() / (R.square() * 1.5 + 5 / 4)).sqrt() / spread
    expected = {
        "importance": [1, 0.25, 0],
        "sqrt": [1, 0.5, 0],
        "scaled": [1, 1, 0],
        "inverse_spread": [0.25, 1, 0.5],
        "mmc": [1, 1, 0],
        "theory": gain / gain.max(),
        "hard": [1, 1, 0],
    }
    assert list(expected) == KINDS
    for kind, weights in expected.items():
        got = soft_mask.mask(R, kind=kind, spread=spread, magnitude=spread, fraction=0.5, n_shot=2)
        np.testing.assert_allclose(got, weights, err_msg=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_many_tasks_at_once_equal_one_at_a_time(kind):
    R, spread = torch.rand(2, 3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    options = {"kind": kind, "n_shot": 1, "fraction": 0.3}
    together = soft_mask.mask(R, spread=spread, magnitude=spread, **options)
    for i in range(3):
        for j in range(5):
            one = soft_mask.mask(R[i, j], spread=spread[i, j], magnitude=spread[i, j], **options)
            torch.testing.assert_close(together[i, j], one)
            assert one.max() == 1
    classes = torch.stack([0.5 * spread, 1.5 * spread], -2)  # of two classes, whose mean they are
    torch.testing.assert_close(soft_mask.mask(R, spread=classes, magnitude=spread, **options), together)


def test_a_hard_mask_keeps_the_ceiling_of_the_share():
    R = torch.linspace(1, 2, 100)
    for fraction, kept in ((0.07, 7), (0.071, 8), (0.001, 1), (1.0, 100), (0.29, 29)):
        found = soft_mask.mask(R, kind="hard", fraction=fraction)
        assert torch.equal(found, (torch.arange(100) >= 100 - kept).to(R))


def test_features_without_spread_or_magnitude():
    R, spread = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 0.0, 0.5])
    assert soft_mask.mask(R, kind="inverse_spread", spread=spread).tolist() == [0, 0, 1]
    for kind in ("scaled", "theory"):
        found = soft_mask.mask(R, kind=kind, spread=spread, n_shot=1)
        assert found[0] == 1
        assert found[1] == 0
        assert 0 < found[2] < 1e-9
    assert soft_mask.mask(R, kind="mmc", magnitude=spread)[1] == 0


def test_a_floor_keeps_nearly_constant_features_from_drowning_the_others():
    R = torch.ones(2, 6).double()
    spread = torch.tensor([[1e-9, 1.0, 2.0, 4.0, 0.0, 0.0], [3.0, 3, 3, 3, 3, 3]]).double()
    plain = soft_mask.mask(R, kind="inverse_spread", spread=spread)
    assert plain[0].tolist() == pytest.approx([1, 1e-9, 5e-10, 2.5e-10, 0, 0])  # the control
    # of the four that have a spread the (lower) median is 1; what has none stays dead
    half, whole = (soft_mask.mask(R, kind="inverse_spread", spread=spread, floor=floor) for floor in (0.5, 1.0))
    assert half[0].tolist() == pytest.approx([1, 0.5, 0.25, 0.125, 0, 0])
    assert whole[0].tolist() == pytest.approx([1, 1, 0.5, 0.25, 0, 0])
    assert torch.equal(whole[1], torch.ones(6).double())
    for kind in ("scaled", "theory"):
        alive = soft_mask.mask(R[:, :4], kind=kind, spread=spread[:, :4], n_shot=1, floor=1.0)
        assert alive[0].tolist() == pytest.approx([1, 1, 0.5, 0.25])
    classes = torch.stack([0.5 * spread, 1.5 * spread], -2)
    torch.testing.assert_close(soft_mask.mask(R, kind="inverse_spread", spread=classes, floor=1.0), whole)


def test_a_clamped_weight_is_one_as_in_the_released_code():
    R, magnitude = torch.tensor([3.0, 4.0, 0.0, 12.0]).double(), torch.tensor([0.5, 0.001, 0.2, 0.1]).double()
    scale = (R / 13 / magnitude).numpy()  # R of length 1 over the mean magnitude
    assert scale.max() > 50
    expected = np.where(scale > 50, 1.0, scale)
    found = soft_mask.mask(R, kind="mmc", magnitude=magnitude, clamp=50.0)
    np.testing.assert_allclose(found, expected / expected.max())
    assert soft_mask.mask(R, kind="mmc", magnitude=magnitude)[1] == 1  # the control: it outweighs all others
    torch.testing.assert_close(soft_mask.mask(7 * R, kind="mmc", magnitude=magnitude, clamp=50.0), found)


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


def test_the_debiased_theory_mask_takes_the_noise_of_the_means_off():
    R, spread = torch.tensor([3.0, 2.0, 1.0]).double(), torch.ones(3).double()
    found = soft_mask.mask(R, kind="theory", spread=spread, n_shot=1, debiased=True)
    known = torch.tensor([7.0, 2.0, 0.0]).double().sqrt()
    torch.testing.assert_close(found, soft_mask.mask(known, kind="theory", spread=spread, n_shot=1))
    assert soft_mask.mask(R, kind="theory", spread=spread, n_shot=1)[2] > 0  # the control
    late = {"kind": "theory", "spread": spread, "n_shot": 10**9}
    torch.testing.assert_close(soft_mask.mask(R, **late, debiased=True), soft_mask.mask(R, **late))
    with pytest.raises(InputError, match=r"importance without bias: expected .* one above 0, .* in 1 of 1 tasks"):
        soft_mask.mask(R / 3, kind="theory", spread=spread, n_shot=1, debiased=True)


def lifted(x, power):
    """One number through the released code's formula."""

    def g(t):
        return 1 / np.log(1 / t + 1) ** power

    return np.sign(x) * (g(abs(x) + 1e-5) - g(1e-5))


def test_simple_transform_is_the_released_formula():
    X = torch.tensor([[-2.0, -0.01, 0.0], [1e-4, 0.3, 40.0]], dtype=torch.float64)
    for power in (1.3, 2.0):
        found = soft_mask.simple_transform(X, power=power)
        np.testing.assert_allclose(found, [[lifted(x, power) for x in row] for row in X.tolist()], atol=1e-13)
    assert soft_mask.simple_transform(X).equal(soft_mask.simple_transform(X, power=1.3))
    assert soft_mask.simple_transform(X.float()).dtype == torch.float32
    values = soft_mask.simple_transform(torch.linspace(-3, 3, 101, dtype=torch.float64)[:, None])
    assert (values.diff(dim=0) > 0).all()
    torch.testing.assert_close(values, -values.flip(0))


def test_bad_input_is_named(data):
    X, y = data
    known = statistics_of(X, y)
    lone = soft_mask.ClassStatistics(known.mean[:1], known.spread[:1], known.count[:1], known.magnitude)
    cases = {
        r"kind: expected one of mean_pair.*did you mean 'max_pair'": lambda: soft_mask.importance(
            known, kind="max_pairs"
        ),
        r"shrinkage: expected a number in \[0, 1\], got 2": lambda: soft_mask.importance(known, shrinkage=2),
        "statistics: expected at least two classes, got 1": lambda: soft_mask.importance(lone),
        "at least two classes with two rows each": lambda: soft_mask.class_statistics(X[:4], y[:4]),
        "finite values in X": lambda: soft_mask.class_statistics(X / 0, y),
        "one above 0, got values from 0 to 0 in 1 of 1 tasks": lambda: soft_mask.mask(torch.zeros(3)),
        "in 1 of 2 tasks": lambda: soft_mask.mask(torch.tensor([[1.0, 2], [1, torch.nan]])),
        "at least 0 and one above 0, got values from -1 to 2": lambda: soft_mask.mask(torch.tensor([-1.0, 2])),
        "spread: mask kind 'scaled' needs it": lambda: soft_mask.mask(torch.ones(3), kind="scaled"),
        "magnitude: mask kind 'mmc' needs it": lambda: soft_mask.mask(torch.ones(3), kind="mmc"),
        "n_shot: mask kind 'theory' needs it": lambda: soft_mask.mask(
            torch.ones(3), kind="theory", spread=torch.ones(3)
        ),
        r"spread: expected the shape of the importance, \(3,\), got \(2,\)": lambda: soft_mask.mask(
            torch.ones(3), kind="scaled", spread=torch.ones(2)
        ),
        "inverse spread: expected finite values of at least 0 and one above 0": lambda: soft_mask.mask(
            torch.ones(3), kind="inverse_spread", spread=torch.zeros(3)
        ),
        "spread: expected finite values of at least 0, got values from -1 to 2": lambda: soft_mask.mask(
            torch.ones(3), kind="scaled", spread=torch.tensor([-1.0, 1, 2])
        ),
        "magnitude: expected finite values of at least 0, got values from nan to nan": lambda: soft_mask.mask(
            torch.ones(3), kind="mmc", magnitude=torch.tensor([1.0, torch.nan, 2])
        ),
        "expected n_shot of at least 1, got 0": lambda: soft_mask.mask(
            torch.ones(3), kind="theory", spread=torch.ones(3), n_shot=0, debiased=True
        ),
        r"fraction: expected a number in \(0, 1\], got 1.2": lambda: soft_mask.mask(
            torch.ones(3), kind="hard", fraction=1.2
        ),
        "fraction: mask kind 'hard' needs it": lambda: soft_mask.mask(torch.ones(3), kind="hard"),
        "debiased: expected kind 'theory' with it, got 'sqrt'": lambda: soft_mask.mask(
            torch.ones(3), kind="sqrt", debiased=True
        ),
        "floor: expected a share of the median spread of at least 0, got -1": lambda: soft_mask.mask(
            torch.ones(3), kind="scaled", spread=torch.ones(3), floor=-1
        ),
        "got inf; pass 0 for none": lambda: soft_mask.mask(
            torch.ones(3), kind="scaled", spread=torch.ones(3), floor=float("inf")
        ),
        "clamp: expected a number above 0 and kind 'mmc' with it, got 50 and 'sqrt'": lambda: soft_mask.mask(
            torch.ones(3), kind="sqrt", clamp=50
        ),
        "clamp: expected a number above 0 and kind 'mmc' with it, got 0": lambda: soft_mask.mask(
            torch.ones(3), kind="mmc", magnitude=torch.ones(3), clamp=0
        ),
        "magnitude: mask kind 'mmc' needs it, got None": lambda: soft_mask.mask(torch.ones(3), kind="mmc", clamp=1),
        "kind: expected one of importance": lambda: soft_mask.mask(torch.ones(3), kind="soft"),
        "power: expected a number above 0, got 0": lambda: soft_mask.simple_transform(X, power=0),
    }
    for message, call in cases.items():
        with pytest.raises(InputError, match=message):
            call()
