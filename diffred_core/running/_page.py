"""One executed notebook as one page that needs nothing else: no script, no file beside it, no network."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from nbformat import NotebookNode

_STYLE = """
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; }
h1, h2 { line-height: 1.2; } img { max-width: 100%; height: auto; } figure { margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; } .wide { overflow-x: auto; }
caption { text-align: left; padding: 0.5rem 0; color: #444; } th, td { padding: 0.25rem 0.6rem; text-align: left; }
thead th { border-bottom: 2px solid #888; } tbody tr:nth-child(even) { background: #f4f4f4; }
code { overflow-wrap: anywhere; } pre code { overflow-wrap: normal; }
pre { background: #f4f4f4; padding: 0.75rem; width: max-content; min-width: calc(100% - 1.5rem); }
details { margin: 0.75rem 0; }
.answer { border-left: 0.3rem solid #0072B2; background: #eef5fa; padding: 0.5rem 1rem; }
:root { color-scheme: light dark; } img { background: #fff; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e6e6e6; } caption { color: #b5b5b5; } a { color: #8ec8f0; }
  tbody tr:nth-child(even), pre { background: #22262c; } .answer { background: #1b2a36; border-color: #56b4e9; }
}
.finding { font-size: 1.1rem; } .verdict { font-weight: bold; } .claim { margin-right: 0.5rem; }
"""

_WIDE = re.compile(r"<(table|pre)\b.*?</\1>", re.DOTALL)


def page_of(notebook: Path, *, title: str) -> str:
    """Return the text and the outputs of an executed notebook as an HTML page, without its code.

    What the cell tagged ``answer`` shows stands under the first heading.

    Parameters
    ----------
    notebook : Path
        Its outputs are HTML and text, as `drawing.show` and ``print`` give them; pictures are inside.
    title : str
        Of the window.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    answers = [cell for cell in cells if "answer" in cell.metadata.get("tags", ())]
    order = [*cells[:1], *answers, *(cell for cell in cells[1:] if cell not in answers)]
    body = _WIDE.sub(_reachable(), "\n".join(part for cell in order if (part := _part(cell))))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _reachable() -> Callable[[re.Match[str]], str]:
    """Return what puts a table or code into a box that scrolls, by keyboard too, and has a name of its own."""
    number = count(1)

    def boxed(wide: re.Match[str]) -> str:
        name = f"{'Table' if wide[1] == 'table' else 'Lines'} {next(number)}"
        return f'<div class="wide" role="region" tabindex="0" aria-label="{name}">{wide[0]}</div>'

    return boxed


def _part(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return str(MarkdownIt("commonmark", {"html": False}).render(cell.source))
    return "\n".join(_output(output) for output in cell.get("outputs", ()))


def _output(output: NotebookNode) -> str:
    shown = output.get("data", {}).get("text/html")
    if shown is not None:
        return str(shown)
    text = output.get("text") or output.get("data", {}).get("text/plain") or ""
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""
