"""Intervals: equal to textbook formulas, and holding the truth as often as they say."""

import itertools
import math

import numpy as np
import pytest
from reference import bootstrap_by_indexing
from scipy import stats

from diffred_core.errors import InputError
from diffred_core.intervals import (
    cluster_bootstrap,
    interquartile_mean,
    jackknife_error,
    mean_interval,
    paired_bootstrap,
    t_interval,
    t_quantile,
)


def test_mean_interval_equals_scipy():
    values = [0.71, 0.68, 0.74, 0.70, 0.69]
    mean, low, high = mean_interval(values, level=0.9)
    want = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((want.low, want.high))


def test_the_quantile_of_t_is_that_of_scipy_to_the_last_bit():
    for degrees, level in itertools.product((1, 2, 4, 19, 300), (0.5, 0.9, 0.95)):
        assert t_quantile(level, degrees=degrees) == stats.t.ppf(0.5 + level / 2, degrees)


def test_one_repeat_has_no_interval():
    assert math.isnan(t_interval(0.5, 0.1, degrees=0).low)
    mean, low, high = mean_interval([0.5])
    assert mean == 0.5
    assert math.isnan(low)
    assert math.isnan(high)


def test_mean_interval_covers():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(0.7, 0.1, size=5)) for _ in range(1000)]
    held = np.mean([i.low <= 0.7 <= i.high for i in intervals])
    assert 0.93 < held < 0.97
    # the control: a normal quantile in place of Student's t holds the truth too seldom with five repeats
    normal = np.mean([abs(i.estimate - 0.7) <= (i.high - i.estimate) * 1.96 / 2.776 for i in intervals])
    assert normal < 0.91


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=40)
    leave_one_out = [np.delete(x, i).mean() for i in range(40)]
    assert float(jackknife_error(leave_one_out)) == pytest.approx(x.std(ddof=1) / 40**0.5)
    assert jackknife_error(np.ones((5, 3))).shape == (3,)


def predictions(rng, *, n_repeats, n_rows, gain):
    """Two methods on common rows: rows differ in difficulty, repeats in skill."""
    difficulty = rng.normal(0, 1.0, n_rows)
    skill = rng.normal(0, 0.25, (n_repeats, 1))
    correct = rng.random((n_repeats, n_rows)) < stats.norm.cdf(difficulty + skill + gain)
    reference = rng.random(n_rows) < stats.norm.cdf(difficulty)
    truth = stats.norm.cdf(gain / np.sqrt(1 + 1 + 0.25**2)) - 0.5
    return correct, reference, truth


def test_paired_bootstrap_covers_new_repeats_and_new_rows():
    rng = np.random.default_rng(1)
    held, held_rows_only = [], []
    for seed in range(150):
        correct, reference, truth = predictions(rng, n_repeats=12, n_rows=250, gain=0.3)
        _, low, high = paired_bootstrap(correct, reference, n_boot=300, seed=seed)
        held.append(low <= truth <= high)
        _, low, high = paired_bootstrap(correct.mean(0, keepdims=True), reference, n_boot=300, seed=seed)
        held_rows_only.append(low <= truth <= high)
    assert 0.90 <= np.mean(held) <= 1.0
    assert np.mean(held_rows_only) < np.mean(held)  # the control: resampling rows alone forgets the repeats


def test_paired_bootstrap_equals_resampling_by_index():
    rng = np.random.default_rng(2)
    correct, reference, _ = predictions(rng, n_repeats=6, n_rows=80, gain=0.5)
    difference, low, high = paired_bootstrap(correct, reference, n_boot=4000, seed=0)
    draws = bootstrap_by_indexing(correct.astype(float) - reference, 4000, seed=1)
    assert difference == pytest.approx(correct.mean() - reference.mean())
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.008)


def test_pairing_is_what_makes_the_interval_narrow():
    rng = np.random.default_rng(3)
    reference = rng.random(400) < 0.5
    correct = np.tile(reference, (5, 1))
    assert paired_bootstrap(correct, reference) == (0, 0, 0)
    unpaired = paired_bootstrap(correct[:, rng.permutation(400)], reference)
    assert unpaired.high - unpaired.low > 0.1


def test_one_reference_per_repeat_is_resampled_in_pairs():
    rng = np.random.default_rng(4)
    reference = rng.random((8, 100)) < rng.random((8, 1))
    assert paired_bootstrap(reference, reference) == (0, 0, 0)


def test_same_seed_same_interval_and_chunks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(5)
    correct, reference, _ = predictions(rng, n_repeats=4, n_rows=60, gain=0.2)
    first = paired_bootstrap(correct, reference, n_boot=500, seed=1)
    assert first == paired_bootstrap(correct, reference, n_boot=500, seed=1)
    assert first != paired_bootstrap(correct, reference, n_boot=500, seed=2)
    monkeypatch.setattr("diffred_core.intervals._KEPT_CELLS", 0)
    assert first == paired_bootstrap(correct, reference, n_boot=500, seed=1)  # drawn anew instead of kept
    monkeypatch.setattr("diffred_core.intervals._CELLS", 60 * 70)
    chunked = paired_bootstrap(correct, reference, n_boot=500, seed=1)
    assert chunked.estimate == first.estimate
    assert (chunked.low, chunked.high) == pytest.approx((first.low, first.high), abs=0.03)


def test_cluster_bootstrap_resamples_clusters_whole():
    rng = np.random.default_rng(6)
    clusters = rng.normal(size=(12, 1)) + 0.1 * rng.normal(size=(12, 8))  # alike within, different between
    estimate, low, high = cluster_bootstrap(clusters, n_boot=4000)
    draws = [clusters[rng.integers(0, 12, 12)].mean() for _ in range(4000)]
    assert estimate == pytest.approx(clusters.mean())
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.04)
    cells = cluster_bootstrap(clusters.ravel(), n_boot=4000)
    assert cells.high - cells.low < 0.6 * (high - low)  # the control: cells taken for clusters promise too much


def test_interquartile_mean_resamples_within_strata_and_no_extreme_decides_it():
    rng = np.random.default_rng(8)
    strata = [place + 0.05 * rng.normal(size=5) for place in (0.2, 0.5, 0.9, 0.7)]
    estimate, low, high = interquartile_mean(strata, n_boot=4000)
    draws = [
        stats.trim_mean(np.concatenate([rng.choice(values, len(values)) for values in strata]), 0.25)
        for _ in range(4000)
    ]
    assert estimate == pytest.approx(stats.trim_mean(np.concatenate(strata), 0.25))
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.01)
    far = interquartile_mean([strata[0] - 50, *strata[1:]])
    assert abs(far.estimate - estimate) < 1e-12
    mean_of_all = interquartile_mean([np.concatenate(strata)], n_boot=4000)
    assert mean_of_all.high - mean_of_all.low > 3 * (high - low)  # the control: of one stratum it speaks of others


def test_cluster_bootstrap_of_one_cluster_has_no_interval():
    estimate, low, high = cluster_bootstrap([[0.1, 0.3]])
    assert estimate == pytest.approx(0.2)
    assert np.isnan([low, high]).all()


def test_bad_input_is_refused():
    good = np.ones((3, 5))
    for call, sentence in (
        (lambda: mean_interval([]), "values to be 1-dimensional, not empty and finite"),
        (lambda: mean_interval([0.1, np.nan]), "with NaN or infinity"),
        (lambda: mean_interval([0.1, 0.2], level=95), r"level in \(0, 1\), got 95"),
        (lambda: paired_bootstrap(good, good[:, :4]), r"reference_correct of shape \(5,\) or \(3, 5\), got \(3, 4\)"),
        (lambda: paired_bootstrap(good[0], good[0]), "correct to be 2-dimensional"),
        (lambda: paired_bootstrap(good, good, n_boot=0), "n_boot of at least 1, got 0"),
        (lambda: cluster_bootstrap([]), "values to be not empty and finite"),
        (lambda: interquartile_mean([]), "expected strata of one or more finite repeats each"),
        (lambda: interquartile_mean([[0.1], []]), "expected strata of one or more finite repeats each"),
        (lambda: cluster_bootstrap(good, n_boot=0), "n_boot of at least 1, got 0"),
        (lambda: cluster_bootstrap(good, level=1), r"level in \(0, 1\), got 1"),
        (lambda: t_interval(0.5, 0.1, degrees=3, level=0), r"level in \(0, 1\), got 0"),
        (lambda: jackknife_error([1.0]), "at least 2 blocks"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()
