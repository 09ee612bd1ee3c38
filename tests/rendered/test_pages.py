"""The book that `make book` rendered, every page of it, as a reader's browser shows it: `make test-book`.

Pages are opened narrow and wide, light and dark, in turn; whether one scrolls sideways is asked of all at 390 px.
"""

from __future__ import annotations

import os
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `browser.py`
HTML = Path(os.environ.get("DIFFRED_BOOK", Path(__file__).parents[2] / "_build" / "html"))
MEBIBYTE = 2**20
MOST = MEBIBYTE
IMAGES = "[...document.images].map(image => image.src)"  # also those that are loaded once a reader comes to them
BROKEN = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
HEAVY = frozenset({"search.html"})  # with the index of all words


def pages():
    found = sorted(
        path for path in HTML.rglob("*.html") if "_static" not in path.parts and "_downloads" not in path.parts
    )
    if not found:
        pytest.fail(f"expected a rendered book in {HTML}, found none; run make book")
    return found


class Anchors(HTMLParser):
    """Collects where a page can be linked to, what it links to, and images without words."""

    def __init__(self):
        super().__init__()
        self.names, self.links, self.silent = set(), [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.names |= {attrs.get("id"), attrs.get("name")} - {None}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img" and not (attrs.get("alt") or "").strip():
            self.silent.append(attrs.get("src"))

    @classmethod
    def of(cls, path):
        parser = cls()
        parser.feed(path.read_text(encoding="utf-8"))
        return parser


def test_every_link_inside_the_book_leads_to_a_file_and_a_place_in_it():
    # a fragment with = is a state of the explorer, which its own tests open
    read = {path: Anchors.of(path) for path in pages()}
    lost = []
    for path, anchors in read.items():
        for link in anchors.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                lost.append(f"{path.relative_to(HTML)}: {link}")
            elif (
                parts.fragment
                and "=" not in parts.fragment
                and target in read
                and unquote(parts.fragment) not in read[target].names
            ):
                lost.append(f"{path.relative_to(HTML)}: {link}, no such place")
    assert lost == []


def test_every_image_has_words():
    assert [(path.name, Anchors.of(path).silent) for path in pages() if Anchors.of(path).silent] == []


@pytest.fixture(scope="module")
def complaints(system_chromium):
    """Return what is wrong with each page, by kind."""
    from browser import visit

    by_kind = {kind: [] for kind in ("errors", "requests", "violations", "overflow", "images", "weight")}
    for place, path in enumerate(pages()):
        width, theme = [(1440, "light"), (390, "dark"), (1440, "dark"), (390, "light")][place % 4]
        opened = visit(system_chromium, path, width=width, theme=theme)
        seen = {
            "errors": opened.errors,
            "requests": opened.left_the_machine,
            "violations": opened.violations(),
            "images": opened.page.evaluate(BROKEN),
            "weight": too_heavy(path, [*opened.requests, *opened.page.evaluate(IMAGES)]),
        }
        opened.page.set_viewport_size({"width": 390, "height": 900})
        seen["overflow"] = opened.overflow()[:4]
        opened.page.close()
        for kind, complaint in seen.items():
            by_kind[kind] += [f"{path.relative_to(HTML)} at {width} px, {theme}: {what}" for what in complaint]
    return by_kind


def too_heavy(path, addresses):
    """Return the weight of a page with all that it loads from `addresses`, where that is more than `MOST`."""
    loaded = {Path(unquote(urlsplit(address).path)) for address in addresses if address.startswith("file:")}
    weight = sum(file.stat().st_size for file in loaded if file.is_file())
    return [f"{weight / MEBIBYTE:.2f} MiB"] if weight > MOST and path.name not in HEAVY else []


@pytest.mark.parametrize("kind", ["errors", "requests", "violations", "overflow", "images", "weight"])
def test_nothing_is_wrong_with_any_page(complaints, kind):
    assert complaints[kind] == []
