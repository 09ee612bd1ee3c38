"""Charts with a row a model and a panel a task: every row of a panel has a value, and stands beside its name."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from diffred_core.chapters.governs.names_training import objective_words
from diffred_core.drawing import style
from diffred_core.drawing.rows import row_panels
from diffred_core.results.readable import span

CELLS = {"digits": ["a", "b"], "elpv": ["a", "b"], "mnist5k": ["a"], "gtsrb": ["a", "b"], "cifar10": ["b", "a"]}


def cells() -> pd.DataFrame:
    return pd.DataFrame(
        [(task, model) for task, models in CELLS.items() for model in models], columns=["task", "model"]
    )


def test_a_panel_has_the_rows_of_its_task_alone():
    grid, placed = row_panels(cells())
    assert {task: len(ax.get_yticks()) for task, ax in grid.axes_dict.items()} == {t: len(m) for t, m in CELLS.items()}
    for task, ax in grid.axes_dict.items():
        names = ax.yaxis.get_major_formatter().format_ticks(ax.get_yticks())  # those that are hidden too
        rows = placed[placed["task"] == task]
        assert [names[place] for place in rows["place"]] == rows["model"].tolist()
    assert len(grid.figure.axes) == len(CELLS)
    plt.close("all")


def test_tasks_of_the_same_rows_share_their_names_three_to_a_band():
    grid, _ = row_panels(cells())
    grid.figure.canvas.draw()
    of = grid.axes_dict
    named = {task for task, ax in of.items() if any(label.get_visible() for label in ax.get_yticklabels())}
    first = {task for task, ax in of.items() if ax.get_subplotspec().is_first_col()}
    assert named == first
    assert len(first) == 3  # three and one of two models, and one of a model
    heights = {task: of[task].get_position().height for task in CELLS}
    assert heights["mnist5k"] < heights["digits"]
    plt.close("all")


def test_panels_get_title_and_legend_as_those_of_a_grid_do():
    grid, _ = row_panels(cells())
    for ax in grid.axes:
        ax.plot([0], [0], "o", label="a point")
    assert style.name_panels(grid, "of all") is grid.axes[0]
    (legend,) = grid.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a point"]
    assert grid.figure.get_suptitle() == "of all"
    plt.close("all")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cross_entropy", "plain cross-entropy"),
        ("dropout:0.5", "dropout 0.5"),
        ("logit_penalty:0.001", "logit penalty 0.001"),
        ("decov:0.1+dropout:0.2", "DeCov 0.1 + dropout 0.2"),
        ("squared_error", "squared error"),
    ],
)
def test_objectives_have_names_that_people_read(name, words):
    assert objective_words(name) == words


def test_a_span_is_one_number_where_both_ends_are_written_alike():
    assert span([0.014, 0.235]) == "1.4 to 23.5"
    assert span([0.5001, 0.5]) == "50.0"
    assert span([0.03, 0.075], digits=None) == "3 to 7.5"
    assert span([2, 1], times=1, digits=0) == "1 to 2"
