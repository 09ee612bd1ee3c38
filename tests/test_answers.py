"""The box of an answer, the matrix of verdicts, and the sentences: their numbers are those of the tables."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_layers import CHAPTERS as CHAPTER_ROOMS

from diffred_core import drawing, results
from diffred_core.chapters import depth, few_shots, random_subsets, tunnel_paper
from diffred_core.errors import InputError
from diffred_core.results.claims import judge

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHAPTERS = {
    name.removeprefix("chapters."): importlib.import_module(f"diffred_core.{name}") for name in sorted(CHAPTER_ROOMS)
}
SHARED = {"experiment": "subset_probes", "task": "t", "model": "m", "layer": "l", "n_features": 1000, "split": "test"}


def claim(name="kept", low=0.1, high=0.3):
    return judge(name=name, statement="a < b.", evidence="0.1 & 0.2.", value=0.2, low=low, high=high)


def test_an_answer_has_its_sentence_first_then_every_verdict_as_a_word_and_class_with_its_reason_folded():
    claims = [claim(), claim("x", -0.3, -0.1), claim("y", -1, 1)]
    shown = drawing.show(drawing.Answer("Half <of> 9 %.", claims)).data
    assert shown.startswith('<div class="answer">\n<p class="finding">Half &lt;of&gt; 9&nbsp;%.</p>\n<p>3 claims: ')
    words = re.findall(r'class="claim">(\w+)</span> <span class="verdict (\w+)">([\w ]+)<', shown)
    assert words == [("kept", "holds", "holds"), ("x", "fails", "fails"), ("y", "undecided", "undecided")]
    assert shown.count("<details><summary>") == 3
    assert "<p>A &lt; b. 0.1 &amp; 0.2.</p></details>" in shown


def test_claims_of_one_name_share_a_line_that_counts_their_verdicts():
    claims = [claim(), claim(), claim(low=-0.3, high=-0.1)]
    shown = drawing.show(drawing.Answer("Done.", claims)).data
    assert shown.count("<li>") == 1
    assert '<span class="verdict holds">2 hold</span> <span class="verdict fails">1 fails</span>' in shown
    assert shown.count("<em>Holds:</em> A") == 2
    assert drawing.counted(claims[:1]) == {"holds": "holds"}


def test_an_answer_over_many_pages_leaves_the_reasons_to_the_matrix():
    shown = drawing.show(drawing.Answer("Done.", [claim()], in_full=False)).data
    assert "details" not in shown
    assert "0.1 &amp;" not in shown
    assert '<span class="verdict holds">holds</span>' in shown


def test_an_answer_without_a_sentence_is_refused_and_one_without_claims_is_not():
    with pytest.raises(InputError, match="an answer needs a sentence that says the finding"):
        drawing.Answer(" ", [claim()])
    nothing = drawing.show(drawing.Answer("Nothing was judged.", [])).data
    assert "<ul" not in nothing
    assert "claims:" not in nothing


def test_a_matrix_has_a_verdict_with_its_sentence_for_every_claim_and_cell_and_a_dash_where_there_is_none():
    cells = {"m<1> on t": [claim(), claim("late", -1, 1)], "m2 on t": [claim(low=-0.3, high=-0.1)]}
    shown = drawing.show(drawing.Verdicts(cells, "By <cell>.")).data
    assert re.findall(r'<th scope="col">([^<]*)</th>', shown) == ["claim", "m&lt;1&gt; on t", "m2 on t"]
    assert re.findall(r'<th scope="row">([^<]*)</th>', shown) == ["kept", "late"]
    assert re.findall(r'class="verdict (\w+)"|class="(none)"', shown) == [
        *(("holds", ""), ("fails", "")),
        *(("undecided", ""), ("", "none")),
    ]
    assert shown.count("A &lt; b. 0.1 &amp; 0.2.") == 3
    assert "<caption>By &lt;cell&gt;.</caption>" in shown
    assert 'class="verdict-matrix" tabindex="0"' in shown  # a box that scrolls must be reachable by the keyboard


def test_the_longer_of_claims_and_cells_goes_down_the_page():
    def headings(n_cells, n_claims):
        cells = {f"cell {i}": [claim(f"claim {j}") for j in range(n_claims)] for i in range(n_cells)}
        shown = drawing.show(drawing.Verdicts(cells, "All.")).data
        return re.findall(r'<th scope="col">(.*?)</th>', shown), re.findall(r'<th scope="row">(.*?)</th>', shown)

    assert headings(2, 3) == (["claim", "cell 0", "cell 1"], ["claim 0", "claim 1", "claim 2"])
    assert headings(3, 2) == (["model and task", "claim 0", "claim 1"], ["cell 0", "cell 1", "cell 2"])


def probes(*, needed=(0.9, 0.75, 0.2), pca=0.905, gap=0.03):
    """Return rows of subset_probes of a layer of 1000 features: what keeps 90, 95 and 99 %, and what is at a tenth."""
    shared = SHARED | {"probe": random_subsets.names.HEADLINE}
    sizes = {0.1: 100, 0.2: 200, 0.25: 250, 0.8: 800, 1.0: 1000}
    rows = [
        shared
        | {"method": "random" if share < 1 else "full", "fraction": share, "n_selected": k, "repeat": repeat}
        | {"metric": "accuracy", "value": 0.7 + share / 5 + (0.02 if repeat else -0.02) * (share < 1)}
        for share, k in sizes.items()
        for repeat in (0, 1)
        if share < 1 or not repeat
    ]
    tenth = shared | {"method": "pca", "fraction": 0.1, "n_selected": 100}
    rows += [tenth | {"metric": "accuracy", "value": pca, "repeat": 0}]
    rows += [tenth | {"metric": "gain_over_random", "value": 0.185, "low": 0.1, "high": 0.2}]
    random, full = (shared | {"method": "random", "fraction": 0.2}), shared | {"method": "full", "fraction": 1.0}
    for metric, half in (("accuracy_gap", 0.03), ("gini_rise", 0.01)):
        rows.append(random | {"metric": metric, "value": gap, "low": gap - half, "high": gap + half})
    for metric in ("gini", "gini_null"):
        rows += [side | {"metric": metric, "value": 0.1, "repeat": 0} for side in (random, full)]
    for delta, redundancy in zip((0.9, 0.95, 0.99), needed, strict=True):
        for metric in random_subsets.names.ESTIMATORS:
            rows.append(shared | {"method": "random", "metric": metric, "delta": delta, "value": redundancy})
    return results.as_table(rows)


def test_the_answer_of_subset_probes_says_what_keeps_the_accuracy_and_what_pca_would_reach():
    answer = random_subsets.answers.subset_probes(probes())
    assert "90 % of the accuracy needs 10 % of the dimensions (100 of 1,000), 95 % needs 25 % (250)" in answer.sentence
    assert "99 % needs 80 % (800)." in answer.sentence
    assert "At 10 % of the dimensions PCA reaches 90.5 %, a random part 72.0 %." in answer.sentence
    assert answer.sentence.endswith("a random 20 % within 5 points of the full layer: undecided.")
    assert answer.numbers == {"90 % kept by": "10 %", "95 % kept by": "25 %", "99 % kept by": "80 %"}
    assert [c.name for c in answer.claims] == [c.name for c in random_subsets.claims.all_claims(probes())]


def test_the_sentence_follows_the_table():
    other = random_subsets.answers.subset_probes(probes(needed=(0.75, 0.2, 0.0), pca=0.8, gap=0.2))
    assert "90 % of the accuracy needs 25 % of the dimensions (250 of 1,000), 95 % needs 80 % (800)" in other.sentence
    assert "99 % needs all." in other.sentence
    assert "PCA reaches 80.0 %" in other.sentence
    assert other.sentence.endswith("fails.")


def test_the_answer_of_subset_similarity_puts_inclusion_beside_it():
    shared = SHARED | {"experiment": "subset_similarity"}
    rows = [
        shared | {"method": method, "metric": metric, "fraction": share, "repeat": repeat, "value": value}
        for share, cka, null in ((0.1, 0.8, 0.3), (0.2, 0.9, 0.4), (0.5, 0.95, 0.7))
        for method, metric, value in (("subset_whole", "cka_debiased", cka), ("diagonal_null", "cka", null))
        for repeat in (0, 1)
    ]
    answer = random_subsets.answers.subset_similarity(results.as_table(rows))
    assert "10 %, 20 % and 50 % of the dimensions have a CKA of 0.800, 0.900 and 0.950" in answer.sentence
    assert "without any redundancy it would be 0.300, 0.400 and 0.700." in answer.sentence
    assert answer.numbers["CKA at 20 %"] == "0.900 (0.400 by inclusion)"


def test_the_answer_of_the_theory_has_the_four_numbers_that_its_claims_judge():
    table = few_shots.theory(n_trials=500, shots=[1, 20])
    answer = few_shots.answers.few_shot_theory(table)
    exact, approximation, *_ = answer.claims
    assert f"off by at most {exact.value:.1f} standard errors" in answer.sentence
    assert f"normal approximation (6) by at most {approximation.value:.3f}" in answer.sentence
    assert len(answer.claims) == 4


def layers(*, best=2, retained=(97.0, 80.0)):
    shared = SHARED | {"experiment": "layers", "label": None}
    rows = []
    for layer in ("one", "two", "three"):
        for task, method in (("t", "in_distribution"), ("u", "transfer")):
            row = {"layer": layer, "task": task, "method": method, "metric": "accuracy", "value": 0.5}
            rows.append(shared | row)
    limits = {"low": 0.0, "high": 0.1}
    for (task, method), percent in zip((("t", "in_distribution"), ("u", "transfer")), retained, strict=True):
        of_task = shared | {"layer": "three", "task": task, "method": method}
        rows.append(of_task | {"metric": "best_layer", "value": best})
        rows.append(of_task | {"metric": "best_layer_gain", "value": 0.031} | limits)
        rows.append(of_task | {"metric": "percent_retained", "value": percent})
        interval = {"low": percent - 1, "high": percent + 1}
        rows.append(of_task | {"metric": "percent_retained_held_out", "value": percent} | interval)
        rows.append(of_task | {"metric": "retained_beyond_id", "value": -17.0, "low": -20.0, "high": -10.0})
    return results.as_table(rows)


def test_the_answer_of_layers_names_the_best_layer_and_what_the_last_retains():
    answer = depth.answers.layers(layers())
    assert "Of 3 layers validation images choose the 2nd, two, for t (+3.1 points over the last)." in answer.sentence
    assert "The last layer retains 97.0 % of the accuracy of the best one there, and of other tasks 80.0 % (u)." in (
        answer.sentence
    )
    assert answer.numbers == {
        "best layer": "two (2 of 3)",
        "last retains": "97.0 %",
        "last retains, other tasks": "80.0 %",
    }
    last = depth.answers.layers(layers(best=3, retained=(100.0, 60.0)))
    assert "choose the last one for t." in last.sentence
    assert "60.0 % (u)" in last.sentence


def test_the_answer_of_the_published_statistics_counts_what_comes_out():
    rows = tunnel_paper.read(None)
    table = tunnel_paper.statistics(rows, n_splits=1, n_folds=2, n_seeds=1, n_boot=50)
    answer = tunnel_paper.answers.tunnel_statistics(table)
    verdicts = tunnel_paper.printed.replay(table).query("side != 'file_order'")["verdict"].value_counts()
    assert f"{verdicts['equal']} come out to the last digit" in answer.sentence
    assert f"{verdicts['differs']} differ." in answer.sentence
    assert len(answer.claims) == 7


def test_a_summary_gives_ranges_over_models_and_tasks():
    pair = pd.concat([probes(), probes(needed=(0.2, 0.2, 0.2)).assign(task="u")], ignore_index=True)
    rows = random_subsets.across.needed_fractions(pair, deltas=random_subsets.across.NEEDED_DELTAS)
    assert len(rows) == 6
    alike = [
        SHARED | {"experiment": "subset_similarity", "task": task, "method": method, "metric": metric}
        | {"fraction": 0.2, "repeat": repeat, "value": value}
        for task in ("t", "u")
        for method, metric, value in (("subset_whole", "cka_debiased", 0.9), ("diagonal_null", "cka", 0.4))
        for repeat in (0, 1)
    ]  # fmt: skip
    limits = {"metric": "mean_accuracy", "method": "random", "fraction": 0.2, "n_selected": 200, "value": 0.7}
    limits |= SHARED | {"probe": random_subsets.names.HEADLINE, "low": 0.6, "high": 0.8}
    pair = pd.concat([pair, results.as_table([limits | {"task": task} for task in ("t", "u")])], ignore_index=True)
    tables = pair, results.as_table(alike)
    answer = random_subsets.answers.summary(*tables)
    assert "Over 2 pairs of model and task, 90 % of the accuracy needs 10 % to 80 %" in answer.sentence
    assert not answer.in_full
    matrix = random_subsets.answers.verdicts(*tables)
    assert [cell for cell in matrix.claims if cell.startswith("m on")] == ["m on t", "m on u"]
    assert sum(map(len, matrix.claims.values())) == len(answer.claims)
    overall = random_subsets.across.kept_overall(pair)
    assert (
        f"in the middle half {100 * overall.estimate:.1f} % (95 % interval {100 * overall.low:.1f} to"
        in answer.sentence
    )


def test_a_matrix_says_how_many_verdicts_are_due_to_chance():
    claim = judge(name="a", statement="x.", evidence="y.", value=1.0, low=0.5, high=1.5)
    few, many = (
        drawing._answer.verdicts_html(drawing.Verdicts({"m on t": [claim] * n}, "Verdicts.", 0.9)) for n in (3, 200)
    )
    assert "3 claims are held against intervals of 90&nbsp;%" in few
    assert "fewer than one would hold and as many fail by chance" in few
    assert "some 10 would hold and as many fail by chance" in many


@pytest.mark.parametrize(
    ("rows", "what"),
    [([80.0], "80.0 %"), ([80.0, 90.0], "80.0 to 90.0 %")],
)
def test_a_range_of_one_value_is_the_value(rows, what):
    assert depth.reading.percent_range(rows) == what


@pytest.mark.parametrize("template", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_shows_the_answer_of_its_name(template):
    cells = json.loads(template.read_text())["cells"]
    (shown,) = ["".join(cell["source"]) for cell in cells if "answer" in cell["metadata"].get("tags", ())]
    chapter, name = re.match(r"show\((\w+)\.answers\.(\w+)\(", shown).groups()
    assert name == template.stem
    assert callable(getattr(CHAPTERS[chapter].answers, name))


def test_an_answer_that_no_chapter_has_would_be_missed():
    assert not any(hasattr(chapter.answers, "no_such_notebook") for chapter in CHAPTERS.values())
