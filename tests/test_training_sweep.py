"""The sweep over networks of several objectives: rows that can be had by hand, figures and tables that say them."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier

from diffred_core import datasets, drawing, geometry, results, small_networks
from diffred_core.chapters import governs
from diffred_core.chapters.governs import training_measures as measures
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.small_networks import Architecture, Images, TrainingObjective, TrainingRecipe

RECIPE = TrainingRecipe(epochs=2, batch_size=32)
MODEL = "vggm11-w2@digits[0-4]"
OPTIONS = {
    "objectives": ["cross_entropy", "matryoshka", "dropout:0.2", "dropout:0.5", "adversarial"],
    "architectures": ["vggm11-w2", "vit2-w2"],
    **{"n_seeds": 2, "recipe": RECIPE, "n_draws": 3, "n_prefix_draws": 19, "attack_steps": 2, "n_attacked": 30},
}


@pytest.fixture(scope="module")
def tasks():
    most = {"train": 300, "validation": 120, "test": 120}
    every = Images.of(datasets.load("digits"), size=16, most=most)
    return every.of_classes(range(5)), [every.of_classes(range(5, 10))]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def table(tasks, root):
    return governs.trained(*tasks, root=root, progress=False, **OPTIONS)


def network_of(tasks, root, objective, seed=1):
    recipe = replace(RECIPE, objective=TrainingObjective.named(objective))
    options = {"seeds": [seed], "recipe": recipe, "root": root, "progress": False}
    (found,) = small_networks.networks(tasks[0], [Architecture(11, 2)], **options)
    return found


def one(table, metric, **columns):
    found = where(table, metric=metric, model=MODEL, seed=1, **columns)
    assert len(found) == 1
    return found["value"].item()


def test_every_objective_is_in_the_first_architecture_and_the_first_in_all(table):
    networks = table.dropna(subset="seed").drop_duplicates(["model", "recipe", "seed"])
    kinds = networks.groupby(["model", "recipe"]).size()
    assert kinds.to_dict() == {
        **{(MODEL, TrainingObjective.named(name).name): 2 for name in OPTIONS["objectives"]},
        ("vit2-w2@digits[0-4]", "cross_entropy"): 2,
    }
    assert set(where(table, label="own task")["task"]) == {"digits[0-4]"}
    assert set(where(table, label="other tasks")["task"]) == {"digits[5-9]"}
    assert results.check(table).equals(table)


def test_accuracy_is_that_of_scikit_learn_and_redundancy_follows_from_it(table, tasks, root):
    features = measures.features_of(network_of(tasks, root, "dropout:0.5"), tasks[1][0])
    (X, y), (X_test, y_test) = (features.splits[name] for name in ("train", "test"))
    whole = one(table, "accuracy", recipe="dropout:0.5", method="full", label="other tasks")
    scores = [
        RidgeClassifier(alpha=len(X) * float(X.var(0, correction=0).mean()) * l2)
        .fit(X.double().numpy(), y)
        .score(X_test.double().numpy(), y_test)
        for l2 in (10.0**e for e in range(-6, 3))
    ]
    assert min(abs(whole - score) for score in scores) < 1e-6
    rows = where(table, metric="accuracy", method="random", label="other tasks", model=MODEL, seed=1)
    curve = where(rows, recipe="dropout:0.5").sort_values("fraction")
    reached = curve.loc[curve["value"] >= 0.9 * whole, "fraction"]
    expected = 1 - (reached.min() if len(reached) else 1.0)
    assert one(
        table, "diffused_redundancy_first", recipe="dropout:0.5", method="random", label="other tasks", delta=0.9
    ) == pytest.approx(expected)
    kept = where(table, metric="accuracy_kept", method="random", label="other tasks", model=MODEL, seed=1)
    kept = where(kept, recipe="dropout:0.5").iloc[0]
    at = curve.set_index("fraction")["value"][kept["fraction"]]
    assert kept["value"] == pytest.approx(at / whole)


def test_shape_and_classifier_are_those_of_the_network(table, tasks, root):
    network = network_of(tasks, root, "matryoshka")
    features = measures.features_of(network, tasks[0])
    X, y = features.splits["train"]
    of = {"recipe": "matryoshka:1", "label": "own task"}
    assert one(table, "class_separation", **of) == pytest.approx(geometry.class_separation(X, y))
    pixels, labels = tasks[0].split("test")
    with torch.inference_mode():
        right = network.backbone.module(network.backbone.normalised(pixels)).argmax(1) == labels
    assert one(table, "classifier_accuracy", **of) == pytest.approx(right.double().mean().item())
    assert one(table, "robust_accuracy", **of) <= one(table, "classifier_accuracy", **of) + 0.2
    prefix = where(table, metric="prefix_p_value", model=MODEL, recipe="matryoshka:1", seed=1)
    assert prefix["n_selected"].tolist() == [2, 4, 8]
    assert prefix["value"].between(0.05, 1).all()


def test_the_same_networks_give_the_same_table(table, tasks, root):
    few = OPTIONS | {"objectives": ["cross_entropy", "dropout:0.2"], "architectures": ["vggm11-w2"]}
    again = governs.trained(*tasks, root=root, progress=False, **few)
    kinds = where(table, model=MODEL, recipe=("cross_entropy", "dropout:0.2")).reset_index(drop=True)
    assert again.dropna(subset="seed").reset_index(drop=True).equals(kinds)


def test_layers_that_say_nothing_have_no_similarity(tasks):
    X = torch.zeros(120, 16)
    X[:, 0] = torch.arange(120) % 5 == 0
    y = torch.arange(120) % 5
    from diffred_core.features import TaskFeatures

    splits = {name: (X[i::3], y[i::3]) for i, name in enumerate(("train", "validation", "test"))}
    features = TaskFeatures("m", "t", tuple("abcde"), dict.fromkeys(splits, "k"), splits)
    of = measures.Measured((0.25, 0.5), 4, 1, 19, 0.5, 2, 10, 1e-3)
    rows = list(measures.redundancy_rows(features, of))
    similarity = [row["value"] for row in rows if row["metric"] == "cka_above_null"]
    assert all(np.isfinite(similarity))
    single = torch.zeros(40, 16)
    single[0] = 1.0  # on one row alone, so that all other rows are equally far apart
    rows = list(measures.redundancy_rows(replace(features, splits=splits | {"test": (single, y[::3])}), of))
    assert not [row for row in rows if row["metric"] == "cka_above_null"]  # the control


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"others": []}, "expected at least one task that networks are not trained on, got none"),
        ({"objectives": ["cross_entropy", "cross_entropy"]}, "expected objectives and architectures, each once, got"),
        ({"objectives": []}, "expected objectives and architectures, each once, got"),
        (
            {"objectives": ["cross_entropy", "dropuot"]},
            "expected loss or regulariser to be one of .* did you mean 'dropou",
        ),
        ({"architectures": ["vgg11-w2"]}, "expected architecture.family to be one of vggm, resnet, vit, got 'vgg'"),
    ],
)
def test_the_sweep_refuses_what_it_cannot_compare(tasks, root, change, message):
    images, others = tasks
    with pytest.raises(InputError, match=message):
        governs.trained(images, change.pop("others", others), root=root, progress=False, **(OPTIONS | change))


def test_images_of_another_size_are_refused(tasks, root):
    other = Images.of(datasets.load("digits"), size=10, most={"train": 20, "validation": 20, "test": 20})
    with pytest.raises(InputError, match=r"expected images of 16 pixels in 'digits' as in 'digits\[0-4\]', got 10"):
        governs.trained(tasks[0], [other], root=root, progress=False, **OPTIONS)


@pytest.mark.parametrize("name", ["change", "shape", "order", "kept"])
def test_figures_draw_the_table_and_say_it(table, name):
    figure = getattr(governs.figures_training, name)
    summary = figure.summary(table)
    canvas = figure.plot(summary).figure
    assert drawing.png(canvas).startswith(b"\x89PNG")
    words = figure.words(summary)
    assert any(digit in words for digit in "0123456789")
    with pytest.raises(InputError, match=r"plot_\w+ needs the column"):
        figure.plot(summary.drop(columns=summary.columns[0]))
    plt.close("all")


def test_the_figure_of_changes_has_the_differences(table):
    summary = governs.figures_training.change.summary(table)
    grid = governs.figures_training.change.plot(summary).figure
    drawn = sorted(np.concatenate([line.get_xdata() for line in grid.axes[0].lines if line.get_marker() == "o"]))
    assert drawn == pytest.approx(sorted(where(summary, measure="DR, own task")["mean"]))
    plt.close("all")


def test_tables_hold_every_kind_and_the_published_numbers(table):
    own = governs.tables_training.own_task.summary(table)
    assert len(own) == 6
    assert {"R2", "NC1", "RankMe", "DR(0.95) nearest (%)"} <= set(own)
    assert "R2" not in set(governs.tables_training.other_tasks.summary(table))
    robust = governs.tables_training.robust.summary(table).set_index("objective")
    mean = where(table, metric="robust_accuracy", recipe="adversarial:0.5")["value"].mean()
    assert robust.loc["adversarial 0.5", "under attack (%)"] == pytest.approx(100 * mean)
    beside = governs.tables_training.published_beside.summary(table).set_index("objective")["published (%)"]
    expected = np.mean([0.7302 / 0.7707, 0.3413 / 0.4608, 0.0234 / 0.0919, 0.7310 / 0.8760])
    assert beside["dropout 0.5"] == pytest.approx(100 * expected)
    assert np.isnan(beside["plain cross-entropy"])


def test_images_can_be_a_part_with_the_classes_in_their_shares():
    dataset = datasets.load("digits")
    whole, part = (Images.of(dataset, size=10, most=most) for most in (None, {"train": 200, "test": 10_000}))
    assert len(part.splits["train"]) == 200
    for split in ("validation", "test"):
        assert torch.equal(part.split(split)[0], whole.split(split)[0])
    shares = torch.bincount(part.split("train")[1]) / 200
    torch.testing.assert_close(
        shares, torch.bincount(whole.split("train")[1]) / len(whole.splits["train"]), atol=0.01, rtol=0
    )
    rows = {image.numpy().tobytes() for image in whole.split("train")[0]}
    assert {image.numpy().tobytes() for image in part.split("train")[0]} <= rows
    other = Images.of(dataset, size=10, most={"train": 200}, seed=1)
    assert not torch.equal(other.split("train")[0], part.split("train")[0])
    with pytest.raises(
        InputError, match=r"expected at least 10 images of the train split of 'digits', one a class, got 5"
    ):
        Images.of(dataset, size=10, most={"train": 5})
