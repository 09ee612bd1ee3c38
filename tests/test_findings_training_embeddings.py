"""The headings of figures on training and embeddings: one short sentence, from the numbers, other words for others."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from diffred_core import drawing, results
from diffred_core.chapters import embeddings, training
from diffred_core.chapters.training import compared, figures, names
from diffred_core.chapters.training import names_learning as learning
from diffred_core.chapters.training import names_parts as parts
from diffred_core.drawing.ends import apart
from diffred_core.results import where

KEPT = Path(__file__).parent.parent / "kept" / "training" / "digits" / "tf_efficientnet_lite0.in1k"
NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
CHAPTER = [path.stem for path in sorted(KEPT.glob("*.parquet"))]
LONGEST = 24  # words


def figures_of(chapter, analysis):
    """Return the figures that a notebook shows, by name."""
    shown = re.findall(
        rf"{chapter.__name__.split('.')[-1]}\.(figures\w*)\.(\w+)", (NOTEBOOKS / f"{analysis}.ipynb").read_text()
    )
    return {name: getattr(getattr(chapter, module), name) for module, name in shown}


def heading(figure, table):
    return figure.finding(figure.summary(table))


@pytest.mark.parametrize("analysis", CHAPTER)
def test_every_figure_of_training_is_headed_by_a_short_sentence_with_a_number(analysis):
    table = results.read(KEPT / f"{analysis}.parquet")
    shown = figures_of(training, analysis)
    assert len(shown) >= 2
    for figure in shown.values():
        sentence = heading(figure, table)
        assert sentence.endswith(".")
        assert re.search(r"\d", sentence)
        assert len(sentence.split()) <= LONGEST
        assert not re.search(r"nan|\{|_|e[-+]\d", sentence)


@pytest.mark.parametrize(
    ("figure", "analysis", "swapped", "words", "others"),
    [
        ("pc_bias_bridge", "pc_bias", {"method": (learning.LEADING, names.RANDOM)}, "more than", "less than"),
        ("pc_bias_bridge", "pc_bias", {"method": (learning.LEADING, learning.TRAILING)}, "more than", "less than"),
        ("alignment", "silent_alignment", {"label": (learning.ALIGNMENT, learning.LOSS)}, "before", "after"),
        ("groups", "lazy_hasty", {"label": (learning.TRUE, learning.WRONG)}, "ahead", "behind"),
        ("risk", "linear_teachers", {"label": (learning.FROM_LEADING, learning.FROM_TRAILING)}, "times", "% of that"),
        ("gradients", "gradmax", {"label": (parts.GRADMAX, parts.RANDOM_UNITS)}, "times", "% of that"),
    ],
)
def test_a_heading_turns_with_the_numbers(figure, analysis, swapped, words, others):
    table = results.read(KEPT / f"{analysis}.parquet")
    found = figures_of(training, analysis)[figure]
    ((column, (one, other)),) = swapped.items()
    turned = table.assign(**{column: table[column].replace({one: other, other: one})})
    assert words in heading(found, table)
    assert others in heading(found, turned)
    assert words not in heading(found, turned)


def test_a_line_that_runs_backwards_is_said_to_rise():
    table = results.read(KEPT / "low_dimensional.parquet")
    backwards = table.assign(at=-table["at"].astype(float))
    assert "falls from" in heading(training.figures_parts.unreached, table)
    assert "rises from" in heading(training.figures_parts.unreached, backwards)


def test_means_in_each_others_intervals_are_noted_and_equal_ones_are_said_to_be():
    table = results.read(KEPT / "geometric_complexity.parquet")
    bridge = training.figures_parts.geometric_complexity_bridge
    assert "(intervals overlap)" in heading(bridge, table)
    same = table.assign(value=table["value"].where(table["method"] != parts.SMOOTH, 0.5))
    same = same.assign(value=same["value"].where(same["method"] != parts.ROUGH, 0.5))
    assert "50 %, as much as" in heading(bridge, same)
    assert "(intervals overlap)" not in heading(
        training.figures_learning.pc_bias_bridge, results.read(KEPT / "pc_bias.parquet")
    )


def test_on_a_logarithmic_axis_no_interval_reaches_zero():
    table = results.read(KEPT / "trainability.parquet")
    shown = training.figures_parts.entropies.summary(table)
    assert (shown["low"] > 0).all()
    of = where(table, metric=parts.ENTROPY, label=parts.HE, method=names.MEASURED, at=30.0)["value"].astype(float)
    row = where(shown, series=parts.HE, formula=False, x=30.0).iloc[0]
    assert row["mean"] == pytest.approx(of.prod() ** (1 / len(of)))
    assert of.mean() > 1.2 * row["mean"]  # the arithmetic mean, whose interval does reach it, is another


def test_what_cannot_be_negative_is_not_drawn_so():
    table = results.read(KEPT / "gated_networks.parquet")
    figure = training.figures_learning.routes
    summary = figure.summary(table)
    assert summary["low"].min() < 0
    ax = figure.plot(summary)
    assert ax.get_ylim()[0] == 0
    risen = figure.plot(summary.assign(mean=summary["mean"] - 1))
    assert risen.get_ylim()[0] < 0
    drawing.matplotlib.pyplot.close("all")


def test_shares_are_said_in_percent_and_their_axis_is_marked_so():
    figure = training.figures_parts.tickets
    summary = figure.summary(results.read(KEPT / "lottery_ticket.parquet"))
    assert "ticket: 93.0 % at 4.7 %, 95.0 % at 100 %" in figure.words(summary)
    ax = figure.plot(summary)
    ax.figure.canvas.draw()
    shown = [label.get_text() for axis in (ax.xaxis.get_major_ticks(), ax.xaxis.get_minor_ticks()) for label in
             (tick.label1 for tick in axis)]  # fmt: skip
    assert {"10", "100", "5", "20", "50"} <= set(shown)
    assert "0.2" not in shown
    drawing.matplotlib.pyplot.close("all")


def test_lines_of_one_panel_are_named_at_their_ends_in_the_order_of_the_plot():
    figure = training.figures_learning.pc_bias_bridge
    summary = figure.summary(results.read(KEPT / "pc_bias.parquet"))
    ax = figure.plot(summary)
    assert ax.figure.legends == []
    heights = {text.get_text(): text.xyann[1] for text in ax.texts}
    last = summary.groupby("series").tail(1).sort_values("mean")["series"].tolist()
    assert sorted(heights, key=heights.get) == last
    assert "random dimensions" in last
    drawing.matplotlib.pyplot.close("all")


def test_names_are_moved_apart_and_no_further():
    assert apart([0.1, 0.9], [0.1, 0.1]) == [0.1, 0.9]
    placed = apart([0.5, 0.5, 0.52, 1.2], [0.1] * 4)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(placed))
    assert placed[-1] <= 1.05
    assert sum(placed[:3]) / 3 == pytest.approx((0.5 + 0.5 + 0.52) / 3)


def test_a_line_is_half_way_where_half_of_its_way_is_made():
    summary = results.read(KEPT / "gated_networks.parquet")
    rows = figures.summary_of(
        figures.Curves({"metric": learning.MODE}, "x", "y", "t", compared.HalfWay(0, -1, "")), summary
    )
    line = compared.measured(compared.line_of(rows, 0))
    way = [(x, abs(y - line["mean"].iloc[0])) for x, y in zip(line["x"], line["mean"], strict=True)]
    slow = next(x for x, made in way if made >= way[-1][1] / 2)
    assert compared.half_way(line) == slow
    assert compared.half_way(line.assign(mean=-line["mean"])) == slow


@pytest.fixture(scope="module")
def report():
    rows = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    return embeddings.report(rows * 2.0 ** -np.arange(16, dtype=np.float32))  # all is in the first dimensions


def test_the_heading_of_the_frontier_is_the_least_that_keeps_enough(report):
    figure = embeddings.figures.frontier
    every = figure.summary(report)
    enough = every[every["value"] >= every["delta"]]
    assert figure.finding(every).startswith(f"{int(enough['bytes'].min())} of 64 bytes keep ")
    assert len(figure.finding(every).split()) <= LONGEST
    assert figure.finding(every.assign(value=0.1)) == "Nothing that was tested keeps 95.0 % of the quality."


def test_the_heading_of_prefixes_says_on_which_side_of_random_k_they_lie(report):
    figure = embeddings.figures.prefixes
    rows = figure.summary(report)
    n = len(rows)
    assert figure.finding(rows.assign(first=2.0)) == f"At {n} of {n} widths the first k dimensions lie above random k."
    assert "below" in figure.finding(rows.assign(first=-1.0))
    assert "within the range of" in figure.finding(rows.assign(first=rows["mean"]))


def test_the_heading_of_the_published_scores_turns_with_them():
    figure = embeddings.figures_published.published
    lines = figure.summary(embeddings.published_scores(n_boot=50))
    heading_of_bits = figure.finding(lines)
    assert len(heading_of_bits.split()) <= LONGEST
    assert "ahead of the first k on 4 of 4 encoders" in heading_of_bits
    assert "behind the first k on 4 of 4 encoders" in figure.finding(lines.assign(mean=1 - lines["mean"]))
