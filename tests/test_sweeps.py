"""The sweeps measure what they say: refits, oracles, invariances, and data without any signal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from synthetic_task import make_task

from diffred_core import cka, intervals, redundancy, results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import curve_rows
from diffred_core.chapters.random_subsets.curves import Curve
from diffred_core.errors import InputError
from diffred_core.moments import from_features

GOLDEN = Path(__file__).parent / "golden"
QUICK = {"fractions": (0.05, 0.1, 0.2, 0.5), "n_seeds": 2, "n_boot": 200, "logistic_fractions": ()}


@pytest.fixture(scope="module")
def task():
    return make_task()


@pytest.fixture(scope="module")
def probes(task):
    return random_subsets.probes(task, **QUICK)


@pytest.fixture(scope="module")
def similarity(task):
    return random_subsets.similarity(task, fractions=(0.05, 0.2, 0.5), n_seeds=3, interval_fractions=(0.2,))


def rows(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def pooled(table):
    return table[table["repeat"].isna()]


def drawn(table):
    return table[table["repeat"].notna()]


def ridge_accuracy(task, columns, l2):
    X, y = task.splits["train"]
    targets = torch.nn.functional.one_hot(y).double()
    fit = Ridge(alpha=len(X) * l2).fit(X[:, columns].double(), targets)
    X, y = task.splits["test"]
    return (fit.predict(X[:, columns].double()).argmax(1) == y.numpy()).mean()


def test_random_rows_equal_refits_on_the_published_subsets(task, probes):
    found = rows(probes, method="random", metric="accuracy")
    assert sorted(set(found["seed"])) == [1, 2]
    for row in found.itertuples():
        kept = torch.randperm(40, generator=torch.Generator().manual_seed(int(row.seed)))[: row.n_selected]
        assert row.value == pytest.approx(ridge_accuracy(task, kept, row.l2))


def test_full_row_equals_a_refit(task, probes):
    (row,) = rows(probes, method="full", metric="accuracy").itertuples()
    assert (row.n_selected, row.fraction) == (40, 1.0)
    assert row.value == pytest.approx(ridge_accuracy(task, torch.arange(40), row.l2))


def test_regulariser_is_chosen_without_test_labels(task, probes):
    X, y = task.splits["test"]
    poisoned = replace(task, splits={**task.splits, "test": (X, y.roll(1))})
    again = random_subsets.probes(poisoned, **QUICK)
    chosen = probes["metric"] == "accuracy"
    pd.testing.assert_series_equal(again.loc[chosen, "l2"], probes.loc[chosen, "l2"])
    assert again.loc[chosen, "value"].mean() < probes.loc[chosen, "value"].mean() - 0.2


def test_regulariser_follows_validation_labels(task, probes):
    X, y = task.splits["validation"]
    poisoned = replace(task, splits={**task.splits, "validation": (X, y.roll(1))})
    chosen = probes["metric"] == "accuracy"
    assert (random_subsets.probes(poisoned, **QUICK).loc[chosen, "l2"] != probes.loc[chosen, "l2"]).any()


def test_shuffled_labels_give_chance_accuracy(probes):
    chance = random_subsets.probes(make_task(shuffled=True, n_samples=(200, 100, 2000)), **QUICK)
    assert abs(rows(chance, metric="accuracy")["value"] - 0.25).max() < 0.08
    assert rows(probes, method="full", metric="accuracy")["value"].item() > 0.8


def test_class_accuracies_average_to_accuracy(probes):
    by_class = rows(probes, metric="class_accuracy")
    assert set(by_class["label"]) == {f"class {i}" for i in range(4)}
    keys = ["method", "n_selected", "repeat"]
    # classes are of one size here
    mean = by_class.groupby(keys)["value"].mean()
    pd.testing.assert_series_equal(mean, rows(probes, metric="accuracy").set_index(keys)["value"].sort_index())


@pytest.mark.parametrize("method", ["random", "pca"])
@pytest.mark.parametrize("estimator", ["first", "nearest"])
def test_redundancy_rows_follow_from_accuracy_rows(probes, method, estimator):
    accuracy = rows(probes, method=method, metric="accuracy").groupby("fraction")["value"].mean()
    full = rows(probes, method="full", metric="accuracy")["value"].item()
    found = pooled(rows(probes, method=method, metric=f"diffused_redundancy_{estimator}"))
    assert found["delta"].tolist() == list(random_subsets.DELTAS)
    expected = [
        redundancy.diffused_redundancy(accuracy.index, accuracy, full, delta=delta, estimator=estimator)
        for delta in random_subsets.DELTAS
    ]
    assert found["value"].tolist() == expected


def test_redundancy_of_single_draws_comes_only_with_draws(probes):
    of_draws = drawn(rows(probes, metric="diffused_redundancy_first"))
    assert len(rows(of_draws, method="random")) == 2 * len(random_subsets.DELTAS)
    assert set(of_draws["seed"]) == {1, 2}
    assert rows(of_draws, method="pca").empty


def test_inequality_rows_follow_from_class_accuracies(probes):
    by_class = rows(probes, method="random", metric="class_accuracy", n_selected=8)
    mean = by_class.groupby("label")["value"].mean()
    gini = pooled(rows(probes, method="random", metric="gini", n_selected=8))
    assert gini["value"].item() == pytest.approx(redundancy.gini(mean))
    single = [redundancy.coefficient_of_variation(draw["value"]) for _, draw in by_class.groupby("repeat")]
    found = drawn(rows(probes, method="random", metric="coefficient_of_variation", n_selected=8))
    np.testing.assert_allclose(found["value"], single)


def test_gap_is_full_minus_mean_of_draws(probes):
    full = rows(probes, method="full", metric="accuracy")["value"].item()
    mean = rows(probes, method="random", metric="accuracy", fraction=0.05)["value"].mean()
    (gap,) = rows(probes, method="random", metric="accuracy_gap", fraction=0.05).itertuples()
    assert gap.value == pytest.approx(full - mean)
    assert 0 < gap.low < gap.value < gap.high
    methods = set(rows(probes, metric="accuracy_gap")["method"])
    assert {"random", "pca", "top_variance"} <= methods
    assert not [name for name in methods if name.startswith("random_projection")]  # there are too few draws of them


def test_gains_are_over_random_and_the_gap_is_the_loss_to_all(probes):
    accuracy = rows(probes, metric="accuracy").groupby(["method", "fraction"])["value"].mean()
    gains = rows(probes, metric="gain_over_random")
    assert set(gains["method"]) == set(random_subsets.comparators.COMPARATORS) - {"random"}
    for gain in gains.itertuples():
        expected = accuracy[gain.method, gain.fraction] - accuracy["random", gain.fraction]
        assert gain.value == pytest.approx(expected, abs=1e-12)
    of_pca = rows(gains, method="pca", fraction=0.1).iloc[0]
    assert 0 < of_pca["low"] < of_pca["value"] < of_pca["high"]
    few_draws = gains[gains["method"].str.startswith("random_projection")]
    assert few_draws["low"].isna().all()
    assert gains.drop(few_draws.index)["low"].notna().all()


def correct_curve(method, right, *, repeat=0):
    """Return the curve at one size, a fifth, of a draw that is right on these rows."""
    right = torch.as_tensor(np.array(right))[None]
    return Curve(method, "ridge", repeat, None, (0.2,), (8,), right, torch.ones(1, dtype=torch.float64))


def test_differences_resample_rows_as_well_as_draws():
    draw, bootstrap = np.random.default_rng(3), curve_rows.Bootstrap((0.2,), 0.95, 2000, 0)
    random, pca = draw.random((4, 150)) < 0.6, draw.random(150) < 0.7
    full = replace(correct_curve("full", draw.random(150) < 0.9), fractions=(1.0,), sizes=(40,))
    family = [
        [full],
        [correct_curve("random", row, repeat=i) for i, row in enumerate(random)],
        [correct_curve("pca", pca)],
    ]
    limited = list(curve_rows.comparison_rows(family, bootstrap))
    by_metric = {(row["metric"], row["method"]): row for row in limited}
    for metric, method, reference, sign in (
        ("gain_over_random", "pca", pca, -1),
        ("accuracy_gap", "random", full.correct[0].numpy(), -1),
    ):
        oracle = intervals.paired_bootstrap(random, reference, n_boot=4000, seed=9)
        row = by_metric[metric, method]
        assert row["value"] == pytest.approx(sign * oracle.estimate)
        assert (row["low"], row["high"]) == pytest.approx((-oracle.high, -oracle.low), abs=0.012)
    # draws that agree leave the noise of rows: an interval over draws alone would have no width
    same = [[full], [correct_curve("random", random[0], repeat=i) for i in range(4)], [correct_curve("pca", pca)]]
    (gain,) = (r for r in curve_rows.comparison_rows(same, bootstrap) if r["metric"] == "gain_over_random")
    assert gain["high"] - gain["low"] > 0.1


def rises(seed, *, full, random, n_rows=100, n_draws=3):
    """Return the rise of inequality where classes are right as often as said, by the full layer and by subsets."""
    draw = np.random.default_rng(seed)
    y = torch.arange(len(full)).repeat_interleave(n_rows)

    def right(shares):
        return draw.random(len(y)) < np.repeat(shares, n_rows)

    whole = replace(correct_curve("full", right(full)), fractions=(1.0,), sizes=(40,))
    curves = [correct_curve("random", right(random), repeat=i) for i in range(n_draws)]
    (row,) = curve_rows.rise_rows(curves, whole, y, curve_rows.Bootstrap((0.2,), 0.95, 300, seed))
    raw = [redundancy.gini(curve.class_accuracy(y, len(full))[0].numpy()) for curve in (whole, *curves)]
    return row, np.mean(raw[1:]) - raw[0]


def test_equally_accurate_classes_do_not_pay_unequally_though_their_gini_rises():
    level = [rises(seed, full=[0.95] * 10, random=[0.5] * 10) for seed in range(60)]
    assert min(raw for _, raw in level) > 0  # what the raw coefficient says
    assert abs(np.mean([row["value"] for row, _ in level])) < 0.003
    assert np.mean([row["low"] > 0 for row, _ in level]) < 0.1
    assert np.mean([row["low"] < 0 < row["high"] for row, _ in level]) > 0.9
    # resampled coefficients are larger by the noise that resampling adds; the limits are not
    assert abs(np.mean([(row["low"] + row["high"]) / 2 - row["value"] for row, _ in level])) < 0.003


def test_classes_that_really_lose_more_are_told_from_chance():
    unequal = [0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9]
    row, raw = rises(0, full=[0.95] * 10, random=unequal)
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["value"] < raw
    turned, _ = rises(0, full=unequal, random=[0.95] * 10)
    assert turned["high"] < 0


def test_rise_is_gini_less_null_of_draws_less_that_of_the_full_layer(probes):
    def mean(metric, method, fraction):
        values = rows(probes, metric=metric, method=method, fraction=fraction)
        return (drawn(values) if len(drawn(values)) else values)["value"].mean()

    for rise in rows(probes, metric="gini_rise").itertuples():
        random, full = (
            mean("gini", method, at) - mean("gini_null", method, at)
            for method, at in (("random", rise.fraction), ("full", 1.0))
        )
        assert rise.value == pytest.approx(random - full)
        assert rise.low <= rise.value <= rise.high


def test_where_nothing_is_right_there_is_no_variation_and_the_sweep_goes_on():
    y = torch.arange(4).repeat(5)
    table = list(curve_rows.inequality_rows([correct_curve("random", [False] * 20)], y))
    assert {row["metric"] for row in table} == {"gini", "gini_null"}
    table = list(curve_rows.inequality_rows([correct_curve("random", [True, *[False] * 19])], y))
    assert {row["metric"] for row in table} == {"gini", "gini_null", "coefficient_of_variation"}


def test_the_level_is_that_of_the_limits(task):
    widths = {}
    for level in (0.5, 0.9):
        table = random_subsets.probes(task, **QUICK, level=level, methods=("random", "pca"))
        limited = table[table["low"].notna()]
        widths[level] = (limited["high"] - limited["low"]).to_numpy()
    assert (widths[0.5] <= widths[0.9]).all()
    assert (widths[0.5] < widths[0.9]).mean() > 0.8


def test_without_gap_fractions_nothing_has_limits(task):
    table = random_subsets.probes(task, **QUICK, gap_fractions=(), methods=("random",))
    assert table["low"].isna().all()
    assert not {"mean_accuracy", "gini_rise", "gain_over_random"} & set(table["metric"])


def test_sizes_are_the_published_ones():
    sizes = random_subsets.Sizes.of(2048, random_subsets.PUBLISHED_FRACTIONS)
    assert sizes.n_selected == (
        1,
        2,
        4,
        6,
        8,
        10,
        20,
        40,
        61,
        81,
        102,
        153,
        204,
        307,
        409,
        512,
        614,
        819,
        1024,
        1638,
        1843,
    )


def test_fractions_of_no_feature_and_equal_sizes_are_left_out():
    sizes = random_subsets.Sizes.of(40, random_subsets.PUBLISHED_FRACTIONS)
    assert (sizes.fractions[:3], sizes.n_selected[:3]) == ((0.03, 0.05, 0.075), (1, 2, 3))
    assert len(set(sizes.n_selected)) == len(sizes.n_selected)
    assert max(sizes.n_selected) < 40
    with pytest.raises(InputError, match="fractions must keep 1 to 39 of 40 dimensions"):
        random_subsets.Sizes.of(40, (0.001, 1.0))


def last_first(moments):
    return torch.arange(moments.n_features).flip(0), None


def test_a_comparator_that_is_added_is_drawn_measured_and_compared(task, monkeypatch):
    look = {"words": "last first", "colour": "#000000", "marker": "X"}
    added = random_subsets.comparators.Comparator("last_first", last_first, "one", **look)
    monkeypatch.setitem(random_subsets.comparators.COMPARATORS, "last_first", added)
    options = QUICK | {"logistic_fractions": None, "methods": ("random", "last_first")}
    table = random_subsets.probes(task, **options)
    figure = random_subsets.figures.accuracy
    assert "last first" in figure.words(figure.summary(table))
    assert "last first" in [line.get_label() for line in figure.plot(figure.summary(table)).lines]
    table = rows(table, method="last_first")
    for row in rows(table, metric="accuracy", probe="ridge").itertuples():
        assert row.value == pytest.approx(ridge_accuracy(task, torch.arange(40 - row.n_selected, 40), row.l2))
    assert {"accuracy_gap", "gini", "diffused_redundancy_first"} <= set(table["metric"])
    assert set(table["repeat"].dropna()) == {0}
    without = random_subsets.comparators.Comparator("last_first", last_first, "one", gap=False, **look)
    monkeypatch.setitem(random_subsets.comparators.COMPARATORS, "last_first", without)
    table = random_subsets.probes(task, **QUICK, methods=("random", "last_first"))
    assert set(rows(table, metric="accuracy_gap")["method"]) == {"random"}


def test_how_often_a_comparator_is_drawn_is_its_own_to_say():
    moments = from_features(torch.randn(8, 6))

    def seeds(method):
        draws = random_subsets.comparators.draw(method, moments, seeds=range(4, 9), n_projections=2)
        return [draw.seed for draw in draws]

    assert seeds("random") == [4, 5, 6, 7, 8]
    assert seeds("random_projection_gaussian") == [4, 5]
    assert seeds("pca") == [None]


def test_projections_have_the_geometry_they_are_named_for():
    moments = from_features(torch.randn(50, 200))
    cosine = {}
    for method in random_subsets.comparators.COMPARATORS:
        if method.startswith("random_projection"):
            (draw,) = random_subsets.comparators.draw(method, moments, seeds=[1])
            cosines = draw.basis.T @ draw.basis
            torch.testing.assert_close(cosines.diagonal(), torch.ones(200, dtype=torch.float64))
            cosine[method] = (cosines.sum() - 200) / (200 * 199)
    assert abs(cosine["random_projection_published"] - 0.75) < 0.01
    assert abs(cosine["random_projection_gaussian"]) < 0.01
    assert abs(cosine["random_projection_orthogonal"]) < 1e-12


def test_principal_directions_diagonalise_the_gram_in_falling_order():
    moments = from_features(torch.randn(30, 12, dtype=torch.float64) * torch.arange(1.0, 13.0))
    (draw,) = random_subsets.comparators.draw("pca", moments, seeds=[])
    gram = draw.moments(moments).gram
    torch.testing.assert_close(gram, gram.diagonal().diag(), atol=1e-9, rtol=0)
    assert (gram.diagonal().diff() < 0).all()
    assert len(next(random_subsets.comparators.draw("pca", from_features(torch.randn(8, 12)), seeds=[])).order) == 7


def test_the_last_directions_are_those_of_least_variance_from_the_least_on(task):
    moments = from_features(torch.randn(30, 12, dtype=torch.float64) * torch.arange(1.0, 13.0))
    (first,) = random_subsets.comparators.draw("pca", moments, seeds=[])
    (last,) = random_subsets.comparators.draw("pca_last", moments, seeds=[])
    assert last.order.tolist() == first.order.tolist()[::-1] != first.order.tolist()
    variances = last.moments(moments).gram.diagonal()[last.order]
    assert (variances.diff() > 0).all()
    few = from_features(torch.randn(8, 12, dtype=torch.float64))
    (last,) = random_subsets.comparators.draw("pca_last", few, seeds=[])
    assert sorted(last.order.tolist()) == list(range(7))  # directions in which no row varies are none
    table = random_subsets.probes(task, **QUICK, methods=("random", "pca", "pca_last"))
    accuracy = rows(table, metric="accuracy", fraction=0.1).groupby("method")["value"].mean()
    assert accuracy["pca_last"] < accuracy["random"] < accuracy["pca"]


def test_first_k_are_those_of_the_layer(task):
    table = random_subsets.probes(task, **QUICK, methods=("random", "first"))
    for row in rows(table, method="first", metric="accuracy").itertuples():
        assert row.value == pytest.approx(ridge_accuracy(task, torch.arange(row.n_selected), row.l2))
    # as after Matryoshka training: where the first features hold all, they are better than as many others
    noise = torch.where(torch.arange(40) < 6, 0.0, 10.0) * torch.randn(1000, 40)
    nested = {split: (X + noise[: len(X)], y) for split, (X, y) in task.splits.items()}
    table = random_subsets.probes(replace(task, splits=nested), **QUICK, methods=("random", "first"))
    assert rows(table, method="first", metric="gain_over_random", fraction=0.1)["value"].item() > 0


def test_standardizing_cancels_scales_of_columns_and_the_default_does_not(task):
    scale = torch.logspace(-2, 2, 40)
    scaled = replace(task, splits={split: (X * scale, y) for split, (X, y) in task.splits.items()})

    def accuracies(features, standardize):
        table = random_subsets.probes(features, **QUICK, methods=("random",), standardize=standardize)
        return rows(table, metric="accuracy")["value"].to_numpy()

    np.testing.assert_allclose(accuracies(scaled, True), accuracies(task, True), atol=0.01)
    assert abs(accuracies(scaled, False) - accuracies(task, False)).max() > 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "validation"}, "split must be one of train, test, got 'validation'"),
        ({"split": "tset"}, "split must be one of train, test, got 'tset'"),
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_projections": 1}, "n_projections must be at least 2"),
        ({"methods": ("random", "pac")}, "got 'pac'; did you mean 'pca'"),
        ({"methods": ("pca",)}, "methods must hold 'random'"),
    ],
)
def test_bad_options_are_refused(task, options, message):
    with pytest.raises(InputError, match=message):
        random_subsets.probes(task, **(QUICK | options))


def test_similarity_rows_equal_cka_of_the_columns(task, similarity):
    X = task.splits["test"][0]
    drawn = {s: torch.randperm(40, generator=torch.Generator().manual_seed(s))[:8] for s in (1, 2, 3)}
    for row in rows(similarity, method="subset_whole", metric="cka_debiased", n_selected=8).itertuples():
        assert row.value == pytest.approx(cka.linear_cka(X[:, drawn[int(row.seed)]], X), abs=1e-6)
    pairs = rows(similarity, method="subset_subset", metric="cka_biased", n_selected=8)["value"].tolist()
    expected = [cka.linear_cka(X[:, drawn[a]], X[:, drawn[b]], debiased=False) for a, b in ((1, 2), (1, 3), (2, 3))]
    assert pairs == pytest.approx(expected, abs=1e-6)


def test_pair_null_counts_shared_features_only(task, similarity):
    h = task.splits["test"][0].var(0).double() ** 2
    a, b = (torch.randperm(40, generator=torch.Generator().manual_seed(s))[:20] for s in (1, 2))
    shared = torch.tensor(sorted(set(a.tolist()) & set(b.tolist())))
    expected = h[shared].sum() / (h[a].sum() * h[b].sum()).sqrt()
    found = rows(similarity, method="diagonal_null_pairs", n_selected=20, repeat=0)["value"].item()
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_redundant_features_exceed_the_null_and_independent_ones_do_not(similarity):
    def excess(table):
        found = rows(table, n_selected=8).groupby(["method", "metric"])["value"].mean()
        return found["subset_whole", "cka_debiased"] - found["diagonal_null", "cka"]

    independent = make_task(n_samples=(4, 4, 4000), rank=1, n_classes=2)
    noise = torch.randn(4000, 40, generator=torch.Generator().manual_seed(5))
    independent = replace(
        independent,
        splits={
            "test": (noise, torch.zeros(4000, dtype=torch.int64)),
            **{split: rows_ for split, rows_ in independent.splits.items() if split != "test"},
        },
    )
    unrelated = random_subsets.similarity(independent, fractions=(0.2,), n_seeds=3, interval_fractions=())
    assert excess(similarity) > 0.2
    assert abs(excess(unrelated)) < 0.02


def test_similarity_interval_holds_the_estimate(similarity):
    limited = similarity[similarity["low"].notna()]
    assert len(limited) == 3
    whole = rows(similarity, method="subset_whole", metric="cka_debiased", n_selected=8)
    assert limited.index.tolist() == whole.index.tolist()
    assert (limited["low"] < limited["value"]).all()
    assert (limited["value"] < limited["high"]).all()


def test_subsets_without_any_variation_are_left_out(task):
    X, y = task.splits["test"]
    dead = X.clone()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    dead[:, order[:3]] = 0.0
    dead[0, order[1]] = 1.0  # one row alone: all others are then equally far apart
    changed = replace(task, splits={**task.splits, "test": (dead, y)})
    table = random_subsets.similarity(changed, fractions=(0.05, 0.1), n_seeds=2, interval_fractions=())
    sizes = rows(table, method="subset_whole", metric="cka_debiased").groupby("seed")["n_selected"].agg(list)
    assert sizes[1] == [4]
    assert sizes[2] == [2, 4]


def test_similarity_refuses_bad_options(task):
    with pytest.raises(InputError, match="n_seeds must be at least 2"):
        random_subsets.similarity(task, n_seeds=1)
    with pytest.raises(InputError, match="split must be one of train, validation, test, got 'tset'"):
        random_subsets.similarity(task, split="tset")


def golden_tables():
    """Return the tables of one tiny task; independent of the machine to about 1e-6."""
    tiny = make_task(n_samples=(40, 24, 24), n_features=24, n_classes=3, rank=4, noise=1.0)
    options = {"fractions": (0.1, 0.25, 0.5), "n_seeds": 2}
    deltas = (0.5, 0.8, 0.9)
    return {
        "subset_probes": random_subsets.probes(tiny, **options, deltas=deltas, n_boot=100, logistic_fractions=()),
        "subset_similarity": random_subsets.similarity(tiny, **options, interval_fractions=(0.5,)),
    }


@pytest.mark.parametrize("name", ["subset_probes", "subset_similarity"])
def test_tables_equal_the_golden_ones(name):
    """Hold a tiny sweep of ridge probes to ``tests/golden``; another comparator changes none of these rows.

    Made again, after a change that is meant, by
    ``python -c "import sys; sys.path.insert(0, 'tests'); import test_sweeps as t; t.write_golden()"``.
    """
    golden, table = results.read(GOLDEN / f"{name}.csv"), golden_tables()[name]
    table = table[table["method"].isin(golden["method"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, golden, rtol=1e-5, atol=1e-7)


def write_golden():
    for name, table in golden_tables().items():
        (GOLDEN / f"{name}.csv").write_text(table.to_csv(index=False), encoding="utf-8")


def test_a_last_class_without_measured_rows_has_no_accuracy_and_all_others_have():
    task = make_task()
    X, y = task.splits["test"]
    last = task.n_classes - 1
    table = random_subsets.probes(replace(task, splits=task.splits | {"test": (X[y < last], y[y < last])}), **QUICK)
    assert set(rows(table, metric="class_accuracy")["label"]) == set(task.classes[:last])
    assert set(rows(random_subsets.probes(task, **QUICK), metric="class_accuracy")["label"]) == set(task.classes)
