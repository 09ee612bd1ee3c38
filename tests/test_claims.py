"""Verdicts follow the interval, and every claim can fail."""

from __future__ import annotations

import pandas as pd
import pytest

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError

SHARED = {"experiment": "e", "task": "t", "model": "m", "layer": "l", "n_features": 100}
SHARED["probe"] = random_subsets.names.HEADLINE


def table(*rows):
    return results.as_table([SHARED | row for row in rows])


def drawn(method, metric, values, fraction=0.2):
    shared = {"method": method, "metric": metric, "fraction": fraction}
    return [shared | {"repeat": i, "value": value} for i, value in enumerate(values)]


def limited(metric, low, high, *, method="random", fraction=0.2):
    """Return the row of a measurement that the sweep gave an interval."""
    row = {"method": method, "metric": metric, "fraction": fraction}
    return row | {"value": (low + high) / 2, "low": low, "high": high}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.0, 0.049, "holds"), (-0.1, 0.049, "holds"), (0.04, 0.06, "undecided"), (0.051, 0.09, "fails")],
)
def test_kept_accuracy_is_a_claim_of_non_inferiority_by_a_margin(low, high, verdict):
    claim = random_subsets.claims.accuracy_is_kept(table(limited("accuracy_gap", low, high)))
    assert (claim.verdict, claim.limit) == (verdict, -0.05)
    assert (claim.value, claim.low, claim.high) == pytest.approx((-(low + high) / 2, -high, -low))
    about = "a random 20 % of the dimensions is not inferior to the full layer"
    assert claim.statement == f"{about} by a margin of 5 points."
    assert f"interval {-100 * high:+.1f} to {-100 * low:+.1f}" in claim.evidence


def test_the_margin_is_that_which_was_asked_for_and_said():
    claims = [
        random_subsets.claims.accuracy_is_kept(table(limited("accuracy_gap", 0.01, 0.03)), margin=margin)
        for margin in (0.02, 0.04)
    ]
    assert [claim.verdict for claim in claims] == ["undecided", "holds"]
    assert "margin of 2 points" in claims[0].statement


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_claims_say_the_level_that_they_were_judged_at(level):
    rows = [limited("accuracy_gap", 0.01, 0.03), limited("gini_rise", 0.01, 0.02)]
    rows += [limited("gain_over_random", 0.1, 0.2, method="pca", fraction=0.1)]
    rows += [*drawn("random", "gini", (0.2,)), *drawn("random", "gini_null", (0.1,))]
    rows += [*drawn("full", "gini", (0.1,), 1.0), *drawn("full", "gini_null", (0.1,), 1.0)]
    judged = random_subsets.claims.all_claims(table(*rows).assign(experiment="subset_probes"), level=level)
    assert len(judged) == 4
    for claim in judged[:3]:
        assert f"{100 * level:g} % interval" in claim.evidence
        assert "95 %" not in claim.evidence
    alike = [*drawn("subset_whole", "cka_debiased", (0.5, 0.52)), *drawn("diagonal_null", "cka", (0.2, 0.2))]
    (claim,) = random_subsets.claims.all_claims(table(*alike).assign(experiment="subset_similarity"), level=level)
    assert f"{100 * level:g} % interval" in claim.evidence
    narrower = random_subsets.claims.similarity_exceeds_inclusion(table(*alike), level=0.5)
    assert narrower.high - narrower.low < claim.high - claim.low


def test_a_narrow_layer_is_judged_at_the_share_that_it_has_and_the_name_says_it():
    rows = [limited("accuracy_gap", 0.01, 0.03, fraction=share) for share in (0.15, 0.3)]
    claim = random_subsets.claims.accuracy_is_kept(table(*rows))
    assert claim.name == "accuracy kept at 15 %"
    assert "a random 15 % of the dimensions" in claim.statement
    assert random_subsets.claims.accuracy_is_kept(table(*rows), fraction=0.25).name == "accuracy kept at 30 %"


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


LIMITS = [(0.01, 0.2, "holds"), (-0.01, 0.2, "undecided"), (-0.2, -0.01, "fails")]


@pytest.mark.parametrize(("low", "high", "verdict"), LIMITS)
def test_pca_is_judged_by_the_interval_over_draws_and_rows(low, high, verdict):
    # draws that agree: over them alone every verdict would be sure
    rows = [*drawn("random", "accuracy", (0.70, 0.70), 0.1), *drawn("pca", "accuracy", (0.8,), 0.1)]
    rows.append(limited("gain_over_random", low, high, method="pca", fraction=0.1))
    rows.append(limited("gain_over_random", 0.3, 0.4, method="first", fraction=0.1))
    assert random_subsets.claims.pca_beats_random(table(*rows)).verdict == verdict


@pytest.mark.parametrize(("low", "high", "verdict"), LIMITS)
def test_inequality_is_judged_beyond_chance(low, high, verdict):
    rows = [*drawn("random", "gini", (0.3, 0.32)), *drawn("random", "gini_null", (0.2, 0.2))]
    rows += [{"method": "full", "metric": "gini", "fraction": 1.0, "value": 0.1}, limited("gini_rise", low, high)]
    rows += drawn("full", "gini_null", (0.05,), 1.0)
    rows.append({"method": "random", "metric": "gini", "fraction": 0.2, "value": 0.9})  # of the mean over draws
    claim = random_subsets.claims.classes_pay_unequally(table(*rows))
    assert claim.verdict == verdict
    assert "0.3100 (0.2000 by chance) against 0.1000 (0.0500 by chance) of the full layer" in claim.evidence


def test_one_fit_without_convergence_is_told():
    rows = drawn("random", "accuracy", (0.5, 0.5, 0.5))
    for row, converged in zip(rows, (True, False, None), strict=True):
        row["converged"] = converged
    claim = random_subsets.claims.fits_converged(table(*rows))
    assert claim.verdict == "fails"
    assert f"1 of 2 did not: 1 {random_subsets.names.HEADLINE}" in claim.evidence
    assert random_subsets.claims.fits_converged(table(*rows[:1])).verdict == "holds"
    stopped_by_recipe = table(*rows).assign(probe="sgd")
    assert random_subsets.claims.fits_converged(stopped_by_recipe).evidence == "The table holds none."


def test_every_claim_of_a_sweep_is_made_and_a_table_of_two_sweeps_is_refused():
    gini = [*drawn("random", "gini", (0.2, 0.21)), *drawn("full", "gini", (0.1,), 1.0)]
    gini += [*drawn("random", "gini_null", (0.1,)), *drawn("full", "gini_null", (0.1,), 1.0)]
    limits = [limited("accuracy_gap", 0.09, 0.11), limited("gini_rise", 0.01, 0.02)]
    limits.append(limited("gain_over_random", 0.1, 0.2, method="pca", fraction=0.1))
    probes = table(*gini, *limits).assign(experiment="subset_probes")
    verdicts = {claim.name: claim.verdict for claim in random_subsets.claims.all_claims(probes)}
    assert verdicts == {
        "accuracy kept at 20 %": "fails",
        "PCA beats random at 10 %": "holds",
        "classes pay unequally at 20 %": "holds",
        "fits converged": "holds",
    }
    alike = [*drawn("subset_whole", "cka_debiased", (0.5, 0.51)), *drawn("diagonal_null", "cka", (0.2, 0.2))]
    similarity = table(*alike).assign(experiment="subset_similarity")
    (claim,) = random_subsets.claims.all_claims(similarity)
    assert claim.name == "similar beyond inclusion at 20 %"
    with pytest.raises(InputError, match="table must be of one of subset_probes, subset_similarity, got subset_probes"):
        random_subsets.claims.all_claims(pd.concat([probes, similarity]))


def test_what_was_not_measured_is_refused():
    with pytest.raises(InputError, match=r"expected accuracy_gap of random with the ridge probe, got no such row"):
        random_subsets.claims.accuracy_is_kept(table(*drawn("random", "accuracy", (0.1,))), probe="ridge")
    with pytest.raises(InputError, match=r"expected accuracy_gap of random with the sgd probe"):
        random_subsets.claims.accuracy_is_kept(table(limited("accuracy_gap", 0.1, 0.2)), probe="sgd")
