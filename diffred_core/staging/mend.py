"""What the theme of the book leaves to mend in its pages: names for readers of the screen, scripts that break, weight.

A Sphinx extension. The theme writes these parts into every page from templates of its own, so the pages are mended
once all are written; a page that is mended stays as it is. Tests open the pages in a browser and count what is left.
"""

from __future__ import annotations

import re
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from diffred_core import files
from diffred_core.staging._contents import short_contents
from diffred_core.staging.styles import shrink

# a cell's code runs nowhere but where it was executed, so the script that would run it here only breaks
_UNUSED = re.compile(
    r"\s*<script[^>]*(?:fontawesome\.js|sphinx-thebe\.js)[^>]*></script>"
    r"|\s*<script>const THEBE_JS_URL.*?</script>"
    r"|\s*<script type=\"text/x-thebe-config\">.*?</script>"
    r"|\s*<link[^>]*(?:sphinx-thebe\.css|fontawesome\.js)[^>]*>",
    re.DOTALL,
)
# the index of all words, which the page of the search alone asks
_SEARCH = re.compile(r"\s*<script src=\"[^\"]*(?:searchtools|language_data|searchindex)\.js[^\"]*\"></script>")
_ICON = re.compile(
    r'<(?P<tag>i|span) class="(?P<classes>[^"]*\bfa[srb]?\b[^"]*|[^"]*\bfa-(?:solid|regular|brands)\b[^"]*)"'
    r"(?P<others>[^>]*)></(?P=tag)>"
)
# the full name of what a link leads to is in its address
_TITLE = re.compile(r'(<a class="reference internal" href="[^"]*#diffred_core[^"]*") title="[^"]*"')
_SHAPE = r'[{{,]"?{name}"?:\[(\d+),(\d+),\[[^\]]*\],"[^"]*","([^"]+)"\]'
_SIZES = frozenset({"fa-lg", "fa-solid", "fa-regular", "fa-brands"})
# of a branch of the contents: the link of the page, then the button that shows the pages below
_BRANCH = re.compile(
    r'(<a class="(?:current )?reference internal"[^>]*>)((?:[^<]|<(?!/a>))*)(</a>\s*<details[^>]*>\s*<summary)>'
)
_TAGS = re.compile(r"<[^>]*>")
# their words in view are their name, and another name is one that speech control does not find
_SECOND_NAME = re.compile(
    r"(<summary[^>]*?|<button class=\"btn search-button-field[^>]*?) aria-label=\"(?:Toggle hidden content|Search)\""
)
# what scrolls can be reached by keyboard, and a reader of the screen then says what it is
_SCROLLING = re.compile(r'<div class="(pst-scrollable-table-container|output text_html)">')
_FORMULA = re.compile(r'<div class="(math[^"]*)">')
# Sphinx writes one argument a line as definitions without terms
_ARGUMENTS = re.compile(r"<dl>\s*((?:<dd>(?:(?!</?d[dl]>).)*</dd>\s*)+)</dl>", re.DOTALL)
# keeps words of code in one line however narrow the page, and is a third of a page of the API
_UNBROKEN = re.compile(r'<span class="pre">([^<]*)</span>')
# the source of a page of results asks for files beside it; its executed notebook does not
_SOURCE = re.compile(r'href="[^"]*_sources/results/[^"]*\.ipynb"')
_EXECUTED = re.compile(r'href="[^"]*_downloads/[^"]*\.ipynb"')
_HOME = re.compile(r'<div class="sidebar-primary-item">(?=\s*<a class="navbar-brand logo")')


def setup(app: Sphinx) -> dict[str, Any]:
    """Mend the pages when the last is written."""
    app.connect("build-finished", _mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mend_pages(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    outdir = Path(app.outdir)
    icons = (outdir / "_static" / "scripts" / "fontawesome.js").read_text(encoding="utf-8")
    pages = []
    for path in outdir.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        pages.append(mend(page, icons, searches=path == outdir / "search.html"))
        if pages[-1] != page:
            files.write_text(path, pages[-1])
    shrink(outdir, pages)
    for path in (outdir / "_sources" / "results").rglob("*.ipynb"):  # nothing leads there any more
        path.unlink()
    shown = Path(app.srcdir) / "_static" / "figures"
    for path in (outdir / "_static" / "figures").glob("*"):  # of the last book
        if not (shown / path.name).is_file():
            path.unlink()


def mend(page: str, icons: str, *, searches: bool = False) -> str:
    """Return `page` with drawn icons, a name for every button, and without scripts that nothing uses.

    Parameters
    ----------
    page : str
        HTML of the theme.
    icons : str
        The script of Font Awesome, which holds the outline of every icon. It is 1.5 MB, and a page shows some fifteen.
    searches : bool
        Whether it is the page of the search.
    """
    page = _UNUSED.sub("", page).replace('role="doc-biblioentry"', 'role="listitem"')  # the first was withdrawn
    page = page.replace('<table class="indextable', '<table role="presentation" class="indextable')
    page = page if searches else _SEARCH.sub("", page)
    page = _ICON.sub(partial(_drawn, icons), page)
    page = _BRANCH.sub(_named, short_contents(page))
    page = _SECOND_NAME.sub(r"\1", page)
    page = _TITLE.sub(r"\1", _UNBROKEN.sub(r"\1", page))
    page = _ARGUMENTS.sub(_listed, page)
    if executed := _EXECUTED.search(page):
        page = _SOURCE.sub(f"{executed[0]} download", page)
    page = _HOME.sub('<div class="sidebar-primary-item" role="navigation" aria-label="Front page">', page)
    number, formula = count(1), count(1)
    named = 'role="region" tabindex="0" aria-label="Formula'
    page = _FORMULA.sub(lambda box: f'<div class="{box[1]}" {named} {next(formula)}">', page)
    return _SCROLLING.sub(lambda box: f'<div class="{box[1]}" role="region" aria-label="Table {next(number)}">', page)


def _drawn(icons: str, icon: re.Match[str]) -> str:
    """Return an icon of the theme as a drawing; one that Font Awesome does not know stays."""
    classes, others = icon["classes"].split(), re.sub(r'\s+title="[^"]*"', "", icon["others"])
    name = next((c.removeprefix("fa-") for c in classes if c.startswith("fa-") and c not in _SIZES), "")
    shapes = _shapes(name, icons)
    if not shapes:
        return icon[0]
    width, height, outline = shapes[-1 if {"fas", "fa-solid"} & set(classes) else 0]
    # its own classes would draw it once more, from a font
    kept = [
        "icon",
        *(c for c in classes if not re.match("fa[srb]?(-|$)", c)),
        *(["icon-large"] if "fa-lg" in classes else []),
    ]
    box = f"0 0 {width} {height}"
    drawing = f'<path fill="currentColor" d="{outline}"/>'
    return f'<svg class="{" ".join(kept)}"{others} aria-hidden="true" viewBox="{box}">{drawing}</svg>'


@cache
def _shapes(name: str, icons: str) -> list[tuple[str, str, str]]:
    """Return width, height and outline of an icon in every style: of a brand, in lines, and solid."""
    return re.findall(_SHAPE.format(name=re.escape(name)), icons)


def _named(branch: re.Match[str]) -> str:
    """Return a branch of the contents whose button has a name."""
    opening, title, button = branch.groups()
    return f'{opening}{title}{button} aria-label="Pages below {_TAGS.sub("", title).strip()}">'


def _listed(arguments: re.Match[str]) -> str:
    """Return the arguments of a signature, a line each."""
    lines = arguments[1].replace("<dd>", '<span class="sig-argument">').replace("</dd>", "</span>")
    return f'<span class="sig-arguments">{lines}</span>'
