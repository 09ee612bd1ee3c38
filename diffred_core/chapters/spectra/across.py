"""The summary over all networks and tasks: which measures go with redundancy, as rows of a results table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from diffred_core.chapters.spectra import claims_across, names, relations
from diffred_core.chapters.spectra.cells import (
    OF_CELL,
    SCOPES,
    TARGETS,
    Scope,
    Tables,
    as_predictor,
    cells_of,
    measures_of,
)
from diffred_core.chapters.spectra.claims_across import ByCell
from diffred_core.chapters.spectra.relations import Cells
from diffred_core.results import as_table
from diffred_core.results.claims import claim_rows
from diffred_core.results.rows import KEYS, Row

OVERALL: Row = {"experiment": names.SUMMARY, "task": names.ALL_TASKS, "model": "all models", "layer": names.PENULTIMATE}
HELD_OUT_SCOPES = SCOPES[:2]  # whose measures predict: the whole layer, and the part whose accuracy is asked for
FEWEST_TASKS = 4  # that the choice of a measure needs: one is held out, and one of the others to choose


def summary_table(
    tables: Tables, cells: ByCell, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Return the results table of the summary.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of `cells.ANALYSES` that there are.
    cells : mapping
        Of `claims_across.claims_by_cell`.
    n_boot, seed : int
        Resamples of networks and tasks, and their seed.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        Rank correlations (metric ``correlation_with_`` a target, kind as method, measure as label), errors on held-out
        tasks (``error_of_``, ``excess_error_of_``), each by layers and the share of dimensions that is measured; and
        the claims, of every model and task and of all of them.
    """
    rows: list[Row] = []
    for scope in SCOPES:
        of_scope = cells_of(tables, scope)
        if len(of_scope) >= relations.FEWEST:
            rows += _scope_rows(of_scope, scope, n_boot=n_boot, seed=seed, level=level)
    for (task, model), of_cell in cells.items():
        rows += claim_rows(of_cell, OVERALL | {"task": task, "model": model})
    return as_table([*rows, *claim_rows(claims_across.of_all(as_table(rows), level=level), OVERALL)])


def extent(tables: Tables) -> str:
    """Return how many networks, tasks, pairs of them and layers the summary is about."""
    parts = []
    for scope in (SCOPES[0], SCOPES[-1]):
        of = cells_of(tables, scope)
        counts = [of[name].nunique() for name in reversed(KEYS)]
        parts.append(f"{scope.layer}: {len(of[OF_CELL])} cells of {counts[0]} networks and {counts[1]} tasks")
    return ", ".join(parts)


def _scope_rows(of_scope: pd.DataFrame, scope: Scope, *, n_boot: int, seed: int, level: float) -> Iterator[Row]:
    weights = relations.crossed_weights(Cells(of_scope["model"], of_scope["task"]), n_boot=n_boot, seed=seed)
    shared = OVERALL | {"layer": scope.layer, "fraction": scope.share}
    for row in _correlation_rows(of_scope, weights, level=level):
        yield shared | row
    if scope in HELD_OUT_SCOPES and of_scope["task"].nunique() >= FEWEST_TASKS:
        for row in _error_rows(of_scope, weights, level=level):
            yield shared | row


def _correlation_rows(of_scope: pd.DataFrame, weights: np.ndarray, *, level: float) -> Iterator[Row]:
    full, tasks = of_scope[names.FULL_ACCURACY], of_scope["task"]
    for target in TARGETS:
        kinds: dict[str, dict[str, pd.Series]] = {relations.ALONE: {}, relations.WITHIN: {"within": tasks}}
        if target != names.FULL_ACCURACY:
            kinds[relations.GIVEN] = {"control": full}
        for measure in measures_of(of_scope):
            for kind, options in kinds.items():
                interval = relations.rank_correlation(
                    of_scope[measure], of_scope[target], weights, level=level, **options
                )
                if np.isfinite(interval).all():
                    value, low, high = interval
                    limits: Row = {"value": value, "low": low, "high": high}
                    n = int(of_scope[measure].notna().sum())
                    yield limits | {"metric": names.CORRELATION + target, "method": kind, "label": measure, "n": n}


def _error_rows(of_scope: pd.DataFrame, weights: np.ndarray, *, level: float) -> Iterator[Row]:
    for target in TARGETS[:2]:
        errors = _errors(of_scope, target)
        for fitted, of_fit in errors.items():
            value, low, high = relations.mean_error(of_fit, weights, level=level)
            shared: Row = {"label": fitted, "n": len(of_fit)}
            limits: Row = {"value": value, "low": low, "high": high}
            yield shared | limits | {"metric": names.ERROR + target, "method": names.HELD_OUT}
            for reference in (names.MEAN, names.FULL_ACCURACY):
                if fitted != reference:
                    value, low, high = relations.mean_error(of_fit - errors[reference], weights, level=level)
                    limits = {"value": value, "low": low, "high": high}
                    yield shared | limits | {"metric": names.EXCESS + target, "method": reference}


def _errors(of_scope: pd.DataFrame, target: str) -> Mapping[str, np.ndarray]:
    """Return the errors on held-out tasks by what is fitted: those that `names` lists, and every measure alone.

    Left out are measures that a cell lacks, for all fits are about the same cells, and CKA, which reads test images.
    """
    y, tasks = of_scope[target].to_numpy(float), of_scope["task"]
    full = of_scope[names.FULL_ACCURACY].to_numpy(float)
    predictors = [m for m in measures_of(of_scope) if of_scope[m].notna().all() and m != names.SIMILARITY]
    measures = {m: as_predictor(of_scope, m) for m in predictors}
    fixed = {names.MEAN: np.empty((len(y), 0)), names.FULL_ACCURACY: full[:, None]}
    designs = fixed | {name: values[:, None] for name, values in measures.items()}
    errors = {name: relations.held_out_errors(X, y, tasks) for name, X in designs.items()}
    errors[names.BEST] = relations.chosen_errors(measures, y, tasks).errors
    errors[names.BEST_BESIDE] = relations.chosen_errors(measures, y, tasks, beside=full).errors
    return errors
