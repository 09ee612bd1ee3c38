"""Summaries across cells against brute force, and published numbers against the printed ones."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError
from diffred_core.results import published


@pytest.fixture(scope="module")
def tables():
    layers = [make_task(), make_task(seed=1, n_features=30)]
    layers[1] = type(layers[1])("other", "signals", layers[1].classes, layers[1].keys, layers[1].splits)
    options = {"n_seeds": 2}
    probes = [random_subsets.probes(layer, **options, n_boot=50) for layer in layers]
    similarity = [random_subsets.similarity(layer, **options, interval_fractions=()) for layer in layers]
    return pd.concat(probes, ignore_index=True), pd.concat(similarity, ignore_index=True)


def test_kept_accuracy_is_mean_over_full(tables):
    probes, _ = tables
    found = random_subsets.across.kept_accuracy(probes, fraction=0.5).set_index("model").loc["other"]
    probes = probes[probes["probe"] == random_subsets.names.HEADLINE]
    accuracy = probes[(probes["model"] == "other") & (probes["metric"] == "accuracy")]
    random = accuracy[(accuracy["method"] == "random") & (accuracy["fraction"] == 0.5)]["value"].mean()
    full = accuracy[accuracy["method"] == "full"]["value"].item()
    assert found["mean"] == pytest.approx(random)
    assert found["kept"] == pytest.approx(random / full)
    assert found["gap"] == pytest.approx(full - random)
    gap = probes[(probes["model"] == "other") & (probes["metric"] == "accuracy_gap") & (probes["method"] == "random")]
    assert found[["gap_low", "gap_high"]].tolist() == gap.loc[gap["fraction"] == 0.5, ["low", "high"]].iloc[0].tolist()
    assert found[["n_selected", "n_features"]].tolist() == [15, 30]


def test_needed_fraction_is_the_first_that_keeps_the_accuracy(tables):
    probes, _ = tables
    found = random_subsets.across.needed_fractions(probes, deltas=(0.9,)).set_index("model")["fraction"]
    probes = probes[probes["probe"] == random_subsets.names.HEADLINE]
    for model, cell in probes[probes["metric"] == "accuracy"].groupby("model"):
        full = cell[cell["method"] == "full"]["value"].item()
        curve = cell[cell["method"] == "random"].groupby("fraction")["value"].mean()
        reached = curve[curve >= 0.9 * full].index
        assert found[model] == pytest.approx(reached.min() if len(reached) else 1.0)


def test_similarity_stands_beside_its_null(tables):
    _, similarity = tables
    found = random_subsets.across.similarity_at(similarity, fractions=(0.2,))
    assert (found["mean"] > found["null"]).all()
    assert len(found) == 2
    narrow = similarity[(similarity["model"] != "other") | (similarity["fraction"] == 0.5)]
    at = random_subsets.across.similarity_at(narrow, fractions=(0.1, 0.2))
    assert at.set_index("model").loc["other", "fraction"] == 0.5  # once, and no model is lost
    assert sorted(at.set_index("model").loc["synthetic", "fraction"]) == [0.1, 0.2]
    with pytest.raises(InputError, match=r"expected rows at a share of the dimensions near 0\.2, got none"):
        random_subsets.across.similarity_at(similarity.iloc[:0], fractions=(0.2,))


def test_a_model_without_the_share_stands_at_its_nearest_and_is_not_lost(tables):
    probes, _ = tables
    narrow = probes[(probes["model"] != "other") | ~probes["fraction"].isin([0.2, 0.25])]
    pairs = random_subsets.across.kept_accuracy(narrow).set_index("model")
    assert pairs["fraction"].to_dict() == {"synthetic": 0.2, "other": 0.15}
    words = random_subsets.across.describe_kept(pairs.reset_index())
    assert "a random 15 % to 20 % of the dimensions" in words
    assert "a random 20 % of the dimensions" in random_subsets.across.describe_kept(
        random_subsets.across.kept_accuracy(probes)
    )


def test_summary_holds_every_claim_for_every_cell_and_is_a_results_table(tables, tmp_path):
    table = random_subsets.across.summary_table(*tables)
    pd.testing.assert_frame_equal(results.check(table), table)
    found = table[table["metric"] == "claim"]
    assert len(found) == 2 * len(random_subsets.across.PUBLISHED_CLAIMS) + 1
    assert found["method"].value_counts().to_dict() == {
        "accuracy kept at 20 %": 2,
        "similar beyond inclusion at 20 %": 2,
        "PCA beats random at 10 %": 2,
        "classes pay unequally at 20 %": 2,
        "one frontier at 20 %": 1,
    }
    assert found.set_index("method").loc["one frontier at 20 %", "model"] == "all models"
    kept = table[table["metric"] == "accuracy_subset"]
    assert ((kept["low"] + kept["high"]) / 2).tolist() == pytest.approx(kept["value"].tolist())
    assert set(found["label"]) <= {"holds", "fails", "undecided"}
    deltas = table[table["metric"] == "diffused_redundancy_first"]
    assert len(deltas) == 2 * len(random_subsets.DELTAS)


def test_every_claim_stands_under_its_cell_and_those_of_a_task_under_all_models(tables):
    cells = random_subsets.across.claims_by_cell(*tables)
    names = {cell: [claim.name for claim in held] for cell, held in cells.items()}
    assert [len(held) for held in names.values()] == [4, 4, 1]
    assert "accuracy kept at 20 %" in names["signals", "other"]
    assert names["signals", "all models"] == ["one frontier at 20 %"]
    stored = random_subsets.across.summary_table(*tables).query("metric == 'claim'")
    for (task, model), held in cells.items():
        rows = results.where(stored, task=task, model=model)
        assert dict(zip(rows["method"], rows["label"], strict=True)) == {claim.name: claim.verdict for claim in held}


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_what_is_said_across_models_states_its_level(tables, level):
    for claim in itertools.chain(*random_subsets.across.claims_by_cell(*tables, level=level).values()):
        assert f"{100 * level:g} % interval" in claim.evidence
    probes, similarity = tables
    across = random_subsets.across
    assert f"{100 * level:g} %" in across.kept_table(level=level).caption
    shown = across.kept_table(level=level).summary(probes)
    assert shown["errors, times"].tolist() == pytest.approx(((100 - shown["mean"]) / (100 - shown["full"])).tolist())
    assert f"{100 * level:g} % interval" in across.alike(level=level).caption
    narrow, wide = (across.similarity_at(similarity, level=x) for x in (0.5, level))
    assert (narrow["high"] - narrow["low"] < wide["high"] - wide["low"]).all()
    pairs = across.kept_accuracy(probes, level=level)
    assert f"{100 * level:g} % t interval" in across.plot_kept(pairs).figure.get_suptitle()


def test_summary_is_stated_at_the_fraction_that_is_asked_for(tables):
    table = random_subsets.across.summary_table(*tables, fraction=0.5)
    assert set(table.loc[table["metric"] == "accuracy_subset", "fraction"]) == {0.5}


def test_published_stands_beside_measured(tables):
    found = random_subsets.across.published_and_measured(tables[0])
    assert found["origin"].value_counts()["measured here"] == 2
    assert (found["origin"] == "published").sum() == len(published.diffused_redundancy_at(0.9))


def test_published_redundancy_follows_from_the_published_accuracies():
    # computed by hand from the accuracies of the authors' notebook: ratio 0.874 at a tenth of the features, CIFAR10
    found = published.diffused_redundancy_at(0.9).set_index(["model", "weights", "task"])
    standard = found.loc["ResNet50", "standard", "CIFAR10"]
    assert standard[["first", "nearest"]].tolist() == pytest.approx([0.8, 0.9])
    robust = found.loc["ResNet50", "adversarial l2 eps=3", "Flowers102"]
    assert robust[["first", "nearest"]].tolist() == pytest.approx([0.7, 0.7])


def test_published_numbers_are_facts_with_a_source():
    numbers = published.diffused_redundancy_numbers()
    assert numbers["source"].notna().all()
    assert numbers["value"].between(0, 1).all()
    row = numbers.query("model == 'ResNet50' and weights == 'standard' and task == 'CIFAR10' and fraction == 0.2")
    row = row[row["quantity"].isin(["accuracy", "cka_subset_subset"])]
    assert row.set_index("quantity")["value"].to_dict() == {"accuracy": 0.8323, "cka_subset_subset": 0.782}
    printed = numbers[numbers["quantity"] == "diffused_redundancy"]
    assert printed["delta"].unique().tolist() == [0.9]
