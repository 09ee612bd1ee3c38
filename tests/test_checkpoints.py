"""Checkpoints by file: trunks, heads of other classes, and the nesting and names of published archives."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from tiny_world import MODEL, write_checkpoint
from torch import Tensor, nn

from diffred_core import backbones
from diffred_core.backbones import Backbone
from diffred_core.errors import InputError

RESNET = "test_resnet"
State = dict[str, Tensor]


def images(n: int = 2, size: int = 64) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def trunk_of(state: State, head: str) -> State:
    return {name: tensor for name, tensor in state.items() if not name.startswith(head)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_checkpoint(tmp_path_factory.mktemp("plain") / "w.safetensors", model=RESNET)
    state = load_file(path)
    for name, tensor in state.items():
        if tensor.ndim == 1 and name.endswith("weight"):
            tensor.fill_(0.7)  # timm begins with residual branches that are zero
    save_file(state, path)
    return path


@pytest.mark.parametrize(("model", "head"), [(MODEL, "classifier"), (RESNET, "fc"), ("test_vit", "head")])
def test_a_trunk_without_its_classifier_has_the_features_and_no_head(model: str, head: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "w.safetensors", model=model)
    whole, state = backbones.load(model, checkpoint=path), load_file(path)
    bare = trunk_of(state, f"{head}.")
    assert len(bare) == len(state) - 2
    save_file(bare, tmp_path / "trunk.safetensors")
    trunk = backbones.load(model, checkpoint=tmp_path / "trunk.safetensors")
    pixels = images(size=160)
    assert torch.equal(trunk.features(pixels), whole.features(pixels))
    assert trunk.n_features == whole.n_features
    with pytest.raises(InputError, match="expected a model with a classification head"):
        trunk.head_logits(trunk.features(pixels))
    missing = next(iter(bare))
    save_file({name: tensor for name, tensor in bare.items() if name != missing}, tmp_path / "less.safetensors")
    with pytest.raises(InputError, match=rf"got 1 missing \({missing}\)"):
        backbones.load(model, checkpoint=tmp_path / "less.safetensors")


def test_a_head_of_other_classes_comes_along(plain: Path, tmp_path: Path) -> None:
    state = load_file(plain)
    width = state["fc.weight"].shape[1]
    state |= {"fc.weight": torch.randn(7, width), "fc.bias": torch.randn(7)}
    save_file(state, tmp_path / "seven.safetensors")
    seven = backbones.load(RESNET, checkpoint=tmp_path / "seven.safetensors")
    features = seven.features(images())
    assert torch.equal(seven.head_logits(features), features @ state["fc.weight"].T + state["fc.bias"])
    assert torch.equal(features, backbones.load(RESNET, checkpoint=plain).features(images()))
    for n_classes in (0, 7):  # said or not, it is the same network
        explicit = backbones.load(
            RESNET, checkpoint=tmp_path / "seven.safetensors", model_args={"num_classes": n_classes}
        )
        assert torch.equal(explicit.features(images()), features)
    save_file(state | {"fc.bias": torch.randn(6)}, tmp_path / "torn.safetensors")
    torn = backbones.load(RESNET, checkpoint=tmp_path / "torn.safetensors")
    with pytest.raises(InputError, match="with a classification head"):
        torn.head_logits(features)


def robust(state: State) -> object:
    """Return the archive of the `robustness` library (microsoft/robust-models-transfer)."""
    copies = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    normaliser = {"new_mean": torch.zeros(3, 1, 1), "new_std": torch.ones(3, 1, 1)}
    model = under("module.normalizer.", normaliser) | under("module.model.", state)
    model |= under("module.attacker.normalize.", normaliser) | under("module.attacker.model.", copies)
    return {"model": model, "optimizer": {"state": {}, "param_groups": []}, "schedule": None, "epoch": 90}


def matryoshka(state: State) -> object:
    """Return what RAIVNLab/MRL saves: a classifier of every width, under the name of data-parallel training."""
    heads = {f"fc.nesting_classifier_{i}.{part}": torch.zeros(10, *([2 ** (i + 3)] if part == "weight" else []))
             for i in range(3) for part in ("weight", "bias")}  # fmt: skip
    return under("module.", trunk_of(state, "fc.") | heads)


def fixed_features(state: State) -> object:
    """Return what RAIVNLab/MRL saves for a head on the first 8 features."""
    return under("module.", state | {"fc.weight": state["fc.weight"][:, :8].clone()})


def swav(state: State) -> object:
    heads = {"projection_head.0.weight": torch.zeros(4, 4), "prototypes.weight": torch.zeros(4, 4)}
    return under("module.", trunk_of(state, "fc.") | heads)


def moco(state: State) -> object:
    """Return MoCo v2's archive: the encoder with a head of two layers, a momentum encoder, a queue."""
    encoder = trunk_of(state, "fc.") | {"fc.0.weight": torch.zeros(4, 4), "fc.2.weight": torch.zeros(4, 4)}
    momentum = {name: torch.zeros_like(tensor) for name, tensor in encoder.items()}
    model = under("module.encoder_q.", encoder) | under("module.encoder_k.", momentum)
    queue = {"module.queue": torch.zeros(4, 4), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    return {"epoch": 200, "arch": "resnet50", "state_dict": model | queue, "optimizer": {"state": {}}}


def moco_v3(state: State) -> object:
    encoder = trunk_of(state, "fc.") | {"fc.0.weight": torch.zeros(4, 4), "fc.1.running_mean": torch.zeros(4)}
    momentum = {name: torch.zeros_like(tensor) for name, tensor in encoder.items()}
    model = under("module.base_encoder.", encoder) | under("module.momentum_encoder.", momentum)
    return {"state_dict": model | {"module.predictor.0.weight": torch.zeros(4, 4)}}


def dino(state: State) -> object:
    """Return DINO's full checkpoint: student, teacher, and the options of its training."""
    head = {"head.mlp.0.weight": torch.zeros(4, 4), "head.last_layer.weight_v": torch.zeros(4, 4)}
    teacher = under("backbone.", trunk_of(state, "fc.")) | head
    student = under("module.", {name: torch.zeros_like(tensor) for name, tensor in teacher.items()})
    return {"student": student, "teacher": teacher, "args": argparse.Namespace(arch="resnet50"), "epoch": 100}


def barlow_twins(state: State) -> object:
    model = under("module.backbone.", trunk_of(state, "fc.")) | {"module.projector.0.weight": torch.zeros(4, 4)}
    return {"model": model, "epoch": 1000}


ARCHIVES = [robust, matryoshka, fixed_features, swav, moco, moco_v3, dino, barlow_twins]


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda one: one.__name__)
def test_archives_of_the_official_formats_are_the_networks_in_them(
    archive: Callable[[State], object], plain: Path, tmp_path: Path
) -> None:
    state = load_file(plain)
    torch.save(archive(state), tmp_path / "published.ckpt")
    published = backbones.load(RESNET, checkpoint=tmp_path / "published.ckpt")
    expected = backbones.load(RESNET, checkpoint=plain).features(images())
    assert torch.equal(published.features(images()), expected)
    changed = {name: -tensor if name == "layer2.0.conv1.weight" else tensor for name, tensor in state.items()}
    torch.save(archive(changed), tmp_path / "changed.ckpt")  # negative control
    other = backbones.load(RESNET, checkpoint=tmp_path / "changed.ckpt")
    assert not torch.allclose(other.features(images()), expected)


def test_a_matryoshka_network_blurs_before_it_strides(plain: Path, tmp_path: Path) -> None:
    state = load_file(plain)
    reference = timm.create_model(RESNET, pretrained=False, num_classes=0).eval()
    reference.load_state_dict(trunk_of(state, "fc."))
    row = torch.tensor([1.0, 2.0, 1.0]) / 4
    blurred = dict(state)
    for name, conv in list(reference.named_modules()):
        if isinstance(conv, nn.Conv2d) and max(conv.stride) > 1 and conv.in_channels >= 16:
            blur = nn.Conv2d(conv.in_channels, conv.in_channels, 3, padding=1, groups=conv.in_channels, bias=False)
            blur.weight.data.copy_(row[:, None] * row)
            reference.set_submodule(name, nn.Sequential(blur, conv))
            blurred[f"{name}.conv.weight"] = blurred.pop(f"{name}.weight")
            blurred[f"{name}.blur_filter"] = torch.outer(row, row).repeat(conv.in_channels, 1, 1, 1)
    assert len(blurred) > len(state)
    torch.save(matryoshka(blurred), tmp_path / "r50_mrl1_e0_ff2048.pt")
    network = backbones.load(RESNET, checkpoint=tmp_path / "r50_mrl1_e0_ff2048.pt")
    with torch.inference_mode():
        torch.testing.assert_close(network.features(images()), reference(images()))
    without = backbones.load(RESNET, checkpoint=plain)
    assert not torch.allclose(network.features(images()), without.features(images()), atol=1e-3)


def test_a_file_that_is_missing_is_said_with_where_to_get_it() -> None:
    for name, repository in (
        ("resnet50_l2_eps3.ckpt", "microsoft/robust-models-transfer"),
        ("r50_mrl1_e0_ff2048.pt", "RAIVNLab/MRL"),
        ("dino_resnet50_pretrain.pth", "facebookresearch/dino"),
    ):
        with pytest.raises(InputError, match=rf"none at 'weights/{name}'; github.com/{repository} links to a file"):
            backbones.load(RESNET, checkpoint=f"weights/{name}")
    with pytest.raises(InputError, match=r"none at 'weights/mine.pth'; check the path"):
        backbones.load(RESNET, checkpoint="weights/mine.pth")


def test_objects_beside_the_tensors_are_refused_with_the_way_out(plain: Path, tmp_path: Path) -> None:
    torch.save({"model": load_file(plain), "schedule": Path("x")}, tmp_path / "objects.ckpt")
    with pytest.raises(
        InputError, match=r"expected tensors alone in .*objects.ckpt', got objects of 'pathlib.*save its"
    ):
        backbones.load(RESNET, checkpoint=tmp_path / "objects.ckpt")


WEIGHTS = Path(os.environ.get("DIFFRED_TEST_WEIGHTS", "weights"))  # of real networks, where there are some
BIRD = WEIGHTS / "mobilenetv2_100.inat_bird.safetensors"
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": 224}


def bird(path: Path, **model_args: object) -> Backbone:
    return backbones.load(
        "mobilenetv2_100", checkpoint=path, model_args={"pad_type": "same"} | model_args, preprocessing=HALF
    )


@pytest.mark.skipif(not BIRD.is_file(), reason="real weights are no part of the project")
def test_a_real_network_of_other_classes_and_its_trunk(tmp_path: Path) -> None:
    save_file(trunk_of(load_file(BIRD), "classifier."), tmp_path / "trunk.safetensors")
    whole, trunk, bare = bird(BIRD, num_classes=965), bird(tmp_path / "trunk.safetensors"), bird(BIRD, num_classes=0)
    features = whole.features(images(size=224))
    for other in (trunk, bare, bird(BIRD)):
        assert torch.equal(other.features(images(size=224)), features)
    assert (whole.n_features, whole.head_logits(features).shape) == (1280, (2, 965))
    assert whole.mean == whole.std == (0.5, 0.5, 0.5)
    plain = backbones.load("mobilenetv2_100", checkpoint=BIRD)  # without TensorFlow's padding
    assert not torch.allclose(plain.features(images(size=224)), features, atol=1e-2)
