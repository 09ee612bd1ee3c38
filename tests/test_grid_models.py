"""Every network that a grid names is known to timm, with the width that is stated for it; nothing is downloaded."""

from __future__ import annotations

import pytest
import timm
import torch

from diffred_core import backbones
from diffred_core.results import published
from diffred_core.running import grid_names, read_grid

STATED = published.diffused_redundancy_models()
# of the embedded networks, which are no networks of a paper
WIDTHS = dict.fromkeys(backbones.embedded(), 1280) | dict(zip(STATED["model"], STATED["n_features"], strict=True))
TRAINED_HERE = {"vggm", "small_networks"}  # so the notebooks that train networks name them


def plain_names(grid):
    """Return the networks of a grid that have no file of weights."""
    analyses = read_grid(grid).analyses.values()
    models = [model for analysis in analyses for model in analysis.models.values()]
    return {model["model"] for model in models if "checkpoint" not in model} - TRAINED_HERE


def width_of(name):
    """Return the width of what stands before the classifier, computed from shapes alone."""
    with torch.device("meta"):
        module = timm.create_model(name, pretrained=False).eval()
        images = torch.zeros(1, *module.pretrained_cfg["input_size"])
    return module.forward_head(module.forward_features(images), pre_logits=True).shape[-1]


def test_every_grid_names_networks():
    assert "resnet50.a1_in1k" in plain_names("paper")
    assert {grid for grid in grid_names() if plain_names(grid)} >= {"paper", "embedded", "depth", "smoke"}


@pytest.mark.parametrize("name", sorted({name for grid in grid_names() for name in plain_names(grid)}))
def test_a_network_of_a_grid_resolves_with_its_stated_width(name):
    base, _, tag = name.partition(".")
    assert tag  # weights of no name are whatever timm takes for the best today
    assert name in timm.list_models(f"{base}.*", pretrained=True)
    assert width_of(name) == WIDTHS[name]


@pytest.mark.parametrize("name", sorted({name for name in STATED["model"] if "." not in name}))
def test_an_architecture_of_published_files_has_its_stated_width(name):
    assert {width_of(name)} == set(STATED.loc[STATED["model"] == name, "n_features"])


def test_wrong_names_and_widths_are_seen():
    with pytest.raises(RuntimeError, match="Invalid pretrained tag"):
        width_of("resnet50.a11_in1k")
    assert width_of("resnet18.tv_in1k") != WIDTHS["resnet50.a1_in1k"]


def test_the_paper_grid_holds_the_published_weights_and_the_contrast_of_upstream_data():
    named = plain_names("paper")
    assert named == {name for name in STATED["model"] if "." in name}
    contrast = {"vit_small_patch16_224.augreg_in1k", "vit_small_patch16_224.augreg_in21k"}
    assert contrast <= named
    configurations = {name: timm.get_pretrained_cfg(name) for name in named}
    assert configurations["resnet50.a1_in1k"].url.endswith("resnet50_a1_0-14fe96d1.pth")
    for size in (16, 32):
        url = configurations[f"vit_small_patch{size}_224.augreg_in21k"].url
        assert f"S_{size}-i21k-300ep-lr_0.001-aug_light1-wd_0.03-do_0.0-sd_0.0.npz" in url


def test_networks_that_come_as_files_have_names_of_their_own_beside_those_of_timm():
    """A standard and a robust ResNet50 stand in grids side by side, each with its recipe and place."""
    analysis = read_grid("paper_files").analyses["subset_probes"]
    assert len(analysis.models) == 11
    assert not set(analysis.models) & set(plain_names("paper"))
    for name, model in analysis.models.items():
        assert model["model_name"] == name
        assert model["checkpoint"].startswith("weights/")
        with torch.device("meta"):
            timm.create_model(model["model"], pretrained=False, **model.get("model_args", {}))
    listed = read_grid("paper").analyses["subset_probes"]
    assert analysis.tasks == listed.tasks
    assert analysis.parameters == listed.parameters
