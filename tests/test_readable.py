"""Names that people read: every task and network that the project brings has one, and no two share theirs."""

from __future__ import annotations

import pytest

from diffred_core import datasets, running
from diffred_core.drawing import looks
from diffred_core.results import readable as words
from diffred_core.results.readable import cell_name, readable


@pytest.mark.parametrize("grid", ["embedded", "full", "kept"])
def test_every_network_and_task_of_the_book_has_a_name_that_people_read(grid):
    cells = [entry for entry in running.read_grid(grid).entries() if entry.task != "summary"]
    named = {name for entry in cells for name in (entry.model, entry.task)} - {"published"}
    assert named
    assert {name for name in named if readable(name) == name} == set()


def test_embedded_tasks_have_one_too_and_unknown_names_stay():
    embedded = [task for task in datasets.names(every=True) if not task.startswith("torchvision:")]
    assert all(readable(task) != task for task in embedded)
    assert readable("my_model.v2") == "my_model.v2"


def test_no_two_names_are_read_alike():
    every = [*words.TASKS.values(), *words.NETWORKS.values()]
    assert len(set(every)) == len(every)


def test_corruptions_and_cells_are_said_in_words():
    assert readable("mnist5k+noise:3") == "MNIST-5k + noise 3"
    assert readable("cifar10[0-7]+noise:1") == "CIFAR-10, classes 0 to 7 + noise 1"
    assert readable("folder:data/gtsrb") == "traffic signs"
    assert readable("folder:data/mine") == "folder:data/mine"
    assert cell_name("squeezenet1_1", "elpv") == "SqueezeNet 1.1 on solar cells"


def test_small_networks_are_said_by_family_depth_and_width():
    names = ("vggm17-w8", "resnet10-w16", "vit4-w2", "vggm11-w4-late")
    expected = ["VGGm-17, width 8", "ResNet-10, width 16", "ViT-4, width 2", "VGGm-11, width 4 pooled late"]
    assert [readable(name) for name in names] == expected
    assert readable("vggm11") == "vggm11"


def test_a_figure_says_a_network_by_it():
    assert looks({}, ["squeezenet1_1", "own_network"])["squeezenet1_1"].words == "SqueezeNet 1.1"
