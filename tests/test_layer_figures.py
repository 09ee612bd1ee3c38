"""Figures by depth draw the numbers they are given, refuse what they cannot draw, and say it in words."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from synthetic_layers import NAMES, make_layers

from diffred_core import drawing
from diffred_core.chapters import depth
from diffred_core.chapters.random_subsets.names import BASELINE, MAJORITY
from diffred_core.errors import InputError

PLOTS = {name: getattr(depth.figures, name) for name in ("rank", "collapse", "redundancy", "optimism")}
PLOTS["accuracy"] = depth.figures_accuracy.accuracy


@pytest.fixture(scope="module")
def table():
    away = make_layers((0.2, 2.0, 1.0, 0.3), task="away", seed=4)
    return depth.layers(
        make_layers(), transfer=[away], shifted=[away], n_boot=100, fraction=0.5, n_subsets=2, published_layers=2
    )


@pytest.fixture(scope="module")
def summaries(table):
    return {name: figure.summary(table) for name, figure in PLOTS.items()}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_draws_on_the_axes_it_is_given_and_leaves_its_summary_alone(name, summaries):
    before = summaries[name].copy()
    figure, ax = plt.subplots()
    assert PLOTS[name].plot(summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    pd.testing.assert_frame_equal(summaries[name], before)


def test_accuracy_has_the_commonest_class_of_every_task_and_of_none_where_the_table_has_none(table):
    figure = depth.figures_accuracy.accuracy
    constants = table[(table["metric"] == BASELINE) & (table["method"] == MAJORITY)].groupby("task")["value"].first()
    drawn = figure.plot(figure.summary(table)).lines
    level = {line.get_ydata()[0] for line in drawn if line.get_linestyle() == ":" and len(set(line.get_ydata())) == 1}
    assert level == set(constants)
    for value in constants:
        assert f"its commonest class {100 * value:.1f} %" in figure.words(figure.summary(table))
    without = figure.summary(table[table["metric"] != BASELINE])
    assert "commonest" not in figure.words(without)
    assert len(figure.plot(without).lines) < len(drawn)


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_of_a_new_figure_is_cut_off(name, summaries):
    ax = PLOTS[name].plot(summaries[name])
    ax.figure.canvas.draw()
    inside = ax.figure.bbox
    ticks = [
        label
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()))
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        if low <= place <= high  # others are not drawn
    ]
    for part in (*ax.figure.legends, ax.xaxis.label, ax.yaxis.label, *ticks):
        if isinstance(part, Text) and not part.get_text():
            continue
        box = part.get_window_extent()
        assert box.x0 >= inside.x0 - 1
        assert box.x1 <= inside.x1 + 1
        assert box.y0 >= inside.y0 - 1
        assert box.y1 <= inside.y1 + 1


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_refuses_an_empty_summary_and_one_without_a_column(name, summaries):
    with pytest.raises(InputError, match=f"plot_{name} needs at least one row"):
        PLOTS[name].plot(summaries[name].iloc[:0])
    with pytest.raises(InputError, match=f"plot_{name} needs the column 'place'"):
        PLOTS[name].plot(summaries[name][["n"]])


@pytest.mark.parametrize("name", PLOTS)
def test_words_hold_numbers_of_the_summary_and_follow_it(name, summaries):
    describe = PLOTS[name].words
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    assert any(layer in words for layer in NAMES)
    changed = summaries[name].assign(mean=summaries[name]["mean"] * 0.5 + 0.01)
    assert describe(changed) != words


def test_lines_are_the_means_in_the_order_of_the_layers(summaries):
    ax = depth.figures_accuracy.accuracy.plot(summaries["accuracy"])
    (line,) = (line for line in ax.lines if line.get_label() == "away")
    chosen = "task == 'away' and method == 'transfer' and metric == 'accuracy'"
    rows = summaries["accuracy"].query(chosen).sort_values("place")
    np.testing.assert_allclose(line.get_ydata(), rows["mean"])
    np.testing.assert_allclose(line.get_xdata(), [1, 2, 3, 4])
    assert [label.get_text() for label in ax.get_xticklabels()] == list(NAMES)
    labels = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
    assert labels == ["home (reference)", "away", "commonest class of the task"]
    assert [text.get_text() for text in ax.texts] == ["home (reference)", "away"]  # lines are named at their ends


def test_the_probe_of_the_reference_has_a_figure_of_its_own_where_it_met_shifted_images(table):
    figure = depth.figures_accuracy.shift_accuracy
    labels = [line.get_label() for line in figure.plot(figure.summary(table)).lines]
    assert [label for label in labels if not label.startswith("_")][:2] == ["home (reference)", "away"]
    rows = figure.summary(table).query("method == 'shift'").sort_values("place")
    assert set(figure.summary(table)["method"]) >= {"shift", "in_distribution"}
    assert f"{100 * rows['mean'].iloc[-1]:.1f} % in the last layer" in figure.words(figure.summary(table))
    without = table[table["method"] != "shift"]
    assert drawing.show(figure, without).data == "<p>No shifted images were measured.</p>"


def test_normalised_lines_reach_one_and_keep_their_shape(table):
    normalised = depth.figures_accuracy.normalised_accuracy
    summary = normalised.summary(table)
    ax = normalised.plot(summary)
    plain = depth.figures_accuracy.accuracy.plot(depth.figures_accuracy.accuracy.summary(table))
    curves = ([line for line in axes.lines if len(line.get_xdata()) > 2] for axes in (plain, ax))
    for a, b in zip(*curves, strict=True):
        assert max(b.get_ydata()) == pytest.approx(1)
        np.testing.assert_allclose(a.get_ydata() / max(a.get_ydata()), b.get_ydata())
    assert "best layer" in ax.get_ylabel()
    assert "100.0 %" in normalised.words(summary)


def test_the_tunnel_is_shaded_from_its_start(table):
    def drawn(start):
        moved = table.assign(value=table["value"].where(table["metric"] != "tunnel_start_95", start))
        summary = depth.figures_accuracy.accuracy.summary(moved)
        return depth.figures_accuracy.accuracy.plot(summary).patches, depth.figures_accuracy.accuracy.words(summary)

    (shade,), words = drawn(3)
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (2.5, 4.5)
    assert words.endswith("The tunnel is shaded from third on.")
    patches, words = drawn(4)  # where all layers are needed there is no tunnel
    assert not patches
    assert "shaded" not in words


def test_too_many_layer_names_are_thinned():
    n = 60
    curve = pd.DataFrame(
        {"place": range(1, n + 1), "layer": [f"conv{i}" for i in range(n)], "mean": np.linspace(0, 1, n)}
    )
    curve = curve.assign(method="transfer", task="t", metric="accuracy", recipe=None, low=np.nan, high=np.nan)
    ax = depth.figures_accuracy.accuracy.plot(curve.assign(n=1, level=0.95))
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert len(names) <= 26
    assert names[:2] == ["conv0", "conv3"]


def test_tables_show_what_the_sweep_measured(table):
    retained = depth.tables.retained.summary(table).set_index(["design", "task"])
    assert set(retained.index) == {("reference", "home"), ("transfer", "away"), ("shift", "away")}
    row = table[(table["metric"] == "percent_retained_held_out") & (table["method"] == "transfer")].iloc[0]
    shown = retained.loc[("transfer", "away")]
    assert (shown["held out"], shown["low"], shown["high"]) == (row["value"], row["low"], row["high"])
    assert shown["strength"] == "strong"
    assert retained.loc[("reference", "home"), "strength"] == "negligible"  # the control
    assert shown["best layer"] == "second"
    first = table[table["metric"] == "tunnel_start_95"]["value"].item()
    assert retained.loc[("reference", "home"), "95 % from"] == NAMES[int(first) - 1]
    assert pd.isna(shown["95 % from"])  # the original rule reads the reference task alone


@pytest.mark.parametrize("name", ["rank", "collapse", "redundancy"])
def test_a_measure_that_no_style_knows_is_drawn_and_said(name, summaries):
    added = summaries[name].assign(metric="new_measure")
    summary = pd.concat([summaries[name], added.drop_duplicates(["place", "recipe"])])
    assert any("new measure" in line.get_label() for line in PLOTS[name].plot(summary).lines)
    assert "new measure" in PLOTS[name].words(summary)
    assert "new measure" not in PLOTS[name].words(summaries[name])


def test_bands_are_named_where_there_are_some_alone(summaries):
    summary = summaries["accuracy"]
    assert "95 % bootstrap over test images" in PLOTS["accuracy"].plot(summary).get_title(loc="left")
    without = PLOTS["accuracy"].plot(summary.assign(low=np.nan, high=np.nan))
    assert without.get_title(loc="left") == "a probe for each task; no interval"


def test_without_probes_as_published_their_figure_says_so(table):
    without = table[table["metric"] != "optimism"]
    assert drawing.show(PLOTS["optimism"], without).data == "<p>No probe as published was asked for.</p>"
    assert "<img" in drawing.show(PLOTS["optimism"], table).data
