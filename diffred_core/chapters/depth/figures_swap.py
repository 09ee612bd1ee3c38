"""The figure and the table of extractors and tunnels put together."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from diffred_core.chapters.depth import claims_swap, names
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.style import COLOURS, GREY, MARKERS, finish, interval_name, line
from diffred_core.results import published, summarize, where
from diffred_core.results.readable import readable

LOOKS = {
    "E1+T1": Look("E1+T1, after task 1", COLOURS[0], "", "--"),
    "E2+T2": Look("E2+T2, after task 2", COLOURS[1], "", "--"),
    "E1+T2": Look("E1+T2, old extractor", COLOURS[0], MARKERS[0]),
    "E2+T1": Look("E2+T1, old tunnel", COLOURS[1], MARKERS[1]),
    names.OTHER_TUNNEL: Look("E1+T of another", GREY, MARKERS[2], ":"),
}
SHADE = "#EEEEEE"
LEAST = 0.0005  # of accuracy: a smaller difference is none in the finding


def parts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of all parts put together by task and cut, with the median start of the tunnel."""
    rows = where(table, metric=names.OF_PARTS)
    means = summarize(rows, ["task", "method", "layer", "n_way"], metric=names.OF_PARTS)
    means["place"] = means["layer"].str.removeprefix("conv").astype(int)
    order = {task: number for number, task in enumerate(claims_swap.tasks_of(table), start=1)}
    start = float(claims_swap.cuts(table).median())
    return means.assign(number=means["task"].map(order), start=start).sort_values(["number", "method", "place"])


def plot_parts(summary: pd.DataFrame) -> Axes:
    """Draw accuracy by the last layer of the extractor, a panel a task; dashed are the whole networks."""
    needed = ("task", "number", "method", "place", "n_way", "mean", "low", "high", "n", "start")
    style.require(summary, needed, what="plot_parts")
    grid = style.panels(summary, size=(5.8, 2.9), col="number", col_wrap=1, sharey=True)
    for number, ax in grid.axes_dict.items():
        here = where(summary, number=number)
        ax.axvspan(here["start"].iloc[0], here["place"].max(), color=SHADE, linewidth=0, zorder=0, label="tunnel")
        for method, look in LOOKS.items():
            rows = where(here, method=method)
            if method in (names.PARTS[0], names.PARTS[3]):
                ax.axhline(rows["mean"].iloc[0], color=look.colour, linestyle=look.dash, label=look.words)
            elif len(rows):
                line(ax, rows, x="place", look=look)
        ax.axhline(1 / here["n_way"].iloc[0], color="#000000", linestyle=":", linewidth=1, label="chance")
        finish(
            ax,
            title=f"task {number}: {readable(here['task'].iloc[0])}",
            x="layers of the extractor",
            y="test accuracy (%)",
            legend=False,
        )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.percent_ticks(ax)
    grid.set(ylim=(0, 1))  # an interval of few networks may go further
    return style.name_panels(grid, f"bands: {interval_name(summary, over='networks')}")


def parts_words(summary: pd.DataFrame) -> str:
    """Return `plot_parts` in words."""
    cut, sentences = round(summary["start"].iloc[0]), []
    for number, here in summary.groupby("number"):
        values = []
        for method in LOOKS:
            rows = where(here, method=method)
            if len(rows):
                row = rows.loc[(rows["place"] - cut).abs().idxmin()]
                values.append(f"{method} {100 * row['mean']:.1f} %")
        sentences.append(f"Task {number}: {', '.join(values)}")
    return (
        "Line charts of the test accuracy of extractor and tunnel from two stages of training by where they are cut. "
        f"With {cut} layers in the extractor: {'. '.join(sentences)}."
    )


def parts_finding(summary: pd.DataFrame) -> str:
    """Return which part of the old network restores more of the first task where the tunnel begins, and to what."""
    first = where(summary, number=1)
    extractor, tunnel = (_at_start(where(first, method=parts)) for parts in (names.PARTS[1], names.PARTS[2]))
    if abs(extractor - tunnel) < LEAST:
        return f"The old extractor and the old tunnel restore as much of task 1: {100 * tunnel:.1f} %."
    (more, high), (less, low) = sorted((("extractor", extractor), ("tunnel", tunnel)), key=_reached, reverse=True)
    return f"The old {more} restores more of task 1 than the old {less}: {100 * high:.1f} against {100 * low:.1f} %."


def _at_start(rows: pd.DataFrame) -> float:
    return float(rows.loc[(rows["place"] - round(rows["start"].iloc[0])).abs().idxmin(), "mean"])


def _reached(part: tuple[str, float]) -> float:
    return part[1]


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of all parts on both tasks, cut where the tunnel begins, beside the printed ones."""
    tasks, numbers = claims_swap.tasks_of(table), published.tunnel_swaps()
    printed = numbers.pivot(index="parts", columns="resolution", values=["first", "second"])
    held, rows = set(where(table, metric=names.OF_PARTS)["method"]), []
    for method in (*names.PARTS, names.OTHER_TUNNEL):
        if method not in held:
            continue
        row: dict[str, object] = {"parts": method}
        for side, task in zip(("first", "second"), tasks, strict=True):
            row[f"{side} task"] = claims_swap.by_seed(table, method, task).mean()
            for size in (32, 224):
                row[f"{side}, published {size}"] = printed[side, size].get(method)
        rows.append(row)
    return pd.DataFrame(rows)


swapped = Figure(parts, plot_parts, parts_words, finding=parts_finding)
published_beside = Table(
    beside_published,
    "Accuracy in percent of extractor (E) and tunnel (T) after the first (1) or second task (2), each network cut "
    "where its probes reach 95 % of their final accuracy, mean over networks. Published: a ResNet-18 on halves of "
    "ImageNet-100 at 32 and 224 pixels (Harun et al. 2024, table 2).",
    1,
)
