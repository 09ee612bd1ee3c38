"""What a factor does to redundancy: planted effects are found, none where there is none, differences are paired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from synthetic_task import make_task

from diffred_core import cka, intervals, moments, redundancy, subsets
from diffred_core.chapters import governs, random_subsets
from diffred_core.chapters.governs import names
from diffred_core.chapters.governs.factors_measures import log2_needed
from diffred_core.chapters.random_subsets import comparators, curves
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures
from diffred_core.results import where

ROWS = (300, 150, 600)
OPTIONS = {"n_seeds": 3, "n_boot": 200, "numbers": (8, 16)}


def network(name: str, **options: object) -> TaskFeatures:
    return replace(make_task(n_samples=ROWS, **options), model=name)


def spread_out(name: str, *, n_features: int, seed: int = 0) -> TaskFeatures:
    """Return a layer that tells classes apart by all of its features together, each as much as any other."""
    draw = torch.Generator().manual_seed(seed)
    means = torch.randn(4, n_features, generator=draw) * 1.6 / n_features**0.5
    splits = {}
    for split, n in zip(("train", "validation", "test"), (3000, 600, 2000), strict=True):
        y = torch.arange(n) % 4
        splits[split] = means[y] + torch.randn(n, n_features, generator=draw), y
    return TaskFeatures(name, "signals", tuple("abcd"), dict.fromkeys(splits, "none"), splits)


def row(table: pd.DataFrame, **values: object) -> pd.Series:
    """Return the one row with these values that is compared between networks: not a point of a curve."""
    found = where(table, **values)
    (only,) = found[found["fraction"].isna() | found["n_selected"].isna()].to_dict("records")
    return pd.Series(only)


@pytest.fixture(scope="module")
def width() -> pd.DataFrame:
    """Six signals in layers of 24 and 96 features: the same number is needed of both."""
    layers = [network("narrow", n_features=24), network("wide", n_features=96)]
    return governs.what_governs(layers, factor=names.WIDTH, **OPTIONS)


@pytest.fixture(scope="module")
def alike() -> pd.DataFrame:
    """Two layers that differ in nothing but the draw of their mixing."""
    return governs.what_governs([network("a"), network("b", seed=0)], factor="nothing", **OPTIONS)


def test_a_planted_effect_of_width_is_found(width: pd.DataFrame) -> None:
    verdicts = {claim.name: claim.verdict for claim in governs.claims.all_claims(width)}
    assert verdicts == {
        "width changes redundancy": "holds",
        "wider is more redundant": "holds",
        "need grows slower than width": "holds",
        "critical mass is a number": "holds",
    }


def test_where_all_features_count_alike_a_share_is_needed_and_no_number() -> None:
    layers = [spread_out("narrow", n_features=24), spread_out("wide", n_features=96)]
    table = governs.what_governs(layers, factor=names.WIDTH, **OPTIONS)
    slope = row(table, method=names.GROWTH, delta=0.9)
    assert slope["value"] == pytest.approx(1, abs=0.15)
    verdicts = {claim.name: claim.verdict for claim in governs.claims.all_claims(table)}
    assert verdicts["critical mass is a number"] == "fails"
    assert verdicts["wider is more redundant"] != "holds"
    assert verdicts["width changes redundancy"] != "holds"


def test_a_factor_without_effect_makes_no_difference(alike: pd.DataFrame) -> None:
    pairs = where(alike, method=names.DIFFERENCE)
    assert len(pairs)
    assert (pairs[["value", "low", "high"]] == 0).all(
        axis=None
    )  # the same features: resampled in pairs, nothing is left
    one = row(alike, method=names.RANDOM, metric=names.SHARE, delta=0.9, model="a")
    assert one["high"] - one["low"] > 0.01  # the control: unpaired, the difference would be as wide as this
    (claim,) = governs.claims.all_claims(alike)
    assert claim.verdict == "fails"
    assert where(alike, method=names.GROWTH).empty


def test_layers_of_one_kind_differ_by_chance_alone() -> None:
    layers = [network(f"draw {seed}", seed=0, n_features=40) for seed in range(2)]
    mixed = [replace(one, splits=mix(one.splits, seed)) for seed, one in enumerate(layers)]
    table = governs.what_governs(mixed, factor="mixing", **OPTIONS)
    (claim,) = governs.claims.all_claims(table)
    assert claim.verdict != "holds"
    difference = row(table, method=names.DIFFERENCE, metric=names.MEAN_ACCURACY, fraction=0.2)
    assert difference["low"] < 0 < difference["high"]


def mix(
    splits: dict[str, tuple[torch.Tensor, torch.Tensor]], seed: int
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return the features in another random order, which changes the draws of a seed and nothing else."""
    return {split: (X[:, subsets.random_order(X.shape[1], seed=100 + seed)], y) for split, (X, y) in splits.items()}


def test_what_is_measured_of_one_network_is_what_part_one_measures(width: pd.DataFrame) -> None:
    layer = network("narrow", n_features=24)
    probes = random_subsets.probes(layer, n_seeds=3, logistic_fractions=(), gap_fractions=(), n_boot=10)
    probes = where(probes, probe="ridge")
    for metric in (names.FIRST, names.NEAREST):
        for delta in names.DELTAS:
            pooled = where(probes, method="random", metric=metric, delta=delta)
            expected = pooled[pooled["repeat"].isna()]["value"].item()
            assert row(width, method=names.RANDOM, metric=metric, delta=delta, model="narrow")["value"] == expected
    accuracy = where(probes, method="random", metric="accuracy", fraction=0.2)["value"].mean()
    assert (
        row(width, method=names.RANDOM, metric=names.MEAN_ACCURACY, fraction=0.2, model="narrow")["value"] == accuracy
    )
    ginis = where(probes, method="random", metric="gini", fraction=0.2)
    expected = ginis[ginis["repeat"].notna()]["value"].mean()
    assert row(width, method=names.RANDOM, metric=names.GINI, model="narrow")["value"] == pytest.approx(expected)
    X = layer.splits["test"][0]
    masks = torch.stack([subsets.prefix_masks(subsets.random_order(24, seed=seed), [4])[0] for seed in (1, 2, 3)])
    sums = moments.from_features(X)
    excess = (cka.subset_cka(sums, masks) - cka.diagonal_null(sums, masks)).mean().item()
    assert row(width, method=names.RANDOM, metric=names.EXCESS, model="narrow")["value"] == pytest.approx(excess)


def test_limits_of_a_difference_are_those_of_the_paired_bootstrap() -> None:
    layers = [network("a", n_features=24), network("b", n_features=96)]
    table = governs.what_governs(layers, **OPTIONS | {"n_boot": 2000})
    correct = []
    for layer in layers:
        data = curves.ProbeData.of(layer, split="test", standardize=False)
        sizes = Sizes.of(layer.n_features, [0.2])
        draws = comparators.draw("random", data.moments, seeds=range(1, 4))
        correct.append(torch.cat([curves.ridge(data, draw, sizes, l2=curves.RIDGE_L2).correct for draw in draws]))
    expected = intervals.paired_bootstrap(correct[1], correct[0], seed=5)
    found = row(table, method=names.DIFFERENCE, metric=names.MEAN_ACCURACY, fraction=0.2)
    assert found["value"] == pytest.approx(expected.estimate)
    assert found[["low", "high"]].tolist() == pytest.approx([expected.low, expected.high], abs=0.01)


def test_limits_over_draws_and_rows_are_wider_than_over_rows_alone() -> None:
    layer = network("a")
    few = governs.what_governs([layer, network("b", n_features=24)], **OPTIONS | {"n_boot": 500})
    found = row(few, method=names.RANDOM, metric=names.MEAN_ACCURACY, fraction=0.05, model="a")
    p = found["value"]
    over_rows = 2 * 1.96 * (p * (1 - p) / ROWS[2]) ** 0.5
    assert found["high"] - found["low"] > 1.3 * over_rows  # two random dimensions are a matter of luck


def test_the_greatest_difference_has_limits_for_all_pairs_at_once() -> None:
    layers = [network(name, n_features=d) for name, d in (("a", 24), ("b", 48), ("c", 96))]
    table = governs.what_governs(layers, factor=names.WIDTH, **OPTIONS)
    for delta in names.DELTAS:
        spread = row(table, method=names.SPREAD, metric=names.SHARE, delta=delta)
        pairs = where(table, method=names.DIFFERENCE, metric=names.SHARE, delta=delta)
        assert len(pairs) == 3
        assert spread["value"] == pairs["value"].abs().max()
        widest = pairs.loc[pairs["value"].abs().idxmax()]
        assert spread["high"] - spread["low"] >= 0.95 * (widest["high"] - widest["low"])
    assert set(pairs["model"] + pairs["label"]) == {"ba", "ca", "cb"}


def test_needed_features_lie_between_the_sizes_that_bracket_them() -> None:
    sizes, generator = np.array([1, 2, 4, 8, 16]), np.random.default_rng(0)
    kept = np.append(generator.uniform(0.2, 1.1, size=(50, 4)), np.ones((50, 1)), axis=1)
    for delta in (0.5, 0.9, 1.0):
        found = log2_needed(sizes, kept, delta)
        for curve, value in zip(kept, found, strict=True):
            first = next(j for j in range(5) if curve[j] >= delta)
            if first == 0:
                assert value == 0
                continue
            way = (delta - curve[first - 1]) / (curve[first] - curve[first - 1])
            assert value == pytest.approx(np.log2(sizes[first - 1]) + way)  # the sizes double
    assert log2_needed(sizes, np.array([0.1, 0.2, 0.3, 0.4, 1.0]), 0.9) < 4


def test_redundancy_without_steps_agrees_with_the_published_estimator(width: pd.DataFrame) -> None:
    for model in ("narrow", "wide"):
        curve = where(width, method=names.RANDOM, metric=names.MEAN_ACCURACY, model=model).dropna(subset="n_selected")
        curve = curve[curve["fraction"].notna()]
        full = row(width, method=names.RANDOM, metric=names.MEAN_ACCURACY, model=model, fraction=1.0)["value"]
        sizes = curve["n_selected"].to_numpy(float)
        all_sizes = redundancy.diffused_redundancy(curve["fraction"], curve["value"], full, delta=0.9)
        share = row(width, method=names.RANDOM, metric=names.SHARE, delta=0.9, model=model)["value"]
        step = np.diff(np.append(sizes, sizes[-1])).max() / int(curve["n_features"].iloc[0])
        assert 0 <= (1 - all_sizes) - share <= step


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        (["a"], {}, r"expected at least two levels of the factor width, got one \(a\): nothing differs; name other"),
        (["a", "a"], {}, r"expected levels of different names, got a, a; give each a name of its own"),
        (["a", "b"], {"n_seeds": 1}, r"n_seeds must be at least 2, since an interval needs repeats, got 1"),
    ],
)
def test_what_cannot_be_compared_is_said(layers: list[str], options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        governs.what_governs([network(name) for name in layers], factor=names.WIDTH, **options)


def test_networks_on_different_rows_are_refused() -> None:
    other = replace(make_task(n_samples=(300, 150, 500)), model="b")
    with pytest.raises(InputError, match=r"expected all levels on the same rows of signals, got others of b; take one"):
        governs.what_governs([network("a"), other])


def test_the_page_says_what_the_table_holds(width: pd.DataFrame) -> None:
    answer = governs.answers.what_governs(width)
    needs = where(width, method=names.RANDOM, metric=names.NEEDED, delta=0.9).set_index("model")["value"]
    assert answer.sentence.startswith("Of 2 networks that differ in width, wide is the most redundant on signals")
    assert f"they need {2 ** needs['wide']:.0f} and {2 ** needs['narrow']:.0f} dimensions" in answer.sentence
    for figure in (governs.figures.kept, governs.figures.networks, governs.figures.pairs):
        summary = figure.summary(width)
        assert figure.plot(summary).figure is not None
        assert "wide" in figure.words(summary)
    shown = governs.tables.networks.summary(width).set_index("model")
    assert shown.loc["wide", "dimensions needed at 90 %"] == pytest.approx(2 ** needs["wide"])
    sizes = governs.tables.equal_sizes.summary(width)
    assert sizes["dimensions kept"].tolist() == ["5 %", "10 %", "20 %", "50 %", "8", "16"]


def test_a_table_that_lacks_what_a_claim_is_about_is_refused(width: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"expected share_needed of greatest_difference at 0\.8, got no such row"):
        governs.claims.factor_matters(width, delta=0.8)
