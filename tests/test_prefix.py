"""Was a layer trained for its prefixes? The test finds an order that is there, and none where it is arbitrary."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures
from diffred_core.results import where


def layer(*, ordered: bool, seed: int = 0) -> TaskFeatures:
    """Return a layer of 32 features; ordered: only the first 8 hold the class."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(600) % 4
    signal = torch.nn.functional.one_hot(y, 4).float() @ torch.randn(4, 32, generator=generator)
    weight = 0.8 * (torch.arange(32) < 8) if ordered else torch.full((32,), 0.6)
    X = signal * weight + torch.randn(600, 32, generator=generator)
    rows = {"train": slice(0, 300), "validation": slice(300, 400), "test": slice(400, 600)}
    keys = dict.fromkeys(rows, "k")
    return TaskFeatures("m", "t", tuple("abcd"), keys, {name: (X[at], y[at]) for name, at in rows.items()})


def test_an_order_that_is_there_is_found():
    table = random_subsets.prefix_test(layer(ordered=True), n_draws=59)
    claim = random_subsets.claims_prefix.first_features_carry_more(table)
    assert claim.verdict == "holds"
    p = where(table, metric="prefix_p_value").set_index("n_selected")["value"]
    assert p.min() == pytest.approx(1 / 60)  # no random subset is as good
    assert claim.value == pytest.approx(3 / 60)


def test_an_arbitrary_order_is_not():
    verdicts = [
        random_subsets.claims_prefix.first_features_carry_more(
            random_subsets.prefix_test(layer(ordered=False, seed=seed), n_draws=59)
        ).verdict
        for seed in range(4)
    ]
    assert verdicts == ["fails"] * 4


def test_the_p_value_is_the_share_of_draws_that_are_as_good():
    features = layer(ordered=False)
    table = random_subsets.prefix_test(features, fractions=[0.25], n_draws=19, seed=5)
    probes = random_subsets.probes(
        features, fractions=[0.25], n_seeds=19, seed=5, methods=["random", "first"], logistic_fractions=[], n_boot=10
    )
    accuracy = where(probes, metric="accuracy", probe="ridge", fraction=0.25)
    drawn, (first,) = (where(accuracy, method=method)["value"].to_numpy() for method in ("random", "first"))
    rows = table.set_index(["method", "metric"])["value"]
    assert rows["first", "prefix_p_value"] == pytest.approx((1 + (drawn >= first).sum()) / 20)
    assert rows["first", "accuracy"] == pytest.approx(first)
    assert rows["first", "gain_over_random"] == pytest.approx(first - drawn.mean())
    mean = where(table, method="random").iloc[0]
    assert mean[["value", "low", "high"]].tolist() == pytest.approx([drawn.mean(), *np.quantile(drawn, [0.025, 0.975])])


def test_too_few_draws_and_another_table_are_refused():
    with pytest.raises(InputError, match=r"expected n_draws of at least 19, for a p-value of 0.05, got 9; 99 is usual"):
        random_subsets.prefix_test(layer(ordered=True), n_draws=9)
    table = random_subsets.prefix_test(layer(ordered=True), n_draws=19)
    with pytest.raises(InputError, match="expected rows of prefix_p_value, got none; pass a table of"):
        random_subsets.claims_prefix.first_features_carry_more(where(table, metric="accuracy"))
