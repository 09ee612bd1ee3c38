"""Two cells side by side: paired where the draws are shared, by the interval of each where the table has its own."""

from __future__ import annotations

import numpy as np
import pytest

from diffred_core import intervals, results
from diffred_core.chapters.random_subsets import across, answers, compared, figures_compared, names
from diffred_core.drawing import png
from diffred_core.errors import InputError
from diffred_core.results import where

FRACTIONS, SEEDS = (0.1, 0.2, 0.5), (3, 4, 5, 6)


def table(model="a", task="t", *, curve=(0.5, 0.7, 0.8), full=0.82, spread=0.01, seeds=SEEDS, limits=False, seed=0):
    """Return a table of subset_probes with noise in its draws, and with limits of its own if wanted."""
    noise = np.random.default_rng(seed).normal(size=(len(seeds), len(curve))) * spread
    shared = {"experiment": "subset_probes", "task": task, "model": model, "layer": "penultimate", "n_features": 100}
    shared |= {"probe": names.HEADLINE, "split": "test"}
    rows = [shared | {"method": "full", "metric": "accuracy", "fraction": 1.0, "n_selected": 100, "value": full}]
    for j, (share, value) in enumerate(zip(FRACTIONS, curve, strict=True)):
        at = shared | {"method": "random", "fraction": share, "n_selected": round(100 * share)}
        rows += [
            at | {"metric": "accuracy", "repeat": i, "seed": one, "value": value + noise[i, j]}
            for i, one in enumerate(seeds)
        ]
        if limits:
            ends = {"low": value - 0.03, "high": value + 0.02}
            rows.append(at | {"metric": names.MEAN_ACCURACY, "value": value + noise[:, j].mean()} | ends)
    return results.as_table(rows)


def rows_of(one, other, metric, **how):
    return where(compared.compare(one, other, **how), metric=metric)


def test_draws_of_the_same_seeds_are_compared_in_pairs():
    one, other = table("a", seed=1), table("b", curve=(0.4, 0.6, 0.7), seed=1)  # the same noise in both
    rows = rows_of(one, other, compared.DIFFERENCE)
    assert rows["value"].tolist() == pytest.approx([0.1] * 3)
    assert rows[["low", "high"]].to_numpy() == pytest.approx(np.full((3, 2), 0.1))
    assert set(rows["recipe"]) == {compared.DRAW_BY_DRAW}
    unpaired = rows_of(one, table("b", curve=(0.4, 0.6, 0.7), seed=2), compared.DIFFERENCE)
    assert (unpaired["high"] - unpaired["low"] > 0.005).all()


def test_seeds_that_are_not_shared_make_no_pairs():
    rows = rows_of(table(), table("b", seeds=(7, 8, 9), seed=1), compared.DIFFERENCE)
    assert set(rows["recipe"]) == {compared.EACH}
    needs = rows_of(table(), table("b", seeds=(7, 8, 9)), f"{compared.NEEDED}_difference")
    assert needs["low"].isna().all()
    assert "no draws of the same seeds" in answers.compare(compared.compare(table(), table("b", seeds=(7, 8)))).sentence


def test_limits_over_draws_and_test_rows_are_put_together_as_independent_ones():
    one, other = table(limits=True), table("b", curve=(0.45, 0.65, 0.79), limits=True, seed=1)
    rows = rows_of(one, other, compared.DIFFERENCE)
    sides = [
        [
            intervals.Interval(*row)
            for row in where(side, metric=names.MEAN_ACCURACY)[["value", "low", "high"]].to_numpy()
        ]
        for side in (one, other)
    ]
    for row, a, b in zip(rows.itertuples(), *sides, strict=True):
        assert (row.value, row.low, row.high) == pytest.approx(tuple(intervals.difference_interval(a, b)))
    assert set(rows["recipe"]) == {compared.EACH}


def test_what_is_needed_is_that_of_the_tables_and_differs_draw_by_draw():
    one, other = table(spread=0), table("b", curve=(0.79, 0.8, 0.81), spread=0)
    needed = rows_of(one, other, compared.NEEDED, keep=0.95)
    assert needed[needed["repeat"].isna()]["value"].tolist() == [50, 10]
    difference = rows_of(one, other, f"{compared.NEEDED}_difference", keep=0.95).iloc[0]
    assert (difference["value"], difference["low"], difference["high"], difference["n"]) == (40, 40, 40, len(SEEDS))


@pytest.mark.parametrize("keep", across.NEEDED_DELTAS)
def test_what_is_needed_is_what_the_sweep_itself_found(keep):
    kept = [results.read_kept("full", task, "squeezenet1_1", "subset_probes")[0] for task in ("digits", "mnist5k")]
    ours = rows_of(*kept, compared.NEEDED_SHARE, keep=keep).set_index(["task", "repeat", "seed"])["value"]
    for one in kept:
        task = one["task"].iloc[0]
        swept = where(one, metric=names.FIRST, method=names.RANDOM, probe=names.HEADLINE, delta=keep)
        expected = 1 - swept.set_index(["repeat", "seed"])["value"]
        assert ours[task].sort_index().tolist() == pytest.approx(expected.sort_index().tolist())


def test_the_answer_names_the_needs_and_says_whether_it_is_decided():
    far = answers.compare(compared.compare(table(), table("b", curve=(0.79, 0.8, 0.81), seed=1)))
    assert far.sentence.startswith(
        "95 % of the accuracy needs 50 of 100 dimensions (50 %) in a on t and 10 of 100 (10 %)"
    )
    assert far.sentence.endswith("decided.")
    assert not far.sentence.endswith("not decided.")
    assert [claim.verdict for claim in far.claims[:2]] == ["holds", "holds"]
    assert far.claims[0].statement.startswith("b on t needs less")
    near = answers.compare(compared.compare(table(), table("b", seed=1)))
    assert near.sentence.endswith("not decided.")
    assert near.claims[-1].verdict == "undecided"


def test_similarities_are_compared_draw_by_draw():
    kept = [results.read_kept("full", task, "squeezenet1_1", "subset_similarity")[0] for task in ("digits", "mnist5k")]
    made = compared.compare(*kept, keep=0.9)
    assert set(where(made, metric=compared.DIFFERENCE)["recipe"]) == {compared.DRAW_BY_DRAW}
    assert answers.compare(made).sentence.startswith("A CKA of 0.9 needs ")


def test_the_figures_say_what_they_draw():
    made = compared.compare(table(limits=True), table("b", curve=(0.45, 0.65, 0.79), limits=True))
    for figure in (figures_compared.both, figures_compared.apart):
        summary = figure.summary(made)
        assert len(png(figure.plot(summary).figure)) > 1000
    assert "first: a on t 69.9 % at 20 %" in figures_compared.both.words(figures_compared.both.summary(made))
    assert "leaves out 0 at 0 of 3 shares" not in figures_compared.apart.words(figures_compared.apart.summary(made))


def test_a_cell_against_itself_is_a_tie_in_every_draw():
    made = compared.compare(table(), table())
    assert where(made, metric=compared.DIFFERENCE)[["value", "low", "high"]].abs().to_numpy().max() == 0
    assert figures_compared.both.summary(made)["cell"].unique().tolist() == ["first: a on t", "second: a on t"]
    assert answers.compare(made).sentence.endswith("not decided.")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="expected two tables of one of subset_probes, subset_similarity, got x"):
        compared.compare(table().assign(experiment="x"), table().assign(experiment="x"))
    with pytest.raises(InputError, match="got subset_probes and subset_similarity; read the same analysis"):
        compared.compare(table(), table().assign(experiment="subset_similarity"))
    with pytest.raises(InputError, match=r"expected a table of b on t, got none.*run it first"):
        compared.cell(table(), model="b", task="t")
    assert len(compared.cell(table(), model="a", task="t")) == len(table())
