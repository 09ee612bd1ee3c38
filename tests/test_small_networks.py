"""Small networks: what they are, that a seed decides them to the last bit, that they learn, and that they are kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from diffred_core import datasets, small_networks
from diffred_core.backbones import normalised
from diffred_core.errors import InputError
from diffred_core.features._engine import torch_engine
from diffred_core.features._layers import LayerFeatures
from diffred_core.small_networks import Architecture, Images, TrainingRecipe
from diffred_core.small_networks._images import to_pixels
from diffred_core.small_networks._train import augmented, channel_statistics
from diffred_core.small_networks._trunks import FAMILIES, vgg_plan

TINY = Architecture(depth=11, width=2)
QUICK = TrainingRecipe(epochs=1, batch_size=32)


@pytest.fixture(scope="module")
def digits() -> Images:
    """Real digits of three classes at 16 pixels."""
    return Images.of(datasets.load("digits"), size=16).of_classes([0, 1, 2])


@pytest.fixture(scope="module")
def network(digits, tmp_path_factory):
    (found,) = small_networks.networks(
        digits, [TINY], seeds=[3], recipe=QUICK, root=tmp_path_factory.mktemp("kept"), progress=False
    )
    return found


def state_of(trained):
    return trained.module.state_dict()


def equal_states(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- the network


@pytest.mark.parametrize(("depth", "n_convolutions"), [(11, 10), (17, 16)])
@pytest.mark.parametrize("early_pooling", [True, False])
def test_depth_counts_convolutions_and_the_classifier(depth, n_convolutions, early_pooling):
    architecture = Architecture(depth, 2, early_pooling)
    module = small_networks.SmallNetwork(architecture, 5, seed=0)
    found = [m for m in module.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(found) == n_convolutions
    assert [m.out_channels for m in found][:2] == [2, 2]
    assert found[-1].out_channels == 16
    assert module.head.weight.shape == (5, 16)


def test_the_published_network_has_the_published_number_of_parameters():
    module = small_networks.SmallNetwork(Architecture(11, 64), 100, seed=0)
    millions = sum(p.numel() for p in module.parameters()) / 1e6
    assert millions == pytest.approx(9.46, abs=0.01)  # Harun et al. 2024, table 11: VGGm-11


@pytest.mark.parametrize(
    ("early_pooling", "size", "sides"),
    [
        (True, 32, [32, 32, 16, 16, 8, 8, 4, 4, 2, 2]),
        (False, 32, [32, 32, 32, 32, 32, 32, 16, 16, 8, 8]),
        (True, 24, [24, 24, 12, 12, 6, 6, 3, 3, 2, 2]),  # odd sides are rounded up
        (True, 8, [8, 8, 4, 4, 2, 2, 1, 1, 1, 1]),
    ],
)
def test_sides_of_the_maps_by_convolution(early_pooling, size, sides):
    module = small_networks.SmallNetwork(replace(TINY, early_pooling=early_pooling), 2, seed=0).eval()
    found = []
    for block in module.blocks:
        block.convolution.register_forward_hook(lambda _m, _i, out: found.append(out.shape[-1]))
    module(torch.zeros(1, 3, size, size))
    assert found == sides


def test_pooling_alone_does_not_change_the_first_weights_but_the_seed_does():
    first, late, other = (
        small_networks.SmallNetwork(architecture, 3, seed=seed).state_dict()
        for architecture, seed in ((TINY, 1), (replace(TINY, early_pooling=False), 1), (TINY, 2))
    )
    assert equal_states(first, late)
    assert not equal_states(first, other)


def test_making_a_network_leaves_the_random_state_of_the_process_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    small_networks.SmallNetwork(TINY, 3, seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Architecture(depth=13), r"expected depth of a vggm to be one of 11, 17, got 13"),
        (lambda: Architecture(width=0), r"expected width of at least 1 channel, got 0"),
        (lambda: small_networks.SmallNetwork(TINY, 1, seed=0), r"expected n_classes of at least 2, got 1"),
        (lambda: TrainingRecipe(learning_rate=0), r"expected recipe.learning_rate above 0, got 0"),
        (lambda: TrainingRecipe(epochs=-1), r"expected recipe.epochs of at least 0, got -1"),
        (lambda: TrainingRecipe(shift=-1), r"expected recipe.shift of at least 0, got -1"),
        (lambda: TrainingRecipe(warmup=1.0), r"expected recipe.warmup in \[0, 1\), got 1.0"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ---- the images


def test_images_of_a_dataset_are_its_pixels_and_splits(digits):
    dataset = datasets.load("digits")
    images = Images.of(dataset, size=10)  # the size of the images themselves: nothing is scaled
    assert images.pixels.shape == (1797, 3, 10, 10)
    assert torch.equal(images.pixels[7], torch.from_numpy(np.array(dataset.image(7))).permute(2, 0, 1))
    pixels, y = images.split("test")
    assert torch.equal(y, dataset.y[dataset.splits["test"]])
    assert len(pixels) == len(y)


def test_images_that_are_not_square_are_cut_to_their_centre():
    wide = Image.fromarray(np.arange(3 * 8 * 16, dtype=np.uint8).reshape(8, 16, 3))
    expected = torch.from_numpy(np.array(wide))[:, 4:12].permute(2, 0, 1)
    assert torch.equal(to_pixels(wide, 8), expected)


def test_some_classes_make_a_task_of_their_own(digits):
    every = Images.of(datasets.load("digits"), size=16)
    some = every.of_classes([7, 2])
    assert (some.task, some.classes) == ("digits[7,2]", ("7", "2"))
    assert digits.task == "digits[0-2]"
    for split in ("train", "validation", "test"):
        pixels, y = every.split(split)
        kept = (y == 7) | (y == 2)
        assert torch.equal(some.split(split)[0], pixels[kept])
        assert torch.equal(some.split(split)[1], (y[kept] == 2).long())


def test_fewer_images_are_a_share_of_every_class_and_no_others_are_kept(digits):
    fewer = digits.at_most({"train": 100, "test": 40}, seed=1)
    assert [len(fewer.splits[name]) for name in ("train", "test")] == [100, 40]
    assert len(fewer.pixels) == len(fewer.y) == sum(map(len, fewer.splits.values())) < len(digits.y)
    pixels, y = fewer.split("train")
    shares = torch.bincount(digits.split("train")[1]).double()
    assert (torch.bincount(y) - 100 * shares / shares.sum()).abs().max() <= 1
    every = {image.numpy().tobytes() for image in digits.split("train")[0]}
    assert {image.numpy().tobytes() for image in pixels} <= every
    assert digits.at_most({"train": 100}, seed=2).digest("train") != fewer.digest("train")  # the control
    assert digits.at_most({}).digest("test") == digits.digest("test")
    with pytest.raises(InputError, match=r"expected at least 3 images of the train split of 'digits.*got 2"):
        digits.at_most({"train": 2})


def test_classes_that_are_held_out_are_a_task_of_their_own(digits):
    every = Images.of(datasets.load("digits"), size=10)
    first, (rest,) = every.hold_out(6)
    assert (first.task, rest.task) == ("digits[0-5]", "digits[6-9]")
    assert len(first.y) + len(rest.y) == len(every.y)
    assert torch.equal(rest.pixels, every.of_classes([6, 7, 8, 9]).pixels)
    assert every.hold_out(None) == (every, [])


def test_the_digest_of_a_split_follows_its_pixels_and_labels_alone(digits):
    renamed = replace(digits, task="other")
    assert renamed.digest("train") == digits.digest("train") != digits.digest("test")
    changed = replace(digits, pixels=digits.pixels.clone())
    changed.pixels[digits.splits["train"][0], 0, 0, 0] ^= 1
    assert changed.digest("train") != digits.digest("train")
    assert changed.digest("test") == digits.digest("test")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda images: images.of_classes([1]), r"expected at least 2 different classes within 0\.\.2 .* got \[1\]"),
        (lambda images: images.of_classes([0, 0]), r"got \[0, 0\]"),
        (lambda images: images.of_classes([0, 3]), r"got \[0, 3\]"),
        (lambda images: images.hold_out(2), r"expected n_first from 2 to 1, as 'digits\[0-2\]' has 3 classes, got 2"),
        (lambda images: images.split("val"), r"expected split to be one of train, validation, test, got 'val'"),
        (lambda _: Images.of(datasets.load("digits"), size=4), r"expected size of at least 8 pixels a side, got 4"),
    ],
)
def test_images_refuse_what_is_not_there(digits, make, message):
    with pytest.raises(InputError, match=message):
        make(digits)


# ---- training


def test_channel_statistics_are_those_of_all_pixels():
    pixels = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels[:, 2] = 9
    mean, std = channel_statistics(pixels)
    values = pixels.double() / 255
    assert mean == pytest.approx(values.mean(dim=(0, 2, 3)).tolist())
    assert std[:2] == pytest.approx(values.transpose(0, 1).flatten(1).std(1, correction=0).tolist()[:2])
    assert std[2] == 1.0  # constant


def test_augmentation_moves_within_its_limits_and_repeats_the_edge():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.arange(40, dtype=torch.uint8).view(1, 1, 5, 8).expand(200, 3, 5, 8)
    assert augmented(pixels, TrainingRecipe(), generator) is pixels
    moved = augmented(pixels, TrainingRecipe(shift=1), generator)
    possible = {
        F.pad(pixels[:1].float(), (1, 1, 1, 1), mode="replicate")[0, 0, y : y + 5, x : x + 8].byte().numpy().tobytes()
        for y in range(3)
        for x in range(3)
    }
    found = {image[0].numpy().tobytes() for image in moved}
    assert found == possible  # all nine, and nothing else
    flipped = augmented(pixels, TrainingRecipe(flip=True), generator)
    assert {image[0].numpy().tobytes() for image in flipped} == {
        pixels[0, 0].numpy().tobytes(),
        pixels[0, 0].flip(1).numpy().tobytes(),
    }


def test_the_learning_rate_rises_to_its_greatest_and_falls_to_nearly_nothing():
    recipe = TrainingRecipe(learning_rate=0.5, warmup=0.2)
    rates = [recipe.rate(step, 50) for step in range(50)]
    assert rates[:10] == pytest.approx([0.05 * (i + 1) for i in range(10)])
    assert rates[10] == 0.5
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.001
    assert TrainingRecipe(learning_rate=0.5, warmup=0).rate(0, 50) == 0.5


def test_the_same_seed_gives_the_same_bits_whatever_the_process_has_drawn(digits):
    first = small_networks.train(digits, TINY, recipe=QUICK, seed=5)
    torch.rand(7)
    again = small_networks.train(digits, TINY, recipe=QUICK, seed=5)
    other = small_networks.train(digits, TINY, recipe=QUICK, seed=6)
    assert equal_states(state_of(first), state_of(again))
    assert first.losses == again.losses
    assert not equal_states(state_of(first), state_of(other))


def test_no_epoch_leaves_the_first_weights_and_settles_the_norms(digits):
    untrained = small_networks.train(digits, TINY, recipe=TrainingRecipe(epochs=0, batch_size=323), seed=5)
    first = small_networks.SmallNetwork(TINY, 3, seed=5)
    assert untrained.losses == ()
    assert equal_states(dict(untrained.module.named_parameters()), dict(first.named_parameters()))
    x = normalised(digits.split("train")[0], mean=untrained.mean, std=untrained.std)
    maps = first.blocks[0].convolution(x)  # one batch holds all images, so the statistics are those of all of them
    norm = untrained.module.blocks[0].norm
    torch.testing.assert_close(norm.running_mean, maps.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(norm.running_mean, first.blocks[0].norm.running_mean, atol=1e-3)  # the control: 0


def test_a_network_does_not_depend_on_how_many_are_trained_beside_it(digits, tmp_path):
    architectures = [TINY, replace(TINY, early_pooling=False)]
    alone, together = (
        small_networks.networks(
            digits,
            architectures,
            seeds=[0, 1],
            recipe=QUICK,
            root=tmp_path / str(workers),
            workers=workers,
            progress=False,
        )
        for workers in (1, 4)
    )
    assert [network.backbone.weights_digest for network in alone] == [n.backbone.weights_digest for n in together]
    assert len({network.backbone.weights_digest for network in alone}) == 4  # the control: all four differ


def accuracy(trained, images) -> float:
    pixels, y = images.split("test")
    backbone = small_networks._cache.as_backbone(trained, TINY, seed=0, size=images.size)
    with torch.inference_mode():
        return float((backbone.module(backbone.normalised(pixels)).argmax(1) == y).double().mean())


def test_training_learns_real_labels_and_not_shuffled_ones(digits, device):
    recipe = TrainingRecipe(epochs=4, batch_size=32)
    shuffled = digits.y[torch.randperm(len(digits.y), generator=torch.Generator().manual_seed(0))]
    real, noise = (
        small_networks.train(images, replace(TINY, width=4), recipe=recipe, seed=0, device=str(device))
        for images in (digits, replace(digits, y=shuffled))
    )
    for trained in (real, noise):
        trained.module.cpu()
    assert accuracy(real, digits) > 0.9
    assert real.losses[-1] < real.losses[0]
    assert abs(accuracy(noise, replace(digits, y=shuffled)) - 1 / 3) < 0.15


def test_too_few_images_or_a_loss_that_explodes_is_said(digits):
    with pytest.raises(
        InputError, match=r"at least recipe.batch_size=4096 training images in 'digits\[0-2\]', got 323"
    ):
        small_networks.train(digits, TINY, recipe=TrainingRecipe(batch_size=4096), seed=0)
    with pytest.raises(
        InputError,
        match=r"expected a finite training loss, got nan at step 2 .* of label_smoothing of vggm11-w2, seed 0",
    ):
        small_networks.train(digits, TINY, recipe=TrainingRecipe(epochs=1, learning_rate=1e38, warmup=0), seed=0)


# ---- kept networks


def test_a_second_call_reads_what_the_first_has_trained(digits, tmp_path, monkeypatch):
    def call(**options):
        return small_networks.networks(digits, [TINY], root=tmp_path, progress=False, **options)

    (first,) = call(seeds=[0], recipe=QUICK)
    monkeypatch.setattr(small_networks._cache, "train", lambda *_, **__: pytest.fail("trained again"))
    (again,) = call(seeds=[0], recipe=QUICK)
    assert again.backbone.identity == first.backbone.identity
    assert (again.key, again.losses, again.seconds) == (first.key, first.losses, first.seconds)
    with pytest.raises(pytest.fail.Exception, match="trained again"):  # the control: a new seed is a miss
        call(seeds=[0, 1], recipe=QUICK)
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        call(seeds=[0], recipe=replace(QUICK, weight_decay=0.0))


def test_the_seeds_that_are_there_are_not_trained_again(digits, tmp_path, monkeypatch):
    def call(seeds):
        return small_networks.networks(digits, [TINY], seeds=seeds, recipe=QUICK, root=tmp_path, progress=False)

    call([0])
    train, seen = small_networks._cache.train, []
    monkeypatch.setattr(
        small_networks._cache, "train", lambda *a, seed, **k: seen.append(seed) or train(*a, seed=seed, **k)
    )
    assert [network.seed for network in call([0, 1])] == [0, 1]
    assert seen == [1]


@pytest.mark.parametrize("damage", ["weights", "record", "key"])
def test_a_damaged_network_is_trained_again_to_the_same_bits(digits, tmp_path, damage):
    def call():
        return small_networks.networks(digits, [TINY], seeds=[0], recipe=QUICK, root=tmp_path, progress=False)[0]

    first = call()
    (weights,), (record,) = tmp_path.rglob("*.safetensors"), tmp_path.rglob("*.json")
    if damage == "weights":
        save_file({"head.bias": torch.zeros(3)}, weights)
    elif damage == "record":
        record.write_text("{")
    else:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"key": "0"}))
    assert call().backbone.weights_digest == first.backbone.weights_digest
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == sorted([weights.name, record.name])


def test_the_record_says_what_the_weights_depend_on(digits, network, tmp_path):
    small_networks.networks(digits, [TINY], seeds=[3], recipe=QUICK, root=tmp_path, progress=False)
    (record,) = tmp_path.rglob("*.json")
    said = json.loads(record.read_text())
    assert said["key"] == network.key
    assert said["identity"]["architecture"] == {"depth": 11, "width": 2, "early_pooling": True, "family": "vggm"}
    assert said["identity"]["training_images"] == digits.digest("train")
    assert said["identity"]["torch"] == torch.__version__
    assert said["losses"] == list(network.losses)


@pytest.mark.parametrize(
    ("architectures", "seeds"), [([], [0]), ([TINY], []), ([TINY], [0, 0]), ([TINY, TINY], [0])], ids=str
)
def test_networks_refuse_nothing_and_the_same_twice(digits, tmp_path, architectures, seeds):
    with pytest.raises(InputError, match="expected architectures and seeds, each once, got"):
        small_networks.networks(digits, architectures, seeds=seeds, root=tmp_path)


# ---- features by layer


def test_features_of_a_layer_are_those_of_a_forward_pass_by_hand(digits, network):
    pixels = digits.pixels[:40]
    found = small_networks.convolution_features(network.backbone, pixels, batch_size=16)
    assert list(found) == [f"conv{i:02d}" for i in range(1, 11)]
    x = (pixels.float() / 255 - torch.tensor(network.backbone.mean).view(1, 3, 1, 1)) / torch.tensor(
        network.backbone.std
    ).view(1, 3, 1, 1)
    state = network.backbone.module.state_dict()
    for i, (_, pool) in enumerate(vgg_plan(FAMILIES["vggm"].depths[11], 2, True)):
        x = F.conv2d(x, state[f"blocks.{i}.convolution.weight"], padding=1)
        expected = x if x.shape[2] <= 2 else F.adaptive_avg_pool2d(x, 2)
        torch.testing.assert_close(found[f"conv{i + 1:02d}"], expected.flatten(1), rtol=1e-4, atol=1e-5)
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.relu(F.batch_norm(x, *(state[f"blocks.{i}.norm.{name}"] for name in names)))
        x = F.max_pool2d(x, 2, ceil_mode=True) if pool else x
    after_relu = (x if x.shape[2] <= 2 else F.adaptive_avg_pool2d(x, 2)).flatten(1)
    assert not torch.allclose(found["conv10"], after_relu, atol=1e-2)  # the control: before batch norm and ReLU


def test_blocks_of_a_vit_are_read_as_a_forward_pass_gives_them(digits, tmp_path):
    architecture = Architecture.named("vit2-w4")
    untrained = TrainingRecipe(epochs=0)
    (network,) = small_networks.networks(
        digits, [architecture], seeds=[1], recipe=untrained, root=tmp_path, progress=False
    )
    pixels = digits.pixels[:5]
    layers = small_networks.block_features(network.backbone, pixels, pool="average")
    module = network.backbone.module
    with torch.inference_mode():
        x = module.blocks[0](network.backbone.normalised(pixels))
        torch.testing.assert_close(layers["block01"], x.mean((1, 2)))
        for i in (1, 2):
            x = module.blocks[i](x)
        torch.testing.assert_close(layers["block03"], x.mean((1, 2)), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(
            layers["block03"], x.mean((2, 3))[:, : x.shape[3]].mean(1, keepdim=True)
        )  # the control
        expected = module.blocks[3](x).mean((1, 2))
        torch.testing.assert_close(
            module.forward_head(module.blocks(network.backbone.normalised(pixels)), pre_logits=True), expected
        )
    assert list(layers) == ["block01", "block02", "block03"]


def test_averaged_features_are_the_means_of_the_two_by_two_ones(digits, network):
    pixels = digits.pixels[:8]
    quarters, average = (
        small_networks.convolution_features(network.backbone, pixels, pool=pool) for pool in ("2x2", "average")
    )
    assert quarters["conv01"].shape == (8, 8)
    torch.testing.assert_close(average["conv01"], quarters["conv01"].view(8, 2, 4).mean(2), rtol=1e-5, atol=1e-6)


def test_a_small_network_is_a_backbone_like_any_other(digits, network):
    backbone = network.backbone
    run = torch_engine(LayerFeatures(backbone, ["penultimate"]), device=torch.device("cpu"), threads=1)
    (penultimate,) = run(digits.pixels[:9])
    logits = backbone.module(backbone.normalised(digits.pixels[:9]))
    torch.testing.assert_close(backbone.head_logits(penultimate), logits, rtol=1e-5, atol=1e-6)
    assert penultimate.shape == (9, backbone.n_features)
    assert torch.equal(backbone.transform(Image.new("RGB", (50, 40))), torch.zeros(3, 16, 16, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (torch.zeros(2, 3, 16, 16), {}, r"expected uint8 pixels of shape \(n_samples, 3, 16, 16\), got torch.float32"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), {}, r"of shape \(2, 3, 8, 8\)"),
        (torch.zeros(0, 3, 16, 16, dtype=torch.uint8), {}, r"of shape \(0, 3, 16, 16\)"),
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), {"pool": "max"}, "expected pool to be one of"),
    ],
)
def test_features_refuse_other_pixels(network, pixels, options, message):
    with pytest.raises(InputError, match=message):
        small_networks.convolution_features(network.backbone, pixels, **options)


def test_tasks_are_read_by_name_with_held_out_classes_first():
    images, others = small_networks.read_tasks("digits", ["digits"], id_classes=4, image_size=16)
    assert [task.task for task in (images, *others)] == ["digits[0-3]", "digits[4-9]", "digits"]
    assert {task.size for task in (images, *others)} == {16}
    alone, none = small_networks.read_tasks("digits", [], image_size=16)
    assert (alone.task, none) == ("digits", [])
