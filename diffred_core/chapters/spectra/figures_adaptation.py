"""Figures of adaptation: what probes reach on targets without labels, by probe, by size, and under label shifts."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import PROBE_WORDS, targets_of
from diffred_core.drawing import Figure, Look, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, interval_name
from diffred_core.results import summarize, where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable

PART, WHOLE = "random part", "whole layer"
SIZES = {PART: Look("random 20 %", COLOURS[0], MARKERS[0]), WHOLE: Look(WHOLE, COLOURS[1], MARKERS[1])}
BY_SIZE = {
    names.LEAST_SQUARES: Look(PROBE_WORDS[names.LEAST_SQUARES], GREY, MARKERS[5], ":"),
    names.STOPPED: Look(PROBE_WORDS[names.STOPPED], COLOURS[4], MARKERS[4], "--"),
    names.ALIGNED_STOPPED: Look(PROBE_WORDS[names.ALIGNED_STOPPED], COLOURS[0], MARKERS[0]),
    names.HEAD: Look(PROBE_WORDS[names.HEAD], COLOURS[3], MARKERS[3], "--"),
    names.DANN: Look("DANN", COLOURS[1], MARKERS[1]),
    names.ORACLE: Look(PROBE_WORDS[names.ORACLE], COLOURS[2], MARKERS[2]),
}
GAINS = {  # what is adapted, over what of the source it is held against
    (names.DANN, names.HEAD): Look("DANN over the same head without it", COLOURS[1], MARKERS[1]),
    (names.ALIGNED_STOPPED, names.LEAST_SQUARES): Look("label alignment over least squares", COLOURS[0], MARKERS[0]),
    (names.ALIGNED_STOPPED, names.STOPPED): Look("label alignment over stopped early", COLOURS[2], MARKERS[2]),
}


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies whose options the rule of the page has chosen."""
    rows = where(table, metric=names.TARGET_ACCURACY)
    return rows[rows["recipe"] == rows["probe"].map(names.CHOSEN)]


def by_probe(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of every probe on every target without a label shift, on a part and on the whole layer."""
    rows = where(_shown(table), delta=0.0)
    sizes = {PART: at_shares(rows, [names.FRACTION]), WHOLE: where(rows, fraction=1.0)}
    keys = ["label", "probe"]
    parts = [style.clear_intervals(summarize(of, keys)).assign(size=size) for size, of in sizes.items() if len(of)]
    return pd.concat(parts, ignore_index=True).assign(place=lambda of: of["label"].map(targets_of(table).index))


def plot_by_probe(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a panel a target with a row a probe, the part and the whole layer with their intervals."""
    targets = _in_order(summary)
    grid = style.panels(summary, size=(6.4 / min(len(targets), 3), 4.2), col="label", col_order=targets, sharey=True)
    probes = [probe for probe in PROBE_WORDS if probe in set(summary["probe"])][::-1]
    for target, panel in grid.axes_dict.items():
        for size, look in SIZES.items():
            rows = where(summary, label=target, size=size)
            heights = rows["probe"].map(probes.index) + (0.14 if size == PART else -0.14)
            style.points(panel, rows.set_index(heights), look=look)
        style.percent_ticks(panel, "x")
        style.finish(panel, title=readable(target), x="accuracy there (%)", y="", legend=False)
        style.small(panel, letters=30 // max(2, len(targets)))
    style.row_names(grid.axes.flat[0], [PROBE_WORDS[probe] for probe in probes], size=9)
    return style.name_panels(grid, f"bars: {interval_name(where(summary, size=PART))}")


def words_by_probe(summary: pd.DataFrame) -> str:
    """Return `plot_by_probe` in words."""
    parts = []
    for target in _in_order(summary):
        rows = where(summary, label=target)
        reached = [
            f"{PROBE_WORDS[str(probe)]} {_of_sizes(of_probe)}" for probe, of_probe in rows.groupby("probe", sort=False)
        ]
        parts.append(f"{readable(target)}: {', '.join(reached)}")
    return f"Dot chart of the accuracy on every target, on a random part and the whole layer. {'; '.join(parts)}."


def _of_sizes(rows: pd.DataFrame) -> str:
    means = {str(row.size_): row.mean_ for row in rows.rename(columns={"size": "size_", "mean": "mean_"}).itertuples()}
    whole = f" ({100 * means[WHOLE]:.1f} % whole)" if WHOLE in means else ""
    return f"{100 * means[PART]:.1f} %{whole}"


def by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of some probes against the share of the dimensions, without a label shift."""
    rows = where(_shown(table), delta=0.0, probe=tuple(BY_SIZE))
    summary = style.clear_intervals(summarize(rows, ["label", "probe", "fraction"]))
    return summary.assign(place=summary["label"].map(targets_of(table).index))


def plot_by_size(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the accuracy on every target against the share of the dimensions kept."""
    targets = _in_order(summary)
    grid = style.panels(summary, size=(6.4 / min(len(targets), 3), 3.0), col="label", col_order=targets, sharey=True)
    for target, panel in grid.axes_dict.items():
        rows = where(summary, label=target)
        style.lines(panel, rows, BY_SIZE, by="probe", x="fraction", banded=(names.ALIGNED_STOPPED, names.DANN))
        style.percent_axis(panel, rows["fraction"], fewer=True)
        style.percent_ticks(panel)
        first = "accuracy there (%)" if panel is grid.axes.flat[0] else ""
        style.finish(panel, title=readable(target), x="dimensions kept (%)", y=first, legend=False)
        style.small(panel, letters=30 // max(2, len(targets)))
    return style.name_panels(grid, f"bands: {interval_name(summary[summary['fraction'] < 1])}")


def words_by_size(summary: pd.DataFrame) -> str:
    """Return `plot_by_size` in words."""
    parts = []
    for target in _in_order(summary):
        lines = []
        for probe, rows in where(summary, label=target).groupby("probe", sort=False):
            ends = rows.sort_values("fraction").iloc[[0, -1]]
            points = [f"{100 * row['mean']:.1f} % at {percent(row['fraction'])}" for _, row in ends.iterrows()]
            lines.append(f"{BY_SIZE[str(probe)].words} {', '.join(points)}")
        parts.append(f"{readable(target)}: {'; '.join(lines)}")
    return f"Line charts of the accuracy on every target against the share of the dimensions kept. {'. '.join(parts)}."


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Return what adaptation gains over the source alone, draw by draw, by label shift."""
    rows = at_shares(_shown(table), [names.FRACTION])
    wide = rows.pivot(index=["label", "delta", "repeat"], columns="probe", values="value")
    parts = []
    for adapted, plain in GAINS:
        gained = (wide[adapted] - wide[plain]).rename("value").reset_index()
        means = summarize(gained.assign(metric="gain", n=pd.NA, sd=pd.NA, low=pd.NA, high=pd.NA), ["label", "delta"])
        parts.append(means.assign(adapted=adapted, plain=plain))
    return pd.concat(parts, ignore_index=True).assign(place=lambda of: of["label"].map(targets_of(table).index))


def plot_gains(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what adaptation gains on every target against how many rows the rare classes lack."""
    targets = _in_order(summary)
    grid = style.panels(summary, size=(6.4 / min(len(targets), 3), 3.0), col="label", col_order=targets, sharey=True)
    for target, panel in grid.axes_dict.items():
        rows = where(summary, label=target)
        style.lines(panel, rows, GAINS, by=["adapted", "plain"], x="delta")
        panel.axhline(0, color=GREY, linewidth=1, zorder=0)
        panel.set_xticks(sorted(rows["delta"].unique()))
        style.percent_ticks(panel, "xy")
        first = "gain in accuracy (points)" if panel is grid.axes.flat[0] else ""
        style.finish(panel, title=readable(target), x="rows lacking (%)", y=first, legend=False)
        style.small(panel, letters=30 // max(2, len(targets)))
    return style.name_panels(grid, f"rare classes lack rows; random 20 %; bands: {interval_name(summary)}")


def words_gains(summary: pd.DataFrame) -> str:
    """Return `plot_gains` in words."""
    parts = []
    for target in _in_order(summary):
        lines = [
            f"{GAINS[pair].words} {', '.join(_points(rows))}"
            for pair, rows in where(summary, label=target).groupby(["adapted", "plain"], sort=False)
        ]
        parts.append(f"{readable(target)}: {'; '.join(lines)}")
    return f"Line charts of what adaptation gains on a random part, by label shift. {'. '.join(parts)}."


def _points(rows: pd.DataFrame) -> list[str]:
    return [
        f"{100 * row['mean']:+.1f} points where {percent(row['delta'])} is lacking"
        for _, row in rows.sort_values("delta").iterrows()
    ]


def distances(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far every target is from the source, by share of the dimensions, without a label shift."""
    summary = summarize(where(table, metric=names.DISTANCE, delta=0.0), ["label", "fraction"])
    return summary.assign(place=summary["label"].map(targets_of(table).index))


def plot_distances(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the proxy A-distance of every target against the share of the dimensions kept."""
    ax = style.begin(ax, summary, ("label", "fraction", "mean", "low", "high"), what="figures.distances")
    none = {names.NO_SHIFT: Look("no shift: two halves of the task", GREY, "", ":")}
    style.lines(ax, summary, none, by="label", x="fraction")
    style.percent_axis(ax, summary["fraction"])
    bands = interval_name(summary[summary["fraction"] < 1])
    return style.finish(ax, title=f"bands: {bands}", x="dimensions kept (%), log scale", y="proxy A-distance")


def words_distances(summary: pd.DataFrame) -> str:
    """Return `plot_distances` in words."""
    parts = []
    for target in _in_order(summary):
        rows = where(summary, label=target).sort_values("fraction")
        points = [f"{row['mean']:.2f} at {percent(row['fraction'])}" for _, row in rows.iterrows()]
        parts.append(f"{readable(target)} {', '.join(points)}")
    return f"Line chart of the proxy A-distance against the share of the dimensions kept: {'; '.join(parts)}."


def by_probe_finding(summary: pd.DataFrame) -> str:
    """Return what adaptation reaches on the first target, beside the source alone."""
    target = _in_order(summary)[0]
    means = where(summary, label=target, size=PART).set_index("probe")["mean"]
    aligned, plain, dann, head = (
        100 * means[probe] for probe in (names.ALIGNED_STOPPED, names.LEAST_SQUARES, names.DANN, names.HEAD)
    )
    gains = f"label alignment {aligned - plain:+.1f} points, DANN {dann - head:+.1f}"
    return f"On {readable(target)} adaptation brings {gains}."


def by_size_finding(summary: pd.DataFrame) -> str:
    """Return what label alignment reaches on the first target, on the smallest part and on the whole layer."""
    target = _in_order(summary)[0]
    rows = where(summary, label=target, probe=names.ALIGNED_STOPPED).sort_values("fraction")
    first, last = rows.iloc[0], rows.iloc[-1]
    goes = "rises" if last["mean"] > first["mean"] else "falls"
    ends = (
        f"{100 * first['mean']:.1f} % on {percent(first['fraction'])} to {100 * last['mean']:.1f} % on all dimensions"
    )
    return f"On {readable(target)} label alignment {goes} from {ends}."


def gains_finding(summary: pd.DataFrame) -> str:
    """Return what DANN gains on the first target without and with the largest label shift."""
    target = _in_order(summary)[0]
    rows = where(summary, label=target, adapted=names.DANN).sort_values("delta")
    first, last = 100 * rows["mean"].iloc[0], 100 * rows["mean"].iloc[-1]
    there = f"{last:+.1f} where half the classes lack {percent(rows['delta'].iloc[-1])} of their rows"
    return f"On {readable(target)} DANN brings {first:+.1f} points, {there}."


def distances_finding(summary: pd.DataFrame) -> str:
    """Return how far the first target is from the source, in the smallest part and in the whole layer."""
    target = _in_order(summary)[0]
    rows = where(summary, label=target).sort_values("fraction")
    part, whole = rows.iloc[0], rows.iloc[-1]
    ends = f"{part['mean']:.2f} in {percent(part['fraction'])} of the dimensions, {whole['mean']:.2f} in all"
    return f"A-distance of {readable(target)} from the source, at most 2: {ends}."


def _in_order(summary: pd.DataFrame) -> list[str]:
    targets: list[str] = summary.sort_values("place", kind="stable")["label"].unique().tolist()
    return targets


accuracy = Figure(by_probe, plot_by_probe, words_by_probe, finding=by_probe_finding)
sizes = Figure(by_size, plot_by_size, words_by_size, finding=by_size_finding)
label_shift = Figure(gains, plot_gains, words_gains, finding=gains_finding)
distance = Figure(distances, plot_distances, words_distances, finding=distances_finding)
