"""The sweep over small networks: every row can be had by hand, and its figures and claims say what is in it."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import PathCollection
from sklearn.linear_model import RidgeClassifier

from diffred_core import datasets, drawing, results, small_networks
from diffred_core.chapters import depth
from diffred_core.errors import InputError
from diffred_core.small_networks import Architecture, Images, TrainingRecipe

EARLY = Architecture(11, 2)
RECIPE = TrainingRecipe(epochs=1, batch_size=64)
SHARED = {"experiment": "tunnel_small_networks", "task": "t", "layer": "conv10", "n_features": 8, "split": "test"}


def subset(images: Images, n: int) -> Images:
    """Return the first `n` rows of every split."""
    return replace(images, splits={split: rows[:n] for split, rows in images.splits.items()})


@pytest.fixture(scope="module")
def tasks():
    every = Images.of(datasets.load("digits"), size=16)
    images, others = every.hold_out(4)
    return subset(images, 200), [subset(other, 150) for other in others]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def table(tasks, root):
    return depth.small_networks(
        *tasks, depths=[11], widths=[2], n_seeds=2, seed=7, recipe=RECIPE, root=root, progress=False
    )


def of_one(table, metric, seed=7, **columns):
    columns = {"metric": metric, "seed": seed, "label": "early_pooling", "recipe": "trained"} | columns
    return table[(table[list(columns)] == pd.Series(columns)).all(axis=1)]


def test_the_table_has_every_layer_of_every_network_on_every_task(table):
    curves = table[table["metric"] == "accuracy"]
    assert len(curves) == 2 * 2 * 2 * 2 * 10  # ways of pooling, trained or not, seeds, tasks, convolutions
    assert set(table["label"]) == {"early_pooling", "late_pooling"}
    assert set(table["recipe"]) == {"trained", "untrained"}
    assert set(curves["method"]) == {"in_distribution", "transfer"}
    assert set(curves["task"]) == {"digits[0-3]", "digits[4-9]"}
    assert set(table["repeat"]) == {0, 1}
    assert set(table["seed"]) == {7, 8}
    assert sorted(curves["layer"].unique()) == [f"conv{i:02d}" for i in range(1, 11)]
    assert curves.loc[curves["layer"] == "conv05", "n_features"].unique().tolist() == [32]
    assert results.check(table).equals(table)


def test_a_probe_of_the_table_is_the_one_of_scikit_learn(table, tasks, root):
    """scikit-learn's ridge at the chosen regulariser, on features from a pass of its own."""
    images, (other,) = tasks
    (network,) = small_networks.networks(images, [EARLY], seeds=[7], recipe=RECIPE, root=root, progress=False)
    for one, method in ((images, "in_distribution"), (other, "transfer")):
        X = small_networks.convolution_features(network.backbone, one.pixels)["conv06"].double().numpy()
        row = of_one(table, "accuracy", method=method).set_index("layer").loc["conv06"]
        train, test = (rows.numpy() for rows in (one.splits["train"], one.splits["test"]))
        model = RidgeClassifier(alpha=len(train) * row["l2"]).fit(X[train], one.y[train])
        assert row["value"] == pytest.approx(model.score(X[test], one.y[test]), abs=1.5 / len(test))
        assert row["value"] > 1.5 / one.n_classes


def test_untrained_networks_are_those_of_no_epoch(table, tasks, root):
    images, _ = tasks
    first = replace(RECIPE, epochs=0)
    (network,) = small_networks.networks(images, [EARLY], seeds=[7], recipe=first, root=root, progress=False)
    pixels, y = images.split("test")
    with torch.inference_mode():
        found = network.backbone.module(network.backbone.normalised(pixels)).argmax(1)
    rows = of_one(table, "classifier_accuracy", recipe="untrained")
    assert rows["value"].item() == pytest.approx((found == y).double().mean().item())
    assert of_one(table, "training_loss", recipe="untrained").empty
    assert len(of_one(table, "training_loss")) == 1  # the control


def test_what_is_retained_follows_from_the_curves(table):
    for seed in (7, 8):
        curve = of_one(table, "accuracy", seed, method="transfer").sort_values("layer")["value"].to_numpy()
        retained = of_one(table, "percent_retained", seed, method="transfer")["value"].item()
        assert retained == pytest.approx(100 * curve[-1] / curve.max())
        assert of_one(table, "mean_percent_retained", seed)["value"].item() == pytest.approx(retained)  # of one task
        start = of_one(table, "tunnel_start_revised", seed)["value"]
        assert start.tolist() == ([] if curve.argmax() == 9 else [curve.argmax() + 1])
        inside = of_one(table, "accuracy", seed, method="in_distribution").sort_values("layer")["value"].to_numpy()
        first = np.flatnonzero(inside >= 0.95 * inside[-1])[0] + 1
        assert of_one(table, "tunnel_start_95", seed)["value"].item() == first
        expected = (inside[-1] - 1 / 4) * (curve[-1] - 1 / 6)
        assert of_one(table, "alignment", seed)["value"].item() == pytest.approx(expected)
        correlation = of_one(table, "id_ood_correlation", seed)["value"].item()
        assert correlation == pytest.approx(np.corrcoef(inside, curve)[0, 1])


def test_the_shape_of_a_layer_is_that_of_its_training_rows(table, tasks, root):
    images, _ = tasks
    (network,) = small_networks.networks(images, [EARLY], seeds=[7], recipe=RECIPE, root=root, progress=False)
    pixels, y = images.split("train")
    X = small_networks.convolution_features(network.backbone, pixels)["conv09"].double().numpy()
    values = np.linalg.eigvalsh(np.cov(X.T))
    rows = {metric: of_one(table, metric).set_index("layer").loc["conv09"] for metric in ("numerical_rank", "nc1")}
    assert rows["numerical_rank"]["value"] == (values > 1e-3 * values.max()).sum()
    means = np.stack([X[y == c].mean(0) for c in range(4)])
    within = (X - means[y]).T @ (X - means[y]) / len(X)
    spread = means - means.mean(0)
    nc1 = np.trace(within @ np.linalg.pinv(spread.T @ spread / 4)) / 4
    assert rows["nc1"]["value"] == pytest.approx(nc1, rel=1e-3)
    assert rows["nc1"]["split"] == "train"


def test_the_classifier_is_measured_on_test_images(table, tasks, root):
    images, _ = tasks
    late = Architecture(11, 2, early_pooling=False)
    (network,) = small_networks.networks(images, [late], seeds=[8], recipe=RECIPE, root=root, progress=False)
    pixels, y = images.split("test")
    with torch.inference_mode():
        found = network.backbone.module(network.backbone.normalised(pixels)).argmax(1)
    expected = (found == y).double().mean().item()
    assert of_one(table, "classifier_accuracy", 8, label="late_pooling")["value"].item() == pytest.approx(expected)


def test_the_same_networks_give_the_same_table(table, tasks, root):
    again = depth.small_networks(
        *tasks, depths=[11], widths=[2], n_seeds=2, seed=7, recipe=RECIPE, root=root, progress=False
    )
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize(
    ("others", "message"),
    [([], "expected at least one OOD task, got none"), ([20], r"expected images of 16 pixels in 'digits' as in .* 20")],
)
def test_the_sweep_refuses_tasks_that_do_not_fit(tasks, others, message):
    others = [Images.of(datasets.load("digits"), size=size) for size in others]
    with pytest.raises(InputError, match=message):
        depth.small_networks(tasks[0], others, recipe=RECIPE)


# ---- figures


def test_accuracy_has_a_panel_a_network_and_a_line_a_task(table):
    summary = depth.figures_networks.network_accuracy.summary(table)
    first = depth.figures_networks.network_accuracy.plot(summary)
    panels = first.figure.axes
    assert [ax.get_title(loc="left") for ax in panels] == [
        "VGGm-11, width 2, early\npooling",
        "VGGm-11, width 2, without\nearly pooling",
    ]
    trained = summary[(summary["task"] == "digits[4-9]") & (summary["recipe"] == "trained")]
    for ax, pooling in zip(panels, ("early_pooling", "late_pooling"), strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
        assert len(dotted) == 2
        assert set(lines) - {line.get_label() for line in dotted} == {
            "UCI digits, classes 0 to 3 (trained on)",
            "UCI digits, classes 4 to 9",
        }
        rows = trained[trained["label"] == pooling]
        assert lines["UCI digits, classes 4 to 9"].get_xdata().tolist() == list(range(1, 11))
        np.testing.assert_allclose(
            lines["UCI digits, classes 4 to 9"].get_ydata().astype(float), rows["mean"].to_numpy(float)
        )
    assert "dotted: untrained" in first.figure.get_suptitle()
    words = depth.figures_networks.network_accuracy.words(summary)
    assert "without early pooling, untrained: " in words
    assert f"{100 * rows['mean'].iloc[-1]:.1f} % at the last" in words
    drawing.png(first.figure)


def test_geometry_has_two_panels_and_words(table):
    summary = depth.figures_networks.network_geometry.summary(table)
    rank, collapse = depth.figures_networks.network_geometry.plot(summary).figure.axes
    assert len(rank.lines) == len(collapse.lines) == 4  # with and without early pooling, before and after training
    last = of_one(table, "nc1")["value"].iloc[-1] * of_one(table, "nc1", seed=8)["value"].iloc[-1]
    assert collapse.lines[0].get_ydata()[-1] == pytest.approx(np.log10(last) / 2)
    assert f" to {last**0.5:.2f}" in depth.figures_networks.network_geometry.words(summary)


def test_tables_of_networks_are_means_over_seeds(table):
    shown = depth.tables.network_retained.summary(table)
    assert len(shown) == 2 * 2
    values = [of_one(table, "percent_retained", seed, method="transfer")["value"].item() for seed in (7, 8)]
    row = shown[(shown["network"] == "early pooling") & (shown["task"] == "UCI digits, classes 4 to 9")].iloc[0]
    assert row["mean"] == pytest.approx(np.mean(values))
    right = depth.tables.classifiers.summary(table).set_index("network")["mean"]
    values = [of_one(table, "classifier_accuracy", seed)["value"].item() for seed in (7, 8)]
    assert right["early pooling"] == pytest.approx(100 * np.mean(values))
    assert right["early pooling"] != right["early pooling, untrained"]  # the control


OTHERS = {"far": -2.0, "near": 2.0}  # OOD tasks, and how far their percentage is from the mean


def network_rows(retained, inside=(99.0, 99.5, 100.0)):
    """Return a table of networks that retain given percentages, {(model, pooling[, recipe]): (seed 0, seed 1, ...)}."""
    rows = []
    for (model, pooling, *recipe), values in retained.items():
        kind = SHARED | {"model": model, "label": pooling, "recipe": recipe[0] if recipe else "trained"}
        for i, (mean, own) in enumerate(zip(values, inside, strict=False)):
            draw = kind | {"repeat": i, "seed": i}
            rows.append(draw | {"method": "full", "metric": "mean_percent_retained", "value": mean})
            held_out = {"metric": "percent_retained_held_out"}
            rows.append(draw | held_out | {"method": "in_distribution", "value": own})
            rows += [draw | held_out | {"method": "transfer", "task": t, "value": mean + x} for t, x in OTHERS.items()]
    return results.as_table(rows)


def test_retained_performance_is_drawn_by_network_with_its_name():
    table = network_rows({("a", "early_pooling"): (70.0, 74.0, 72.0), ("a", "late_pooling"): (97.0, 98.0, 99.0)})
    figure = depth.figures_networks.network_retained
    summary = figure.summary(table)
    _, ax = plt.subplots()
    assert figure.plot(summary, ax=ax) is ax
    dots = [sorted(part.get_offsets()[:, 0]) for part in ax.collections if isinstance(part, PathCollection)]
    assert dots == [[70.0, 72.0, 74.0], [97.0, 98.0, 99.0]]
    assert {text.get_text() for text in ax.texts} == {"negligible", "weak", "medium", "strong"}
    words = figure.words(summary)
    assert "a early pooling 72.0 % (strong tunnel, interval" in words
    assert "a without early pooling 98.0 % (negligible tunnel" in words


def test_one_network_is_drawn_without_an_interval():
    table = network_rows({("a", "early_pooling"): (40.0,)})
    ax = depth.figures_networks.network_retained.plot(depth.figures_networks.network_retained.summary(table))
    assert "no interval: one network" in ax.get_title(loc="left")
    assert ax.get_xlim()[0] == 40
    drawing.png(ax.figure)


@pytest.mark.parametrize("name", ["network_accuracy", "network_geometry", "network_retained"])
def test_figures_refuse_an_incomplete_summary(name):
    with pytest.raises(InputError, match=f"plot_{name} needs the column 'label'"):
        getattr(depth.figures_networks, name).plot(pd.DataFrame({"model": ["a"]}))


# ---- claims


@pytest.mark.parametrize(
    ("late", "verdict"),
    [((90.0, 91.0, 92.0), "holds"), ((70.0, 80.0, 65.0), "undecided"), ((60.0, 61.0, 62.0), "fails")],
)
def test_pooling_is_judged_in_pairs_of_seeds(late, verdict):
    table = network_rows({("a", "early_pooling"): (71.0, 72.0, 73.0), ("a", "late_pooling"): late})
    claim = depth.claims.late_pooling_retains_more(table, model="a")
    assert claim.verdict == verdict
    assert claim.value == pytest.approx(np.mean(late) - 72)
    assert f"It retains {np.mean(late):.1f} % against 72.0 %, in points: {np.mean(late) - 72:+.1f}" in claim.evidence


def test_pairs_are_of_one_seed():
    """What varies between seeds but not within a pair does not widen the interval."""
    early, late = (40.0, 70.0, 90.0), (45.0, 75.5, 95.0)
    table = network_rows({("a", "early_pooling"): early, ("a", "late_pooling"): late})
    assert depth.claims.late_pooling_retains_more(table, model="a").verdict == "holds"
    mixed = network_rows({("a", "early_pooling"): early, ("a", "late_pooling"): late[::-1]})
    assert depth.claims.late_pooling_retains_more(mixed, model="a").verdict == "undecided"


def test_depth_and_the_own_task_are_judged_too():
    table = network_rows({("deep", "early_pooling"): (70.0, 71.0, 72.0), ("flat", "early_pooling"): (90.0, 91.0, 92.5)})
    options = {"pooling": "early_pooling"}
    claim = depth.claims.depth_retains_less(table, shallow="flat", deep="deep", **options)
    assert claim.verdict == "holds"
    assert depth.claims.depth_retains_less(table, shallow="deep", deep="flat", **options).verdict == "fails"
    claim = depth.claims.networks_lose_other_data(table, model="deep", **options)
    assert claim.verdict == "holds"
    assert claim.value == pytest.approx(99.5 - 71)
    assert "Retained are 99.5 % on the task and 71.0 % on other data, in points: +28.5" in claim.evidence
    same = network_rows({("deep", "early_pooling"): (99.5, 99.0, 99.9)}, inside=(99.0, 99.4, 100.0))
    assert depth.claims.networks_lose_other_data(same, model="deep", **options).verdict == "undecided"


@pytest.mark.parametrize(("before", "verdict"), [((95.0, 96.0, 97.0), "holds"), ((50.0, 51.0, 52.0), "fails")])
def test_what_training_does_is_judged_against_the_first_weights(before, verdict):
    table = network_rows({("a", "late_pooling"): (90.0, 91.0, 92.5), ("a", "late_pooling", "untrained"): before})
    claim = depth.claims.training_retains_less(table, model="a", pooling="late_pooling")
    assert claim.verdict == verdict
    assert f"It retains 91.2 % against {before[1]:.1f} %" in claim.evidence


def test_one_network_leaves_a_claim_undecided():
    table = network_rows({("a", "early_pooling"): (70.0,), ("a", "late_pooling"): (99.0,)})
    claim = depth.claims.late_pooling_retains_more(table, model="a")
    assert claim.verdict == "undecided"
    assert claim.evidence.endswith("in points: +29.0, without an interval: one of the pairs of networks.")


def test_a_claim_of_networks_that_are_not_there_is_refused():
    table = network_rows({("a", "early_pooling"): (70.0, 71.0)})
    with pytest.raises(
        InputError, match=r"of a late_pooling trained, got none; the table holds a early_pooling trained"
    ):
        depth.claims.late_pooling_retains_more(table, model="a")


def test_every_claim_about_networks_is_made(table):
    assert [claim.name for claim in depth.claims.all_claims(table)] == [
        *["loss is of other data"] * 2,
        "late pooling retains more",
        *["training retains less"] * 2,
        "untrained: late pooling retains more",
        *["training lifts the end", "number is not why", "training takes directions"] * 2,
    ]
    flat = table.assign(layer=table["layer"].replace({"conv10": "conv09"}), model="vggm10-w2")
    both = depth.claims.all_claims(pd.concat([flat, table], ignore_index=True))
    (early, _) = (claim for claim in both if claim.name == "depth retains less")
    assert early.statement.startswith("VGGm-11, width 2 retains less of its OOD performance than VGGm-10, width 2")
    early_only = table[(table["label"] == "early_pooling") & (table["recipe"] == "trained")]
    assert len(depth.claims.all_claims(early_only)) == 1
