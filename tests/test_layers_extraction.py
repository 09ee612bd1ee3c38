"""Every layer in one pass: which layers, in which order, pooled how, and equal to what a plain forward gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from tiny_world import MODEL, extract, tiny_backbone, write_checkpoint, write_images
from torch import Tensor, nn

from diffred_core import backbones, datasets, features, files, moments
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine, _layers, _request

needs_openvino = pytest.mark.skipif(_engine.choose("auto", torch.device("cpu")) == "torch", reason="no OpenVINO here")
ENGINES = ["torch", pytest.param("openvino", marks=needs_openvino)]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


class Pair(nn.Module):
    """Gives its input and something else."""

    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return 2 * x, "aside"


class Named(nn.Module):
    """Gives no tensor."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"x": x}


class Windows(nn.Module):
    """Gives four rows an image, as attention in windows does."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x] * 4).mean((2, 3))


class Toy(nn.Module):
    """Registers its layers in another order than it runs them, and one activation runs twice, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Conv2d(4, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.early = nn.Conv2d(3, 4, 3, padding=1)
        self.pair, self.named, self.windows = Pair(), Named(), Windows()
        self.head = nn.Linear(6, 2)

    def forward_features(self, x: Tensor) -> Tensor:
        x, _ = self.pair(self.act(self.early(x)))
        self.named(x)
        self.windows(x)
        return self.act(self.late(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = x.mean((2, 3))
        return x if pre_logits else self.head(x)

    def get_classifier(self) -> nn.Module:
        return self.head


def wrapped(module: nn.Module, *, size: int = 8) -> Backbone:
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "weights_digest": "none"}
    return Backbone("toy", module.eval().requires_grad_(False), lambda image: image, **plain, input_size=size,
                    n_features=6, preprocessing={}, model_args={})  # fmt: skip


@pytest.fixture
def toy() -> Backbone:
    torch.manual_seed(0)
    return wrapped(Toy())


def of_timm(name: str, *, size: int) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return wrapped(timm.create_model(name, pretrained=False), size=size)


def pixels(n: int = 3, size: int = 8, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=draw)


def pooled(backbone: Backbone, layers: list[str], images: Tensor, pool: str = "average") -> dict[str, Tensor]:
    with torch.inference_mode():
        found = _layers.LayerFeatures(backbone, layers, pool=pool)(images)
    return dict(zip(layers, found, strict=True))


def test_layers_stand_in_the_order_in_which_they_run(toy: Backbone) -> None:
    registered = [name for name, module in toy.module.named_modules() if isinstance(module, nn.Conv2d)]
    assert registered == ["late", "early"]
    assert features.layer_names(toy, "convolutions") == ("early", "late", "penultimate")
    asked = ["act#2", "late", "penultimate", "act", "early"]
    assert features.layer_names(toy, asked) == ("early", "act", "late", "act#2", "penultimate")


def test_every_run_of_a_shared_module_is_a_layer(toy: Backbone) -> None:
    images, net = pixels(), toy.module
    found = pooled(toy, ["act", "act#2"], images)
    first = net.early(toy.normalised(images)).relu()
    second = net.late(2 * first).relu()
    torch.testing.assert_close(found["act"], first.mean((2, 3)))
    torch.testing.assert_close(found["act#2"], second.mean((2, 3)))


def test_an_activation_in_place_does_not_reach_back(toy: Backbone) -> None:
    images = pixels()
    before = toy.module.early(toy.normalised(images))
    found = pooled(toy, ["early", "act"], images)
    torch.testing.assert_close(found["early"], before.mean((2, 3)))
    assert (before < 0).any()  # so the activation does change something
    assert not torch.allclose(found["early"], found["act"])


def test_a_tuple_gives_its_first_tensor(toy: Backbone) -> None:
    found = pooled(toy, ["pair", "act"], pixels())
    torch.testing.assert_close(found["pair"], 2 * found["act"])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["early", "named"], "expected layer 'named' of 'toy' to give a tensor, got dict; name a module within it"),
        (["early", "windows"], r"expected one row an image from layer 'windows' of 'toy', got shape \(12, 4\) for 3"),
        (["early", "head"], "expected layer 'head' of 'toy' to run 1 time on the way to the pooled features"),
        (["early", "act#3"], "expected layer 'act' of 'toy' to run 3 times on the way"),
    ],
)
def test_a_layer_that_gives_no_row_an_image_is_named_and_no_hook_stays(
    layers: list[str], message: str, toy: Backbone
) -> None:
    with pytest.raises(InputError, match=message):
        pooled(toy, layers, pixels())
    assert not any(module._forward_hooks for module in toy.module.modules())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("block", "expected layers to be one of blocks, stages, convolutions or a list of names, got 'block'; did you"),
        (["erly", "late"], "unknown layer 'erly' of 'toy'; did you mean 'early'"),
        (["early", "conv*"], r"expected layers of 'toy' that fit 'conv\*', found none"),
        (["early", "head"], "expected layers of 'toy' that run on the way to the pooled features, but 'head' does not"),
        (["early", "act#3"], "but 'act#3' does not; did you mean 'act#2'"),
        (["early"], "expected at least 2 layers of 'toy' to compare, got early"),
        ([], "expected at least 2 layers of 'toy' to compare, got none"),
        ("blocks", "expected blocks or stages of 'toy' as timm describes them, found none"),
        ([1, 2], r"expected layers to be one of blocks, stages, convolutions or a list of names, got \[1, 2\]; write"),
        (3, "expected layers to be one of blocks, stages, convolutions or a list of names, got 3; write"),
    ],
)
def test_layers_that_cannot_be_are_refused(layers: str | list[str], message: str, toy: Backbone) -> None:
    with pytest.raises(InputError, match=message):
        features.layer_names(toy, layers)
    assert not any(module._forward_hooks for module in toy.module.modules())


def test_a_width_that_changes_between_batches_is_refused(toy: Backbone) -> None:
    network = _layers.LayerFeatures(toy, ["early", "late"], pool="2x2")
    with torch.inference_mode():
        assert network(pixels())[0].shape == (3, 16)
        with pytest.raises(InputError, match="expected 16 features of layer 'early' as in the first batch, got 8"):
            network(pixels(size=8)[:, :, :2, :1])


@pytest.mark.parametrize(
    ("module", "blocks"),
    [
        (torchvision.models.resnet18, [f"layer{i}.{j}" for i in (1, 2, 3, 4) for j in (0, 1)]),
        (torchvision.models.squeezenet1_1, [f"features.{i}" for i in (3, 4, 6, 7, 9, 10, 11, 12)]),
    ],
)
def test_blocks_of_a_network_that_timm_does_not_know_are_those_of_its_sequences(module, blocks) -> None:
    network = module()
    options = {"name": "own", "input_size": 64, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert features.layer_names(backbones.from_module(network, **options)) == (*blocks, "penultimate")
    network.feature_info = []  # the control: what timm describes is not guessed at
    with pytest.raises(InputError, match="expected blocks or stages of 'own' as timm describes them, found none"):
        features.layer_names(backbones.from_module(network, **options))


@pytest.mark.parametrize(
    ("name", "size", "blocks"),
    [
        ("test_efficientnet", 64, [f"blocks.{i}.0" for i in range(5)]),
        ("test_resnet", 64, ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]),
        ("test_vit", 160, [f"blocks.{i}" for i in range(6)]),
        ("test_convnext", 64, ["stages.0.blocks.0", "stages.1.blocks.0", "stages.2.blocks.0", "stages.2.blocks.1"]),
    ],
)
def test_blocks_of_every_family_are_found_and_equal_a_plain_forward(name: str, size: int, blocks: list[str]) -> None:
    backbone = of_timm(name, size=size)
    layers = features.layer_names(backbone, "blocks")
    assert layers[-1] == "penultimate"
    assert set(blocks) <= set(layers)
    assert all("." in layer for layer in layers[:-1])
    images = pixels(2, size)
    found = pooled(backbone, list(layers), images)
    with torch.inference_mode():
        torch.testing.assert_close(found["penultimate"], backbone.features(backbone.normalised(images)))
        kept = {}
        handle = backbone.module.get_submodule(layers[2]).register_forward_hook(lambda _m, _i, x: kept.update(x=x))
        backbone.features(backbone.normalised(images))
        handle.remove()
    torch.testing.assert_close(
        found[layers[2]], kept["x"].flatten(2).mean(2) if kept["x"].ndim == 4 else kept["x"].mean(1)
    )


def test_stages_and_convolutions_are_those_of_timm() -> None:
    backbone = of_timm("test_resnet", size=64)
    assert features.layer_names(backbone, "stages")[1:5] == ("layer1", "layer2", "layer3", "layer4")
    convolutions = features.layer_names(backbone, "convolutions")
    expected = {name for name, module in backbone.module.named_modules() if isinstance(module, nn.Conv2d)}
    assert set(convolutions) == expected | {"penultimate"}
    chosen = features.layer_names(backbone, ["layer*.conv?", "penultimate"])
    assert set(chosen) == {name for name in expected if ".conv" in name} | {"penultimate"}
    assert len(chosen) < len(convolutions)  # the shortcuts are left out


def test_tokens_of_a_transformer_equal_its_own_intermediates() -> None:
    backbone = of_timm("test_vit", size=160)
    images, layers = pixels(2, 160), [f"blocks.{i}" for i in range(6)]
    with torch.inference_mode():
        expected = backbone.module.forward_intermediates(
            backbone.normalised(images), intermediates_only=True, return_prefix_tokens=True
        )
    tokens, classes, average = (pooled(backbone, layers, images, pool) for pool in ("tokens", "cls", "average"))
    for layer, (maps, prefix) in zip(layers, expected, strict=True):
        torch.testing.assert_close(tokens[layer], maps.mean((2, 3)))
        torch.testing.assert_close(classes[layer], prefix[:, 0])
        n = maps[0, 0].numel()
        torch.testing.assert_close(average[layer], (n * tokens[layer] + classes[layer]) / (n + 1))
        assert not torch.allclose(tokens[layer], average[layer])


def test_maps_are_pooled_in_four_quarters_unless_they_are_as_small(toy: Backbone) -> None:
    images = pixels(2)
    found = pooled(toy, ["early"], images, "2x2")["early"]
    maps = toy.module.early(toy.normalised(images))
    quarters = [maps[..., i : i + 4, j : j + 4].mean((2, 3)) for i in (0, 4) for j in (0, 4)]
    torch.testing.assert_close(found, torch.stack(quarters, 2).flatten(1))
    small = images[:, :, :2, :2]
    torch.testing.assert_close(
        pooled(toy, ["early"], small, "2x2")["early"], toy.module.early(toy.normalised(small)).flatten(1)
    )
    assert pooled(toy, ["early", "penultimate"], images, "2x2")["penultimate"].shape == (2, 6)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ("max", "expected pool to be one of average, 2x2, cls, tokens, got 'max'"),
        ("cls", r"expected tokens \(n, t, c\), the first of them a class token, for pool='cls', got shape"),
        ("tokens", r"expected tokens \(n, t, c\) for pool='tokens', got maps of shape"),
    ],
)
def test_pooling_that_does_not_fit_is_refused(pool: str, message: str, toy: Backbone) -> None:
    with pytest.raises(InputError, match=message):
        pooled(toy, ["early"], pixels(), pool)


def test_a_shape_is_told_in_numbers_while_a_network_is_traced(toy: Backbone) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match=r"for pool='tokens', got maps of shape \(1, \d+, \d+, \d+\); take"):
        _engine.build_engine(toy, ["early"], device=torch.device("cpu"), engine="openvino", threads=1, pool="tokens")


def test_quarters_of_tokens_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected maps \(n, c, h, w\) for pool='2x2', got tokens"):
        pooled(of_timm("test_vit", size=160), ["blocks.0"], pixels(1, 160), "2x2")


def test_channels_last_maps_are_pooled_over_positions_and_convolutions_over_theirs() -> None:
    class Last(Toy):
        output_fmt = "NHWC"

        def forward_features(self, x: Tensor) -> Tensor:
            return self.pair(self.early(x).permute(0, 2, 3, 1))[0].permute(0, 3, 1, 2)

    torch.manual_seed(0)
    found = pooled(wrapped(Last()), ["early", "pair"], pixels())
    assert found["early"].shape == (3, 4)
    torch.testing.assert_close(found["pair"], 2 * found["early"])


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return datasets.load(f"folder:{write_images(tmp_path / 'pets', n=30)}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pool", ["average", "2x2"])
def test_two_passes_are_equal_to_the_last_bit_and_engines_agree(
    engine: str, pool: str, pets: Dataset, tmp_path: Path
) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors", image_size=64)
    options = {"split": "test", "layers": "blocks", "pool": pool, "batch_size": 16}
    one, two = (extract(backbone, pets, engine=engine, root=tmp_path / name, **options).read_all() for name in "ab")
    plain = extract(backbone, pets, engine="torch", root=tmp_path / "plain", **options).read_all()
    assert list(one) == list(features.layer_names(backbone, "blocks"))
    for layer, X in one.items():
        assert torch.equal(X, two[layer])
        assert (X - plain[layer]).abs().max() < 1e-4 * plain[layer].abs().max()


def test_pooling_is_part_of_the_key_and_the_default_keys_stand(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    stores = [extract(backbone, pets, split="test", pool=pool) for pool in ("average", "2x2")]
    assert stores[0].key != stores[1].key
    assert "pool" not in stores[0].identity  # as before there was a choice


@pytest.mark.parametrize("engine", ENGINES)
def test_streamed_moments_equal_those_of_the_kept_features(engine: str, pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    found = features.Source(backbone, pets, engine=engine, batch_size=16).moments("train")
    store = extract(backbone, pets, split="train", layers="blocks", engine=engine, batch_size=16)
    assert list(found) == list(store.layers)
    for layer, X in store.read_all().items():
        expected = moments.accumulate([(X, store.y)], n_classes=2)
        for name in ("mean", "gram", "quartic", "class_sums", "class_counts"):
            assert torch.equal(getattr(found[layer], name), getattr(expected, name))


def test_streamed_moments_write_nothing(pets: Dataset, tmp_path: Path) -> None:
    features.Source(tiny_backbone(tmp_path / "w.safetensors"), pets).moments("test", quartic=False)
    assert not (tmp_path / "runs" / "features").exists()
    with pytest.raises(InputError, match="expected split to be one of train, validation, test, got 'tests'"):
        features.Source(tiny_backbone(tmp_path / "w.safetensors"), pets).moments("tests")


def test_moments_of_layers_together_equal_each_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    X, Z = torch.randn(50, 4, generator=draw), 3 + torch.randn(50, 7, generator=draw)
    y = torch.arange(50) % 3
    batches = list(zip(X.split(13), Z.split(13), y.split(13), strict=True))
    together = moments.accumulate_layers(batches, block_rows=20)
    for found, rows in zip(together, (X, Z), strict=True):
        alone = moments.accumulate([(rows, y)], block_rows=20)
        assert torch.equal(found.gram, alone.gram)
        assert torch.equal(found.class_sums, alone.class_sums)
    with pytest.raises(InputError, match=r"expected layers of widths \[4, 7\] and equally many rows in every batch"):
        moments.accumulate_layers([batches[0], (X[:5], Z[:5, :6], y[:5])])
    with pytest.raises(InputError, match="expected at least one batch, got none"):
        moments.accumulate_layers([])


def test_layers_of_a_task_are_read_again_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    checkpoint, which = write_checkpoint(tmp_path / "w.safetensors"), ["penultimate", "blocks.0.*"]
    first = features.Source(MODEL, task, checkpoint=checkpoint).layers(which)
    assert list(first)[-1] == "penultimate"
    assert all(layer.startswith("blocks.0.") for layer in list(first)[:-1])
    whole = features.Source(MODEL, task, checkpoint=checkpoint).load()
    for split, (X, y) in whole.splits.items():
        assert torch.equal(first["penultimate"].splits[split][1], y)
        torch.testing.assert_close(first["penultimate"].splits[split][0], X)

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr(_request.backbones, "load", refuse)
    source = features.Source(MODEL, task, checkpoint=checkpoint)
    again = source.layers(which)
    assert all(torch.equal(again[name].splits["test"][0], of.splits["test"][0]) for name, of in first.items())
    only = source.layers(which, splits=("test",))
    assert set(only["penultimate"].splits) == {"test"}
    assert only["penultimate"].n_features == first["penultimate"].n_features
    with pytest.raises(AssertionError, match="a network was loaded"):
        source.layers(which, pool="2x2")


def test_a_file_of_embeddings_has_no_layers() -> None:
    with pytest.raises(InputError, match=r"expected a task of images for features by layer, got 'embeddings:x\.npz'"):
        features.Source("any", "embeddings:x.npz").layers()


def test_the_embedded_default_has_sixteen_blocks() -> None:
    backbone = backbones.load("tf_efficientnet_lite0.in1k", image_size=32)
    layers = features.layer_names(backbone)
    assert len(layers) == 17
    assert layers[0] == "blocks.0.0"
    assert layers[-2:] == ("blocks.6.0", "penultimate")


def test_other_tasks_are_checked_before_anything_is_extracted(tmp_path: Path) -> None:
    home = f"folder:{write_images(tmp_path / 'home', classes=('cat', 'dog'))}"
    away = f"folder:{write_images(tmp_path / 'away', classes=('cat', 'fox'))}"
    source = features.Source(MODEL, home, checkpoint=write_checkpoint(tmp_path / "w.safetensors"), progress=False)
    assert [other.task_label for other in source.others(["+noise:1", home], same_classes=True)] == [
        "folder:home+noise:1",
        "folder:home",
    ]
    assert source.others([away])[0].task_label == "folder:away"  # with probes of its own it may have other classes
    with pytest.raises(InputError, match=r"expected the classes of 'folder:home' in 'folder:away', .* 'dog' is in one"):
        source.others(["+noise:1", away], same_classes=True)
    with pytest.raises(InputError, match="unknown task 'digit'"):
        source.others(["digit"])
    with pytest.raises(InputError, match="expected a task of images for features by layer"):
        source.others(["embeddings:mine.npz"])
    assert not list(files.runs_root().rglob("manifest.json"))
