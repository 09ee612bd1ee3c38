"""What stands in the page that explores: the points of the tables to five digits, and nothing where nothing ran."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from explored_book import MODELS, kept
from staged_project import CHECKOUT, RECORD, make_project

from diffred_core import intervals
from diffred_core.chapters.random_subsets import compared, names
from diffred_core.results import where
from diffred_core.staging import CellRun, GridCell
from diffred_core.staging._explorer import explorer
from diffred_core.staging._explorer_data import explorer_data
from diffred_core.staging._questions import QUESTIONS, design_words, setting_order, setting_words

PROJECT = SimpleNamespace(page=lambda text, source: text.encode())  # closing lines aside
SOURCES = {
    "explorer/1.js": b"const one = 1;\n",
    "explorer/2.js": b"start(one);\n",
    "explorer/a.css": b"p { color: red }\n",
}
CELL = ("digits", MODELS[0])


def made(analysis="subset_probes", task=CELL[0], **pages):
    return explorer_data({analysis: {(task, CELL[1]): kept(analysis, task, CELL[1])}}, pages)


def curves_of(data, question):
    """Return the curves of the one cell by group, method and metric."""
    of = data["questions"][question]
    lists = [list(of[kind]) for kind in ("groups", "methods", "metrics")]
    (cell,) = of["cells"]
    return cell, {
        tuple(names[i] for names, i in zip(lists, curve, strict=False)): curve[3:] for curve in cell["curves"]
    }


def test_the_draws_of_the_table_are_the_points_of_a_curve():
    cell, curves = curves_of(made(), "probes")
    places, values, *_ = curves[names.HEADLINE, "random", "accuracy"]
    rows = where(kept("subset_probes", *CELL), probe=names.HEADLINE, method="random", metric="accuracy")
    expected = rows.sort_values(["fraction", "repeat"]).groupby("fraction")["value"].agg(list)
    assert [cell["x"][place] for place in places] == expected.index.tolist()
    assert values == [pytest.approx(draws, rel=6e-5) for draws in expected]
    assert [cell["k"][place] for place in places] == rows.groupby("fraction")["n_selected"].first().tolist()
    assert values != [[draw + 0.001 for draw in draws] for draws in expected]


def test_a_point_has_the_limits_of_the_table_and_one_without_any_has_none():
    _, curves = curves_of(made(), "probes")
    *_, lows, highs, _ = curves[names.HEADLINE, "random", "accuracy"]
    rows = where(kept("subset_probes", *CELL), probe=names.HEADLINE, method="random", metric=names.MEAN_ACCURACY)
    assert lows == pytest.approx(rows.sort_values("fraction")["low"].tolist(), rel=6e-5)
    assert highs == pytest.approx(rows.sort_values("fraction")["high"].tolist(), rel=6e-5)
    assert len(curves[names.HEADLINE, "pca", "accuracy"]) == 2


@pytest.mark.parametrize(
    ("analysis", "task", "question"),
    [
        ("subset_similarity", "digits", "similarity"),
        ("few_shot", "cifar10", "few-shots"),
        ("layers", "cifar10", "depth"),
    ],
)
def test_every_question_has_curves_that_are_drawn_at_first(analysis, task, question):
    data = made(analysis, task)
    cell, curves = curves_of(data, question)
    shown = set(data["questions"][question]["shown"])
    assert shown
    assert {method for _, method, _ in curves} >= shown
    assert len(cell["x"]) == len(cell["k"])
    assert all(max(places) < len(cell["x"]) for places, *_ in curves.values())


def test_only_questions_that_have_a_table_are_asked():
    assert set(made()["questions"]) == {"probes"}
    assert set(made("layers", "cifar10")["questions"]) == {"depth"} < set(QUESTIONS)


def test_the_page_reaches_as_far_with_an_interval_as_the_package():
    reaches = compared.reaches(0.95)
    values = [0.1, 0.4, 0.3]
    _, low, high = intervals.mean_interval(values)
    error = (sum((v - sum(values) / 3) ** 2 for v in values) / 2 / 3) ** 0.5
    assert (high - low) / 2 == pytest.approx(reaches[3 - 2] * error)
    assert made()["quantiles"] == reaches


def test_settings_and_designs_are_said_and_stand_in_order():
    assert setting_words("centroid_cosine|1|5") == "cosine centroid, 1 shot a class, 5 classes"
    assert design_words("transfer|folder:gtsrb") == "traffic signs, probe of its own"
    groups = ["ridge|1|5", "centroid_cosine|1|5", "centroid_euclidean|10|5", "centroid_euclidean|5|5"]
    assert sorted(groups, key=setting_order) == [groups[3], groups[2], groups[1], groups[0]]


def test_the_page_holds_script_style_and_kept_tables_and_is_the_same_twice(tmp_path, monkeypatch):
    root = make_project(tmp_path / "project")
    place = Path("kept", "full", *CELL)
    (root / place).mkdir(parents=True)
    for path in (CHECKOUT / place).glob("subset_probes.*"):
        shutil.copy(path, root / place)
    monkeypatch.chdir(root)
    cell = GridCell("subset_probes", *CELL, "subset_probes")
    drawn = CellRun(cell, "good", record=replace(RECORD, kept="full"), notebook={"cells": []})
    other = replace(drawn, cell=GridCell("elsewhere", *CELL, "elsewhere"))  # the table itself lies among the kept ones
    page = explorer([other], PROJECT, SOURCES)["explorer.md"].decode()
    packed = re.search(r'id="explorer-data">([^<]+)<', page)[1]
    (found,) = json.loads(gzip.decompress(base64.b64decode(packed)))["questions"]["probes"]["cells"]
    assert (found["task"], found["model"], found["page"]) == (*CELL, "")
    assert page.index("const one = 1;") < page.index("start(one);")
    assert "p { color: red }" in page
    assert "explorer-static" in page
    assert explorer([other], PROJECT, SOURCES)["explorer.md"].decode() == page


def test_without_a_run_the_page_says_so():
    staged = explorer([], PROJECT, SOURCES)
    assert list(staged) == ["explorer.md"]
    assert b"nothing to explore" in staged["explorer.md"]
    assert b"<script" not in staged["explorer.md"]
