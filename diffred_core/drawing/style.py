"""What all figures share: a white page, colours that everyone can tell apart, and a percent axis."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from diffred_core.errors import InputError
from diffred_core.results.readable import readable

if TYPE_CHECKING:
    from diffred_core.drawing.rows import RowPanels

SIZE = (5.8, 4.4)  # inches; 12 point text is then 11 pixels high on a page 390 pixels wide
TEXT = {"font.size": 12, "axes.labelsize": 12, "legend.fontsize": 11, "xtick.labelsize": 11, "ytick.labelsize": 11}
LEFT = 0.8  # inches left of the title of a chart
GREY = "#595959"
MOST_BANDS = 4  # lines of one kind in a panel; the bands of more hide each other
MOST_NAMES = 6  # in a legend at the size of the other text
FEWEST = 3  # repeats below which an interval is left out of sentences: with two its ends say nothing
# Okabe and Ito (2008), less the yellow, which is too light on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LOOKS = [  # the first seven differ in colour and marker, those below them in marker, then in dash
    (colour, MARKERS[(i + turn) % len(MARKERS)], dash)
    for dash in ("-", "--", ":", "-.")
    for turn in range(len(MARKERS))
    for i, colour in enumerate(COLOURS)
]


Key = TypeVar("Key", str, tuple[str, ...])


@dataclass(frozen=True)
class Look:
    """How something that has a name in a table is said and drawn, the same in every figure.

    Attributes
    ----------
    words : str
        For legends and sentences.
    colour, marker, dash : str
        As matplotlib takes them; an empty marker draws none.
    """

    words: str
    colour: str
    marker: str = "o"
    dash: str = "-"


def looks(known: Mapping[Key, Look], names: Iterable[Key]) -> dict[Key, Look]:
    """Return the look of every one of `names`: the known ones in their own order, then the others.

    A name that is not known is said as `readable` says it, and a look that no known name has, present or not: another
    colour, then another marker, then another dash. So nothing that stands in a table is left out of a figure, and no
    two names are drawn alike until all looks are used up.
    """
    present = set(names)
    used = [(look.colour, look.marker, look.dash) for look in known.values()]
    free = [look for look in _LOOKS if look not in used] or _LOOKS
    colours = {colour for colour, _, _ in used}
    fresh = [look for look in free if look in _LOOKS[: len(COLOURS)] and look[0] not in colours]
    free = fresh + [look for look in free if look not in fresh]
    chosen = {name: look for name, look in known.items() if name in present}
    for name, look in zip(sorted(present - set(chosen)), itertools.cycle(free), strict=False):
        words = ", ".join(map(readable, [name] if isinstance(name, str) else name))
        chosen[name] = Look(words.replace("_", " "), *look)
    return chosen


def begin(
    ax: Axes | None, summary: pd.DataFrame, columns: Sequence[str], *, what: str, size: tuple[float, float] = SIZE
) -> Axes:
    """Return `axes_or_new` for a `summary` that `what` can draw: `require` says what it lacks."""
    require(summary, columns, what=what)
    return axes_or_new(ax, size=size)


def axes_or_new(ax: Axes | None, *, size: tuple[float, float] = SIZE) -> Axes:
    """Return `ax`, or the axes of a new white figure of `size` inches."""
    if ax is not None:
        return ax
    with sns.axes_style("whitegrid"), plt.rc_context(TEXT):
        return plt.subplots(figsize=size, facecolor="white", layout="constrained")[1]


def finish(
    ax: Axes, *, title: str, x: str, y: str, columns: int = 2, legend: bool = True, but: Container[str] = ()
) -> Axes:
    """Name the axes of `ax`, put a light grid behind the data and, unless panels share one, the legend below it.

    Labels in `but`, those of lines that are named at their ends, are left out of the legend.
    """
    ax.set_facecolor("white")
    ax.set_title("\n".join(_lines_of(title, ax.figure.get_figwidth() - LEFT)), loc="left", fontsize=12)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if legend:
        _legend_below(ax, columns, but)
    return ax


def _lines_of(title: str, room: float) -> list[str]:
    """Return a title in lines that fit into `room` inches."""
    lines = []
    for line in title.split("\n"):
        width = _width(line, 12)
        lines += textwrap.wrap(line, int(0.95 * len(line) * room / width)) if width > room else [line]
    return lines


def _width(text: str, size: float) -> float:
    """Return the inches of the widest line of `text` in letters of `size` points; a dollar sign begins no formula."""
    font = FontProperties(size=size)
    widths = (text_to_path.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n"))
    return float(max(widths)) / 72


def panels(summary: pd.DataFrame, *, size: tuple[float, float] = (4.3, 3.6), **facets: Any) -> sns.FacetGrid:
    """Return white panels, each of `size` inches, one a value of the columns that `facets` name as seaborn does."""
    width, height = size
    with sns.axes_style("whitegrid"), plt.rc_context(TEXT):
        return sns.FacetGrid(summary, height=height, aspect=width / height, sharex=False, **facets).set_titles("")


def small(ax: Axes, *, letters: int = 26) -> None:
    """Make the text of a panel that stands beside others fit into it: smaller, its title in lines of some `letters`."""
    ax.set_title(textwrap.fill(ax.get_title(loc="left"), letters), loc="left", fontsize=11)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_fontsize(10)
    ax.tick_params(labelsize=9)


def name_panels(grid: sns.FacetGrid | RowPanels, title: str) -> Axes:
    """Put title and legend of all panels around them, and return the first panel."""
    handles = {}
    for ax in grid.axes.flat:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    grid.figure.set_layout_engine("constrained")
    size = 9 if len(handles) > MOST_NAMES else TEXT["legend.fontsize"]
    width = grid.figure.get_figwidth()
    widest = max((_width(name, size) for name in handles), default=0) + 0.6  # with the line before a name
    columns = 2 if 2 * widest < width else 1
    # two rows of names have their place; more would take theirs from the panels
    rows_of_names = -(-len(handles) // columns)
    lines = _lines_of(title, width - 0.2)
    more = max(0, rows_of_names - 2) + max(0, len(lines) - 1)
    grid.figure.set_figheight(grid.figure.get_figheight() + 0.22 * more)
    grid.figure.suptitle("\n".join(lines), fontsize=12, x=0.01, ha="left")
    about: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "frameon": False, "fontsize": size}
    if handles:  # an empty legend would take its place all the same
        grid.figure.legend(handles.values(), handles.keys(), **about)
    first: Axes = grid.axes.flat[0]
    return first


def cell_names(cells: pd.DataFrame) -> list[str]:
    """Return the task over the model of every row."""
    return [f"{readable(task)}\n{readable(model)}" for task, model in zip(cells["task"], cells["model"], strict=True)]


def _legend_below(ax: Axes, columns: int, but: Container[str]) -> None:
    named = [(handle, label) for handle, label in zip(*ax.get_legend_handles_labels(), strict=True) if label not in but]
    if not named:
        return
    handles, labels = zip(*named, strict=True)
    if len(ax.figure.axes) == 1 and ax.figure.get_layout_engine() is not None:
        # the layout then makes room for it, whatever the height of the figure
        ax.figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    else:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns, frameon=False)


def percent_axis(ax: Axes, fractions: Sequence[float], *, fewer: bool = False) -> None:
    """Make x a logarithmic axis of fractions with ticks in percent, `fewer` of them on a narrow one."""
    low, steps = min(fractions), (0.0005, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0)
    ticks = [t for t in ((0.001, 0.01, 0.1, 0.3, 1.0) if fewer else steps) if t >= low * 0.99]
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    ax.set_xlim(low * 0.85, 1.15)


def number_axis(ax: Axes, numbers: Iterable[float], *, base: float = 10) -> None:
    """Make x a logarithmic axis with a tick, in plain digits, at every one of the `numbers`."""
    ax.set_xscale("log", base=base)
    ax.set_xticks(sorted({float(number) for number in numbers}))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def percent_places(ax: Axes, places: Sequence[float]) -> None:
    """Put the ticks of the x axis at these shares, in percent."""
    ax.xaxis.set_major_locator(FixedLocator(sorted(places)))


def percent_ticks(ax: Axes, which: str = "y") -> None:
    """Show the shares of the y axis as percent, or those of `which`: ``x``, ``y`` or ``xy``."""
    for name in which:
        getattr(ax, f"{name}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))


def line(ax: Axes, rows: pd.DataFrame, *, x: str, look: Look, label: str | None = None, band: bool = True) -> None:
    """Draw the means of `rows` along column `x`, with their interval as a band where there is one."""
    limits = ["low", "high"] if band and rows["low"].notna().any() else []
    # one row a number, the mean of a place first, then its limits: seaborn is given the interval, and computes none
    numbers = rows.sort_values(x).melt(x, ["mean", *limits])
    bars = (lambda values: values.iloc[1:]) if limits else None
    interval = {"estimator": lambda values: values.iloc[0], "errorbar": bars}
    # seaborn rings markers in white, which hides the shape of small ones
    marks = {"marker": look.marker or None, "markersize": 4.5, "markeredgecolor": look.colour}
    options = {"color": look.colour, "linestyle": look.dash, "linewidth": 1.6} | marks
    options |= {"label": look.words if label is None else label, "legend": False, "ax": ax}
    values = {"x": numbers[x].astype(float), "y": numbers["value"].astype(float)}
    # sorting would order the numbers of a place by size
    sns.lineplot(**values, sort=False, **interval, err_kws={"alpha": 0.2, "linewidth": 0}, **options)


def points(ax: Axes, rows: pd.DataFrame, *, look: Look, x: str = "mean", size: float = 6) -> None:
    """Draw `x` of every row at the height of its index, with its interval as a bar."""
    reach = [rows[x] - rows["low"], rows["high"] - rows[x]]
    options: dict[str, Any] = {"color": look.colour, "label": look.words, "markersize": size, "capsize": 3}
    ax.errorbar(rows[x], rows.index, xerr=reach, fmt=look.marker, **options)


def bars(ax: Axes, rows: pd.DataFrame, *, x: str, look: Look) -> None:
    """Draw the mean of every row at its place along column `x`, with its interval as a bar, and no line."""
    reach = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    options: dict[str, Any] = {"color": look.colour, "label": look.words, "markersize": 7, "capsize": 3}
    ax.errorbar(rows[x], rows["mean"], yerr=reach, fmt=look.marker, markerfacecolor="white", **options)


def row_names(ax: Axes, texts: Sequence[str], *, size: float = 11) -> None:
    """Name the rows of a chart with one row a thing, from the bottom up."""
    ax.set_yticks(range(len(texts)), texts)
    ax.set_ylim(-0.6, len(texts) - 0.4)
    ax.tick_params(axis="y", labelsize=size)


def lines(
    ax: Axes, summary: pd.DataFrame, known: Mapping[Any, Look], *, by: Any, x: str, banded: Container[Any] | None = None
) -> None:
    """Draw a `line` for every value of `by`, by its look among `known` or a free one; with a band all, or `banded`."""
    groups = dict(list(summary.groupby(by, dropna=False)))
    for key, look in looks(known, groups).items():
        line(ax, groups[key], x=x, look=look, band=banded is None or key in banded)


def nearest(rows: pd.DataFrame, fraction: float) -> pd.Series:
    """Return the row whose fraction is nearest to `fraction`."""
    return rows.loc[(rows["fraction"] - fraction).abs().idxmin()]


def mean_in_words(row: pd.Series) -> str:
    """Return a mean that is a share, and its interval unless it is of fewer than `FEWEST` repeats."""
    clear = row["n"] >= FEWEST and pd.notna(row["low"])
    return f"{100 * row['mean']:.1f} %" + (f" ({interval_in_percent(row)})" if clear else "")


def interval_in_percent(row: pd.Series) -> str:
    """Return the interval of a mean that is a share: ``95 % interval 81.2 to 84.0``."""
    return f"{100 * row['level']:g} % interval {100 * row['low']:.1f} to {100 * row['high']:.1f}"


def interval_name(summary: pd.DataFrame, *, over: str = "draws") -> str:
    """Return the words for the bands of `summary`: method, level and number of repeats, which are `over`."""
    banded = summary[summary["low"].notna()]
    if banded.empty:
        return f"no interval: one {over.removesuffix('s')}"
    fewest, most = int(banded["n"].min()), int(banded["n"].max())
    repeats = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{100 * float(banded['level'].iloc[0]):g} % t interval, {repeats} {over}"


def clear_intervals(summary: pd.DataFrame) -> pd.DataFrame:
    """Return means without the intervals of fewer than `FEWEST` repeats, whose ends say nothing."""
    return summary.assign(**{end: summary[end].where(summary["n"] >= FEWEST) for end in ("low", "high")})


def one_value(summary: pd.DataFrame, column: str, *, what: str) -> str | None:
    """Return the one value of `column`, None if there is no such column; refuse a mixture.

    Raises
    ------
    InputError
        If `summary` holds several.
    """
    if column not in summary:
        return None
    values = sorted(summary[column].dropna().unique())
    if len(values) > 1:
        raise InputError(f"{what} draws one {column}, got {', '.join(map(str, values))}; filter the summary first")
    return values[0] if values else None


def require(summary: pd.DataFrame, columns: Sequence[str], *, what: str) -> None:
    """Refuse a summary without the `columns`, or without rows.

    Raises
    ------
    InputError
        If a column is missing, or there is no row.
    """
    missing = [name for name in columns if name not in summary]
    if missing:
        raise InputError(f"{what} needs the column {missing[0]!r}, got {', '.join(summary.columns)}; add it to `by`")
    if summary.empty:
        raise InputError(f"{what} needs at least one row, got none; check the filter before it")
