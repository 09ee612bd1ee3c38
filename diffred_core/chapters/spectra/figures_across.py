"""Figures and tables of the summary: correlations with redundancy, errors on held-out tasks, one measure by cell."""

from __future__ import annotations

from functools import partial

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from diffred_core.chapters.spectra import names, relations
from diffred_core.chapters.spectra.cells import LOGARITHMIC, SCOPES, Scope, Tables, cells_of
from diffred_core.chapters.spectra.claims_across import TARGET_WORDS
from diffred_core.chapters.spectra.figures import logarithmic_axis
from diffred_core.chapters.spectra.reading import MEASURES
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable

KINDS = {
    relations.ALONE: Look("all pairs", COLOURS[0], MARKERS[0]),
    relations.WITHIN: Look("within tasks", COLOURS[2], MARKERS[2]),
    relations.GIVEN: Look("given the full accuracy", COLOURS[1], MARKERS[1]),
}
FITTED = {
    names.MEAN: "the mean of the other tasks",
    names.FULL_ACCURACY: "the full accuracy",
    names.BEST: "the best measure elsewhere",
    names.BEST_BESIDE: "that beside the full accuracy",
}
PREDICTED = (names.PART_ACCURACY, names.REDUNDANCY)
NOTHING = "There are too few networks and tasks with tables of both kinds."
FEW_TASKS = "There are fewer than four tasks: none can be held out."


def scope_name(scope: Scope) -> str:
    """Return what is measured, in words."""
    if scope.layer == names.EVERY_LAYER:
        return "every layer"
    return "whole last layer" if scope.share == 1 else f"random {percent(scope.share)}"


def _correlations(table: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Return the correlations of a scope, the measure that goes best with redundancy within tasks first."""
    metrics = tuple(names.CORRELATION + target for target in PREDICTED)
    rows = where(table, metric=metrics, layer=scope.layer, fraction=scope.share)
    leading = where(rows, metric=metrics[1], method=relations.WITHIN).set_index("label")["value"].abs()
    rows = rows.assign(target=rows["metric"].str.removeprefix(names.CORRELATION), mean=rows["value"].astype(float))
    return rows.sort_values("label", key=lambda labels: -labels.map(leading).astype(float).fillna(0.0), kind="stable")


def _plot_correlations(rows: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a row a measure and a panel a target: rank correlations of every kind with their intervals."""
    style.require(rows, ("target", "label", "method", "mean", "low", "high"), what="across.correlations")
    measures = list(rows["label"].unique())[::-1]
    size = (3.2, 1.4 + 0.36 * len(measures))
    grid = style.panels(rows, size=size, col="target", col_order=[t for t in PREDICTED if t in set(rows["target"])])
    style.row_names(grid.axes.flat[0], [MEASURES.get(measure, measure) for measure in measures], size=9)
    for number, (target, panel) in enumerate(grid.axes_dict.items()):
        panel.axvline(0, color=GREY, linewidth=1)
        for shift, (kind, look) in zip((0.24, 0.0, -0.24), KINDS.items(), strict=True):
            part = where(rows, target=target, method=kind)
            if len(part):
                style.points(panel, part.set_index(part["label"].map(measures.index) + shift), look=look, size=4)
        panel.tick_params(axis="y", labelleft=number == 0, labelsize=9)
        panel.set_xlim(-1.05, 1.05)
        style.finish(panel, title=f"with {TARGET_WORDS[target]}", x="rank correlation", y="", legend=False)
        style.small(panel)
    scope = Scope(rows["layer"].iloc[0], float(rows["fraction"].iloc[0]), names.FRACTION)
    return style.name_panels(
        grid, f"{int(rows['n'].max())} cells, {scope_name(scope)}; bars: networks and tasks resampled"
    )


def _correlations_in_words(rows: pd.DataFrame) -> str:
    parts = []
    for target, of_target in rows.groupby("target", sort=False):
        words = [f"{MEASURES[m]} {_kinds_in_words(of)}" for m, of in of_target.groupby("label", sort=False)]
        parts.append(f"with {TARGET_WORDS[str(target)]}: {', '.join(words)}")
    return f"Dot charts of rank correlations by measure. {'; '.join(parts)}."


def _kinds_in_words(rows: pd.DataFrame) -> str:
    by_kind = rows.set_index("method")["mean"]
    return " and ".join(f"{by_kind[kind]:+.2f} {look.words}" for kind, look in KINDS.items() if kind in by_kind)


def _correlations_finding(rows: pd.DataFrame) -> str:
    """Return what goes best with redundancy within tasks, and how many measures do so clearly."""
    within = where(rows, target=names.REDUNDANCY, method=relations.WITHIN)
    if within.empty:
        return f"Within tasks nothing can be related over {int(rows['n'].max())} cells."
    best = within.loc[within["mean"].abs().idxmax()]
    clear = int(((within["low"] > 0) | (within["high"] < 0)).sum())
    first = f"Within tasks redundancy goes best with {MEASURES[best['label']]} ({best['mean']:+.2f})"
    return f"{first}, clearly with {clear} of {len(within)} measures."


def _correlation_numbers(table: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    rows = _correlations(table, scope)
    intervals = [f"{r.mean:+.2f} ({r.low:+.2f} to {r.high:+.2f})" for r in rows.itertuples()]
    columns = rows["target"].map(TARGET_WORDS) + ", " + rows["method"].map(lambda kind: KINDS[kind].words)
    shown = rows.assign(cell=intervals, column=columns, measure=rows["label"].map(MEASURES))
    order = list(dict.fromkeys(shown["column"])), list(dict.fromkeys(shown["measure"]))
    wide = shown.pivot(index="measure", columns="column", values="cell").loc[order[1], sorted(order[0])]
    return wide.rename_axis(columns=None).reset_index()


def _by_scope(table: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of every measure with redundancy within tasks, by what is measured."""
    rows = where(table, metric=names.CORRELATION + names.REDUNDANCY, method=relations.WITHIN)
    columns = {
        scope_name(scope): where(rows, layer=scope.layer, fraction=scope.share)
        .set_index("label")["value"]
        .astype(float)
        for scope in SCOPES
    }
    wide = pd.DataFrame({name: values for name, values in columns.items() if len(values)})
    wide = wide.loc[[name for name in MEASURES if name in wide.index]]
    return wide.rename(index=MEASURES).rename_axis(index="measure").reset_index()


def _errors(table: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Return the errors on held-out tasks by what is fitted, the least for redundancy first."""
    rows = where(table, method=names.HELD_OUT, layer=scope.layer, fraction=scope.share)
    rows = rows.assign(target=rows["metric"].str.removeprefix(names.ERROR), mean=rows["value"].astype(float))
    order = where(rows, target=names.REDUNDANCY).set_index("label")["mean"]
    return rows.sort_values("label", key=lambda labels: labels.map(order), kind="stable")


def _plot_errors(rows: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the mean absolute error on a held-out task, a row a fit; the grey line is the mean of the other tasks."""
    style.require(rows, ("target", "label", "mean", "low", "high"), what="across.errors")
    fitted = list(rows["label"].unique())[::-1]
    grid = style.panels(rows, size=(3.2, 1.2 + 0.24 * len(fitted)), col="target", col_order=list(PREDICTED))
    style.row_names(grid.axes.flat[0], [(FITTED | MEASURES).get(name, name) for name in fitted], size=9)
    for number, (target, panel) in enumerate(grid.axes_dict.items()):
        of = where(rows, target=target)
        panel.axvline(where(of, label=names.MEAN)["mean"].item(), color=GREY, linewidth=1)
        for kinds, look in ((FITTED, Look("", COLOURS[1], MARKERS[1])), (MEASURES, Look("", COLOURS[0]))):
            part = where(of, label=tuple(kinds))
            style.points(panel, part.set_index(part["label"].map(fitted.index)), look=look, size=4)
        panel.tick_params(axis="y", labelleft=number == 0, labelsize=9)
        panel.set_xlim(left=0)
        style.percent_ticks(panel, "x")
        style.finish(panel, title=TARGET_WORDS[str(target)], x="mean absolute error (points)", y="", legend=False)
        style.small(panel)
    of = "the whole last layer" if rows["fraction"].iloc[0] == 1 else "a random part"
    return style.name_panels(grid, f"predicted for a task that was held out, from {of}")


def _errors_in_words(rows: pd.DataFrame) -> str:
    parts = []
    for target, of in rows.groupby("target", sort=False):
        words = (
            f"{(FITTED | MEASURES)[r.label]} {100 * r.mean:.1f} ({100 * r.low:.1f} to {100 * r.high:.1f})"
            for r in of.itertuples()
        )
        parts.append(f"{TARGET_WORDS[str(target)]}: {', '.join(words)}")
    return f"Dot charts of the mean absolute error on a held-out task, in points. {'; '.join(parts)}."


def leading_measure(table: pd.DataFrame) -> str:
    """Return the measure of the whole last layer that goes best with redundancy within tasks.

    Where nothing could be related, it is the width.
    """
    rows = _correlations(table, SCOPES[0])
    return str(rows["label"].iloc[0]) if len(rows) else names.WIDTH


def _one_measure(tables: Tables, measure: str) -> pd.DataFrame:
    cells = cells_of(tables, SCOPES[0])
    columns = ["task", "model", measure, *PREDICTED]
    return cells[columns].rename(columns={measure: "measure"}) if measure in cells else pd.DataFrame(columns=columns)


def _plot_one_measure(cells: pd.DataFrame, *, ax: Axes | None = None, measure: str) -> Axes:
    """Draw a point a network and task: the measure of the layer against both targets, a colour a task."""
    style.require(cells, ("task", "measure", *PREDICTED), what="across.one_measure")
    rows = cells.melt(["task", "model", "measure"], list(PREDICTED), var_name="target")
    grid = style.panels(rows, size=(2.9, 3.0), col="target", col_order=list(PREDICTED), sharey=False)
    tasks = dict(zip(sorted(cells["task"].unique()), zip(COLOURS, MARKERS, strict=True), strict=False))
    for target, panel in grid.axes_dict.items():
        for task, (colour, marker) in tasks.items():
            of = where(rows, target=target, task=task)
            sns.scatterplot(x=of["measure"], y=of["value"], color=colour, marker=marker, label=readable(task), ax=panel)
        panel.get_legend().remove()
        if measure in LOGARITHMIC:
            logarithmic_axis(panel, "x")
        style.percent_ticks(panel)
        style.finish(panel, title=f"{TARGET_WORDS[str(target)]} (%)", x=MEASURES[measure], y="", legend=False)
        style.small(panel)
    return style.name_panels(grid, "a point a network; the whole last layer, training images")


def _one_measure_finding(cells: pd.DataFrame, measure: str) -> str:
    """Return the rank correlation of the measure with redundancy over all networks and tasks."""
    related = cells["measure"].corr(cells[names.REDUNDANCY], method="spearman")
    words = MEASURES[measure][:1].upper() + MEASURES[measure][1:]
    return f"{words}: rank correlation {related:+.2f} with redundancy over {len(cells)} networks and tasks."


def _one_measure_in_words(cells: pd.DataFrame, measure: str) -> str:
    parts = []
    for task, of in cells.groupby("task"):
        ends = (f"{of[name].min():.3g} to {of[name].max():.3g}" for name in ("measure", *PREDICTED))
        parts.append(f"{readable(str(task))} {', '.join(ends)}")
    return f"Scatter plots of {MEASURES[measure]} against accuracy at 20 % and redundancy; ranges: {'; '.join(parts)}."


def _errors_finding(rows: pd.DataFrame) -> str:
    """Return by how much the best measure elsewhere is off on redundancy, beside the trivial predictor."""
    off = 100 * where(rows, target=names.REDUNDANCY).set_index("label")["mean"]
    best, trivial = off[names.BEST], off[names.MEAN]
    than = "less" if best < trivial else "more"
    return (
        f"The best measure elsewhere is off by {best:.1f} points of redundancy, {than} than the mean ({trivial:.1f})."
    )


def one_measure(measure: str) -> Figure:
    """Return the figure of one measure against accuracy at 20 % and redundancy, cell by cell; it is made of tables."""
    return Figure(
        partial(_one_measure, measure=measure),
        partial(_plot_one_measure, measure=measure),
        partial(_one_measure_in_words, measure=measure),
        NOTHING,
        partial(_one_measure_finding, measure=measure),
    )


def correlations(scope: Scope = SCOPES[0]) -> Figure:
    """Return the figure of the rank correlations of what a scope measures."""
    return Figure(
        partial(_correlations, scope=scope), _plot_correlations, _correlations_in_words, NOTHING, _correlations_finding
    )


def errors(scope: Scope = SCOPES[0]) -> Figure:
    """Return the figure of what the measures of a scope predict on a task that was held out."""
    return Figure(partial(_errors, scope=scope), _plot_errors, _errors_in_words, FEW_TASKS, _errors_finding)


def correlation_numbers(scope: Scope = SCOPES[0]) -> Table:
    """Return the numbers of `correlations`."""
    return Table(partial(_correlation_numbers, scope=scope), partial(_chance_note, what=scope_name(scope)))


def _chance_note(rows: pd.DataFrame, *, what: str) -> str:
    n = int(rows.notna().to_numpy().sum() - len(rows))
    return (
        f"Rank correlations of measures of the {what}, with 95 % intervals over networks and tasks. None of the {n} "
        f"intervals is corrected for the others: without any relation some {max(1, round(0.05 * n))} would leave out 0 "
        "by chance, and measures that are alike would do so together."
    )


by_scope = Table(
    _by_scope,
    "Rank correlation with diffused redundancy within tasks, by what is measured: the last layer as a "
    "whole, random parts of it, or every layer of the networks with tables of their layers. A dash: not measured.",
    digits=2,
)
