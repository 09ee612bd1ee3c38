"""The front page's sentence and figure: every number in them comes from the tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from staged_project import CELL, make_project, make_run

from diffred_core import drawing, files, results
from diffred_core.chapters import random_subsets
from diffred_core.running import Entry
from diffred_core.staging import find_runs
from diffred_core.staging._figures import draw
from diffred_core.staging._front import answer, front_page, other_findings, sentence
from diffred_core.staging._heading import finding_of
from diffred_core.staging._overview import _figure
from diffred_core.staging._walk import examples


def table(*, model, accuracies, full=0.9, gap=(0.09, 0.05, 0.12)):
    shared = {"experiment": "subset_probes", "task": "digits", "model": model, "layer": "penultimate"}
    shared["probe"] = random_subsets.names.HEADLINE
    shared |= {"n_features": 100, "split": "test"}
    random = shared | {"method": "random", "n_selected": 20, "fraction": 0.2}
    rows = [shared | {"method": "full", "n_selected": 100, "fraction": 1.0, "metric": "accuracy", "value": full}]
    rows += [random | {"repeat": i, "metric": "accuracy", "value": value} for i, value in enumerate(accuracies)]
    rows += [random | {"metric": "accuracy_gap"} | dict(zip(("value", "low", "high"), gap, strict=True))]
    rows += [random | {"probe": "another", "metric": "accuracy", "value": 0.1, "repeat": 0}]
    return results.as_table(rows)


def pairs_of(tables):
    return random_subsets.across.kept_accuracy(pd.concat(tables, ignore_index=True))


@pytest.fixture
def tables():
    return [
        table(model="a", accuracies=[0.80, 0.82]),
        table(model="b", accuracies=[0.45, 0.45], full=0.5, gap=(0.05, 0.01, 0.08)),
    ]


def test_sentence_names_the_largest_loss_with_its_interval(tables):
    text = sentence(pairs_of(tables))
    assert "A random 20 % of the dimensions keeps 90.0 %" in text
    assert "mean over 2 pairs of model and task; lowest 90.0 %, highest 90.0 %" in text
    assert "The largest loss, a on UCI digits, is 9.0 points (95 % interval 5.0 to 12.0" in text


def with_needed(table, *redundancy):
    """Return `table` and rows that say what can go while 90, 95 and 99 % of the accuracy are kept."""
    shared = table.iloc[0][["experiment", "task", "model", "layer", "probe", "n_features", "split"]].to_dict()
    rows = [
        shared | {"method": "random", "metric": metric, "delta": delta, "value": value}
        for delta, value in zip((0.9, 0.95, 0.99), redundancy, strict=True)
        for metric in random_subsets.names.ESTIMATORS
    ]
    return pd.concat([table, results.as_table(rows)], ignore_index=True)


def test_the_answer_has_the_range_of_what_is_needed_and_the_verdicts(tables):
    probes = pd.concat([with_needed(tables[0], 0.9, 0.8, 0.3), with_needed(tables[1], 0.6, 0.5, 0.0)])
    judged = [random_subsets.claims.accuracy_is_kept(cell) for _, cell in probes.groupby("model")]
    made = answer(probes, judged)
    assert (
        "90 % of the accuracy needs 10 to 40 % of the dimensions (median 25 %), 95 % needs 20 to 50 %" in made.sentence
    )
    # 9 points (5 to 12) are lost by the first, 5 (1 to 8) by the second
    assert [claim.verdict for claim in made.claims] == ["fails", "undecided"]
    assert "stays within 5 points of the full layer, holds in 0 of 2 pairs of model and task." in made.sentence
    assert answer(pd.concat(tables), judged) is None  # of tables without diffused redundancy


def test_sentence_about_one_pair_has_no_spread(tables):
    text = sentence(pairs_of(tables[:1]))
    assert "accuracy**. The loss, a on UCI digits, is 9.0 points" in text


def test_sentence_follows_the_tables(tables):
    better = [tables[0].assign(value=tables[0]["value"].where(tables[0]["method"] != "random", 0.01)), tables[1]]
    assert sentence(pairs_of(better)) != sentence(pairs_of(tables))


def test_figure_is_the_same_bytes_again_and_has_words(tables):
    pairs, kept = pairs_of(tables), random_subsets.across.kept()
    picture, alt = draw(kept, pairs)
    assert picture.startswith(b"\x89PNG")
    assert (picture, alt) == draw(kept, pairs)
    assert "81.0 of 90.0 %" in alt


def test_fragment_has_the_figure_of_the_runs_on_disk(tmp_path, monkeypatch, tables):
    root = make_project(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    assert set(front_page(find_runs([]))) == {"_generated/finding.md"}
    make_run()
    assert _figure(find_runs([])) == ("", {})  # of an analysis that draws none
    files.record_path(*CELL.place).unlink()
    (root / "notebooks" / "tiny.ipynb").rename(root / "notebooks" / "subset_probes.ipynb")
    entry = Entry("subset_probes", "digits", "a")
    results.write(tables[0], files.table_path(*entry.place), provenance={})
    make_run(entry, table=False, template="subset_probes.ipynb", parameters={"model": "a", "task": "digits"})
    staged = front_page(find_runs([entry]))
    assert set(staged) == {"_generated/finding.md", "_generated/finding.png"}
    shown, drawn = _figure(find_runs([entry]))
    assert list(drawn) == ["_generated/overview-subset_probes.png"]
    assert re.match(r"\*\*[^*\n]+\.\*\*\n\n```\{image\} ", shown)  # headed by its finding
    assert "digits: a (measured here) 90.0 % at 20 %" in shown
    text = staged["_generated/finding.md"].decode().replace("\N{NO-BREAK SPACE}", " ")
    assert ':alt: "Dot chart of accuracy with a random 20 % of the dimensions' in text
    assert f"a {random_subsets.names.HEADLINE} probe on 20 of 100 dimensions" in text


ANSWER = drawing.Answer("Ten dimensions keep <90 %>. Of 20 % nothing is known. " + "So much more. " * 39 + "End.", ())


def test_other_parts_say_their_finding_in_whole_sentences_with_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    make_run()
    shown = find_runs([CELL])
    assert other_findings(shown) == ""  # of an analysis that is no part's answer
    notebook, _ = shown[0].whole
    assert finding_of(shown[0]) == ""
    notebook["cells"][-1]["outputs"] = [{"data": {"text/html": drawing.show(ANSWER).data}}]
    assert finding_of(shown[0]) == ANSWER.sentence
    summary = replace(shown[0], cell=replace(shown[0].cell, analysis="few_shot_summary"))
    text = other_findings([summary])
    assert "- **Few shots.** Ten dimensions keep \\<90 %\\>. Of 20" in text
    assert text.count("So much more.") == 28  # of 39: as many as there is room for
    assert text.endswith("[a/model on UCI digits](results/few_shot_summary/digits--a-modeltiny.ipynb)")
    kept = replace(summary, cell=replace(summary.cell, model="first"), record=replace(summary.record, kept="full"))
    assert other_findings([kept, summary]) == text  # what was computed here comes before a kept table
    assert "[first on UCI digits]" in other_findings([kept])


def test_the_walk_quotes_the_report_and_the_probes_on_the_same_features(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    assert set(examples(find_runs([])).values()) == {b"%\n"}  # a comment: nothing is shown
    make_run()
    (run,) = find_runs([CELL])
    run.whole[0]["cells"][-1]["outputs"] = [{"data": {"text/html": drawing.show(ANSWER).data}}]
    report, probes, others = (
        replace(run, cell=replace(run.cell, analysis=analysis, model=model))
        for analysis, model in (("embedding_report", "a"), ("subset_probes", "a"), ("subset_probes", "b"))
    )
    shown = examples([others, report, probes])
    assert b"> Ten dimensions keep" in shown["_generated/walk-embedding_report.md"]
    assert b"[a on UCI digits](../results/subset_probes/digits--a" in shown["_generated/walk-subset_probes.md"]
    assert examples([others, report])["_generated/walk-subset_probes.md"] == b"%\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [([], "diffred: expected one path, of the figure to write"), (["f.png"], "diffred: expected tables */*/")],
)
def test_bad_input_of_the_figure_is_one_sentence(tmp_path, arguments, sentence):
    environment = {**os.environ, "DIFFRED_RUNS": str(tmp_path)}
    command = [sys.executable, "-m", "diffred_core.staging", *arguments]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (finished.returncode, len(finished.stderr.splitlines())) == (2, 1)
    assert finished.stderr.startswith(sentence)
