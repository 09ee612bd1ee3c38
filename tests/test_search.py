"""The search of the rendered book, in a real browser: what to read first stands first, whatever page has the word."""

from __future__ import annotations

import shutil

import pytest
import yaml
from staged_project import CELL, TOC, edit_notebook, make_project, make_run

from diffred_core.staging import build_book, stage_book

WORD = "redundancy"
PROSE = {
    "start/how-to-read": f"# How to read\n\nOf {WORD}.\n",
    "start/later": f"# About {WORD}\n\nMore of {WORD}.\n",
    "back/glossary": f"# Glossary\n\n{WORD.capitalize()}\n: what can go\n",
}
HREFS = "all => all.map(link => link.getAttribute('href').split('.html')[0])"


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """Return a rendered book in which pages of every kind have the word."""
    root = make_project(tmp_path_factory.mktemp("search") / "project")
    toc = yaml.safe_load(TOC)
    toc["parts"][0]["chapters"] += [{"file": name} for name in PROSE]
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))
    for name, text in PROSE.items():
        (root / "book" / f"{name}.md").parent.mkdir(exist_ok=True)
        (root / "book" / f"{name}.md").write_text(text)
    (root / "diffred_core" / f"{WORD}.py").write_text(
        f'"""Of {WORD}."""\n\n\ndef needed_share(x):\n    """Return {WORD}."""\n    return x\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DIFFRED_RUNS", raising=False)
        patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
        make_run()
        question = f"# Tiny probes\n\nHow much {WORD} can there be?"
        edit_notebook(CELL, lambda notebook: notebook["cells"][0].update(source=question))
        yield build_book(stage_book([CELL]), config=root / "_config.yml", output=root).parent


@pytest.fixture
def search(open_page):
    """Return a function that asks the search of a book, and gives the pages that it finds, each once, in order."""

    def ask(html, words):
        visit = open_page(f"{(html / 'search.html').as_uri()}?q={words}")
        visit.page.wait_for_function("document.querySelector('#search-results .search-summary').textContent")
        links = visit.page.locator("#search-results ul.search a").evaluate_all(HREFS)
        return list(dict.fromkeys(links)), visit.errors

    return ask


def test_what_to_read_first_stands_first_then_overviews_then_cells_and_the_api_last(html, search):
    pages, errors = search(html, WORD)
    assert pages[:3] == ["start/how-to-read", "start/later", "back/glossary"]
    assert pages[3:5] == ["results/tiny", "results/tiny/digits--a-model"]
    assert pages[5] == "back/api/redundancy"
    assert all(page.startswith("back/api") for page in pages[5:])
    assert errors == []


def test_without_our_order_it_would_be_another(html, search, tmp_path):
    plain = shutil.copytree(html, tmp_path / "plain")
    script = plain / "_static" / "language_data.js"
    text = script.read_text()
    assert "score: ([page" in text
    script.write_text(text.replace("score: ([page", "unused: ([page"))
    pages, _ = search(plain, WORD)
    assert "start/how-to-read" in pages[1:]


def test_a_name_of_code_leads_to_its_entry(html, search):
    pages, _ = search(html, "needed_share")
    assert pages[0] == "back/api/redundancy"
