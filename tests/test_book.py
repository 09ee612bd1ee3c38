"""The rendered book: built from a small project, warnings as errors, read as a browser reads it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import pytest
from faults import full_disk
from small_checkout import PROJECT, wait_for
from staged_project import CELL, edit_notebook, make_project, make_run

from diffred_core import files
from diffred_core.staging import BuildError, build_book, lost_pages, preview, stage_book
from diffred_core.staging._contents import short_contents
from diffred_core.staging._tree import list_tree
from diffred_core.staging.mend import mend

PAGE = "results/tiny/digits--a-model.html"
ANSWER = '<div class="answer">\n<p class="finding">Half of &lt;them&gt; keeps 9&nbsp;%.</p>\n</div>'


class Elements(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    @classmethod
    def of(cls, path):
        parser = cls()
        parser.feed(path.read_text())
        return parser.found


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = make_project(tmp_path_factory.mktemp("book") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DIFFRED_RUNS", raising=False)
        patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
        make_run()
        edit_notebook(CELL, answer)
        yield root


def answer(notebook):
    """Give the notebook of a run an answer."""
    shown = {"output_type": "display_data", "data": {"text/html": ANSWER}, "metadata": {}}
    cell = {"cell_type": "code", "id": "answer", "source": "show(answer)", "execution_count": 3, "outputs": [shown]}
    notebook["cells"].append(cell | {"metadata": {"tags": ["answer"]}})


@pytest.fixture(scope="module")
def html(project):
    return build(project).parent


def build(project):
    return build_book(stage_book([CELL]), config=project / "_config.yml", output=project)


def test_run_page_has_title_provenance_and_working_downloads(html):
    text = (html / PAGE).read_text()
    assert re.search(r"<h1>Tiny probes: a/model on UCI digits", text)
    assert "What produced this page" in text
    assert "$ diffred run tiny --model a/model" in re.sub(r"<[^>]+>", "", text)
    links = [attrs["href"] for tag, attrs in Elements.of(html / PAGE) if tag == "a" and "download" in attrs]
    names = {link.rpartition("/")[2] for link in links}
    assert {"digits--a-model--tiny.csv", "digits--a-model--tiny.ipynb"} <= names
    assert all((html / PAGE).parent.joinpath(link).is_file() for link in links if not link.startswith("http"))


def test_every_image_has_alternative_text_that_is_no_path(html):
    images = [attrs for page in html.rglob("*.html") for tag, attrs in Elements.of(page) if tag == "img"]
    assert "A white square." in {attrs.get("alt") for attrs in images}
    for attrs in images:
        assert attrs.get("alt", "").strip()
        assert not re.search(r"\.(png|svg|jpe?g)$|_images/", attrs["alt"])


def test_figures_are_loaded_from_files_that_the_book_has(html):
    images = [attrs["src"] for tag, attrs in Elements.of(html / PAGE) if tag == "img" and "figures" in attrs["src"]]
    assert len(images) == 1
    assert (html / PAGE).parent.joinpath(images[0]).is_file()


def test_the_source_of_a_page_of_results_is_its_executed_notebook(html):
    sources = {
        page: [a["href"] for tag, a in Elements.of(html / page) if "btn-download-source-button" in a.get("class", "")]
        for page in (PAGE, "start.html")
    }
    assert sources["start.html"] == ["_sources/start.md"]  # of a page of prose it is what was written
    (source,) = sources[PAGE]
    assert source.endswith("digits--a-model--tiny.ipynb")
    assert "data:image/png" in (html / PAGE).parent.joinpath(source).read_text()
    assert not list(html.glob("_sources/results/**/*.ipynb"))


def test_a_figure_that_no_page_has_any_more_is_not_kept(project, html):
    lost = html / "_static" / "figures" / "old--figure-1.png"
    lost.write_bytes(b"old")
    list_tree(html)
    assert not (build(project).parent / lost.relative_to(html)).exists()
    assert list((html / "_static" / "figures").glob("tiny--*.png"))


def test_every_page_names_its_language(html):
    pages = [page for page in html.rglob("*.html") if "_static" not in page.parts]
    assert len(pages) > 5
    assert all(("html", "en") in {(tag, attrs.get("lang")) for tag, attrs in Elements.of(page)} for page in pages)


def test_nothing_is_loaded_from_the_network(html):
    for page in html.rglob("*.html"):
        for tag, attrs in Elements.of(page):
            loaded = attrs.get("src") if tag in ("script", "img", "iframe") else None
            if tag == "link" and attrs.get("rel") in ("stylesheet", "preload", "icon"):
                loaded = attrs.get("href")
            assert not (loaded or "").startswith(("http:", "https:", "//")), (page.name, loaded)


def tags_of(page):
    """Return the content of every meta tag of a page by its name."""
    attributes = [attrs for tag, attrs in Elements.of(page) if tag == "meta"]
    return {attrs.get("property") or attrs.get("name"): attrs.get("content") for attrs in attributes}


def test_every_page_says_what_is_shown_where_it_is_linked(html):
    site = "https://diffred.github.io/diffred-book"
    pages = [page for page in html.rglob("*.html") if "_static" not in page.parts]
    for page in pages:
        tags, place = tags_of(page), page.relative_to(html).as_posix()
        assert tags["description"] == tags["og:description"]
        assert 10 < len(tags["description"]) <= preview.LONGEST
        assert tags["og:title"]
        assert tags["og:type"] == ("website" if place == "index.html" else "article")
        assert tags["og:url"] == f"{site}/{'' if place == 'index.html' else place}"
        assert tags["twitter:card"] == "summary_large_image"
        assert (html / tags["og:image"].removeprefix(f"{site}/")).is_file()
        assert page.read_text().count('property="og:title"') == 1
    assert len({tags_of(page)["og:url"] for page in pages}) == len(pages)


def test_a_page_of_results_is_described_by_its_finding_and_prose_by_its_first_paragraph(html):
    assert tags_of(html / PAGE)["description"] == "Half of <them> keeps 9 %."
    assert tags_of(html / PAGE)["og:title"] == "Tiny probes: a/model on UCI digits"
    assert tags_of(html / "results" / "tiny.html")["description"] != "Half of <them> keeps 9 %."
    assert preview.described("<p>Half.</p>", None) == ""
    assert preview.described('<p class="finding">A <b>half</b>\n of it.</p>', None) == "A half of it."


def test_a_long_description_ends_with_a_word():
    text = "word, " * 60
    cut = preview.shortened(text)
    assert len(cut) <= preview.LONGEST
    assert cut.endswith("word…")
    assert preview.shortened("short") == "short"


def test_formula_is_mathml_in_the_page(html):
    tags = [tag for tag, _ in Elements.of(html / "start.html")]
    assert "math" in tags
    assert "<mo>&#x02264;</mo>" in (html / "start.html").read_text()


@pytest.mark.parametrize("page", ["index.html", "start.html", PAGE, "results/tiny.html", "back/api/plain.html"])
@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "light")])
def test_a_browser_finds_nothing_wrong_with_a_page(html, open_page, page, width, theme):
    visit = open_page(html / page, width=width, theme=theme)
    assert visit.errors == []
    assert visit.violations() == []
    assert visit.overflow() == []
    assert visit.left_the_machine == []
    assert not any("fontawesome" in address for address in visit.requests)


def test_a_page_is_mended_once_and_an_unknown_icon_stays():
    icons = 'brands={star:[1,2,[],"f0","M0"]};solid={star:[3,4,[],"f0","M1"],"far-off":[5,6,[],"f1","M2"]}'
    page = '<i class="fa-solid fa-star fa-lg" data-mode="x" title="Star"></i><i class="fab fa-star"></i>'
    page += '<i class="fas fa-no"></i>'
    mended = mend(page, icons)
    assert re.findall(r'viewBox="([^"]*)"><path fill="currentColor" d="([^"]*)"', mended) == [
        ("0 0 3 4", "M1"),
        ("0 0 1 2", "M0"),
    ]
    assert 'data-mode="x"' in mended
    assert "Star" not in mended
    assert '<i class="fas fa-no"></i>' in mended
    assert mend(mended, icons) == mended


def contents_of(page):
    return page.read_text().partition('<nav class="bd-links')[2].partition("</nav>")[0]


def test_the_contents_hold_the_branch_of_the_page_and_the_first_page_of_any_other(html):
    pages = {"api": "back/api/plain.html", "results": PAGE, "start": "start.html"}
    inside = {name: contents_of(html / place) for name, place in pages.items()}
    assert 'class="current reference internal" href="#">diffred_core.plain<' in inside["api"]
    assert 'class="current reference internal" href="#">a/model on UCI digits<' in inside["results"]
    for contents in inside.values():  # a way to every branch, open or not
        assert re.search(r'href="(?:\.\./)*(?:results/)?tiny\.html"|href="\.\./tiny\.html"', contents)
        assert re.search(r'href="(?:\.\./)*(?:back/)?api\.html"', contents)
    assert [name for name, contents in inside.items() if "plain" in contents] == ["api"]
    assert [name for name, contents in inside.items() if "a/model" in contents] == ["results"]


def branch(*titles, current=0):
    """Return contents with one open branch of pages with these titles, and a closed one with a branch in it."""
    pages = "\n".join(
        f'<li class="toctree-l2{" current active" if i == current else ""}">'
        f'<a class="reference internal" href="{i}.html">{title}</a></li>'
        for i, title in enumerate(titles)
    )
    link = '<a class="reference internal" href="c.html">C</a>'
    closed = f'<li class="toctree-l1 has-children">{link}<details><summary></summary><ul>'
    inner = closed.replace("l1", "l2").replace("c.html", "d.html") + "<li>deep</li></ul></details></li>"
    return (
        '<nav class="bd-links"><ul><li class="toctree-l1 current active has-children">'
        '<a class="reference internal" href="b.html">B</a>'
        f'<details open="open"><summary></summary><ul class="current">{pages}</ul></details></li>\n'
        f"{closed}{inner}</ul></details></li></ul></nav><main><details><summary>kept</summary></details></main>"
    )


def test_many_pages_of_a_branch_stand_by_task_and_closed_branches_are_left_out():
    titles = [f"Net {i} on {task}" for task in ("digits", "solar cells") for i in range(4)]
    short = short_contents(branch(*titles))
    assert re.findall(r'<li class="contents-task"><p>([^<]*)</p><ul>', short) == ["digits", "solar cells"]
    assert re.findall(r'href="(\d)\.html">([^<]*)<', short) == [(str(i), f"Net {i % 4}") for i in range(8)]
    assert short.count("current active") == 2
    assert 'href="c.html">C</a></li>' in short
    assert "deep" not in short
    assert "<details><summary>kept</summary></details></main>" in short
    assert short_contents(short) == short
    assert "contents-task" not in short_contents(branch(*titles[:3]))  # so few are found without
    assert "contents-task" not in short_contents(branch(*titles[:7], "Another page"))
    assert "contents-task" not in short_contents(branch(*(f"Net {i} on digits" for i in range(9))))


def test_named_function_leads_to_its_entry(html):
    assert 'href="back/api/plain.html#diffred_core.plain.double"' in (html / "start.html").read_text()
    assert 'id="diffred_core.plain.double"' in (html / "back" / "api" / "plain.html").read_text()


def test_inventory_names_the_public_functions(html):
    inventory = zlib.decompress((html / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    assert "diffred_core.plain.double py:function 1 back/api/plain.html#$ -" in inventory
    assert "diffred_core.plain.triple" not in inventory


def test_broken_page_fails_the_build_every_time_and_a_repaired_one_passes(project, html, capfd):
    page = project / "book" / "start.md"
    whole = page.read_text()
    page.write_text(whole + "\nSee [this](nowhere.md) and $\\nosuchcommand$.\n")
    for _ in range(2):
        with pytest.raises(BuildError, match="did not build without a warning"):
            build(project)
        printed = "".join(capfd.readouterr())
        assert "nowhere.md" in printed
        assert "nosuchcommand" in printed
    page.write_text(whole)
    assert build(project).is_file()


def words_of(html):
    """Return the pages by name, without the marks by which a browser tells versions of a style apart."""
    return {path.relative_to(html): re.sub(r"\?v=\w+", "", path.read_text()) for path in html.rglob("*.html")}


def rendered(html):
    """Return the files of the rendered book by name, with their digests."""
    return {path.relative_to(html).as_posix(): files.sha256(path) for path in html.rglob("*") if path.is_file()}


def test_a_build_on_a_full_disk_or_killed_keeps_the_last_book_and_the_next_is_whole(project, html, capfd):
    last, words = rendered(html), words_of(html)
    assert lost_pages() == []
    page = project / "book" / "start.md"
    whole = page.read_text()
    page.write_text(whole + "\nAnother line.\n")
    source = stage_book([CELL])
    with full_disk(at=20_000), pytest.raises((BuildError, OSError)):
        build_book(source, config=project / "_config.yml", output=project)
    assert rendered(html) == last
    code = (
        "from pathlib import Path\nfrom diffred_core.staging import build_book\n"
        f"project = Path({str(project)!r})\n"
        f"build_book(Path({str(source)!r}), config=project / '_config.yml', output=project)"
    )
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True, cwd=PROJECT) as building:
        part = html.with_name("html.part") / "start.html"
        wait_for(lambda: part.is_file() and "Another line." in part.read_text())
        os.killpg(building.pid, signal.SIGKILL)
    assert rendered(html) == last
    assert lost_pages() == []
    build(project)
    assert "Another line." in (html / "start.html").read_text()
    page.write_text(whole)
    build(project)
    assert set(rendered(html)) == set(last)
    assert words_of(html) == words
    assert not html.with_name("html.part").exists()


def test_a_page_that_was_edited_or_lost_is_named_and_rendered_anew(project, html):
    last, words = rendered(html), words_of(html)
    (html / PAGE).write_text((html / PAGE).read_text().replace("Tiny probes", "Huge probes"))
    (html / "_static" / "book.css").unlink()
    assert set(lost_pages()) == {f"_build/html/{PAGE}", "_build/html/_static/book.css"}
    build(project)
    assert words_of(html) == words
    assert set(rendered(html)) == set(last)
    assert lost_pages() == []
