"""The figures of few shots draw the numbers they are given, refuse what they cannot draw, and say it in words."""

from __future__ import annotations

import re

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text
from synthetic_task import make_task

from diffred_core.chapters import few_shots
from diffred_core.errors import InputError

FIGURES = few_shots.figures
NAMES = ("accuracy", "masks", "gains_by_shots", "gains_by_ways", "agreement", "bridge", "peaks", "theory")
DRAWN = {name: few_shots.across.peaks if name == "peaks" else getattr(FIGURES, name) for name in NAMES}


@pytest.fixture(scope="module")
def summaries():
    task = make_task(n_samples=(80, 40, 40))
    pool = few_shots.draw_pool(task, n_per_class=14, n_query=5)
    X, _ = pool.data
    views = X[:, None] + torch.randn(len(X), 2, X.shape[1], generator=torch.Generator().manual_seed(0))
    options = {"n_way": 3, "n_query": 5, "n_episodes": 20, "n_head_episodes": 8, "n_subsets": 2}
    table = few_shots.episodes(pool, views={"noise": views}, more_shots=(1, 8), ways=(2, 4), **options)
    theory = few_shots.theory(n_trials=500, shots=(1, 5))
    return {name: figure.summary(theory if name == "theory" else table) for name, figure in DRAWN.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_draws_on_the_axes_it_is_given_and_leaves_its_summary_alone(name, summaries):
    before = summaries[name].copy()
    figure, ax = plt.subplots()
    assert DRAWN[name].plot(summaries[name], ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.lines or ax.collections
    assert ax.get_xlabel()
    pd.testing.assert_frame_equal(summaries[name], before)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_figure_is_white_named_and_keeps_its_texts_inside(name, summaries):
    ax = DRAWN[name].plot(summaries[name])
    assert matplotlib.colors.to_hex(ax.figure.get_facecolor()) == "#ffffff"
    assert ax.get_title(loc="left")
    ax.figure.canvas.draw()
    (legend,) = ax.figure.legends
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    inside = ax.figure.bbox
    for part in (legend, ax.xaxis.label, ax.yaxis.label, ax.title, *ax.get_yticklabels()):
        if isinstance(part, Text) and not part.get_text():
            continue
        box = part.get_window_extent()
        assert box.x0 >= inside.x0 - 1, part
        assert box.x1 <= inside.x1 + 1, part
        assert box.y0 >= inside.y0 - 1, part


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_refuses_an_empty_summary_and_one_without_a_column(name, summaries):
    with pytest.raises(InputError, match="needs at least one row"):
        DRAWN[name].plot(summaries[name].iloc[:0])
    with pytest.raises(InputError, match="needs the column"):
        DRAWN[name].plot(summaries[name][["n_shot"] if name == "theory" else ["n"]])


@pytest.mark.parametrize("name", NAMES)
def test_words_hold_numbers_of_the_summary_and_follow_it(name, summaries):
    describe = DRAWN[name].words
    words = describe(summaries[name])
    assert re.search(r"\d", words)
    assert words.endswith(".")
    assert "nan" not in words
    numbers = [column for column in ("mean", "low", "high", "simulated") if column in summaries[name]]
    assert describe(summaries[name].assign(**{c: summaries[name][c] * 0.5 for c in numbers})) != words


def test_lines_are_the_means_and_the_dashed_line_is_all_dimensions(summaries):
    ax = FIGURES.accuracy.plot(summaries["accuracy"])
    oracle = summaries["accuracy"].query("method == 'oracle_all'")
    (line,) = (line for line in ax.lines if line.get_label() == "oracle")
    np.testing.assert_allclose(line.get_ydata(), oracle["mean"])
    (whole,) = (line for line in ax.lines if line.get_label() == "all dimensions")
    (guess,) = (line for line in ax.lines if line.get_label() == "a guess, 1 of 3")
    assert set(guess.get_ydata()) == {1 / 3}
    assert set(whole.get_ydata()) == {oracle["mean"].iloc[-1]}
    assert "20 episodes" in ax.get_title(loc="left")


def test_a_name_that_no_list_knows_is_drawn_and_said(summaries):
    strange = summaries["accuracy"].replace({"method": {"top_variance": "new_order"}})
    assert "new order" in {line.get_label() for line in FIGURES.accuracy.plot(strange).lines}
    assert "new order" in FIGURES.accuracy.words(strange)
    strange = summaries["agreement"].replace({"method": {"oracle_all": "new_order"}})
    assert "new order" in [text.get_text() for text in FIGURES.agreement.plot(strange).get_yticklabels()]


def test_masks_stand_at_their_gain_on_their_row(summaries):
    ax = FIGURES.masks.plot(summaries["masks"])
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert "1 / spread (control), views" in names
    sqrt = summaries["masks"].query("label == 'estimated_views' and method == 'mask_sqrt'").set_index("probe")["mean"]
    plain = sqrt["centroid_euclidean"]
    points = np.concatenate([container.lines[0].get_xydata() for container in ax.containers])
    place = names.index("square root of R, views")
    assert any(x == pytest.approx(plain) and abs(y - place) < 0.3 for x, y in points)


def test_rows_of_masks_and_importances_stand_by_what_importance_rests_on(summaries):
    masks = [text.get_text() for text in FIGURES.masks.plot(summaries["masks"]).get_yticklabels()]
    assert masks[:2] == ["simple transformation", "R, views"]
    bases = [name.rpartition(", ")[2] for name in masks[1:]]
    assert bases == sorted(bases, key=["views", "shots alone", "oracle"].index)
    ranks = [text.get_text() for text in FIGURES.agreement.plot(summaries["agreement"]).get_yticklabels()]
    assert ranks[-2:] == ["estimated, with views, shrunk", "estimated, shots alone, shrunk"]
    assert "oracle, other images" in ranks


def test_the_bridge_states_the_level_of_its_intervals(summaries):
    ax = FIGURES.bridge.plot(summaries["bridge"].assign(level=0.9))
    assert ax.get_title(loc="left") == f"{few_shots.names.BRIDGE_HEAD} probes; bands: 90 % intervals"


def test_a_mixture_of_settings_is_refused(summaries):
    mixed = pd.concat([summaries["accuracy"].assign(n_shot=1), summaries["accuracy"].assign(n_shot=5)])
    with pytest.raises(InputError, match=r"figures\.accuracy draws one n_shot, got 1, 5"):
        FIGURES.accuracy.plot(mixed)


def test_the_two_ends_of_the_bridge_are_both_drawn(summaries):
    labels = {line.get_label() for line in FIGURES.bridge.plot(summaries["bridge"]).lines}
    assert {"random, all training rows", "top by an oracle, 1 shot", "top by an oracle, 5 shots"} <= labels


def test_peaks_of_tasks_from_folders_are_drawn_too(summaries):
    peaks = summaries["peaks"].assign(task="folder:" + summaries["peaks"]["task"])
    ax = few_shots.across.peaks.plot(peaks)
    drawn = [value for bars in ax.containers for value in bars.lines[0].get_ydata()]
    assert len(drawn) == len(peaks)
    assert np.isfinite(np.asarray(drawn, float)).all()
    assert all(tick.get_text().startswith("folder:") for tick in ax.get_yticklabels())
