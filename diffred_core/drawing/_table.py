"""Small tables with a caption, for people who read or hear them."""

from __future__ import annotations

import html

import pandas as pd
from IPython.display import HTML


def show_table(table: pd.DataFrame, *, caption: str, digits: int = 3) -> HTML:
    """Return `table` as an HTML table with a caption; the columns are its header, the index is not shown.

    Parameters
    ----------
    table : DataFrame
        Few rows, columns already named for readers; a missing value is shown as a dash.
    caption : str
        What the table holds, with units and the meaning of its intervals.
    digits : int, default=3
        Decimal places of numbers that are not whole.
    """
    text = table.to_html(index=False, border=0, na_rep="–", float_format=lambda value: f"{value:.{digits}f}")
    text = text.replace("<th>", '<th scope="col">').replace(' style="text-align: right;"', "")  # headings over columns
    head, rest = text.split(">", 1)
    return HTML(f"{head}>\n  <caption>{html.escape(caption)}</caption>{rest}")
