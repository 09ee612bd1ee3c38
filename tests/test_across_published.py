"""Published curves beside measured ones: which tasks are the same, what is kept, what figure and table say."""

from __future__ import annotations

import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core import intervals, results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import across_published, names
from diffred_core.drawing import show
from diffred_core.results import published

QUICK = {"n_seeds": 3, "fractions": (0.1, 0.2, 0.5), "methods": ("random",), "gap_fractions": ()}


@pytest.fixture(scope="module")
def probes() -> pd.DataFrame:
    return random_subsets.probes(make_task(), **QUICK).assign(task="torchvision:CIFAR10", model="own")


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("torchvision:CIFAR10", "cifar10"),
        ("folder:cifar10", "cifar10"),
        ("cifar-10", "cifar10"),
        ("torchvision:OxfordIIITPet", "pets"),
        ("torchvision:Flowers102", "flowers102"),
        ("elpv", "elpv"),
    ],
)
def test_tasks_meet_by_the_names_of_the_paper(task, name):
    assert across_published.published_name(task) == name


def test_every_published_task_but_one_torchvision_cannot_load_has_such_a_name():
    tasks = set(published.diffused_redundancy_numbers().query("quantity == 'accuracy'")["task"])
    assert {across_published.published_name(task) for task in tasks} == {"cifar10", "cifar100", "flowers102", "pets"}


def test_published_points_are_shares_of_the_whole_layer_with_the_interval_of_their_masks(probes):
    shares = across_published.retained(probes)
    point = shares[(shares["network"] == "ResNet50, standard") & (shares["fraction"] == 0.2)].iloc[0]
    numbers = published.diffused_redundancy_numbers()
    cell = numbers[
        (numbers["model"] == "ResNet50") & (numbers["weights"] == "standard") & (numbers["task"] == "CIFAR10")
    ]
    cell = cell[cell["quantity"] == "accuracy"].set_index("fraction")
    assert point["mean"] == pytest.approx(cell.loc[0.2, "value"] / cell.loc[1.0, "value"])
    # of 5 masks the population's deviation: over root 4 it is the error of the mean
    _, low, _ = intervals.t_interval(cell.loc[0.2, "value"], cell.loc[0.2, "sd"] / 2, degrees=4, level=0.95)
    assert point["low"] == pytest.approx(float(low) / cell.loc[1.0, "value"])


def test_measured_points_are_shares_of_the_same_probe_on_the_whole_layer(probes):
    shares = across_published.retained(probes)
    own = shares[shares["origin"] == names.MEASURED].set_index("fraction")
    rows = results.where(probes, probe="logistic", metric="accuracy")
    full = results.where(rows, method="full")["value"].mean()
    for fraction, of_size in results.where(rows, method="random").groupby("fraction"):
        assert own.loc[fraction, "mean"] == pytest.approx(of_size["value"].mean() / full)
    assert set(shares["task"]) == {"cifar10"}  # tasks that only the paper has are left out


def test_a_task_that_the_paper_lacks_has_a_sentence_instead_of_a_figure(probes):
    shown = show(across_published.relative, probes.assign(task="elpv")).data
    assert shown == "<p>The paper has no curve of this task.</p>"
    assert across_published.rows_beside(probes.assign(task="elpv")).empty


def test_figure_and_table_say_the_numbers_of_both(probes):
    shown = show(across_published.relative, probes, more={"numbers": across_published.numbers}).data
    row = across_published.rows_beside(probes).set_index("network").loc["own"]
    assert f"own (measured here) {row['kept at 20 %']:.1f} % at 20 %" in shown
    assert "ResNet50, standard (published) 93.4 % at 20 %" in shown
    assert row["dimensions"] == 40
    other = across_published.rows_beside(probes).set_index("network").loc["ViT-S/16, ImageNet-21k"]
    assert (other["origin"], other["dimensions"]) == ("published", 384)


def test_a_table_without_the_headline_probe_has_nothing_to_compare(probes):
    assert across_published.retained(probes[probes["probe"] == "ridge"]).empty
