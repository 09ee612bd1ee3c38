"""The frontier of size and accuracy drawn, one panel a task, and its points as a table."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import findings
from diffred_core.chapters.random_subsets.frontier import POINT, accuracy_frontier
from diffred_core.drawing import Figure, Table, style
from diffred_core.drawing.models import model_looks
from diffred_core.drawing.style import GREY
from diffred_core.results import where
from diffred_core.results.readable import readable

SURE, Y = "on it by the intervals", "test accuracy (%)"
TICKS = (1, 3, 10, 30, 100, 300, 1000, 3000)


def plot_frontier(points: pd.DataFrame) -> Axes:
    """Draw accuracy against the number of dimensions, one panel a task, one line a model; return the first panel."""
    style.require(points, (*POINT, "frontier", "verdict"), what="plot_frontier")
    probe = style.one_value(points, "probe", what="plot_frontier")
    grid = style.panels(points, col="task", col_wrap=min(2, points["task"].nunique()), sharey=False, size=(2.9, 2.7))
    lines = model_looks(points["model"])
    banded = len(lines) <= style.MOST_BANDS
    for task, ax in grid.axes_dict.items():
        of_task = where(points, task=task)
        best = of_task[of_task["frontier"]].sort_values("n_selected")
        ax.step(best["n_selected"], best["mean"], where="post", color=GREY, linewidth=6, alpha=0.25, label="frontier")
        for model in [name for name in lines if name in set(of_task["model"])]:
            style.line(ax, where(of_task, model=model), x="n_selected", look=lines[model], band=banded)
        sure = where(of_task, verdict="holds")
        ax.plot(sure["n_selected"], sure["mean"], "o", color="#000000", fillstyle="none", markersize=10, label=SURE)
        style.number_axis(ax, [k for k in TICKS if k <= of_task["n_selected"].max()])
        style.percent_ticks(ax)
        left = ax.get_subplotspec().is_first_col()
        style.finish(ax, title=readable(task), x="dimensions kept (log)", y=Y if left else "", legend=False)
    return style.name_panels(grid, f"{probe} probe; {'bands: over' if banded else 'means over'} draws and test rows")


def describe_frontier(points: pd.DataFrame) -> str:
    """Return `plot_frontier` in words."""
    sentences = []
    for task, of_task in points.groupby("task", sort=False):
        best = of_task[of_task["frontier"]].sort_values("n_selected")
        few = best.iloc[[0, len(best) // 2, -1]].drop_duplicates("n_selected")
        steps = [
            f"{row.n_selected} dimensions {100 * row.mean:.1f} % ({readable(row.model)}; {row.verdict})"
            for row in few.itertuples(index=False)
        ]
        sentences.append(f"{readable(task)}: {'; '.join(steps)}")
    return (
        "Line charts of accuracy against the number of dimensions kept, one a task, with the frontier, and whether the "
        f"intervals put a point on it. {'. '.join(sentences)}."
    )


def frontier_points(probes: pd.DataFrame) -> pd.DataFrame:
    """Return the points on the frontier of every task, with interval and verdict."""
    points = accuracy_frontier(probes)
    best = points[points["frontier"]].rename(columns={"n_selected": "dimensions", "mean": "accuracy"})
    percents = 100 * best[["accuracy", "low", "high"]]
    best = best.assign(**{name: best[name].map(readable) for name in ("task", "model")})
    return best[["task", "dimensions", "model", "probe"]].join(percents).assign(surely=best["verdict"])


accuracy = Figure(accuracy_frontier, plot_frontier, describe_frontier, finding=findings.frontier)
on_frontier = Table(
    frontier_points,
    "Random dimensions on the frontier of size and accuracy, accuracy in percent, low and high over draws and test "
    "rows, at the level of the sweeps. Surely: whether they put the point above every other of at most its size.",
    digits=1,
)
