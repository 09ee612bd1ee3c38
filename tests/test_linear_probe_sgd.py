"""The published recipe: equal to a plain loop of torch, batched or not, and short of the minimum."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from reference_probes import classes_in_mixture, sgd_by_torch

from diffred_core import linear_probe
from diffred_core.errors import InputError
from diffred_core.linear_probe import PUBLISHED, SGDRecipe

SHORT = SGDRecipe(epochs=4, step_epochs=2, batch_size=16, weight_decay=1e-2)


@pytest.fixture
def task():
    return classes_in_mixture(50, 8, 3, separation=0.6, dtype=torch.float32)


@pytest.mark.parametrize("drop_last", [False, True])
def test_sgd_equals_a_plain_torch_loop(task, drop_last):
    X, y = task
    recipe, subsets = replace(SHORT, drop_last=drop_last), [[0, 3], [7], [1, 4], list(range(8))]
    batch = linear_probe.fit_sgd(X, y, subsets=subsets, recipe=recipe, seed=3, memory_bytes=3000)
    for j, subset in enumerate(subsets):
        weight, bias, steps = sgd_by_torch(X[:, subset], y, 3, recipe, seed=3)
        torch.testing.assert_close(batch[j].weight.float(), weight, rtol=0, atol=1e-5)
        torch.testing.assert_close(batch[j].bias.float(), bias, rtol=0, atol=1e-5)
        assert batch.iterations[j] == steps == (12 if drop_last else 16)
    other = linear_probe.fit_sgd(X, y, subsets=subsets, recipe=recipe, seed=4)
    assert not torch.allclose(other.weight, batch.weight, atol=1e-3)


def test_every_subset_can_have_its_own_seed(task):
    X, y = task
    batch = linear_probe.fit_sgd(X, y, subsets=[[0, 3], [0, 3]], recipe=SHORT, seed=[1, 2])
    for j, seed in enumerate([1, 2]):
        solo = linear_probe.fit_sgd(X, y, subsets=[0, 3], recipe=SHORT, seed=seed)
        torch.testing.assert_close(batch[j].weight, solo.weight, rtol=0, atol=1e-6)
    assert not torch.allclose(batch[0].weight, batch[1].weight, atol=1e-3)


def test_sgd_touches_no_global_generator(task):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    linear_probe.fit_sgd(*task, recipe=SHORT, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_the_certificate_is_the_gradient_with_decayed_bias(task):
    X, y = task
    probe = linear_probe.fit_sgd(X, y, recipe=SHORT, seed=0)
    parameters = [probe.weight.clone().requires_grad_(), probe.bias.clone().requires_grad_()]
    loss = torch.nn.functional.cross_entropy(X.double() @ parameters[0] + parameters[1], y)
    (loss + 1e-2 / 2 * sum(p.square().sum() for p in parameters)).backward()
    assert probe.gradient_norm.item() == pytest.approx(max(p.grad.abs().max().item() for p in parameters), rel=1e-6)
    assert not probe.converged
    longer = linear_probe.fit_sgd(X, y, recipe=SGDRecipe(400, 300, 50, 1e-1, lr=0.02), seed=0)
    assert longer.gradient_norm < probe.gradient_norm / 10


def test_published_recipes_are_those_of_the_released_scripts():
    shared = {(recipe.lr, recipe.momentum, recipe.decay) for recipe in PUBLISHED.values()}
    assert shared == {(0.1, 0.9, 0.1)}
    assert {name: (r.epochs, r.step_epochs, r.batch_size, r.weight_decay) for name, r in PUBLISHED.items()} == {
        "cifar": (50, 10, 256, 5e-4),
        "cifar_long": (100, 20, 256, 5e-4),
        "cifar_regularised": (20, 3, 1024, 5e-4),
        "flowers_pets": (50, 10, 256, 1e-4),
        "flowers_pets_long": (100, 20, 256, 1e-4),
        "flowers_pets_regularised": (20, 3, 1024, 1e-4),
        "imagenet": (25, 5, 512, 1e-4),
        "imagenet_resnet50": (10, 1, 512, 1e-4),
        "places": (50, 10, 1024, 5e-4),
        "places_resnet50": (50, 5, 1024, 5e-4),
    }


@pytest.mark.parametrize(
    ("task", "model", "n_train", "name"),
    [
        ("torchvision:CIFAR10", "resnet50.a1_in1k", 45000, "cifar_long"),
        ("torchvision:CIFAR10+noise:3", "resnet50.a1_in1k", 45000, "cifar_long"),
        ("torchvision:CIFAR100", "resnet50_l2_eps3@resnet50_l2_eps3.ckpt", 45000, "cifar_long"),
        ("torchvision:CIFAR100", "resnet18.tv_in1k", 45000, "cifar"),
        ("torchvision:CIFAR10", "wide_resnet50_2.tv_in1k", 45000, "cifar"),
        ("torchvision:CIFAR10", "resnet50d.a1_in1k", 45000, "cifar"),
        ("torchvision:CIFAR10", "resnet50_mrl1_ff2048", 45000, "cifar"),
        ("torchvision:CIFAR10", "r50_ff64", 45000, "cifar"),
        ("torchvision:CIFAR10", "resnet50_dropout_0.5", 45000, "cifar_regularised"),
        ("torchvision:Flowers102", "resnet50_decov", 1020, "flowers_pets_regularised"),
        ("torchvision:Flowers102", "resnet50.a1_in1k", 1020, "flowers_pets_long"),
        ("torchvision:OxfordIIITPet", "vgg16_bn.tv_in1k", 3312, "flowers_pets"),
        ("torchvision:OxfordIIITPet", "vit_small_patch16_224.augreg_in21k", 3312, "flowers_pets_long"),
        ("torchvision:OxfordIIITPet", "vit_small_patch16_224.augreg_in21k_ft_in1k", 3312, "flowers_pets"),
        ("torchvision:ImageNet", "resnet50.a1_in1k", 1153051, "imagenet_resnet50"),
        ("torchvision:ImageNet", "vit_small_patch16_224.augreg_in21k", 1153051, "imagenet"),
        ("torchvision:ImageNet", "resnet50_decov", 1153051, "imagenet"),
        ("torchvision:Places365", "resnet50.a1_in1k", 1623114, "places_resnet50"),
        ("torchvision:Places365", "resnet18.tv_in1k", 1623114, "places"),
        # tasks that the paper lacks: the published task of the nearest size, by ratio
        ("digits", "tf_efficientnet_lite0.in1k", 1078, "flowers_pets"),
        ("folder:birds", "resnet18.tv_in1k", 12207, "flowers_pets"),
        ("folder:birds", "resnet18.tv_in1k", 12209, "cifar"),
        ("folder:birds", "resnet18.tv_in1k", 227000, "cifar"),
        ("folder:birds", "resnet18.tv_in1k", 228000, "imagenet"),
        ("folder:birds", "resnet18.tv_in1k", 4000000, "places"),
    ],
)
def test_a_task_and_a_network_get_the_recipe_that_was_published_for_them(task, model, n_train, name):
    assert linear_probe.published_recipe(task, model, n_train=n_train) == name
    assert name in PUBLISHED


def test_an_own_recipe_is_written_in_four_numbers():
    assert linear_probe.sgd_recipe("100/20/256/5e-4") == PUBLISHED["cifar_long"]
    assert linear_probe.sgd_recipe("20/3/1024/0.0001") == PUBLISHED["cifar_regularised"].__class__(20, 3, 1024, 1e-4)
    assert linear_probe.sgd_recipe("places") is PUBLISHED["places"]
    for unknown in ("cifra", "20/3/1024", "pretrained", "1/2/3/x"):
        with pytest.raises(
            InputError, match=rf"expected a recipe of cifar, .*such as 100/20/256/5e-4, got '{unknown}'"
        ):
            linear_probe.sgd_recipe(unknown)


def test_the_trace_of_a_recipe_is_what_its_training_did(task):
    X, y = task
    recipe = SGDRecipe(epochs=5, step_epochs=2, batch_size=16, weight_decay=1e-2)
    probe = linear_probe.fit_sgd(X, y, recipe=recipe, seed=0)
    trace = linear_probe.recipe_trace(recipe, steps=int(probe.iterations))
    assert trace["learning_rates"] == pytest.approx({"0": 0.1, "2": 0.01, "4": 0.001})
    assert (trace["steps"], trace["steps_per_epoch"], trace["epochs"]) == (20, 4, 5)  # 50 rows in batches of 16
    assert (trace["weight_decay"], trace["batch_size"]) == (1e-2, 16)
    # as published: four steps an epoch on the 1,020 rows of Flowers, one at batch size 1,024
    Z, labels = torch.randn(1020, 2, generator=torch.Generator().manual_seed(0)), torch.arange(1020) % 3
    for name, per_epoch in (("flowers_pets", 4), ("flowers_pets_regularised", 1)):
        steps = int(linear_probe.fit_sgd(Z, labels, recipe=PUBLISHED[name], seed=0).iterations)
        assert linear_probe.recipe_trace(PUBLISHED[name], steps=steps)["steps_per_epoch"] == per_epoch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": [1, 2]}, "one for each of 1 subsets, got 2"),
        ({"seed": 0, "recipe": replace(SHORT, batch_size=64, drop_last=True)}, "at least recipe.batch_size=64 rows"),
        ({"seed": 0, "recipe": replace(SHORT, epochs=0)}, "expected recipe.epochs above 0"),
        ({"seed": 0, "n_classes": 2}, "class indices below n_classes=2 in y, got 2"),
    ],
)
def test_bad_input_is_named(task, options, message):
    with pytest.raises(InputError, match=message):
        linear_probe.fit_sgd(*task, **({"recipe": SHORT} | options))


@pytest.mark.parametrize("n_classes", [3, 5])
def test_one_class_is_refused(task, n_classes):
    with pytest.raises(InputError, match="at least two classes in y, got one; add rows of another class"):
        linear_probe.fit_sgd(task[0], torch.full_like(task[1], 2), recipe=SHORT, seed=0, n_classes=n_classes)


def test_a_class_without_rows_is_predicted_nowhere(task):
    X, y = task
    probe = linear_probe.fit_sgd(X, y, recipe=SHORT, seed=0, n_classes=4)
    assert set(probe.predict(X).tolist()) == {0, 1, 2}
