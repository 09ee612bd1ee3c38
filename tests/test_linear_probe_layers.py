"""The protocol on every layer: each cell equal to its own slow run, test rows out of reach of every choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from reference_probes import classes_in_mixture
from reference_tunnel import adamw_by_torch, ridge_protocol

from diffred_core import linear_probe, moments
from diffred_core.errors import InputError
from diffred_core.linear_probe import PUBLISHED_TUNNEL, AdamWRecipe, SGDRecipe

SPLITS = {"train": slice(0, 80), "validation": slice(80, 130), "test": slice(130, 180)}
SHORT = AdamWRecipe(lr=0.02, epochs=4, batch_size=16)
L2 = [1e-4, 1e-2, 1e0]


def scaled(known):
    return replace(known, gram=4 * known.gram)


def cut(rows):
    return {split: rows[part] for split, part in SPLITS.items()}


@pytest.fixture(scope="module")
def data():
    X, y = classes_in_mixture(180, 12, 3, separation=0.3, dtype=torch.float32)
    shuffled = y[torch.randperm(180, generator=torch.Generator().manual_seed(0))]
    wide = X @ torch.randn(12, 150, generator=torch.Generator().manual_seed(1)) + 2
    layers = {"first": cut(0.01 * X[:, :5]), "second": cut(X[:, 5:10]), "wide": cut(wide), "last": cut(X)}
    targets = {"task": cut(y), "two classes": cut((y == 0).long()), "shuffled": cut(shuffled)}
    return layers, targets


@pytest.fixture(scope="module")
def probes(data):
    return linear_probe.probe_layers(*data, l2=L2)


def test_every_cell_equals_a_refit_with_scikit_learn(data, probes):
    layers, targets = data
    for i, X in enumerate(layers.values()):
        for j, y in enumerate(targets.values()):
            accuracy, l2, validation = ridge_protocol(X, y, L2)
            assert probes.accuracy[i, j].item() == pytest.approx(accuracy)
            assert probes.validation_accuracy[i, j].item() == pytest.approx(validation)
            assert probes.l2[i, j].item() == pytest.approx(l2, rel=1e-5)


def test_moments_at_hand_and_one_layer_at_a_time_change_nothing(data, probes):
    layers, targets = data
    known = {name: moments.from_features(X["train"].double(), quartic=False) for name, X in layers.items()}
    one_by_one = [linear_probe.probe_layers({n: X}, targets, l2=L2, moments=known) for n, X in layers.items()]
    joined = linear_probe.LayerProbes.joined(one_by_one)
    assert (joined.layers, joined.targets) == (probes.layers, probes.targets)
    for name in ("accuracy", "validation_accuracy", "at_edge", "correct", "validation_correct"):
        assert torch.equal(getattr(joined, name), getattr(probes, name)), name
    torch.testing.assert_close(joined.l2, probes.l2)
    # the control: moments of another layer are seen
    wrong = linear_probe.probe_layers({"last": layers["last"]}, targets, l2=L2, moments={"last": scaled(known["last"])})
    assert not torch.allclose(wrong.l2, probes.l2[3:])


def test_validation_rows_that_are_right_are_those_of_the_chosen_probe(data, probes):
    layers, targets = data
    torch.testing.assert_close(probes.validation_correct.double().mean(-1), probes.validation_accuracy)
    predicted = probes.probes["last", "task"].predict(layers["last"]["validation"])
    assert torch.equal(probes.validation_correct[3, 0], predicted == targets["task"]["validation"])


def test_predictions_do_not_depend_on_how_many_scores_are_held(data, monkeypatch):
    X, y = data[0]["last"], data[1]["task"]
    subsets = [[0, 3, 5], [1, 2], list(range(12))]
    known = moments.from_features(X["train"].double(), y["train"], quartic=False)
    path = linear_probe.fit_ridge(known, subsets=subsets, l2=L2)
    together = path.predict(X["test"])
    for i, j in product(range(len(L2)), range(len(subsets))):
        assert torch.equal(together[i, j], path[i, j].predict(X["test"]))
    monkeypatch.setattr("diffred_core.linear_probe._probe._SCORES_BYTES", 1)
    assert torch.equal(path.predict(X["test"]), together)
    assert not torch.equal(together[0, 0], together[0, 2])


def test_more_features_than_rows_and_few_features_share_one_protocol(data, probes):
    assert data[0]["wide"]["train"].shape == (80, 150)
    assert probes.converged.all()
    assert (probes.gradient_norm < 1e-6).all()


def test_shuffled_labels_are_at_chance_and_true_ones_above(probes):
    task, shuffled = probes.accuracy[:, 0], probes.accuracy[:, 2]
    assert (task[2:] > 0.5).all()
    assert (shuffled < 1 / 3 + 0.2).all()


def test_targets_together_equal_each_alone(data, probes):
    layers, targets = data
    for j, (name, y) in enumerate(targets.items()):
        alone = linear_probe.probe_layers(layers, {name: y}, l2=L2)
        assert torch.equal(alone.accuracy[:, 0], probes.accuracy[:, j])
        torch.testing.assert_close(alone.l2[:, 0], probes.l2[:, j])
        torch.testing.assert_close(
            alone.probes["last", name].weight, probes.probes["last", name].weight, rtol=0, atol=1e-9
        )


def test_the_scale_and_offset_of_a_layer_change_nothing(data, probes):
    layers, targets = data
    moved = {"last": {split: 64 * X + 8 for split, X in layers["last"].items()}}
    found = linear_probe.probe_layers(moved, targets, l2=L2)
    assert torch.equal(found.accuracy[0], probes.accuracy[3])
    torch.testing.assert_close(found.l2[0], 64**2 * probes.l2[3], rtol=1e-5, atol=0)


def test_every_device_gives_the_same_cells(data, probes, device):
    layers, targets = ({key: {s: t.to(device) for s, t in one.items()} for key, one in part.items()} for part in data)
    found = linear_probe.probe_layers(layers, targets, l2=L2)
    assert found.accuracy.device.type == device.type
    torch.testing.assert_close(found.l2.cpu(), probes.l2, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.accuracy.cpu(), probes.accuracy, rtol=0, atol=0.021)
    curves = linear_probe.probe_layers_by_epoch(layers, targets, recipe=SHORT, seeds=[5])
    plain = linear_probe.probe_layers_by_epoch(*data, recipe=SHORT, seeds=[5])
    torch.testing.assert_close(curves.test, plain.test, rtol=0, atol=0.021)


def test_test_rows_have_no_way_into_the_choice(data, probes):
    layers, targets = data
    spoiled = {
        name: {**X, "test": torch.randn(50, X["test"].shape[1], generator=torch.Generator().manual_seed(9))}
        for name, X in layers.items()
    }
    found = linear_probe.probe_layers(spoiled, targets, l2=L2)
    assert torch.equal(found.l2, probes.l2)
    assert torch.equal(found.validation_accuracy, probes.validation_accuracy)
    assert not torch.equal(found.accuracy, probes.accuracy)


def test_the_kept_probes_and_hits_give_the_accuracies(data, probes):
    layers, targets = data
    assert probes.correct.shape == (4, 3, 50)
    torch.testing.assert_close(probes.correct.double().mean(-1), probes.accuracy)
    for (layer, target), probe in probes.probes.items():
        i, j = probes.layers.index(layer), probes.targets.index(target)
        assert probe.accuracy(layers[layer]["test"], targets[target]["test"]) == probes.accuracy[i, j]
        assert probe.l2 == probes.l2[i, j]


def test_edges_of_the_grid_are_flagged(data, probes):
    scale = torch.tensor([float(X["train"].double().var(0, correction=0).mean()) for X in data[0].values()])
    relative = probes.l2 / scale[:, None]
    outermost = (relative < 2e-4) | (relative > 0.5)
    # the inner one of three values alone: where it does as well as the chosen end, that end is no edge
    inner = linear_probe.probe_layers(*data, l2=L2[1])
    torch.testing.assert_close(probes.at_edge, outermost & (inner.validation_accuracy < probes.validation_accuracy))
    assert probes.at_edge.any()
    assert not probes.at_edge.all()
    assert linear_probe.probe_layers(*data, l2=0.1).at_edge.all()


def test_logistic_cells_are_those_of_fit_logistic(data):
    layers, targets = data
    found = linear_probe.probe_layers({"second": layers["second"]}, targets, method="logistic", l2=L2)
    X = layers["second"]
    scale = float(X["train"].double().var(0, correction=0).mean())
    for j, y in enumerate(targets.values()):
        path = linear_probe.fit_logistic(X["train"], y["train"], l2=[value * scale for value in L2])
        chosen, _ = linear_probe.choose_l2(path, X["validation"], y["validation"])
        assert found.accuracy[0, j] == chosen.accuracy(X["test"], y["test"])
        assert found.l2[0, j].item() == pytest.approx(chosen.l2.item(), rel=1e-5)
    assert found.converged.all()


def test_low_rank_float32_layers_are_solved_at_the_smallest_default_l2():
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(180, 4, generator=draw) @ torch.randn(4, 40, generator=draw)
    y = (X[:, 0] > 0).long()
    found = linear_probe.probe_layers({"low rank": cut(X)}, {"sign": cut(y)})
    assert found.converged.all()
    assert found.accuracy > 0.9


# --- the published protocol ---


def test_adamw_equals_a_plain_torch_loop():
    X, y = classes_in_mixture(70, 8, 3, separation=0.6, dtype=torch.float32)
    recipe = replace(SHORT, weight_decay=0.1)
    batch = linear_probe.fit_adamw(X, y, subsets=[[0, 3], [7, 1], list(range(8))], recipe=recipe, seed=3)
    for j, subset in enumerate([[0, 3], [7, 1], list(range(8))]):
        weight, bias = adamw_by_torch(X[:, subset], y, 3, recipe, seed=3)[-1]
        torch.testing.assert_close(batch[j].weight.float(), weight.T, rtol=0, atol=1e-5)
        torch.testing.assert_close(batch[j].bias.float(), bias, rtol=0, atol=1e-5)
    assert (batch.iterations == 20).all()
    without = linear_probe.fit_adamw(X, y, recipe=replace(recipe, label_smoothing=0.0), seed=3)
    assert not torch.allclose(without.weight, batch[2].weight, atol=1e-3)


def test_the_certificate_of_adamw_is_the_gradient_of_the_smoothed_loss():
    X, y = classes_in_mixture(70, 8, 3, separation=0.6, dtype=torch.float32)
    probe = linear_probe.fit_adamw(X, y, recipe=SHORT, seed=0)
    parameters = [probe.weight.clone().requires_grad_(), probe.bias.clone().requires_grad_()]
    logits = X.double() @ parameters[0] + parameters[1]
    torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1).backward()
    assert probe.gradient_norm.item() == pytest.approx(max(p.grad.abs().max().item() for p in parameters), rel=1e-6)
    assert not probe.converged


def test_epoch_curves_equal_the_accuracies_of_plain_loops(data):
    layers, targets = data
    curves = linear_probe.probe_layers_by_epoch(layers, targets, recipe=SHORT, seeds=[5, 6])
    assert curves.test.shape == (4, 3, 2, 4)
    for i, X in enumerate(layers.values()):
        for j, y in enumerate(targets.values()):
            for s, seed in enumerate(curves.seeds):
                found = adamw_by_torch(X["train"], y["train"], 2 if j == 1 else 3, SHORT, seed=seed)
                for split, curve in (("validation", curves.validation), ("test", curves.test)):
                    hits = [((X[split] @ W.T + b).argmax(1) == y[split]).double().mean() for W, b in found]
                    # a row on the fence may fall to either side
                    torch.testing.assert_close(curve[i, j, s], torch.stack(hits), rtol=0, atol=0.021)


def test_optimism_is_what_the_best_test_epoch_has_over_the_best_validation_epoch():
    validation, test = torch.tensor([[0.1, 0.5, 0.5, 0.4]]), torch.tensor([[0.2, 0.3, 0.6, 0.7]])
    curves = linear_probe.EpochCurves(("a",), ("b",), (0,), validation[None, None], test[None, None], 4)
    assert curves.selected.item() == pytest.approx(0.3)
    assert curves.as_published.item() == pytest.approx(0.7)
    assert curves.optimism.item() == pytest.approx(0.4)


def test_optimism_is_never_negative_and_appears_even_for_labels_without_meaning(data):
    curves = linear_probe.probe_layers_by_epoch(*data, recipe=replace(SHORT, epochs=10), seeds=range(3))
    assert (curves.optimism >= 0).all()
    assert curves.optimism[:, 2].mean() > 0


def test_any_recipe_can_be_followed_by_epoch(data):
    layers, targets = data
    recipe = SGDRecipe(3, 2, 16, 1e-2)
    curves = linear_probe.probe_layers_by_epoch(layers, targets, recipe=recipe, seeds=[1])
    probe = linear_probe.fit_sgd(layers["last"]["train"], targets["task"]["train"], recipe=recipe, seed=1)
    assert curves.test[3, 0, 0, -1] == probe.accuracy(layers["last"]["test"], targets["task"]["test"])


def test_published_tunnel_recipes_are_those_of_the_paper():
    cnn, vit = PUBLISHED_TUNNEL["cnn"], PUBLISHED_TUNNEL["vit"]
    assert (cnn.lr, cnn.weight_decay, cnn.batch_size, cnn.epochs, cnn.label_smoothing) == (1e-3, 0.0, 128, 30, 0.1)
    assert (vit.lr, vit.weight_decay, vit.batch_size) == (1e-2, 1e-4, 512)
    assert {(r.init_std, r.betas, r.reshuffle) for r in PUBLISHED_TUNNEL.values()} == {(0.01, (0.9, 0.999), False)}
    zoo, small_rate = PUBLISHED_TUNNEL["pretrained"], PUBLISHED_TUNNEL["pretrained_swav_convnext"]
    assert {(r.batch_size, r.weight_decay, r.epochs) for r in (zoo, small_rate)} == {(512, 0.0, 30)}
    assert (zoo.lr, small_rate.lr) == (5e-4, 3e-5)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet50.tv2_in1k", "pretrained"),
        ("vit_base_patch16_224.dino", "pretrained"),
        ("tf_efficientnet_lite0.in1k", "pretrained"),
        ("convnextv2_base.fcmae_ft_in1k", "pretrained_swav_convnext"),
        ("convnext_base.fb_in1k", "pretrained_swav_convnext"),
        ("swav_800ep@swav_800ep_pretrain.pth.tar", "pretrained_swav_convnext"),
    ],
)
def test_a_pretrained_network_gets_the_recipe_of_its_family(model, name):
    assert linear_probe.published_tunnel_recipe(model) == name
    assert linear_probe.tunnel_recipe(name) is PUBLISHED_TUNNEL[name]


def test_an_unknown_tunnel_recipe_is_named():
    with pytest.raises(
        InputError, match=r"expected a recipe of cnn, vit, .*got 'pretraned'; did you mean 'pretrained'"
    ):
        linear_probe.tunnel_recipe("pretraned")


def test_training_touches_no_global_generator(data):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    linear_probe.probe_layers_by_epoch(*data, recipe=replace(SHORT, epochs=1), seeds=[1])
    assert torch.equal(before, torch.get_rng_state())


# --- bad input ---


def spoiled(data, kind, name, split, value):
    layers, targets = ({key: dict(splits) for key, splits in part.items()} for part in data)
    {"layers": layers, "targets": targets}[kind][name][split] = value
    return layers, targets


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("layers", "wide", "test", torch.ones(49, 150)),
            "same rows in every layer of split 'test', got 50 in 'first'",
        ),
        (("layers", "last", "test", torch.ones(50, 11)), "layers\\['last'\\]\\['test'\\] with 12 features.*got 11"),
        (
            ("layers", "last", "train", torch.full((80, 12), torch.nan)),
            "finite values in layers\\['last'\\]\\['train'\\]",
        ),
        (("layers", "last", "train", torch.ones(80, 12)), "features that vary in layers\\['last'\\]"),
        (
            ("targets", "task", "test", torch.full((50,), 3)),
            "below n_classes=3 in targets\\['task'\\]\\['test'\\], got 3",
        ),
        (
            ("targets", "task", "train", torch.zeros(80).long()),
            "at least two classes in targets\\['task'\\]\\['train'\\]",
        ),
        (("targets", "task", "train", torch.full((80,), 3)), "at least two classes in targets"),
        (
            ("targets", "task", "validation", torch.zeros(9).long()),
            "targets\\['task'\\]\\['validation'\\] of shape \\(50,\\)",
        ),
        (("targets", "task", "train", torch.zeros(80)), "of integer class indices"),
    ],
)
def test_data_that_do_not_fit_are_named(data, change, message):
    with pytest.raises(InputError, match=message):
        linear_probe.probe_layers(*spoiled(data, *change), l2=L2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: linear_probe.probe_layers({}, y), "at least one entry in layers"),
        (lambda X, y: linear_probe.probe_layers(X, {}), "at least one entry in targets"),
        (lambda X, y: linear_probe.probe_layers(X, y["task"]), "in targets\\['train'\\], got Tensor"),
        (
            lambda X, y: linear_probe.probe_layers({"a": {"train": X["last"]["train"]}}, y),
            "'test' in layers\\['a'\\], got 'train'; hold out validation rows",
        ),
        (lambda X, y: linear_probe.probe_layers(X, y, method="lda"), "'ridge' or 'logistic', got 'lda'"),
        (lambda X, y: linear_probe.probe_layers(X, y, l2=[0.0, 1.0]), "above 0 in l2"),
        (lambda X, y: linear_probe.probe_layers(X, y, l2=[[1.0]]), "as a number or \\(n_l2,\\), got shape \\(1, 1\\)"),
        (lambda X, y: linear_probe.probe_layers_by_epoch(X, y, seeds=[]), "at least one of seeds"),
        (
            lambda X, y: linear_probe.probe_layers_by_epoch(X, y, seeds=[0], recipe=replace(SHORT, lr=0)),
            "recipe.lr above 0",
        ),
        (
            lambda X, y: linear_probe.probe_layers_by_epoch(X, y, seeds=[0], recipe=replace(SHORT, label_smoothing=1)),
            "recipe.label_smoothing in \\[0, 1\\), got 1",
        ),
    ],
)
def test_bad_options_are_named(data, call, message):
    with pytest.raises(InputError, match=message):
        call(*data)
