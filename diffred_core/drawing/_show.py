"""Showing figures, tables and answers with the words that say them, in JupyterLab and in the book alike."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from PIL import Image

from diffred_core.drawing._answer import Answer, Verdicts, answer_html, unbroken, verdicts_html
from diffred_core.errors import InputError

N_COLOURS, N_OF_MAP = 40, 256  # of a picture, and of one whose colours are numbers
_NUMBER = re.compile(r"[<>±≤≥]? ?[-+−]?(\d|\.\d)[\d.,e+−-]*( ?[%×x]|$| \(| to | ±)")
DPI = 100  # of the page; the picture has twice as many, for screens that have them


@dataclass(frozen=True)
class Figure:
    """A figure of the book: what it reads off a table, how that is drawn, and how it is said.

    Attributes
    ----------
    summary : callable
        From a results table to the table that is drawn: every number of the figure stands in it.
    plot : callable
        ``plot(summary, *, ax=None)`` draws it and returns the Axes.
    words : callable
        ``words(summary)`` says it, numbers included, to somebody who does not see it.
    empty : str
        What is said instead where the summary has no row; by default the plot refuses that.
    finding : callable, optional
        ``finding(summary)`` is its heading: one short sentence, what a reader should see, with its number.
    """

    summary: Callable[[pd.DataFrame], pd.DataFrame]
    plot: Callable[..., Axes]
    words: Callable[[pd.DataFrame], str]
    empty: str = ""
    finding: Callable[[pd.DataFrame], str] | None = None


@dataclass(frozen=True)
class Table:
    """A table of the book for people who read or hear it: few rows, columns named for readers.

    Attributes
    ----------
    summary : callable
        From a results table to the rows that are shown.
    caption : str or callable
        What the table holds, with units and the meaning of its intervals; or a function of the rows that says it.
    digits : int
        Decimal places of numbers that are not whole.
    """

    summary: Callable[[pd.DataFrame], pd.DataFrame]
    caption: str | Callable[[pd.DataFrame], str]
    digits: int = 3


def show(
    what: Figure | Table | Answer | Verdicts,
    table: Any = None,
    *,
    more: Mapping[str, Figure | Table] | None = None,
) -> HTML:
    """Return a figure or table of the book, made from a results table; or an answer, or verdicts.

    Parameters
    ----------
    what : Figure, Table, Answer or Verdicts
        A figure is shown with its alternative text, a table with its caption.
    table : DataFrame, optional
        A results table, or whatever the summary of `what` reads. Answers and verdicts need none.
    more : mapping of str to Figure or Table, optional
        What stands below it, made from the same table, each folded under its name.

    Raises
    ------
    InputError
        If `what` is none of these, or the table does not hold what it draws.
    """
    if more:
        folded = (
            f"<details><summary>{html.escape(name)}</summary>{show(part, table).data}</details>"
            for name, part in more.items()
        )
        return HTML("".join([show(what, table).data, *folded]))
    if isinstance(what, Figure):
        summary = what.summary(table)
        if what.empty and summary.empty:
            return HTML(f"<p>{html.escape(what.empty)}</p>")
        finding = what.finding(summary) if what.finding else ""
        return picture(what.plot(summary).figure, alt=what.words(summary), finding=finding, numbers=summary)
    if isinstance(what, Table):
        rows = what.summary(table)
        caption = what.caption if isinstance(what.caption, str) else what.caption(rows)
        return show_table(rows, caption=caption, digits=what.digits)
    if isinstance(what, Answer):
        return HTML(answer_html(what))
    if isinstance(what, Verdicts):
        return HTML(verdicts_html(what))
    raise InputError(f"show takes a Figure, a Table, an Answer or Verdicts, got {type(what).__name__}")


def show_table(rows: pd.DataFrame, *, caption: str, digits: int = 3) -> HTML:
    """Return `rows` as an HTML table with a caption; the columns are its header, the index is not shown.

    Parameters
    ----------
    rows : DataFrame
        Few rows, columns already named for readers; a missing value is shown as a dash.
    caption, digits
        As in `Table`.
    """
    columns = [[_cell_text(value, digits) for value in rows.iloc[:, place]] for place in range(rows.shape[1])]
    marks = [' class="number"' if _is_numeric(texts) else "" for texts in columns]
    head = [
        f'<th scope="col"{mark}>{html.escape(str(name))}</th>' for name, mark in zip(rows.columns, marks, strict=True)
    ]
    body = [
        [f"<td{mark}>{html.escape(text)}</td>" for text, mark in zip(texts, marks, strict=True)]
        for texts in zip(*columns, strict=True)
    ]
    lines = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
    return HTML(
        f'<table class="dataframe">\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{''.join(head)}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"
    )


def _cell_text(value: object, digits: int) -> str:
    """Return a value as a reader has it: a dash for what is missing, `digits` places of what is not whole."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _is_numeric(texts: Sequence[str]) -> bool:
    """Return whether every text that is there begins with a number: such a column is set to the right."""
    there = [text for text in texts if text != "–"]
    return bool(there) and all(_NUMBER.match(text) for text in there)


def picture(canvas: Canvas, *, alt: str, finding: str = "", numbers: pd.DataFrame | None = None) -> HTML:
    """Return a drawn figure as an HTML figure element, and close it.

    HTML, because an image output gets its alternative text in the book only from the metadata of the cell, which
    cannot hold numbers of the run.

    Parameters
    ----------
    canvas : matplotlib Figure
    alt : str
        Alternative text.
    finding : str
        The heading above it.
    numbers : DataFrame, optional
        What is drawn, to be downloaded below it as CSV.

    Raises
    ------
    InputError
        If `alt` is empty.
    """
    if not alt.strip():
        raise InputError("alt must say what the figure shows, with its numbers, got an empty text")
    data = base64.b64encode(png(canvas)).decode()
    plt.close(canvas)
    width, height = (round(DPI * inches) for inches in canvas.get_size_inches())
    heading = f"<figcaption>{unbroken(finding)}</figcaption>" if finding else ""
    return HTML(
        f'<figure class="drawn">{heading}<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'style="max-width: 100%; height: auto" alt="{html.escape(alt, quote=True)}">'
        f"{'' if numbers is None else _download(numbers)}</figure>"
    )


def _download(numbers: pd.DataFrame) -> str:
    """Return a link that holds `numbers` as CSV."""
    data = base64.b64encode(numbers.to_csv(index=False, float_format="%.6g").encode()).decode()
    return f'<p><a download="figure.csv" href="data:text/csv;base64,{data}">Numbers of this figure (CSV)</a></p>'


def png(canvas: Canvas) -> bytes:
    """Return a drawn figure as a small PNG on white; the same figure gives the same bytes.

    40 colours are enough for lines and bands and make a fifth of the size; a heat map has more. A name with dollar
    signs is no formula.
    """
    large, small = BytesIO(), BytesIO()
    for words in canvas.findobj(Text):
        words.set_parse_math(False)
    canvas.savefig(large, format="png", dpi=2 * DPI, facecolor="white")
    with Image.open(large) as image:
        colours = N_OF_MAP if canvas.findobj(QuadMesh) else N_COLOURS
        image.convert("RGB").quantize(colours).save(small, format="PNG", optimize=True)
    return small.getvalue()
