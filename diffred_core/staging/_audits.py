"""How large a finding about the published code is here: numbers of the audit page, read off the tables of the runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from diffred_core.chapters.depth import names as depth
from diffred_core.chapters.random_subsets import across_probes, names
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent
from diffred_core.staging._markdown import plain, table
from diffred_core.staging._measured import Tables
from diffred_core.staging._runs import CellRun

NOT_MEASURED = "*No table of this copy of the book measures it; the command below does.*"
PUBLISHED_PROJECTION, GAUSSIAN = "random_projection_published", "random_projection_gaussian"
SHARES = (0.05, 0.2, 0.5)  # of a projection
LEVEL_WORDS, PAIRS = "95 % interval over models (their number)", "pairs of model and task"
Values = dict[tuple[str, str], float]  # by task and model
RECIPES = {"cifar": "CIFAR", "flowers_pets": "Flowers and Pets"}
Rows = Sequence[tuple[str, Values]]  # what is compared, in words
FINDINGS = {  # by the section of the page: its title, and the unit of its size
    "probes": ("Probes that had not converged", "points gained by convergence"),
    "projection": ("A random projection with positive entries", "points gained by normal entries"),
    "validation": ("Validation on augmented images", ""),
    "selection": ("An epoch chosen on test rows", "points added by the choice"),
    "recipes": ("Two recipes in one curve", ""),
    "null": ("Similarity without its floor", "CKA"),
}
Read = Iterable[tuple[CellRun, pd.DataFrame]]


def audits(tables: Tables) -> dict[str, bytes]:
    """Return the measured part of every section of the page, and all of them in few words, by the path of each."""
    gains = {"probes": _of_probes(tables), "projection": _of_projections(tables), "selection": _of_selection(tables)}
    digits = {"probes": 1, "projection": 1, "selection": 2, "null": 3}
    parts = {name: _differences(rows, digits[name]) for name, rows in gains.items()} | {"null": _null(tables)}
    parts["probes"] += _by_probe(tables)
    short = gains | {"projection": [row for row in gains["projection"] if row[0].startswith(names.HEADLINE)]}
    short["null"] = [(f"{percent(share)}, above the floor", above) for share, (_, _, above) in _of_similarity(tables)]
    parts["overview"] = _overview(short, digits)
    return {f"_generated/audit-{name}.md": f"{text or NOT_MEASURED}\n".encode() for name, text in parts.items()}


def _overview(rows_of: Mapping[str, Rows], digits: Mapping[str, int]) -> str:
    lines = []
    for name, (title, unit) in FINDINGS.items():
        sizes = [(words, _over_models(cells)) for words, cells in rows_of.get(name, [])]
        parts = [f"{words} {_mean(mean, digits[name])}" for words, mean in sizes]
        lines.append(
            [f"[{title}](#audit-{name})", _signed(plain("; ".join(parts))) if parts else "not measured here", unit]
        )
    return table(("finding", "size here, mean over models (95 % interval)", "in"), lines)


def _mean(mean: Mapping[str, float], digits: int) -> str:
    interval = f" ({mean['low']:+.{digits}f} to {mean['high']:+.{digits}f})" if mean["low"] == mean["low"] else ""
    return f"{mean['mean']:+.{digits}f}{interval}"


def _of_probes(tables: Tables) -> Rows:
    """Return what a converged probe gains over the published recipe, on whole layers and on random parts."""
    return [
        (f"{words}, recipe of {RECIPES.get(recipe, recipe)}", gains)
        for method, words in {names.FULL: "whole layer", names.RANDOM: "a random part"}.items()
        for recipe, gains in _by_recipe(tables.get("subset_probes", []), method)
    ]


def _by_probe(tables: Tables) -> str:
    """Return in words how often the probe decides the verdict."""
    probes = [rows for _, rows in tables.get("subset_probes", []) if (rows["probe"] == names.SGD).any()]
    if not probes:
        return ""
    return f"\n\n{plain(across_probes.finding(across_probes.verdicts_by_probe(pd.concat(probes))))}"


def _by_recipe(listed: Read, method: str) -> Iterator[tuple[str, Values]]:
    gains: dict[str, Values] = {}
    for run, rows in listed:
        accuracy = where(rows, metric=names.ACCURACY, method=method)
        published = where(accuracy, probe=names.SGD)
        converged = where(accuracy, probe=names.HEADLINE, fraction=tuple(published["fraction"]))
        if len(published) and len(converged):
            gain = 100 * (converged["value"].mean() - published["value"].mean())
            gains.setdefault(str(published["recipe"].iloc[0]), {})[run.cell.task, run.cell.model] = gain
    yield from gains.items()


def _of_projections(tables: Tables) -> Rows:
    """Return what a projection of normal entries gains over one of positive entries, by probe and share."""
    gains: dict[str, Values] = {}
    for run, rows in tables.get("subset_probes", []):
        both = where(rows, metric=names.ACCURACY, method=(PUBLISHED_PROJECTION, GAUSSIAN))
        wide = both.pivot_table(index=["probe", "fraction"], columns="method", values="value")
        if {PUBLISHED_PROJECTION, GAUSSIAN} <= set(wide):
            for (probe, share), gain in (100 * (wide[GAUSSIAN] - wide[PUBLISHED_PROJECTION])).dropna().items():
                if share in SHARES:
                    words = f"{probe}, converged, {percent(share)} of the dimensions"
                    gains.setdefault(words, {})[run.cell.task, run.cell.model] = gain
    return list(gains.items())


def _of_selection(tables: Tables) -> Rows:
    """Return the points that choosing the epoch on test rows adds, of every run that has probes as published."""
    layers = tables.get("layers", [])
    added = {(r.cell.task, r.cell.model): 100 * where(t, metric=depth.OPTIMISM)["value"].mean() for r, t in layers}
    known = {cell: points for cell, points in added.items() if points == points}
    return [("layers of pre-trained networks", known)] if known else []


def _of_similarity(tables: Tables) -> Iterator[tuple[float, tuple[Values, Values, Values]]]:
    """Yield, by share, the similarity of a part and its layer, that of uncorrelated dimensions, and the difference."""
    for share in names.SIMILARITY_FRACTIONS:
        measured: tuple[Values, Values, Values] = {}, {}, {}
        for run, rows in tables.get("subset_similarity", []):
            at = rows[(rows["fraction"] - share).abs() < 1e-9]
            alike = where(at, method=names.WHOLE, metric=names.CKA)["value"].mean()
            floor = where(at, method=names.WHOLE_NULL)["value"].mean()
            if alike == alike and floor == floor:
                for one, value in zip(measured, (alike, floor, alike - floor), strict=True):
                    one[run.cell.task, run.cell.model] = value
        if measured[0]:
            yield share, measured


def _null(tables: Tables) -> str:
    lines = []
    for share, measured in _of_similarity(tables):
        means = [_over_models(one) for one in measured]
        values = [f"{mean['mean']:.3f}" for mean in means]
        lines.append([percent(share), *values, _interval(means[2], 3), str(len(measured[0]))])
    columns = ("dimensions kept", "CKA, debiased", "its floor by inclusion", "above it", LEVEL_WORDS, PAIRS)
    return table(columns, lines) if lines else ""


def _differences(rows: Rows, digits: int = 1) -> str:
    """Return a table of mean differences in points, with intervals over models and the extremes of single pairs."""
    lines = []
    for words, cells in rows:
        mean, single = _over_models(cells), sorted(cells.values())
        middle, least, most = (f"{value:+.{digits}f}" for value in (mean["mean"], single[0], single[-1]))
        lines.append([plain(words), middle, _interval(mean, digits), f"{least} to {most}", str(len(cells))])
    columns = ("of", "points gained, mean", LEVEL_WORDS, "single pairs", PAIRS)
    return table(columns, ([_signed(cell) for cell in line] for line in lines)) if lines else ""


def _signed(cell: str) -> str:
    """Return a cell with a minus sign before its negative numbers."""
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", cell)


def _over_models(cells: Values) -> dict[str, float]:
    """Return the mean over models, each of which counts once with the mean of its tasks, and its t interval."""
    by_model = pd.Series(cells).groupby(level=1).mean()
    repeats = pd.DataFrame({"metric": "mean", "value": by_model.to_numpy(), "repeat": range(len(by_model))})
    spread = summarize(repeats.reindex(columns=["metric", "value", "repeat", "n", "sd", "low", "high"]), "metric")
    return {name: float(spread[name].iloc[0]) for name in ("mean", "low", "high", "n")}


def _interval(mean: dict[str, float], digits: int) -> str:
    known = mean["low"] == mean["low"]
    return f"{mean['low']:+.{digits}f} to {mean['high']:+.{digits}f} ({mean['n']:.0f})" if known else "one model: none"
