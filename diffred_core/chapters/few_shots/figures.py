"""The figures of a model and task, and of the theory, each beside its words: in this file those along an axis."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

import diffred_core.chapters.few_shots.names as names
from diffred_core import results
from diffred_core.chapters.few_shots import findings
from diffred_core.chapters.few_shots.figures_rows import agreement as agreement
from diffred_core.chapters.few_shots.figures_rows import gain_in_words
from diffred_core.chapters.few_shots.figures_rows import masks as masks
from diffred_core.chapters.few_shots.names import plural
from diffred_core.chapters.few_shots.reading import along, headline, theory_errors
from diffred_core.drawing import Figure, Look, looks
from diffred_core.drawing.style import (
    COLOURS,
    GREY,
    MARKERS,
    begin,
    finish,
    interval_name,
    line,
    nearest,
    number_axis,
    one_value,
    percent_axis,
    percent_ticks,
)
from diffred_core.results import where
from diffred_core.results.claims import percent

ORDERS = {
    names.ORACLE: Look(names.IMPORTANCES[names.ORACLE], "#000000", "o"),
    names.WITHOUT_QUERIES: Look(names.IMPORTANCES[names.WITHOUT_QUERIES], "#0072B2", "s"),
    names.DISJOINT: Look(names.IMPORTANCES[names.DISJOINT], "#56B4E9", "D"),
    names.BY_VIEWS: Look(names.IMPORTANCES[names.BY_VIEWS], "#D55E00", "^"),
    names.BY_SHOTS: Look(names.IMPORTANCES[names.BY_SHOTS], "#E69F00", "v"),
    names.RANDOM: Look("random", "#009E73", "P"),
    names.TOP_VARIANCE: Look("top variance", "#CC79A7", "X"),
    names.BOTTOM: Look("oracle, reversed", GREY, "", ":"),
}
GAINS = {names.ORACLE: Look("best share, by an oracle", "#000000", "o")} | {
    kind: Look(f"mask {names.MASKS[kind]}", colour, marker)
    for kind, colour, marker in zip(names.ALONG, ("#0072B2", "#D55E00", "#009E73"), "s^v", strict=True)
}
AXES = {"n_shot": ("shots a class", "shots"), "n_way": ("classes", "classes")}
CHOSEN = {names.RANDOM: "random", names.WITHOUT_QUERIES: "top by an oracle"}
BRIDGE = {  # how they were chosen, and place among the numbers of shots, 0 for all training rows: colour, dash
    (names.RANDOM, 0): ("#0072B2", "-"),
    (names.RANDOM, 2): ("#56B4E9", "-"),
    (names.RANDOM, 1): ("#56B4E9", ":"),
    (names.WITHOUT_QUERIES, 2): ("#D55E00", "-"),
    (names.WITHOUT_QUERIES, 1): ("#D55E00", ":"),
}


def _accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy by order and share at the headline setting, with the Euclidean centroid."""
    rows = headline(table, probe=names.EUCLIDEAN)
    rows = rows[rows["label"].isna() & ~rows["method"].isin([names.NO_MASK, names.TRANSFORM])]  # masks have a label
    return results.summarize(rows, ["n_way", "n_shot", "method", "fraction"], metric="accuracy")


def _plot_accuracy(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of episodes against the share of dimensions kept, one line an order, the full layer dashed."""
    for column in ("n_way", "n_shot"):
        one_value(summary, column, what="figures.accuracy")
    columns = ("method", "fraction", "mean", "low", "high", "n")
    ax = begin(ax, summary, columns, what="figures.accuracy", size=(5.8, 5.0))
    for method, look in looks(ORDERS, summary["method"]).items():
        line(ax, where(summary, method=method), x="fraction", look=look)
    full = where(summary, fraction=1.0)["mean"].iloc[0]
    ax.axhline(full, color=GREY, linestyle="--", linewidth=1.4, label="all dimensions")
    _draw_guess(ax, n_way=int(summary["n_way"].iloc[0]))
    percent_axis(ax, summary["fraction"])
    percent_ticks(ax)
    title = f"bands: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x="dimensions kept (%, log scale)", y="accuracy (%)")


def _draw_guess(ax: Axes, *, n_way: int) -> None:
    ax.axhline(1 / n_way, color=GREY, linestyle=":", linewidth=1.2, label=f"a guess, 1 of {n_way}")


def _accuracy_in_words(summary: pd.DataFrame) -> str:
    parts = []
    for method, look in looks(ORDERS, summary["method"]).items():
        rows = where(summary, method=method)
        near, best = (
            f"{_percent(row)} at {percent(row['fraction'])}"
            for row in (nearest(rows, names.UPPER_FRACTION), rows.loc[rows["mean"].idxmax()])
        )
        parts.append(f"{look.words} {near}, at most {best}")
    guess = f"{100 / summary['n_way'].iloc[0]:.1f} %"
    return (
        "Line chart of few-shot accuracy against the share of dimensions kept. All dimensions reach "
        f"{_percent(where(summary, fraction=1.0).iloc[0])}, a guess {guess}. By order: {'; '.join(parts)}."
    )


def _gains(table: pd.DataFrame, *, x: str) -> pd.DataFrame:
    """Return the gain of the best share of dimensions, and of masks, along n_shot or n_way.

    The other number is that of the headline. Masks are by views where there are some, else by the shots alone.
    """
    rows = along(table, x, probe=names.EUCLIDEAN)
    oracle = where(rows, method=names.ORACLE, split=names.ALL)
    parts = [results.summarize(oracle, ["method", x, "fraction"], metric="peak_gain")]
    for kind in names.ALONG:
        masks = where(rows, split=names.POOL, method=names.mask_method(kind))
        by_estimate = (where(masks, label=basis) for basis in names.ESTIMATES)
        masked = next((part for part in by_estimate if len(part)), None)
        if masked is not None:
            parts.append(results.summarize(masked, [x], metric="gain").assign(method=kind))
    return pd.concat(parts, ignore_index=True)


def _plot_gains(summary: pd.DataFrame, *, x: str, ax: Axes | None = None) -> Axes:
    """Draw gains against the number of shots or of classes: of the best share of dimensions, and of masks."""
    ax = begin(ax, summary, ("method", x, "mean", "low", "high", "n"), what=f"figures.gains along {x}")
    for method, look in looks(GAINS, summary["method"]).items():
        line(ax, where(summary, method=method).astype({x: float}), x=x, look=look)
    ax.axhline(0, color=GREY, linewidth=1)
    number_axis(ax, summary[x])
    percent_ticks(ax)
    title = f"bands: {interval_name(summary, over='episodes')}"
    return finish(ax, title=title, x=f"{AXES[x][0]} (log scale)", y="gain (points of accuracy)", columns=1)


def _gains_in_words(summary: pd.DataFrame, *, x: str) -> str:
    parts = []
    for method, look in looks(GAINS, summary["method"]).items():
        rows = where(summary, method=method).sort_values(x)
        parts.append(f"{look.words} " + ", ".join(f"{100 * r['mean']:+.1f} at {r[x]}" for _, r in rows.iterrows()))
    return f"Line chart of gains in points of accuracy against the number of {AXES[x][1]}: {'; '.join(parts)}."


def _bridge(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy less that of all dimensions: random ones at full data, and chosen ones at few shots.

    All by the headline probe of part I, those of the episodes at the fewest and the most shots: at a fixed regulariser,
    those of full data at one chosen on validation rows. Intervals are over episodes for the first and over draws of the
    dimensions for the second. The task with all rows has all its classes, an episode has few: compare shapes.
    """
    rows = table[(table["probe"] == names.BRIDGE_HEAD) & table["method"].isin(CHOSEN)]
    shots = rows["n_shot"]
    rows = rows[shots.isna() | shots.isin([shots.min(), shots.max()])]
    return results.summarize(rows, ["method", "probe", "n_shot", "fraction"], metric="gain")


def _plot_bridge(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracy relative to all dimensions: random subsets at full data beside chosen ones at few shots."""
    columns = ("method", "probe", "n_shot", "fraction", "mean", "low", "high", "n", "level")
    ax = begin(ax, summary, columns, what="figures.bridge", size=(5.8, 5.0))
    probe = one_value(summary, "probe", what="figures.bridge")
    places = {int(n_shot): place for place, n_shot in enumerate(sorted(summary["n_shot"].dropna().unique()), start=1)}
    named = {0: "all training rows"} | {place: plural(n_shot, "shot") for n_shot, place in places.items()}
    at = summary["n_shot"].map(places).fillna(0)
    for (method, place), (colour, dash) in BRIDGE.items():
        rows = summary[(summary["method"] == method) & (at == place)]
        if len(rows):
            line(ax, rows, x="fraction", look=Look(f"{CHOSEN[method]}, {named[place]}", colour, "o", dash))
    ax.axhline(0, color=GREY, linestyle="--", linewidth=1.4, label="all dimensions")
    percent_axis(ax, summary["fraction"])
    percent_ticks(ax)
    axes = {"x": "dimensions kept (%, log scale)", "y": "accuracy less that of all (points)"}
    title = f"{probe} probes; bands: {percent(summary['level'].iloc[0])} intervals"
    return finish(ax, title=title, **axes, columns=1)


def _bridge_in_words(summary: pd.DataFrame) -> str:
    parts = []
    for (method, n_shot), rows in summary.groupby(["method", "n_shot"], dropna=False, sort=False):
        near, data = (
            nearest(rows, names.UPPER_FRACTION),
            "all training rows" if pd.isna(n_shot) else plural(n_shot, "shot"),
        )
        parts.append(f"{CHOSEN[str(method)]} with {data} {gain_in_words(near)} at {percent(near['fraction'])}")
    probe = summary["probe"].iloc[0]
    return (
        f"Line chart of accuracy less that of all dimensions, in points, {probe} probes, by the share kept: "
        f"{'; '.join(parts)}."
    )


def _plot_theory(errors: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw simulated accuracy (points) and its approximation (lines) by the dimensions kept, one colour a shot number.

    Drawn are the methods ``top`` and ``mask_theory`` of `theory_errors`.
    """
    columns = ("method", "n_selected", "n_shot", "simulated", "approximated")
    ax = begin(ax, errors, columns, what="figures.theory", size=(5.8, 4.8))
    kept = errors[errors["method"] == "top"]
    for (n_shot, rows), colour, marker in zip(kept.groupby("n_shot"), COLOURS, MARKERS, strict=False):
        rows = rows.sort_values("n_selected")
        ax.plot(rows["n_selected"], 1 - rows["simulated"], marker, color=colour, label=plural(n_shot, "shot"))
        ax.plot(rows["n_selected"], 1 - rows["approximated"], color=colour, linewidth=1.2)
        mask = errors[(errors["method"] == "mask_theory") & (errors["n_shot"] == n_shot)]
        ax.plot(mask["n_selected"] * 1.25, 1 - mask["simulated"], marker, color=colour, markerfacecolor="white")
    _draw_guess(ax, n_way=2)
    ax.plot([], [], color=GREY, label="formula (6)")
    ax.plot([], [], "o", color=GREY, markerfacecolor="white", label="all, mask (8)")
    number_axis(ax, kept["n_selected"])
    percent_ticks(ax)
    title = "filled points: simulation"
    return finish(ax, title=title, x="dimensions kept, best first (log scale)", y="accuracy (%)")


def _theory_in_words(errors: pd.DataFrame) -> str:
    parts = []
    for n_shot, rows in errors[errors["method"] == "top"].groupby("n_shot"):
        best, last = rows.loc[rows["simulated"].idxmin()], rows.loc[rows["n_selected"].idxmax()]
        mask = errors[(errors["method"] == "mask_theory") & (errors["n_shot"] == n_shot)].iloc[0]
        parts.append(
            f"{plural(n_shot, 'shot')}: {_simulated(best)} with {best['n_selected']} dimensions, "
            f"{_simulated(last)} with all {last['n_selected']}, {_simulated(mask)} with the mask"
        )
    return f"Line chart of the accuracy of two Gaussian classes by the dimensions kept. {'; '.join(parts)}."


def _simulated(row: pd.Series) -> str:
    return f"{100 * (1 - row['simulated']):.1f} %"


def _percent(row: pd.Series) -> str:
    return f"{100 * row['mean']:.1f} %"


def _along(x: str) -> Figure:
    finding = partial(findings.gains, x=x)
    return Figure(partial(_gains, x=x), partial(_plot_gains, x=x), partial(_gains_in_words, x=x), finding=finding)


accuracy = Figure(_accuracy, _plot_accuracy, _accuracy_in_words, finding=findings.accuracy)
gains_by_shots, gains_by_ways = _along("n_shot"), _along("n_way")
bridge = Figure(_bridge, _plot_bridge, _bridge_in_words, finding=findings.bridge)
theory = Figure(theory_errors, _plot_theory, _theory_in_words, finding=findings.theory)
