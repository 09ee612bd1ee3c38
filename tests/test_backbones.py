from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image
from timm.data import create_transform
from tiny_world import MODEL, tiny_backbone, write_checkpoint

from diffred_core import backbones
from diffred_core.backbones import Backbone, _embedded
from diffred_core.backbones._checkpoint import read_state
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
    assert list(_embedded.aligned(source, target)) == list(target)
    names = list(source)
    mean, var = names.index("_bn0.running_mean"), names.index("_bn0.running_var")
    names[mean], names[var] = names[var], names[mean]
    with pytest.raises(InputError, match=r"expected 'bn1.running_mean' .* got '_bn0.running_var'"):
        _embedded.aligned({name: source[name] for name in names}, target)
    with pytest.raises(InputError, match="expected 296 tensors in the packaged weights, got 295"):
        _embedded.aligned({name: source[name] for name in names[:-1]}, target)


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
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "b.pth")
    same = [backbones.load(MODEL, checkpoint=tmp_path / name).weights_digest for name in ("a.safetensors", "b.pth")]
    assert same[0] == same[1]
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
    state["classifier.bias"] = state["classifier.bias"][:10].clone()
    save_file(state, tmp_path / "ten.safetensors")
    with pytest.raises(InputError, match=r"1 of another shape \(classifier.bias \(10,\) for \(1000,\)\)"):
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
