"""Figures draw the numbers they are given, refuse what they cannot draw, and say in words what they show."""

from __future__ import annotations

import re

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from synthetic_task import make_task

from diffred_core import drawing, results
from diffred_core.chapters import random_subsets
from diffred_core.drawing import style as _style
from diffred_core.drawing.style import task_label
from diffred_core.errors import InputError


@pytest.fixture(scope="module")
def probes():
    return random_subsets.subset_probes(make_task(), n_seeds=3, logistic_fractions=(0.2, 0.5), n_boot=50)


@pytest.fixture(scope="module")
def summaries(probes):
    ridge = probes[probes["probe"] == "ridge"]
    similarity = random_subsets.subset_similarity(make_task(), n_seeds=3, interval_fractions=())
    drops = ridge[(ridge["method"] == "random") & ridge["metric"].str.startswith("diffused_redundancy")]
    both = results.summarize(ridge[ridge["metric"].isin(["accuracy", "gini"])], ["method", "fraction", "metric"])
    fits = ridge[ridge["metric"] == "accuracy"]
    return {
        "accuracy": results.summarize(fits, ["method", "fraction"], metric="accuracy"),
        "probes": results.summarize(probes, ["method", "probe", "fraction"], metric="accuracy"),
        "redundancy": results.summarize(drops, ["metric", "delta"]),
        "similarity": results.summarize(similarity, ["method", "metric", "fraction"]),
        "inequality": both.pivot(index=["method", "fraction"], columns="metric", values="mean").reset_index(),
        "regulariser": results.summarize(fits.assign(value=np.log10(fits["l2"])), ["method", "fraction"]),
        "dumbbells": random_subsets.across.kept_accuracy(probes),
        "needed": random_subsets.across.needed_fractions(probes),
        "frontier": random_subsets.across.frontier(probes, task="signals"),
    }


NAMES = (
    *("accuracy", "probes", "redundancy", "similarity", "inequality", "regulariser"),
    *("dumbbells", "needed", "frontier"),
)
PLOTS = {name: getattr(random_subsets.figures, f"plot_{name}") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_draws_on_the_axes_it_is_given_and_returns_them(name, summaries):
    figure, ax = plt.subplots()
    assert PLOTS[name](summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    assert ax.get_xlabel()


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_is_white_named_and_has_a_legend_off_the_data(name, summaries):
    ax = PLOTS[name](summaries[name])
    assert matplotlib.colors.to_hex(ax.figure.get_facecolor()) == "#ffffff"
    assert matplotlib.colors.to_hex(ax.get_facecolor()) == "#ffffff"
    assert ax.get_title(loc="left")
    ax.figure.canvas.draw()
    (legend,) = ax.figure.legends
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    inside = ax.figure.bbox
    for part in (legend, ax.xaxis.label, ax.yaxis.label, ax.title, *ax.get_yticklabels()):
        if isinstance(part, Text) and not part.get_text():
            continue
        box = part.get_window_extent()
        assert box.x0 >= inside.x0 - 1
        assert box.x1 <= inside.x1 + 1
        assert box.y0 >= inside.y0 - 1


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_does_not_change_its_summary(name, summaries):
    before = summaries[name].copy()
    PLOTS[name](summaries[name])
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_refuses_an_empty_summary_and_one_without_a_column(name, summaries):
    with pytest.raises(InputError, match=f"plot_{name} needs at least one row"):
        PLOTS[name](summaries[name].iloc[:0])
    with pytest.raises(InputError, match=f"plot_{name} needs the column"):
        PLOTS[name](summaries[name][["n"]] if "n" in summaries[name] else summaries[name][[]])


@pytest.mark.parametrize("name", NAMES)
def test_words_hold_numbers_of_the_summary_and_follow_it(name, summaries):
    describe = getattr(random_subsets.figures, f"describe_{name}")
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    numbers = (
        summaries[name].select_dtypes("number").columns.difference(["fraction", "delta", "n", "n_selected", "level"])
    )
    if name == "needed":
        numbers = ["fraction"]
    changed = summaries[name].astype(dict.fromkeys(numbers, float))
    changed[list(numbers)] = changed[list(numbers)] * 0.5
    assert describe(changed) != words


def test_accuracy_lines_are_the_means_and_the_band_is_the_interval(summaries):
    ax = random_subsets.figures.plot_accuracy(summaries["accuracy"])
    random = summaries["accuracy"].query("method == 'random'")
    (line,) = (line for line in ax.lines if line.get_label() == "random subset")
    np.testing.assert_allclose(line.get_ydata(), random["mean"])
    np.testing.assert_allclose(line.get_xdata(), random["fraction"])
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(random["low"].min())
    assert heights.max() == pytest.approx(random["high"].max())
    assert "95 % t interval, 3 draws" in ax.get_title(loc="left")


def test_full_layer_is_a_dashed_line_at_its_accuracy(summaries):
    ax = random_subsets.figures.plot_accuracy(summaries["accuracy"])
    (full,) = (line for line in ax.lines if line.get_label() == "full layer")
    expected = summaries["accuracy"].query("method == 'full'")["mean"].item()
    assert set(full.get_ydata()) == {expected}
    assert full.get_linestyle() == "--"


def test_fractions_are_read_in_percent(summaries):
    ax = random_subsets.figures.plot_accuracy(summaries["accuracy"])
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_xticklabels()][-3:] == ["20", "50", "100"]
    assert "%" in ax.get_xlabel()


def test_a_mixture_of_probes_is_refused_where_one_is_drawn(summaries):
    with pytest.raises(InputError, match="plot_accuracy draws one probe, got logistic, ridge"):
        random_subsets.figures.plot_accuracy(summaries["probes"])


def test_colours_of_methods_differ_and_are_dark_enough_on_white():
    colours = [colour for _, colour, _ in _style.METHODS.values()]
    assert len(set(colours)) == len(colours)
    for colour in colours:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) > 2  # markers differ as well, so colour never stands alone


def test_show_gives_the_alternative_text_and_closes_the_figure(summaries):
    figure = random_subsets.figures.plot_accuracy(summaries["accuracy"]).figure
    shown = drawing.show(figure, alt='less "than" 5 % & more', caption="a < b").data
    assert 'alt="less &quot;than&quot; 5 % &amp; more"' in shown
    assert "<figcaption>a &lt; b</figcaption>" in shown
    assert "data:image/png;base64," in shown
    assert plt.get_fignums() == []


def test_show_refuses_a_figure_without_words(summaries):
    with pytest.raises(InputError, match="alt must say what the figure shows"):
        drawing.show(random_subsets.figures.plot_accuracy(summaries["accuracy"]).figure, alt=" ")


def test_the_same_figure_gives_the_same_bytes_and_another_one_others(summaries):
    pictures = [drawing.png(random_subsets.figures.plot_accuracy(summaries["accuracy"]).figure) for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert pictures[0] != drawing.png(random_subsets.figures.plot_similarity(summaries["similarity"]).figure)


def test_a_table_has_a_caption_and_a_dash_for_what_is_missing():
    shown = drawing.show_table(pd.DataFrame({"a": [0.12345, None], "b": ["x", "y"]}), caption="a & b", digits=2).data
    assert "<caption>a &amp; b</caption>" in shown
    assert '<th scope="col">a</th>' in shown
    assert "<td>0.12</td>" in shown
    assert "<td>–</td>" in shown


@pytest.mark.parametrize(
    ("task", "label"),
    [
        ("mnist5k+noise:3", "mnist5k+noise:3"),
        ("torchvision:CIFAR10", "torchvision:CIFAR10"),
        ("folder:cells", "folder:cells"),
        ("folder:/a/long/way/to/cells+noise:3", "folder:.../cells+noise:3"),
        ("embeddings:../mine.npz", "embeddings:.../mine.npz"),
    ],
)
def test_a_path_is_shortened_to_what_a_legend_has_room_for(task, label):
    assert task_label(task) == label
