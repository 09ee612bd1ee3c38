"""Confidence limits of subset CKA: they hold the population value as often as they say."""

import pytest
import torch

from diffred_core import cka, moments
from diffred_core.errors import InputError

MIX = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
MASKS = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 1, 1], [0.9, 0.1, 0.5, 0, 0, 1]], dtype=torch.float64)


def draw(n, seed):
    """Features of known covariance, uniform at heart."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.rand(n, 4, generator=generator, dtype=torch.float64) - 0.5
    return hidden @ MIX + 0.2 * torch.randn(n, 6, generator=generator, dtype=torch.float64)


def population_cka():
    """CKA of the distribution: the bilinear form in the squared covariances."""
    H = (MIX.T @ MIX / 12 + 0.04 * torch.eye(6)).square()
    W = MASKS.square()
    return (W @ H).sum(1) / (((W @ H) * W).sum(1) * H.sum()).sqrt()


def test_limits_cover_the_population_value():
    truth = population_cka()
    intervals = [cka.subset_cka_interval(draw(150, seed), MASKS, n_blocks=10, seed=seed) for seed in range(200)]
    held = torch.stack([(i.low <= truth) & (truth <= i.high) for i in intervals]).double().mean(0)
    assert bool((held > 0.90).all())  # 0.95 less 3.2 standard errors of 200 draws
    assert bool((held < 0.995).all())
    # the control: limits at half the level hold it about half as often
    narrow = [cka.subset_cka_interval(draw(150, s), MASKS, n_blocks=10, level=0.5) for s in range(80)]
    held = torch.stack([(i.low <= truth) & (truth <= i.high) for i in narrow]).double().mean(0)
    assert bool((held < 0.70).all())


@pytest.mark.parametrize("debiased", [True, False])
def test_value_and_error_equal_refits_without_each_block(debiased):
    X = draw(90, 1)
    got = cka.subset_cka_interval(X, MASKS, debiased=debiased, n_blocks=6, seed=4)
    whole = cka.subset_cka(moments.from_features(X), MASKS, debiased=debiased)
    torch.testing.assert_close(got.value, whole)
    order = torch.randperm(90, generator=torch.Generator().manual_seed(4)).reshape(6, 15)
    refits = torch.stack(
        [
            cka.subset_cka(moments.from_features(X[order[torch.arange(6) != b].flatten()]), MASKS, debiased=debiased)
            for b in range(6)
        ]
    )
    error = (5 / 6 * (refits - refits.mean(0)).square().sum(0)).sqrt()
    torch.testing.assert_close(got.value - got.low, 2.5705818366147395 * error)  # t quantile, 5 degrees of freedom


def test_full_layer_has_no_uncertainty():
    got = cka.subset_cka_interval(draw(60, 0), torch.ones(1, 6), n_blocks=5)
    assert float(got.high - got.low) < 1e-12


def test_limits_do_not_pass_one():
    got = cka.subset_cka_interval(draw(24, 0), torch.tensor([[1.0, 1, 1, 1, 1, 0]]), n_blocks=6)
    assert float(got.high) <= 1


def test_bad_blocks_are_refused():
    for options, sentence in (
        ({"n_blocks": 1}, "n_blocks from 2 to 30"),
        ({"n_blocks": 31}, "n_blocks from 2 to 30"),
        ({"level": 1.0}, r"level in \(0, 1\), got 1.0"),
    ):
        with pytest.raises(InputError, match=sentence):
            cka.subset_cka_interval(draw(30, 0), MASKS, **options)
