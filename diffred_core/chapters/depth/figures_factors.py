"""Figures and tables of the tunnel's factors: classes by pixels, every change beside the published one, settings."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.depth import contrasts, names
from diffred_core.chapters.depth.reading import places
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.ends import End, name_ends
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, begin, finish, interval_name, line, points, row_names
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

STATES = {
    names.TRAINED: Look("trained here", COLOURS[0], "o"),
    names.UNTRAINED: Look("the same networks untrained", GREY, "s"),
}
PUBLISHED = Look("published means", COLOURS[1], "D")
APART = 0.16  # rows of trained and untrained networks


def retained_of_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Return the percentage retained of every crossed setting, mean over OOD tasks, with its classes and pixels."""
    rows = where(table, metric=names.MEAN_RETAINED, label=names.CROSSED)
    means = summarize(rows, ["label", "recipe"], metric=names.MEAN_RETAINED)
    what = _of_settings(table)[[names.N_CLASSES, names.PIXELS]]
    means = means.merge(what.reset_index(), on="label")
    return means.sort_values(["recipe", names.PIXELS, names.N_CLASSES], ignore_index=True)


def plot_crossed(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the percentage retained against the number of classes, one line a resolution."""
    needed = (names.N_CLASSES, names.PIXELS, "recipe", "mean", "low", "high", "n")
    ax, trained = begin(ax, summary, needed, what="plot_crossed"), where(summary, recipe=names.TRAINED)
    named = []
    for i, (pixels, rows) in enumerate(trained.groupby(names.PIXELS)):
        look = Look(f"{pixels:.0f} pixels a side", COLOURS[i % len(COLOURS)], MARKERS[i])
        bars = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
        x = rows[names.N_CLASSES] * (1 + 0.02 * i)  # beside one another, so that bars do not hide bars
        ax.errorbar(x, rows["mean"], bars, color=look.colour, marker=look.marker, label=look.words, capsize=3)
        named.append(End(look, float(x.max()), float(rows["mean"].iloc[-1])))
        for mean in where(summary, recipe=names.UNTRAINED, **{names.PIXELS: pixels})["mean"]:
            before = Look(f"{pixels:.0f} pixels, untrained", look.colour, "", ":")
            ax.axhline(mean, color=look.colour, linestyle=":", linewidth=1.4, label=before.words)
            named.append(End(before, float(x.max()), float(mean)))
    ax.set_xscale("log")
    ticks = sorted(trained[names.N_CLASSES].unique())
    ax.set_xticks(ticks, [f"{n:.0f}" for n in ticks])
    ax.minorticks_off()
    ax.set_xlim(ticks[0] / 1.4, ticks[-1] * 1.4)
    title = f"bars: {interval_name(trained, over='networks')}"
    finish(ax, title=title, x="classes trained on (log scale)", y="retained (%), mean over OOD tasks", legend=False)
    name_ends(ax, named)
    return ax


def crossed_words(summary: pd.DataFrame) -> str:
    """Return `plot_crossed` in words."""
    parts = []
    for row in where(summary, recipe=names.TRAINED).itertuples():
        interval = "" if pd.isna(row.low) else f", interval {row.low:.1f} to {row.high:.1f}"
        parts.append(f"{row.classes:.0f} classes at {row.pixels:.0f} pixels {row.mean:.1f} %{interval}")
    before = where(summary, recipe=names.UNTRAINED)
    parts += [f"untrained at {row.pixels:.0f} pixels {row.mean:.1f} %" for row in before.itertuples()]
    return f"Line chart of the OOD performance retained at the last layer, by classes and pixels: {'; '.join(parts)}."


def crossed_finding(summary: pd.DataFrame) -> str:
    """Return by how much more is retained with more pixels and with more classes, mean over the other of the two."""
    trained = where(summary, recipe=names.TRAINED).astype({"mean": float})
    gains = []
    for factor in (names.PIXELS, names.N_CLASSES):
        means = trained.groupby(factor)["mean"].mean().sort_index()
        gains.append(float(means.iloc[-1] - means.iloc[0]))
    return f"With more pixels {_more(gains[0])} points are retained, with more classes {_more(gains[1])}."


def _more(points: float) -> str:
    return f"{abs(points):.1f} {'more' if points >= 0 else 'fewer'}"


def plot_changes(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw by how many points every change moves what is retained, in trained and untrained networks and published."""
    needed = ("contrast", "change", "recipe", "mean", "low", "high", "n", "level", "published")
    order = list(dict.fromkeys(summary["contrast"]))[::-1]
    ax = begin(ax, summary, needed, what="plot_changes", size=(6.6, 1.8 + 0.62 * len(order)))
    ax.axvline(0, color=GREY, linewidth=1)
    for recipe, look in STATES.items():
        rows = where(summary, recipe=recipe)
        if len(rows):
            shift = APART if recipe == names.UNTRAINED else 0.0
            numbers = rows[["mean", "low", "high"]].astype(float)
            points(ax, numbers.set_axis(rows["contrast"].map(order.index) - shift), look=look)
    printed = where(summary, recipe=names.TRAINED).dropna(subset=["published"])
    heights = printed["contrast"].map(order.index) + APART
    ax.plot(printed["published"], heights, PUBLISHED.marker, color=PUBLISHED.colour, label=PUBLISHED.words)
    words = summary.drop_duplicates("contrast").set_index("contrast")["change"]
    row_names(ax, [words[name] for name in order], size=10)
    title = f"bars: {interval_name(summary, over='pairs')}"
    return finish(ax, title=title, x="change of the percentage retained (points)", y="", columns=1)


def changes_words(summary: pd.DataFrame) -> str:
    """Return `plot_changes` in words."""
    parts = []
    for _, rows in summary.groupby("contrast", sort=False):
        by = rows.set_index("recipe")
        row = by.loc[names.TRAINED]
        limits = "" if pd.isna(row["low"]) else f", interval {row['low']:+.1f} to {row['high']:+.1f}"
        before = f", untrained {by.loc[names.UNTRAINED, 'mean']:+.1f}" if names.UNTRAINED in by.index else ""
        printed = "" if pd.isna(row["published"]) else f", published {row['published']:+.1f}"
        parts.append(f"{row['change']} {row['mean']:+.1f}{limits}{before}{printed}")
    return f"Dot chart of the change of the percentage retained, in points: {'; '.join(parts)}."


def changes_finding(summary: pd.DataFrame) -> str:
    """Return how many changes are clear in trained networks, and which of these is the greatest."""
    rows = where(summary, recipe=names.TRAINED)
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    if clear.empty:
        return f"None of {len(rows)} changes moves what is retained clearly."
    top = clear.loc[clear["mean"].astype(float).abs().idxmax()]
    most = f"most of all {top['change']} ({top['mean']:+.1f} points)"
    return f"{len(clear)} of {len(rows)} changes move what is retained clearly, {most}."


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return OOD accuracy by layer in percent of the network's best layer, mean over tasks, of every setting."""
    rows = where(table, metric=names.ACCURACY, method=names.TRANSFER)
    by = ["label", "recipe", "model", "seed", "task"]
    share = 100 * rows["value"] / rows.groupby(by)["value"].transform("max")
    kept = ["label", "recipe", "model", "layer"]
    networks = rows.assign(value=share).groupby([*kept, "repeat"], as_index=False)["value"].mean()
    missing = {"n": pd.NA} | dict.fromkeys(("sd", "low", "high"), float("nan"))
    means = summarize(networks.assign(metric=names.ACCURACY, **missing), kept)
    return means.merge(places(table), on=["model", "layer"]).sort_values(["label", "recipe", "place"])


def plot_curves(summary: pd.DataFrame) -> Axes:
    """Draw OOD accuracy by layer, one panel a setting; dotted before training."""
    style.require(summary, ("label", "recipe", "place", "mean", "low", "high", "n"), what="plot_curves")
    held = [name for name in names.SETTINGS if name in set(summary["label"])]
    columns = min(3, len(held))
    grid = style.panels(summary, size=(5.8 / columns, 2.1), col="label", col_order=held, col_wrap=columns)
    left = grid.axes.flat[::columns]
    for setting, ax in grid.axes_dict.items():
        for recipe, look in STATES.items():
            rows = where(summary, label=setting, recipe=recipe)
            if len(rows):
                line(
                    ax, rows, x="place", look=Look(look.words, look.colour, "", "-" if recipe == names.TRAINED else ":")
                )
        finish(ax, title=names.SETTING_WORDS[setting], x="layer", y="% of the best" if ax in left else "", legend=False)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        style.small(ax, letters=20)
    return style.name_panels(grid, f"accuracy on other data; bands: {interval_name(summary, over='networks')}")


def curves_words(summary: pd.DataFrame) -> str:
    """Return `plot_curves` in words."""
    parts = []
    for (setting, recipe), rows in summary.groupby(["label", "recipe"]):
        rows = rows.sort_values("place")
        best, words = rows.loc[rows["mean"].idxmax()], f"{names.SETTING_WORDS[str(setting)]} {recipe}"
        parts.append(f"{words} is highest in layer {best['place']} and has {rows['mean'].iloc[-1]:.1f} % in the last")
    return f"Line charts of OOD accuracy by layer, in percent of the best layer: {'; '.join(parts)}."


def curves_finding(summary: pd.DataFrame) -> str:
    """Return in which layer the base is best, and what is left of that in its last one."""
    rows = where(summary, label=names.BASE, recipe=names.TRAINED).sort_values("place")
    best, last = rows.loc[rows["mean"].astype(float).idxmax()], rows.iloc[-1]
    if best["place"] == last["place"]:
        return f"On other data the base is best in the last of its {len(rows)} layers."
    kept = f"the last of {len(rows)} keeps {last['mean']:.1f} % of the best"
    return f"On other data the base is best in layer {best['place']}; {kept}."


def _of_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every setting is, one row a setting and one column a fact."""
    return where(table, method=names.OF_SETTING).pivot_table(index="label", columns="metric", values="value")


def of_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every setting is, and means over its networks of accuracy and of the measures of a tunnel."""
    what = _of_settings(table)
    rows = []
    for setting in (name for name in names.SETTINGS if name in what.index):
        of, facts = where(table, label=setting, recipe=names.TRAINED), what.loc[setting]
        measures = {
            words: contrasts.by_seed(table, setting, metric=metric).mean()
            for metric, words in contrasts.MEASURES.items()
            if metric in set(of["metric"])
        }
        about: dict[str, object] = {"setting": names.SETTING_WORDS[setting], "network": readable(of["model"].iloc[0])}
        about |= {"classes": int(facts[names.N_CLASSES]), "pixels": int(facts[names.PIXELS])}
        about |= {"images": int(facts[names.N_IMAGES])}
        about |= {"parameters an image": facts[names.PARAMETERS] / facts[names.N_IMAGES]}
        accuracy = 100 * where(of, metric=names.CLASSIFIER)["value"].mean()
        rows.append(about | {"own accuracy (%)": accuracy} | measures | {"networks": of["seed"].nunique()})
    return pd.DataFrame(rows)


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Return the three published measures without and with every change, here and printed."""
    rows = []
    for contrast in contrasts.known(table).values():
        for metric in contrasts.PRINTED:
            before, after = contrasts.published_means(contrast, metric)
            pairs = contrasts.change(table, contrast, metric=metric)
            row = {"change": contrast.words, "measure": contrasts.MEASURES[metric], "here": pairs.mean()}
            rows.append(row | {"published": after - before, "without": before, "with": after})
    return pd.DataFrame(rows)


crossed = Figure(retained_of_settings, plot_crossed, crossed_words, finding=crossed_finding)
change = Figure(contrasts.changes, plot_changes, changes_words, finding=changes_finding)
by_layer = Figure(curves, plot_curves, curves_words, finding=curves_finding)
settings = Table(
    of_settings,
    "What every setting is, and means over its trained networks: accuracy of their own classifier, and over OOD tasks "
    "the percentage retained as published and with the best layer chosen on validation images, the correlation of ID "
    "and OOD accuracy over layers, and their alignment at the last one.",
    2,
)
published_beside = Table(
    beside_published,
    "Change of each measure, mean over pairs of networks, beside the change of the printed means (without, with). The "
    "published networks are larger and trained on natural images: classes 10 x 1000 and 100 x 100 images, 32 and 224 "
    "pixels, 100 and 700 images a class, 11 and 17 layers, 75 and 168 parameters an image, VGGm and ViT.",
    2,
)
