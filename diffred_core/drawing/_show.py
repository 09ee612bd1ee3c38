"""Showing a figure with its alternative text, in JupyterLab and in the book alike."""

from __future__ import annotations

import base64
import html
from io import BytesIO

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from diffred_core.errors import InputError

DPI = 100  # of the page; the picture has twice as many, for screens that have them


def png(figure: Figure) -> bytes:
    """Return `figure` as a small PNG on white; the same figure gives the same bytes.

    256 colours are enough for lines and bands and make a quarter of the size.
    """
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=2 * DPI, facecolor="white")
    small = BytesIO()
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(256).save(small, format="PNG", optimize=True)
    return small.getvalue()


def show(figure: Figure, *, alt: str, caption: str | None = None) -> HTML:
    """Return the figure as an HTML figure element with alternative text, and close it.

    HTML, because an image output gets its alternative text in the book only from the metadata of the cell, which
    cannot hold numbers of the run.

    Parameters
    ----------
    figure : Figure
        What to show.
    alt : str
        What somebody who does not see the figure has to know: what is drawn, and its numbers.
    caption : str, optional
        Text below the figure.

    Raises
    ------
    InputError
        If `alt` is empty.
    """
    if not alt.strip():
        raise InputError("alt must say what the figure shows, got an empty text; use the describe_* function")
    data = base64.b64encode(png(figure)).decode()
    plt.close(figure)
    width = round(figure.get_figwidth() * DPI)
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" style="max-width: 100%; height: auto" '
        f'alt="{html.escape(alt, quote=True)}">{below}</figure>'
    )
