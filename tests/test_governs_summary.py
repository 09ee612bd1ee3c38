"""Variance shares against a slow twin and planted components, and the claims of the paper from tables of all cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core import results
from diffred_core.chapters import governs, random_subsets
from diffred_core.chapters.governs import claims_paper, names
from diffred_core.chapters.governs.variance import (
    BOTH,
    DRAW,
    MODEL,
    SOURCES,
    TASK,
    VARIANCE_SHARE,
    crossed,
    mean_squares,
    share_rows,
    variance_shares,
)
from diffred_core.drawing import show
from diffred_core.errors import InputError
from diffred_core.results import published, where
from diffred_core.results.claims import Claim, claim_rows, judge, judge_exact


def planted(shares: dict[str, float], *, shape: tuple[int, int, int] = (12, 5, 5), seed: int = 0) -> np.ndarray:
    """Return cells whose components have these variances."""
    rng, (m, t, r) = np.random.default_rng(seed), shape
    sd = {source: shares.get(source, 0) ** 0.5 for source in SOURCES}
    cells = sd[MODEL] * rng.normal(size=(m, 1, 1)) + sd[TASK] * rng.normal(size=(1, t, 1))
    return cells + sd[BOTH] * rng.normal(size=(m, t, 1)) + sd[DRAW] * rng.normal(size=(m, t, r))


def slow_mean_squares(cells: np.ndarray) -> list[float]:
    """Return the mean squares by loops over every value, each sum as it stands in the textbook."""
    m, t, r = cells.shape
    total = sum(float(x) for x in cells.ravel()) / (m * t * r)
    model = [sum(cells[i, j, k] for j in range(t) for k in range(r)) / (t * r) for i in range(m)]
    task = [sum(cells[i, j, k] for i in range(m) for k in range(r)) / (m * r) for j in range(t)]
    cell = [[sum(cells[i, j, k] for k in range(r)) / r for j in range(t)] for i in range(m)]
    return [
        t * r * sum((x - total) ** 2 for x in model) / (m - 1),
        m * r * sum((x - total) ** 2 for x in task) / (t - 1),
        r
        * sum((cell[i][j] - model[i] - task[j] + total) ** 2 for i in range(m) for j in range(t))
        / ((m - 1) * (t - 1)),
        sum((cells[i, j, k] - cell[i][j]) ** 2 for i in range(m) for j in range(t) for k in range(r))
        / (m * t * (r - 1)),
    ]


def test_mean_squares_are_those_of_the_textbook() -> None:
    cells = planted({MODEL: 1, TASK: 2, BOTH: 0.5, DRAW: 0.3}, shape=(4, 3, 2))
    squares, degrees = mean_squares(cells)
    assert squares == pytest.approx(slow_mean_squares(cells))
    assert degrees.tolist() == [3, 2, 6, 12]
    assert (degrees * squares).sum() == pytest.approx(((cells - cells.mean()) ** 2).sum())


@pytest.mark.parametrize("source", SOURCES)
def test_a_planted_source_has_the_variance_and_the_others_have_none(source: str) -> None:
    shares = variance_shares(planted({source: 1.0, DRAW: 1.0 if source == DRAW else 0.05}, shape=(40, 40, 4)))
    at = SOURCES.index(source)
    assert shares.value[at] > 0.9
    assert shares.value.sum() == pytest.approx(1)
    assert (np.delete(shares.value, at) < 0.1).all()
    assert (shares.low <= shares.value).all()
    assert (shares.value <= shares.high).all()


def test_intervals_hold_the_planted_share_as_often_as_they_say_with_twelve_models_and_five_tasks() -> None:
    truth = {MODEL: 0.2, TASK: 0.5, BOTH: 0.2, DRAW: 0.1}
    held = np.zeros(4)
    for seed in range(150):
        shares = variance_shares(planted(truth, seed=seed), level=0.9, n_draws=1000, seed=seed)
        values = np.array([truth[source] for source in SOURCES])
        held += (shares.low <= values) & (values <= shares.high)
    assert (held / 150 >= 0.82).all()  # 0.9, less three standard errors of 150 trials
    task = variance_shares(planted(truth)).high - variance_shares(planted(truth)).low
    assert task[SOURCES.index(TASK)] > 0.3  # five tasks leave it wide


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 1, 5), (3, 5, 1)])
def test_what_is_not_crossed_has_no_shares(shape: tuple[int, int, int]) -> None:
    with pytest.raises(
        InputError, match="expected finite values of at least 2 models, 2 tasks and 2 repeats, got shape"
    ):
        variance_shares(np.zeros(shape))


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Two layers on two tasks, one much harder; a factor on both tasks."""
    probes, similarity, factors = [], [], []
    for task, noise in (("easy", 0.5), ("hard", 4.0)):
        made = [make_task(n_features=d, noise=noise) for d in (24, 40)]
        layers = [replace(one, model=name, task=task) for one, name in zip(made, ("narrow", "wide"), strict=True)]
        few = {"fractions": (0.05, 0.1, 0.2, 0.5, 0.8), "methods": ("random", "pca"), "ridge_l2": ()}
        probes += [random_subsets.probes(one, n_seeds=3, n_boot=50, **few) for one in layers]
        similarity += [random_subsets.similarity(one, n_seeds=3, interval_fractions=()) for one in layers]
        factors.append(governs.what_governs(layers, factor=names.WIDTH, n_seeds=3, n_boot=100, numbers=(8,)))
    joined = [pd.concat(one, ignore_index=True) for one in (probes, similarity, factors)]
    return dict(zip(claims_paper.ANALYSES, joined, strict=False))


def test_cells_are_crossed_by_draw_and_only_where_a_model_met_every_task(tables: dict[str, pd.DataFrame]) -> None:
    probes = tables["subset_probes"]
    cells = crossed(probes, metric=names.FIRST, delta=0.9)
    assert cells.shape == (4, 3)
    drawn = where(probes, probe="logistic", method="random", metric=names.FIRST, delta=0.9, model="wide", task="hard")
    assert cells.loc[("wide", "hard")].tolist() == drawn.dropna(subset="repeat")["value"].tolist()
    needed = crossed(probes, metric=names.NEEDED, delta=0.9)
    assert needed.loc[("wide", "hard")].tolist() == pytest.approx(
        np.log2(40 * (1 - cells.loc[("wide", "hard")].to_numpy(float))).tolist()
    )
    lacking = probes[(probes["model"] != "wide") | (probes["task"] != "hard")]
    assert crossed(lacking, metric=names.FIRST, delta=0.9).empty  # one model is left: nothing is crossed
    assert list(share_rows(lacking)) == []


def test_the_summary_holds_shares_factors_and_claims_and_is_a_results_table(tables: dict[str, pd.DataFrame]) -> None:
    table = governs.across.summary_table(tables, claims_paper.paper_claims(tables))
    pd.testing.assert_frame_equal(results.check(table), table)
    shares = where(table, metric=VARIANCE_SHARE, label=names.FIRST, delta=0.9)
    assert shares["method"].tolist() == list(SOURCES)
    assert shares["value"].sum() == pytest.approx(1)
    factor = where(table, method=names.SPREAD, metric=names.SHARE, delta=0.9)
    assert factor["task"].tolist() == ["easy", "hard"]
    judged = where(table, metric="claim")
    assert set(judged["method"]) == set(claims_paper.paper_claims(tables))
    assert "accuracy is kept" in set(judged["method"])


def test_every_claim_of_the_paper_has_a_row_with_a_verdict_or_is_said_not_to_be_run(
    tables: dict[str, pd.DataFrame],
) -> None:
    judged = claims_paper.paper_claims(tables)
    rows = claims_paper.claim_table(judged)
    listed = published.redundancy_claims()
    assert all(map(str.startswith, rows["claim"], listed["statement"]))
    assert "[N]" in rows["published"][0]
    assert "Page: Accuracy of random subsets." in rows["measured here"][0]
    verdicts = dict(zip(listed["name"], rows["verdict"], strict=True))
    assert {name for name, verdict in verdicts.items() if verdict != claims_paper.NOT_RUN} == set(judged)
    assert verdicts["dropout keeps redundancy"] == claims_paper.NOT_RUN
    assert verdicts["upstream data govern"] == claims_paper.NOT_RUN  # the tables hold a factor, but not that one
    assert verdicts["wider is more redundant"] in {"holds", "undecided", "fails"}
    assert set(claims_paper.JUDGES) < set(listed["name"])
    assert rows["at full scale"].str.len().min() > 10
    page = show(governs.across.paper, judged).data
    assert "..." not in page  # nothing is cut, however long
    assert (
        judged["accuracy is kept"].evidence.replace("+", "&#43;") in page or judged["accuracy is kept"].evidence in page
    )


def test_claims_that_the_training_study_judged_are_read_from_its_tables_and_the_weakest_counts() -> None:
    def stored(task: str, value: float) -> pd.DataFrame:
        claim = judge(name="dropout keeps redundancy", statement="s", evidence="e", value=value, low=value, high=value)
        cell = {"experiment": "loss_and_regulariser", "task": task, "model": "vgg", "layer": "penultimate"}
        return results.as_table([*claim_rows([claim], cell)])

    good, bad = stored("mnist5k", 0.1), stored("cifar10", -0.2)
    both = {"loss_and_regulariser": pd.concat([good, bad], ignore_index=True)}
    claim = claims_paper.paper_claims(both)["dropout keeps redundancy"]
    assert (claim.verdict, claim.value, claim.low) == ("fails", -0.2, -0.2)
    assert "vgg on mnist5k +0.100 (+0.100 to +0.100): holds" in claim.evidence
    alone = claims_paper.paper_claims({"loss_and_regulariser": good})
    assert (alone["dropout keeps redundancy"].verdict, list(alone)) == ("holds", ["dropout keeps redundancy"])


def test_the_lead_of_the_last_layer_is_read_at_the_greatest_number_from_the_page_of_layers() -> None:
    shared = {"experiment": "layers", "layer": "last", "model": "m", "method": "random_hidden"}
    shared |= {"metric": "last_layer_lead"}
    rows = [
        shared | {"task": task, "n_selected": k, "value": lead, "low": lead - 0.05, "high": lead + 0.05}
        for task, of_sizes in (("a", {10: -0.2, 50: 0.1}), ("b", {10: 0.3, 50: 0.2}))
        for k, lead in of_sizes.items()
    ]
    claim = claims_paper.paper_claims({"layers": results.as_table(rows)})["last layer leads"]
    assert (claim.verdict, claim.value) == ("holds", 0.1)
    behind = results.as_table([row | {"value": -0.1, "low": -0.2, "high": -0.05} for row in rows])
    assert claims_paper.paper_claims({"layers": behind})["last layer leads"].verdict == "fails"


def cell_claim(value: float) -> Claim:
    return judge_exact(name="n", statement="s", evidence="e", value=value)


def test_a_claim_about_every_task_fails_where_one_contradicts_it() -> None:
    of_tasks = {"a": cell_claim(2), "b": cell_claim(1)}
    assert claims_paper.over_tasks(of_tasks, side="above").verdict == "holds"
    assert claims_paper.over_tasks({**of_tasks, "c": cell_claim(-1)}, side="above").verdict == "fails"
    below = {
        task: judge_exact(name="n", statement="s", evidence="e", value=x, side="below") for task, x in (("a", -1),)
    }
    assert claims_paper.over_tasks(below, side="below").verdict == "holds"


def test_inequality_that_follows_accuracy_is_told_from_one_that_does_not(tables: dict[str, pd.DataFrame]) -> None:
    judged = claims_paper.paper_claims(tables)["inequality follows accuracy"]
    assert 0 <= judged.value < 1
    probes = tables["subset_probes"].copy()
    ginis = (probes["metric"] == "gini") & (probes["probe"] == "logistic")
    probes.loc[ginis, "value"] = np.random.default_rng(0).uniform(0.01, 0.5, size=ginis.sum())
    shuffled = claims_paper.paper_claims({"subset_probes": probes})["inequality follows accuracy"]
    assert shuffled.value > 2 * judged.value
    assert shuffled.verdict != "holds"


def test_the_answer_counts_the_verdicts_and_names_the_sources(tables: dict[str, pd.DataFrame]) -> None:
    answer = governs.answers.governs_summary(tables, claims_paper.paper_claims(tables))
    assert answer.sentence.startswith(f"Of {len(published.redundancy_claims())} claims {len(answer.claims)} could be")
    assert "model and task together" in answer.sentence
    alone = governs.answers.governs_summary({"what_governs": tables["what_governs"]}, {})
    assert "varies with" not in alone.sentence


def test_figures_of_the_summary_say_their_numbers_and_nothing_where_there_is_nothing(
    tables: dict[str, pd.DataFrame],
) -> None:
    for figure in (governs.across.variance_figure(), governs.across.factors):
        summary = figure.summary(tables)
        assert figure.plot(summary).figure is not None
        assert any(character.isdigit() for character in figure.words(summary))
    assert show(governs.across.variance_figure(), {}).data == f"<p>{governs.across.NOTHING}</p>"
    assert show(governs.across.factors, {}).data == f"<p>{governs.across.NO_FACTOR}</p>"
    verdicts = governs.across.factor_verdicts(tables)
    assert list(verdicts.claims) == ["width on easy", "width on hard"]


def test_tables_that_are_not_there_are_left_out_and_none_at_all_is_said(
    tmp_path: Path, tables: dict[str, pd.DataFrame]
) -> None:
    path = tmp_path / "easy" / "narrow" / "what_governs.csv"
    results.write(tables["what_governs"], path, provenance={})
    assert list(results.read_each(claims_paper.ANALYSES, tmp_path)) == ["what_governs"]
    with pytest.raises(InputError, match=r"expected tables of one of a, b, got none; run the grid first"):
        results.read_each(["a", "b"], tmp_path)
