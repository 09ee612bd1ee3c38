"""The figures of the replayed statistics draw the numbers they are given, refuse others, and say them in words."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import invented_table

from diffred_core.chapters.tunnel_paper import figures, names
from diffred_core.chapters.tunnel_paper.effects import effect_rows
from diffred_core.chapters.tunnel_paper.sweep_statistics import as_results, average_rows, residual_rows
from diffred_core.errors import InputError
from diffred_core.results import published

NAMES = ("effects", "slopes", "resolutions", "label_residuals")


def invented_slopes():
    rng = np.random.default_rng(0)
    for measure in names.MEASURES:
        for predictor in names.PREDICTORS:
            share = rng.uniform(-0.5, 0.5)
            limits = {"value": share, "low": share - 0.02, "high": share + 0.01}
            yield {"metric": "slope_share", "method": predictor, "label": measure, **limits}


def ticks_in_view(ax):
    """Return the labels of the ticks that are drawn; an axis has more, beyond its ends."""
    for axis, ends in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        low, high = sorted(ends)
        places = axis.get_ticklocs()
        yield from (label for label, at in zip(axis.get_ticklabels(), places, strict=True) if low <= at <= high)


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    table = invented_table(tmp_path_factory.mktemp("tunnel"))
    residuals = residual_rows(table, published.tunnel_accuracies())
    rows = as_results([*effect_rows(table, n_boot=300), *residuals, *average_rows(table), *invented_slopes()])
    return {name: getattr(figures, name).summary(rows) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_draws_where_it_is_told_and_leaves_its_summary(name, summaries):
    before = summaries[name].copy()
    figure, ax = plt.subplots()
    assert getattr(figures, name).plot(summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_keeps_all_its_words_inside(name, summaries):
    ax = getattr(figures, name).plot(summaries[name])
    ax.figure.canvas.draw()
    (legend,) = ax.figure.legends
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    inside = ax.figure.bbox
    for part in (legend, ax.xaxis.label, ax.yaxis.label, ax.title, *ticks_in_view(ax), *ax.texts):
        box = part.get_window_extent()
        if box.width and box.height:
            assert (box.x0 >= inside.x0 - 1) & (box.x1 <= inside.x1 + 1), part
            assert (box.y0 >= inside.y0 - 1) & (box.y1 <= inside.y1 + 1), part


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_refuses_an_empty_summary_and_one_without_a_column(name, summaries):
    plot = getattr(figures, name).plot
    with pytest.raises(InputError, match=rf"figures\.{name} needs at least one row"):
        plot(summaries[name].iloc[:0])
    with pytest.raises(InputError, match=rf"figures\.{name} needs the column"):
        plot(summaries[name].iloc[:, :1])


@pytest.mark.parametrize("name", NAMES)
def test_words_hold_numbers_and_follow_them(name, summaries):
    describe = getattr(figures, name).words
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    changed = summaries[name].copy()
    for column in {"gain", "share", "mean", "residual"} & set(changed):
        changed[column] = changed[column] * 0.5
    assert describe(changed) != words


def test_effects_stand_at_their_gain_with_their_notes(summaries):
    rows = summaries["effects"]
    ax = figures.effects.plot(rows)
    drawn = sorted(x for line in ax.lines if len(line.get_xdata()) for x in line.get_xdata())
    assert all(np.isclose(drawn, gain).any() for gain in rows["gain"])
    assert len(ax.texts) == len(rows)
    assert f"printed: |δ| {rows['published_delta'].iloc[0]:.3f}" in ax.texts[0].get_text()
    assert "2 pairs" in ax.texts[1].get_text()
    unknown = figures.effects.plot(rows.assign(published_delta=np.nan))
    assert unknown.texts[0].get_text().endswith("printed: –")


def test_effects_of_several_metrics_are_refused(summaries):
    mixed = pd.concat([summaries["effects"], summaries["effects"].assign(measure="alignment")])
    with pytest.raises(InputError, match=r"figures\.effects draws one measure, got alignment, retained"):
        figures.effects.plot(mixed)


def test_every_network_has_a_line_with_and_without_augmentation(summaries):
    ax = figures.resolutions.plot(summaries["resolutions"])
    assert len(ax.lines) == 6
    rows = summaries["resolutions"].query("network == 'ViT-T+' and augmentation").sort_values("resolution")
    (line,) = (line for line in ax.lines if line.get_label() == "ViT-T+, augmented")
    np.testing.assert_allclose(line.get_ydata(), rows["mean"])


def test_every_reading_is_drawn(summaries):
    ax = figures.label_residuals.plot(summaries["label_residuals"])
    labels = [line.get_label() for line in ax.lines]
    assert labels[:3] == list(names.READINGS.values())
    assert len(summaries["label_residuals"]) == 3 * 28 * 8


def test_a_network_and_a_reading_without_a_look_are_drawn(summaries):
    other = summaries["resolutions"].replace({"network": {"ViT-T+": "another"}})
    assert "another, augmented" in [line.get_label() for line in figures.resolutions.plot(other).lines]
    other = summaries["label_residuals"].replace({"reading": {"same_name": "another"}})
    assert "another" in [line.get_label() for line in figures.label_residuals.plot(other).lines]
    assert "another" in figures.label_residuals.words(other)


def test_slopes_stand_in_the_published_order(summaries):
    order = list(dict.fromkeys(summaries["slopes"]["predictor"]))
    assert order[:2] == ["classes", "augmentations"]
    assert set(order) == set(names.PREDICTORS)
    assert len(summaries["slopes"]) == 24
