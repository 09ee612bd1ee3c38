from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image
from timm.data import create_transform, resolve_model_data_config
from tiny_world import MODEL, tiny_backbone, write_checkpoint, write_images
from torch import Tensor, nn

from diffred_core import backbones, features
from diffred_core.backbones import Backbone
from diffred_core.backbones._checkpoint import read_state
from diffred_core.backbones._packaged import aligned
from diffred_core.backbones._transform import CentreCrop, of_timm
from diffred_core.errors import InputError

PALACE = 698  # ImageNet class "palace": china.jpg of scikit-learn shows the Summer Palace in Beijing


def top5(backbone: Backbone) -> list[int]:
    pixels = backbone.transform(Image.fromarray(load_sample_image("china.jpg")))
    images = backbone.normalised(pixels[None])
    return backbone.head_logits(backbone.features(images))[0].topk(5).indices.tolist()


@pytest.mark.parametrize("name", backbones.embedded())
def test_packaged_weights_know_a_palace(name: str) -> None:
    backbone = backbones.load(name)
    assert top5(backbone)[0] == PALACE
    assert backbone.n_features == 1280
    assert not backbone.module.training
    # Negative control: the same weights in the head, the filters of every layer in another order.
    for parameter in backbone.module.blocks.parameters():
        parameter.copy_(parameter.flip(0))
    assert PALACE not in top5(backbone)


def test_packaged_weights_all_reach_the_network() -> None:
    name = backbones.embedded()[0]
    source = read_state(backbones.packaged_weights(name))
    loaded = backbones.load(name).module.state_dict()
    assert len(source) == len(loaded) == 296
    assert all(torch.equal(x, z) for x, z in zip(source.values(), loaded.values(), strict=True))


def test_alignment_by_place_notices_neighbours_of_equal_shape() -> None:
    source = read_state(backbones.packaged_weights(backbones.embedded()[0]))
    target = timm.create_model(backbones.embedded()[0], pretrained=False).state_dict()
    assert list(aligned(source, target)) == list(target)
    names = list(source)
    mean, var = names.index("_bn0.running_mean"), names.index("_bn0.running_var")
    names[mean], names[var] = names[var], names[mean]
    with pytest.raises(InputError, match=r"expected 'bn1.running_mean' .* got '_bn0.running_var'"):
        aligned({name: source[name] for name in names}, target)
    with pytest.raises(InputError, match="expected 296 tensors in the packaged weights, got 295"):
        aligned({name: source[name] for name in names[:-1]}, target)


@pytest.mark.parametrize("model", ["test_efficientnet", "test_vit", "test_resnet"])
def test_head_of_the_features_is_the_logits(model: str, tmp_path: Path) -> None:
    backbone = backbones.load(model, checkpoint=write_checkpoint(tmp_path / "w.safetensors", model=model))
    images = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = backbone.features(images)
        torch.testing.assert_close(backbone.head_logits(features), backbone.module(images))
        assert features.shape == (2, backbone.n_features)
        assert torch.equal(backbone.features(images), features)  # eval mode: nothing random, nothing learnt
        assert not torch.allclose(backbone.head_logits(features.flip(1)), backbone.module(images))


def test_transform_and_normalisation_are_those_of_timm(tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors", image_size=64)
    image = Image.fromarray(load_sample_image("flower.jpg"))
    config = timm.data.resolve_model_data_config(backbone.module) | {"input_size": (3, 64, 64)}
    expected = create_transform(**config, is_training=False)(image)
    pixels = backbone.transform(image)
    assert pixels.dtype == torch.uint8
    torch.testing.assert_close(backbone.normalised(pixels[None])[0], expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(backbone.normalised(pixels[None] + 1)[0], expected, atol=1e-3)
    assert backbone.preprocessing["input_size"] == [3, 64, 64]
    assert {"interpolation", "crop_pct", "mean", "std"} <= set(backbone.preprocessing)


def test_weights_digest_changes_with_one_weight(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors")
    state = load_file(path)
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": parallel}, tmp_path / "b.pth")
    save_file(parallel, tmp_path / "b.safetensors")
    files = ("a.safetensors", "b.pth", "b.safetensors")
    same = [backbones.load(MODEL, checkpoint=tmp_path / name).weights_digest for name in files]
    assert len(set(same)) == 1
    state["classifier.bias"][0] += 1
    save_file(state, tmp_path / "c.safetensors")
    assert backbones.load(MODEL, checkpoint=tmp_path / "c.safetensors").weights_digest != same[0]


def test_model_args_reach_timm_and_the_identity(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "w.safetensors")
    overlay = {"pretrained_cfg_overlay": {"mean": [0.1, 0.2, 0.3]}}
    backbone = backbones.load(MODEL, checkpoint=path, model_args=overlay)
    assert backbone.mean == (0.1, 0.2, 0.3)
    assert backbone.identity["model_args"] == overlay
    with pytest.raises(InputError, match=r"expected model_args that timm's 'test_efficientnet' takes, got .*colour"):
        backbones.load(MODEL, checkpoint=path, model_args={"colour": "red"})


def test_checkpoint_errors_name_what_is_wrong(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="there is none at"):
        backbones.load(MODEL, checkpoint=tmp_path / "none.safetensors")
    for suffix in (".safetensors", ".pth"):
        torch.save(load_file(path), tmp_path / "whole.pth")
        whole = (path if suffix == ".safetensors" else tmp_path / "whole.pth").read_bytes()
        (tmp_path / f"part{suffix}").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=rf"part{suffix}' cannot be read"):
            backbones.load(MODEL, checkpoint=tmp_path / f"part{suffix}")
    torch.save({"weights": "none"}, tmp_path / "words.pth")
    with pytest.raises(InputError, match="it holds no plain state_dict"):
        backbones.load(MODEL, checkpoint=tmp_path / "words.pth")
    with pytest.raises(InputError, match=r"'test_resnet' .* missing \(conv1.*unexpected \(.*name the model"):
        backbones.load("test_resnet", checkpoint=path)
    state = load_file(path)
    state["bn1.bias"] = state["bn1.bias"][:10].clone()
    save_file(state, tmp_path / "ten.safetensors")
    with pytest.raises(InputError, match=r"1 of another shape \(bn1.bias \(10,\) for \(\d+,\)\)"):
        backbones.load(MODEL, checkpoint=tmp_path / "ten.safetensors")


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Harmful:
        def __reduce__(self):
            return (Path.touch, (marker,))

    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(InputError, match="cannot be read"):
        backbones.load(MODEL, checkpoint=tmp_path / "harmful.pth")
    assert not marker.exists()
    torch.load(tmp_path / "harmful.pth", weights_only=False)
    assert marker.exists()  # negative control: the file is harmful indeed


def test_unknown_models_name_the_near_ones() -> None:
    with pytest.raises(InputError, match="unknown model 'resnet81'; did you mean 'resnet18'"):
        backbones.load("resnet81")
    with pytest.raises(
        InputError, match=r"unknown weights 'tv_in1' of model 'resnet18'; did you mean 'resnet18.tv_in1"
    ):
        backbones.load("resnet18.tv_in1")


def test_wrong_image_size_is_told_with_the_way_out(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "w.safetensors", model="test_vit")
    with pytest.raises(InputError, match=r"'test_vit' to take images of 96 x 96 .* model_args=\{'img_size': 96\}"):
        backbones.load("test_vit", checkpoint=path, image_size=96, model_args={"dynamic_img_size": False})
    fitting = backbones.load("test_vit", checkpoint=path, image_size=96)  # timm interpolates its positions
    assert fitting.features(torch.zeros(1, 3, 96, 96)).shape == (1, fitting.n_features)


def test_hub_weights_offline_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    expected = r"expected the weights of 'resnet18.tv_in1k' from timm's hub or its cache.*choose one of tf_efficientnet"
    with pytest.raises(InputError, match=expected):
        backbones.load("resnet18.tv_in1k")


@pytest.mark.parametrize("size", [(300, 300), (28, 28), (41, 67), (230, 224), (9, 8)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("crop", [0.875, 0.9, 1.0])
def test_centre_crop_is_that_of_timm_to_the_last_bit(size: tuple[int, int], mode: str, crop: float) -> None:
    pixels = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    image = Image.fromarray(pixels.numpy()).convert(mode)
    for interpolation in ("bicubic", "bilinear"):
        config = {"input_size": (3, 64, 64), "interpolation": interpolation, "crop_pct": crop, "crop_mode": "center"}
        ours = of_timm(config)
        assert isinstance(ours, CentreCrop)
        expected = create_transform(**config, is_training=False, use_prefetcher=True)(image.convert("RGB"))
        assert torch.equal(ours(image), expected)
        assert not torch.equal(ours(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), expected)


def test_a_preprocessing_that_is_no_plain_crop_is_left_to_timm() -> None:
    config = {"input_size": (3, 64, 64), "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "border",
              "mean": (0.5,) * 3, "std": (0.5,) * 3}  # fmt: skip
    assert not isinstance(of_timm(config), CentreCrop)
    assert of_timm(config)(Image.new("RGB", (40, 20))).shape == (3, 64, 64)


class Convolved(nn.Module):
    """A network of plain torch, with a classifier behind its features or without."""

    def __init__(self, *, classes: int | None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.fc = nn.Linear(5, classes) if classes else None

    def forward(self, images: Tensor) -> Tensor:
        averages = self.conv(images).relu().mean((2, 3))
        return averages if self.fc is None else self.fc(averages)


HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "input_size": 24}


def convolved(classes: int | None, **options: object) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Convolved(classes=classes)
    return backbones.from_module(module, name="convolved", **HALF | options)


def test_a_network_of_plain_torch_is_a_backbone_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    task = f"folder:{write_images(tmp_path / 'pets', n=10)}"
    headed, bare = convolved(4, classifier="fc"), convolved(None)
    images = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    expected = headed.module.conv(images).relu().mean((2, 3))
    for backbone in (headed, bare):
        assert backbone.n_features == 5
        assert not backbone.module.training
        assert not any(parameter.requires_grad for parameter in backbone.module.parameters())
    assert torch.equal(headed.features(images), expected)
    assert torch.equal(headed.head_logits(expected), headed.module(images))
    assert torch.equal(bare.features(images), bare.module(images))
    assert convolved(4).n_features == 4  # without the name of its classifier its output is taken
    with pytest.raises(InputError, match="with a classification head, but 'convolved' has none"):
        bare.head_logits(expected)
    source = features.Source(headed, task, root=tmp_path / "features", image_size=24)
    X, _ = source.load().splits["test"]
    dataset = source._dataset
    pixels = torch.stack([headed.transform(dataset.image(i)) for i in dataset.splits["test"].tolist()])
    torch.testing.assert_close(X, headed.features(headed.normalised(pixels)), atol=1e-5, rtol=1e-5)
    assert features.layer_names(headed, "convolutions") == ("conv", "penultimate")


def test_identity_of_a_network_at_hand_follows_weights_structure_and_transform() -> None:
    class Leaky(Convolved):
        """The same weights, another function."""

        def __init__(self) -> None:
            super().__init__(classes=4)
            self.act = nn.LeakyReLU()

    with torch.random.fork_rng():
        torch.manual_seed(0)
        leaky = backbones.from_module(Leaky(), name="convolved", classifier="fc", **HALF)
        other = backbones.from_module(Convolved(classes=4), name="convolved", classifier="fc", **HALF)
    about = {"transform": convolved(4).transform, "preprocessing": {"crop": "mine"}}
    found = [convolved(4, classifier="fc"), leaky, other, convolved(4), convolved(4, classifier="fc", **about)]
    assert len({str(backbone.identity) for backbone in found}) == 5
    assert convolved(4, classifier="fc").identity == found[0].identity
    assert found[0].weights_digest == leaky.weights_digest


def test_what_a_network_at_hand_lacks_is_said() -> None:
    with pytest.raises(InputError, match="expected preprocessing beside the transform of 'convolved', got none"):
        convolved(4, transform=lambda image: image)
    with pytest.raises(InputError, match="unknown classifier 'fd' of 'convolved'; did you mean 'fc'"):
        convolved(4, classifier="fd")
    with pytest.raises(InputError, match=r"expected pooled features of one row an image from 'maps', got shape"):
        backbones.from_module(nn.Conv2d(3, 2, 3), name="maps", **HALF)
    with pytest.raises(InputError, match="expected no checkpoint and no model_args beside the network 'convolved'"):
        features.Source(convolved(4), "digits", checkpoint="w.safetensors")


def test_a_folder_in_timms_format_is_a_model(tmp_path: Path) -> None:
    plain = tiny_backbone(tmp_path / "w.safetensors")
    timm.models.save_for_hf(plain.module, tmp_path / "saved", safe_serialization=True)
    found = backbones.load(f"local-dir:{tmp_path / 'saved'}", image_size=32)
    assert found.weights_digest == plain.weights_digest
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.features(images), plain.features(images))
    assert tuple(resolve_model_data_config(found.module)["mean"]) == found.mean
    with pytest.raises(InputError, match=r"expected the weights of 'local-dir:.*none' from a folder in timm's format"):
        backbones.load(f"local-dir:{tmp_path / 'none'}")


def test_a_model_of_the_hub_offline_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"expected the weights of 'hf-hub:timm/resnet18.a1_in1k' from timm's hub or"):
        backbones.load("hf-hub:timm/resnet18.a1_in1k")
