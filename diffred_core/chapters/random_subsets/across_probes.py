"""When the probe decides: share needed, redundancy and the verdict of the published claim under each probe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import across, claims, findings, names
from diffred_core.chapters.random_subsets.figures import PROBES
from diffred_core.drawing import Figure, Table, looks, style
from diffred_core.drawing.rows import row_panels
from diffred_core.drawing.style import GREY, finish
from diffred_core.results import where
from diffred_core.results.claims import VERDICTS
from diffred_core.results.readable import readable
from diffred_core.results.rows import KEYS, Row

DELTAS: tuple[float, ...] = (0.9, 0.95)
COLUMNS = (*KEYS, "probe", "mean", "full", "gap", "low", "high", "verdict", "decides")


def verdicts_by_probe(probes: pd.DataFrame, *, fraction: float = names.FRACTION) -> pd.DataFrame:
    """Return what every probe says of every model and task with a random `fraction` of the dimensions.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes, one below the other.
    fraction : float
        Share of the dimensions at which the claim is judged: the nearest one that was measured. A probe that was
        measured at another share than the headline probe is left out.

    Returns
    -------
    DataFrame
        One row a task, model and probe, the headline probe first. Columns task, model, probe, mean (accuracy of the
        subsets), full, gap (the loss), low, high, verdict (of `claims.accuracy_is_kept`), needed 90 % and needed 95 %
        (share of the dimensions that keeps that much of the accuracy, which is 1 - DR; missing where the probe was
        measured at other shares than the headline probe) and decides: whether the verdicts of the probes of this pair
        differ.
    """
    rows = pd.DataFrame(_rows(probes, fraction))
    rows["decides"] = rows.groupby(KEYS)["verdict"].transform("nunique") > 1
    return rows


def finding(verdicts: pd.DataFrame) -> str:
    """Return in words for how many models and tasks the probe decides the verdict, and how probes differ."""
    pairs = verdicts.groupby(KEYS)["decides"].first()
    text = f"The verdict depends on the probe in {int(pairs.sum())} of {len(pairs)} pairs of model and task. "
    counts = [
        f"{look.words}: " + ", ".join(f"{int((rows['verdict'] == verdict).sum())} {verdict}" for verdict in VERDICTS)
        for probe, look in looks(PROBES, verdicts["probe"]).items()
        for rows in [where(verdicts, probe=probe)]
    ]
    return text + "; ".join(counts) + ". " + _headline_and_ridge(verdicts)


def plot_by_probe(verdicts: pd.DataFrame) -> Axes:
    """Draw the loss of random subsets by probe beside the published margin, a panel a task, a row a model."""
    style.require(verdicts, COLUMNS, what="plot_by_probe")
    by_probe = looks(PROBES, verdicts["probe"])
    grid, placed = row_panels(verdicts, height=0.36)
    for task, ax in grid.axes_dict.items():
        for turn, (probe, look) in enumerate(by_probe.items()):
            rows = where(placed, task=task, probe=probe)
            y = rows["place"] + 0.24 * ((len(by_probe) - 1) / 2 - turn)
            ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=look.colour, linewidth=2)
            ax.plot(100 * rows["gap"], y, look.marker, color=look.colour, markersize=6, label=look.words)
        ax.axvline(100 * names.MARGIN, color=GREY, linestyle="--", linewidth=1.4, label="published margin")
        finish(ax, title=readable(task), x="points lost", y="", legend=False)
    return style.name_panels(grid, "lost to the full layer; bars: 95 %, over draws and test rows")


def describe_by_probe(verdicts: pd.DataFrame) -> str:
    """Return `plot_by_probe` in words."""
    lost = [
        f"{look.words} {100 * rows['gap'].min():.1f} to {100 * rows['gap'].max():.1f}"
        for probe, look in looks(PROBES, verdicts["probe"]).items()
        for rows in [where(verdicts, probe=probe)]
    ]
    return f"Dot chart of the points of accuracy that random subsets lose, by probe: {'; '.join(lost)}. " + finding(
        verdicts
    )


def figure(fraction: float = names.FRACTION) -> Figure:
    """Return the figure of the loss by probe, from tables of subset_probes."""
    summary = lambda probes: verdicts_by_probe(probes, fraction=fraction)  # noqa: E731
    return Figure(summary, plot_by_probe, describe_by_probe, finding=findings.by_probe)


def table(fraction: float = names.FRACTION) -> Table:
    """Return the table of `verdicts_by_probe`, its finding as the caption."""

    def rows(probes: pd.DataFrame) -> pd.DataFrame:
        verdicts = verdicts_by_probe(probes, fraction=fraction)
        numbers = verdicts.select_dtypes("float").columns
        shown = verdicts.assign(**{name: 100 * verdicts[name] for name in numbers})
        shown[KEYS] = shown[KEYS].map(readable)
        shown["decides"] = shown["decides"].map({True: "yes", False: "no"})
        shown.attrs["finding"] = finding(verdicts)
        return shown

    share = f"{100 * fraction:g} %"
    units = f"Percent and points, with a random {share} of the dimensions; decides: whether verdicts of probes differ."
    return Table(rows, lambda verdicts: f"{verdicts.attrs['finding']} {units}", digits=1)


def _rows(probes: pd.DataFrame, fraction: float) -> Iterator[Row]:
    for (task, model), cell in probes.groupby(KEYS):
        tested = where(cell, method=names.RANDOM, metric=names.ACCURACY).groupby("probe")["fraction"].agg(set)
        judged = {probe: min(shares, key=lambda share: abs(share - fraction)) for probe, shares in tested.items()}
        for probe in looks(PROBES, tested.index):
            of_probe = where(cell, probe=probe)
            if judged[probe] != judged.get(names.HEADLINE, judged[probe]):
                continue
            (kept,) = across.kept_accuracy(of_probe, fraction=fraction, probe=probe).to_dict("records")
            claim = claims.accuracy_is_kept(of_probe, fraction=fraction, probe=probe)
            measured = {"gap": -claim.value, "low": -claim.high, "high": -claim.low, "verdict": claim.verdict}
            comparable = tested[probe] == tested.get(names.HEADLINE)
            yield {"task": task, "model": model, "probe": probe, "mean": kept["mean"], "full": kept["full"]} | (
                measured | _needed(of_probe, probe, comparable=comparable)
            )


def _needed(of_probe: pd.DataFrame, probe: str, *, comparable: bool) -> Row:
    needed = across.needed_fractions(of_probe, deltas=DELTAS, probe=probe).set_index("delta")["fraction"]
    return {f"needed {100 * delta:g} %": needed.get(delta, np.nan) if comparable else np.nan for delta in DELTAS}


def _headline_and_ridge(verdicts: pd.DataFrame) -> str:
    """Return how much more of the full accuracy the headline probe keeps than ridge, over models and tasks."""
    kept = verdicts.assign(kept=verdicts["mean"] / verdicts["full"]).pivot(index=KEYS, columns="probe", values="kept")
    if not {names.HEADLINE, names.RIDGE} <= set(kept):
        return ""
    more = 100 * (kept[names.HEADLINE] - kept[names.RIDGE])
    return (
        f"Of the accuracy of the full layer {names.HEADLINE} keeps {more.mean():+.1f} points more than ridge, "
        f"from {more.min():+.1f} to {more.max():+.1f}."
    )
