"""Verdicts about depth follow the interval, and every one can fail."""

from __future__ import annotations

import pytest
from synthetic_layers import make_layers

from diffred_core import results
from diffred_core.chapters import depth
from diffred_core.errors import InputError

SHARED = {"experiment": "layers", "model": "m", "n_features": 10, "split": "test", "probe": "ridge"}


def measured(method, task, **values):
    """Return a table of two layers whose last one has `values`, each (value, low, high) or a number."""
    rows = [
        {"layer": layer, "metric": "accuracy", "value": 0.5, "method": m, "task": t}
        for layer in ("early", "last")
        for m, t in (("in_distribution", "home"), (method, task))
    ]
    for metric, found in values.items():
        value, low, high = found if isinstance(found, tuple) else (found, None, None)
        limits = {"value": value, "low": low, "high": high}
        rows.append({"layer": "last", "metric": metric, "method": method, "task": task} | limits)
    return results.as_table([SHARED | row for row in rows])


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.02, 0.03), "holds"), ((-0.01, 0.03), "undecided"), ((-0.03, -0.01), "fails")]
)
def test_a_better_layer_is_judged_by_the_whole_interval(limits, verdict):
    table = measured("transfer", "away", best_layer_gain=(sum(limits) / 2, *limits), best_layer=1)
    claim = depth.claims.last_layer_is_not_best(table, task="away", method="transfer")
    assert claim.verdict == verdict
    assert "for away, with probes of its own, a layer before the last is better." in claim.statement
    assert f"Validation rows choose early, which gains {50 * sum(limits):+.1f} points" in claim.evidence


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.0, 0.0), "fails"), ((-0.02, 0.0), "fails"), ((-0.01, 0.03), "undecided")]
)
def test_the_last_layer_may_be_chosen_itself(limits, verdict):
    table = measured("shift", "away", best_layer_gain=(0.0, *limits), best_layer=2)
    claim = depth.claims.last_layer_is_not_best(table, task="away", method="shift")
    assert claim.verdict == verdict
    assert "Validation rows choose last, the last layer itself; 95 % interval of the gain" in claim.evidence


@pytest.mark.parametrize(
    ("limits", "verdict"), [((95.5, 99.0), "holds"), ((93.0, 97.0), "undecided"), ((80.0, 94.0), "fails")]
)
def test_retention_is_judged_against_the_published_bin(limits, verdict):
    table = measured("transfer", "away", percent_retained_held_out=(96.0, *limits), percent_retained=94.5)
    claim = depth.claims.performance_is_retained(table, task="away", method="transfer")
    assert claim.verdict == verdict
    assert "as published, with the best layer chosen on test rows, 94.5 %" in claim.evidence
    other = depth.claims.performance_is_retained(table, task="away", method="transfer", limit=70)
    assert other.verdict == "holds"


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [((-9.0, -1.0), "holds"), ((-9.0, 1.0), "undecided"), ((1.0, 4.0), "fails"), ((0.0, 0.0), "fails")],
)
def test_a_tunnel_costs_other_data_more(limits, verdict):
    table = measured("transfer", "away", retained_beyond_id=(-3.0, *limits))
    assert depth.claims.loss_is_of_other_data(table, task="away", method="transfer").verdict == verdict


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.2, 0.9), "holds"), ((-0.1, 0.9), "undecided"), ((-0.9, -0.2), "fails")]
)
def test_correlation_is_judged_against_none(limits, verdict):
    table = measured("transfer", "away", id_ood_correlation=(0.3, *limits))
    assert depth.claims.other_data_follow(table, task="away", method="transfer").verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"), [((0.01, 0.011), "holds"), ((0.0, 0.01), "undecided"), ((0.0, 0.0), "fails")]
)
def test_optimism_is_judged_over_runs(values, verdict):
    rows = [
        {**SHARED, "layer": "last", "method": "transfer", "task": "away", "metric": "optimism", "repeat": i, "value": v}
        for i, v in enumerate(values)
    ]
    assert depth.claims.selection_flatters(results.as_table(rows)).verdict == verdict


def test_a_curve_that_was_not_measured_is_refused():
    table = measured("transfer", "away", best_layer=1)
    with pytest.raises(
        InputError, match=r"expected best_layer_gain of away \(shift\), got no such row; the table holds"
    ):
        depth.claims.last_layer_is_not_best(table, task="away", method="shift")
    with pytest.raises(InputError, match="expected rows of the metric optimism, got none"):
        depth.claims.selection_flatters(table)


def test_every_claim_of_a_sweep_is_made():
    quick = {"n_boot": 200, "n_subsets": 0}
    away = make_layers((0.2, 2.0, 1.0, 0.3), task="away", seed=4)
    table = depth.layers(make_layers(), transfer=[away], shifted=[away], published_layers=1, **quick)
    claims = depth.claims.all_claims(table)
    assert len(claims) == 1 + 4 + 4 + 1
    by_name = {claim.name: claim.verdict for claim in claims if "with probes of its own" in claim.statement}
    assert by_name["last layer is not best"] == "holds"  # the tasks were made so
    assert by_name["performance is retained"] == "fails"
    assert by_name["loss is of other data"] == "holds"
    assert len(depth.claims.all_claims(depth.layers(make_layers(), published_layers=0, **quick))) == 1


def test_an_accuracy_without_variation_makes_no_claim_of_correlation():
    flat = make_layers((0.0, 0.0, 0.0, 0.0), task="away", seed=4)
    table = depth.layers(make_layers(), transfer=[flat], n_boot=50, n_subsets=0, published_layers=0)
    names = [claim.name for claim in depth.claims.all_claims(table[table["metric"] != "id_ood_correlation"])]
    assert "other data follow" not in names
    assert "performance is retained" in names
