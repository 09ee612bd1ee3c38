"""The theory of two Gaussian classes against simulation, published-style tables, and its own invariances."""

from __future__ import annotations

import math

import pytest
import torch

from diffred_core import few_shot, subsets
from diffred_core.errors import InputError

ONE_AND_BOTH = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
# gap and spread of the second of two features, shots, then Monte-Carlo errors with the first (gap 2, spread 1) and with
# both: 400,000 queries, computed apart from this package
TABLE = [
    (0.2, 1.0, 1, 0.252, 0.284),
    (0.2, 1.0, 5, 0.169, 0.184),
    (0.2, 1.0, 20, 0.162, 0.164),
    (0.2, 1.0, 100, 0.159, 0.158),
    (0.2, 1.0, 1000, 0.159, 0.157),
    (0.2, 3.0, 1, 0.251, 0.408),
    (0.2, 3.0, 1000, 0.159, 0.171),
    (1.0, 2.0, 1, 0.252, 0.346),
    (1.0, 2.0, 1000, 0.159, 0.188),
]


def two_features(gap, spread):
    return torch.tensor([2.0, gap], dtype=torch.float64), torch.tensor([1.0, spread], dtype=torch.float64)


@pytest.mark.parametrize(("gap", "spread", "n_shot", "one", "both"), TABLE)
def test_simulation_and_averaged_exact_errors_reproduce_the_table(gap, spread, n_shot, one, both):
    gap, spread = two_features(gap, spread)
    options = {"n_shot": n_shot, "seed": 3, "masks": ONE_AND_BOTH}
    simulated, noise = few_shot.simulated_errors(gap, spread, n_trials=100_000, **options)
    exact, small_noise = few_shot.averaged_errors(gap, spread, n_trials=50_000, **options)
    expected = torch.tensor([one, both], dtype=torch.float64)
    assert ((simulated - exact).abs() < 4 * (noise.square() + small_noise.square()).sqrt()).all()
    assert (small_noise < noise).all()
    torch.testing.assert_close(exact, expected, atol=0.004, rtol=0)


@pytest.mark.parametrize(("gap", "spread", "n_shot", "one", "both"), TABLE)
def test_the_approximation_is_within_six_hundredths(gap, spread, n_shot, one, both):
    gap, spread = two_features(gap, spread)
    found = few_shot.approximate_error(ONE_AND_BOTH * gap, ONE_AND_BOTH * spread, n_shot=n_shot)
    expected = torch.tensor([one, both], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=0.06 if n_shot < 100 else 0.01, rtol=0)
    wrong = few_shot.approximate_error(ONE_AND_BOTH * gap, ONE_AND_BOTH * spread, n_shot=math.inf)
    assert (wrong - expected).abs().max() > (0.06 if n_shot == 1 else -1)  # the control: shots matter


def test_error_given_prototypes_is_that_of_drawn_rows():
    draw = torch.Generator().manual_seed(0)
    mean, spread, own, other = torch.randn(4, 3, 5, generator=draw, dtype=torch.float64)
    spread = spread.abs() + 0.1
    exact = few_shot.error_given_prototypes(mean, spread, own, other)
    assert exact.shape == (3,)
    for i in range(3):
        rows = mean[i] + spread[i] * torch.randn(200_000, 5, generator=draw, dtype=torch.float64)
        nearer = (rows - other[i]).square().sum(1) < (rows - own[i]).square().sum(1)
        assert abs(nearer.double().mean() - exact[i]) < 4 * 0.5 / 200_000**0.5
    assert exact.max() - exact.min() > 0.05
    torch.testing.assert_close(few_shot.error_given_prototypes(mean, spread, other, own), 1 - exact)
    assert few_shot.error_given_prototypes(mean, spread, own, own).tolist() == [0.5] * 3
    certain = few_shot.error_given_prototypes(own, 0 * spread, own, other)
    assert certain.tolist() == [0.0] * 3


def test_moments_are_those_of_the_drawn_statistic():
    gap, spread = two_features(1.0, 2.0)
    mean, variance = few_shot.statistic_moments(gap, spread, n_shot=3)
    draw = torch.Generator().manual_seed(1)
    a, b, z = torch.randn(3, 400_000, 2, generator=draw, dtype=torch.float64) * spread
    a, b, z = gap + a / 3**0.5, b / 3**0.5, z + gap
    T = ((z - b).square() - (z - a).square()) / 2
    torch.testing.assert_close(T.mean(0), mean, atol=0.03, rtol=0.01)
    torch.testing.assert_close(T.var(0), variance, rtol=0.02, atol=0)
    torch.testing.assert_close(T.sum(1).var(), variance.sum(), rtol=0.02, atol=0)
    known = few_shot.statistic_moments(gap, spread, n_shot=math.inf)[1]
    torch.testing.assert_close(known, spread.square() * gap.square())


def test_a_feature_helps_only_from_the_shots_that_the_table_says():
    kept = torch.tensor([True, False])
    for spread, gap, shots in ((1.0, 0.2, {1: False, 20: False, 100: True, 1000: True}), (3.0, 0.2, {1: 0, 1000: 0})):
        for n_shot, expected in shots.items():
            found = few_shot.helps(*two_features(gap, spread), n_shot=n_shot, kept=kept)
            assert bool(found[1]) is bool(expected)
            assert found[0]  # the strong feature always does


def test_helping_is_a_lower_error():
    gap, spread = few_shot.gaussian_problem(12, 3, seed=0)
    for n_shot in (1, 10, math.inf):
        found = few_shot.helps(gap, spread, n_shot=n_shot)
        everything = few_shot.approximate_error(gap, spread, n_shot=n_shot)
        without = 1 - torch.eye(12, dtype=torch.float64)
        others = few_shot.approximate_error(without * gap, without * spread, n_shot=n_shot)
        assert torch.equal(found, everything < others)
        assert found.any()
        assert n_shot == math.inf or not found.all()


def test_harm_at_infinity_is_the_closed_form():
    kept, spread = torch.tensor([True, False]), torch.linspace(0.5, 3, 40, dtype=torch.float64)
    for gap in (0.2, 1.0):
        pairs = torch.stack([torch.ones(40, dtype=torch.float64), spread], 1)
        gaps = torch.tensor([2.0, gap], dtype=torch.float64).expand(40, 2)
        roles = few_shot.harm(gaps, pairs, n_shot=2, kept=kept)
        at_infinity = spread.square() < 2 + gap**2 / 4  # sigma_2^2 < sigma_1^2 (2 + gap_2^2 / gap_1^2)
        assert torch.equal(roles["metric"][:, 1], ~at_infinity)
        assert torch.equal(roles["useful"][:, 1] | roles["few_shot"][:, 1], at_infinity)
        assert torch.equal(sum(part.int() for part in roles.values()), torch.ones(40, 2, dtype=torch.int32))
        assert roles["few_shot"][:, 1].any()


@pytest.mark.parametrize("n_shot", [1, 5, 100, math.inf])
def test_no_mask_beats_the_optimal_one(n_shot):
    gap, spread = few_shot.gaussian_problem(30, 5, seed=2)
    ratio, draw = gap / spread, torch.Generator().manual_seed(0)

    def error(mask):
        return few_shot.approximate_error(mask * gap, mask * spread, n_shot=n_shot)

    best = few_shot.optimal_mask(ratio, spread, n_shot=n_shot)
    others = torch.stack([torch.ones_like(gap), ratio, 1 / spread, ratio / spread])
    near = best * (1 + 0.1 * torch.randn(200, 30, generator=draw, dtype=torch.float64))
    assert (error(torch.cat([others, near])) >= error(best) - 1e-12).all()
    assert (error(near) > error(best)).any()
    torch.testing.assert_close(error(7 * best), error(best))


def test_the_optimal_mask_has_its_limits():
    ratio, spread = torch.tensor([1e-4, 0.0, 1.0]).double(), torch.tensor([2.0, 2.0, 0.5]).double()
    torch.testing.assert_close(few_shot.optimal_mask(ratio, spread, n_shot=math.inf)[[0, 2]], 1 / spread[[0, 2]])
    assert few_shot.optimal_mask(ratio, spread, n_shot=math.inf)[1] == 0
    small = few_shot.optimal_mask(ratio, spread, n_shot=1)[0]
    torch.testing.assert_close(small, ratio[0] / (3**0.5 * spread[0]))


def test_simulated_curves_over_subsets_follow_the_approximation():
    gap, spread = few_shot.gaussian_problem(128, 8, seed=0)
    order = (gap / spread).argsort(descending=True)
    for n_shot in (1, 20):
        masks = subsets.prefix_masks(order, [3, 8, 40, 128])
        masks = torch.cat([masks, few_shot.optimal_mask(gap / spread, spread, n_shot=n_shot)[None]])
        found, _ = few_shot.simulated_errors(gap, spread, n_shot=n_shot, n_trials=4000, seed=0, masks=masks)
        expected = few_shot.approximate_error(masks * gap, masks * spread, n_shot=n_shot)
        torch.testing.assert_close(found, expected, atol=0.06, rtol=0)
        assert found[4] < found[1] < found[[0, 3]].min()  # few good features beat all, the mask beats both


def test_centroid_curves_on_gaussian_rows_end_where_the_theory_says():
    gap, spread = few_shot.gaussian_problem(40, 5, seed=1)
    X, y = few_shot.gaussian_classes(torch.stack([gap, 0 * gap]), spread, n_rows=3000, seed=0)
    episodes = few_shot.sample_episodes(y, n_way=2, n_shot=2, n_query=30, n_episodes=800, seed=0)
    order, sizes = (gap / spread).argsort(descending=True), [2, 5, 40]
    found = 1 - few_shot.centroid_curve(X, episodes, order, sizes).mean(0)
    masks = subsets.prefix_masks(order, sizes)
    expected, _ = few_shot.averaged_errors(gap, spread, n_shot=2, n_trials=20_000, seed=0, masks=masks)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
    assert found.max() - found.min() > 0.06


def test_draws_are_seeded_and_one_set_of_draws_serves_all_masks():
    gap, spread = few_shot.gaussian_problem(6, 2, seed=4)
    options = {"n_shot": 2, "n_trials": 1000}
    one, _ = few_shot.averaged_errors(gap, spread, seed=1, **options)
    masks = torch.stack([torch.ones(6), 3 * torch.ones(6)])
    both, _ = few_shot.averaged_errors(gap, spread, seed=1, masks=masks, **options)
    assert one.shape == ()
    torch.testing.assert_close(both, one.expand(2))
    assert few_shot.averaged_errors(gap, spread, seed=2, **options)[0] != one
    assert torch.equal(few_shot.gaussian_problem(6, 2, seed=4)[0], gap)
    assert not torch.equal(few_shot.gaussian_problem(6, 2, seed=5)[0], gap)
    first = few_shot.gaussian_classes(gap[None], spread, n_rows=5, seed=0)[0]
    assert torch.equal(few_shot.gaussian_classes(gap[None], spread, n_rows=5, seed=0)[0], first)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: few_shot.approximate_error(g, g, n_shot=0), "n_shot of at least 1, got 0; pass math.inf"),
        (lambda g: few_shot.optimal_mask(g, g, n_shot=math.nan), "n_shot of at least 1, got nan"),
        (lambda g: few_shot.simulated_errors(g, g, n_shot=0, n_trials=5, seed=0), "n_shot of at least 1, got 0"),
        (lambda g: few_shot.averaged_errors(g, g, n_shot=1, n_trials=0, seed=0), "n_trials of at least 1, got 0"),
        (lambda g: few_shot.gaussian_problem(4, 5, seed=0), "n_strong from 1 to n_features=4, got 5"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call(torch.ones(3, dtype=torch.float64))
