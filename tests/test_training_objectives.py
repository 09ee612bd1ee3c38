"""Losses and regularisers against their slow twins, composed by name, and what each does to a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import reference_training as reference
import torch

from diffred_core import datasets, small_networks
from diffred_core.errors import InputError
from diffred_core.small_networks import Architecture, Images, TrainingObjective, TrainingRecipe
from diffred_core.small_networks._attack import attacked
from diffred_core.small_networks._heads import CosineHead, MatryoshkaHead, prefix_sizes
from diffred_core.small_networks._losses import LOSSES, PENALTIES, dropped
from diffred_core.small_networks._network import SmallNetwork
from diffred_core.small_networks._objective import STRENGTHS

TINY = Architecture(depth=11, width=2)
QUICK = TrainingRecipe(epochs=2, batch_size=32, objective=TrainingObjective())


@pytest.fixture(scope="module")
def digits() -> Images:
    """Real digits of three classes at 16 pixels."""
    return Images.of(datasets.load("digits"), size=16).of_classes([0, 1, 2])


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    features, logits = (torch.randn(7, n, generator=generator) for n in (5, 4))
    return features, logits, torch.randint(0, 4, (7,), generator=generator)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("cross_entropy", reference.cross_entropy),
        ("cosine_softmax", reference.cross_entropy),
        ("label_smoothing", lambda logits, y: reference.cross_entropy(logits, y, 0.1)),
        ("squared_error", reference.squared_error),
    ],
)
def test_a_loss_is_its_slow_twin(batch, name, twin):
    _, logits, y = batch
    assert float(LOSSES[name](logits, y)) == pytest.approx(twin(logits, y), rel=1e-5)
    assert float(LOSSES[name](logits, y)) != pytest.approx(twin(logits, (y + 1) % 4), rel=1e-2)  # the control


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_its_slow_twin(batch, name):
    features, logits, _ = batch
    expected = getattr(reference, name)(features, logits)
    assert float(PENALTIES[name](features, logits)) == pytest.approx(expected, rel=1e-5)
    changed = {"features": features * torch.tensor([3.0, 1, 1, 1, 1]), "logits": 2 * logits}
    assert float(PENALTIES[name](**changed)) != pytest.approx(expected, rel=1e-2)  # the control


def test_decov_of_uncorrelated_features_is_zero():
    features = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert float(PENALTIES["decov"](features, features)) == 0
    assert float(PENALTIES["decov"](features[:, :1].expand(-1, 2), features)) == 1  # the control: one feature twice


def test_two_equal_rows_leave_the_entropy_finite():
    features = torch.ones(4, 3, requires_grad=True)
    value = PENALTIES["koleo"](features, features)
    value.backward()
    assert value.isfinite()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_dropout_keeps_the_mean_and_its_draws():
    features = torch.ones(2000, 3)
    found = dropped(features, 0.25, torch.Generator().manual_seed(1))
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(found.mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(found, dropped(features, 0.25, torch.Generator().manual_seed(1)))
    assert not torch.equal(found, dropped(features, 0.25, torch.Generator().manual_seed(2)))


def test_cosine_logits_are_cosines_and_prefix_logits_read_prefixes(batch):
    features, _, _ = batch
    cosine = CosineHead(5, 4)
    torch.nn.init.normal_(cosine.linear.weight, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        cosine(features), torch.tensor(reference.cosine_logits(features, cosine.linear.weight.detach()))
    )
    torch.testing.assert_close(cosine(features), cosine(3 * features))
    assert prefix_sizes(2048) == [2048, 1024, 512, 256, 128, 64, 32, 16, 8]  # Kusupati et al. 2022
    assert (prefix_sizes(24), prefix_sizes(12)) == ([24, 12], [12])
    nested, wide = MatryoshkaHead(20, 4), torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    for linear in nested.linear:
        torch.nn.init.normal_(linear.weight, generator=torch.Generator().manual_seed(0))
        torch.nn.init.zeros_(linear.bias)
    whole, half = nested.of_prefixes(wide)
    assert torch.equal(whole, nested(wide))
    changed = torch.cat([wide[:, :10], torch.zeros(3, 10)], dim=1)
    assert torch.equal(nested.of_prefixes(changed)[1], half)
    assert not torch.equal(nested(changed), whole)  # the control: the whole reads the rest


def test_an_attack_is_its_slow_twin_and_stays_in_its_ball():
    generator = torch.Generator().manual_seed(0)
    pixels, weight = torch.rand(6, 3, 2, 2, generator=generator), torch.randn(4, 12, generator=generator)
    y = torch.randint(0, 4, (6,), generator=generator)
    found = attacked(lambda x: x.flatten(1) @ weight.T, pixels, y, eps=0.4, steps=3)
    torch.testing.assert_close(found.double(), reference.attack_of_linear(pixels, weight, y, 0.4, 3))
    assert float((found - pixels).flatten(1).norm(dim=1).max()) <= 0.4 + 1e-6
    assert 0 <= float(found.min()) <= float(found.max()) <= 1

    def loss(x):
        return float(LOSSES["cross_entropy"](x.flatten(1) @ weight.T, y))

    aside = torch.randn(pixels.shape, generator=generator)
    aside = (pixels + 0.4 * aside / aside.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    assert loss(found) > loss(aside) + 0.1 > loss(pixels) - 1  # the control: as long a step in a random direction


# ---- by name


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("cross_entropy", TrainingObjective()),
        ("dropout:0.2", TrainingObjective(regularisers=(("dropout", 0.2),))),
        ("squared_error+decov:0.01", TrainingObjective("squared_error", (("decov", 0.01),))),
        (
            "label_smoothing+dropout:0.5+koleo:1",
            TrainingObjective("label_smoothing", (("dropout", 0.5), ("koleo", 1.0))),
        ),
    ],
)
def test_an_objective_has_one_name(name, objective):
    assert TrainingObjective.named(name) == objective
    assert objective.name == name


def test_a_regulariser_without_a_number_has_its_own_strength():
    for name, strength in STRENGTHS.items():
        assert TrainingObjective.named(name).strength(name) == strength
        assert TrainingObjective.named(name).name == f"{name}:{strength:g}"
    assert TrainingObjective.named("cross_entropy+dropout") == TrainingObjective.named("dropout")
    assert [TrainingObjective.named(name).head for name in ("dropout", "cosine_softmax", "matryoshka")] == [
        *("linear", "cosine", "matryoshka")
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: TrainingObjective.named("hinge"),
            r"expected loss or regulariser to be one of cross_entropy, .*, got 'hinge'",
        ),
        (
            lambda: TrainingObjective("hinge"),
            r"expected loss to be one of cross_entropy, label_smoothing, .*, got 'hinge'",
        ),
        (lambda: TrainingObjective.named("drop_out"), r"got 'drop_out'; did you mean 'dropout'"),
        (
            lambda: TrainingObjective(regularisers=(("l3", 1),)),
            r"expected regulariser to be one of dropout, .*, got 'l3'",
        ),
        (
            lambda: TrainingObjective.named("dropout:much"),
            r"expected a number behind the colon of 'dropout:much', got 'much'",
        ),
        (lambda: TrainingObjective.named("dropout:1"), r"expected strength of dropout in \(0, 1\), got 1.0"),
        (lambda: TrainingObjective.named("decov:-1"), r"expected strength of decov above 0, got -1.0"),
        (
            lambda: TrainingObjective.named("decov+decov"),
            r"expected each regulariser once, .* got 'decov:0.1\+decov:0.1'",
        ),
        (
            lambda: TrainingObjective.named("cosine_softmax+matryoshka"),
            r"one kind of classifier, got 'cosine_softmax\+mat",
        ),
        (
            lambda: TrainingObjective.named("squared_error+cross_entropy"),
            r"at most one loss in 'squared_error\+cross_ent",
        ),
        (lambda: Architecture.named("vgg"), r"expected architecture as FAMILY, .*, got 'vgg'; families are vggm, res"),
        (lambda: Architecture.named("mlp2-w8"), r"expected architecture.family to be one of vggm, resnet, vit, got"),
        (lambda: Architecture.named("vit3-w8"), r"expected depth of a vit to be one of 2, 4, 6, 12, got 3"),
        (lambda: Architecture.named("resnet10-w8-late"), r"expected early_pooling of a resnet, got False"),
    ],
)
def test_what_is_not_known_is_refused_with_the_choices(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ---- networks of every kind


@pytest.mark.parametrize("name", ["vggm11-w2", "vggm17-w2-late", "resnet10-w2", "resnet18-w3", "vit2-w4", "vit4-w13"])
def test_every_architecture_has_a_name_and_is_a_backbone(name, digits):
    architecture = Architecture.named(name)
    assert architecture.name == name
    images = replace(digits, splits={split: rows[:40] for split, rows in digits.splits.items()})
    trained = small_networks.train(images, architecture, recipe=replace(QUICK, epochs=1), seed=0)
    backbone = small_networks._cache.as_backbone(trained, architecture, seed=0, size=16)
    x = backbone.normalised(images.pixels[:9])
    assert backbone.n_features == architecture.n_features == 8 * architecture.width
    assert backbone.features(x).shape == (9, backbone.n_features)
    torch.testing.assert_close(backbone.head_logits(backbone.features(x)), backbone.module(x))


def test_the_published_resnet_has_the_published_number_of_parameters():
    module = SmallNetwork(Architecture.named("resnet18-w64"), 10, seed=0)
    millions = sum(p.numel() for p in module.parameters()) / 1e6
    assert millions == pytest.approx(11.17, abs=0.01)  # ResNet-18 for small images, of 10 classes


def test_tokens_know_their_place():
    """A ViT tells an image from the same patches in another order; without places it could not."""
    module = SmallNetwork(Architecture.named("vit2-w4"), 3, seed=0).eval()
    image = torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    moved = image.roll(4, 3)
    assert not torch.allclose(module(image), module(moved), atol=1e-4)
    module.blocks[0] = _Unplaced(module.blocks[0])
    torch.testing.assert_close(module(image), module(moved), rtol=1e-4, atol=1e-5)  # the control


class _Unplaced(torch.nn.Module):
    def __init__(self, patches):
        super().__init__()
        self.patches = patches

    def forward(self, images):
        return self.patches(images) - self.patches(torch.zeros_like(images))


@pytest.mark.parametrize("name", ["squared_error", "cosine_softmax", *STRENGTHS])
def test_every_objective_learns_and_leaves_another_network(digits, name):
    recipe = replace(QUICK, epochs=4, objective=TrainingObjective.named(name))
    (plain, found) = (
        small_networks.train(digits, replace(TINY, width=4), recipe=one, seed=0)
        for one in (replace(recipe, objective=TrainingObjective()), recipe)
    )
    pixels, y = digits.split("test")
    x = small_networks._cache.as_backbone(found, TINY, seed=0, size=16).normalised(pixels)
    assert float((found.module(x).argmax(1) == y).double().mean()) > 0.8
    weights = [trained.module.blocks[0].convolution.weight for trained in (plain, found)]
    assert not torch.equal(*weights)


def test_networks_of_one_seed_start_alike_and_see_the_same_images(digits, monkeypatch):
    """What a regulariser draws changes neither the first weights nor the order of the images."""
    seen: dict[str, list] = {}
    augmented = small_networks._train.augmented
    for name in ("cross_entropy", "dropout"):
        calls = seen.setdefault(name, [])
        monkeypatch.setattr(
            small_networks._train, "augmented", lambda pixels, *a, to=calls: to.append(pixels) or augmented(pixels, *a)
        )
        small_networks.train(digits, TINY, recipe=replace(QUICK, objective=TrainingObjective.named(name)), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(*seen.values(), strict=True))
    first = [SmallNetwork(TINY, 3, seed=3, head=head).state_dict() for head in ("linear", "matryoshka", "cosine")]
    trunk = [name for name in first[0] if name.startswith("blocks")]
    assert all(torch.equal(first[0][name], other[name]) for other in first[1:] for name in trunk)


def test_adversarial_training_makes_networks_that_are_harder_to_fool(digits):
    accuracy = {}
    for name in ("cross_entropy", "adversarial:1"):
        recipe = replace(QUICK, epochs=6, objective=TrainingObjective.named(name))
        trained = small_networks.train(digits, replace(TINY, width=4), recipe=recipe, seed=0)
        backbone = small_networks._cache.as_backbone(trained, TINY, seed=0, size=16)
        pixels, y = digits.split("test")
        found = small_networks.adversarial_pixels(
            trained.module, pixels, y, normalised=backbone.normalised, eps=1.0, steps=5
        )
        accuracy[name] = float((backbone.module(backbone.normalised(found)).argmax(1) == y).double().mean())
    assert accuracy["adversarial:1"] > accuracy["cross_entropy"] + 0.1
