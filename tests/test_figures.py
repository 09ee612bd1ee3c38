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

from diffred_core import drawing
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError

FIGURES = {
    **{
        name: getattr(random_subsets.figures, name)
        for name in ("accuracy", "probes", "redundancy", "similarity", "regulariser")
    },
    "gini": random_subsets.figures_classes.inequality,
    "coefficient_of_variation": random_subsets.figures_classes.variation,
    "kept": random_subsets.across.kept(),
    "needed": random_subsets.across.needed,
}
NAMES = tuple(FIGURES)
ON_ONE_AXES = tuple(name for name in NAMES if name not in ("kept", "needed"))  # these have a panel a task


@pytest.fixture(scope="module")
def tables():
    probes = random_subsets.probes(make_task(), n_seeds=3, sgd_fractions=(0.2,), n_boot=50)
    return {
        "probes": probes,
        "similarity": random_subsets.similarity(make_task(), n_seeds=3, interval_fractions=(0.2,)),
    }


@pytest.fixture(scope="module")
def summaries(tables):
    return {
        name: figure.summary(tables["similarity" if name == "similarity" else "probes"])
        for name, figure in FIGURES.items()
    }


@pytest.mark.parametrize("name", ON_ONE_AXES)
def test_a_plot_draws_on_the_axes_it_is_given_and_returns_them(name, summaries):
    figure, ax = plt.subplots()
    assert FIGURES[name].plot(summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    assert ax.get_xlabel()


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_is_white_named_and_has_a_legend_off_the_data(name, summaries):
    ax = FIGURES[name].plot(summaries[name])
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
    FIGURES[name].plot(summaries[name])
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_refuses_an_empty_summary_and_one_without_a_column(name, summaries):
    with pytest.raises(InputError, match=f"plot_{name} needs at least one row"):
        FIGURES[name].plot(summaries[name].iloc[:0])
    with pytest.raises(InputError, match=f"plot_{name} needs the column"):
        FIGURES[name].plot(summaries[name][["n"]] if "n" in summaries[name] else summaries[name][[]])


@pytest.mark.parametrize("name", NAMES)
def test_words_hold_numbers_of_the_summary_and_follow_it(name, summaries):
    describe = FIGURES[name].words
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    places = ["fraction", "delta", "lost", "n", "n_selected", "level"]
    numbers = summaries[name].select_dtypes("number").columns.difference(places)
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
    with pytest.raises(InputError, match="plot_accuracy draws one probe, got logistic, ridge, sgd"):
        random_subsets.figures.plot_accuracy(summaries["probes"])


def test_colours_of_methods_differ_and_are_dark_enough_on_white():
    colours = [look.colour for look in random_subsets.figures.METHODS.values()]
    assert len(set(colours)) == len(colours)
    for colour in colours:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) > 2  # markers differ as well, so colour never stands alone


@pytest.mark.parametrize("name", ["accuracy", "gini"])
def test_a_method_that_no_style_knows_is_drawn_in_a_look_of_its_own(name, tables):
    probes = tables["probes"]
    added = probes[probes["method"] == "pca"].assign(method="bottom_pca")
    summary = FIGURES[name].summary(pd.concat([probes, added]))
    lines = {line.get_label(): line for line in FIGURES[name].plot(summary).lines}
    assert "bottom pca" in lines
    looks = {name: (line.get_color(), line.get_marker(), line.get_linestyle()) for name, line in lines.items()}
    assert looks.pop("bottom pca") not in looks.values()
    if name == "accuracy":
        assert "bottom pca" in FIGURES[name].words(summary)
        assert "bottom pca" not in FIGURES[name].words(FIGURES[name].summary(probes))


def test_a_similarity_that_no_style_knows_is_drawn_and_said(tables):
    added = tables["similarity"].query("method == 'subset_whole' and metric == 'cka_debiased'").assign(metric="cka_new")
    figure = random_subsets.figures.similarity
    summary = figure.summary(pd.concat([tables["similarity"], added]))
    assert "subset whole, cka new" in [line.get_label() for line in figure.plot(summary).lines]
    assert "subset whole, cka new 0." in figure.words(summary)
    assert "cka new" not in figure.words(figure.summary(tables["similarity"]))


def test_bands_of_redundancy_are_those_of_single_draws(tables, summaries):
    rows = tables["probes"].query("probe == 'logistic' and method == 'random' and delta == 0.9")
    rows = rows[rows["metric"] == "diffused_redundancy_first"]
    (found,) = summaries["redundancy"].query("metric == 'diffused_redundancy_first' and lost == 0.1").itertuples()
    assert found.mean == 1 - rows.loc[rows["repeat"].isna(), "value"].item()
    single = 1 - rows.loc[rows["repeat"].notna(), "value"]
    assert (found.low + found.high) / 2 == pytest.approx(single.mean())
    assert found.n == 3


def test_bands_of_similarity_are_over_draws_and_not_over_rows(tables):
    one = tables["similarity"].query("repeat == 0 and method == 'subset_whole' and metric == 'cka_debiased'")
    assert one["low"].notna().any()
    assert random_subsets.figures.similarity.summary(one)["low"].isna().all()


def test_the_share_of_fits_at_an_end_is_said_and_drawn(tables):
    probes = tables["probes"].copy()
    edge = (probes["metric"] == "l2_at_edge") & (probes["probe"] == "logistic")
    for share, value in (("0 %", 0.0), ("100 %", 1.0)):
        probes.loc[edge, "value"] = value
        summary = random_subsets.figures.regulariser.summary(probes)
        assert f"{share} of the logistic fits" in random_subsets.figures.regulariser.words(summary)
        ax = random_subsets.figures.regulariser.plot(summary)
        assert f"; {share} of the fits" in ax.get_title(loc="left")


@pytest.mark.parametrize("name", ["accuracy", "probes", "similarity", "over_rows", "gains"])
def test_a_table_holds_the_numbers_of_its_sweep(name, tables):
    of = "similarity" if name in ("similarity", "over_rows") else "probes"
    shown = getattr(random_subsets.tables, name).summary(tables[of])
    assert len(shown)
    rows = tables[of]
    if name == "probes":
        assert set(shown["dimensions"]) == {5.0, 10.0, 20.0, 50.0, 100.0}
        assert set(shown["probe"]) == {"ridge", "logistic", "sgd"}
        assert set(shown.loc[shown["probe"] == "sgd", "dimensions"]) == {20.0, 100.0}
    if name == "accuracy":
        full = rows.query("method == 'full' and probe == 'logistic' and metric == 'accuracy'")["value"].item()
        assert shown.set_index("method").loc["full", "mean"] == pytest.approx(100 * full)
    if name in ("accuracy", "probes"):
        assert "95 % t interval" in getattr(random_subsets.tables, name).caption(shown)
        assert "90 % t interval" in getattr(random_subsets.tables, name).caption(shown.assign(level=90.0))
    if name == "gains":
        gains = rows.query("metric == 'gain_over_random' and method == 'pca' and fraction == 0.1")
        (row,) = shown.query("kept == 'PCA' and dimensions == '10 %'").itertuples()
        assert (row.gain, row.low, row.high) == tuple(100 * gains[["value", "low", "high"]].iloc[0])
        assert random_subsets.names.HEADLINE in random_subsets.tables.gains.caption(shown)
    if name == "similarity":
        nulls = rows.query("method == 'diagonal_null' and fraction == 0.2")["value"]
        assert shown.set_index("fraction").loc["20 %", "uncorrelated"] == pytest.approx(nulls.mean())
    if name == "over_rows":
        assert shown["fraction"].tolist() == [0.2]
        assert (shown["low"] < shown["CKA"]).all()
        none = random_subsets.tables.over_rows.summary(rows.assign(low=float("nan")))
        assert "No interval over rows" in random_subsets.tables.over_rows.caption(none)
        assert "No interval" not in random_subsets.tables.over_rows.caption(shown)


def test_a_shown_figure_has_its_words_and_is_closed(tables, summaries):
    shown = drawing.show(random_subsets.figures.accuracy, tables["probes"]).data
    assert random_subsets.figures.accuracy.words(summaries["accuracy"])[:60] in shown
    assert "data:image/png;base64," in shown
    assert plt.get_fignums() == []


def test_the_headline_probe_is_drawn_first_and_ridge_does_not_move_its_figures(tables, summaries):
    assert next(iter(random_subsets.figures.PROBES)) == random_subsets.names.HEADLINE == "logistic"
    probes = tables["probes"]
    for name, probe in {"accuracy": "logistic", "redundancy": "logistic"}.items():
        figure = FIGURES[name]
        without = probes[(probes["probe"] == probe) | probes["probe"].isna()]
        pd.testing.assert_frame_equal(figure.summary(without), summaries[name])
        other = figure.summary(without.assign(value=without["value"] * 0.5))
        assert not other.equals(summaries[name])
    drawn = [line.get_label() for line in FIGURES["probes"].plot(summaries["probes"]).lines]
    assert drawn[0] == "logistic, converged"


def test_what_is_needed_is_drawn_where_little_may_be_lost(tables, summaries):
    summary = summaries["redundancy"]
    assert summary["lost"].between(0.005, 0.2).all()
    assert {0.2, 0.1, 0.05, 0.02, 0.01, 0.005} <= set(summary["lost"])
    ax = random_subsets.figures.plot_redundancy(summary)
    left, right = ax.get_xlim()
    assert left > 0.2 > 0.005 > right > 0  # stricter to the right
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "1", "2", "5", "10", "20"]
    lines = {line.get_label(): line for line in ax.lines}
    for metric, look in random_subsets.figures.ESTIMATORS.items():
        rows = summary[summary["metric"] == metric].sort_values("lost")
        np.testing.assert_allclose(lines[look.words].get_xydata(), rows[["lost", "mean"]].astype(float))


def test_a_probe_of_one_share_has_no_line_and_others_reach_the_full_layer(summaries):
    ax = random_subsets.figures.plot_probes(summaries["probes"])
    names = {"logistic": "logistic, converged", "sgd": "SGD, as published"}
    full = summaries["probes"].query("method == 'full'").set_index("probe")["mean"]
    lines = {line.get_label(): line for line in ax.lines}
    assert lines[names["logistic"]].get_ydata()[-1] == full["logistic"]
    assert lines[names["logistic"]].get_xdata()[-1] == 1.0
    (bars,) = [part for part in ax.containers if part.get_label() == names["sgd"]]
    assert bars[0].get_linestyle() == "None"
    assert lines[names["logistic"]].get_linestyle() == "-"


def test_projections_are_hollow_and_beside_one_another(summaries):
    lines = {line.get_label(): line for line in random_subsets.figures.plot_accuracy(summaries["accuracy"]).lines}
    projections = [line for label, line in lines.items() if label.startswith("projection")]
    assert len({tuple(line.get_xdata()) for line in projections}) == len(projections) == 3
    assert {line.get_markerfacecolor() for line in projections} == {"white"}
    assert lines["PCA"].get_markerfacecolor() != "white"
