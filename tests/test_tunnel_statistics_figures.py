"""The figures of the replayed statistics draw the numbers they are given, refuse others, and say them in words."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import invented_table

from diffred_core.chapters import tunnel_paper
from diffred_core.chapters.tunnel_paper.figures_statistics import PREDICTORS, READINGS, UNITS
from diffred_core.errors import InputError
from diffred_core.results import published

NAMES = ("effects", "slopes", "resolutions", "label_residuals")


def invented_slopes():
    rng = np.random.default_rng(0)
    pairs = pd.MultiIndex.from_product([UNITS, PREDICTORS], names=["metric", "variable"]).to_frame(index=False)
    share = rng.uniform(-0.5, 0.5, len(pairs))
    return pairs.assign(share=share, share_low=share - 0.02, share_high=share + 0.01, published=share.round(2))


def ticks_in_view(ax):
    """Return the labels of the ticks that are drawn; an axis has more, beyond its ends."""
    for axis, ends in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        low, high = sorted(ends)
        places = axis.get_ticklocs()
        yield from (label for label, at in zip(axis.get_ticklabels(), places, strict=True) if low <= at <= high)


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    table = invented_table(tmp_path_factory.mktemp("tunnel"))
    effects = tunnel_paper.effects(table, n_boot=300)
    told = pd.DataFrame({"published_delta": np.linspace(0, 0.5, len(effects)), "published_p": np.nan})
    networks = tunnel_paper.strengths(table)
    return {
        "effects": effects.join(told).query("metric == 'retained'"),
        "slopes": invented_slopes(),
        "resolutions": networks[networks["network"].isin(tunnel_paper.CROSSED)].query("id_set == 'ImageNet-100'"),
        "label_residuals": tunnel_paper.label_residuals(table, published.tunnel_accuracies()),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_draws_where_it_is_told_and_leaves_its_summary(name, summaries):
    before = summaries[name].copy()
    figure, ax = plt.subplots()
    assert getattr(tunnel_paper.figures, f"plot_{name}")(summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_keeps_all_its_words_inside(name, summaries):
    ax = getattr(tunnel_paper.figures, f"plot_{name}")(summaries[name])
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
    plot = getattr(tunnel_paper.figures, f"plot_{name}")
    with pytest.raises(InputError, match=f"plot_{name} needs at least one row"):
        plot(summaries[name].iloc[:0])
    with pytest.raises(InputError, match=f"plot_{name} needs the column"):
        plot(summaries[name].iloc[:, :1])


@pytest.mark.parametrize("name", NAMES)
def test_words_hold_numbers_and_follow_them(name, summaries):
    describe = getattr(tunnel_paper.figures, f"describe_{name}")
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    changed = summaries[name].copy()
    for column in {"gain", "share", "retained", "residual"} & set(changed):
        changed[column] = changed[column] * 0.5
    assert describe(changed) != words


def test_effects_stand_at_their_gain_with_their_notes(summaries):
    rows = summaries["effects"]
    ax = tunnel_paper.figures.plot_effects(rows)
    drawn = sorted(x for line in ax.lines if len(line.get_xdata()) for x in line.get_xdata())
    assert all(np.isclose(drawn, gain).any() for gain in rows["gain"])
    assert len(ax.texts) == len(rows)
    assert f"printed: |δ| {rows['published_delta'].iloc[0]:.3f}" in ax.texts[0].get_text()
    assert "2 pairs" in ax.texts[1].get_text()
    unknown = tunnel_paper.figures.plot_effects(rows.assign(published_delta=np.nan))
    assert unknown.texts[0].get_text().endswith("printed: –")


def test_effects_of_several_metrics_are_refused(summaries):
    mixed = pd.concat([summaries["effects"], summaries["effects"].assign(metric="alignment")])
    with pytest.raises(InputError, match="plot_effects draws one metric, got alignment, retained"):
        tunnel_paper.figures.plot_effects(mixed)


def test_every_network_has_a_line_with_and_without_augmentation(summaries):
    ax = tunnel_paper.figures.plot_resolutions(summaries["resolutions"])
    assert len(ax.lines) == 6
    rows = summaries["resolutions"].query("network == 'ViT-T+' and augmentation").sort_values("resolution")
    (line,) = (line for line in ax.lines if line.get_label() == "ViT-T+, augmented")
    np.testing.assert_allclose(line.get_ydata(), rows["retained"])


def test_every_reading_is_drawn(summaries):
    ax = tunnel_paper.figures.plot_label_residuals(summaries["label_residuals"])
    labels = [line.get_label() for line in ax.lines]
    assert labels[:3] == [label for label, _, _ in READINGS.values()]
    assert set(READINGS) == set(tunnel_paper.READINGS)
    assert set(PREDICTORS) == set(tunnel_paper.PREDICTORS)
