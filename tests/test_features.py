"""What the features are: the same by every engine, of every layer, and as a `Source` hands them out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_world import MODEL, extract, tiny_backbone, write_checkpoint, write_images

from diffred_core import backbones, datasets, features
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine, _extract

needs_openvino = pytest.mark.skipif(_engine.choose("auto", torch.device("cpu")) == "torch", reason="no OpenVINO here")


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return datasets.load(f"folder:{write_images(tmp_path / 'pets', n=35)}")


def by_hand(backbone: Backbone, dataset: Dataset, split: str) -> torch.Tensor:
    """Return the features image by image, by timm alone."""
    rows = []
    for i in dataset.splits[split].tolist():
        pixels = backbone.transform(dataset.image(i)).float() / 255
        image = (pixels - torch.tensor(backbone.mean)[:, None, None]) / torch.tensor(backbone.std)[:, None, None]
        with torch.inference_mode():
            rows.append(backbone.module.forward_head(backbone.module.forward_features(image[None]), pre_logits=True))
    return torch.cat(rows)


@pytest.mark.parametrize("engine", ["torch", pytest.param("openvino", marks=needs_openvino)])
@pytest.mark.parametrize("split", ["train", "test"])  # 42 and 14 images: neither is a number of whole requests
def test_features_are_those_of_timm_image_by_image(engine: str, split: str, pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    store = extract(backbone, pets, split=split, engine=engine, batch_size=16, root=tmp_path / engine)
    expected = by_hand(backbone, pets, split)
    assert (store.read() - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (store.read().roll(1, 0) - expected).abs().max() > 1e-2 * expected.abs().max()  # the order is held
    assert torch.equal(store.y, pets.y[pets.splits[split]])
    assert store.sample_ids == tuple(pets.sample_ids[i] for i in pets.splits[split].tolist())


@needs_openvino
def test_engines_agree_on_the_packaged_weights(pets: Dataset, tmp_path: Path) -> None:
    model = "tf_efficientnet_lite0.in1k"
    found = {}
    for engine in ("torch", "openvino"):
        backbone = backbones.load(model, image_size=64)
        found[engine] = extract(backbone, pets, split="test", engine=engine, root=tmp_path / engine).read()
    assert (found["torch"] - found["openvino"]).abs().max() < 1e-4 * found["torch"].abs().max()


@needs_openvino
@pytest.mark.parametrize("n_images", [8, 9])  # full requests, and one that is filled up
def test_pixels_that_lie_otherwise_in_memory_give_the_same_features(n_images: int, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    options = {"device": torch.device("cpu"), "engine": "openvino", "threads": 2}
    run = features.build_engine(backbone, ("penultimate",), **options)
    shape = (n_images, 3, backbone.input_size, backbone.input_size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (expected,) = run(pixels)
    (strided,) = run(pixels.contiguous(memory_format=torch.channels_last))
    assert torch.equal(strided, expected)
    assert not torch.equal(run(pixels.flip(0))[0], expected)  # the control


def test_layers_come_from_one_pass_and_equal_their_hooks(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    layers = ("blocks.0", "penultimate", "conv_stem")
    store = extract(backbone, pets, split="test", layers=layers, engine="torch")
    pixels = torch.stack([backbone.transform(pets.image(i)) for i in pets.splits["test"].tolist()])
    with torch.inference_mode():
        stem = backbone.module.conv_stem(backbone.normalised(pixels))
        block = backbone.module.blocks[0](backbone.module.bn1(stem))
    torch.testing.assert_close(store.read("conv_stem"), stem.mean((2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(store.read("blocks.0"), block.mean((2, 3)), atol=1e-5, rtol=1e-4)
    alone = extract(backbone, pets, split="test", engine="torch", root=tmp_path / "alone")
    assert torch.equal(alone.read(), store.read("penultimate"))
    assert not backbone.module.conv_stem._forward_hooks  # nothing is left behind
    with pytest.raises(InputError, match=r"expected one of the layers blocks.0, penultimate, conv_stem, got 'head'"):
        store.read("head")


def test_half_precision_store_is_near_and_another_key(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    full, half = (extract(backbone, pets, split="test", dtype=dtype) for dtype in ("float32", "float16"))
    assert half.read().dtype == torch.float16
    torch.testing.assert_close(half.read().float(), full.read(), atol=1e-3, rtol=1e-3)
    assert half.key != full.key


def test_key_changes_with_every_single_thing(pets: Dataset, tmp_path: Path) -> None:
    def key_of(backbone: Backbone, dataset: Dataset, **options: object) -> str:
        return extract(backbone, dataset, engine="torch", **options).key

    backbone = tiny_backbone(tmp_path / "w.safetensors")
    first = key_of(backbone, pets, split="test")
    fewer = {**pets.splits, "test": pets.splits["test"][:-1]}
    changed = [
        key_of(backbone, pets, split="validation"),
        key_of(backbone, pets, split="test", layers=("blocks.0",)),
        key_of(backbone, pets, split="test", dtype="float16"),
        key_of(backbone, replace(pets, image_digests=pets.image_digests[::-1]), split="test"),
        key_of(backbone, replace(pets, splits=fewer), split="test"),
        key_of(replace(backbone, weights_digest="other"), pets, split="test"),
        key_of(replace(backbone, name="other"), pets, split="test"),
        key_of(replace(backbone, model_args={"pad_type": "same"}), pets, split="test"),
        key_of(tiny_backbone(tmp_path / "w.safetensors", image_size=40), pets, split="test"),
    ]
    assert len({first, *changed}) == 1 + len(changed)
    same = key_of(backbone, replace(pets, name="renamed", source="moved"), split="test")
    assert same == first


def test_load_gives_every_split_and_reads_again_without_a_network(tmp_path: Path) -> None:
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    checkpoint = write_checkpoint(tmp_path / "w.safetensors")
    first = features.Source(MODEL, task, checkpoint=checkpoint).load()
    assert (first.n_features, first.n_classes, first.classes) == (256, 2, ("cat", "dog"))
    assert {name: tuple(X.shape) for name, (X, _) in first.splits.items()} == {
        "train": (12, 256),
        "validation": (4, 256),
        "test": (4, 256),
    }
    code = f"""
import sys
from diffred_core import features
found = features.Source({MODEL!r}, {task!r}, checkpoint={str(checkpoint)!r}).load()
print(found.keys == {first.keys!r}, {{"timm", "openvino", "torchvision", "pandas"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True set()"
    assert done.stderr == ""


def test_load_notices_another_checkpoint_at_the_same_path(tmp_path: Path) -> None:
    task = f"folder:{write_images(tmp_path / 'pets')}"
    first = features.Source(MODEL, task, checkpoint=write_checkpoint(tmp_path / "w.safetensors")).load()
    other = features.Source(MODEL, task, checkpoint=write_checkpoint(tmp_path / "w.safetensors", seed=1)).load()
    assert first.keys["test"] != other.keys["test"]
    assert not torch.equal(first.splits["test"][0], other.splits["test"][0])


def test_not_finite_features_name_the_first_sample(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    backbone.module.bn2.bias[3] = float("nan")
    first = pets.sample_ids[int(pets.splits["test"][0])]
    with pytest.raises(InputError, match=rf"expected finite features, got 14 rows .* of sample '{first}'"):
        extract(backbone, pets, split="test", engine="torch")


def test_constant_features_are_refused(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    backbone.module.conv_stem.weight.zero_()
    with pytest.raises(InputError, match="expected features that differ between images, got the same row for all 14"):
        extract(backbone, pets, split="test", engine="torch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "tests"}, "expected split to be one of train, validation, test, got 'tests'"),
        ({"dtype": "bfloat16"}, "expected dtype to be one of float32, float16, got 'bfloat16'"),
        ({"engine": "onnx"}, "expected engine to be one of auto, openvino, torch, got 'onnx'"),
        ({"batch_size": 48}, "expected batch_size to divide 512, got 48"),
        ({"threads": 0}, "expected threads of at least 1, got 0"),
        ({"layers": ("block.0",)}, r"unknown layer 'block.0' of 'test_efficientnet'; did you mean 'blocks.0"),
        ({"layers": ()}, "expected at least one layer, each once"),
    ],
)
def test_options_are_checked_by_name(options: dict, message: str, pets: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        extract(tiny_backbone(tmp_path / "w.safetensors"), pets, **({"split": "test"} | options))


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_on_the_terminal_that_the_environment_names(
    progress: bool, pets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_extract, "DELAY", 0.0)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    backbone, terminal = tiny_backbone(tmp_path / "w.safetensors"), tmp_path / "terminal"
    terminal.touch()
    features.Source(backbone, pets, root=tmp_path / "a", progress=progress).store("test")
    assert terminal.read_text() == ""  # the control
    monkeypatch.setenv("DIFFRED_TERMINAL", str(terminal))
    features.Source(backbone, pets, root=tmp_path / "b", progress=progress).store("test")
    assert "test" in terminal.read_text()


def test_threads_follow_argument_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (_engine.n_threads(3), _engine.n_threads(None)) == (3, 2)
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert _engine.n_threads(None) >= 1


def test_checkpoint_weights_decide_the_features(pets: Dataset, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "w.safetensors")
    first = extract(tiny_backbone(path), pets, split="test").read()
    state = load_file(path)
    state["conv_head.weight"] *= 2
    save_file(state, tmp_path / "v.safetensors")
    other = backbones.load(MODEL, checkpoint=tmp_path / "v.safetensors", image_size=32)
    assert not torch.allclose(extract(other, pets, split="test").read(), first)


def test_a_corruption_alone_is_one_of_the_own_task():
    source = features.Source("some_model", "digits", split_seed=3)
    noisy = source.of_task("+noise:3")
    assert (noisy.task, noisy.split_seed) == ("digits+noise:3", 3)
    assert source.of_task("mnist5k+noise:3").task == "mnist5k+noise:3"
    at_hand = replace(source, task=datasets.load("digits"))
    with pytest.raises(
        InputError, match=r"expected a task by name to corrupt by '\+noise:3', got the dataset 'digits'"
    ):
        at_hand.of_task("+noise:3")
