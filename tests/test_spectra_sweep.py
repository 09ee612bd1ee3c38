"""The sweep of spectra: each row is its measure on the columns of its draw, floors are at their floors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_task import make_task

from diffred_core import cka, drawing, geometry, linear_probe, moments, results, small_networks, subsets
from diffred_core.chapters import spectra
from diffred_core.chapters.spectra import names, reading
from diffred_core.errors import InputError
from diffred_core.results import where

FRACTIONS = (0.05, 0.2, 0.5, 1.0)
N_TRAIN = 200


@pytest.fixture(scope="module")
def task():
    return make_task(n_samples=(N_TRAIN, 100, 120), rank=12, noise=0.7)


def moved(task, *, noise=2.0, name="elsewhere"):
    """Return the task seen through noise on half of the features, as a second domain."""
    draw = torch.Generator().manual_seed(9)
    splits = {}
    for split, (X, y) in task.splits.items():
        X = X.clone()
        X[:, ::2] += noise * torch.randn(X[:, ::2].shape, generator=draw) + 1
        splits[split] = X, y
    return replace(task, task=name, splits=splits)


def untrained(task):
    draw = torch.Generator().manual_seed(8)
    splits = {split: (torch.randn(X.shape, generator=draw), y) for split, (X, y) in task.splits.items()}
    return replace(task, model="synthetic untrained", splits=splits)


@pytest.fixture(scope="module")
def table(task):
    tangents = torch.randn(30, task.n_features, generator=torch.Generator().manual_seed(7))
    options = {"untrained": [untrained(task)], "shifted": [moved(task)], "tangents": tangents}
    return spectra.spectra(task, **options, fractions=FRACTIONS, n_seeds=4, n_warm=10, n_heads=2)


def value(table, metric, *, fraction=0.2, repeat=0, method=names.RANDOM):
    return where(table, metric=metric, method=method, fraction=fraction, repeat=repeat)["value"].item()


def part(task, *, fraction=0.2, seed=1):
    """Return training rows and labels of the draw that the first row of a size has, and its moments."""
    columns = subsets.random_order(task.n_features, seed=seed)[: int(fraction * task.n_features)]
    X, y = task.splits["train"]
    return X[:, columns].double(), y, moments.from_features(X[:, columns].double(), y, quartic=False), columns


@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_each_row_is_its_measure_on_the_columns_of_its_draw(task, table, fraction):
    X, y, layer, _ = part(task, fraction=fraction)
    curve = geometry.label_alignment(layer)
    expected = {
        names.TOP_ENERGY: float(curve[2]),  # four classes
        names.ENERGY: float(curve[-1]),
        names.RANK_OF_SPAN: geometry.alignment_rank(curve),
        names.LABEL_CKA: cka.label_cka(layer),
        names.TARGET_ALIGNMENT: cka.kernel_target_alignment(layer),
        names.SEPARATION: geometry.class_separation(X, y),
        names.NC1: geometry.neural_collapse(layer).nc1,
        names.CDNV: geometry.cdnv(layer, geometry.class_variances(X, y, layer)),
        names.DIMENSIONS: float(geometry.feature_dimensionality(geometry.class_centres(layer)).mean()),
        names.STABLE_RANK: geometry.stable_rank(layer),
        names.ENTROPY: geometry.batch_entropy(layer),
    }
    for metric, measured in expected.items():
        assert value(table, metric, fraction=fraction) == pytest.approx(measured, rel=1e-8), metric
        if fraction < 1:
            assert value(table, metric, fraction=fraction, repeat=1) != pytest.approx(measured, rel=1e-8) or (
                metric == names.RANK_OF_SPAN
            )


def test_the_probe_is_chosen_on_validation_rows_and_what_it_leaves_is_taken_over_the_whole_layer(task, table):
    _, _, _, columns = part(task)
    X, y = task.splits["train"]
    whole = moments.from_features(X.double(), y, quartic=False)
    l2 = torch.tensor(linear_probe.LAYER_L2, dtype=torch.float64) * whole.variance.mean()
    path = linear_probe.fit_ridge(whole, subsets=columns, l2=l2)
    probe, _ = linear_probe.choose_l2(path, *task.splits["validation"])
    assert value(table, names.ACCURACY) == pytest.approx(float(probe.accuracy(*task.splits["test"])))
    residual = torch.eye(4, dtype=torch.float64)[y] - probe.scores(X.double())
    left = torch.linalg.matrix_norm(residual.T @ (X.double() - whole.mean) / N_TRAIN) ** 2
    without = torch.linalg.matrix_norm(whole.class_sums / N_TRAIN) ** 2
    assert value(table, names.GRADIENT_LEFT) == pytest.approx(float(left / without), rel=1e-8)
    assert value(table, names.PROBE_COMPLEXITY) == pytest.approx(float(probe.weight.norm() ** 2), rel=1e-8)


def test_labels_in_another_order_are_at_their_floor_and_the_axes_of_the_whole_layer_are_no_matter(table):
    floor = where(table, method=names.SHUFFLED, metric=names.ENERGY, fraction=0.2)["value"].mean()
    assert floor == pytest.approx(8 / (N_TRAIN - 1), rel=0.5)
    assert value(table, names.ENERGY) > 4 * floor
    assert abs(where(table, method=names.SHUFFLED, metric=names.ACCURACY, fraction=0.5)["value"].mean() - 0.25) < 0.1
    for metric in (names.CDNV, names.LABEL_CKA, names.STABLE_RANK, names.NC1):
        turned = value(table, metric, fraction=1.0, method=names.ROTATED)
        assert turned == pytest.approx(value(table, metric, fraction=1.0), rel=1e-6), metric
        part = value(table, metric, method=names.ROTATED)
        assert part != pytest.approx(value(table, metric), rel=1e-3), metric
    assert value(table, names.TOP_ENERGY, method=names.UNTRAINED) < value(table, names.TOP_ENERGY) / 2


def test_domains_stand_apart_and_random_ones_do_not(table):
    apart = where(table, metric=names.DISTANCE, method=names.RANDOM, fraction=0.5)
    assert set(apart["label"]) == {"elsewhere"}
    assert apart["value"].mean() > 0.5
    assert abs(where(table, metric=names.DISTANCE, method=names.SHUFFLED, fraction=0.5)["value"].mean()) < 0.35
    warm = where(table, metric=names.WARM_START)
    assert set(warm["fraction"]) == {0.5, 1.0}  # 10 rows span what is narrower
    assert warm["value"].between(0, 2).all()


def test_probes_are_moved_to_the_other_domain_at_two_sizes(task, table):
    rows = where(table, metric=names.TARGET_ACCURACY, probe=names.PROBES)
    assert set(rows["probe"]) == set(names.PROBES)
    assert set(rows["fraction"]) == {0.2, 1.0}
    _, _, layer, columns = part(task)
    other = moved(task)
    X, y = other.splits["test"]
    target = moments.from_features(other.splits["train"][0][:, columns].double(), quartic=False)
    rank = geometry.alignment_rank(geometry.label_alignment(layer, extended=True))
    probe = linear_probe.fit_label_aligned(layer, target, strength=1.0, rank=rank)
    reached = where(rows, probe=names.LABEL_ALIGNED, fraction=0.2, repeat=0)["value"].item()
    assert reached == pytest.approx(float(probe.accuracy(X[:, columns], y)))
    means = where(rows, fraction=0.2).groupby("probe")["value"].mean()
    assert means[names.ORACLE] > means[names.LEAST_SQUARES]
    shown = spectra.tables.accuracy_on_targets(table)
    assert list(shown["probe"].unique()[:4]) == ["least squares", "ridge", "label alignment", "ridge on its own labels"]
    ridge = shown[(shown["probe"] == "ridge") & (shown["dimensions"] == "20 %")]
    assert ridge["accuracy"].item() == pytest.approx(100 * means[names.RIDGE])


def test_heads_are_trained_on_the_whole_layer_in_the_first_draws(task, table):
    rows = where(table, metric=names.TARGET_ACCURACY)
    trained = rows[~rows["probe"].isin(names.PROBES)]
    assert set(trained["probe"]) == {names.HEAD, names.DANN, names.HEAD_ORACLE}
    assert set(trained["fraction"]) == {1.0}
    assert set(trained["repeat"]) == {0, 1}
    (X, y), other = task.splits["train"], moved(task)
    head = small_networks.fit_domain_head(X, y, other.splits["train"][0], strength=1.0, seed=1)
    rows, labels = other.splits["test"]
    reached = where(trained, probe=names.DANN, repeat=0)["value"].item()
    assert reached == pytest.approx(float((head.predict(rows) == labels).double().mean()))
    means = trained.groupby("probe")["value"].mean()
    assert means[names.HEAD_ORACLE] > 0.5


def test_a_warm_start_from_the_same_domain_has_no_risk(task):
    same = spectra.spectra(task, shifted=[replace(task, task="twin")], fractions=(0.5,), n_seeds=1, n_warm=10)
    assert where(same, metric=names.WARM_START)["value"].max() < 1e-12


def test_the_curve_is_that_of_the_whole_layer(task, table):
    _, _, layer, _ = part(task, fraction=1.0)
    curve = geometry.label_alignment(layer)
    rows = where(table, metric=names.CURVE, method=names.RANDOM)
    np.testing.assert_allclose(rows["value"].astype(float), curve[rows["n_selected"].astype(int).to_numpy() - 1])
    assert rows["n_selected"].max() == len(curve)
    assert where(table, metric=names.CURVE, method=names.SHUFFLED)["value"].max() < float(curve[-1])


def test_one_row_a_measure_size_and_draw_and_the_whole_layer_once(table):
    rows = table[table["metric"] != names.CURVE]
    key = ["metric", "method", "label", "probe", "fraction", "repeat"]
    assert not rows.duplicated(key).any()
    counts = where(rows, metric=names.CDNV).groupby(["method", "fraction"])["repeat"].nunique().unstack()
    assert (counts[[0.05, 0.2, 0.5]] == 4).all().all()
    assert counts[1.0].to_dict() == {names.RANDOM: 1, names.ROTATED: 1, names.UNTRAINED: 1, names.SHUFFLED: 4}
    assert set(where(table, metric=names.COMPLEXITY)["method"]) == {names.RANDOM}
    assert set(table["recipe"].dropna()) == {"papyan"}


def test_a_class_with_one_row_unbalanced_classes_and_features_of_a_few_rows_are_measured(task):
    X, y = (rows.clone() for rows in task.splits["train"])
    keep = (y != 3) | (torch.cumsum(y == 3, 0) == 1)
    X, y = X[keep], y[keep]
    X[:, :38] = 0  # rectified: most small parts have rows without any feature, and two classes of one mean
    X[:5, :38] = 1.0
    uneven = replace(task, splits=task.splits | {"train": (X, y)})
    rows = spectra.spectra(uneven, fractions=FRACTIONS, n_seeds=3)
    for metric in (names.SEPARATION, names.CDNV):  # without direction or distance: left out
        of_parts = where(rows, metric=metric, method=names.RANDOM)
        assert where(of_parts, fraction=0.05).empty
        assert len(where(of_parts, fraction=1.0)) == 1
    assert len(where(rows, metric=names.NC1, fraction=0.5)) == 9
    assert np.isfinite(rows["value"].astype(float)).all()


def test_more_features_than_rows_are_measured(task):
    few = {split: (X[:24], y[:24]) for split, (X, y) in task.splits.items()}
    rows = spectra.spectra(replace(task, splits=few), fractions=(0.5,), n_seeds=2)
    assert value(rows, names.ENERGY, fraction=1.0) == pytest.approx(1, abs=1e-6)
    assert value(rows, names.ENERGY, fraction=0.5) < 1


def test_two_classes_have_no_task_diversity_and_four_have(task, table):
    assert len(where(table, metric=names.DIVERSITY))
    halves = {split: (X, y % 2) for split, (X, y) in task.splits.items()}
    two = replace(task, classes=("even", "odd"), splits=halves)
    assert where(spectra.spectra(two, fractions=(0.2,), n_seeds=1), metric=names.DIVERSITY).empty


def test_claims_follow_the_table_and_those_without_rows_are_left_out(task, table):
    claims = {claim.name: claim for claim in spectra.claims.all_claims(table)}
    assert set(claims) == {
        *("labels lead at 20 %", "training aligns at 20 %", "classes stay as tight at 20 %"),
        *("axes do not matter at 20 %", "little gradient is left at 20 %", "tail noise turns little at 20 %"),
        # 10 rows span 20 % of 40 features, where no start has a risk
        *("rougher at 20 %", "domains stay apart at 20 %", "warm start helps at 50 %"),
        *("label alignment helps at 20 %", "domain adversary helps"),
    }
    energies = reading.draws_at(table, names.TOP_ENERGY, fraction=0.2)
    floors = reading.draws_at(table, names.TOP_ENERGY, method=names.SHUFFLED, fraction=0.2)
    assert claims["labels lead at 20 %"].value == pytest.approx((energies - floors).mean())
    assert claims["labels lead at 20 %"].verdict == "holds"
    twin = replace(task, task="twin")
    same = spectra.spectra(task, shifted=[twin], fractions=(0.5,), n_seeds=3, n_warm=10)
    assert spectra.claims.warm_start_helps(same, other="twin").verdict == "holds"
    assert spectra.claims.domains_stay_apart(same, other="twin").verdict != "holds"
    plain = spectra.spectra(task, fractions=FRACTIONS, n_seeds=2)
    assert len(spectra.claims.all_claims(plain)) == 5
    random = spectra.spectra(make_task(shuffled=True), fractions=FRACTIONS, n_seeds=4)
    assert spectra.claims.labels_lead(random).verdict != "holds"
    assert spectra.claims.little_is_left_to_gain(random).verdict != "holds"


def test_the_answer_says_the_numbers_of_the_table(table):
    answer = spectra.answers.spectra(table)
    energy = reading.mean_at(table, names.TOP_ENERGY, fraction=0.2)
    assert f"a random 20 % hold {100 * energy:.1f} % of the label energy" in answer.sentence
    assert answer.numbers["label energy, 20 %"] == f"{100 * energy:.1f} %"
    doubled = table.assign(value=table["value"].where(table["metric"] != names.TOP_ENERGY, table["value"] / 2))
    assert f"hold {100 * energy:.1f} %" not in spectra.answers.spectra(doubled).sentence


@pytest.mark.parametrize(
    "name", ["alignment", "labels", "directions", "classes", "collapse", "probe", "tail", "domains"]
)
def test_figures_draw_what_their_words_say(table, name):
    figure = getattr(spectra.figures, name)
    shown = drawing.show(figure, table).data
    assert "<img" in shown
    summary = figure.summary(table)
    words = figure.words(summary)
    metrics = [m for m in summary["metric"].unique() if m != names.CURVE]
    assert all(reading.WORDS[metric] in words for metric in metrics)
    whole = summary[summary["fraction"] == 1.0].iloc[-1]["mean"]
    assert f"{whole:.3g}" in words or name in ("alignment", "domains")


def test_without_a_second_domain_the_page_says_so(task):
    plain = spectra.spectra(task, fractions=(0.2,), n_seeds=2)
    assert drawing.show(spectra.figures.domains, plain).data.startswith("<p>No second domain was named")
    assert "No second domain was named." in drawing.show(spectra.tables.targets, plain).data


def test_the_table_of_measures_has_each_with_its_floors(table):
    rows = spectra.tables.measures_at_share(table).set_index("measure")
    assert set(rows.columns) >= {"random part", "low", "high", "whole layer", "shuffled labels", "rotated layer"}
    assert rows.loc["CDNV", "random part"] == pytest.approx(reading.mean_at(table, names.CDNV, fraction=0.2))
    assert rows.loc["CDNV", "whole layer"] == pytest.approx(value(table, names.CDNV, fraction=1.0))
    assert "proxy A-distance, elsewhere" in rows.index
    accuracy = reading.mean_at(table, names.ACCURACY, fraction=0.2)
    assert rows.loc["accuracy, ridge probe (%)", "random part"] == pytest.approx(100 * accuracy)
    assert np.isnan(rows.loc["RankMe", "shuffled labels"])
    assert "<caption>" in drawing.show(spectra.tables.measures, table).data


def test_measures_on_a_logarithmic_axis_have_the_range_of_their_draws_and_others_a_t_interval(table):
    probe = spectra.figures.probe.summary(table)
    of = where(probe, metric=names.GRADIENT_LEFT, method=names.RANDOM, fraction=0.2).iloc[0]
    draws = reading.draws_at(table, names.GRADIENT_LEFT, fraction=0.2)
    assert (of["low"], of["high"]) == (draws.min(), draws.max())
    assert np.isnan(of["level"])
    plain = where(probe, metric=names.ACCURACY, method=names.RANDOM, fraction=0.2).iloc[0]
    assert plain["level"] == 0.95
    assert plain["low"] < reading.draws_at(table, names.ACCURACY, fraction=0.2).min()  # a t interval of few draws
    first = spectra.figures.probe.plot(probe)
    assert "log scale: range of draws" in first.figure.get_suptitle()


def without(task, split):
    return replace(task, splits={name: rows for name, rows in task.splits.items() if name != split})


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t, {"n_seeds": 0}, "n_seeds must be at least 1, got 0"),
        (lambda t: t, {"n_heads": 9}, "n_heads must be from 0 to n_seeds=5, got 9"),
        (lambda t: t, {"fractions": (2.0,)}, r"expected fractions in \(0, 1\], got 2.0"),
        (lambda t: t, {"split": "held"}, "expected a split 'held' of 'signals', got train, validation, test"),
        (lambda t: without(t, "validation"), {}, "expected a split 'validation'"),
        (lambda t: t, {"tangents": torch.ones(3, 7)}, "tangents of 40 features, got 7"),
        (lambda t: replace(t, classes=(*t.classes, "none")), {}, "training rows of all 5 classes of 'signals', got 4"),
        (lambda t: t, {"shifted": [make_task(n_features=30)]}, "expected 40 features of 'signals'"),
        (lambda t: t, {"shifted": [make_task(n_classes=3)]}, "expected the classes of 'signals' in 'signals'"),
        (lambda t: t, {"untrained": [make_task(n_samples=(50, 40, 40))]}, "got 50 for 200; load the same task"),
    ],
)
def test_bad_input_is_named(task, change, options, message):
    with pytest.raises(InputError, match=message):
        spectra.spectra(change(task), **options)


def test_a_table_of_another_sweep_is_refused():
    other = results.as_table(
        [{"experiment": "e", "task": "t", "model": "m", "layer": "l", "method": "random", "metric": "x", "value": 1.0}]
    )
    with pytest.raises(InputError, match="expected label_energy_top of random, got no such row"):
        spectra.answers.spectra(other)
