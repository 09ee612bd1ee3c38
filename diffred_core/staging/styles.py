"""Style sheets of the theme without the rules that no page of the book can meet: four fifths of them.

A rule stays if every class that its selector needs stands in a page, or as a word in a script, which may set it later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from diffred_core import files

_CLASSES = re.compile(r'class="([^"]*)"')
_SCRIPT = re.compile(r"<script(?![^>]* src=)[^>]*>(.*?)</script>", re.DOTALL)
_WORD = re.compile(r"[\w-]+")
_COMMENT = re.compile(r"(/\*.*?\*/)", re.DOTALL)  # licences stand there
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")  # innermost: what @media holds too
_EMPTY = re.compile(r"@(?:media|supports)[^{};]*\{\s*\}")
_COMMA = re.compile(r",(?![^()]*\))")
_ANY_OF = re.compile(r":(?:not|is|where|has)\([^)]*\)")  # what it lists need not be there
_CLASS = re.compile(r"\.(-?[_a-zA-Z][\w-]*)")


def words_of(pages: Iterable[str], scripts: Iterable[str]) -> set[str]:
    """Return the classes that `pages` have, and all words of `scripts` and of those inside the pages."""
    words = {word for script in scripts for word in _WORD.findall(script)}
    for page in pages:
        words.update(name for names in _CLASSES.findall(page) for name in names.split())
        words.update(word for script in _SCRIPT.findall(page) for word in _WORD.findall(script))
    return words


def without_unused(style: str, words: Collection[str]) -> str:
    """Return a style sheet without the selectors that need a class which is none of `words`."""
    parts = _COMMENT.split(style)
    kept = [part if part.startswith("/*") else _RULE.sub(_kept_by(words), part) for part in parts]
    return _EMPTY.sub("", "".join(kept))


def shrink(outdir: Path, pages: Iterable[str]) -> None:
    """Take the unused rules out of the style sheets of the rendered book at `outdir`; `pages` are all of its HTML."""
    static = outdir / "_static"
    words = words_of(pages, (path.read_text(encoding="utf-8") for path in static.rglob("*.js")))
    for path in static.rglob("*.css"):
        style = path.read_text(encoding="utf-8")
        if (smaller := without_unused(style, words)) != style:
            files.write_text(path, smaller)


def _kept_by(words: Collection[str]) -> Callable[[re.Match[str]], str]:
    def kept(rule: re.Match[str]) -> str:
        if rule[1].lstrip().startswith("@"):
            return rule[0]
        selectors = [selector for selector in _COMMA.split(rule[1]) if _can_match(selector, words)]
        return f"{','.join(selectors)}{{{rule[2]}}}" if selectors else ""

    return kept


def _can_match(selector: str, words: Collection[str]) -> bool:
    return "\\" in selector or all(name in words for name in _CLASS.findall(_ANY_OF.sub("", selector)))
