"""The chapters of part V: every claim has a row, with what the runs measured or the words that it was not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from staged_project import make_project, make_run

from diffred_core import files, results
from diffred_core.chapters import spectra
from diffred_core.chapters.spectra import claims_across, names
from diffred_core.results import published
from diffred_core.results.claims import claim_rows, judge
from diffred_core.running import Entry
from diffred_core.staging import stage_book
from diffred_core.staging._chapters import NOT_RUN
from diffred_core.staging._toc import fill_toc

BOOK = Path(__file__).parents[1] / "book"
SUMMARY = Entry("spectra_summary", files.SUMMARY, files.SUMMARY)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    made = make_project(tmp_path / "checkout")
    monkeypatch.chdir(made)
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    return made


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the rows of a table in Markdown, its head left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


def test_every_claim_stands_in_its_chapter_and_what_was_not_run_is_said(project):
    make_run(Entry("tiny", "digits", "a/model"))
    book = stage_book([])
    for chapter, listed in published.related_claims().groupby("chapter"):
        rows = rows_of((book / "_generated" / f"chapter-{chapter}.md").read_text())
        assert len(rows) == len(listed)
        assert all(row[1:3] == [NOT_RUN, NOT_RUN] for row in rows)
        assert all(f"`{papers}`" in row[0] for row, papers in zip(rows, listed["papers"], strict=True))


def test_the_numbers_are_those_of_the_summary_with_its_verdict_and_a_link(project):
    (project / "notebooks" / "spectra_summary.ipynb").write_text((project / "notebooks" / "tiny.ipynb").read_text())
    toc = project / "book" / "_toc.yml"
    toc.write_text(toc.read_text().replace("[tiny]", "[tiny, spectra_summary]"))
    cell = {"experiment": names.SUMMARY, "layer": names.PENULTIMATE}
    rows = []
    for task in "ab":
        for model, lead in zip("mno", (0.2, 0.3, 0.4), strict=True):
            claim = judge(
                name="labels lead at 20 %", statement="s", evidence="e", value=lead, low=lead - 0.1, high=lead + 0.1
            )
            rows += claim_rows([claim], cell | {"task": task, "model": model})
    results.write(results.as_table(rows), files.table_path(*SUMMARY.place), provenance={})
    make_run(SUMMARY, table=False)
    text = (stage_book([SUMMARY]) / "_generated" / "chapter-labels.md").read_text()
    first, *others = rows_of(text)
    assert first[1].startswith("The first C - 1 directions of a random part hold more of the label energy")
    assert "Mean +0.300" in first[1]
    assert "](../results/spectra_summary.ipynb)" in first[1]
    assert first[2] == "[holds]{.verdict .holds}"
    assert all(row[2] == NOT_RUN for row in others)


def test_claims_are_looked_for_by_names_that_judges_give():
    listed = published.related_claims()
    overall = set(claims_across.PAGE_CLAIMS) | {"collapse goes with accuracy"}
    assert set(listed.loc[listed["analysis"] == "spectra_summary", "judged"]) <= overall
    assert spectra.answers.spectra_summary.__name__ == "spectra_summary"  # by which staging finds it
    assert listed["at_full_scale"].str.len().min() > 5


def test_every_paper_is_in_the_bibliography_and_every_chapter_has_its_page_in_the_contents():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (BOOK / "references.bib").read_text(), re.MULTILINE))
    listed = published.related_claims()
    assert {key for papers in listed["papers"] for key in papers.split(",")} <= keys
    parts = yaml.safe_load((BOOK / "_toc.yml").read_text())["parts"]
    pages = {chapter["file"] for part in parts for chapter in part.get("chapters", ())}
    for chapter in listed["chapter"].unique():
        assert f"spectra/{chapter}" in pages
        assert f"../_generated/chapter-{chapter}.md" in (BOOK / "spectra" / f"{chapter}.md").read_text()


def test_a_part_has_its_hand_written_chapters_before_those_of_its_runs_and_stands_without_them():
    template = "parts:\n- caption: A\n  chapters: [{file: own}]\n  analyses: [one]\n- caption: B\n  analyses: [one]\n"
    whole = yaml.safe_load(
        fill_toc(template.replace("B\n  analyses: [one]", "B\n  analyses: []"), {"one": [{"file": "run"}]})
    )
    assert whole["parts"] == [{"caption": "A", "chapters": [{"file": "own"}, {"file": "run"}]}]
    assert yaml.safe_load(fill_toc(template, {}))["parts"] == [{"caption": "A", "chapters": [{"file": "own"}]}]
