"""Every figure of a chapter is headed by what it found: one short sentence, made from the numbers that are drawn."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from diffred_core import results
from diffred_core.chapters import few_shots, governs, random_subsets
from diffred_core.chapters.few_shots import names as shots
from diffred_core.chapters.random_subsets import names
from diffred_core.running import sources

ROOMS = ("random_subsets", "governs", "few_shots")  # of chapters that have a finding above every figure
LONGEST = 130  # letters
MODEL = "mobilenetv1_050"
TASKS = ("mnist5k", "digits")


def figures_without_finding(code: str) -> list[int]:
    """Return the lines on which a Figure is made without a finding."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    made = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Figure")
    return [call.lineno for call in made if "finding" not in {keyword.arg for keyword in call.keywords}]


def files_of(room: str) -> Iterator[Path]:
    yield from sorted((sources.PACKAGE / "chapters" / room).glob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_every_figure_of_the_room_has_a_finding(room):
    assert {path.name: lines for path in files_of(room) if (lines := figures_without_finding(path.read_text()))} == {}


def test_a_figure_without_a_finding_is_seen():
    assert figures_without_finding("a = Figure(s, p, w, finding=f)\n\nb = Figure(s, p, w)\n") == [3]


@cache
def kept(analysis: str, *, tasks: tuple[str, ...] = TASKS, grid: str = "full") -> pd.DataFrame:
    model = MODEL if grid == "full" else "small_networks"
    return pd.concat([results.read_kept(grid, task, model, analysis)[0] for task in tasks], ignore_index=True)


def probes():
    return kept("subset_probes")


def one_task():
    return kept("subset_probes", tasks=("mnist5k",))


def compared():
    of = [random_subsets.compared.cell(probes(), model=MODEL, task=task) for task in TASKS]
    return random_subsets.compared.compare(*of)


def factor():
    return pd.concat(results.read_all_kept("full", "what_governs").values(), ignore_index=True)


def factor_on_one_task():
    table = factor()
    return table[(table["task"] == table["task"].iloc[0]) & (table["recipe"] == table["recipe"].iloc[0])]


def crossed():
    tables = results.read_all_kept("full", "subset_probes")
    wanted = [tables[task, model] for task in TASKS for model in (MODEL, "mobilenetv1_025")]
    return {"subset_probes": pd.concat(wanted, ignore_index=True), "what_governs": factor()}


def trained():
    return kept("loss_and_regulariser", tasks=("mnist5k",), grid="small_networks")


def episodes():
    return kept("few_shot", tasks=("cifar10",))


def theory():
    return few_shots.theory(n_trials=500, shots=(1, 5))


SUBSETS, TRAINING = random_subsets.figures, governs.figures_training
FIGURES = {
    **{name: (getattr(SUBSETS, name), one_task) for name in ("accuracy", "probes", "regulariser", "redundancy")},
    "similarity": (SUBSETS.similarity, lambda: kept("subset_similarity", tasks=("mnist5k",))),
    "inequality": (random_subsets.figures_classes.inequality, one_task),
    "variation": (random_subsets.figures_classes.variation, one_task),
    "classes": (random_subsets.figures_classes.classes, one_task),
    "both": (random_subsets.figures_compared.both, compared),
    "apart": (random_subsets.figures_compared.apart, compared),
    "frontier": (random_subsets.figures_frontier.accuracy, probes),
    "relative": (random_subsets.across_published.relative, lambda: kept("subset_probes", tasks=("cifar10",))),
    "by task": (random_subsets.across_published.by_task, probes),
    "kept": (random_subsets.across.kept(), probes),
    "needed": (random_subsets.across.needed, probes),
    "by probe": (random_subsets.across_probes.figure(), probes),
    "networks kept": (governs.figures.kept, factor_on_one_task),
    "networks": (governs.figures.networks, factor_on_one_task),
    "pairs": (governs.figures.pairs, factor_on_one_task),
    "variance": (governs.across.variance_figure(), crossed),
    "factors": (governs.across.factors, crossed),
    **{name: (getattr(TRAINING, name), trained) for name in ("change", "shape", "order")},
    "objectives kept": (TRAINING.kept, trained),
    **{
        f"episodes {name}": (getattr(few_shots.figures, name), episodes)
        for name in ("accuracy", "gains_by_shots", "gains_by_ways", "bridge", "masks", "agreement")
    },
    "theory": (few_shots.figures.theory, theory),
    "peaks": (few_shots.across.peaks, episodes),
}


@cache
def summary_of(name: str) -> pd.DataFrame:
    figure, table = FIGURES[name]
    return figure.summary(table())


@pytest.mark.parametrize("name", FIGURES)
def test_a_finding_is_one_short_sentence_with_a_number(name):
    sentence = FIGURES[name][0].finding(summary_of(name))
    assert len(sentence) <= LONGEST, sentence
    assert re.fullmatch(r"[A-Z0-9](?:[^.]|\.(?=\d))*\.", sentence), sentence  # a point ends it, or stands in a number
    assert re.search(r"\d", sentence)
    assert not re.search(r"\bnan\b|_|  |\bfeatures?\b|-0\.0\b", sentence), sentence


def larger(rows: pd.DataFrame, at: pd.Series, **columns: float) -> pd.DataFrame:
    """Return the rows in which the columns of those `at` have other values."""
    changed = rows.copy()
    for column, value in columns.items():
        changed.loc[at, column] = value
    return changed


CONTROLS = {  # words of the effect, how it is reversed, and the words then
    "similarity": (
        "more than inclusion",
        lambda rows: larger(rows, rows["method"] == names.WHOLE, mean=0.0),
        "less than",
    ),
    "inequality": ("more unequal", lambda rows: larger(rows, rows["method"] == names.RANDOM, gini=0.0), "less unequal"),
    "variation": (
        "more unequal",
        lambda rows: rows.assign(coefficient_of_variation=0.1),
        "as unequal",
    ),
    "classes": (" loses ", lambda rows: rows.assign(loss=-0.02), "gains 2.0 points"),
    "kept": ("costs", lambda rows: rows.assign(gap=-0.01), "never loses points of accuracy, and gains up to 1.0"),
    "probes": ("ridge probe is lowest", lambda rows: rows[rows["probe"] == names.RIDGE], "the ridge probe reaches"),
    "pairs": ("pairs differ", lambda rows: rows.assign(low=-1.0, high=1.0), "None of"),
    "change": ("", lambda rows: rows.assign(low=0.2, high=0.3), "11 of 11 objectives change"),
    "shape": ("rises with", lambda rows: rows.assign(mean=-rows["mean"]), "falls with"),
    "order": (
        "above a random",
        lambda rows: larger(rows, rows["method"] == names.FIRST_K, mean=0.0),
        "below a random",
    ),
    "episodes masks": (
        "loses",
        lambda rows: larger(rows, rows["label"] != shots.ORACLE, mean=0.01),
        "gains 1.0 points",
    ),
    "episodes gains_by_shots": ("gains +", lambda rows: rows.assign(mean=-0.02), "gains -2.0 points"),
    "theory": (
        "best dimensions reach",
        lambda rows: larger(rows, rows["n_selected"] == 256, simulated=0.0),
        "all 256 dimensions are best: 100.0 %",
    ),
    "apart": ("beyond the interval at", lambda rows: rows.assign(low=-1.0, high=1.0), "at none of"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_table_with_the_effect_reversed_gives_other_words(name):
    words, reverse, other = CONTROLS[name]
    finding, summary = FIGURES[name][0].finding, summary_of(name)
    assert words in finding(summary)
    assert other in finding(reverse(summary))
    assert other not in finding(summary)


def test_too_few_objectives_are_not_related():
    few = summary_of("shape")
    few = few[few["objective"].isin(few["objective"].unique()[:2])]
    assert "2 objectives are too few" in TRAINING.shape.finding(few)
    same = summary_of("shape").assign(x=1.0)
    assert "too alike" in TRAINING.shape.finding(same)
    assert "too few" not in TRAINING.shape.finding(summary_of("shape"))


def test_what_was_not_measured_is_left_out_of_the_finding():
    accuracy = summary_of("accuracy")
    without = accuracy[accuracy["method"] != names.PCA]
    assert "PCA" in SUBSETS.accuracy.finding(accuracy)
    assert "PCA" not in SUBSETS.accuracy.finding(without)
    oracles = summary_of("episodes agreement").query("method.str.startswith('oracle')")
    assert "No importance was estimated" in few_shots.figures.agreement.finding(oracles)
    masks = summary_of("episodes masks").query("label == @shots.ORACLE")
    assert few_shots.figures.masks.finding(masks) == "No mask was made without an oracle."
    own = summary_of("change").head(1)
    assert "1 objective changes" in TRAINING.change.finding(own.assign(low=0.1, high=0.2))
