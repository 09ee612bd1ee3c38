"""What the runs of the book measured of the quantities that papers print, under the names of the printed cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from diffred_core import files, results
from diffred_core.chapters.depth import claims_swap, contrasts
from diffred_core.chapters.depth import names as depth
from diffred_core.chapters.embeddings import names_published as embeddings
from diffred_core.chapters.random_subsets import across, names
from diffred_core.chapters.random_subsets.across_published import published_name
from diffred_core.chapters.tunnel_paper.printed import replay
from diffred_core.errors import InputError
from diffred_core.results import published_cells, summarize, where
from diffred_core.results.readable import readable
from diffred_core.staging._runs import CellRun, by_analysis

MEASURED = ["section", "quantity", "task", "method", "setting", "fraction", "beside", "network", "width", "top"]
MEASURED += ["measured", "low", "high", "page"]
TABLES_OF: tuple[str, ...] = (
    "subset_probes",
    "subset_similarity",
    "layers",
    "loss_and_regulariser",
    "tunnel_swap",
    "tunnel_factors",
)
TABLES_OF += ("tunnel_statistics", "compression_published", "few_shot")
Tables = dict[str, list[tuple[CellRun, pd.DataFrame]]]
_SPREAD = ("value", "repeat", "n", "sd", "low", "high")  # what an interval is made of
_SIDES = ("random", names.FULL, names.PCA, "pca_last", "random_projection_published")
_REGULARISED = {"dropout": "ResNet50, dropout {}", "decov": "ResNet50, DeCov 1e-4"}


def tables_of(runs: Sequence[CellRun]) -> Tables:
    """Return the tables of runs that have a page, by analysis, one a model and task, as far as they can be read."""
    tables: Tables = {}
    for analysis, group in by_analysis(r for r in runs if r.has_page and r.cell.analysis in TABLES_OF).items():
        once = {(run.cell.task, run.cell.model): run for run in reversed(group)}
        readable_ones = [(run, table) for run in once.values() if (table := _table(run)) is not None]
        tables[analysis] = list(reversed(readable_ones))
    return tables


def measured(tables: Tables) -> pd.DataFrame:
    """Return all that stands beside a printed cell: columns `MEASURED`, in the units of the cells.

    Column beside is the one network of the paper that a row stands beside, or empty: then any of that task.
    """
    rows: list[dict[str, object]] = []
    for analysis, read in READERS.items():
        for run, table in tables.get(analysis, []):
            rows += [row | {"page": run.cell.page} for row in read(table)]
    frame = pd.DataFrame(rows, columns=MEASURED)
    return frame.assign(top=frame.groupby(["task", "network"])["top"].transform("max"))


def statistics(tables: Tables) -> pd.DataFrame:
    """Return the printed statistics of Harun et al. as they come out of their own table: columns of `replay`."""
    parts = [replay(table).assign(page=run.cell.page) for run, table in tables.get("tunnel_statistics", [])]
    return pd.concat(parts) if parts else pd.DataFrame()


def changes(tables: Tables) -> pd.DataFrame:
    """Return what every change does to trained networks here, beside the difference of the printed means."""
    parts = [
        where(contrasts.changes(table), recipe=depth.TRAINED).assign(page=run.cell.page, network=run.cell.title)
        for run, table in tables.get("tunnel_factors", [])
    ]
    return pd.concat(parts).dropna(subset="published") if parts else pd.DataFrame()


def compressed(tables: Tables) -> pd.DataFrame:
    """Return the share of the full score that every published way to compress keeps, derived from published scores."""
    parts = [where(table, metric=embeddings.KEPT) for _, table in tables.get("compression_published", [])]
    return pd.concat(parts) if parts else pd.DataFrame()


def _table(run: CellRun) -> pd.DataFrame | None:
    path = files.table_file(files.table_path(*run.cell.place))
    try:
        return results.read(path) if path.is_file() else None
    except InputError:
        return None


def _of_probes(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    rows = where(table, probe=names.HEADLINE)
    full = where(rows, method=names.FULL, metric=names.ACCURACY)
    if full.empty:
        return
    about = _about(full, top=100 * full["value"].mean())
    limits = where(rows, metric=names.MEAN_ACCURACY).set_index(["method", "fraction"])
    means = summarize(where(rows, metric=names.ACCURACY, method=_SIDES), ["method", "fraction"], metric=names.ACCURACY)
    for row in means.to_dict("records"):
        at = row["method"], row["fraction"]
        ends = limits.loc[at] if at in limits.index else row
        of_cell = {"method": row["method"], "fraction": row["fraction"], "measured": 100 * row["mean"]}
        spread = {"low": 100 * ends["low"], "high": 100 * ends["high"]}
        yield about | {"quantity": "accuracy"} | of_cell | spread
    pooled = where(rows, metric=names.GINI, method=("random", names.FULL))
    for row in pooled[pooled["repeat"].isna()].to_dict("records"):
        of_cell = {"method": row["method"], "fraction": row["fraction"], "measured": row["value"]}
        yield about | {"quantity": "gini"} | of_cell
    yield from _redundancies(rows, about)


def _redundancies(rows: pd.DataFrame, about: dict[str, object]) -> Iterator[dict[str, object]]:
    """Yield diffused redundancy by both estimators; the printed table is by the nearest one, as the authors' code."""
    if where(rows, metric=names.FIRST).empty:
        return
    for row in across.needed_fractions(rows, deltas=[published_cells.DELTA]).to_dict("records"):
        for setting, column in {"first share": "first", "nearest share": "nearest", "as printed": "nearest"}.items():
            of_cell = {"quantity": "diffused_redundancy", "method": "random", "measured": row[column]}
            yield about | of_cell | {"setting": setting}


def _of_similarity(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    kinds = {names.WHOLE: "cka_subset_whole", names.PAIR: "cka_subset_subset"}
    rows = where(table, metric=names.BIASED, method=tuple(kinds))
    if rows.empty:
        return
    for row in summarize(rows, ["method", "fraction"], metric=names.BIASED).to_dict("records"):
        of_cell = {"quantity": kinds[row["method"]], "method": "random", "fraction": row["fraction"]}
        yield _about(rows) | of_cell | {"measured": row["mean"], "low": row["low"], "high": row["high"]}


def _of_layers(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    rows = where(table, metric="accuracy_of_k", method="random_hidden")
    if rows.empty:
        return
    for row in summarize(rows, ["n_selected", "n_features"]).to_dict("records"):
        of_cell = {"quantity": "accuracy", "method": "random_hidden", "fraction": row["n_selected"] / row["n_features"]}
        limits = {"measured": 100 * row["mean"], "low": 100 * row["low"], "high": 100 * row["high"]}
        yield _about(rows) | of_cell | limits


def _of_regularisers(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    rows = where(table, metric="accuracy_kept", method=names.RANDOM, label="own task")
    for recipe, of_recipe in rows.groupby("recipe"):
        kind, _, strength = str(recipe).partition(":")
        if kind not in _REGULARISED:
            continue
        (row,) = summarize(of_recipe, ["recipe"]).to_dict("records")
        about = _about(of_recipe) | {"beside": _REGULARISED[kind].format(strength)}
        about["network"] = f"{str(about['network']).replace('@', ' of ')}, {kind} {strength}, on its own task"
        of_cell = {"quantity": "accuracy_kept", "method": "random", "fraction": of_recipe["fraction"].iloc[0]}
        limits = {"measured": 100 * row["mean"], "low": 100 * row["low"], "high": 100 * row["high"]}
        yield about | of_cell | limits


def _of_swaps(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    for side, task in zip(("first task", "second task"), claims_swap.tasks_of(table), strict=True):
        for parts in depth.PARTS:
            by_seed = claims_swap.by_seed(table, parts, task)
            repeats = pd.DataFrame({"metric": "accuracy", "value": by_seed, "repeat": range(len(by_seed))})
            (row,) = summarize(repeats.reindex(columns=["metric", *_SPREAD]), "metric").to_dict("records")
            about = {"section": "tunnel swap", "method": parts, "network": f"VGGm, {readable(task)}", "task": side}
            limits = {"measured": row["mean"], "low": row["low"], "high": row["high"]}
            yield about | {"quantity": "accuracy", "setting": "32 pixels"} | limits


def _about(rows: pd.DataFrame, **more: object) -> dict[str, object]:
    first = rows.iloc[0]
    network, width = readable(str(first["model"])), int(first["n_features"])
    return {"task": published_name(str(first["task"])), "network": network, "width": width, **more}


READERS: dict[str, Callable[[pd.DataFrame], Iterator[dict[str, object]]]] = {
    "subset_probes": _of_probes,
    "subset_similarity": _of_similarity,
    "layers": _of_layers,
    "loss_and_regulariser": _of_regularisers,
    "tunnel_swap": _of_swaps,
}
