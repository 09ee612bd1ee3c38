"""Relations over crossed cells against copies and scikit-learn, planted and absent ones, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from reference_spectra import rank_correlation_by_copies
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from diffred_core.chapters.spectra.relations import (
    Cells,
    chosen_errors,
    crossed_weights,
    held_out_errors,
    mean_error,
    rank_correlation,
)
from diffred_core.errors import InputError

MODELS, TASKS = np.repeat(np.arange(12), 5).astype(str), np.tile(np.arange(5), 12).astype(str)
WEIGHTS = crossed_weights(Cells(MODELS, TASKS), n_boot=200)


def crossed(model: float = 0.0, task: float = 0.0, cell: float = 1.0, *, seed: int) -> np.ndarray:
    """Return 60 values whose parts by network, task and cell have these standard deviations."""
    rng = np.random.default_rng(seed)
    by_model, by_task = (rng.normal(size=n)[names.astype(int)] for n, names in ((12, MODELS), (5, TASKS)))
    return model * by_model + task * by_task + cell * rng.normal(size=60)


def test_a_cell_counts_as_often_as_its_network_times_its_task() -> None:
    assert WEIGHTS.shape == (60, 201)
    assert (WEIGHTS[:, 0] == 1).all()
    counts = WEIGHTS[:, 1].reshape(12, 5)
    assert np.linalg.matrix_rank(counts) == 1
    assert counts.sum() == 60


@pytest.mark.parametrize("kind", ["alone", "given", "within"])
def test_correlations_are_those_of_cells_written_down_as_often_as_they_count(kind: str) -> None:
    x, z = crossed(task=1, seed=0).round(1), crossed(seed=1)  # rounded: with ties
    y = x + z + crossed(task=2, seed=2)
    options, twin = {"given": ({"control": z}, {"control": z}), "within": ({"within": TASKS}, {"of": TASKS})}.get(
        kind, ({}, {})
    )
    for column in range(4):
        value = rank_correlation(x, y, np.hstack([WEIGHTS[:, [column]], WEIGHTS[:, :1]]), **options).estimate
        assert value == pytest.approx(rank_correlation_by_copies(x, y, WEIGHTS[:, column], **twin), abs=1e-12)


def test_a_planted_relation_is_found_and_an_unrelated_measure_is_not() -> None:
    planted = crossed(seed=0)
    assert rank_correlation(planted, planted + 0.5 * crossed(seed=1), WEIGHTS).low > 0.5
    held = [
        rank_correlation(crossed(1, 1, seed=2 * s), crossed(1, 1, seed=2 * s + 1), WEIGHTS) for s in range(100, 140)
    ]
    assert sum(r.low <= 0 <= r.high for r in held) >= 30  # 38 of 40 if five tasks gave intervals that are long enough


def test_what_goes_through_the_full_accuracy_or_the_task_alone_is_gone_once_that_is_given() -> None:
    full = crossed(seed=0)
    x, y = (full + 0.3 * crossed(seed=s) for s in (1, 2))
    through = rank_correlation(x, y, WEIGHTS, control=full)
    assert rank_correlation(x, y, WEIGHTS).low > 0.5
    assert through.low < 0 < through.high
    task = crossed(task=5, cell=0, seed=3)
    x, y = (task + crossed(seed=s) for s in (4, 5))
    inside = rank_correlation(x, y, WEIGHTS, within=TASKS)
    assert rank_correlation(x, y, WEIGHTS).estimate > 0.7
    assert inside.low < 0 < inside.high


def test_cells_that_lack_a_measure_do_not_count_and_a_constant_has_no_correlation() -> None:
    x, y = crossed(seed=0), crossed(seed=1)
    lacking = np.where(np.arange(60) < 7, np.nan, x)
    kept = (np.arange(60) >= 7).astype(float)
    assert rank_correlation(lacking, y, WEIGHTS).estimate == pytest.approx(rank_correlation_by_copies(x, y, kept))
    assert np.isnan(rank_correlation(np.ones(60), y, WEIGHTS)).all()


def test_held_out_errors_are_those_of_a_least_squares_fit_on_the_other_tasks() -> None:
    X = np.column_stack([crossed(seed=0), crossed(task=1, seed=1)])
    y = (0.5 + 0.05 * X.sum(1) + 0.02 * crossed(seed=2)).clip(0, 1)
    theirs = cross_val_predict(LinearRegression(), X, y, groups=TASKS, cv=LeaveOneGroupOut()).clip(0, 1)
    np.testing.assert_allclose(held_out_errors(X, y, TASKS), np.abs(theirs - y), atol=1e-12)
    mean = np.array([y[task != TASKS].mean() for task in TASKS])
    np.testing.assert_allclose(held_out_errors(np.empty((60, 0)), y, TASKS), np.abs(mean - y), atol=1e-12)


def test_a_measure_that_predicts_is_chosen_without_the_task_held_out_and_noise_predicts_nothing() -> None:
    good, noise = crossed(seed=0), {f"noise {s}": crossed(seed=s) for s in (1, 2)}
    y = (0.5 + 0.1 * good).clip(0, 1)
    trivial = held_out_errors(np.empty((60, 0)), y, TASKS)
    chosen = chosen_errors({**noise, "good": good}, y, TASKS)
    assert set(chosen.chosen.values()) == {"good"}
    assert mean_error(chosen.errors - trivial, WEIGHTS).high < 0
    assert mean_error(chosen_errors(noise, y, TASKS).errors - trivial, WEIGHTS).high > 0
    other = np.where(TASKS == "2", 1 - y, y)  # the opposite on the task that is held out
    assert chosen_errors({**noise, "good": good}, other, TASKS).chosen["2"] == "good"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: crossed_weights(Cells(["a"], ["b"])), "expected at least 3 cells and n_boot of at least 1, got 1 and"),
        (lambda: rank_correlation(MODELS[:3] == "0", np.ones(60), WEIGHTS), "expected x, y and control of 60 cells"),
        (lambda: rank_correlation(np.ones(60), np.full(60, np.nan), WEIGHTS), "y and control finite"),
        (lambda: held_out_errors(np.ones((4, 1)), np.ones(4), ["a", "a", "b", "b"]), "at least 3 tasks, got 2 tasks"),
        (lambda: chosen_errors({}, np.ones(60), TASKS), "expected at least one measure to choose from, got none"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
