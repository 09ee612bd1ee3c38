"""Tables and answers are read and made once however many pages show them, and never from an old file."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from staged_project import RECORD

from diffred_core import files, results
from diffred_core.chapters import depth
from diffred_core.errors import InputError
from diffred_core.running import Entry
from diffred_core.staging import CellRun, GridCell
from diffred_core.staging._answers import answer_of
from diffred_core.staging._tables import table_of

SWAP = ("small_networks", "cifar10", "vggm", "tunnel_swap")


@pytest.fixture(scope="module")
def kept():
    return results.read_kept(*SWAP)[0]


@pytest.fixture(autouse=True)
def runs_root(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path))


def run_of(table=None, *, analysis="tunnel_swap", task="cifar10", model="vggm", **parameters) -> CellRun:
    """Return a good run, with its `table` where one is given."""
    if table is not None:
        results.write(table, files.table_path(task, model, analysis), provenance={})
    record = replace(RECORD, parameters={"task": task, "model": model, **parameters})
    return CellRun(GridCell.of(Entry(analysis, task, model)), "good", "", record, {"cells": []})


def test_a_table_is_read_once_and_anew_when_it_is_written_anew(kept, monkeypatch):
    run, reads = run_of(kept), []
    read = results.read
    monkeypatch.setattr(results, "read", lambda path: reads.append(path) or read(path))
    assert table_of(run).equals(read(files.table_path("cifar10", "vggm", "tunnel_swap")))
    assert table_of(run).equals(table_of(run))
    assert len(reads) == 1
    run_of(kept.head(5))
    assert len(table_of(run)) == 5
    assert len(reads) == 2


def test_what_one_reader_does_to_a_table_another_does_not_see(kept):
    run = run_of(kept)
    mine = table_of(run)
    mine.loc[:, "value"] = -1.0
    mine["new"] = 0
    assert (mine["value"] == -1).all()
    assert "new" not in table_of(run)
    assert table_of(run)["value"].equals(kept["value"])


def test_a_run_without_a_table_is_refused_and_found_once_it_is_there(kept):
    run = run_of()
    with pytest.raises(InputError, match=r"expected a results table at .*tunnel_swap\.csv, but there is none"):
        table_of(run)
    assert answer_of(run) is None
    run_of(kept)
    assert len(table_of(run)) == len(kept)
    assert answer_of(run) is not None


def test_an_answer_is_made_once_of_a_table(kept):
    run = run_of(kept)
    first = answer_of(run)
    assert first == depth.answers.tunnel_swap(kept)
    assert answer_of(run) is first
    path = files.table_path("cifar10", "vggm", "tunnel_swap")
    os.utime(path, ns=(1, 1))  # written at another time: the same content is asked again
    assert answer_of(run) is not first
    assert answer_of(run) == first


@pytest.mark.parametrize("analysis", ["summary", "governs_summary", "few_shot_summary"])
def test_a_summary_of_several_tables_has_no_answer_of_one(kept, analysis):
    assert answer_of(run_of(kept, analysis=analysis, task="summary", model="summary")) is None


def test_an_analysis_that_no_chapter_answers_has_none(kept):
    assert answer_of(run_of(kept, analysis="mine")) is None
