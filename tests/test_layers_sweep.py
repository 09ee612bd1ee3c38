"""The sweep over layers measures what it says: refits, formulas by hand, shifts, and layers without any signal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from synthetic_layers import NAMES, WIDTHS, make_layers

from diffred_core import cka, geometry, intervals, linear_probe, moments, results, subsets, tunnel
from diffred_core.chapters import depth, random_subsets
from diffred_core.chapters.depth.curves import Resampling, own_curve, spread_layers
from diffred_core.errors import InputError

QUICK = {"n_boot": 200, "n_subsets": 0, "published_layers": 0}


def rows(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def value_of(table, **values):
    return rows(table, **values)["value"].item()


def without(layers, split):
    return {
        name: replace(of, splits={s: rows for s, rows in of.splits.items() if s != split})
        for name, of in layers.items()
    }


def of_one_class(layers):
    return {
        name: replace(of, splits={split: (X, torch.zeros_like(y)) for split, (X, y) in of.splits.items()})
        for name, of in layers.items()
    }


@pytest.fixture(scope="module")
def home():
    return make_layers()


@pytest.fixture(scope="module")
def close():
    return make_layers((0.1, 0.3, 0.6, 0.56))


@pytest.fixture(scope="module")
def away():
    return make_layers((0.5, 1.5, 1.0, 0.6), task="away", n_samples=(120, 100, 130), n_classes=3, seed=5)


@pytest.fixture(scope="module")
def moved():
    return make_layers((0.3, 1.0, 2.0, 1.0), task="moved", seed=9, offset=0.6)


@pytest.fixture(scope="module")
def table(home, away, moved):
    return depth.layers(home, transfer=[away], shifted=[moved], n_boot=200, n_subsets=2, published_layers=2)


def ridge(features, l2):
    X, y = features.splits["train"]
    targets = torch.nn.functional.one_hot(y).double()
    return Ridge(alpha=len(X) * l2, solver="svd").fit(X.double(), targets)


@pytest.mark.parametrize(("task", "method"), [("home", "in_distribution"), ("away", "transfer")])
def test_own_accuracy_equals_a_refit_and_layers_keep_their_order(task, method, table, home, away):
    layers = {"home": home, "away": away}[task]
    found = rows(table, task=task, method=method, metric="accuracy", probe="ridge")
    assert found["layer"].tolist() == list(NAMES)
    assert found["n_features"].tolist() == list(WIDTHS)
    for row in found.itertuples():
        X, y = layers[row.layer].splits["test"]
        expected = (ridge(layers[row.layer], row.l2).predict(X.double()).argmax(1) == y.numpy()).mean()
        assert row.value == pytest.approx(expected)


def test_a_shift_measures_the_probe_of_the_reference_task(table, home, moved):
    own = rows(table, task="home", method="in_distribution", metric="accuracy", probe="ridge").set_index("layer")["l2"]
    refitted = []
    for row in rows(table, task="moved", method="shift", metric="accuracy").itertuples():
        X, y = moved[row.layer].splits["test"]
        fits = ridge(home[row.layer], own[row.layer]), ridge(moved[row.layer], own[row.layer])
        measured, trained_there = ((fit.predict(X.double()).argmax(1) == y.numpy()).mean() for fit in fits)
        assert row.value == pytest.approx(measured)
        refitted.append(trained_there - measured)
    assert max(refitted) > 0.02  # a probe trained on the shifted rows is another one


def test_classes_of_a_shift_are_matched_by_name_not_by_number(home, moved):
    turned = (3, 0, 2, 1)  # class c of `moved` is called turned[c] in the other order
    names = tuple(f"class {c}" for c in turned)
    place = torch.tensor([turned.index(c) for c in range(4)])
    renamed = {
        name: replace(of, classes=names, splits={split: (X, place[y]) for split, (X, y) in of.splits.items()})
        for name, of in moved.items()
    }
    one, two = (rows(depth.layers(home, shifted=[other], **QUICK), method="shift") for other in (moved, renamed))
    pd.testing.assert_frame_equal(one, two)


def test_a_shift_needs_no_training_rows(home, moved):
    only = {name: replace(of, splits={s: of.splits[s] for s in ("validation", "test")}) for name, of in moved.items()}
    one, two = (depth.layers(home, shifted=[other], **QUICK) for other in (moved, only))
    pd.testing.assert_frame_equal(one, two)


def test_what_needs_no_features_stands_beside_every_task_with_probes_of_its_own(table, away):
    constant = rows(table, metric="accuracy_without_features")
    assert set(constant["task"]) == {"home", "away"}  # a shifted task has the classes of its reference
    train, test = (away[NAMES[-1]].splits[split][1] for split in ("train", "test"))
    commonest = torch.bincount(train).argmax()
    assert value_of(constant, task="away", method="majority") == pytest.approx(
        (test == commonest).double().mean().item()
    )
    assert value_of(constant, task="away", method="chance") == pytest.approx(1 / 3)


def test_the_tunnel_follows_from_the_accuracies(table):
    own, other = (
        torch.tensor(rows(table, method=method, metric="accuracy", probe="ridge")["value"].tolist())
        for method in ("in_distribution", "transfer")
    )
    last = {"layer": "last", "method": "transfer"}
    assert value_of(table, metric="percent_retained", **last) == pytest.approx(100 * float(other[-1] / other.max()))
    assert value_of(table, metric="percent_retained", **last) < 95  # the away task was made to have a tunnel
    assert value_of(table, metric="id_ood_correlation", **last) == pytest.approx(np.corrcoef(own, other)[0, 1])
    expected = (float(own[-1]) - 1 / 4) * (float(other[-1]) - 1 / 3)
    assert value_of(table, metric="alignment", **last) == pytest.approx(expected)
    assert value_of(table, metric="tunnel_start_revised", **last) == int(other.argmax()) + 1
    for share in (0.95, 0.98):
        start = value_of(table, metric=f"tunnel_start_{100 * share:g}", method="in_distribution")
        assert start == tunnel.tunnel_start(own, share=share) + 1


@pytest.mark.parametrize("method", ["in_distribution", "transfer", "shift"])
def test_the_best_layer_is_chosen_on_validation_rows(method, table):
    accuracy = rows(table, method=method, metric="accuracy", probe="ridge")["value"].to_numpy()
    best = int(rows(table, method=method, metric="accuracy_validation")["value"].to_numpy().argmax())
    assert value_of(table, method=method, metric="best_layer") == best + 1
    retained = value_of(table, method=method, metric="percent_retained_held_out")
    assert retained == pytest.approx(100 * accuracy[-1] / accuracy[best])
    assert value_of(table, method=method, metric="best_layer_gain") == pytest.approx(accuracy[best] - accuracy[-1])
    if method != "in_distribution":
        reference = value_of(table, method="in_distribution", metric="percent_retained_held_out")
        beyond = value_of(table, method=method, metric="retained_beyond_id")
        assert beyond == pytest.approx(retained - reference)


def interval_of(table, **values):
    return tuple(rows(table, **values)[end].item() for end in ("low", "high"))


def test_intervals_tell_when_other_validation_rows_would_choose_another_layer(close):
    sure = rows(depth.layers(make_layers((0.1, 0.2, 0.3, 2.0)), **QUICK))
    assert interval_of(sure, metric="percent_retained_held_out") == (100.0, 100.0)  # never another layer than the last
    unsure = depth.layers({name: close[name] for name in ("last", "third")}, **QUICK)
    assert value_of(unsure, metric="best_layer") == 2
    assert value_of(unsure, metric="best_layer_gain") == 0
    low, high = interval_of(unsure, metric="best_layer_gain")
    assert low < 0 <= high or low <= 0 < high


def test_resampled_choices_are_those_of_resampled_validation_rows(close):
    resampling = Resampling(0.95, 300, 1)
    curve, probes = own_curve(close, {}, method="in_distribution", split="test", probe="ridge", resampling=resampling)
    right = torch.stack(
        [
            probes.probes[name, "home"].predict(of.splits["validation"][0].double()) == of.splits["validation"][1]
            for name, of in close.items()
        ]
    )
    np.testing.assert_array_equal(curve.measured.validation, right.double().mean(1))
    np.testing.assert_array_equal(curve.resampled.best, resampling.means(right, of=1).argmax(1))
    assert curve.resampled.best.min() < curve.resampled.best.max()
    picked = [draw[best] for draw, best in zip(curve.resampled.accuracy, curve.resampled.best, strict=True)]
    np.testing.assert_array_equal(curve.resampled.chosen, picked)
    assert not np.array_equal(resampling.means(right, of=0), resampling.means(right, of=1))


def test_corrupted_rows_stay_paired_and_others_do_not(close):
    def beyond(task):
        same = {name: replace(of, task=task) for name, of in close.items()}
        found = rows(depth.layers(close, shifted=[same], **QUICK), method="shift")
        return interval_of(found, metric="retained_beyond_id")

    assert beyond("home+noise:1") == (0.0, 0.0)  # the very same rows: nothing is left of the difference
    low, high = beyond("elsewhere")
    assert low < 0 < high


def test_test_labels_decide_nothing(home, table):
    poisoned = {
        name: replace(of, splits={**of.splits, "test": (of.splits["test"][0], of.splits["test"][1].roll(1))})
        for name, of in home.items()
    }
    again = depth.layers(poisoned, **QUICK)
    clean = rows(table, method="in_distribution")
    chosen = {"metric": "accuracy", "probe": "ridge"}
    assert rows(again, **chosen)["l2"].tolist() == rows(clean, **chosen)["l2"].tolist()
    assert value_of(again, metric="best_layer") == value_of(clean, metric="best_layer")
    assert rows(again, **chosen)["value"].mean() < rows(clean, **chosen)["value"].mean() - 0.2


def test_shuffled_labels_give_chance_in_every_layer(table):
    chance = depth.layers(make_layers(shuffled=True, n_samples=(150, 120, 2000)), **QUICK)
    assert (rows(chance, metric="accuracy")["value"] - 0.25).abs().max() < 0.06
    assert value_of(table, method="in_distribution", metric="accuracy", probe="ridge", layer="last") > 0.8


def test_intervals_hold_their_values_and_cover_as_often_as_they_say():
    table = rows(depth.layers(make_layers(), transfer=[make_layers(task="away", seed=3)], **QUICK))
    for metric in ("accuracy", "percent_retained", "best_layer_gain", "alignment", "tunnel_start_95"):
        found = rows(table, metric=metric)
        assert len(found)
        assert (found["low"] <= found["value"] + 1e-9).all()
        assert (found["value"] <= found["high"] + 1e-9).all()
    third = {"metric": "accuracy", "method": "in_distribution", "layer": "third"}
    accuracy, (low, high) = value_of(table, **third), interval_of(table, **third)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / 160), rel=0.25)


def test_no_resamples_leave_the_values_and_no_interval(home, away, table):
    plain = depth.layers(home, transfer=[away], **QUICK | {"n_boot": None})
    assert plain["low"].isna().all()
    assert plain["high"].isna().all()
    for metric in ("accuracy", "percent_retained_held_out", "alignment", "best_layer"):
        expected = rows(table, metric=metric, method="transfer", probe="ridge")
        pd.testing.assert_series_equal(
            rows(plain, metric=metric, method="transfer")["value"].reset_index(drop=True),
            expected["value"].reset_index(drop=True),
        )
    assert rows(table, metric="accuracy", method="transfer", probe="ridge")["low"].notna().all()  # the control


def test_bootstrap_means_are_those_of_resampled_rows_shared_by_all_curves():
    rng = np.random.default_rng(0)
    correct = rng.random((3, 40)) < 0.6
    draws = intervals.bootstrap_means(np.vstack([correct, correct[:1]]), n_boot=4000, seed=1)
    np.testing.assert_array_equal(draws[:, 0], draws[:, 3])  # the same rows for every curve
    np.testing.assert_allclose(draws.mean(0)[:3], correct.mean(1), atol=0.01)
    np.testing.assert_allclose(draws[:, :3].std(0), correct.std(1) / np.sqrt(40), rtol=0.1)
    np.testing.assert_array_equal(
        draws, intervals.bootstrap_means(np.vstack([correct, correct[:1]]), n_boot=4000, seed=1)
    )
    assert not np.array_equal(draws, intervals.bootstrap_means(np.vstack([correct, correct[:1]]), n_boot=4000, seed=2))
    with pytest.raises(InputError, match="expected n_boot of at least 1, got 0"):
        intervals.bootstrap_means(correct, n_boot=0)


def test_geometry_is_of_the_training_rows(table, home):
    for name, of in home.items():
        X, y = of.splits["train"]
        found = moments.from_features(X.double(), y)
        expected = {
            "numerical_rank": geometry.numerical_rank(found),
            "stable_rank": geometry.stable_rank(found),
            "rankme": geometry.rankme(found),
            "class_separation": geometry.class_separation(X, y),
        }
        for metric, value in expected.items():
            assert value_of(table, layer=name, metric=metric) == pytest.approx(value)
            assert value_of(table, layer=name, metric=metric, split="train") is not None
        for convention in ("papyan", "harun"):
            nc1 = geometry.neural_collapse(found, convention=convention).nc1
            assert value_of(table, layer=name, metric="nc1", recipe=convention) == pytest.approx(nc1)
    good, poor = (value_of(table, layer=name, metric="nc1", recipe="papyan") for name in ("third", "first"))
    assert good < poor


def test_collapse_is_measured_with_the_chosen_probe(home):
    logistic = depth.layers(home, probe="logistic", **QUICK)
    assert len(rows(logistic, metric="nc4", recipe="harun")) == 4
    assert rows(depth.layers(home, **QUICK), metric="nc4", recipe="harun").empty  # one number for every ridge probe
    X = {name: {split: Z.double() for split, (Z, _) in of.splits.items()} for name, of in home.items()}
    y = {split: labels for split, (_, labels) in home["last"].splits.items()}
    probe = linear_probe.probe_layers(X, {"home": y}, method="logistic").probes["last", "home"]
    found = moments.from_features(X["last"]["train"], y["train"])
    nc = geometry.neural_collapse(found, probe.weight, probe.bias, X=X["last"]["train"], convention="harun")
    assert value_of(logistic, layer="last", metric="nc4", recipe="harun") == pytest.approx(nc.nc4)
    assert value_of(logistic, layer="last", metric="nc2", recipe="harun") == pytest.approx(nc.nc2)


def test_the_rank_follows_its_threshold(home):
    loose, strict = (depth.layers(home, rank_eps=eps, **QUICK) for eps in (1e-3, 0.5))
    assert value_of(loose, layer="last", metric="numerical_rank") == WIDTHS[-1]
    assert value_of(strict, layer="last", metric="numerical_rank") < WIDTHS[-1]


def test_similarity_is_that_with_the_last_layer(table, home):
    X = [of.splits["test"][0] for of in home.values()]
    for name, layer in zip(NAMES, X, strict=True):
        assert value_of(table, layer=name, metric="cka_to_last") == pytest.approx(
            cka.linear_cka(layer, X[-1]), abs=1e-6
        )
    assert value_of(table, layer="last", metric="cka_to_last") == pytest.approx(1)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0]
    second = home["second"]
    turned = replace(second, splits={split: (3 * X @ turn, y) for split, (X, y) in second.splits.items()})
    again = depth.layers({**home, "second": turned}, **QUICK)
    assert value_of(again, layer="second", metric="cka_to_last") == pytest.approx(
        value_of(table, layer="second", metric="cka_to_last"), abs=1e-5
    )


def test_redundancy_of_a_layer_is_that_of_the_subset_sweep(home):
    table = depth.layers(home, n_subsets=3, fraction=0.5, delta=0.9, published_layers=0, n_boot=50)
    options = {"logistic_fractions": (), "n_boot": 50, "ridge_l2": linear_probe.LAYER_L2}
    subsets = random_subsets.probes(home["last"], fractions=(0.5,), n_seeds=3, **options)
    full = value_of(subsets, method="full", metric="accuracy")
    kept = rows(subsets, method="random", metric="accuracy")["value"] / full
    found = rows(table, layer="last", metric="accuracy_kept")
    np.testing.assert_allclose(found["value"], kept)
    assert found["seed"].tolist() == [1, 2, 3]
    assert set(rows(table, metric="diffused_redundancy")["delta"]) == {0.9}
    assert rows(depth.layers(home, **QUICK), metric="accuracy_kept").empty


def test_redundancy_is_a_share_of_the_accuracy_of_the_curve_whatever_the_spread_of_a_layer(close):
    scales = torch.logspace(0, 3, WIDTHS[-1])  # a few features outweigh all others, as in early layers
    of = close["last"]
    spread = replace(of, splits={split: (X * scales, y) for split, (X, y) in of.splits.items()})
    table = depth.layers(close | {"last": spread}, n_subsets=1, fraction=0.5, published_layers=0, n_boot=50)
    chosen = subsets.random_order(WIDTHS[-1], seed=1)[: WIDTHS[-1] // 2]
    part = linear_probe.probe_layers(
        {"part": {split: X[:, chosen].double() for split, (X, _) in spread.splits.items()}},
        {"home": {split: y for split, (_, y) in spread.splits.items()}},
    )
    whole = value_of(table, layer="last", metric="accuracy")
    kept = value_of(table, layer="last", metric="accuracy_kept")
    assert kept == pytest.approx(float(part.accuracy) / whole, abs=0.015)
    options = {"fractions": (0.5,), "logistic_fractions": (), "ridge_l2": (1e-3, 1e-2, 1e-1, 1.0)}
    coarse = random_subsets.probes(spread, **options, n_seeds=2, n_boot=50)
    assert (
        value_of(coarse, method="full", metric="accuracy") < whole - 0.05
    )  # what a coarse grid would have called whole


def test_a_layer_too_narrow_for_the_fraction_has_no_row_of_it(home):
    table = depth.layers(home, n_subsets=2, fraction=0.1, published_layers=0, n_boot=50)
    assert set(rows(table, metric="accuracy_kept")["layer"]) == {"third", "last"}


def test_optimism_is_what_test_selection_adds(table, home):
    optimism = rows(table, metric="optimism")
    assert set(optimism["layer"]) == {"second", "last"}
    assert set(optimism["method"]) == {"in_distribution", "transfer"}
    keys = ["method", "layer", "repeat"]
    published, selected = (
        rows(table, metric="accuracy", label=label).set_index(keys)["value"]
        for label in ("as published", "selected epoch")
    )
    pd.testing.assert_series_equal(published - selected, optimism.set_index(keys)["value"])
    assert (optimism["value"] >= 0).all()
    X = {"last": {split: Z for split, (Z, _) in home["last"].splits.items()}}
    y = {split: labels for split, (_, labels) in home["last"].splits.items()}
    recipe = linear_probe.PUBLISHED_TUNNEL["pretrained"]  # not that of networks trained from nothing
    curves = linear_probe.probe_layers_by_epoch(X, {"home": y}, recipe=recipe, seeds=[1, 2, 3])
    found = rows(table, metric="accuracy", label="as published", layer="last", method="in_distribution")["value"]
    np.testing.assert_allclose(found, curves.as_published[0, 0])


def test_published_probes_name_their_recipe_and_its_steps(table, home):
    assert set(rows(table, probe="adamw")["recipe"]) == {"pretrained"}
    (trace,) = depth.recipe_traces(rows(table, task="home")).to_dict("records")
    n_train = len(home["last"].splits["train"][1])
    assert (trace["recipe"], trace["optimizer"], trace["learning_rates"]) == ("pretrained", "AdamW", {"0": 5e-4})
    assert (trace["steps_per_epoch"], trace["steps"]) == (-(-n_train // 512), 30 * -(-n_train // 512))
    other = depth.layers(home, **QUICK | {"published_layers": 1, "n_published_seeds": 1}, recipe="cnn")
    (trace,) = depth.recipe_traces(other).to_dict("records")
    assert (trace["recipe"], trace["steps_per_epoch"]) == ("cnn", -(-n_train // 128))
    with pytest.raises(InputError, match="expected a recipe of cnn, vit"):
        depth.layers(home, **QUICK, recipe="cifar")
    assert depth.recipe_traces(depth.layers(home, **QUICK | {"published_layers": 0})).empty


def test_layers_are_spread_evenly_with_the_last_among_them():
    names = list("abcdefg")
    assert spread_layers(names, 1) == ["g"]
    assert spread_layers(names, 3)[-1] == "g"
    assert len(set(spread_layers(names, 3))) == 3
    assert spread_layers(names, 99) == names
    assert spread_layers(names, 0) == []
    with pytest.raises(InputError, match="published_layers must be at least 0, got -1"):
        spread_layers(names, -1)


def test_rows_by_layer_carry_their_interval(table):
    curves = depth.by_layer(table, ["accuracy"])
    assert curves["place"].max() == 4
    one = curves[(curves["task"] == "home") & (curves["layer"] == "third")].iloc[0]
    assert (one["low"], one["high"]) == interval_of(table, task="home", layer="third", metric="accuracy")
    kept = depth.by_layer(table, ["accuracy_kept"], level=0.9)
    values = rows(table, layer="last", metric="accuracy_kept")["value"]
    mean, low, high = intervals.mean_interval(values, level=0.9)
    found = kept[kept["layer"] == "last"].iloc[0]
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((mean, low, high))
    assert depth.by_layer(table, ["cka_to_last"])["low"].isna().all()
    with pytest.raises(InputError, match="metric must be one of"):
        depth.by_layer(table, ["nothing"])


def test_the_table_is_one_of_results(table):
    pd.testing.assert_frame_equal(results.check(table), table)
    assert set(table["experiment"]) == {"layers"}
    assert set(table["model"]) == {"made up"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda home, away: ({"first": home["first"]}, {}), "layers must hold at least 2 layers to compare, got first"),
        (
            lambda home, away: (home, {"transfer": [{n: away[n] for n in NAMES[1:]}]}),
            "expected the layers first, second, third, last of 'away' too, got second, third, last",
        ),
        (
            lambda home, away: (home, {"shifted": [away]}),
            "expected the classes of 'home' in 'away', where its probes are to be measured, but 'class 3' is in one",
        ),
        (lambda home, away: (home, {"split": "validation"}), "split must be one of train, test of 'home', got 'valid"),
        (lambda home, away: (home, {"probe": "svm"}), "expected method 'ridge' or 'logistic', got 'svm'"),
        (lambda home, away: (home, {"rank_eps": 2.0}), r"expected eps in \(0, 1\), got 2.0"),
        (lambda home, away: (home, {"n_boot": 0}), "expected n_boot of at least 1, got 0"),
        (lambda home, away: (home, {"level": 95}), r"expected level in \(0, 1\), got 95"),
        (lambda home, away: (home, {"n_subsets": -1}), "n_subsets must be at least 0, got -1"),
        (
            lambda home, away: (home, {"transfer": [without(away, "validation")]}),
            "expected a split 'validation' of 'away', got train, test; hold rows out",
        ),
        (
            lambda home, away: (home, {"transfer": [without(away, "train")]}),
            "expected a split 'train' of 'away', got validation, test; hold rows out: they fit",
        ),
        (
            lambda home, away: (home, {"shifted": [of_one_class(home)]}),
            "expected at least 2 classes among the test rows of 'home', got one",
        ),
    ],
)
def test_bad_input_is_said_in_one_sentence(change, message, home, away):
    layers, options = change(home, away)
    with pytest.raises(InputError, match=message):
        depth.layers(layers, **{**QUICK, **options})
