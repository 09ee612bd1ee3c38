"""Published numbers: one value a cell wherever it stands, and beside it what was measured, or that nothing was."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from synthetic_task import make_task

from diffred_core.chapters import random_subsets
from diffred_core.results import as_table, published, published_cells
from diffred_core.staging import _audits, _beside, _published
from diffred_core.staging._beside import NOT_RUN, beside

BOOK = Path(__file__).parents[1] / "book"
LISTED = published_cells.cells()
QUICK = {"n_seeds": 3, "fractions": (0.1, 0.2, 0.5), "methods": ("random", "pca"), "gap_fractions": (0.2,)}


def run(task: str = "cifar10", model: str = "own") -> SimpleNamespace:
    return SimpleNamespace(cell=SimpleNamespace(task=task, model=model, page=f"results/x/{task}--{model}"))


def in_tables(analysis: str, table: pd.DataFrame) -> dict[str, list[tuple[SimpleNamespace, pd.DataFrame]]]:
    cells = table.groupby(["task", "model"])
    return {analysis: [(run(task, model), rows) for (task, model), rows in cells]}


@pytest.fixture(scope="module")
def probes() -> pd.DataFrame:
    return random_subsets.probes(make_task(), **QUICK).assign(task="torchvision:CIFAR10", model="own")


def test_no_published_cell_stands_twice_in_the_list_and_each_says_where_it_was_read():
    assert not LISTED.duplicated(published_cells.KEY).any()
    assert set(LISTED["evidence"]) <= set(published_cells.EVIDENCE)
    assert LISTED["source"].str.len().min() > 0
    assert LISTED["value"].notna().all()
    twice = pd.concat([LISTED, LISTED.iloc[[5]].assign(value=0.5)])
    assert twice.duplicated(published_cells.KEY).sum() == 1  # the check sees a second value


def test_two_networks_of_one_name_are_told_apart_by_what_they_were_trained_on():
    rows = LISTED[LISTED["model"].str.startswith("ViT-S/16") & (LISTED["quantity"] == "diffused_redundancy")]
    values = rows.groupby(["model", "setting"])["value"].agg(list).to_dict()
    # printed of one network; computed from the accuracies of another
    assert values["ViT-S/16, ImageNet-1k", "at 90 % of the accuracy, as printed"] == [0.7, 0.5, 0.5, 0.8]
    assert values["ViT-S/16, ImageNet-21k", "at 90 % of the accuracy, first share that reaches it"] == [0.8, 0.5, 0.9]
    assert set(rows.loc[rows["model"] == "ViT-S/16, ImageNet-21k", "derived"]) == {True}


def test_the_table_of_the_summary_holds_the_values_of_the_list(probes):
    table = random_subsets.across.published_and_measured(probes)
    printed = table[table["origin"].str.contains("published")]
    listed = LISTED[LISTED["derived"] & (LISTED["quantity"] == "diffused_redundancy")]
    by_cell = listed.set_index(["model", "task", "setting"])["value"].sort_index()
    for row in printed.itertuples():
        values = by_cell.loc[row.model, row.task.replace("CIFAR-10", "CIFAR10")]
        assert [row.first, row.nearest] == pytest.approx((100 * values).tolist(), abs=0.1)


def test_pages_hold_no_published_table_of_their_own_and_their_prose_quotes_the_list():
    text = (BOOK / "back" / "published.md").read_text()
    assert not [line for line in text.splitlines() if line.startswith("|")]
    accuracies = set(LISTED.loc[LISTED["section"] == "accuracy", "value"])
    quoted = [float(number) for number in re.findall(r"\b\d\d\.\d\d\b", text) if number not in ("23.06",)]
    assert len(quoted) == 4
    assert set(quoted) <= accuracies


def test_every_section_has_its_fragment_its_page_includes_it_and_the_contents_list_the_pages():
    text = (BOOK / "back" / "published.md").read_text()
    assert set(LISTED["section"]) <= set(_published.SECTIONS)
    for name in _published.SECTIONS:
        assert f"../_generated/published-{name.replace(' ', '-')}.md" in text
    back = yaml.safe_load((BOOK / "_toc.yml").read_text())["parts"][-1]["chapters"]
    assert {"back/published", "back/audits", "back/limitations"} <= {chapter.get("file") for chapter in back}
    audits = (BOOK / "back" / "audits.md").read_text()
    assert all(f"../{path}" in audits for path in _audits.audits({}))
    assert all(f"(audit-{name})=\n## {title}\n" in audits for name, (title, _) in _audits.FINDINGS.items())
    assert all(f"(published-{name.replace(' ', '-')})=\n## " in text for name in _published.SECTIONS)


def test_without_runs_every_value_is_said_not_to_have_been_run():
    listed = beside({})
    assert len(listed) == len(LISTED)
    assert set(listed["words"]) == {NOT_RUN}
    fragments = _published.published_page({})
    text = fragments["_generated/published-accuracy.md"].decode()
    assert text.startswith("0 of 141 values stand beside a measured one. The others were *not run here*: `make book")
    assert "83.23 ± 0.72 (N)" in text
    assert "derived" in fragments["_generated/published-redundancy.md"].decode()
    assert _audits.NOT_MEASURED in _audits.audits({})["_generated/audit-probes.md"].decode()


def test_a_measured_cell_stands_beside_the_published_one_with_the_interval_of_the_difference(probes):
    listed = beside(in_tables("subset_probes", probes)).set_index(["model", "task", "setting"]).sort_index()
    cell = listed.loc["ResNet50, standard", "CIFAR10", "20 % (409 of 2,048)"].query("method == 'random'").iloc[0]
    assert cell["value"] == 83.23
    rows = probes[(probes["probe"] == "logistic") & (probes["method"] == "random") & (probes["fraction"] == 0.2)]
    own = rows[rows["metric"] == "accuracy"]["value"].mean()
    limits = rows[rows["metric"] == "mean_accuracy"].iloc[0]
    assert cell["measured"] == pytest.approx(100 * own)
    assert cell["difference"] == pytest.approx(100 * own - 83.23)
    printed = cell["high"] - cell["value"]
    reach = np.hypot(100 * (limits["high"] - own), printed)
    assert cell["difference_high"] - cell["difference"] == pytest.approx(reach)
    assert "points" in cell["words"]
    assert cell["network"] == "own"
    assert cell["page"].endswith("own")
    other = listed.loc["ResNet50, standard", "CIFAR100", "20 % (409 of 2,048)"].query("method == 'random'").iloc[0]
    assert other["words"] == NOT_RUN  # another task


def test_the_page_shows_the_measured_value_with_its_network_and_the_difference_in_words(probes):
    staged = _published.published_page(in_tables("subset_probes", probes))
    rows = [
        line for line in staged["_generated/published-accuracy.md"].decode().splitlines() if "(../results/x/" in line
    ]
    assert rows[0].startswith("| ResNet50, standard: CIFAR-10 | 10 % (204 of 2,048) | 77.89 ± 1.19 (N) | ")
    assert all("[own](../results/x/cifar10--own.ipynb)" in row or "own.ipynb" in row for row in rows)
    redundancy = staged["_generated/published-redundancy.md"].decode()
    assert "| 0.8 (N, derived) |" in redundancy
    assert "7 of 34 values stand beside a measured one." in redundancy
    assert staged["_generated/published-curves.png"]
    listed = pd.read_csv(io.BytesIO(staged[_published.CSV]))
    assert list(listed.columns) == _beside.BESIDE
    assert len(listed) == len(LISTED)


def test_another_task_training_or_network_of_the_task_itself_stands_beside_nothing(probes):
    elsewhere = beside(in_tables("subset_probes", probes.assign(task="elpv")))
    assert set(elsewhere["words"]) == {NOT_RUN}
    own = beside(in_tables("subset_probes", probes.assign(model="cifar_resnet20")))
    assert set(own["words"]) == {NOT_RUN}
    plain = beside(in_tables("subset_probes", probes))
    robust = plain[plain["model"] == "ResNet50, adversarial l2 eps=3"]
    assert set(robust["words"]) == {NOT_RUN}
    same = beside(in_tables("subset_probes", probes.assign(model="resnet50_l2_eps3")))
    assert (same.loc[same["model"] == "ResNet50, adversarial l2 eps=3", "words"] != NOT_RUN).any()


def test_of_several_networks_the_nearest_in_width_is_taken():
    row = {"experiment": "subset_probes", "layer": "penultimate", "method": "full", "probe": "logistic"}
    row |= {"metric": "accuracy", "task": "cifar10", "fraction": 1.0, "repeat": 0}
    networks = {"narrow": (64, 0.9), "wide": (1280, 0.5), "wide_better": (1280, 0.6)}
    table = as_table([row | {"model": m, "n_features": d, "value": v} for m, (d, v) in networks.items()])
    listed = beside(in_tables("subset_probes", table))
    found = listed[listed["words"] != NOT_RUN].set_index(["section", "model"])["network"]
    assert found["accuracy", "ResNet50, standard"] == "wide_better"
    assert found["width", "ResNet50, layer of 64"] == "narrow"
    assert ("width", "ResNet50, layer of 512") not in found.index  # none is as wide


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((-12.34, -13.0, -11.0, "%", 0.0), "12.3 points lower here"),
        ((0.5, -0.5, 1.5, "%", 0.0), "no difference beyond the intervals"),
        ((0.05, np.nan, np.nan, "", 0.0), "0.05 higher here, no interval"),
        ((0.005, np.nan, np.nan, "", 0.01), "the same, no interval"),
        ((np.nan, np.nan, np.nan, "%", 0.0), NOT_RUN),
    ],
)
def test_a_difference_is_said_by_its_interval(numbers, words):
    assert _beside._words(*numbers) == words


def test_what_was_read_off_a_plot_may_be_off_by_a_hundredth(probes):
    listed = beside(in_tables("subset_probes", probes))
    cell = listed[(listed["section"] == "width") | (listed["section"] == "compared")].dropna(subset="measured")
    assert set(cell["evidence"]) == {"F"}
    known = cell.dropna(subset="difference_high")
    assert (known["difference_high"] - known["difference"] >= _beside.BY_EYE["%"]).all()


def audited(**values: dict[str, float]) -> pd.DataFrame:
    """Return a table with a full layer and a random fifth by probe, for one network after the other."""
    shared = {"experiment": "subset_probes", "layer": "penultimate", "task": "digits", "n_features": 10, "repeat": 0}
    return as_table(
        [
            shared
            | {"model": model, "probe": probe, "metric": "accuracy", "value": value, "method": "full"}
            | {"fraction": 1.0, "recipe": "flowers_pets" if probe == "sgd" else None}
            for model, by_probe in values.items()
            for probe, value in by_probe.items()
        ]
    )


def test_the_gain_of_a_converged_probe_is_the_mean_over_models_with_its_interval():
    table = audited(a={"logistic": 0.9, "sgd": 0.8}, b={"logistic": 0.8, "sgd": 0.78})
    ((recipe, gains),) = _audits._by_recipe(in_tables("subset_probes", table)["subset_probes"], "full")
    assert recipe == "flowers_pets"
    assert sorted(gains.values()) == pytest.approx([2.0, 10.0])
    text = _audits._differences([("whole", gains)])
    assert "| whole | +6.0 |" in text
    assert "+2.0 to +10.0" in text
    same = audited(a={"logistic": 0.9, "sgd": 0.9})  # the control: nothing is gained, and one model has no interval
    ((_, none),) = _audits._by_recipe(in_tables("subset_probes", same)["subset_probes"], "full")
    assert "| whole | +0.0 | one model: none |" in _audits._differences([("whole", none)])


def test_a_model_on_many_tasks_counts_once():
    cells = {("t1", "a"): 0.0, ("t2", "a"): 0.0, ("t3", "a"): 0.0, ("t1", "b"): 6.0}
    assert _audits._over_models(cells)["mean"] == pytest.approx(3.0)


def test_regulariser_numbers_are_those_of_the_list():
    wide = published.regulariser_numbers()
    row = wide[(wide["network"] == "dropout 0.1") & (wide["task"] == "CIFAR10")].iloc[0]
    assert row[["full", "at_20", "at_50"]].tolist() == [0.7468, 0.7323, 0.7693]
    kept = LISTED[(LISTED["quantity"] == "accuracy_kept") & (LISTED["model"] == "ResNet50, dropout 0.1")]
    assert kept.query("task == 'CIFAR10' and fraction == 0.2")["value"].iloc[0] == pytest.approx(98.06, abs=0.01)
