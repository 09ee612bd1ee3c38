"""Figures of the chapter: effects, slopes, resolutions, and the fit of two column headings, each beside its words."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS
from diffred_core.chapters.tunnel_paper.names import CROSSED, IMAGENET, LEVEL, MEASURES, OOD_SETS, PREDICTORS, READINGS
from diffred_core.chapters.tunnel_paper.printed import comparison_frame, printed_numbers
from diffred_core.chapters.tunnel_paper.table import networks
from diffred_core.drawing import Figure, Look, looks
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, line, number_axis, one_value
from diffred_core.results import where
from diffred_core.results.claims import percent

_LOOKS = tuple(zip(COLOURS, MARKERS, strict=True))
MEASURE_LOOKS = {name: Look(words, *_LOOKS[i]) for i, (name, words) in enumerate(MEASURES.items())}
MEASURE_LOOKS["retained"] = replace(MEASURE_LOOKS["retained"], words="OOD performance retained (%)")
READING_LOOKS = {name: Look(words, *_LOOKS[i]) for i, (name, words) in enumerate(READINGS.items())}
NETWORK_LOOKS = {name: Look(name, *_LOOKS[i]) for i, name in enumerate(CROSSED)}
EFFECT_COLUMNS = (
    *("title", "measure", "gain", "low", "high", "least", "most", "n_cells", "n_pairs"),
    *("delta", "p_value", "published_delta", "published_p"),
)
_TITLE_WIDTH = 30  # characters
_NEAR = 0.01  # slopes: a difference of one unit of the last printed digit
_LEAST = 1e-5  # smaller residuals are drawn here


def _effects(table: pd.DataFrame) -> pd.DataFrame:
    """Return every comparison of the paper in % retained."""
    return comparison_frame(table, COMPARISONS).query("measure == 'retained'")


def _plot_effects(effects: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the effect of every factor on one measure: mean difference, interval over pairs of networks, delta and p."""
    measure, rows = one_value(effects, "measure", what="figures.effects"), effects.reset_index(drop=True)
    ax = begin(ax, rows, EFFECT_COLUMNS, what="figures.effects", size=(7.6, 1.9 + 0.5 * len(rows)))
    few, clear = rows["low"].isna(), (rows["low"] > 0) | (rows["high"] < 0)
    ax.axvline(0, color=GREY, linewidth=1)
    _bars(ax, rows[clear], ("low", "high"), Look("interval without zero", COLOURS[0], "o"))
    _bars(ax, rows[~clear & ~few], ("low", "high"), Look("interval with zero", COLOURS[1], "s"))
    _bars(ax, rows[few], ("least", "most"), Look("too few pairs: their range", GREY, "D"))
    ax.set_yticks(rows.index, [textwrap.fill(title, _TITLE_WIDTH) for title in rows["title"]])
    ax.tick_params(axis="y", labelsize=9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _note_cells(ax, rows)
    title = f"bars: {percent(LEVEL)} bootstrap over pairs of networks"
    return finish(ax, title=title, x=f"change of {MEASURE_LOOKS[str(measure)].words}", y="", columns=3)


def _effects_in_words(effects: pd.DataFrame) -> str:
    parts = [
        f"{row.title} {row.gain:+.3g} ({_range(row)}; Cliff's delta {row.delta:+.2f})" for row in effects.itertuples()
    ]
    measure = MEASURE_LOOKS[effects["measure"].iloc[0]].words
    level = percent(LEVEL)
    return f"Dot chart of the change of {measure} by factor, with {level} intervals over networks: {'; '.join(parts)}."


def _effects_finding(effects: pd.DataFrame) -> str:
    """Return how many changes are clear over networks, and the greatest of these."""
    known = effects.dropna(subset=["low"])
    clear = known[(known["low"] > 0) | (known["high"] < 0)]
    if clear.empty:
        return f"None of {len(known)} changes is clear over networks."
    most = clear.loc[clear["gain"].abs().idxmax()]
    factor = str(most["title"]).split(" (")[0]
    first = f"{len(clear)} of {len(known)} changes are clear over networks"
    return f"{first}, most of all {factor}: {most['gain']:+.0f} points."


def _slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the normalised slopes beside the published ones, in the published order."""
    computed = table.loc[table["metric"] == "slope_share", ["label", "method", "value", "low", "high"]]
    computed = computed.set_axis(["measure", "predictor", "share", "low", "high"], axis=1)
    printed = printed_numbers().query("quantity == 'slope_share'").rename(columns={"subject": "predictor"})
    return printed[["measure", "predictor", "published"]].merge(computed, on=["measure", "predictor"])


def _plot_slopes(slopes: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the normalised SHAP slope of every predictor for each measure, published beside recomputed."""
    columns = ("measure", "predictor", "share", "low", "high", "published")
    ax = begin(ax, slopes, columns, what="figures.slopes", size=(6.6, 5.6))
    place = {name: i for i, name in enumerate(slopes["predictor"].unique())}
    ax.axvline(0, color=GREY, linewidth=1)
    for i, (measure, look) in enumerate(looks(MEASURE_LOOKS, slopes["measure"]).items()):
        rows = slopes[slopes["measure"] == measure]
        y = rows["predictor"].map(place) + 0.25 * (i - 1)
        ax.hlines(y, rows["low"], rows["high"], color=look.colour, linewidth=4, alpha=0.35)
        ax.plot(rows["share"], y, look.marker, color=look.colour, markersize=5, label=look.words)
        ax.plot(rows["published"], y, look.marker, color=look.colour, markersize=10, fillstyle="none")
    ax.plot([], [], "o", color=GREY, markersize=10, fillstyle="none", label="published")
    ax.set_yticks(range(len(place)), [PREDICTORS[name] for name in place])
    ax.set_ylim(len(place) - 0.5, -0.5)
    return finish(ax, title="bars: range over seeds", x="SHAP slope, share of the sum of absolute slopes", y="")


def _slopes_in_words(slopes: pd.DataFrame) -> str:
    sentences = []
    for measure, rows in slopes.groupby("measure", sort=False):
        rows = rows.reindex(rows["share"].abs().sort_values(ascending=False).index)
        parts = [f"{PREDICTORS[r.predictor]} {r.share:+.2f} (published {r.published:+.2f})" for r in rows.itertuples()]
        sentences.append(f"{MEASURE_LOOKS[str(measure)].words}: {', '.join(parts)}")
    return f"Dot chart of normalised SHAP slopes by predictor. {'; '.join(sentences)}."


def _slopes_finding(slopes: pd.DataFrame) -> str:
    """Return how far recomputed slopes are from the published ones at most."""
    apart = (slopes["share"] - slopes["published"]).abs()
    near = int((apart < _NEAR).sum())
    return f"{near} of {len(slopes)} slopes are within {_NEAR} of the published, the others within {apart.max():.3f}."


def _resolutions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the % retained of the networks that were trained at every resolution."""
    means = table.loc[(table["metric"] == "mean") & (table["label"] == "retained"), ["method", "value"]]
    crossed = where(networks(), network=CROSSED, id_set=IMAGENET)
    columns = ["network", "augmentation", "resolution", "name"]
    summary = crossed[columns].merge(means.set_axis(["name", "mean"], axis=1), on="name")
    return summary.drop(columns="name").assign(low=float("nan"), high=float("nan"))


def _plot_resolutions(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the performance retained against the training resolution, a line a network, solid where it was augmented."""
    ax = begin(ax, summary, ("network", "augmentation", "resolution", "mean"), what="figures.resolutions")
    for network, look in looks(NETWORK_LOOKS, summary["network"]).items():
        for augmentation, rows in summary[summary["network"] == network].groupby("augmentation"):
            label = f"{network}, {'augmented' if augmentation else 'not augmented'}"
            line(ax, rows, x="resolution", look=replace(look, dash="-" if augmentation else "--"), label=label)
    number_axis(ax, summary["resolution"], base=2)
    y = MEASURE_LOOKS["retained"].words
    return finish(ax, title="mean over eight OOD sets", x="training resolution (pixels, log scale)", y=y)


def _resolutions_in_words(summary: pd.DataFrame) -> str:
    parts = []
    for (network, augmentation), rows in summary.groupby(["network", "augmentation"], sort=False):
        rows = rows.sort_values("resolution")
        first, last = rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{network} {'with' if augmentation else 'without'} augmentation from {first['mean']:.1f} % at "
            f"{first['resolution']} to {last['mean']:.1f} % at {last['resolution']} pixels"
        )
    return f"Line chart of OOD performance retained against training resolution: {'; '.join(parts)}."


def _resolutions_finding(summary: pd.DataFrame) -> str:
    """Return how many networks retain more at the largest resolution than at the smallest."""
    wide = summary.pivot(index=["network", "augmentation"], columns="resolution", values="mean").sort_index(axis=1)
    gains = wide.iloc[:, -1] - wide.iloc[:, 0]
    ends = f"at {wide.columns[-1]} pixels than at {wide.columns[0]}"
    more = f"{int((gains > 0).sum())} of {len(gains)} networks retain more {ends}"
    return f"{more}: {gains.min():+.0f} to {gains.max():+.0f} points."


def _label_residuals(table: pd.DataFrame) -> pd.DataFrame:
    """Return one residual a reading, network and OOD set."""
    rows = table[table["metric"] == "alignment_residual"]
    names = {"method": "reading", "task": "ood_set", "value": "residual"}
    return rows[list(names)].rename(columns=names).assign(position=rows["task"].map(OOD_SETS.index).astype(int))


def _plot_label_residuals(residuals: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far accuracy and alignment disagree in every cell, for three readings of two column headings."""
    columns = ("reading", "position", "ood_set", "residual")
    ax = begin(ax, residuals, columns, what="figures.label_residuals", size=(5.8, 5.0))
    for i, (reading, look) in enumerate(looks(READING_LOOKS, residuals["reading"]).items()):
        rows = residuals[residuals["reading"] == reading]
        x = rows["position"] + 0.25 * (i - 1)
        y = rows["residual"].abs().clip(lower=_LEAST)
        ax.plot(x, y, look.marker, color=look.colour, markersize=4, alpha=0.6, linewidth=0, label=look.words)
    ax.axhline(0.0005, color=GREY, linestyle=":", label="half a unit of the last digit")
    names = residuals.groupby("position")["ood_set"].first()
    ax.set_xticks(names.index, names, rotation=35, ha="right")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.5f}".rstrip("0"))
    return finish(ax, title="one point a network and OOD set", x="", y="|residual| (log scale)", columns=1)


def _label_residuals_in_words(residuals: pd.DataFrame) -> str:
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    parts = [f"{look.words} {worst[reading]:.4f}" for reading, look in looks(READING_LOOKS, worst.index).items()]
    return f"Scatter of residuals of the alignment by OOD set, logarithmic. Largest residual: {', '.join(parts)}."


def _label_residuals_finding(residuals: pd.DataFrame) -> str:
    """Return the reading that fits best, and the largest residual of it and of the others."""
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max().sort_values()
    best, others = READINGS[str(worst.index[0])], worst.iloc[1:]
    rest = f", of other readings {others.min():.3f} or more" if len(others) else ""
    return f"Best fit: {best}; the largest residual is {worst.iloc[0]:.4f}{rest}."


effects = Figure(_effects, _plot_effects, _effects_in_words, finding=_effects_finding)
slopes = Figure(_slopes, _plot_slopes, _slopes_in_words, finding=_slopes_finding)
resolutions = Figure(_resolutions, _plot_resolutions, _resolutions_in_words, finding=_resolutions_finding)
label_residuals = Figure(
    _label_residuals, _plot_label_residuals, _label_residuals_in_words, finding=_label_residuals_finding
)


def _bars(ax: Axes, rows: pd.DataFrame, ends: tuple[str, str], look: Look) -> None:
    if len(rows):
        reach = [rows["gain"] - rows[ends[0]], rows[ends[1]] - rows["gain"]]
        options = {"fmt": look.marker, "color": look.colour, "label": look.words}
        ax.errorbar(rows["gain"], rows.index, xerr=reach, capsize=3, **options)


def _note_cells(ax: Axes, rows: pd.DataFrame) -> None:
    """Write at the right of each comparison what is told over cells: their number, Cliff's delta and p."""
    for i, row in rows.iterrows():
        ax.annotate(
            f"{row['n_cells']} cells, {row['n_pairs']} pairs\n|δ| {abs(row['delta']):.3f}, p {row['p_value']:.1g}\n"
            f"printed: {_printed(row)}",
            xy=(1.01, i),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=8,
        )


def _printed(row: pd.Series) -> str:
    known = {"|δ|": (row["published_delta"], ".3f"), "p": (row["published_p"], ".3g")}
    return ", ".join(f"{name} {value:{form}}" for name, (value, form) in known.items() if pd.notna(value)) or "–"


def _range(row: tuple) -> str:
    if pd.isna(row.low):
        return f"{row.n_pairs} pairs, {row.least:+.3g} and {row.most:+.3g}"
    return f"{row.low:+.3g} to {row.high:+.3g}"
