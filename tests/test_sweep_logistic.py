"""The headline probe of the sweep: logistic on every method at every size, certified, and blind to test rows."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch
from reference_probes import logistic_gradient_norm
from sklearn.linear_model import LogisticRegression
from synthetic_task import make_task

from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import comparators, curves
from diffred_core.chapters.random_subsets.curves import ProbeData
from diffred_core.moments import from_features
from diffred_core.results import where

QUICK = {"fractions": (0.05, 0.1, 0.2, 0.5), "n_seeds": 2, "n_boot": 50}


@pytest.fixture(scope="module")
def task():
    return make_task()


@pytest.fixture(scope="module")
def probes(task):
    return random_subsets.probes(task, **QUICK)


def of_logistic(table, **values):
    return where(table, probe="logistic", metric="accuracy", **values)


def refit(task, X_train, X_test, l2):
    model = LogisticRegression(C=1 / (len(X_train) * l2), solver="newton-cholesky", tol=1e-10)
    model.fit(X_train.double().numpy(), task.splits["train"][1].numpy())
    return (model.predict(X_test.double().numpy()) == task.splits["test"][1].numpy()).mean()


def test_every_method_has_logistic_rows_at_every_size_that_ridge_has(probes):
    for method in (*comparators.COMPARATORS, "full"):
        keys = {
            probe: set(
                where(probes, probe=probe, metric="accuracy", method=method).groupby(["fraction", "repeat"]).groups
            )
            for probe in ("logistic", "ridge")
        }
        assert keys["logistic"] == keys["ridge"] != set()
    for metric in ("diffused_redundancy_first", "diffused_redundancy_nearest", "accuracy_gap", "gini", "l2_at_edge"):
        assert set(where(probes, metric=metric, method="random")["probe"]) == {"logistic", "ridge"}
    assert probes["probe"].iloc[0] == random_subsets.names.HEADLINE


@pytest.mark.parametrize("method", ["random", "pca", "random_projection_gaussian", "full"])
def test_rows_equal_refits_by_scikit_learn_at_the_chosen_l2(task, probes, method):
    """The sweep stops at a tolerance, so a row may change sides: three test rows of 120 at most."""
    stats = from_features(*task.splits["train"], quartic=False)
    draws = {draw.seed: draw for draw in comparators.draw(method, stats, seeds=[1, 2])} if method != "full" else {}
    for row in of_logistic(probes, method=method).itertuples():
        X, Z = (task.splits[split][0] for split in ("train", "test"))
        kept = torch.arange(40)
        if method != "full":
            draw = draws[None if pd.isna(row.seed) else int(row.seed)]
            X, Z, kept = draw.features(X), draw.features(Z), draw.order[: row.n_selected]
        assert row.value == pytest.approx(refit(task, X[:, kept], Z[:, kept], row.l2), abs=3 / 120)
        assert row.converged
    other = of_logistic(probes, method=method)["value"].to_numpy()
    assert abs(other - refit(task, X[:, :1], Z[:, :1], 1.0)).max() > 3 / 120


def logistic_curves(task, scale, results):
    """Return accuracies on features times `scale`, and hold the last of `results` to its tolerance."""
    splits = {name: (X * scale, y) for name, (X, y) in task.splits.items()}
    data = ProbeData.of(replace(task, splits=splits), split="test", standardize=False)
    draws = list(comparators.draw("random", data.moments, seeds=[1, 2]))
    fitted = curves.logistic(data, draws, random_subsets.Sizes.of(40, (0.1, 0.5)), l2=curves.LOGISTIC_L2)
    tol, (X, y), (probe, _) = 1e-4 * float(data.moments.variance.mean().sqrt()), data.train, results[-1]
    for one in (probe[i] for i in range(len(probe))):
        kept = one.subsets[one.subsets >= 0]
        norm = logistic_gradient_norm(X[:, kept], y, one.weight[: len(kept)], one.bias, float(one.l2))
        assert norm <= 1.01 * tol
    return torch.stack([curve.accuracy for curve in fitted])


def test_every_reported_fit_meets_the_tolerance_in_units_of_the_layer(task, monkeypatch):
    """The certificate is computed anew by differentiation; features a hundred times smaller change nothing."""
    results = []
    choose = curves.linear_probe.choose_logistic

    def remembered(*rows, **options):
        results.append(choose(*rows, **options))
        return results[-1]

    monkeypatch.setattr(curves.linear_probe, "choose_logistic", remembered)
    accuracies = [logistic_curves(task, scale, results) for scale in (1.0, 0.01)]
    torch.testing.assert_close(accuracies[0], accuracies[1], atol=0.02, rtol=0)


def test_test_rows_choose_nothing_and_validation_rows_fit_nothing(task, probes):
    (X, y), (V, w) = task.splits["test"], task.splits["validation"]
    poisoned = replace(task, splits={**task.splits, "test": (X, y.roll(1))})
    again = random_subsets.probes(poisoned, **QUICK, methods=("random",))
    chosen = of_logistic(probes, method=("random", "full"))
    of_poisoned = of_logistic(again, method=("random", "full"))
    assert of_poisoned["l2"].tolist() == chosen["l2"].tolist()
    assert of_poisoned["value"].mean() < chosen["value"].mean() - 0.2
    # with one value to choose from, validation rows have no effect at all
    fixed = {"logistic_l2": (1e-2,), "ridge_l2": (1e-2,), "methods": ("random",)}
    values = [
        where(random_subsets.probes(replace(task, splits=splits), **QUICK, **fixed), metric="accuracy")["value"]
        for splits in (task.splits, {**task.splits, "validation": (torch.zeros_like(V), w.roll(1))})
    ]
    assert values[0].tolist() == values[1].tolist()
    fewer = {**task.splits, "train": tuple(part[:100] for part in task.splits["train"])}
    smaller = where(random_subsets.probes(replace(task, splits=fewer), **QUICK, **fixed), metric="accuracy")["value"]
    assert smaller.tolist() != values[0].tolist()


def test_the_three_sets_of_rows_are_disjoint_and_whole(task):
    """What a probe is measured on holds every row of the split, and no row of another."""
    data = ProbeData.of(task, split="test", standardize=False)
    for name, (X, y) in {"train": data.train, "validation": data.validation, "test": data.measured}.items():
        assert torch.equal(X, task.splits[name][0])
        assert torch.equal(y, task.splits[name][1])
    assert data.moments.n == len(task.splits["train"][1])
    draw, sizes = curves.whole_layer(data)
    for curve in (curves.ridge(data, draw, sizes, l2=(1e-2,)), *curves.logistic(data, [draw], sizes, l2=(1e-2,))):
        assert curve.correct.shape == (1, len(task.splits["test"][1]))


def test_projections_can_have_fewer_sizes_and_the_others_keep_theirs(task):
    table = random_subsets.probes(task, **QUICK, projection_fractions=(0.2,))
    fractions = of_logistic(table).groupby("method")["fraction"].agg(set)
    assert fractions["random_projection_gaussian"] == {0.2}
    assert fractions["random"] == fractions["pca"] == {0.05, 0.1, 0.2, 0.5}
    assert set(where(table, probe="ridge", metric="accuracy", method="random_projection_gaussian")["fraction"]) > {0.2}
    none = of_logistic(random_subsets.probes(task, **QUICK, projection_fractions=()))
    assert not [name for name in set(none["method"]) if name.startswith("random_projection")]
    few = of_logistic(random_subsets.probes(task, **QUICK, logistic_fractions=(0.1,)))
    assert set(few["fraction"]) == {0.1, 1.0}


@pytest.mark.parametrize("probe", ["ridge", "logistic"])
def test_of_equal_validation_accuracies_the_strongest_regulariser_stands_in_the_table(task, probe):
    """Two values so near that no prediction differs: the larger is reported, in whatever order they come."""
    for values in ((1e-2, 1.0001e-2), (1.0001e-2, 1e-2)):
        options = {"logistic_l2": values, "ridge_l2": values, "methods": ("random",)}
        table = where(random_subsets.probes(task, **QUICK, **options), metric="accuracy", probe=probe)
        scale = from_features(*task.splits["train"], quartic=False).variance.mean().item()
        assert table["l2"].tolist() == pytest.approx([1.0001e-2 * scale] * len(table), rel=1e-7)


def test_without_regularisers_of_ridge_there_are_no_ridge_probes_and_the_others_stay(task):
    options = QUICK | {"methods": ("random",), "n_boot": 20}
    both = random_subsets.probes(task, **options)
    alone = random_subsets.probes(task, **options, ridge_l2=())
    assert set(alone["probe"].dropna()) == {"logistic"} < set(both["probe"].dropna())
    kept = both[both["probe"] != "ridge"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, kept)
