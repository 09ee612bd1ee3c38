"""What the tables of all models and tasks say together: wide tables, their figures, and one results table.

Every ``plot_*`` takes what the function that it names returns, and refuses an empty table or one that lacks a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from diffred_core.chapters.random_subsets import claims, names
from diffred_core.chapters.random_subsets.tables import shares
from diffred_core.drawing import Figure, Look, Table, looks, style
from diffred_core.drawing.style import COLOURS, GREY, begin, finish, interval_name, percent_ticks
from diffred_core.errors import InputError
from diffred_core.results import as_table, published, summarize, where
from diffred_core.results.claims import VERDICTS, Claim, claim_rows
from diffred_core.results.rows import KEYS, Row

PUBLISHED_CLAIMS = (  # about which table, and the claim
    ("probes", claims.accuracy_is_kept),
    ("similarity", claims.similarity_exceeds_inclusion),
    ("probes", claims.pca_beats_random),
    ("probes", claims.classes_pay_unequally),
)
NEEDED_DELTAS: tuple[float, ...] = (0.9, 0.95, 0.99)


def kept_accuracy(probes: pd.DataFrame, *, fraction: float = names.FRACTION, probe: str = names.RIDGE) -> pd.DataFrame:
    """Return one row for each task and model: accuracy of random subsets and of the full layer, and the gap.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes, one below the other.
    fraction : float
        Share of the features.
    probe : str
        Which probe.

    Returns
    -------
    DataFrame
        Columns task, model, fraction, mean, low, high, n, level (of the subsets), full, kept (mean over full), gap,
        gap_low, gap_high (paired bootstrap, in accuracy), n_selected, n_features.

    Raises
    ------
    InputError
        If no table has that fraction.
    """
    random = _at(where(probes, probe=probe, method=names.RANDOM), fraction)
    pairs = summarize(random, [*KEYS, "fraction"], metric=names.ACCURACY).set_index(KEYS)
    full = where(probes, probe=probe, method=names.FULL, metric=names.ACCURACY)
    pairs["full"] = full.groupby(KEYS)["value"].mean()
    pairs["kept"] = pairs["mean"] / pairs["full"]
    gaps = where(random, metric=names.GAP).set_index(KEYS)
    for column, name in {"value": "gap", "low": "gap_low", "high": "gap_high"}.items():
        pairs[name] = gaps[column]
    return pairs.join(random.groupby(KEYS)[["n_selected", "n_features"]].first()).reset_index()


def needed_fractions(
    probes: pd.DataFrame,
    *,
    deltas: Sequence[float] = names.REPORTED_DELTAS,
    probe: str = names.RIDGE,
    method: str = names.RANDOM,
) -> pd.DataFrame:
    """Return the smallest tested share of the features that keeps a share `delta` of the accuracy: 1 - DR.

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


def similarity_at(similarity: pd.DataFrame, *, fractions: Sequence[float] = names.SIMILARITY_FRACTIONS) -> pd.DataFrame:
    """Return debiased CKA of random subsets with the layer, and that of uncorrelated features, at some shares.

    Parameters
    ----------
    similarity : DataFrame
        Tables of subset_similarity.
    fractions : sequence of float
        Shares of the features.

    Returns
    -------
    DataFrame
        Columns task, model, fraction, mean, low, high, n, level and null.
    """
    rows = pd.concat([_at(similarity, fraction) for fraction in fractions])
    by = [*KEYS, "fraction"]
    alike = summarize(where(rows, method=names.WHOLE), by, metric=names.CKA).set_index(by)
    alike["null"] = summarize(where(rows, method=names.WHOLE_NULL), by).set_index(by)["mean"]
    return alike.reset_index()


def accuracy_frontier(probes: pd.DataFrame, *, task: str, probe: str = names.RIDGE) -> pd.DataFrame:
    """Return accuracy of random subsets against their size for every model, and which points nobody beats.

    Parameters are those of `kept_accuracy`, of one `task`.

    Returns
    -------
    DataFrame
        Columns model, n_selected, mean, low, high, n, level and frontier: whether no model is at least as accurate with
        fewer features, or more accurate with as many.
    """
    rows = where(probes, task=task, probe=probe, method=(names.RANDOM, names.FULL))
    sizes = summarize(rows, ["model", "n_selected"], metric=names.ACCURACY)
    sizes = sizes.sort_values(["n_selected", "mean"], ascending=[True, False], ignore_index=True)
    return sizes.assign(frontier=sizes["mean"] > sizes["mean"].cummax().shift(fill_value=-1.0))


def all_claims(probes: pd.DataFrame, similarity: pd.DataFrame) -> list[Claim]:
    """Return every published claim held against every model and task, which are added to its name."""
    return [
        replace(claim, name=f"{claim.name}, {model} on {task}")
        for task, model, claim in _claims_by_cell(probes, similarity)
    ]


def extent(probes: pd.DataFrame, similarity: pd.DataFrame) -> str:
    """Return how many pairs of model and task, and rows, are read."""
    return f"{len(probes.groupby(KEYS))} pairs of model and task, {len(probes) + len(similarity)} rows"


def summary_table(probes: pd.DataFrame, similarity: pd.DataFrame, *, fraction: float = names.FRACTION) -> pd.DataFrame:
    """Return the results table of the summary: what the book states across models and tasks.

    Returns
    -------
    DataFrame
        Metrics accuracy_subset and accuracy_full (at `fraction`), diffused_redundancy_first and _nearest, cka_subset
        and cka_null, with low and high where they have an interval; and the claims as `results.claims.claim_rows`.
    """
    deltas = probes["delta"].dropna().unique()
    kept = {"accuracy_subset": "mean", "accuracy_full": "full"}
    alike = {"cka_subset": "mean", "cka_null": "null"}
    rows = [
        *_long(kept_accuracy(probes, fraction=fraction), "fraction", kept, probe=names.RIDGE),
        *_long(needed_fractions(probes, deltas=deltas), "delta", names.ESTIMATORS, probe=names.RIDGE),
        *_long(similarity_at(similarity), "fraction", alike),
    ]
    for task, model, claim in _claims_by_cell(probes, similarity):
        rows += claim_rows([claim], {"task": task, "model": model})
    widths = probes.groupby(KEYS)["n_features"].first()
    shared = {"layer": "penultimate", "method": names.RANDOM, "experiment": "summary"}
    return as_table([shared | {"n_features": widths[row["task"], row["model"]]} | row for row in rows])


def plot_kept(pairs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of random subsets and of the full layer (`kept_accuracy`), one row a model and task."""
    columns = (*KEYS, "fraction", "mean", "low", "high", "n", "full")
    ax = begin(ax, pairs, columns, what="plot_kept", size=(5.8, 1.6 + 0.4 * len(pairs)))
    rows = pairs.sort_values(["task", "model"], ascending=False).reset_index(drop=True)
    share = f"{100 * rows['fraction'].iloc[0]:g} % of the features"
    ax.hlines(rows.index, rows["mean"], rows["full"], color="#BFBFBF", linewidth=2, zorder=1)
    style.points(ax, rows, look=Look(share, COLOURS[0]))
    ax.plot(rows["full"], rows.index, "D", color=COLOURS[1], markersize=6, label="full layer")
    percent_ticks(ax, "x")
    return _finish_rows(ax, rows, title=f"bars: {interval_name(pairs)}", x="test accuracy (%)", columns=2)


def describe_kept(pairs: pd.DataFrame) -> str:
    """Return `plot_kept` in words."""
    cells = [f"{r.model} on {r.task} {100 * r.mean:.1f} of {100 * r.full:.1f} %" for r in pairs.itertuples(index=False)]
    share = f"{100 * pairs['fraction'].iloc[0]:g} %"
    return (
        f"Dot chart of accuracy with a random {share} of the features, of that of the full layer: {'; '.join(cells)}."
    )


def plot_needed(needed: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of the features that keeps a share delta of the accuracy (`needed_fractions`)."""
    style.require(needed, (*KEYS, "delta", "fraction"), what="plot_needed")
    cells = needed[KEYS].drop_duplicates().sort_values(KEYS, ascending=False)
    cells = cells.reset_index(drop=True).rename_axis("row").reset_index()
    ax = style.axes_or_new(ax, size=(5.8, 2.2 + 0.4 * len(cells)))
    placed = needed.merge(cells, on=KEYS)
    deltas = {f"keeps {100 * delta:g} % of the accuracy": rows for delta, rows in placed.groupby("delta")}
    for label, look in looks({}, deltas).items():
        rows = deltas[label]
        ax.plot(rows["fraction"], rows["row"], look.marker, color=look.colour, markersize=7, label=label)
    style.percent_axis(ax, [min(0.01, *needed["fraction"])])
    x = "share of features needed (%, log scale)"
    return _finish_rows(ax, cells, title="mean over draws", x=x, columns=1)


def describe_needed(needed: pd.DataFrame) -> str:
    """Return `plot_needed` in words."""
    parts = []
    for delta, rows in needed.groupby("delta"):
        low, high = 100 * rows["fraction"].min(), 100 * rows["fraction"].max()
        parts.append(f"{100 * delta:g} % of the accuracy needs {low:g} to {high:g} % of the features")
    return f"Dot chart, one row a model and task: {'; '.join(parts)}."


def plot_frontier(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy against the number of features kept, model by model, and their frontier (`accuracy_frontier`)."""
    ax = begin(ax, summary, ("model", "n_selected", "mean", "frontier"), what="plot_frontier")
    best = summary[summary["frontier"]].sort_values("n_selected")
    ax.step(best["n_selected"], best["mean"], where="post", color=GREY, linewidth=6, alpha=0.25, label="frontier")
    for model, look in looks({}, summary["model"]).items():
        style.line(ax, where(summary, model=model), x="n_selected", look=look, label=model, band=False)
    ax.set_xscale("log")
    ax.set_xticks([k for k in (1, 3, 10, 30, 100, 300, 1000, 3000) if k <= summary["n_selected"].max()])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    percent_ticks(ax)
    title = "random subsets, mean over draws"
    return finish(ax, title=title, x="number of features kept (log scale)", y="test accuracy (%)", columns=1)


def describe_frontier(summary: pd.DataFrame) -> str:
    """Return `plot_frontier` in words."""
    best = summary[summary["frontier"]].sort_values("n_selected")
    few = best.iloc[[0, len(best) // 2, -1]].drop_duplicates("n_selected")
    steps = [f"{r.n_selected} features {100 * r.mean:.1f} % ({r.model})" for r in few.itertuples(index=False)]
    return f"Line chart of accuracy against the number of features kept, with the frontier: {'; '.join(steps)}."


def kept(fraction: float = names.FRACTION) -> Figure:
    """Return the figure of the accuracy that a share of the features keeps, from tables of subset_probes."""
    return Figure(lambda probes: kept_accuracy(probes, fraction=fraction), plot_kept, describe_kept)


def kept_table(fraction: float = names.FRACTION) -> Table:
    """Return the numbers of `kept` as a table."""

    def rows(probes: pd.DataFrame) -> pd.DataFrame:
        pairs = kept_accuracy(probes, fraction=fraction)
        percent = 100 * pairs[["mean", "low", "high", "full", "gap", "gap_low", "gap_high"]]
        return pairs[KEYS].join(percent.rename(columns=lambda name: name.replace("_", " ")))

    share = f"{100 * fraction:g} %"
    caption = f"Test accuracy in percent with a random {share} of the features and with all; gap in points."
    return Table(rows, caption, digits=1)


def frontier(pareto_task: str | None = None) -> Figure:
    """Return the figure of the frontier of size and accuracy on a task; by default on the first of the tables."""
    return Figure(
        lambda probes: accuracy_frontier(probes, task=pareto_task or probes["task"].iloc[0]),
        plot_frontier,
        describe_frontier,
    )


def redundancy_by_cell(probes: pd.DataFrame) -> pd.DataFrame:
    """Return diffused redundancy of every model and task: a column for each estimator and share of the accuracy."""
    wide = needed_fractions(probes).pivot(index=KEYS, columns="delta", values=["first", "nearest"])
    return wide.set_axis([f"{estimator} {100 * delta:g} %" for estimator, delta in wide], axis=1).reset_index()


def similarity_by_cell(similarity: pd.DataFrame) -> pd.DataFrame:
    """Return `similarity_at` with shares in percent."""
    alike = similarity_at(similarity)
    return alike.assign(fraction=shares(alike["fraction"])).drop(columns=["n", "level"])


def verdict_counts(summary: pd.DataFrame) -> pd.DataFrame:
    """Return for every claim of a `summary_table` in how many models and tasks it holds, is undecided, and fails."""
    held = where(summary, metric="claim")
    counts = held.groupby("method", sort=False)["label"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0)
    return counts.rename_axis(index="claim", columns=None).reset_index()


def published_and_reproduced(probes: pd.DataFrame, *, delta: float = 0.9) -> pd.DataFrame:
    """Return diffused redundancy at `delta`: what was published, then what these tables hold."""
    printed = published.diffused_redundancy_at(delta).assign(origin="published")
    printed = printed.assign(model=printed["model"] + ", " + printed["weights"])
    reproduced = needed_fractions(probes, deltas=[delta]).assign(origin="reproduced")
    return pd.concat([printed, reproduced])[["origin", "model", "task", "first", "nearest"]]


needed = Figure(lambda probes: needed_fractions(probes, deltas=NEEDED_DELTAS), plot_needed, describe_needed)
redundancy = Table(
    redundancy_by_cell,
    "Diffused redundancy by the share of accuracy to be kept: first share that reaches it, and nearest share.",
    digits=2,
)
alike = Table(
    similarity_by_cell,
    "Debiased CKA of a random subset with its layer, 95 % interval over draws; null: uncorrelated features.",
)
verdicts = Table(verdict_counts, "Published claims, and in how many pairs of model and task each holds or fails.")
beside_published = Table(
    published_and_reproduced,
    f"Diffused redundancy at 90 % of the accuracy. Published: {published.PAPER}.",
    digits=2,
)


def _claims_by_cell(probes: pd.DataFrame, similarity: pd.DataFrame) -> Iterator[tuple[str, str, Claim]]:
    for table, claim in PUBLISHED_CLAIMS:
        for (task, model), cell in (probes if table == "probes" else similarity).groupby(KEYS):
            yield task, model, claim(cell)


def _long(wide: pd.DataFrame, key: str, metrics: dict[str, str], *, probe: str | None = None) -> Iterator[Row]:
    """Yield a row for each metric, whose value stands in the column named; the mean brings its interval."""
    for row in wide.to_dict("records"):
        for metric, column in metrics.items():
            limits = {"low": row["low"], "high": row["high"]} if column == "mean" else {}
            cell = {"task": row["task"], "model": row["model"], "probe": probe, key: row[key]}
            yield cell | {"metric": metric, "value": row[column]} | limits


def _at(table: pd.DataFrame, fraction: float) -> pd.DataFrame:
    rows = where(table, fraction=fraction)
    if rows.empty:
        known = ", ".join(f"{f:g}" for f in sorted(table["fraction"].dropna().unique()))
        raise InputError(f"fraction must be one of {known or 'none: the table is empty'}, got {fraction}")
    return rows


def _finish_rows(ax: Axes, cells: pd.DataFrame, *, title: str, x: str, columns: int) -> Axes:
    style.row_names(ax, style.cell_names(cells), size=9)
    return finish(ax, title=title, x=x, y="", columns=columns)
