"""The documents at the top of the repository agree with each other and with what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch
import yaml
from pybtex.database import parse_string
from pybtex.scanner import PybtexSyntaxError

ROOT = Path(__file__).parents[1]
ADDRESS = "https://github.com/diffred/diffred-book"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def dead_links(markdown):
    targets = re.findall(r"\]\(([^)\s]+)\)", markdown)
    return [t for t in targets if not t.startswith(("http", "#", "mailto:")) and not (ROOT / t).exists()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    assert dead_links(text(name)) == []


def test_dead_link_is_found():
    assert dead_links("[here](nowhere.md) and [there](README.md)") == ["nowhere.md"]


def test_citation_names_version_licence_and_address_of_the_project():
    citation, project = yaml.safe_load(text("CITATION.cff")), tomllib.loads(text("pyproject.toml"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["repository-code"] == ADDRESS
    assert {"title", "authors", "message", "references"} <= citation.keys()


def test_book_points_to_the_same_address():
    assert yaml.safe_load(text("_config.yml"))["repository"]["url"] == ADDRESS
    assert ADDRESS in text("book/start/cite.md")


@pytest.mark.parametrize("name", ["README.md", "book/start/your-embeddings.md"])
def test_python_of_the_documents_runs_and_gives_accuracies(name):
    X, y = torch.randn(60, 30, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3
    X[:, :10] += y[:, None]
    names = {"X_train": X[:40], "y_train": y[:40], "X_validation": X[40:], "y_validation": y[40:]}
    (block,) = [code for code in re.findall(r"```python\n(.*?)```", text(name), re.DOTALL) if "ridge_curve" in code]
    exec(block, names)
    assert names["accuracy"].shape == (6,)
    assert names["accuracy"][-1] > 0.6


def test_book_never_executes_a_notebook():
    assert yaml.safe_load(text("_config.yml"))["execute"]["execute_notebooks"] == "off"


def test_contents_and_pages_agree():
    toc = yaml.safe_load(text("book/_toc.yml"))
    listed = {chapter["file"] for part in toc["parts"] for chapter in part.get("chapters", [])} | {toc["root"]}
    pages = {path.relative_to(ROOT / "book").with_suffix("").as_posix() for path in (ROOT / "book").rglob("*.md")}
    assert listed - pages == {"explorer", "back/api", "back/benchmarks", "back/grid-status"}  # generated
    assert pages <= listed


def test_the_bibliography_is_whole_and_holds_what_pages_cite():
    entries = text("book/references.bib")
    known = set(parse_string(entries, "bibtex").entries)
    pages = (*(ROOT / "book").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb"))
    cited = {
        key.strip()
        for page in pages
        for keys in re.findall(r"\{cite(?::[pt])?\}`([a-z0-9, ]+)`", page.read_text(encoding="utf-8"))
        for key in keys.split(",")
    }
    assert cited
    assert cited <= known
    with pytest.raises(PybtexSyntaxError):  # the control: an entry that never ends
        parse_string(entries.rstrip().removesuffix("}") + "\n@misc{other, title = {x}}", "bibtex")
