"""Which runs enter the staged book, what their pages say, and what happens to the others."""

from __future__ import annotations

import base64
import io
import json
import re
import tomllib
import zipfile
from dataclasses import replace
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from faults import full_disk
from staged_project import CELL, CHECKOUT, RECORD, edit_notebook, make_project, make_run

from diffred_core import files, results
from diffred_core.chapters import few_shots
from diffred_core.errors import InputError
from diffred_core.running import Entry
from diffred_core.running.records import failed_path
from diffred_core.staging import GridCell, find_runs, is_page_of, lost_pages, stage_book
from diffred_core.staging._heading import heading
from diffred_core.staging._launch import took
from diffred_core.staging._page import run_page
from diffred_core.staging._project import Project

PAGE = "results/tiny/digits--a-model.ipynb"
WHERE = CELL.place


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    root = make_project(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    return root


def state(cell=CELL):
    run = next(run for run in find_runs([cell]) if run.cell.place == cell.place)
    return run.state, run.reason, run.has_page


def staged_text(*parts):
    return stage_book([CELL]).joinpath(*parts).read_text()


def markdown_of(page):
    cells = json.loads(page)["cells"]
    return "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")


def test_good_run_is_good():
    make_run()
    assert state() == ("good", "", True)


def test_cell_without_a_run_is_missing():
    assert state() == ("missing", "It has not been run.", False)


def test_changed_template_makes_the_run_stale_but_keeps_its_page(project):
    make_run()
    template = project / "notebooks" / "tiny.ipynb"
    template.write_text(template.read_text().replace("How small", "How large"))
    assert state() == ("stale", "The template notebooks/tiny.ipynb has changed since.", True)


def test_changed_code_makes_the_run_stale():
    record = make_run()
    replace(record, code_sha256="0" * 64).write(files.record_path(*WHERE))
    assert state() == ("stale", "Code that the notebook imports has changed since.", True)


def test_cell_that_was_not_executed_is_a_failure():
    make_run()
    edit_notebook(CELL, lambda notebook: notebook["cells"][2].update(execution_count=None))
    assert state() == ("failed", "Cell 3 was not executed.", False)


def test_error_output_is_a_failure():
    make_run()
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no luck", "traceback": []}
    edit_notebook(CELL, lambda notebook: notebook["cells"][2]["outputs"].append(error))
    assert state() == ("failed", "Cell 3 raised ValueError: no luck.", False)


def test_table_changed_by_hand_is_a_failure():
    make_run()
    files.table_path(*WHERE).write_text("a,b\n1,3\n")
    found, reason, has_page = state()
    assert (found, has_page) == ("failed", False)
    assert "tiny.csv is not the file that the run wrote" in reason


def test_failed_attempt_after_a_good_run_keeps_the_page_and_says_so():
    make_run()
    replace(RECORD, error="Cell 2 ran out of time.").write(failed_path(files.record_path(*WHERE)))
    found, reason, has_page = state()
    assert (found, has_page) == ("failed", True)
    assert "Cell 2 ran out of time." in reason


def test_failed_attempt_without_a_good_run_has_no_page():
    replace(RECORD, error="The kernel died.").write(failed_path(files.record_path(*WHERE)))
    assert state() == ("failed", "The kernel died.", False)


def test_run_outside_the_grid_gets_a_page_too():
    make_run()
    assert [run.cell.place for run in find_runs([])] == [CELL.place]


def test_page_has_its_own_title_its_provenance_and_its_command():
    make_run()
    text = markdown_of(staged_text(PAGE))
    assert text.startswith("# Tiny probes: a/model on UCI digits\nHow small can it be?")
    for expected in ("0123456789ab", "with uncommitted changes", "`n_repeats = 3`", "torch 2.15.0", "cpu, 2 threads"):
        assert expected in text
    assert "7.2 s" in text
    assert "train `ffffffffffffffff`" in text
    assert "blob/0123456789abcdef0123456789abcdef01234567/notebooks/tiny.ipynb" in text
    assert "$ diffred run tiny --model a/model --task digits -p n_repeats=3" in text


def test_a_page_of_a_kept_table_says_so_with_both_commands():
    table = files.table_path(*WHERE)
    files.write_text(table, "a,b\n1,2\n")
    made_by = {"created": "2026-02-03T04:05:06", "commit": "f" * 40, "machine": "A Processor, 8 cores"}
    made_by |= {"wall_seconds": 61.4, "material": {"weights/a.safetensors": "example.org; MIT"}}
    content = {**made_by, "feature_keys": {}, "table_sha256": files.sha256(table)}
    files.write_json(table.with_suffix(".provenance.json"), content)
    make_run(table=False, kept="full")
    text = markdown_of(staged_text(PAGE))
    said = "computed on 2026-02-03 at commit `ffffffffff` in 61 s on A Processor, 8 cores."
    assert said in text
    assert "It was made of weights/a.safetensors (example.org; MIT)." in text
    command = "$ diffred run tiny --model a/model --task digits -p n_repeats=3"
    assert f"{command} --kept full\n{command}\n" in text
    make_run(table=False)  # the control: a computed page says nothing of it
    assert said not in markdown_of(staged_text(PAGE))


def cells_of(page):
    return {cell["id"]: cell for cell in json.loads(page)["cells"]}


def with_answer(notebook):
    """Give the notebook of a run an answer after the cell that plots, and a cell that writes."""
    shown = {"output_type": "display_data", "data": {"text/html": "<div>42</div>"}, "metadata": {}}
    for name, outputs in (("answer", [shown]), ("write", [])):
        cell = {"cell_type": "code", "id": f"cell-{name}", "source": name, "execution_count": 9, "outputs": outputs}
        notebook["cells"].append(cell | {"metadata": {"tags": [name]}})


def test_the_answer_stands_under_the_title_and_once():
    make_run()
    edit_notebook(CELL, with_answer)
    cells = cells_of(staged_text(PAGE))
    assert list(cells)[:3] == ["title", "cell-answer", "question"]
    assert list(cells).count("cell-answer") == 1
    assert cells["cell-answer"]["metadata"]["tags"] == ["answer", "remove-input"]
    assert "<div>42</div>" in cells["cell-answer"]["outputs"][0]["data"]["text/html"]


def test_code_is_folded_and_parameters_and_writing_are_not_shown():
    make_run()
    edit_notebook(CELL, with_answer)
    tags = {name: cell["metadata"].get("tags") for name, cell in cells_of(staged_text(PAGE)).items()}
    assert tags["cell-1"] == ["parameters", "remove-cell"]
    assert tags["cell-2"] == ["hide-input"]
    assert tags["cell-write"] == ["remove-cell", "write"]
    assert tags["title"] is None


def test_the_measure_that_a_notebook_adds_is_not_folded(project):
    make_run()
    edit_notebook(CELL, lambda notebook: notebook["cells"][2]["metadata"].update(tags=["measure", "sweep"]))
    runs = find_runs([CELL])
    page = run_page(runs[0], runs, Project.of(project))[PAGE]
    assert cells_of(page)["cell-2"]["metadata"]["tags"] == ["measure", "sweep"]


def test_a_page_links_its_overview_its_neighbours_and_how_to_read_it(project):
    cells = [Entry("tiny", *names) for names in (("b", "m"), ("a", "m"), ("c", "m"), ("b", "n"), ("a", "other"))]
    for cell in cells:
        make_run(cell, parameters={"model": cell.model, "task": cell.task})
    (project / "book" / "back" / "methods.md").write_text("# Methods\n")
    links = cells_of((stage_book(cells) / "results/tiny/b--m.ipynb").read_text())["links"]["source"]
    assert "Overview: [Tiny probes](../../results/tiny.md)" in links
    assert "Same model: [← a](../../results/tiny/a--m.ipynb), [c →](../../results/tiny/c--m.ipynb)" in links
    assert "Same task: [n →](../../results/tiny/b--n.ipynb)" in links
    assert "[Methods](../../back/methods.md)" in links
    assert "glossary" not in links  # this book has none
    assert "other" not in links


def test_a_summary_and_the_pages_of_its_part_link_each_other(project):
    whole, toc = Entry("whole", "summary", "summary"), project / "book" / "_toc.yml"
    (project / "notebooks" / "whole.ipynb").write_text((project / "notebooks" / "tiny.ipynb").read_text())
    toc.write_text(toc.read_text().replace("[tiny]", "[whole, tiny]"))
    make_run()
    make_run(whole, template="whole.ipynb", parameters={})
    book = stage_book([CELL, whole])
    of_run, of_summary = (
        cells_of((book / page).read_text())["links"]["source"] for page in (PAGE, "results/whole.ipynb")
    )
    assert "All models and tasks: [Tiny probes](../../results/whole.ipynb)" in of_run
    assert "All models and tasks: [Tiny probes](../results/tiny.md)" in of_summary
    assert "Overview" not in of_summary
    assert "--grid" not in markdown_of((book / "results/whole.ipynb").read_text())
    make_run(whole, template="whole.ipynb", parameters={}, grid="some")
    book = stage_book([CELL, whole])
    assert re.search(
        r"\$ diffred run whole *--grid some$", markdown_of((book / "results/whole.ipynb").read_text()), re.M
    )
    toc.write_text(toc.read_text().replace("[whole, tiny]", "[whole]\n  - caption: Other\n    analyses: [tiny]"))
    assert "All models" not in cells_of((stage_book([CELL, whole]) / PAGE).read_text())["links"]["source"]


def test_an_overview_shows_numbers_and_verdicts_each_with_its_page(project):
    name = "few_shot_theory"  # of the chapters' own tables the quickest
    (project / "notebooks" / "tiny.ipynb").rename(project / "notebooks" / f"{name}.ipynb")
    cells = [Entry(name, "digits", "a"), Entry(name, "digits", "b")]
    results.write(few_shots.theory(n_trials=500, shots=[1, 20]), files.table_path(*cells[0].place), provenance={})
    make_run(cells[0], table=False, template=f"{name}.ipynb", parameters={})
    make_run(cells[1], template=f"{name}.ipynb", parameters={})  # its table is no results table
    toc = project / "book" / "_toc.yml"
    toc.write_text(toc.read_text().replace("[tiny]", f"[{name}]"))
    overview = (stage_book(cells) / "results" / f"{name}.md").read_text()
    head, _, *rows = [line for line in overview.splitlines() if line.startswith("|")]
    assert head == r"| task | model | (5) exact error | (6) approximation | (7) which dimensions help | (8) best mask |"
    claims = few_shots.claims.theory(results.read(files.table_path(*cells[0].place)))
    page = f"../results/{name}/digits--a.ipynb"
    words = " | ".join(f"[[{c.verdict}]({page})]{{.verdict .{c.verdict}}}" for c in claims)
    assert rows[0] == f"| UCI digits | [a]({page}) | {words} |"
    assert rows[1] == f"| UCI digits | [b](../results/{name}/digits--b.ipynb) | – | – | – | – |"


def test_page_links_table_and_notebook_that_are_staged():
    make_run()
    book = stage_book([CELL])
    for suffix in (".csv", ".ipynb"):
        name = f"downloads/digits--a-model--tiny{suffix}"
        assert f"<../../{name}>" in markdown_of((book / PAGE).read_text())
        assert (book / name).is_file()
    archive = zipfile.ZipFile(io.BytesIO((book / "downloads" / "all-results.zip").read_bytes()))
    results_of_page = ["digits--a-model--tiny.csv", "digits--a-model--tiny.ipynb"]
    figure = "figures/tiny--digits--a-model--figure-1.csv"
    assert archive.namelist() == ["README.txt", "columns.csv", *results_of_page, figure, "provenance.json"]
    assert set(json.loads(archive.read("provenance.json"))) == {"digits--a-model--tiny.csv"}
    dictionary = pd.read_csv(io.BytesIO(archive.read("columns.csv")))
    assert list(dictionary["column"]) == list(results.COLUMNS)
    assert dictionary["meaning"].notna().all()
    assert "start/cite.html" in archive.read("README.txt").decode()


def test_figures_of_a_page_are_files_beside_it_and_stand_whole_in_its_notebook():
    make_run()
    book = stage_book([CELL])
    page, whole = (book / PAGE).read_text(), (book / "downloads/digits--a-model--tiny.ipynb").read_text()
    stem = "_static/figures/tiny--digits--a-model--figure-1"
    assert 'id=\\"figure-1\\"' in page
    for suffix, mark in ((".png", "data:image/png;base64,"), (".csv", "data:text/csv;base64,")):
        assert f'=\\"../../{stem}{suffix}\\"' in page
        assert mark not in page
        assert base64.b64encode((book / f"{stem}{suffix}").read_bytes()).decode() in whole
    assert (book / f"{stem}.csv").read_text() == "k,accuracy\n1,0.5\n2,0.25\n"
    assert "2 dimensions keep 20&nbsp;%." in page


def test_figures_of_a_page_that_has_none_any_more_are_removed():
    make_run()
    book = stage_book([CELL])
    edit_notebook(CELL, lambda notebook: notebook["cells"].pop())
    stage_book([CELL])
    assert not (book / "_static/figures").exists()


def paths_in_repository(markdown):
    """Return the files that the links to Binder and Colab open, and the notebook that the command opens."""
    links = [unquote(link) for link in re.findall(r"\]\((https://(?:mybinder|colab)[^)]*)\)", markdown)]
    paths = [re.search(r"(?:urlpath=lab/tree/|/blob/main/)(.*)", link)[1] for link in links]
    return [*paths, *(f"notebooks/{name}.ipynb" for name in re.findall(r"\$ make lab NOTEBOOK=(\S+)", markdown))]


def test_a_page_opens_its_template_in_jupyterlab_on_binder_and_on_colab(project):
    make_run()
    text = markdown_of(staged_text(PAGE))
    opened = paths_in_repository(text)
    assert opened == ["notebooks/tiny.ipynb"] * 3
    assert all((project / path).is_file() for path in opened)
    assert "https://mybinder.org/v2/gh/diffred/diffred-book/main?urlpath=lab%2Ftree%2Fnotebooks%2Ftiny.ipynb" in text
    assert "https://colab.research.google.com/github/diffred/diffred-book/blob/main/notebooks/tiny.ipynb" in text
    assert '`%pip install "diffred-core[run,embedded] @ git+https://github.com/diffred/diffred-book@main"`' in text
    assert "Make it again (7 s on two cores):" in text
    assert (
        paths_in_repository(text.replace("tiny", "none")) == ["notebooks/none.ipynb"] * 3
    )  # what is not there is seen


def test_what_is_installed_first_has_extras_that_the_package_has():
    (extras,) = re.findall(r"\[(.*)\]", Project.of(CHECKOUT).requirement)
    known = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= known.keys()


def test_run_times_are_said_in_words():
    assert took(replace(RECORD, seconds=0.4, threads=1)) == "under a second on one core"
    assert took(replace(RECORD, seconds=61.4, threads=8)) == "61 s on 8 cores"


def test_a_page_says_how_it_is_cited():
    make_run()
    page = markdown_of((stage_book([CELL]) / PAGE).read_text())
    assert "@misc{diffred-tiny-digits-a-model," in page
    assert "title  = {Tiny probes: a/model on UCI digits}" in page
    assert "commit 0123456789ab" in page
    assert "/results/tiny/digits--a-model.html}" in page


def test_messages_of_the_run_move_from_the_cells_into_the_box():
    make_run()
    message = {"output_type": "stream", "name": "stderr", "text": ["Something ", "is old.\n"]}
    edit_notebook(CELL, lambda notebook: notebook["cells"][2]["outputs"].insert(0, message))
    page = staged_text(PAGE)
    assert "Warnings and messages of the run:\n\n```text\nSomething is old.\n```" in markdown_of(page)
    outputs = [output["output_type"] for cell in json.loads(page)["cells"] for output in cell.get("outputs", [])]
    assert outputs == ["display_data", "execute_result"]


def test_page_of_a_silent_run_has_no_messages():
    make_run()
    assert "messages" not in markdown_of(staged_text(PAGE))


def test_good_page_has_no_warning_and_stale_page_has_one(project):
    make_run()
    assert "{warning}" not in staged_text(PAGE)
    template = project / "notebooks" / "tiny.ipynb"
    template.write_text(template.read_text() + "\n")
    cells = cells_of(staged_text(PAGE))
    assert "This page is out of date." in cells["warning"]["source"]
    assert list(cells)[:2] == ["title", "warning"]  # before the answer, which it is about


def test_missing_run_stands_on_the_status_page_and_in_no_contents():
    page = staged_text("back", "grid-status.md")
    assert "| digits | a/model | {bdg-light}`missing` |  | It has not been run. |" in page
    toc = yaml.safe_load((stage_book([CELL]) / "_toc.yml").read_text())
    assert [part["caption"] for part in toc["parts"]] == ["Start", "Back matter"]


def test_contents_list_the_pages_under_their_overview():
    make_run()
    other = Entry("tiny", "elpv", "b")
    toc = yaml.safe_load((stage_book([CELL, other]) / "_toc.yml").read_text())
    assert toc["parts"][1]["chapters"] == [
        {"file": "results/tiny", "sections": [{"file": PAGE.removesuffix(".ipynb"), "title": "a/model on UCI digits"}]}
    ]
    overview = (stage_book([CELL, other]) / "results" / "tiny.md").read_text()
    assert "| UCI digits | [a/model](../results/tiny/digits--a-model.ipynb) |" in overview
    assert "One more is listed, and not shown: the [grid status](../back/grid-status.md) says why." in overview
    assert "7.2" not in overview  # seconds stand on the status page
    assert "| `n_repeats` | `int` | `5` | draws |" in overview


def test_prose_page_links_functions_and_says_how_it_was_made():
    page = staged_text("start.md")
    assert "{py:obj}`plain.double <diffred_core.plain.double>`" in page
    assert "Made from [book/start.md](" in page
    assert "staged on 2026-01-01" in page


def test_staging_twice_touches_no_file():
    make_run()
    book = stage_book([CELL])
    before = {path: path.stat().st_mtime_ns for path in book.rglob("*")}
    assert stage_book([CELL]) == book
    assert before == {path: path.stat().st_mtime_ns for path in book.rglob("*")}


def test_page_of_a_deleted_run_is_removed():
    make_run()
    page = stage_book([CELL]) / PAGE
    assert page.is_file()
    files.record_path(*WHERE).unlink()
    stage_book([CELL])
    assert not page.exists()


def test_error_leaves_the_last_staged_book_as_it_was(project):
    make_run()
    book = stage_book([CELL])
    (project / "book" / "start.md").write_text("# How to\n\nUse `plain.triple`.\n")
    with pytest.raises(InputError, match=r"book/start\.md names plain\.triple"):
        stage_book([CELL])
    assert "plain.double" in (book / "start.md").read_text()
    assert (book / PAGE).is_file()


def test_notebook_without_a_title_is_refused():
    with pytest.raises(InputError, match="begin with a Markdown cell '# Title'"):
        heading({"cells": [{"cell_type": "markdown", "source": "no title"}]}, name="n.ipynb")


def test_a_full_disk_leaves_whole_pages_and_the_next_staging_ends_as_if_nothing_was(project):
    make_run()
    start = project / "book" / "start.md"
    whole, before = start.read_text(), tree(stage_book([CELL]))
    start.write_text(whole + "x" * 100_000)
    with full_disk(at=50_000), pytest.raises(OSError, match="File too large"):
        stage_book([CELL])
    broken = tree(project / "runs" / "book")
    assert {name for name in before if broken[name] != before[name]} == {".staged"}  # only whole pages, and a new list
    assert lost_pages() == ["runs/book/start.md"]
    start.write_text(whole)
    assert tree(stage_book([CELL])) == before


def test_a_first_staging_on_a_full_disk_does_not_bar_the_next(project):
    make_run()
    with full_disk(at=10), pytest.raises(OSError, match="File too large"):
        stage_book([CELL])
    assert tree(project / "runs" / "book") == {}
    assert (stage_book([CELL]) / PAGE).is_file()


def test_a_staged_page_that_was_edited_or_lost_is_named_and_written_again():
    make_run()
    book = stage_book([CELL])
    assert lost_pages() == []
    whole = tree(book)
    (book / PAGE).write_text("edited")
    (book / "start.md").unlink()
    assert lost_pages() == [f"runs/book/{PAGE}", "runs/book/start.md"]
    cell = find_runs([CELL])[0].cell
    assert [is_page_of(path, cell) for path in lost_pages()] == [True, False]
    assert tree(stage_book([CELL])) == whole
    assert lost_pages() == []


def test_pages_of_cells_with_alike_names_are_told_apart():
    cells = [GridCell.of(Entry("tiny", *names)) for names in (("t", "a"), ("t", "a.b"), ("summary", "summary"))]
    paths = [
        "_build/html/results/tiny/t--a.html",
        "runs/book/results/tiny/t--a.b.ipynb",
        "runs/book/results/tiny.ipynb",
        "_build/html/_downloads/0f/t--a--tiny.csv",
    ]
    assert [[is_page_of(path, cell) for path in paths] for cell in cells] == [
        [True, False, False, True],
        [False, True, False, False],
        [False, False, True, False],
    ]


def tree(folder):
    """Return the files of `folder` by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
