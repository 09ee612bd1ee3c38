"""The published curves of accuracy beside measured ones, on the tasks that both have, on the same axes."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from diffred_core.chapters.random_subsets import findings, names
from diffred_core.drawing import Figure, Look, Table, style
from diffred_core.drawing.models import model_looks
from diffred_core.results import published, summarize, where
from diffred_core.results.readable import readable
from diffred_core.results.rows import KEYS

OTHER_NAMES = {"oxfordiiitpet": "pets", "imagenet": "imagenet1k"}  # of torchvision's sets in the paper
LEVEL = 0.95
COLUMNS = ["origin", "task", "network", "n_features", "fraction", "full", "mean", "low", "high", "n", "level"]
NOTHING = "The paper has no curve of this task."


def published_name(task: str) -> str:
    """Return the name of a task by which the paper's and these tables meet: ``torchvision:CIFAR10`` is ``cifar10``."""
    name = task.lower().removeprefix("torchvision:").removeprefix("folder:").replace("-", "")
    return OTHER_NAMES.get(name, name)


def retained(probes: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the accuracy that random subsets keep, published and measured, of the tasks that both have.

    Parameters
    ----------
    probes : DataFrame
        Tables of subset_probes.

    Returns
    -------
    DataFrame
        Columns origin, task (the paper's name), network, n_features, fraction, full (accuracy of the whole layer),
        mean, low, high (of the share of it that is kept; t interval over draws), n (draws), level. Empty where no task
        is common.
    """
    printed, measured = _printed(), _measured(probes)
    common = set(printed["task"]) & set(measured["task"])
    both = pd.concat([printed, measured])
    return both[both["task"].isin(common)][COLUMNS].reset_index(drop=True)


def _printed() -> pd.DataFrame:
    numbers = where(published.diffused_redundancy_numbers(), quantity="accuracy")
    rows = numbers.assign(
        origin=names.PUBLISHED,
        network=numbers["model"] + ", " + numbers["weights"],
        task=numbers["task"].map(published_name),
    )
    full = rows[rows["fraction"] == 1.0].set_index(["network", "task"])["value"]
    rows = rows[rows["fraction"] < 1.0].join(full.rename("full"), on=["network", "task"])
    return pd.DataFrame([_with_interval(row) for row in rows.to_dict("records")])


def _with_interval(row: dict[str, float]) -> dict[str, float]:
    """Return a published point as a share of the whole layer; its sd is of the population, over few masks."""
    n = 1 if pd.isna(row["n_masks"]) else int(row["n_masks"])
    low, high = published.mean_limits(row["value"], row["sd"], n, level=LEVEL)
    limits = {"low": low / row["full"], "high": high / row["full"]}
    return row | limits | {"mean": row["value"] / row["full"], "n": n, "level": LEVEL}


def _measured(probes: pd.DataFrame) -> pd.DataFrame:
    rows = where(probes, probe=names.HEADLINE, metric=names.ACCURACY)
    full = where(rows, method=names.FULL).groupby(KEYS)["value"].mean()
    random = where(rows, method=names.RANDOM).join(full.rename("full"), on=KEYS)
    shares = random.assign(value=random["value"] / random["full"])
    if shares.empty:
        return pd.DataFrame(columns=COLUMNS)
    summary = summarize(shares, [*KEYS, "n_features", "fraction", "full"], level=LEVEL)
    return summary.assign(origin=names.MEASURED, network=summary["model"], task=summary["task"].map(published_name))


def plot_retained(shares: pd.DataFrame) -> Axes:
    """Draw the share of the accuracy that is kept against that of the dimensions, a panel a task, published dashed."""
    style.require(shares, COLUMNS, what="plot_retained")
    n_tasks = shares["task"].nunique()
    size = (5.8, 4.2) if n_tasks == 1 else (2.9, 2.7)  # one task fills the page
    grid = style.panels(shares, size=size, col="task", col_wrap=min(2, n_tasks))
    drawn = model_looks(where(shares, origin=names.MEASURED)["network"])
    printed = dict(zip(sorted(set(where(shares, origin=names.PUBLISHED)["network"])), style.MARKERS, strict=False))
    for task, ax in grid.axes_dict.items():
        for (origin, network, width), rows in where(shares, task=task).groupby(["origin", "network", "n_features"]):
            grey = Look(network, style.GREY, printed.get(network, "o"), "--")
            label = f"{readable(network)} ({width:,})"
            look = grey if origin == names.PUBLISHED else drawn[network]
            style.line(ax, rows, x="fraction", look=look, label=label, band=len(drawn) <= style.MOST_BANDS)
        ax.axhline(0.9, color="#BFBFBF", linewidth=1, zorder=0)
        style.percent_axis(ax, where(shares, task=task)["fraction"].tolist(), fewer=n_tasks > 1)
        style.percent_ticks(ax)
        y, left = "accuracy kept (%)", ax.get_subplotspec().is_first_col()
        style.finish(ax, title=readable(task), x="dimensions kept (%, log)", y=y if left else "", legend=False)
    bands = f"bands: {100 * LEVEL:g} % t interval over draws" if len(drawn) <= style.MOST_BANDS else "means over draws"
    dashed = "; dashed: published" if printed else ""
    return style.name_panels(grid, f"random subsets; {bands}{dashed}")


def describe_retained(shares: pd.DataFrame) -> str:
    """Return `plot_retained` in words."""
    sentences = []
    for task, of_task in shares.groupby("task"):
        parts = [
            f"{readable(network)} ({origin}) {100 * at['mean']:.1f} % at {100 * at['fraction']:g} %"
            for (origin, network), rows in of_task.groupby(["origin", "network"], sort=False)
            for at in [style.nearest(rows, names.FRACTION)]
        ]
        sentences.append(f"{readable(task)}: {'; '.join(parts)}")
    origins = "published and measured" if names.PUBLISHED in set(shares["origin"]) else "a panel a task"
    return (
        "Line chart of the share of the whole layer's accuracy that random subsets keep against the share of the "
        f"dimensions, {origins}. {'. '.join(sentences)}."
    )


def rows_beside(probes: pd.DataFrame, *, fractions: tuple[float, ...] = (0.1, 0.2, 0.5)) -> pd.DataFrame:
    """Return a row a network with the accuracy of its whole layer and what random shares of it keep, in percent."""
    shares, rows = retained(probes), []
    for (origin, task, network, width), curve in shares.groupby(["origin", "task", "network", "n_features"]):
        row = {
            "task": readable(task),
            "network": readable(network),
            "origin": origin,
            "dimensions": width,
            "all": 100 * curve["full"].iloc[0],
        }
        points = {fraction: style.nearest(curve, fraction) for fraction in fractions}
        near = {f: point for f, point in points.items() if abs(point["fraction"] - f) < 0.25 * f}
        rows.append(row | {f"kept at {100 * f:g} %": 100 * near[f]["mean"] if f in near else None for f in fractions})
    return pd.DataFrame(rows)


by_task = Figure(lambda probes: _measured(probes)[COLUMNS], plot_retained, describe_retained, finding=findings.retained)
relative = Figure(retained, plot_retained, describe_retained, empty=NOTHING, finding=findings.retained)
numbers = Table(
    rows_beside,
    "Accuracy of the whole layer, and what random shares of the dimensions keep of it, in percent. Published: "
    f"{published.PAPER}, the probes as they were trained there; measured: converged probes, other networks.",
    digits=1,
)
