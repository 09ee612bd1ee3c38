"""A page in a real browser, as a reader has it, and what went wrong while it was open.

The browser is the Chromium of the system, without a network. Tests ask for the fixture `open_page` of ``conftest.py``:
``visit = open_page(path, width=390, theme="dark")`` gives the page of Playwright as ``visit.page``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

HEIGHT = 900
LOCAL = ("file", "data", "blob", "about")
# every rule of axe-core, those on trial too; its own look-ups of style sheets are left out, which a file may not make
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
AXE = {"runOnly": RULES, "resultTypes": ["violations"], "preload": False}
# what is wider than the window and stands in no box that scrolls by itself
WIDER = """() => {
    const width = document.documentElement.clientWidth;
    const scrolls = e => e && e !== document.body
        && (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    return [...document.body.querySelectorAll("*")]
        .filter(e => e.getBoundingClientRect().width && e.getBoundingClientRect().right > width + 1
            && !scrolls(e.parentElement))
        .map(e => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || e.id}`);
}"""


def system_browser() -> str | None:
    """Return the path of the Chromium of the system, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def running_browser(executable: str) -> Iterator[Browser]:
    """Give a browser without windows, which ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page that is open, with what it complained of and asked for.

    Attributes
    ----------
    page : Page
        Of Playwright.
    errors : list of str
        Errors in the console, and scripts that broke, so far.
    requests : list of str
        Addresses of all that was loaded so far.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def left_the_machine(self) -> list[str]:
        """The addresses that are no files of this machine."""
        return [address for address in self.requests if urlsplit(address).scheme not in LOCAL]

    def violations(self, *, within: str = "body") -> list[str]:
        """Return what axe-core finds in the part of the page that the selector `within` names, a line an element."""
        found = Axe().run(self.page, context=within, options=AXE).response["violations"]
        return [
            f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}"
            for rule in found
            for node in rule["nodes"]
        ]

    def overflow(self) -> list[str]:
        """Return the elements for which the whole page scrolls sideways, the page itself first."""
        sideways = self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
        return ["page", *self.page.evaluate(WIDER)] if sideways else []

    def _message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)


def visit(
    browser: Browser,
    path: Path | str,
    *,
    width: int = 1440,
    theme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Visit:
    """Open the file at `path`, or the address, in a window of `width` pixels; close it by ``visit.page.close()``."""
    page = browser.new_page(
        viewport={"width": width, "height": HEIGHT},
        color_scheme=theme,
        java_script_enabled=scripts,
        offline=True,
        reduced_motion="reduce",
        accept_downloads=True,
    )
    opened = Visit(page)
    page.on("console", opened._message)
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("request", opened._asked)
    page.goto(path.resolve().as_uri() if isinstance(path, Path) else path)
    return opened
