"""Extractors and tunnels of two stages put together: what they answer, and how it is judged where a tunnel begins."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffred_core import datasets, drawing, results, small_networks
from diffred_core.chapters import depth
from diffred_core.chapters.depth.sweep_swap import SECOND
from diffred_core.errors import InputError
from diffred_core.small_networks import Architecture, Images, TrainingRecipe

RECIPE = TrainingRecipe(epochs=2, batch_size=32)
NAME = "vggm11-w2"


@pytest.fixture(scope="module")
def tasks():
    every = Images.of(datasets.load("digits"), size=16, most={"train": 400, "validation": 100, "test": 100})
    first, (second,) = every.hold_out(5)
    return first, second


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def table(tasks, root):
    return depth.tunnel_swap(*tasks, architecture=NAME, n_seeds=2, recipe=RECIPE, root=root, progress=False)


def stages(tasks, root, seed=0):
    """Return the networks of both stages, read back."""
    options = {"recipe": RECIPE, "root": root, "progress": False}
    (one,) = small_networks.networks(tasks[0], [Architecture.named(NAME)], seeds=[seed], **options)
    (two,) = small_networks.networks(tasks[1], [Architecture.named(NAME)], seeds=[seed + SECOND], start=one, **options)
    return one, two


def value(table, method, task, layer, seed=0):
    rows = table[(table["metric"] == "accuracy_of_parts") & (table["method"] == method) & (table["seed"] == seed)]
    return rows[(rows["task"] == task.task) & (rows["layer"] == layer)]["value"].item()


def test_parts_put_together_by_hand_are_those_of_the_table(table, tasks, root):
    one, two = (network.backbone.module for network in stages(tasks, root))
    normalised = stages(tasks, root)[0].backbone.normalised
    for task, head in zip(tasks, (one.head, two.head), strict=True):
        pixels, y = task.split("test")
        for cut in (1, 6, 9):
            mixed = torch.nn.Sequential(*one.blocks[:cut], *two.blocks[cut:])
            with torch.inference_mode():
                right = head(mixed(normalised(pixels)).mean((2, 3))).argmax(1) == y
            expected = right.double().mean().item()
            assert value(table, "E1+T2", task, f"conv{cut:02d}") == pytest.approx(expected)
        with torch.inference_mode():
            whole = head(one.blocks(normalised(pixels)).mean((2, 3))).argmax(1) == y
        assert value(table, "E1+T1", task, "conv10") == pytest.approx(whole.double().mean().item())


def test_the_second_stage_starts_from_the_trunk_of_the_first(tasks, root):
    one, _ = stages(tasks, root)
    still = small_networks.train(
        tasks[1], one.architecture, recipe=TrainingRecipe(epochs=0, batch_size=32), seed=5, start=one.backbone
    )
    before, after = one.backbone.module.blocks.state_dict(), still.module.blocks.state_dict()
    weights = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(before[name], after[name]) for name in weights)
    assert still.mean == one.backbone.mean
    alone = small_networks.train(tasks[1], one.architecture, recipe=TrainingRecipe(epochs=0, batch_size=32), seed=5)
    assert not torch.equal(before[weights[0]], alone.module.blocks.state_dict()[weights[0]])  # the control
    assert torch.equal(still.module.head.weight, alone.module.head.weight)


def test_networks_of_another_start_are_others(tasks, root):
    _, two = stages(tasks, root)
    alone = small_networks.networks(
        tasks[1], [two.architecture], seeds=[two.seed], recipe=RECIPE, root=root, progress=False
    )
    assert alone[0].key != two.key


def test_the_table_has_every_cut_and_whole_networks_once(table):
    whole = table[(table["metric"] == "accuracy_of_parts") & table["method"].isin(["E1+T1", "E2+T2"])]
    assert len(whole) == 2 * 2 * 2  # networks, tasks, seeds
    assert set(whole["layer"]) == {"conv10"}
    mixed = table[table["method"].isin(["E1+T2", "E2+T1", "E1+T of another"])]
    assert len(mixed) == 3 * 2 * 2 * 9  # parts, tasks, seeds, cuts
    assert set(table[table["metric"] == "tunnel_start_95"]["seed"]) == {0, 1}


def test_other_networks_and_sizes_are_refused(tasks):
    with pytest.raises(InputError, match="expected architecture to be a vggm, got 'resnet10-w2'"):
        depth.tunnel_swap(*tasks, architecture="resnet10-w2")
    larger = Images.of(datasets.load("digits"), size=20, most={"train": 30})
    with pytest.raises(InputError, match="expected images of 16 pixels"):
        depth.tunnel_swap(tasks[0], larger)


# ---- claims and figures


def made(accuracy, start=(1, 2)):
    """Return a table with accuracies on the first task {method: by cut} of two seeds, the second task its mirror."""
    shared = {"experiment": "tunnel_swap", "model": "m", "n_features": 8, "split": "test", "n_way": 5}
    mirror = {"E1+T1": "E2+T2", "E2+T2": "E1+T1", "E1+T2": "E2+T1", "E2+T1": "E1+T2"}
    rows = []
    for seed, began in enumerate(start):
        one = shared | {"seed": seed, "repeat": seed, "recipe": "trained"}
        for task in ("first", "second"):
            for method, values in accuracy.items():
                cuts = range(1, 4) if len(values) == 3 else [4]
                for cut, number in zip(cuts, values, strict=True):
                    of = {
                        "task": task,
                        "method": method if task == "first" else mirror[method],
                        "layer": f"conv{cut:02d}",
                    }
                    rows.append(one | of | {"metric": "accuracy_of_parts", "value": number + 0.002 * seed * (cut % 2)})
        starts = {"task": "first", "method": "in_distribution", "layer": "conv04", "metric": "tunnel_start_95"}
        rows.append(one | starts | {"value": float(began)})
    return results.as_table(rows)


CURVES = {"E1+T1": [0.9], "E2+T2": [0.3], "E1+T2": [0.4, 0.88, 0.89], "E2+T1": [0.8, 0.5, 0.35]}


def test_each_network_is_cut_where_its_own_tunnel_begins():
    table = made(CURVES)
    assert depth.claims_swap.cuts(table).tolist() == [1, 2]
    np.testing.assert_allclose(depth.claims_swap.by_seed(table, "E1+T2", "first"), [40, 88])
    assert depth.claims_swap.cuts(made(CURVES, start=(4, 4))).tolist() == [3, 3]  # one layer is left for the tunnel
    assert depth.claims_swap.crossing(table) == 2
    assert depth.claims_swap.crossing(made(CURVES | {"E1+T2": [0.1, 0.1, 0.1]})) is None


def test_claims_follow_the_accuracies():
    late = {claim.name: claim for claim in depth.claims_swap.all_claims(made(CURVES, start=(3, 3)))}
    assert {name: claim.verdict for name, claim in late.items()} == {
        "the network forgets": "holds",
        "tunnel 2 serves task 1": "holds",
        "tunnel 1 serves task 2": "holds",
        "forgetting is of the extractor": "holds",
    }
    early = {claim.name: claim.verdict for claim in depth.claims_swap.all_claims(made(CURVES, start=(1, 1)))}
    assert early["tunnel 2 serves task 1"] == early["forgetting is of the extractor"] == "fails"  # the control
    assert "E1+T2 reaches 89.1 % against 90.0 %" in late["tunnel 2 serves task 1"].evidence


def test_what_is_no_swap_is_refused():
    with pytest.raises(InputError, match="expected accuracy_of_parts on two tasks, got first; run tunnel_swap"):
        depth.claims_swap.tasks_of(made(CURVES).query("task == 'first'"))
    with pytest.raises(
        InputError, match=r"expected E1\+T of another on first, got no such row; the table holds E1\+T1"
    ):
        depth.claims_swap.by_seed(made(CURVES), "E1+T of another", "first")


def test_the_figure_has_a_panel_a_task_and_the_table_stands_beside_the_published_one(table):
    figure = depth.figures_swap.swapped
    summary = figure.summary(table)
    first = figure.plot(summary)
    assert [ax.get_title(loc="left") for ax in first.figure.axes] == [
        f"task {i}: UCI digits, classes {of}" for i, of in ((1, "0 to 4"), (2, "5 to 9"))
    ]
    lines = {line.get_label(): line for line in first.lines}
    drawn = lines["E1+T2, old extractor"].get_ydata()
    rows = table[(table["method"] == "E1+T2") & (table["task"] == "digits[0-4]")]
    np.testing.assert_allclose(drawn, rows.groupby("layer")["value"].mean())
    assert set(np.unique(lines["chance"].get_ydata())) == {0.2}
    assert "E1+T of another" in figure.words(summary)
    drawing.png(first.figure)
    beside = depth.figures_swap.published_beside.summary(table).set_index("parts")
    assert beside.loc["E1+T2", ["first, published 32", "second, published 224"]].tolist() == [37.64, 35.68]
    assert beside["first, published 32"].isna().to_dict()["E1+T of another"]
    answer = depth.answers.tunnel_swap(table)
    assert f"{beside.loc['E1+T2', 'first task']:.1f} %" in answer.sentence
