"""Charts with a row a model and a panel a task, in which no panel and no row is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from diffred_core.drawing.style import SIZE, TEXT, row_names
from diffred_core.results.readable import readable


@dataclass(frozen=True)
class RowPanels:
    """Panels of a figure by task, in their order.

    Attributes
    ----------
    axes_dict : dict of str to Axes
    """

    axes_dict: dict[str, Axes]

    @property
    def axes(self) -> np.ndarray:
        """All axes, (n_tasks,)."""
        return np.array(list(self.axes_dict.values()))

    @property
    def figure(self) -> Canvas:
        """The figure that they stand in."""
        return next(iter(self.axes_dict.values())).get_figure(root=True)


def row_panels(rows: pd.DataFrame, *, of: str = "model", height: float = 0.3) -> tuple[RowPanels, pd.DataFrame]:
    """Return a panel a task with a row for each value of the column `of` that it has, so that none is empty.

    Tasks with the same values stand side by side, most rows first.

    Parameters
    ----------
    rows : DataFrame
        With the columns task and `of`.
    of : str
    height : float
        Of a row, in inches.

    Returns
    -------
    RowPanels
    DataFrame
        The rows with the `place` of their value in the panel of their task, from the bottom up.
    """
    values = {task: tuple(sorted(set(part), reverse=True)) for task, part in rows.groupby("task")[of]}
    bands = _bands(values)
    heights = [0.75 + height * len(values[tasks[0]]) for tasks in bands]
    with sns.axes_style("whitegrid"), plt.rc_context(TEXT):
        canvas = plt.figure(figsize=(SIZE[0], 1.0 + sum(heights)), facecolor="white")
        cells = canvas.add_gridspec(len(bands), 6, height_ratios=heights)
        axes = {
            task: canvas.add_subplot(cells[band, column * 6 // len(tasks) : (column + 1) * 6 // len(tasks)])
            for band, tasks in enumerate(bands)
            for column, task in enumerate(tasks)
        }
    for tasks in bands:
        for column, task in enumerate(tasks):
            row_names(axes[task], [readable(value) for value in values[task]], size=9)
            axes[task].tick_params(axis="y", labelleft=column == 0)
            axes[task].tick_params(axis="x", labelsize=9)
            axes[task].xaxis.set_major_locator(MaxNLocator(4))
            axes[task].margins(x=0.08)  # a marker at the end is not cut
    places = [values[task].index(value) for task, value in zip(rows["task"], rows[of], strict=True)]
    return RowPanels(axes), rows.assign(place=places)


def _bands(values: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Return tasks of equal values together, at most three in a band, the longest list first."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for task, of_task in values.items():
        alike.setdefault(of_task, []).append(task)
    ordered = sorted(alike.items(), key=lambda item: -len(item[0]))
    return [tasks[at : at + 3] for _, tasks in ordered for at in range(0, len(tasks), 3)]
