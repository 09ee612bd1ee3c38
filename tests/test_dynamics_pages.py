"""The pages on what is learned first: every sweep on little gives a table that holds its claims, figures and tables."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from executed_notebook import executed_notebook
from synthetic_task import make_task
from test_notebooks import NOTEBOOKS, shown

from diffred_core import drawing, results
from diffred_core.chapters import training
from diffred_core.chapters.training import bridge, claims, claims_learning, claims_linear, names, tables
from diffred_core.chapters.training import names_learning as of
from diffred_core.errors import InputError
from diffred_core.results import where

QUICK = {
    "pc_bias": {"width": 32, "n_steps": 200},
    "silent_alignment": {"n_images": 8, "width": 8, "end": 8.0, "step": 0.02},
    "lazy_hasty": {"n_images": 50, "width": 64},
    "spectral_bias": {
        **{"frequencies": [1, 2, 4], "n_points": 16, "width": 64, "n_steps": 20},
        **{"deep_width": 8, "depth": 2, "deep_steps": 20},
    },
    "linear_teachers": {"n_inputs": 40, "rows": [5, 10]},
    "gated_networks": {"n_domains": 3, "trained": [1, 2], "width": 8, "n_steps": 60},
}
FIGURES = {
    "pc_bias": ("residuals", "half_times"),
    "silent_alignment": ("alignment",),
    "lazy_hasty": ("modes", "groups"),
    "spectral_bias": ("amplitudes",),
    "linear_teachers": ("risk",),
    "gated_networks": ("race", "routes"),
}


@pytest.fixture(scope="module")
def task():
    return make_task(n_samples=(200, 100, 120), rank=12, noise=0.7)


@pytest.fixture(scope="module")
def images():
    return training.pixel_rows(n_train=100)


@pytest.fixture(scope="module")
def made(task, images):
    """Return the table of every page, from two seeds."""
    return {name: swept(name, task, images, n_seeds=2, **options) for name, options in QUICK.items()}


def swept(name, task, images, **options):
    sweep = getattr(training, name)
    of_images = [images] if "pixels" in inspect.signature(sweep).parameters else []
    return sweep(task, *of_images, **options)


@pytest.mark.parametrize("name", QUICK)
def test_a_page_has_its_claims_figures_and_table(name, made):
    table = results.check(made[name])
    statements = (claims_learning.STATEMENTS | claims_linear.STATEMENTS)[name]
    answer = getattr(training.answers, name)(table)
    assert len(answer.claims) == len(statements) >= 5
    assert "{" not in answer.sentence
    for figure in (*FIGURES[name], f"{name}_bridge"):
        page = drawing.show(getattr(training.figures_learning, figure), table).data
        assert "2 seeds" in page
        assert "nan" not in page.split("alt=")[1]
    rows = getattr(training.tables_learning, name).summary(table)
    assert {"measure", names.MEASURED, "low", "high"} <= set(rows)
    assert len(rows)


@pytest.mark.parametrize("name", QUICK)
def test_a_sweep_says_the_same_again_and_other_seeds_say_other_things(name, task, images, made):
    again = swept(name, task, images, n_seeds=1, **QUICK[name])
    first = where(made[name], repeat=0).reset_index(drop=True)
    pd.testing.assert_frame_equal(again, first)
    other = swept(name, task, images, n_seeds=1, seed=9, **QUICK[name])
    assert not np.allclose(where(other, metric=names.ACCURACY)["value"], where(again, metric=names.ACCURACY)["value"])


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("pc_bias", {"depth": 1}, "depth of at least 2, got 1"),
        ("pc_bias", {"width": 4}, "width of at least 8"),
        ("pc_bias", {"n_steps": 1}, r"directions of .* in 1 steps, got \d; take more n_steps"),
        ("pc_bias", {"n_seeds": 0}, "n_seeds of at least 1, got 0"),
        ("silent_alignment", {"n_images": 90}, "fewer n_images than directions that 'digits' varies in, got 90"),
        ("silent_alignment", {"small": 0.0}, "small above 0, got 0"),
        ("silent_alignment", {"step": 50.0, "end": 20_000.0}, r"finite loss, got \w+ at step \d+ of whitened, small"),
        ("lazy_hasty", {"noise": 0.0}, r"noise in \(0, 1\), got 0.0; without wrong labels nothing is hard"),
        ("lazy_hasty", {"alphas": [1.0]}, r"alphas of two rising numbers above 0, got \[1.0\]"),
        ("lazy_hasty", {"n_steps": 2}, "every network to reach an accuracy of 0.8.*take more n_steps"),
        ("spectral_bias", {"frequencies": [1, 2]}, "at least 3 frequencies"),
        ("spectral_bias", {"n_points": 8}, "n_points above 8, twice the greatest"),
        ("linear_teachers", {"rows": [40]}, "fewer rows than n_inputs=40, got 40"),
        ("linear_teachers", {"n_inputs": 10}, "n_inputs of at least 20, got 10"),
        ("gated_networks", {"n_domains": 1}, "n_domains of at least 2, got 1; one pathway shares nothing with another"),
        (
            "gated_networks",
            {"trained": [3]},
            r"trained within 1..2, so that n_domains=3 leave a route to ask, got \[3\]",
        ),
        ("gated_networks", {"step": 10.0}, r"finite loss, got \w+ at step \d+ of "),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(name, options, sentence, task, images):
    with pytest.raises(InputError, match=sentence):
        swept(name, task, images, **{"n_seeds": 1} | QUICK[name] | options)


def test_closed_forms_are_drawn_as_lines_over_what_was_simulated(made):
    figure = training.figures_learning.race
    summary = figure.summary(made["gated_networks"])
    drawn = [line.get_ydata() for line in figure.plot(summary).get_lines()]
    for formula in (True, False):
        for _, rows in where(summary, formula=formula).groupby("series"):
            assert any(np.array_equal(line, rows["mean"]) for line in drawn)
    assert "closed form" in figure.words(summary)
    without = where(summary, formula=False)
    assert "closed form" not in figure.words(without)
    drawing.matplotlib.pyplot.close("all")


def test_a_claim_is_judged_by_its_interval_over_seeds():
    statement = claims.Statement("k", "name", "it is so.", "value", {"metric": "m", "label": "a"}, {"label": "b"})
    rows = [
        {"metric": "m", "label": label, "seed": s, "value": value + s, **dict.fromkeys(("experiment", "task"), "x")}
        for label, values in (("a", (1.0, 1.1, 0.9)), ("b", (0.1, 0.0, 0.2)))
        for s, value in enumerate(values)
    ]
    table = results.as_table([row | {"model": "x", "layer": "x", "method": "x"} for row in rows])
    claim = claims.judged(table, [statement])["k"]
    assert claim.value == pytest.approx(0.9)  # seed by seed: what the seeds share cancels
    assert claim.verdict == "holds"
    assert claims.judged(table, [claims.Statement("k", "n", "s", "m", statement.of)])["k"].verdict == "undecided"
    with pytest.raises(InputError, match="expected one row a seed with metric m"):
        claims.judged(table, [claims.Statement("k", "name", "s", "m", {"metric": "m"})])


def test_the_bridge_measures_the_probe_on_what_is_kept(task):
    order = torch.arange(task.n_features)
    kept = bridge.kept_accuracy(task, bridge.fixed(order), seed=3, sizes=(4, 16))
    X, y = bridge.half_of(task, seed=3)
    test_X, test_y = task.splits["test"]
    centred, targets = X[:, :16] - X[:, :16].mean(0), torch.nn.functional.one_hot(y, task.n_classes).double()
    best = 0.0
    for l2 in 10.0 ** np.arange(-8, 2):
        gram = centred.T @ centred + l2 * len(X) * X[:, :16].var(0, correction=0).mean() * torch.eye(16)
        weight = torch.linalg.solve(gram, centred.T @ (targets - targets.mean(0)))
        scores = (test_X[:, :16].double() - X[:, :16].mean(0)) @ weight + targets.mean(0)
        best = max(best, float((scores.argmax(1) == test_y).double().mean()))
    assert kept[16] == pytest.approx(best, abs=0.05)  # its regulariser is chosen on validation rows
    assert kept[4] < kept[16]


def test_directions_that_are_an_order_of_features_give_what_the_order_gives(task):
    order = torch.arange(task.n_features).flip(0)
    axes = torch.eye(task.n_features, dtype=torch.float64)[:, order]
    by_order, by_axes = (bridge.kept_accuracy(task, bridge.fixed(kept), seed=0, sizes=(4, 8)) for kept in (order, axes))
    assert by_order == by_axes


def test_a_bridge_without_a_size_that_fits_is_refused(task):
    with pytest.raises(InputError, match=r"sizes within 1..40, got \[64\]"):
        list(bridge.rows(task, {}, analysis="x", n_seeds=1, seed=0, sizes=[64]))


def test_constant_features_are_the_last_of_the_smooth_ones(task):
    X, y = bridge.half_of(task, seed=0)
    X[:, 7] = 3.0
    assert training.sweep_spectral_bias.smooth_features(X, y, 0)[-1] == 7
    ramp = torch.cat([X[:, :7], X[:, :1].sign()], 1)
    assert training.sweep_spectral_bias.smooth_features(ramp, y, 0).sort().values.tolist() == list(range(8))


def test_label_directions_span_what_tells_the_class_means_apart(task):
    X, y = bridge.half_of(task, seed=0)
    kept = training.sweep_silent_alignment.label_directions(X, y, 0)
    means = torch.stack([X[y == c].mean(0) for c in range(task.n_classes)])
    weighted = (means - X.mean(0)) * y.bincount()[:, None]
    first = kept[:, : task.n_classes - 1]
    assert torch.allclose(weighted @ first @ first.T, weighted, atol=1e-8)
    assert torch.allclose(kept.T @ kept, torch.eye(kept.shape[1], dtype=torch.float64), atol=1e-6)
    assert not torch.allclose(weighted @ first[:, :-1] @ first[:, :-1].T, weighted, atol=1e-2)


def test_a_table_shows_the_closed_form_beside_the_simulation(made):
    rows = tables.numbers_by_setting({of.ALIGNMENT_END: "last"}, made["silent_alignment"])
    beside = rows.set_index("setting")[names.THEORY]
    assert beside[of.SMALL_WHITE] == f"{2 / np.sqrt(8 + 3):.3g}"
    assert beside.isna().sum() == 3


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_a_notebook_runs_on_a_file_of_embeddings(tmp_path, task):
    X, y = (np.concatenate(parts) for parts in zip(*task.splits.values(), strict=True))
    np.savez(tmp_path / "layer.npz", X=X, y=y)
    parameters = {"model": "m", "task": f"embeddings:{tmp_path / 'layer.npz'}", "n_seeds": 2}
    parameters |= QUICK["linear_teachers"]
    template = NOTEBOOKS / "linear_teachers.ipynb"
    with executed_notebook(template, tmp_path, model="m", parameters=parameters) as (output, table, _):
        assert set(table["experiment"]) == {"linear_teachers"}
        assert sum("<img" in part for part in shown(output)) == 2
