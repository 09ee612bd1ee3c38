"""What the tables of all models and tasks say together: verdicts, the best shares, crops that serve importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from diffred_core import results
from diffred_core.chapters.few_shots import findings
from diffred_core.chapters.few_shots.claims import all_claims
from diffred_core.chapters.few_shots.claims_estimates import augmentations_differ, n_leads
from diffred_core.chapters.few_shots.figures_rows import dots_by_shots, gain_in_words
from diffred_core.chapters.few_shots.judging import MARGIN
from diffred_core.chapters.few_shots.names import BY_VIEWS, EUCLIDEAN, ORACLE, POOL, mask_method, plural
from diffred_core.drawing import Figure, Table
from diffred_core.drawing.style import axes_or_new, cell_names, require
from diffred_core.results import where
from diffred_core.results.claims import Claim, claim_rows, percent
from diffred_core.results.readable import cell_name
from diffred_core.results.rows import KEYS

ALL_TASKS = "all tasks"
Cells = Mapping[tuple[str, str], Sequence[Claim]]  # claims by task and model


def claims_by_cell(tables: pd.DataFrame, *, margin: float = MARGIN, level: float = 0.95) -> Cells:
    """Return every published claim held against every model and task, and C10 against every model.

    Parameters
    ----------
    tables : DataFrame
        Of `few_shots.episodes`, any number of models and tasks.
    margin : float
        As of `claims.all_claims`.
    level : float
        Coverage of the intervals; C10 corrects it for the number of leads that it compares.
    """
    cells = {tuple(keys): all_claims(table, margin=margin, level=level) for keys, table in tables.groupby(KEYS)}
    for model, gains in crop_gains(tables).groupby("model"):
        corrected = 1 - (1 - level) / n_leads(gains)
        if claim := augmentations_differ(crop_gains(where(tables, model=model), level=corrected)):
            cells[ALL_TASKS, str(model)] = [claim]
    return cells


def extent(tables: pd.DataFrame) -> str:
    """Return how many models, tasks and rows the `tables` hold."""
    return f"{len(tables[KEYS].drop_duplicates())} pairs of model and task, {len(tables)} rows"


def summary(tables: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """Return the results table of the summary: one row a claim of a model and task, its value the measurement."""
    widths, rows = tables.groupby("model")["n_features"].first(), []
    for (task, model), claims in cells.items():
        cell = {"task": task, "model": model, "n_features": widths[model], "layer": "penultimate"}
        rows += claim_rows(claims, {"experiment": "few_shot_summary"} | cell)
    return results.as_table(rows)


def crop_gains(tables: pd.DataFrame, *, kind: str = "importance", level: float = 0.95) -> pd.DataFrame:
    """Return what a mask gains with importance from views of several recipes, by task.

    Returns
    -------
    DataFrame
        Columns task, model, recipe, mean, low, high, n, level; no row where no table compares recipes.
    """
    masks = {"method": mask_method(kind), "metric": "gain", "probe": EUCLIDEAN, "label": BY_VIEWS}
    rows = where(tables, split=POOL, **masks)
    rows = rows.groupby([*KEYS, "n_way", "n_shot"]).filter(lambda setting: setting["recipe"].nunique() > 1)
    if rows.empty:
        return pd.DataFrame(columns=[*KEYS, "recipe", "mean", "low", "high", "n", "level"])
    return results.summarize(rows, [*KEYS, "recipe"], metric="gain", level=level)


def crop_table(mask: str = "importance") -> Table:
    """Return the table of the gains of one mask by the recipe of the views; a sentence where none differ."""

    def shown(tables: pd.DataFrame) -> pd.DataFrame:
        gains = crop_gains(tables, kind=mask)
        rows = gains.assign(**{name: 100 * gains[name].astype(float) for name in ("mean", "low", "high")})
        kept = rows.drop(columns="level")
        kept.attrs["levels"] = list(gains["level"].unique())
        return kept

    def caption(rows: pd.DataFrame) -> str:
        if rows.empty:
            return "No table compares augmentations: `other_crop_scales` of the few-shot notebook was left empty."
        return (
            f"Gain of the mask '{mask}' over none (points of accuracy, {percent(rows.attrs['levels'][0])} interval "
            "over episodes) by the crops that importance is estimated from."
        )

    return Table(shown, caption, digits=1)


def _peaks(tables: pd.DataFrame) -> pd.DataFrame:
    """Return the best share of the dimensions, by the published oracle, and its gain, of every task and model."""
    rows = where(tables, method=ORACLE, split=POOL, probe=EUCLIDEAN)
    return results.summarize(rows, [*KEYS, "n_way", "n_shot", "fraction"], metric="peak_gain")


def _plot_peaks(peaks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what the best share of the dimensions gains over all of them, one row a model and task."""
    require(peaks, ("task", "model", "n_shot", "fraction", "mean", "low", "high", "n"), what="across.peaks")
    rows = peaks.assign(name=cell_names(peaks))
    names = list(rows["name"].unique())
    ax = axes_or_new(ax, size=(5.8, 2.0 + 0.6 * len(names)))
    return dots_by_shots(ax, rows, names, x="gain of the best share (points of accuracy)", points=True)


def _peaks_in_words(peaks: pd.DataFrame) -> str:
    parts = [
        f"{cell_name(row['model'], row['task'])}, {plural(row['n_shot'], 'shot')}: {gain_in_words(row)} with "
        f"{100 * row['fraction']:g} %"
        for _, row in peaks.iterrows()
    ]
    return f"Dot chart of the gain of the best share of dimensions over all of them, in points: {'; '.join(parts)}."


def _peak_shares(tables: pd.DataFrame) -> pd.DataFrame:
    peaks = _peaks(tables)
    points = 100 * peaks[["fraction", "mean", "low", "high"]].rename(columns={"fraction": "share", "mean": "gain"})
    shares = peaks[[*KEYS, "n_way", "n_shot"]].rename(columns={"n_way": "classes", "n_shot": "shots"}).join(points)
    shares.attrs["level"] = percent(float(peaks["level"].iloc[0]))
    return shares


peaks = Figure(_peaks, _plot_peaks, _peaks_in_words, finding=findings.peaks)
peak_shares = Table(
    _peak_shares,
    lambda rows: (
        "Best share of the dimensions (%), by an oracle that sees the queries, and its gain over all of them (points "
        f"of accuracy, {rows.attrs['level']} interval over episodes), Euclidean centroid."
    ),
    digits=1,
)
