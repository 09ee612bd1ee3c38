"""Verdicts follow the interval, and every claim can fail."""

from __future__ import annotations

import pandas as pd
import pytest

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError

SHARED = {"experiment": "e", "task": "t", "model": "m", "layer": "l", "probe": "ridge", "n_features": 100}


def table(*rows):
    return results.as_table([SHARED | row for row in rows])


def drawn(method, metric, values, fraction=0.2):
    shared = {"method": method, "metric": metric, "fraction": fraction}
    return [shared | {"repeat": i, "value": value} for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.0, 0.05, "holds"), (0.04, 0.06, "undecided"), (0.051, 0.09, "fails")]
)
def test_kept_accuracy_is_judged_by_the_whole_interval(low, high, verdict):
    gap = {"metric": "accuracy_gap", "value": (low + high) / 2, "low": low, "high": high}
    claim = random_subsets.claims.accuracy_is_kept(table({"method": "random", "fraction": 0.2} | gap))
    assert claim.verdict == verdict
    assert claim.statement.startswith("a random 20 % of the features stays within 5 points")
    assert f"interval {100 * low:.1f} to {100 * high:.1f}" in claim.evidence


@pytest.mark.parametrize(
    ("whole", "verdict"), [((0.9, 0.91), "holds"), ((0.5, 0.4), "undecided"), ((0.2, 0.21), "fails")]
)
def test_similarity_is_judged_against_inclusion_draw_by_draw(whole, verdict):
    null = drawn("diagonal_null", "cka", (0.44, 0.45))
    claim = random_subsets.claims.similarity_exceeds_inclusion(
        table(*drawn("subset_whole", "cka_debiased", whole), *null)
    )
    assert claim.verdict == verdict
    assert claim.value == pytest.approx(sum(whole) / 2 - 0.445)


@pytest.mark.parametrize(("pca", "verdict"), [(0.9, "holds"), (0.7, "undecided"), (0.5, "fails")])
def test_pca_is_judged_against_the_draws(pca, verdict):
    rows = [*drawn("random", "accuracy", (0.69, 0.71), 0.1), *drawn("pca", "accuracy", (pca,), 0.1)]
    assert random_subsets.claims.pca_beats_random(table(*rows)).verdict == verdict


@pytest.mark.parametrize(
    ("gini", "verdict"), [((0.2, 0.21), "holds"), ((0.05, 0.15), "undecided"), ((0.01, 0.0), "fails")]
)
def test_inequality_is_judged_against_the_full_layer(gini, verdict):
    rows = [*drawn("random", "gini", gini), *drawn("full", "gini", (0.1,), 1.0)]
    rows.append({"method": "random", "metric": "gini", "fraction": 0.2, "value": 0.9})  # of the mean over draws
    assert random_subsets.claims.classes_pay_unequally(table(*rows)).verdict == verdict


def test_one_fit_without_convergence_is_told():
    rows = drawn("random", "accuracy", (0.5, 0.5, 0.5))
    for row, converged in zip(rows, (True, False, None), strict=True):
        row["converged"] = converged
    claim = random_subsets.claims.fits_converged(table(*rows))
    assert claim.verdict == "fails"
    assert "1 of 2 did not: 1 ridge" in claim.evidence
    assert random_subsets.claims.fits_converged(table(*rows[:1])).verdict == "holds"
    stopped_by_recipe = table(*rows).assign(probe="sgd")
    assert random_subsets.claims.fits_converged(stopped_by_recipe).evidence == "The table holds none."


def test_every_claim_of_a_sweep_is_made_and_a_table_of_two_sweeps_is_refused():
    gini = [*drawn("random", "gini", (0.2, 0.21)), *drawn("full", "gini", (0.1,), 1.0)]
    accuracy = [*drawn("random", "accuracy", (0.6, 0.61), 0.1), *drawn("pca", "accuracy", (0.9,), 0.1)]
    gap = {"method": "random", "metric": "accuracy_gap", "fraction": 0.2, "value": 0.1, "low": 0.09, "high": 0.11}
    probes = table(*accuracy, *gini, gap).assign(experiment="subset_probes")
    found = {claim.name: claim.verdict for claim in random_subsets.claims.all_claims(probes)}
    assert found == {
        "accuracy kept": "fails",
        "PCA beats random": "holds",
        "classes pay unequally": "holds",
        "fits converged": "holds",
    }
    alike = [*drawn("subset_whole", "cka_debiased", (0.5, 0.51)), *drawn("diagonal_null", "cka", (0.2, 0.2))]
    similarity = table(*alike).assign(experiment="subset_similarity")
    assert [claim.name for claim in random_subsets.claims.all_claims(similarity)] == ["similar beyond inclusion"]
    with pytest.raises(InputError, match="table must be of one of subset_probes, subset_similarity, got subset_probes"):
        random_subsets.claims.all_claims(pd.concat([probes, similarity]))


def test_a_fraction_that_was_not_measured_is_refused():
    with pytest.raises(InputError, match=r"fraction must be one at which random was measured \(0\.1\), got 0\.2"):
        random_subsets.claims.accuracy_is_kept(table(*drawn("random", "accuracy_gap", (0.1,), 0.1)))
    with pytest.raises(InputError, match=r"expected accuracy_gap at fraction 0\.2, got no such row"):
        random_subsets.claims.accuracy_is_kept(table(*drawn("random", "accuracy", (0.1,))))
