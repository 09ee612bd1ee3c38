"""What is shown where a page of the book is linked: its title, a sentence and a picture, as tags in its head.

A Sphinx extension. The sentence of a page of results is its finding, which stands in its HTML and nowhere in the text
that other extensions read (sphinxext-opengraph takes the first paragraph); any other page has its first paragraph.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from diffred_core.staging._heading import as_text, finding_in

LONGEST = 200  # characters of a description, which previews cut there or later
SHORTEST = 40  # of a paragraph that describes its page
PICTURE = "finding.png"  # of the front page; another copy, which may be older, is in the repository
_ASIDE = (nodes.Admonition, nodes.topic, nodes.footnote, nodes.container, nodes.table)  # what is no prose of the page


def setup(app: Sphinx) -> dict[str, Any]:
    """Describe every page when it is written."""
    app.connect("html-page-context", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _describe(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    book, site = app.config.html_title or app.config.project, app.config.html_baseurl.rstrip("/")
    title = as_text(context.get("title") or "") or book
    folder = "_images" if (Path(app.srcdir) / "_generated" / PICTURE).is_file() else "_static"
    sentence = described(context.get("body") or "", doctree) or f"{title}: a page of {book}."
    address = "" if page == "index" else f"{page}.html"
    context["metatags"] = (context.get("metatags") or "") + tags(
        {
            "description": sentence,
            "og:title": title,
            "og:description": sentence,
            "og:type": "website" if page == "index" else "article",
            "og:site_name": book,
            "og:url": f"{site}/{address}",
            "og:image": f"{site}/{folder}/{PICTURE}",
            "twitter:card": "summary_large_image",
        }
    )


def described(body: str, doctree: nodes.document | None) -> str:
    """Return the finding that the HTML `body` states, else the first paragraph of prose, cut at a word; or nothing."""
    if finding := finding_in(body):
        return shortened(finding)
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        text = " ".join(paragraph.astext().split())
        if len(text) >= SHORTEST and not _is_aside(paragraph):
            return shortened(text)
    return ""


def shortened(text: str) -> str:
    """Return `text` with at most `LONGEST` characters, cut behind a word."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 1].rsplit(' ', 1)[0].rstrip(' ,;:')}…"


def tags(content: dict[str, str]) -> str:
    """Return the tags of the head for names and their content; names with a prefix are properties of Open Graph."""
    kinds = {name: "property" if name.startswith("og:") else "name" for name in content}
    return "".join(f'\n    <meta {kinds[name]}="{name}" content="{escape(text)}" />' for name, text in content.items())


def _is_aside(node: nodes.Node | None) -> bool:
    while node is not None and not isinstance(node, _ASIDE):
        node = node.parent
    return node is not None
