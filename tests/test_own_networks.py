"""Networks that timm does not know: of torchvision, of a function of your own, and what is chosen for any of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from tiny_world import MODEL, write_checkpoint, write_images
from torch import Tensor
from typer.testing import CliRunner

from diffred_core import backbones, features, files
from diffred_core.cli.commands import app
from diffred_core.errors import InputError

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": 24}
SOURCE = """
from torch import nn

SIZE = 3

class Small(nn.Module):
    def __init__(self, width, ending):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.act = nn.ReLU()
        self.hidden = nn.Linear(width, 6)
        self.fc = nn.Linear(6, 4)
        self.ending = ending

    def forward(self, images):
        logits = self.fc(self.hidden(self.act(self.conv(images)).mean((2, 3))))
        return logits.softmax(1) if self.ending == "softmax" else logits

def make(width=5, *, ending="logits"):
    return Small(width, ending)

def trunk(width=5):
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def number():
    return 3

def broken():
    raise KeyError("no such layer")
"""


def images(size: int = 24) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a file with functions that make networks, beside weights for the first."""
    path = tmp_path / "nets" / "small.py"
    files.write_text(path, SOURCE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = backbones._factory.build(f"{path}:make", options={})
    save_file(module.state_dict(), path.with_suffix(".safetensors"))
    return path


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_a_network_of_torchvision_ends_with_its_own_classifier(name: str, tmp_path: Path) -> None:
    module = torchvision.models.get_model(name, weights=None).eval()
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    backbone = backbones.load(f"torchvision:{name}", checkpoint=tmp_path / "w.safetensors", image_size=64)
    with torch.inference_mode():
        rows = backbone.features(images(64))
        torch.testing.assert_close(backbone.head_logits(rows), module(images(64)))
        assert not torch.allclose(backbone.head_logits(rows.flip(1)), module(images(64)))
    assert rows.shape == (2, backbone.n_features)
    trunk = {
        key: tensor for key, tensor in module.state_dict().items() if not key.startswith(f"{backbone.classifier}.")
    }
    save_file(trunk, tmp_path / "trunk.safetensors")
    bare = backbones.load(f"torchvision:{name}", checkpoint=tmp_path / "trunk.safetensors", image_size=64)
    assert torch.equal(bare.features(images(64)), rows)
    with pytest.raises(InputError, match="with a classification head"):
        bare.head_logits(rows)


def test_maps_before_a_convolutional_head_are_averaged(tmp_path: Path) -> None:
    module = torchvision.models.squeezenet1_1(num_classes=7).eval()
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    backbone = backbones.load("torchvision:squeezenet1_1", checkpoint=tmp_path / "w.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(backbone.features(images(64)), module.features(images(64)).mean((2, 3)))
        torch.testing.assert_close(backbone.module(images(64)), module(images(64)))  # 7 classes, as in the file
    assert backbone.n_features == 512
    with pytest.raises(
        InputError, match=r"expected a head that takes pooled features, but that of 'torchvision:sq.*map"
    ):
        backbone.head_logits(torch.zeros(1, 512))


@pytest.mark.parametrize(("name", "tag"), [("resnet50", "IMAGENET1K_V2"), ("resnet50", "IMAGENET1K_V1")])
def test_transforms_of_torchvision_are_its_own_to_the_last_bit(name: str, tag: str) -> None:
    config = backbones._torchvision._config(torchvision.models.get_model_weights(name)[tag].transforms())
    crop = backbones._transform.of_timm(config)
    picture = Image.fromarray(load_sample_image("flower.jpg"))
    theirs = torchvision.models.get_model_weights(name)[tag].transforms()(picture)
    normalised = backbones.normalised(crop(picture)[None], mean=config["mean"], std=config["std"])[0]
    torch.testing.assert_close(normalised, theirs, atol=1e-5, rtol=1e-5)
    other = {"IMAGENET1K_V1": "IMAGENET1K_V2", "IMAGENET1K_V2": "IMAGENET1K_V1"}[tag]
    assert not torch.allclose(torchvision.models.get_model_weights(name)[other].transforms()(picture), theirs, atol=0.1)


def test_a_function_of_your_own_makes_a_network(own: Path) -> None:
    model, weights = f"{own}:make", own.with_suffix(".safetensors")
    backbone = backbones.load(model, checkpoint=weights, preprocessing=HALF)
    with torch.inference_mode():
        rows = backbone.features(images())
        torch.testing.assert_close(backbone.head_logits(rows), backbone.module(images()))
        torch.testing.assert_close(rows, backbone.module.hidden(backbone.module.conv(images()).relu().mean((2, 3))))
        hidden = backbones.load(model, checkpoint=weights, preprocessing=HALF, classifier="hidden")
        torch.testing.assert_close(hidden.features(images()), hidden.module.conv(images()).relu().mean((2, 3)))
        output = backbones.load(model, checkpoint=weights, preprocessing=HALF, classifier="")
        torch.testing.assert_close(output.features(images()), backbone.module(images()))
    assert (backbone.name, backbone.mean, backbone.input_size) == ("small.py:make", (0.5, 0.5, 0.5), 24)
    assert backbones.load(f"{own}:make", model_args={"width": 9}, preprocessing=HALF).module.conv.out_channels == 9
    assert backbones.load(f"{own}:trunk", preprocessing=HALF).n_features == 5  # no head: its output
    assert len({str(one.identity) for one in (backbone, hidden, output)}) == 3


def test_a_module_by_its_package_is_a_network_too() -> None:
    arguments = {"variant": "mobilenetv1_100", "channel_multiplier": 0.25, "pad_type": "same"}
    narrow = backbones.load(
        "timm.models.efficientnet:_gen_mobilenet_v1", model_args=arguments, preprocessing=HALF | {"input_size": 64}
    )
    assert narrow.n_features == 256
    assert narrow.head_logits(narrow.features(images(64))).shape == (2, 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "none.py:make"}, "expected a file of Python at '.*none.py', but there is none"),
        ({"model": "no_such_package.nets:make"}, "failed on import .ModuleNotFoundError: No module named 'no_such"),
        ({"function": "made"}, "expected a function 'made' in '.*small.py', but there is none; did you mean 'make'"),
        ({"function": "SIZE"}, "expected a function 'SIZE' in '.*small.py', but it is int"),
        ({"function": "number"}, "expected a torch.nn.Module from '.*:number', got int"),
        ({"function": "broken"}, r"'.*:broken', but it failed with model_args \{\} \(KeyError: 'no such layer'\)"),
        ({"model_args": {"depth": 20}}, r"expected model_args that '.*:make' takes, got .*unexpected .*'depth'"),
        ({"model_args": {"ending": "softmax"}}, "to end with its last linear layer 'fc', but its output is another"),
        ({"classifier": "fd"}, "unknown classifier 'fd' of '.*:make'; did you mean 'fc'"),
        ({"preprocessing": None}, "expected mean, std, input_size in the preprocessing of .*, but it lacks mean, std"),
        ({"preprocessing": {"mean": [0.5] * 3, "input_size": 24}}, "only you know, but it lacks std; give all"),
        ({"preprocessing": HALF | {"mean": [0.5]}}, r"expected mean of preprocessing to be 3 numbers .*, got \[0.5\]"),
        ({"preprocessing": HALF | {"std": [0.5, 0, 1]}}, "expected std of preprocessing to be 3 numbers above 0"),
        ({"preprocessing": HALF | {"input_size": 24.5}}, "expected input_size of preprocessing to be pixels a side"),
        ({"preprocessing": HALF | {"interpolation": "cubic"}}, "expected interpolation of preprocessing to be one of"),
        ({"preprocessing": HALF | {"crop_pct": 1.5}}, "expected crop_pct of preprocessing to be a share above 0"),
        ({"preprocessing": HALF | {"means": [0.5] * 3}}, "unknown preprocessing 'means'; did you mean 'mean'"),
        ({"preprocessing": "mean=0.5"}, "expected preprocessing as a dict of mean, std, .*, got 'mean=0.5'"),
        ({"model_args": ["width"]}, "expected model_args as a dict of names and plain values"),
        ({"model_args": {"width": torch.zeros(1)}}, "expected model_args as a dict of names and plain values"),
        ({"model": "torchvision:resnet81"}, "unknown model 'resnet81' of torchvision; did you mean 'resnet18'"),
        ({"model": "torchvision:resnet18.V3"}, r"unknown weights 'V3' of torchvision's 'resnet18' \(known: IMAGE"),
        (
            {"model": "torchvision:resnet18", "model_args": {"depth": 3}, "checkpoint": "w.pth"},
            "expected model_args that torchvision's 'resnet18' takes, got .*depth",
        ),
        (
            {"model": MODEL, "model_args": {"act_layer": "nonesuch"}, "checkpoint": "w.pth"},
            "expected model_args that timm's 'test_efficientnet' can be created with, got .*nonesuch",
        ),
        ({"model": MODEL, "classifier": "fc", "checkpoint": "w.pth"}, "which says itself where its features are"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_network_of_your_own_is_one_sentence(change: dict, message: str, own: Path) -> None:
    chosen = {"model": f"{own}:{change.pop('function', 'make')}", "preprocessing": HALF} | change
    with pytest.raises(InputError, match=message) as error:
        backbones.load(**chosen)
    assert "\n" not in str(error.value)


def test_features_of_a_function_are_kept_until_anything_about_it_changes(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    chosen = {"checkpoint": own.with_suffix(".safetensors"), "preprocessing": HALF, "progress": False}

    def keys(**options: object) -> str:
        return features.Source(f"{own}:make", task, **chosen | options).load().keys["test"]

    first = keys()
    source = features.Source(f"{own}:make", task, **chosen)
    assert source._dataset.input_size == 24
    (manifest,) = [path for path in (tmp_path / "runs").rglob("test/*/manifest.json")]
    made_by = json.loads(manifest.read_text())["made_by"]
    assert made_by["checkpoint_sha256"] == files.sha256(own.with_suffix(".safetensors"))
    assert keys() == first
    wider = HALF | {"std": [0.5] * 3}
    others = [keys(preprocessing=wider), keys(classifier="hidden"), keys(preprocessing=HALF | {"input_size": 20})]
    others.append(keys(model_args={"ending": "logits"}))
    files.write_text(own, SOURCE.replace("ReLU", "Tanh"))  # the same weights, another function
    assert len({first, *others, keys()}) == 6
    files.write_text(own, SOURCE)
    assert keys() == first
    with pytest.raises(InputError, match="got image_size 32 and input_size 24 of preprocessing; leave one out"):
        keys(image_size=32)


def test_what_is_chosen_for_a_model_of_timm_is_part_of_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    weights = write_checkpoint(tmp_path / "w.safetensors")
    size = {"input_size": 32}
    options = [{}, {"model_args": {"pad_type": "same"}}, {"preprocessing": size | {"mean": [0.1, 0.2, 0.3]}}]
    loaded = [
        features.Source(MODEL, task, checkpoint=weights, progress=False, **{"preprocessing": size} | one).load()
        for one in options
    ]
    assert len({layer.keys["test"] for layer in loaded}) == len({layer.model for layer in loaded}) == 3
    assert not torch.allclose(loaded[0].splits["test"][0], loaded[2].splits["test"][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--checkpoint": "dino_x.pth"}, "there is none at 'dino_x.pth'; github.com/facebookresearch/dino links"),
        ({"--checkpoint": "part.safetensors"}, "expected a whole .safetensors or weights-only .pth checkpoint"),
        ({"--checkpoint": "w.safetensors"}, "expected the tensors of model '.*small.py:make' in .*w.safetensors', got"),
        ({"--model-args": "{'depth': 20}"}, "expected model_args that '.*small.py:make' takes"),
        ({"--model-args": "depth=20"}, r"parameter model_args must be dict \| None, got 'depth=20'"),
        ({"--preprocessing": "{'mean': [0.5]}"}, "expected mean of preprocessing to be 3 numbers"),
        ({"--classifier": "fd"}, "unknown classifier 'fd' of '.*small.py:make'; did you mean 'fc'"),
        ({"--model": "small.py:make"}, "expected a file of Python at '.*small.py', but there is none"),
        ({}, None),
    ],
)
def test_the_command_line_takes_networks_of_your_own_and_exits_with_2_where_they_are_wrong(
    options: dict, message: str | None, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    whole = write_checkpoint(tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "part.safetensors").write_bytes(whole[: len(whole) // 2])
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    own_weights = str(own.with_suffix(".safetensors"))
    chosen = {"--model": f"{own}:make", "--task": task, "--checkpoint": own_weights, "--preprocessing": repr(HALF)}
    words = [word for option in (chosen | options).items() for word in option]
    result = CliRunner().invoke(app, ["extract", *words, "--stamp", "stamps/s.json"])
    if message is None:
        assert result.exit_code == 0, result.output
        assert "3 feature stores are whole" in result.stdout
        assert "manifest.json" in (tmp_path / "runs" / "stamps" / "s.json").read_text()
        return
    assert result.exit_code == 2
    assert re.search(f"^diffred: .*{message}", result.stderr)
    assert result.stderr.count("\n") == 1


REAL = Path(os.environ.get("DIFFRED_TEST_WEIGHTS", "weights"))
CASES = {
    "mobilenetv1_025.imagenet1k": ("mobilenetv1_widths.py:mobilenetv1_025", 224, {}, 256),
    "squeezenet1_1.imagenet1k": ("torchvision:squeezenet1_1", 224, {}, 512),
    "cifar_resnet20.cifar10": ("cifar_resnet.py:cifar_resnet", 32, {"depth": 20}, 64),
    "cifar_resnet32.cifar10": ("cifar_resnet.py:cifar_resnet", 32, {"depth": 32}, 64),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.skipif(not REAL.is_dir(), reason="real weights are no part of the project")
def test_real_networks_of_others_have_their_features(name: str) -> None:
    model, size, arguments, n_features = CASES[name]
    model = model if model.startswith("torchvision:") else str(REAL / model)
    chosen = {"preprocessing": HALF | {"input_size": size}, "model_args": arguments}
    backbone = backbones.load(model, checkpoint=REAL / f"{name}.safetensors", **chosen)
    with torch.inference_mode():
        rows = backbone.features(images(size))
        if "cifar" in name:
            torch.testing.assert_close(rows, backbone.module.forward_features(images(size)))
        if "squeeze" not in name:
            torch.testing.assert_close(backbone.head_logits(rows), backbone.module(images(size)))
    assert rows.shape == (2, n_features)
