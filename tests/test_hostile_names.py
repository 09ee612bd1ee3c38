"""Names from outside are text in the book, never markup: a model, a task, a class, a message, whatever they hold."""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import pandas as pd
import pytest
from staged_project import RECORD, edit_notebook, make_project, make_run

from diffred_core import files
from diffred_core.drawing import Answer, Figure, Verdicts, show, style
from diffred_core.drawing._show import show_table
from diffred_core.results.claims import judge_exact
from diffred_core.running import Entry
from diffred_core.running.records import failed_path
from diffred_core.staging import build_book, stage_book
from diffred_core.staging._markdown import code, fenced, option, plain, table

ATTACK = "document.documentElement.dataset.ran=1"
MODEL = f"<img src=x onerror={ATTACK}>"
TASK = f"embeddings:<svg onload={ATTACK}>|`a``b` *c* _d_ $e$ [f](javascript:{ATTACK}) {{{{ g }}}} {{abbr}}`h` &lt;"
ENTRY = Entry("tiny", TASK, MODEL)
FAILED = Entry("tiny", "```\n# not a heading", "</script><script>document.documentElement.dataset.ran=1</script>")
MESSAGE = f"It <b>broke</b> | here ``` {MODEL}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """The elements of a page, and what of it is read as text."""

    def __init__(self):
        super().__init__()
        self.elements, self.words, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if not self.open:
            self.words.append(data)

    @classmethod
    def of(cls, path):
        page = cls()
        page.feed(path.read_text())
        return page

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    root = make_project(tmp_path_factory.mktemp("hostile") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DIFFRED_RUNS", raising=False)
        parameters = {"model": MODEL, "model_name": MODEL, "task": TASK, "task_name": TASK}
        make_run(ENTRY, parameters=parameters, device=MODEL)
        edit_notebook(ENTRY, _with_outputs)
        replace(RECORD, error=MESSAGE).write(failed_path(files.record_path(*ENTRY.place)))
        replace(RECORD, error=MESSAGE).write(failed_path(files.record_path(*FAILED.place)))
        yield build_book(stage_book([ENTRY, FAILED]), config=root / "_config.yml", output=root).parent


def _with_outputs(notebook):
    """Give the notebook of a run a table, a claim and a figure that hold the names, and a message."""
    rows = pd.DataFrame({"class": [MODEL], MODEL: ["<i>x</i>"]})
    claim = judge_exact(name=MODEL, statement=TASK, evidence=MESSAGE, value=1.0)
    drawn = Figure(lambda rows: rows, _plot, lambda _rows: f'{MODEL}" onerror="{ATTACK}')
    said = (Answer(TASK, [claim, claim]), Verdicts({MODEL: [claim]}, TASK))
    shown = [show_table(rows, caption=TASK), *map(show, said), show(drawn, rows)]
    cell = notebook["cells"][-1]
    results = [{"output_type": "display_data", "data": {"text/html": one.data}, "metadata": {}} for one in shown]
    printed = [
        {"output_type": "stream", "name": name, "text": f"{MESSAGE}\n{MODEL}\n"} for name in ("stdout", "stderr")
    ]
    cell["outputs"] = [
        *results,
        *printed,
        {"output_type": "display_data", "data": {"text/plain": MODEL}, "metadata": {}},
    ]


def _plot(rows, *, ax=None):
    ax = style.axes_or_new(ax)
    ax.plot([0, 1], [0, 1], label="$\\frac{broken $x$ _^")
    return style.finish(ax, title=f"{MODEL} $\\sum_", x=TASK, y="$")


def pages(book):
    return [path for path in book.rglob("*.html") if "_static" not in path.parts]


def attacks(page):
    """Return the elements of a page that only a name can have brought there."""
    return [
        (tag, attributes)
        for tag, attributes in page.elements
        if "ran=1" in " ".join(value or "" for name, value in attributes.items() if name.startswith("on"))
        or (attributes.get("href") or "").startswith("javascript:")
        or (tag == "img" and attributes.get("src") == "x")
    ]


def test_no_page_has_an_element_that_a_name_made(book):
    assert len(pages(book)) > 5
    for path in pages(book):
        assert not attacks(Page.of(path)), path.relative_to(book)
        assert "ran=1</script>" not in path.read_text(), path.relative_to(book)
    control = Page()
    control.feed(f"<p>{MODEL}</p>")
    assert len(attacks(control)) == 1


def test_every_page_shows_the_names_as_they_are(book):
    run_page = next(book.glob("results/tiny/*.html"))
    status = book / "back" / "grid-status.html"
    for path in (run_page, book / "results" / "tiny.html", status):
        text = Page.of(path).text
        assert MODEL in text, path.name
        assert TASK in text, path.name
        assert path not in (run_page, status) or re.sub(r"\s+", " ", MESSAGE) in text, path.name
    assert f"{MODEL} on {TASK}" in Page.of(run_page).text
    assert "``` # not a heading" in Page.of(book / "back" / "grid-status.html").text


def test_names_do_not_break_the_tables_of_the_book(book):
    for path, mark, n_cells in (("results/tiny", "results/tiny/|tiny/", 2), ("back/grid-status", "sd-badge", 5)):
        rows = re.findall(r"<tr class=.*?</tr>", (book / f"{path}.html").read_text(), re.DOTALL)
        of_runs = [row for row in rows if re.search(mark, row)]
        assert of_runs
        assert {row.count("<td>") for row in of_runs} == {n_cells}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the pages with")
def test_no_name_runs_in_a_browser(book, tmp_path):
    handler = functools.partial(_Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (book / "control.html").write_text(f"<!doctype html><title>control</title><p>{MODEL}</p>")
        try:
            assert "data-ran" in _rendered(f"{address}/control.html", tmp_path)
        finally:
            (book / "control.html").unlink()
        for path in (next(book.glob("results/tiny/*.html")), book / "results" / "tiny.html", book / "index.html"):
            assert "data-ran" not in _rendered(f"{address}/{quote(str(path.relative_to(book)))}", tmp_path)
        searched = _rendered(f"{address}/search.html?q=onerror", tmp_path)
        listed = searched.replace('<span class="highlighted">onerror</span>', "onerror")
        assert html.escape(MODEL, quote=False) in listed  # the heading is among what the search shows
        assert "data-ran" not in searched
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


def _rendered(address, folder):
    """Return the page at `address` as Chromium has it after its scripts have run."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    command = [CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=4000", address]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_text_code_fences_and_options_hold_anything():
    assert plain("tf_efficientnet_lite0.in1k on digits+noise:1") == "tf_efficientnet_lite0.in1k on digits+noise:1"
    assert plain("<b> a|b\n_c_ `d`") == r"\<b\> a\|b \_c\_ \`d\`"
    assert code("a") == "`a`"
    assert code("`a``b") == "``` `a``b ```"
    assert fenced("a\n```\nb", "text") == "````text\na\n```\nb\n````"
    assert json.loads(option('a "b"\n: c')) == 'a "b" : c'
    assert table(("x",), [("a|b",), (plain("a|b"),)]).splitlines()[2:] == [r"| a\|b |", r"| a\|b |"]
