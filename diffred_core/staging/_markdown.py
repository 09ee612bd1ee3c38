"""Markdown: names and messages as the text that they are, a table, and a NumPy-style docstring as prose.

What comes from outside (a model, a task, a class, a value, a message) passes through `plain`, `code`, `fenced` or
`option` before it stands in a page, and nowhere else: then it is text, whatever it holds.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Container, Iterable, Iterator, Sequence

_SECTION = re.compile(r"^(?P<name>[A-Z][A-Za-z ]+)\n-{3,}\s*$", re.MULTILINE)
_ROLE = re.compile(r":[a-z:]+:`~?([^`<]+?)(?: <[^>]*>)?`")
_MATH = re.compile(r":math:`([^`]+)`")
_SPECIAL = re.compile(r"([\\*_\[\]<>|$#])")
_PIPE = re.compile(r"(?<!\\)\|")  # one that is escaped already stays as it is
_MARKUP = re.compile(r"[\\`*\[\]<>|$#&~{}^]|(?<!\w)_|_(?!\w)")
_LISTS = {"Parameters", "Returns", "Yields", "Raises", "Attributes", "Other Parameters", "Warns"}


def plain(value: object) -> str:
    """Return `value` as running text on one line: nothing of it is read as Markdown, HTML, a role or a formula."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(value).split()))


def code(value: object) -> str:
    """Return `value` on one line in a fixed-width font, within more backticks than it holds."""
    text = " ".join(str(value).split())
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{gap}{text}{gap}{ticks}" if text else ""


def fenced(text: str, language: str) -> str:
    """Return the lines of `text` as a block of `language`, within a longer fence than any that it holds."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def option(text: str) -> str:
    """Return `text` as the value of a directive's option, such as ``:alt:``."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Container[str] = ()) -> str:
    """Return a table of cells in Markdown, columns in `right` to the right; what would end a cell is escaped."""
    lines = (" | ".join(_PIPE.sub(r"\|", cell).replace("\n", " ") for cell in row) for row in rows)
    return "\n".join(
        [
            f"| {' | '.join(columns)} |",
            f"|{''.join('---:|' if name in right else '---|' for name in columns)}",
            *(f"| {line} |" for line in lines),
        ]
    )


def to_markdown(docstring: str) -> str:
    """Return `docstring`, indented or not, as Markdown without headings."""
    blocks = []
    for name, body in _sections(inspect.cleandoc(docstring)):
        if not name:
            blocks.append(_prose(body))
        elif name in _LISTS:
            blocks.append(f"**{name}**\n\n{_definitions(body)}")
        elif name == "Examples":
            blocks.append(f"**{name}**\n\n```python\n{body.strip()}\n```")
        else:
            blocks.append(f"**{name}**\n\n{_prose(body)}")
    return "\n\n".join(block for block in blocks if block.strip())


def _sections(text: str) -> Iterator[tuple[str, str]]:
    heads = list(_SECTION.finditer(text))
    yield "", text[: heads[0].start()] if heads else text
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):
        yield head["name"], text[head.end() : end].strip("\n")


def _definitions(body: str) -> str:
    entries: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line and not line[0].isspace():
            entries.append((line.strip(), []))
        elif entries:
            entries[-1][1].append(line)
    return "\n\n".join(_definition(term, inspect.cleandoc("\n".join(["", *lines]))) for term, lines in entries)


def _definition(term: str, text: str) -> str:
    name, _, kind = term.partition(" : ")
    head = f"`{name}`" + (f" : {_inline(kind)}" if kind else "")
    if not text.strip():
        return f"- {head}"
    body = _prose(text).replace("\n", "\n  ")
    return f"{head}\n: {body}"


def _prose(text: str) -> str:
    """Return the paragraphs of `text`; indented ones, and those after ``::``, are kept as they are."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith((" ", "\t")):
            paragraphs.append(f"```text\n{inspect.cleandoc(paragraph)}\n```")
        else:
            paragraphs.append(_inline(re.sub(r"::$", ":", paragraph)))
    return "\n\n".join(paragraphs)


def _inline(text: str) -> str:
    """Return `text` with code and formulas kept, and everything that Markdown would read otherwise escaped."""
    text = _ROLE.sub(r"``\1``", _MATH.sub(r"\\math{\1}\\endmath", text))
    pieces = re.split(r"(\\math\{.*?\}\\endmath|``[^`]+``|`[^`]+`)", text)
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> str:
    if piece.startswith("\\math{"):
        return "$" + piece[len("\\math{") : -len("}\\endmath")] + "$"
    if piece.startswith("`"):
        return f"`{piece.strip('`')}`"
    return _SPECIAL.sub(r"\\\1", piece)
