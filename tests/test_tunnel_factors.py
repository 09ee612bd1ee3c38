"""The factors of a tunnel: the design, what the sweep trains and measures, and what is claimed of paired networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from diffred_core import datasets, drawing, results, small_networks, tunnel
from diffred_core.chapters import depth
from diffred_core.chapters.depth import factors
from diffred_core.errors import InputError
from diffred_core.results import published
from diffred_core.small_networks import Architecture, Images, TrainingRecipe

RECIPE = TrainingRecipe(epochs=1, batch_size=32)
BASE = Architecture(11, 2)
SIZES = (16, 24)


@pytest.fixture(scope="module")
def tasks():
    read = {size: Images.of(datasets.load("digits"), size=size, most={"train": 400}) for size in SIZES}
    return {size: (images.at_most({"validation": 60, "test": 80}), []) for size, images in read.items()}


@pytest.fixture(scope="module")
def table(tasks, tmp_path_factory):
    options = {
        "classes": [2, 6],
        "n_images": 60,
        "n_probe": 80,
        "architecture": "vggm11-w2",
        "factors": ["wider", "vit"],
    }
    root = tmp_path_factory.mktemp("networks")
    return depth.tunnel_factors(tasks, **options, n_seeds=2, seed=3, recipe=RECIPE, root=root, progress=False)


def design(**changes):
    options = {"classes": [2, 8], "image_sizes": [24, 48], "n_images": 100, "architecture": BASE, "recipe": RECIPE}
    return factors.settings(**({"factors": list(factors.FACTORS)} | options | changes))


# ---- the design


def test_classes_and_pixels_are_crossed_and_every_other_factor_is_changed_alone():
    base, *others = design()
    assert (base.name, base.n_classes, base.size) == ("base", 8, 24)
    assert {(one.n_classes, one.size) for one in design(factors=[])} == {(8, 24), (8, 48), (2, 24), (2, 48)}
    assert [one.name for one in (base, *others)] == list(depth.names.SETTINGS)
    for one in others[3:]:
        differing = [name for name in vars(base) if name != "name" and getattr(one, name) != getattr(base, name)]
        assert len(differing) == 1, one.name
    assert len({replace(one, name="") for one in (base, *others)}) == len(others) + 1  # the control: no two alike


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [8, 2]}, r"expected two numbers in classes, the lower one first, got \[8, 2\]"),
        ({"image_sizes": [24]}, r"expected two numbers in image_sizes, the lower one first, got \[24\]"),
        ({"factors": ["depper"]}, "expected factors to be among augmented, .*got 'depper'"),
    ],
)
def test_a_design_that_is_none_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        design(**changes)


# ---- the sweep


def test_every_setting_has_its_networks_and_says_what_it_is(table):
    states = table.groupby("label")["recipe"].unique().map(sorted).to_dict()
    both, trained = ["trained", "untrained"], ["trained"]
    assert states == {
        **dict.fromkeys(("base", "more pixels", "wider", "vit"), both),
        **dict.fromkeys(("fewer classes", "fewer classes, more pixels"), trained),
    }
    assert set(table["seed"]) == {3, 4}
    shown = depth.figures_factors.settings.summary(table).set_index("setting")
    assert shown["classes"].to_dict() == {name: 2 if name.startswith("fewer") else 6 for name in shown.index}
    assert shown["pixels"].to_dict() == {name: 24 if name.endswith("more pixels") else 16 for name in shown.index}
    assert set(shown["images"]) == {60}
    module = small_networks.SmallNetwork(Architecture(11, 4), 6, seed=0)
    assert shown.loc["wider", "parameters an image"] == pytest.approx(
        sum(weights.numel() for weights in module.parameters()) / 60
    )
    assert shown.loc["wider", "network"] == "VGGm-11, width 4" != shown.loc["base", "network"]


def test_networks_of_all_settings_are_asked_about_the_same_other_data(table):
    rows = table[(table["metric"] == "accuracy") & (table["method"] == "transfer")]
    assert set(rows["task"]) == {"digits[6-9]"}
    own = table[table["method"] == "in_distribution"]
    assert set(own.loc[own["label"] == "fewer classes", "task"]) == {"digits[0-1]"}
    assert rows[rows["label"] == "vit"]["layer"].unique().tolist() == [f"block{i:02d}" for i in range(1, 6)]


def test_what_is_retained_of_k_features_is_that_of_k_random_features(table, tasks):
    """The narrowest layer is used whole, so that its accuracy is the one of its curve; others lose some."""
    rows = table[table["metric"] == "percent_retained_of_k"]
    assert set(rows.loc[rows["label"] == "base", "n_selected"]) == {8}  # four quarters of two channels
    of_vit = rows[(rows["label"] == "vit") & (rows["recipe"] == "trained")].set_index("seed")["value"]
    curves = table[(table["metric"] == "accuracy") & (table["label"] == "vit") & (table["recipe"] == "trained")]
    curves = curves[curves["method"] == "transfer"].pivot(index="seed", columns="layer", values="value")
    # all layers of a ViT are equally wide: k is all of them
    np.testing.assert_allclose(of_vit, tunnel.percent_retained(curves.to_numpy(copy=True)), rtol=1e-9)


def test_too_few_images_and_no_other_data_are_refused(tasks):
    options = {"classes": [2, 6], "n_images": 10_000, "recipe": RECIPE, "progress": False}
    with pytest.raises(
        InputError, match=r"expected 10000 training images of 'digits\[0-5\]' for the setting 'base', got"
    ):
        depth.tunnel_factors(tasks, **options)
    with pytest.raises(InputError, match="expected at least one OOD task, got none"):
        depth.tunnel_factors(tasks, **(options | {"classes": [2, 10], "n_images": 60}))


# ---- contrasts and claims


def made(retained, rank=(50.0, 40.0)):
    """Return a table of networks with given percentages retained: {(setting, recipe): (seed 0, seed 1, ...)}."""
    shared = {"experiment": "tunnel_factors", "model": "m", "n_features": 64, "split": "test"}
    rows = []
    for (setting, recipe), values in retained.items():
        for seed, value in enumerate(values):
            one = shared | {"label": setting, "recipe": recipe, "seed": seed, "repeat": seed}
            other = one | {"method": "transfer", "task": "other", "layer": "conv02"}
            rows += [other | {"metric": name, "value": value} for name in ("percent_retained", "mean_percent_retained")]
            rows.append(other | {"metric": "percent_retained_of_k", "value": value - 1, "n_selected": 8})
            for layer, accuracy in (("conv01", 0.8), ("conv02", 0.8 * value / 100)):
                rows.append(other | {"layer": layer, "metric": "accuracy", "value": accuracy})
            for layer, directions in zip(("conv01", "conv02"), rank, strict=True):
                kept = directions if recipe == "untrained" or layer == "conv01" else directions / 4
                of_layer = {"layer": layer, "method": "full", "task": "own", "metric": "numerical_rank"}
                rows.append(one | of_layer | {"value": kept})
    return results.as_table(rows)


HEADLINE = {
    ("base", "trained"): (80.0, 81.0, 82.0),
    ("more pixels", "trained"): (90.0, 91.0, 92.5),
    ("fewer classes", "trained"): (70.0, 71.0, 71.5),
    ("fewer classes, more pixels", "trained"): (78.0, 79.0, 80.0),
}


def test_the_headline_is_judged_in_pairs_over_both_settings_of_the_other_factor():
    table = made(HEADLINE)
    claims = {claim.name: claim for claim in depth.claims_factors.all_claims(table)}
    assert next(iter(claims)) == "more classes and more pixels: retain more"
    assert claims["more classes and more pixels: retain more"].value == pytest.approx(91.1667 - 70.8333, abs=1e-3)
    by_hand = np.mean([(80 + 90) / 2 - (70 + 78) / 2, (81 + 91) / 2 - 75, (82 + 92.5) / 2 - 75.75])
    assert claims["more classes: retain more"].value == pytest.approx(by_hand)
    assert {claim.verdict for claim in claims.values()} == {"holds"}
    turned = made(dict(zip(HEADLINE, reversed(HEADLINE.values()), strict=True)))
    verdicts = {claim.name: claim.verdict for claim in depth.claims_factors.all_claims(turned)}
    assert set(verdicts.values()) == {"fails"}  # the control
    assert "Published: 29.6 % to 79.6 %" in claims["more classes: retain more"].evidence


@pytest.mark.parametrize(("deeper", "verdict"), [((60.0, 62.0, 63.0), "holds"), ((88.0, 89.0, 91.0), "fails")])
def test_depth_is_said_to_retain_less(deeper, verdict):
    table = made({("base", "trained"): (80.0, 81.0, 82.0), ("deeper", "trained"): deeper})
    (claim,) = depth.claims_factors.all_claims(table)
    assert (claim.name, claim.verdict) == ("more layers: retain less", verdict)


@pytest.mark.parametrize(("more", "verdict"), [((81.0, 82.5, 82.0), "holds"), ((95.0, 96.5, 97.0), "fails")])
def test_more_images_are_said_to_change_little(more, verdict):
    table = made({("base", "trained"): (80.0, 81.0, 82.0), ("more images", "trained"): more})
    (claim,) = depth.claims_factors.all_claims(table)
    assert (claim.name, claim.verdict) == ("more images a class: retain as much", verdict)


@pytest.mark.parametrize(("before", "verdict"), [((70.0, 71.5, 72.0), "fails"), ((88.0, 89.5, 91.0), "holds")])
def test_a_change_is_the_work_of_training_only_beyond_that_of_untrained_networks(before, verdict):
    trained = {("base", "trained"): (90.0, 91.0, 92.0), ("deeper", "trained"): (80.0, 81.5, 82.0)}
    untrained = {("base", "untrained"): (90.0, 91.0, 92.0), ("deeper", "untrained"): before}
    claims = {claim.name: claim for claim in depth.claims_factors.all_claims(made(trained | untrained))}
    assert claims["more layers: training"].verdict == verdict
    # twice the loss of one side, or none of the other
    assert "by -9.8 points in trained networks" in claims["more layers: training"].evidence


def test_why_untrained_networks_lose_is_said_with_its_numbers():
    table = made(HEADLINE | {("base", "trained"): (85.0, 86.0, 88.0), ("base", "untrained"): (70.0, 71.0, 71.5)})
    claims = {claim.name: claim for claim in depth.claims_factors.all_claims(table)}
    assert claims["training retains less"].verdict == "fails"
    assert claims["number is not why"].verdict == "holds"
    assert claims["number is not why"].value == pytest.approx(np.mean([69.0, 70.0, 70.5]))
    assert claims["training takes directions"].value == pytest.approx(80 - 20)
    lifted = claims["training lifts the end"]
    assert lifted.verdict == "holds"
    assert "against +0.0" in lifted.evidence
    same = made(HEADLINE | dict.fromkeys([("base", "trained"), ("base", "untrained")], (99.0, 99.5, 99.8)))
    controls = {claim.name: claim.verdict for claim in depth.claims_factors.all_claims(same)}
    assert controls["number is not why"] == "fails"
    assert controls["training lifts the end"] != "holds"


def test_what_is_not_there_is_refused():
    table = made({("base", "trained"): (80.0, 81.0)})
    with pytest.raises(InputError, match="expected networks of two settings, got none"):
        depth.claims_factors.all_claims(table)
    with pytest.raises(InputError, match=r"of deeper \(trained\), got no such row; the table holds base"):
        depth.contrasts.by_seed(table, "deeper")
    with pytest.raises(InputError, match="expected a change that the paper speaks of, got 'vit'"):
        depth.claims_factors.of_contrast(table, "vit")


def test_published_means_are_those_that_are_printed():
    numbers = published.tunnel_numbers()
    for name, contrast in depth.contrasts.CONTRASTS.items():
        for metric in depth.contrasts.PRINTED:
            before, after = depth.contrasts.published_means(contrast, metric)
            assert np.isnan(before) == np.isnan(after) == (name == "headline"), (name, metric)
    printed = numbers[
        (numbers["subject"] == "depth") & (numbers["metric"] == "retained") & (numbers["quantity"] == "mean")
    ]
    assert depth.contrasts.published_means(depth.contrasts.CONTRASTS["deeper"], "percent_retained") == tuple(
        printed["value"]
    )


# ---- figures


def test_the_figure_of_changes_has_a_row_a_contrast_and_the_published_change(table):
    summary = depth.figures_factors.change.summary(table)
    ax = depth.figures_factors.change.plot(summary)
    assert [text.get_text() for text in ax.get_yticklabels()][::-1] == [
        "more classes",
        "more pixels",
        "more classes and more pixels",
        "more channels",
        "a ViT in place of a VGG",
    ]
    (printed,) = (line for line in ax.lines if line.get_label() == "published means")
    assert printed.get_xdata().tolist() == pytest.approx([79.57 - 29.61, 78.37 - 68.63, 62.78 - 87.22, 81.66 - 75.38])
    assert "more channels" in depth.figures_factors.change.words(summary)
    drawing.png(ax.figure)


def test_the_crossed_settings_are_drawn_by_pixels(table):
    summary = depth.figures_factors.crossed.summary(table)
    ax = depth.figures_factors.crossed.plot(summary)
    labels = ax.get_legend_handles_labels()[1]
    assert set(labels) == {f"{size} pixels{words}" for size in SIZES for words in (" a side", ", untrained")}
    trained = summary[(summary["recipe"] == "trained") & (summary["pixels"] == 16)].set_index("classes")["mean"]
    rows = table[(table["metric"] == "mean_percent_retained") & (table["recipe"] == "trained")]
    expected = rows.groupby("label")["value"].mean()
    assert trained.to_dict() == pytest.approx({2: expected["fewer classes"], 6: expected["base"]})
    colours = {to_hex(line.get_color()) for line in ax.lines if line.get_linestyle() == ":"}
    assert len(colours) == 2
    drawing.png(ax.figure)


def test_every_setting_has_a_panel_by_layer(table):
    summary = depth.figures_factors.by_layer.summary(table)
    first = depth.figures_factors.by_layer.plot(summary)
    assert [ax.get_title(loc="left").replace("\n", " ") for ax in first.figure.axes] == [
        words for name, words in depth.names.SETTING_WORDS.items() if name in set(table["label"])
    ]
    assert summary["mean"].max() <= 100
    assert "base trained is highest in layer" in depth.figures_factors.by_layer.words(summary)
    drawing.png(first.figure)


def test_the_answer_says_the_base_and_every_change(table):
    answer = depth.answers.tunnel_factors(table)
    assert "more classes and more pixels" in answer.sentence
    base = table[(table["label"] == "base") & (table["recipe"] == "trained")]
    mean = base.loc[base["metric"] == "mean_percent_retained", "value"].mean()
    assert f"retains {mean:.1f} %" in answer.sentence
    beside = depth.figures_factors.published_beside.summary(table)
    assert set(beside["measure"]) <= {"retained", "correlation", "alignment"}
    assert pd.notna(beside["here"]).any()
