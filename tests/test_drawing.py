"""What is shown has its words, nothing that stands in a table is left out, and text is never markup."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diffred_core import drawing
from diffred_core.chapters import random_subsets
from diffred_core.drawing import style
from diffred_core.drawing.speed import speed
from diffred_core.errors import InputError


def plot_points(summary, *, ax=None):
    ax = style.axes_or_new(ax)
    style.line(ax, summary, x="x", look=drawing.Look("points", "#0072B2"))
    return style.finish(ax, title="points", x="x", y="mean")


POINTS = pd.DataFrame({"x": [2, 1], "mean": [0.2, 0.1], "low": [0.1, 0.0], "high": [0.3, 0.2]})
FIGURE = drawing.Figure(lambda table: table, plot_points, lambda summary: f'{len(summary)} points, "<b>" & more.')


def test_a_figure_is_shown_with_its_words_and_closed():
    shown = drawing.show(FIGURE, POINTS).data
    assert 'alt="2 points, &quot;&lt;b&gt;&quot; &amp; more."' in shown
    assert "data:image/png;base64," in shown
    assert plt.get_fignums() == []


def test_a_figure_is_headed_by_its_finding_and_carries_the_numbers_that_are_drawn():
    shown = drawing.show(replace(FIGURE, finding=lambda summary: f"{len(summary)} <reach> 20 %."), POINTS).data
    assert "<figcaption>2 &lt;reach&gt; 20&nbsp;%.</figcaption>" in shown
    data = re.search(r'href="data:text/csv;base64,([^"]+)"', shown)[1]
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(base64.b64decode(data))), POINTS)
    assert "<figcaption>" not in drawing.show(FIGURE, POINTS).data


def test_a_figure_without_words_is_refused():
    with pytest.raises(InputError, match="alt must say what the figure shows"):
        drawing.show(drawing.Figure(FIGURE.summary, plot_points, lambda summary: " "), POINTS)


def test_the_same_figure_gives_the_same_bytes_and_another_one_others():
    pictures = [drawing.png(plot_points(POINTS).figure) for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert pictures[0] != drawing.png(plot_points(POINTS.assign(mean=0.1)).figure)


def test_a_heat_map_keeps_its_shades_and_a_chart_of_lines_needs_few():
    ax = style.axes_or_new(None)
    ax.pcolormesh(np.linspace(0, 1, 100).reshape(10, 10))
    chart, shades = (
        len(Image.open(io.BytesIO(drawing.png(canvas))).convert("RGB").getcolors(1000))
        for canvas in (plot_points(POINTS).figure, ax.figure)
    )
    assert chart <= 40
    assert shades > 100


def test_a_long_title_goes_on_in_a_second_line():
    titles = [style.finish(style.axes_or_new(None), title="word " * n + "\nend", x="x", y="y") for n in (4, 20)]
    assert [ax.get_title(loc="left").count("\n") for ax in titles] == [1, 2]
    titles[1].figure.canvas.draw()
    assert titles[1]._left_title.get_window_extent().x1 <= titles[1].figure.bbox.width


def test_a_line_runs_along_x_with_the_interval_as_its_band():
    ax = plot_points(POINTS)
    assert ax.lines[0].get_xydata().tolist() == [[1, 0.1], [2, 0.2]]
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.0, 0.3)
    assert plot_points(POINTS.assign(low=None, high=None)).collections[:] == []


def test_a_figure_of_nothing_says_so_where_that_may_be_and_is_refused_elsewhere():
    nothing = drawing.Figure(FIGURE.summary, random_subsets.figures.plot_accuracy, FIGURE.words, empty="No <run>.")
    assert drawing.show(nothing, POINTS.iloc[:0]).data == "<p>No &lt;run&gt;.</p>"
    with pytest.raises(InputError, match="needs at least one row"):
        drawing.show(replace(nothing, empty=""), POINTS.assign(method="a", fraction=1, n=1).iloc[:0])


def test_a_table_has_a_caption_and_a_dash_for_what_is_missing():
    rows = pd.DataFrame({"a": [0.12345, None], "b": ["x", "<i>y</i>"]})
    table = drawing.Table(lambda table: table, lambda rows: f"{len(rows)} rows & more", digits=2)
    shown = drawing.show(table, rows).data
    right = ('<th scope="col" class="number">a</th>', '<td class="number">0.12</td>', '<td class="number">–</td>')
    for part in ("<caption>2 rows &amp; more</caption>", '<th scope="col">b</th>', *right):
        assert part in shown
    assert "<td>&lt;i&gt;y&lt;/i&gt;</td>" in shown


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["90.5 (89.1 to 91.2)", "8.0 (7.0 to 9.0)"], True),
        (["+0.4", "-12.0", None], True),
        (["15 %", "7.5 %"], True),
        (["3 layers", "5 layers"], False),
        (["2 to 3", "few"], False),
        (["0.1, 0.01 from epoch 10"], False),
        ([None], False),
        ([], False),
    ],
)
def test_columns_of_numbers_stand_to_the_right(texts, number):
    rows = pd.DataFrame({"a": pd.Series(texts, dtype=object)})
    assert ('class="number"' in drawing.show_table(rows, caption="c").data) == number


def test_more_is_folded_under_its_name_and_shown_as_it_would_be_alone():
    table = drawing.Table(lambda table: table, "All of it.")
    shown = drawing.show(FIGURE, POINTS, more={"All <numbers>": table, "Again": FIGURE}).data
    alone, figure = drawing.show(table, POINTS).data, drawing.show(FIGURE, POINTS).data
    first, second = f"All &lt;numbers&gt;</summary>{alone}", f"Again</summary>{figure}"
    assert shown == f"{figure}<details><summary>{first}</details><details><summary>{second}</details>"


def test_a_number_axis_has_a_tick_at_every_number_and_no_other():
    ax = plt.figure().subplots()
    style.number_axis(ax, [100, 1, 5, 5])
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "5", "100"]
    assert not ax.xaxis.get_minorticklocs().size
    assert ax.get_xscale() == "log"


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(InputError, match="show takes a Figure, a Table, an Answer or Verdicts, got int"):
        drawing.show(3)


def test_a_name_that_nobody_knows_gets_the_next_colour_and_is_drawn():
    known = {"b": drawing.Look("bee", style.COLOURS[0]), "a": drawing.Look("ay", style.COLOURS[1])}
    chosen = drawing.looks(known, ["new_way", "a", "b"])
    assert list(chosen) == ["b", "a", "new_way"]
    assert chosen["new_way"].words == "new way"
    assert len({look.colour for look in chosen.values()}) == 3
    assert list(drawing.looks(known, ["a"])) == ["a"]


def test_more_names_than_colours_still_all_have_a_look():
    assert len(drawing.looks({}, [f"way{i}" for i in range(20)])) == 20


def test_names_that_nobody_knows_differ_from_all_known_ones_and_from_one_another():
    known = random_subsets.figures.METHODS
    for present in (list(known), ["random"], []):
        chosen = drawing.looks(known, [*present, "new_a", "new_b", "new_c"])
        assert list(chosen) == [*present, "new_a", "new_b", "new_c"]
        others = [look for name, look in known.items() if name not in chosen]
        drawn = [(look.colour, look.marker, look.dash) for look in (*chosen.values(), *others)]
        assert len(set(drawn)) == len(drawn)
    assert drawing.looks({}, ["a"])["a"].colour == known["random"].colour  # the control: of nobody, a look is free


def test_looks_repeat_only_when_all_are_used_up():
    looks = drawing.looks({}, [f"way{i:03d}" for i in range(250)]).values()
    drawn = [(look.colour, look.marker, look.dash) for look in looks]
    assert len(set(drawn[:196])) == 196
    assert drawn[196:] == drawn[:54]


def test_lines_draw_what_no_look_is_known_of_and_keep_a_mean_outside_of_its_interval():
    rows = pd.concat([POINTS.assign(kind="old"), POINTS.assign(kind="new_kind", mean=0.9)])
    ax = style.axes_or_new(None)
    style.lines(ax, rows, {"old": drawing.Look("old", "#0072B2")}, by="kind", x="x")
    assert {line.get_label(): line.get_ydata().tolist() for line in ax.lines} == {
        "old": [0.1, 0.2],
        "new kind": [0.9, 0.9],
    }
    bands = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    assert [(band.min(), band.max()) for band in bands] == [(0.0, 0.3)] * 2


def test_a_benchmark_without_what_is_said_of_it_is_refused():
    rows = pd.DataFrame({"claim": "c", "side": ["a", "b"], "role": ["ours", "peer"], "seconds": [1.0, 3.0]})
    rows = rows.assign(low=rows["seconds"], high=rows["seconds"], unit="s")
    with pytest.raises(InputError, match="plot_speed needs the column 'times_ours'"):
        drawing.show(speed, rows)
    assert "3.0 times as fast as b" in drawing.show(speed, rows.assign(times_ours=[1, 3])).data


def test_lines_that_are_named_at_their_ends_stay_out_of_the_legend():
    ax = style.axes_or_new(None)
    for label in ("named", "other"):
        ax.plot([0, 1], [0, 1], label=label)
    style.finish(ax, title="", x="", y="", but={"named"})
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["other"]


def test_intervals_of_two_repeats_are_left_out_and_those_of_three_stay():
    rows = POINTS.assign(n=[2, 3])
    assert style.clear_intervals(rows)["low"].isna().tolist() == [True, False]
    assert rows["low"].notna().all()


@pytest.mark.parametrize(("letters", "columns"), [(6, 2), (38, 1)])
def test_title_and_names_of_panels_stay_within_the_figure(letters, columns):
    grid = style.panels(POINTS.assign(panel="one"), size=(5.8, 4.0), col="panel")
    for name in "abc":
        grid.axes.flat[0].plot([0, 1], [0, 1], label=name * letters)
    canvas = style.name_panels(grid, "what is drawn, over what its bands are, and more " * 3).figure
    canvas.canvas.draw()
    (legend,) = canvas.legends
    assert legend._ncols == columns
    for part in (legend, canvas._suptitle):
        box = part.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= canvas.bbox.width
