"""Figures by depth draw the numbers they are given, refuse what they cannot draw, and say it in words."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from synthetic_layers import NAMES, make_layers

from diffred_core.chapters import depth
from diffred_core.errors import InputError

PLOTS = {
    name: getattr(depth.figures, f"plot_layer_{name}")
    for name in ("accuracy", "rank", "collapse", "redundancy", "optimism")
}


@pytest.fixture(scope="module")
def summaries():
    away = make_layers((0.2, 2.0, 1.0, 0.3), task="away", seed=4)
    table = depth.layers(
        make_layers(), transfer=[away], shifted=[away], n_boot=100, fraction=0.5, n_subsets=2, published_layers=2
    )
    return {
        "accuracy": depth.by_layer(table, ["accuracy"]),
        "rank": depth.by_layer(table, ["numerical_rank", "stable_rank", "rankme"]),
        "collapse": depth.by_layer(table, [m for m in table["metric"].unique() if m.startswith("nc")]),
        "redundancy": depth.by_layer(table, ["cka_to_last", "accuracy_kept", "diffused_redundancy"]),
        "optimism": depth.by_layer(table, ["optimism"]),
    }


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_draws_on_the_axes_it_is_given_and_leaves_its_summary_alone(name, summaries):
    before = summaries[name].copy()
    figure, ax = plt.subplots()
    assert PLOTS[name](summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_of_a_new_figure_is_cut_off(name, summaries):
    ax = PLOTS[name](summaries[name])
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
    with pytest.raises(InputError, match=f"plot_layer_{name} needs at least one row"):
        PLOTS[name](summaries[name].iloc[:0])
    with pytest.raises(InputError, match=f"plot_layer_{name} needs the column 'place'"):
        PLOTS[name](summaries[name][["n"]])


@pytest.mark.parametrize("name", PLOTS)
def test_words_hold_numbers_of_the_summary_and_follow_it(name, summaries):
    describe = getattr(depth.figures, f"describe_layer_{name}")
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    assert any(layer in words for layer in NAMES)
    changed = summaries[name].assign(mean=summaries[name]["mean"] * 0.5 + 0.01)
    assert describe(changed) != words


def test_lines_are_the_means_in_the_order_of_the_layers(summaries):
    ax = depth.figures.plot_layer_accuracy(summaries["accuracy"])
    (line,) = (line for line in ax.lines if line.get_label() == "away, probe of its own")
    rows = summaries["accuracy"].query("task == 'away' and method == 'transfer'").sort_values("place")
    np.testing.assert_allclose(line.get_ydata(), rows["mean"])
    np.testing.assert_allclose(line.get_xdata(), [1, 2, 3, 4])
    assert [label.get_text() for label in ax.get_xticklabels()] == list(NAMES)
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["home (reference)", "away, probe of its own", "away, probe of the reference"]


def test_normalised_lines_reach_one_and_keep_their_shape(summaries):
    raw, normalised = (depth.figures.plot_layer_accuracy(summaries["accuracy"], normalised=n) for n in (False, True))
    for a, b in zip(raw.lines, normalised.lines, strict=True):
        assert max(b.get_ydata()) == pytest.approx(1)
        np.testing.assert_allclose(a.get_ydata() / max(a.get_ydata()), b.get_ydata())
    assert "best layer" in normalised.get_ylabel()


def test_the_tunnel_is_shaded_from_its_start(summaries):
    ax = depth.figures.plot_layer_accuracy(summaries["accuracy"], start=3)
    (shade,) = (patch for patch in ax.patches if "tunnel" in patch.get_label())
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (2.5, 4.5)
    words = depth.figures.describe_layer_accuracy(summaries["accuracy"], start=3)
    assert words.endswith("The tunnel is shaded from third on.")
    assert not depth.figures.plot_layer_accuracy(summaries["accuracy"]).patches
    # where all layers are needed there is no tunnel
    assert not depth.figures.plot_layer_accuracy(summaries["accuracy"], start=4).patches
    assert "shaded" not in depth.figures.describe_layer_accuracy(summaries["accuracy"], start=4)


def test_too_many_layer_names_are_thinned():
    n = 60
    curve = pd.DataFrame(
        {"place": range(1, n + 1), "layer": [f"conv{i}" for i in range(n)], "mean": np.linspace(0, 1, n)}
    )
    curve = curve.assign(method="transfer", task="t", metric="accuracy", low=np.nan, high=np.nan, n=1, level=0.95)
    names = [label.get_text() for label in depth.figures.plot_layer_accuracy(curve).get_xticklabels()]
    assert len(names) <= 26
    assert names[:2] == ["conv0", "conv3"]
