"""What governs redundancy over all models and tasks: claims of the paper, variance shares, factors side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.governs import claims, claims_paper, findings, names, variance
from diffred_core.chapters.governs.claims_paper import FACTORS, PROBES, Tables
from diffred_core.drawing import Figure, Look, Table, Verdicts, style
from diffred_core.drawing.rows import row_panels
from diffred_core.drawing.style import COLOURS, GREY
from diffred_core.results import as_table, where
from diffred_core.results.claims import Claim, claim_rows, percent
from diffred_core.results.readable import readable
from diffred_core.results.rows import Row

MEASURES = {names.FIRST: "DR, first", names.NEAREST: "DR, nearest", names.NEEDED: "needed (log)"}
NOTHING = "No two models have been run on the same two tasks: nothing is crossed."
NO_FACTOR = "No table of a factor is there."
EVIDENCE = (
    "In round brackets the part of the paper that makes the claim; in square ones how surely the number is known, P: "
    "the text of the paper, N: saved outputs of its first author's notebooks, F: read off a saved plot; the page of "
    "published numbers says more. Not run here: the tables of this book hold nothing about it."
)


def summary_table(tables: Tables, judged: Mapping[str, Claim], *, level: float = 0.95) -> pd.DataFrame:
    """Return the results table of the summary: variance shares, the greatest difference a factor makes, and claims.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of `claims_paper.ANALYSES` that there are.
    judged : mapping of str to Claim
        Of `claims_paper.paper_claims`.
    level : float
        Coverage that the sweeps gave to their intervals, and that of those made here.

    Returns
    -------
    DataFrame
        Metric variance_share (source as method, measure as label); the rows greatest_difference of what_governs; and
        the claims of the paper as `results.claims.claim_rows`.
    """
    cell = {"task": "all tasks", "model": "all models", "layer": "penultimate", "experiment": "governs_summary"}
    rows: list[Row] = [cell | row for row in _share_rows(tables, level=level)]
    if FACTORS in tables:
        spreads = where(tables[FACTORS], method=names.SPREAD).assign(experiment="governs_summary")
        rows += [{k: v for k, v in row.items() if pd.notna(v)} for row in spreads.to_dict("records")]
    rows += claim_rows(judged.values(), cell)
    return as_table(rows)


def factor_verdicts(tables: Tables, *, level: float = 0.95) -> Verdicts:
    """Return every claim about a factor on every task, with its sentence."""
    cells: dict[str, list[Claim]] = {}
    for (factor, task), rows in tables.get(FACTORS, pd.DataFrame(columns=["recipe", "task"])).groupby(
        ["recipe", "task"]
    ):
        cells[f"{factor} on {readable(str(task))}"] = claims.all_claims(rows, level=level)
    return Verdicts(cells, "Each verdict unfolds to its sentence.")


def variance_table(tables: Tables, *, level: float = 0.95) -> pd.DataFrame:
    """Return the variance shares: measure, source, mean (the share), low, high, n (cells), level; empty if uncrossed.

    Parameters are those of `summary_table`.
    """
    columns = ["label", "delta", "method", "value", "low", "high", "n"]
    rows = pd.DataFrame([row for row in _share_rows(tables, level=level)], columns=columns)
    measure = rows["label"].map(MEASURES) + rows["delta"].map(lambda delta: f" at {percent(delta)}")
    shown = pd.DataFrame({"measure": measure, "source": rows["method"], "mean": rows["value"].astype(float)})
    return shown.join(rows[["low", "high"]].astype(float)).assign(n=rows["n"], level=level)


def plot_variance(shares: pd.DataFrame) -> Axes:
    """Draw the share of the variance of every source with its interval, one panel a measure."""
    style.require(shares, ("measure", "source", "mean", "low", "high"), what="across.variance")
    grid = style.panels(shares, size=(2.9, 2.0), col="measure", col_wrap=2)
    sources = list(variance.SOURCES)[::-1]
    style.row_names(grid.axes.flat[0], sources, size=9)
    for number, (measure, ax) in enumerate(grid.axes_dict.items()):
        ax.tick_params(axis="y", labelleft=number % 2 == 0, labelsize=9)
        rows = where(shares, measure=measure)
        style.points(ax, rows.set_index(rows["source"].map(sources.index)), look=Look("", COLOURS[0]), size=5)
        ax.set_xlim(-0.03, 1.03)
        style.percent_ticks(ax, "x")
        below = number >= shares["measure"].nunique() - 2
        style.finish(ax, title=str(measure), x="variance (%)" if below else "", y="", legend=False)
    return style.name_panels(grid, f"bars: {percent(shares['level'].iloc[0])} interval over models and tasks")


def describe_variance(shares: pd.DataFrame) -> str:
    """Return `plot_variance` in words."""
    parts = []
    for measure, rows in shares.groupby("measure", sort=False):
        words = (
            f"{r.source} {100 * r.mean:.0f} % ({100 * r.low:.0f} to {100 * r.high:.0f})" for r in rows.itertuples()
        )
        parts.append(f"{measure}: {', '.join(words)}")
    return f"Dot charts of the share of variance by source. {'; '.join(parts)}."


def factor_table(tables: Tables) -> pd.DataFrame:
    """Return the greatest difference that each factor makes in the share of dimensions needed, by task."""
    rows = where(tables.get(FACTORS, pd.DataFrame(columns=["method"])), method=names.SPREAD)
    if rows.empty:
        return pd.DataFrame(columns=["factor", "task", "mean", "low", "high"])
    rows = where(rows, metric=names.SHARE, delta=claims.DELTA).rename(columns={"recipe": "factor", "value": "mean"})
    return rows[["factor", "task", "mean", "low", "high"]].sort_values(["task", "factor"], ignore_index=True)


def factors_in_points(tables: Tables) -> pd.DataFrame:
    """Return `factor_table` for readers."""
    rows = factor_table(tables)
    return rows[["factor"]].assign(
        task=rows["task"].map(readable), **(100 * rows[["mean", "low", "high"]].astype(float))
    )


def plot_factors(rows: pd.DataFrame) -> Axes:
    """Draw the greatest difference that each factor makes, one panel a task; the grey line is what counts as alike."""
    style.require(rows, ("factor", "task", "mean", "low", "high"), what="across.factors")
    grid, placed = row_panels(rows, of="factor")
    for task, ax in grid.axes_dict.items():
        style.points(ax, where(placed, task=task).set_index("place"), look=Look("", COLOURS[0]), size=5)
        ax.axvline(names.MARGIN, color=GREY, linewidth=1)
        ax.set_xlim(0, max(2 * names.MARGIN, 1.05 * rows["high"].max()))
        style.percent_ticks(ax, "x")
        style.finish(ax, title=readable(task), x="points of the layer", y="", legend=False)
    return style.name_panels(grid, "greatest difference in what keeps 90 % of the accuracy; grey: alike")


def describe_factors(rows: pd.DataFrame) -> str:
    """Return `plot_factors` in words."""
    parts = (
        f"{r.factor} on {readable(r.task)} {100 * r.mean:.1f} ({100 * r.low:.1f} to {100 * r.high:.1f})"
        for r in rows.itertuples()
    )
    return (
        "Dot chart of the greatest difference between networks in the share of dimensions for 90 % of the accuracy, in "
        f"points: {'; '.join(parts)}."
    )


def variance_figure(level: float = 0.95) -> Figure:
    """Return the figure of the variance shares."""
    summary = lambda tables: variance_table(tables, level=level)  # noqa: E731
    return Figure(summary, plot_variance, describe_variance, empty=NOTHING, finding=findings.variance)


def variance_numbers(level: float = 0.95) -> Table:
    """Return the numbers of `variance_figure` as a table."""

    def rows(tables: Tables) -> pd.DataFrame:
        shares = variance_table(tables, level=level)
        percents = (100 * shares[["mean", "low", "high"]]).rename(columns={"mean": "share"})
        return shares[["measure", "source"]].join(percents).assign(n=shares["n"])

    words = f"in percent, with {percent(level)} generalised confidence intervals."
    return Table(rows, f"Shares of the variance over n pairs of model and task, {words}", digits=1)


paper = Table(claims_paper.claim_table, EVIDENCE)
factors = Figure(factor_table, plot_factors, describe_factors, empty=NO_FACTOR, finding=findings.factors)
factor_numbers = Table(
    factors_in_points,
    "The greatest difference between two networks that a factor makes, in points of the layer, limits for all pairs at "
    "once.",
    digits=1,
)


def _share_rows(tables: Tables, *, level: float) -> Iterator[Row]:
    if PROBES in tables:
        yield from variance.share_rows(tables[PROBES], level=level)
