"""What the tables of all models and tasks say together: wide tables, their figures, and one results table.

Every ``plot_*`` takes what the function that it names returns, and refuses an empty table or one that lacks a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import claims, findings, frontier, names
from diffred_core.chapters.random_subsets.reading import at_shares, shares_in_words
from diffred_core.chapters.random_subsets.tables import shares
from diffred_core.drawing import Figure, Look, Table, looks, style
from diffred_core.drawing.rows import row_panels
from diffred_core.drawing.style import COLOURS, finish, interval_name, one_value, percent_ticks
from diffred_core.intervals import Interval, interquartile_mean
from diffred_core.results import as_table, published, summarize, where
from diffred_core.results.claims import Claim, claim_rows, percent
from diffred_core.results.readable import cell_name, readable
from diffred_core.results.rows import KEYS, Row

PUBLISHED_CLAIMS = (  # about which table, and the claim
    ("probes", claims.accuracy_is_kept),
    ("similarity", claims.similarity_exceeds_inclusion),
    ("probes", claims.pca_beats_random),
    ("probes", claims.classes_pay_unequally),
)
NEEDED_DELTAS: tuple[float, ...] = (0.9, 0.95, 0.99)
ALL_TASKS = "all tasks"  # in the column task, of what is read over all pairs
KEPT_OVERALL = "kept_interquartile_mean"
Cells = dict[tuple[str, str], list[Claim]]  # claims by task and model


def kept_accuracy(
    probes: pd.DataFrame, *, fraction: float = names.FRACTION, probe: str = names.HEADLINE, level: float = 0.95
) -> pd.DataFrame:
    """Return one row for each task and model: accuracy of random subsets and of the full layer, and the gap.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes, one below the other.
    fraction : float
        Share of the dimensions; of every model and task the nearest that was measured.
    probe : str
        Which probe.
    level : float
        Coverage of the intervals over draws, and that which the sweeps gave to the gap.

    Returns
    -------
    DataFrame
        Columns task, model, probe, fraction, mean, low, high, n, level (of the subsets), full, kept (mean over full),
        gap, gap_low, gap_high (paired bootstrap, in accuracy), n_selected, n_features.

    Raises
    ------
    InputError
        If there is no such row.
    """
    random = where(probes, probe=probe, method=names.RANDOM)
    random = random[random["metric"].isin([names.ACCURACY, names.GAP])]
    random = at_shares(random, [fraction])
    pairs = summarize(random, [*KEYS, "probe", "fraction"], metric=names.ACCURACY, level=level).set_index(KEYS)
    full = where(probes, probe=probe, method=names.FULL, metric=names.ACCURACY)
    pairs["full"] = full.groupby(KEYS)["value"].mean()
    pairs["kept"] = pairs["mean"] / pairs["full"]
    gaps = where(random, metric=names.GAP).set_index(KEYS)
    for column, name in {"value": "gap", "low": "gap_low", "high": "gap_high"}.items():
        pairs[name] = gaps[column]
    return pairs.join(random.groupby(KEYS)[["n_selected", "n_features"]].first()).reset_index()


def kept_overall(
    probes: pd.DataFrame, *, fraction: float = names.FRACTION, probe: str = names.HEADLINE, level: float = 0.95
) -> Interval:
    """Return the share of the full layer's accuracy that random subsets keep, over all models and tasks.

    The interquartile mean over draws of all pairs, with an interval that resamples the draws of each pair
    (`intervals.interquartile_mean`); the accuracy of the full layer counts as known. Parameters: `kept_accuracy`.
    """
    pairs = kept_accuracy(probes, fraction=fraction, probe=probe, level=level).set_index(KEYS)
    random = at_shares(where(probes, probe=probe, method=names.RANDOM, metric=names.ACCURACY), [fraction])
    strata = [rows["value"].to_numpy() / pairs.loc[cell, "full"] for cell, rows in random.groupby(KEYS)]
    return interquartile_mean(strata, level=level)


def needed_fractions(
    probes: pd.DataFrame,
    *,
    deltas: Sequence[float] = names.REPORTED_DELTAS,
    probe: str = names.HEADLINE,
    method: str = names.RANDOM,
) -> pd.DataFrame:
    """Return the smallest tested share of the dimensions that keeps a share `delta` of the accuracy: 1 - DR.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes.
    deltas : sequence of float
        Shares of the full accuracy, among those of the tables.
    probe, method : str
        Which probe, and which way to keep features.

    Returns
    -------
    DataFrame
        Columns task, model, delta, first, nearest (diffused redundancy by both estimators) and fraction, 1 - first.
    """
    rows = where(probes, probe=probe, method=method, metric=tuple(names.ESTIMATORS), delta=tuple(deltas))
    rows = rows[rows["repeat"].isna()]
    wide = rows.pivot(index=[*KEYS, "delta"], columns="metric", values="value").rename(columns=names.ESTIMATORS)
    return wide.rename_axis(columns=None).reset_index().assign(fraction=lambda needed: 1 - needed["first"])


def similarity_at(
    similarity: pd.DataFrame, *, fractions: Sequence[float] = names.SIMILARITY_FRACTIONS, level: float = 0.95
) -> pd.DataFrame:
    """Return debiased CKA of random subsets with the layer, and that of uncorrelated dimensions, at some shares.

    Parameters
    ----------
    similarity : DataFrame
        Tables of subset_similarity.
    fractions : sequence of float
        Shares of the dimensions; of every model and task the nearest that were measured.
    level : float
        Coverage of the intervals, which are over draws.

    Returns
    -------
    DataFrame
        Columns task, model, fraction, mean, low, high, n, level and null.
    """
    rows, by = at_shares(similarity, fractions), [*KEYS, "fraction"]
    alike = summarize(where(rows, method=names.WHOLE), by, metric=names.CKA, level=level).set_index(by)
    alike["null"] = summarize(where(rows, method=names.WHOLE_NULL), by).set_index(by)["mean"]
    return alike.reset_index()


def claims_by_cell(probes: pd.DataFrame, similarity: pd.DataFrame, *, level: float = 0.95) -> Cells:
    """Return every published claim held against every model and task, and the frontiers against every task.

    Parameters
    ----------
    probes, similarity : DataFrame
        Tables of subset_probes, and of subset_similarity, one below the other.
    level : float
        Coverage that the sweeps gave to their intervals, and that of those made here.

    Returns
    -------
    dict
        Claims by task and model; those about a task and all its models have `frontier.ALL_MODELS` as model.
    """
    cells: Cells = {}
    for table, claim in PUBLISHED_CLAIMS:
        for (task, model), cell in (probes if table == "probes" else similarity).groupby(KEYS):
            cells.setdefault((task, model), []).append(claim(cell, level=level))
    for task, of_frontier in frontier.claims_by_task(probes, level=level):
        cells.setdefault((task, frontier.ALL_MODELS), []).append(of_frontier)
    return cells


def extent(probes: pd.DataFrame, similarity: pd.DataFrame) -> str:
    """Return how many pairs of model and task, and rows, are read."""
    return f"{len(probes.groupby(KEYS))} pairs of model and task, {len(probes) + len(similarity)} rows"


def summary_table(
    probes: pd.DataFrame, similarity: pd.DataFrame, *, fraction: float = names.FRACTION, level: float = 0.95
) -> pd.DataFrame:
    """Return the results table of the summary: what the book states across models and tasks.

    Parameters are those of `kept_accuracy` and `claims_by_cell`.

    Returns
    -------
    DataFrame
        Metrics accuracy_subset and accuracy_full (at `fraction`), diffused_redundancy_first and _nearest, cka_subset
        and cka_null, with low and high where they have an interval; and the claims as `results.claims.claim_rows`,
        those about a task and all its models with `frontier.ALL_MODELS` as model. And `kept_overall`, of `ALL_TASKS`.
    """
    deltas = probes["delta"].dropna().unique()
    kept = {"accuracy_subset": "mean", "accuracy_full": "full"}
    alike = {"cka_subset": "mean", "cka_null": "null"}
    rows = [
        *_long(kept_accuracy(probes, fraction=fraction, level=level), "fraction", kept, probe=names.HEADLINE),
        *_long(needed_fractions(probes, deltas=deltas), "delta", names.ESTIMATORS, probe=names.HEADLINE),
        *_long(similarity_at(similarity, level=level), "fraction", alike),
    ]
    for (task, model), held in claims_by_cell(probes, similarity, level=level).items():
        rows += claim_rows(held, {"task": task, "model": model})
    widths = probes.groupby(KEYS)["n_features"].first()
    overall = kept_overall(probes, fraction=fraction, level=level)
    everywhere = {"task": ALL_TASKS, "model": frontier.ALL_MODELS, "metric": KEPT_OVERALL, "fraction": fraction}
    rows.append(everywhere | {"probe": names.HEADLINE, **dict(zip(("value", "low", "high"), overall, strict=True))})
    shared = {"layer": "penultimate", "method": names.RANDOM, "experiment": "summary"}
    return as_table([shared | {"n_features": widths.get((row["task"], row["model"]))} | row for row in rows])


def plot_kept(pairs: pd.DataFrame) -> Axes:
    """Draw the accuracy of random subsets and of the full layer (`kept_accuracy`), a panel a task, a row a model."""
    style.require(pairs, (*KEYS, "probe", "fraction", "mean", "low", "high", "n", "full"), what="plot_kept")
    probe = one_value(pairs, "probe", what="plot_kept")
    grid, placed = row_panels(pairs, height=0.24)
    share = Look(f"{shares_in_words(pairs['fraction'])} of the dimensions", COLOURS[0])
    for task, ax in grid.axes_dict.items():
        rows = where(placed, task=task).set_index("place")
        ax.hlines(rows.index, rows["mean"], rows["full"], color="#BFBFBF", linewidth=2, zorder=1)
        style.points(ax, rows, look=share)
        ax.plot(rows["full"], rows.index, "D", color=COLOURS[1], markersize=6, label="full layer")
        percent_ticks(ax, "x")
        finish(ax, title=readable(task), x="accuracy (%)", y="", legend=False)
    return style.name_panels(grid, f"{probe} probe; bars: {interval_name(pairs)}")


def describe_kept(pairs: pd.DataFrame) -> str:
    """Return `plot_kept` in words."""
    rows = pairs.itertuples(index=False)
    cells = [f"{cell_name(r.model, r.task)} {100 * r.mean:.1f} of {100 * r.full:.1f} %" for r in rows]
    share, probe = shares_in_words(pairs["fraction"]), pairs["probe"].iloc[0]
    return (
        f"Dot chart of accuracy with a random {share} of the dimensions, of that of the full layer, {probe} probe: "
        f"{'; '.join(cells)}."
    )


def plot_needed(needed: pd.DataFrame) -> Axes:
    """Draw the share of dimensions that keeps a share delta of the accuracy (`needed_fractions`), a panel a task."""
    style.require(needed, (*KEYS, "delta", "fraction"), what="plot_needed")
    grid, placed = row_panels(needed, height=0.27)
    by_delta = {float(delta): f"keeps {percent(delta)} of the accuracy" for delta in sorted(needed["delta"].unique())}
    drawn = looks({}, by_delta.values())
    for task, ax in grid.axes_dict.items():
        reach = where(placed, task=task).groupby("place")["fraction"].agg(["min", "max"])
        ax.hlines(reach.index, reach["min"], reach["max"], color="#D9D9D9", linewidth=2, zorder=1)
        for turn, (delta, label) in enumerate(by_delta.items()):
            rows, look = where(placed, task=task, delta=delta), drawn[label]
            at = rows["place"] + 0.14 * ((len(by_delta) - 1) / 2 - turn)  # equal shares would lie on each other
            ax.plot(rows["fraction"], at, look.marker, color=look.colour, markersize=5, label=label)
        ax.set_xlim(-0.04, 1.06)
        ax.set_xticks([0, 0.5, 1])
        percent_ticks(ax, "x")
        finish(ax, title=readable(task), x="dimensions (%)", y="", legend=False)
    return style.name_panels(grid, "share of the dimensions needed; mean over draws")


def describe_needed(needed: pd.DataFrame) -> str:
    """Return `plot_needed` in words."""
    parts = []
    for delta, rows in needed.groupby("delta"):
        low, high = 100 * rows["fraction"].min(), 100 * rows["fraction"].max()
        parts.append(f"{100 * delta:g} % of the accuracy needs {low:g} to {high:g} % of the dimensions")
    return f"Dot chart, one row a model and task: {'; '.join(parts)}."


def kept(fraction: float = names.FRACTION, level: float = 0.95) -> Figure:
    """Return the figure of the accuracy that a share of the dimensions keeps, from tables of subset_probes."""
    summary = lambda probes: kept_accuracy(probes, fraction=fraction, level=level)  # noqa: E731
    return Figure(summary, plot_kept, describe_kept, finding=findings.kept)


def kept_table(fraction: float = names.FRACTION, level: float = 0.95) -> Table:
    """Return the numbers of `kept` as a table."""

    def rows(probes: pd.DataFrame) -> pd.DataFrame:
        pairs = kept_accuracy(probes, fraction=fraction, level=level)
        percents = 100 * pairs[["mean", "low", "high", "full", "gap", "gap_low", "gap_high"]]
        named = percents.rename(columns=lambda name: name.replace("_", " "))
        errors = {"errors, times": (1 - pairs["mean"]) / (1 - pairs["full"]).where(pairs["full"] < 1)}
        return (
            pairs[KEYS]
            .map(readable)
            .assign(probe=pairs["probe"], dimensions=shares(pairs["fraction"]))
            .join(named.assign(**errors))
        )

    caption = (
        f"Test accuracy in percent with a random part of the dimensions and with all; gap in points; errors as a "
        f"multiple of those with all. Intervals at {100 * level:g} %: over draws, of the gap over draws and test rows."
    )
    return Table(rows, caption, digits=1)


def redundancy_by_cell(probes: pd.DataFrame) -> pd.DataFrame:
    """Return diffused redundancy of every model and task: a column for each estimator and share of the accuracy."""
    wide = 100 * needed_fractions(probes).pivot(index=KEYS, columns="delta", values=["first", "nearest"])
    wide = wide.set_axis([f"{estimator} {100 * delta:g} %" for estimator, delta in wide], axis=1).reset_index()
    return wide.assign(**{name: wide[name].map(readable) for name in KEYS})


def alike(level: float = 0.95) -> Table:
    """Return the table of the similarity of random subsets to their layer, from tables of subset_similarity."""

    def rows(similarity: pd.DataFrame) -> pd.DataFrame:
        at = similarity_at(similarity, level=level)
        named = at[KEYS].map(readable).assign(dimensions=shares(at["fraction"]))
        return named.join(at[["mean", "low", "high", "null"]].rename(columns={"mean": "CKA"}))

    caption = (
        f"Debiased CKA of a random subset with its layer, {100 * level:g} % interval over draws; null: uncorrelated "
        "dimensions."
    )
    return Table(rows, caption)


def published_and_measured(probes: pd.DataFrame, *, delta: float = 0.9) -> pd.DataFrame:
    """Return diffused redundancy at `delta`: what was published, then what these tables hold."""
    printed = published.diffused_redundancy_at(delta).assign(origin="published")
    printed = printed.assign(model=printed["model"] + ", " + printed["weights"])
    measured = needed_fractions(probes, deltas=[delta]).assign(origin="measured here")
    both = pd.concat([printed, measured])[["origin", "model", "task", "first", "nearest"]]
    percents = {name: 100 * both[name] for name in ("first", "nearest")}
    return both.assign(**percents, **{name: both[name].map(readable) for name in KEYS})


needed = Figure(
    lambda probes: needed_fractions(probes, deltas=NEEDED_DELTAS), plot_needed, describe_needed, finding=findings.needed
)
redundancy = Table(
    redundancy_by_cell,
    "Diffused redundancy, the percent of the dimensions that can go, by the share of accuracy to be kept: first share "
    "that reaches it, and nearest share.",
    digits=1,
)
beside_published = Table(
    published_and_measured,
    f"Diffused redundancy at 90 % of the accuracy, percent of the dimensions. Published: derived from the "
    f"accuracies of {published.PAPER}.",
    digits=1,
)


def _long(wide: pd.DataFrame, key: str, metrics: dict[str, str], *, probe: str | None = None) -> Iterator[Row]:
    """Yield a row for each metric, whose value stands in the column named; the mean brings its interval."""
    for row in wide.to_dict("records"):
        for metric, column in metrics.items():
            limits = {"low": row["low"], "high": row["high"]} if column == "mean" else {}
            cell = {"task": row["task"], "model": row["model"], "probe": probe, key: row[key]}
            yield cell | {"metric": metric, "value": row[column]} | limits
