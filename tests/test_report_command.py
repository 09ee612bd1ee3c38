"""``diffred report``: one folder or nothing, a page that needs nothing else, sentences for bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser import Visit
from nbformat import v4
from safetensors.numpy import load_file
from small_checkout import PROJECT
from typer.testing import CliRunner

from diffred_core import results
from diffred_core.cli.commands import app
from diffred_core.running import page_of

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(120, 8)) + 2 * np.eye(8)[np.arange(120) % 4]).astype(np.float32)
WORDS = np.array(["ant", "bee", "cat", "dog"])[np.arange(120) % 4]
FILES = {"report.html", "report.ipynb", "table.csv", "table.provenance.json", "transform.safetensors"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is no checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    return tmp_path


def report(*arguments: str):
    return CliRunner().invoke(app, ["report", *arguments, "--threads", "1"], catch_exceptions=False)


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_a_report_is_one_folder_beside_the_working_files(elsewhere: Path, open_page: Callable[..., Visit]) -> None:
    np.savez(elsewhere / "mine.npz", features=X, labels=WORDS)
    done = report("mine.npz", "--json", "--seconds", "2")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    folder = elsewhere / "mine-report"
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in elsewhere.iterdir()} == {"mine.npz", "mine-report"}
    assert said["sentence"].startswith("Keep ")
    assert said["n_features"] == 8
    page = (folder / "report.html").read_text()
    assert "Keep " in page
    assert not re.search(r"<script|https?://|<link", page)
    for width, theme in ((390, "dark"), (1440, "light")):
        visit = open_page(folder / "report.html", width=width, theme=theme)
        assert visit.requests == [(folder / "report.html").as_uri()] + [r for r in visit.requests if r[:5] == "data:"]
        assert [*visit.errors, *visit.violations(), *visit.overflow()] == []
    transform = load_file(folder / "transform.safetensors")
    assert transform
    table = results.read(folder / "table.csv")
    assert set(table["model"]) == {"mine"}
    assert str(elsewhere) not in (folder / "report.ipynb").read_text()  # the machine stays out of it


@pytest.mark.filterwarnings("ignore")
def test_bad_rows_are_a_sentence_exit_code_2_and_nothing_on_disk(elsewhere: Path) -> None:
    bad = X.copy()
    bad[3, 4] = np.nan
    np.save(elsewhere / "bad.npy", bad)
    refused = report("bad.npy")
    assert refused.exit_code == 2
    sentence = "expected finite values in X, got NaN or infinity in 1 of 960, the first in row 3, column 4"
    assert refused.stderr.startswith(f"diffred: {sentence}")
    assert [path.name for path in elsewhere.iterdir()] == ["bad.npy"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pickled.npy"], "expected plain numbers or words in '.*pickled.npy', got pickled Python objects"),
        (["a.npy", "--labels", "short.npy"], "expected y in '.*a.npy' as 120 integers or words, one for each row of X"),
        (
            ["a.npy", "--queries", "a.npy", "--qrels", "q.tsv"],
            "expected judgements of known documents .* got 1 unknown",
        ),
    ],
)
def test_other_files_that_do_not_fit_are_a_sentence_too(elsewhere: Path, arguments: list[str], sentence: str) -> None:
    np.save(elsewhere / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(elsewhere / "a.npy", X)
    np.save(elsewhere / "short.npy", np.arange(5))
    (elsewhere / "q.tsv").write_text("1\t0\t2\t1\n1\t0\t999\t1\n")
    before = {path.name for path in elsewhere.iterdir()}
    refused = report(*arguments)
    assert refused.exit_code == 2
    assert re.match(f"diffred: {sentence}", refused.stderr), refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert {path.name for path in elsewhere.iterdir()} == before


def test_what_is_refused_before_anything_starts(elsewhere: Path) -> None:
    np.save(elsewhere / "a.npy", X)
    missing = report("b.npy")
    assert (missing.exit_code, "expected a file at 'b.npy', but there is none" in missing.stderr) == (2, True)
    assert "expected a file at 'q.npy'" in report("a.npy", "--queries", "q.npy").stderr
    (elsewhere / "a-report").mkdir()
    (elsewhere / "a-report" / "thesis.tex").write_text("years of work")
    other = report("a.npy")
    assert (other.exit_code, "or that of an earlier report, got other files" in other.stderr) == (2, True)
    assert (elsewhere / "a-report" / "thesis.tex").is_file()


def executed(tmp_path: Path, *outputs: nbformat.NotebookNode) -> Path:
    answer = v4.new_code_cell("show(x)", outputs=list(outputs), metadata={"tags": ["answer"]})
    cells = [
        v4.new_markdown_cell("# Title\n\n**bold** <script>"),
        v4.new_code_cell("1"),
        v4.new_markdown_cell("## Then"),
    ]
    nbformat.write(v4.new_notebook(cells=[*cells, answer]), tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


def test_a_page_has_the_answer_first_and_no_code(tmp_path: Path) -> None:
    shown = v4.new_output("execute_result", data={"text/html": "<b>yes</b>", "text/plain": "no"})
    page = page_of(executed(tmp_path, shown, v4.new_output("stream", text="a < b")), title="A & B")
    assert page.index("<h1>Title</h1>") < page.index("<b>yes</b>") < page.index("<h2>Then</h2>")
    assert "<pre>a &lt; b</pre>" in page
    assert "<title>A &amp; B</title>" in page
    assert "show(x)" not in page
    assert "<script>" not in page
