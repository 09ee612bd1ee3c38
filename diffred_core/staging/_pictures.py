"""Pictures of an executed notebook and their numbers, as files of their own: a page then loads what is looked at.

In a notebook they stand inside the outputs, so that it can be sent to somebody as one file. A page of the book that
held its pictures would be read whole before anything of it is shown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from itertools import count
from typing import Any

FOLDER = "_static/figures"
_FIGURE = re.compile(
    r'<figure class="drawn">(?P<heading>(?:<figcaption>.*?</figcaption>)?)'
    r'<img src="data:image/png;base64,(?P<picture>[^"]*)"(?P<words>[^>]*)>'
    r'(?:<p><a download="figure\.csv" href="data:text/csv;base64,(?P<numbers>[^"]*)">)?',
    re.DOTALL,
)


def with_files(notebook: dict[str, Any], page: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return `notebook` as the book shows it at `page`, and the files that its figures then ask for, by path.

    Figure n has the place ``#figure-n``, so that it can be linked.
    """
    taken: dict[str, bytes] = {}
    number, up, stem = count(1), "../" * page.count("/"), page.removeprefix("results/").replace("/", "--")

    def refer(figure: re.Match[str]) -> str:
        place = next(number)
        name = f"{stem}--figure-{place}"
        taken[f"{FOLDER}/{name}.png"] = base64.b64decode(figure["picture"])
        shown = (
            f'<figure class="drawn" id="figure-{place}">{figure["heading"]}'
            f'<img src="{up}{FOLDER}/{name}.png" loading="lazy"{figure["words"]}>'
        )
        if figure["numbers"] is None:
            return shown
        taken[f"{FOLDER}/{name}.csv"] = base64.b64decode(figure["numbers"])
        return f'{shown}<p><a download="{name}.csv" href="{up}{FOLDER}/{name}.csv">'

    cells = [_with_html(cell, lambda text: _FIGURE.sub(refer, text)) for cell in notebook["cells"]]
    return notebook | {"cells": cells}, taken


def _with_html(cell: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return `cell` with every output that is HTML changed."""
    if "outputs" not in cell:
        return cell
    outputs = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "text/html" in data:
            data = data | {"text/html": change("".join(data["text/html"]))}
            output = output | {"data": data}
        outputs.append(output)
    return cell | {"outputs": outputs}
