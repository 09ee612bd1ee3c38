"""What a table calls "as published" was trained by the published recipe of its task and network, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from synthetic_task import make_task

from diffred_core import drawing, linear_probe, results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError

QUICK = {"fractions": (0.2, 0.5), "n_seeds": 2, "n_boot": 50, "logistic_fractions": (), "methods": ("random",)}
SGD = QUICK | {"sgd_fractions": (0.2,)}


def called(model, task):
    return replace(make_task(), model=model, task=task)


def of_sgd(features, **options):
    table = random_subsets.probes(features, **SGD | options)
    return table[table["probe"] == "sgd"]


@pytest.mark.parametrize(
    ("model", "task", "name"),
    [
        ("resnet50.a1_in1k", "torchvision:CIFAR10", "cifar_long"),
        ("resnet18.tv_in1k", "torchvision:CIFAR10", "cifar"),
        ("resnet18.tv_in1k", "torchvision:Flowers102", "flowers_pets"),
        ("synthetic", "signals", "flowers_pets"),  # 200 training rows
    ],
)
def test_sgd_rows_equal_the_recipe_that_they_name(model, task, name):
    features = called(model, task)
    rows = of_sgd(features)
    assert set(rows["recipe"]) == {name}
    X, y = features.splits["train"]
    measured, labels = features.splits["test"]
    accuracy = rows[(rows["metric"] == "accuracy") & (rows["method"] == "random")].set_index("seed")["value"]
    for seed in (1, 2):
        kept = torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:8]
        fit = linear_probe.fit_sgd(X, y, subsets=kept, recipe=linear_probe.PUBLISHED[name], seed=seed)
        assert accuracy[seed] == pytest.approx(float((fit.predict(measured) == labels).double().mean()))
        assert set(rows.loc[rows["metric"] == "steps", "value"]) == {float(fit.iterations)}
        assert float(rows.loc[rows["seed"] == seed, "l2"].dropna().iloc[0]) == linear_probe.PUBLISHED[name].weight_decay


def test_other_probes_have_no_recipe():
    table = random_subsets.probes(make_task(), **SGD)
    assert table.loc[table["probe"] == "ridge", "recipe"].isna().all()
    assert table.loc[table["probe"] == "sgd", "recipe"].notna().all()


def test_the_trace_of_the_recipe_is_on_the_page_and_in_the_provenance(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a run that no runner has started writes its table
    table = random_subsets.probes(called("resnet50.a1_in1k", "torchvision:CIFAR100"), **SGD)
    traces = random_subsets.recipe_traces(table)
    (trace,) = traces.to_dict("records")
    assert (trace["recipe"], trace["epochs"], trace["weight_decay"], trace["batch_size"]) == (
        "cifar_long",
        100,
        5e-4,
        256,
    )
    assert (trace["steps_per_epoch"], trace["steps"]) == (1, 100)  # 200 rows
    assert list(trace["learning_rates"]) == ["0", "20", "40", "60", "80"]
    shown = drawing.show(random_subsets.tables.recipes, traces).data
    for text in (
        "cifar_long",
        "SGD, momentum 0.9",
        "0.1, 0.01 from epoch 20, 0.001 from epoch 40",
        "0.0005",
        "as published",
    ):
        assert text in shown
    run = results.Run({"task": "t", "model": "m"})
    path = run.write(table, "subset_probes", recipes=traces)
    assert results.read_provenance(path)["recipes"] == [trace]
    assert "recipes" not in results.read_provenance(run.write(table, "other"))


def test_without_sgd_there_is_no_trace_and_the_page_says_so():
    traces = random_subsets.recipe_traces(random_subsets.probes(make_task(), **QUICK))
    assert traces.empty
    assert "No probe as published was asked for." in drawing.show(random_subsets.tables.recipes, traces).data


def test_a_recipe_of_ones_own_takes_the_place_of_the_published_one():
    rows = of_sgd(make_task(), recipe="3/1/50/0.01")
    assert set(rows["recipe"]) == {"3/1/50/0.01"}
    assert set(rows.loc[rows["metric"] == "steps", "value"]) == {12.0}  # three epochs, 200 rows in batches of 50
    assert set(rows["l2"].dropna()) == {0.01}
    with pytest.raises(InputError, match=r"expected a recipe of cifar, .*got 'cifar_lng'; did you mean 'cifar_long'"):
        random_subsets.probes(make_task(), **SGD, recipe="cifar_lng")
