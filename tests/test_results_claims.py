"""A claim's verdict follows its whole interval, on the side that the claim names."""

from __future__ import annotations

import math

import pytest

from diffred_core import results
from diffred_core.results import claims

WORDS = {"name": "n", "statement": "s.", "evidence": "e."}


@pytest.mark.parametrize(
    ("side", "limit", "low", "high", "verdict"),
    [
        ("above", 0.0, 0.1, 0.3, "holds"),
        ("above", 0.0, -0.1, 0.3, "undecided"),
        ("above", 0.0, -0.3, -0.1, "fails"),
        ("above", 0.0, -0.3, 0.0, "fails"),
        ("below", 0.05, 0.0, 0.05, "holds"),
        ("below", 0.05, 0.04, 0.06, "undecided"),
        ("below", 0.05, 0.051, 0.09, "fails"),
        ("within", 0.01, -0.01, 0.01, "holds"),
        ("within", 0.01, -0.02, 0.0, "undecided"),
        ("within", 0.01, 0.02, 0.03, "fails"),
        ("within", 0.01, -0.03, -0.02, "fails"),
        ("above", 0.0, math.nan, math.nan, "undecided"),
        ("within", 0.0, math.nan, math.nan, "undecided"),
    ],
)
def test_a_verdict_follows_the_whole_interval(side, limit, low, high, verdict):
    claim = claims.judge(**WORDS, value=(low + high) / 2, low=low, high=high, limit=limit, side=side)
    assert claim.verdict == verdict


@pytest.mark.parametrize(
    ("differences", "verdict"), [((0.2, 0.21, 0.22), "holds"), ((0.2, -0.2), "undecided"), ((-0.2, -0.21), "fails")]
)
def test_a_mean_above_zero_is_judged_by_its_t_interval(differences, verdict):
    claim = claims.above_zero(name="n", statement="s.", measured="The lead", differences=differences, digits=2)
    assert claim.verdict == verdict
    assert f"The lead: {sum(differences) / len(differences):+.2f}, 95 % interval" in claim.evidence


def test_a_single_difference_leaves_the_claim_undecided():
    claim = claims.above_zero(name="n", statement="s.", measured="The lead", differences=[0.5], over="seeds")
    assert (claim.verdict, claim.evidence) == ("undecided", "The lead: +0.500, without an interval: one of the seeds.")


@pytest.mark.parametrize(
    ("side", "value", "verdict"), [("above", 1, "holds"), ("above", 0, "fails"), ("below", 0, "holds")]
)
def test_a_number_without_error_is_its_own_interval_and_never_undecided(side, value, verdict):
    claim = claims.judge_exact(name="n", statement="s.", evidence="e.", value=value, side=side)
    assert (claim.low, claim.value, claim.high, claim.verdict) == (value, value, value, verdict)


def test_claims_are_rows_whose_label_is_the_verdict():
    claim = claims.judge(**WORDS, value=0.2, low=0.1, high=0.3)
    cell = {"experiment": "summary", "task": "t", "model": "m", "layer": "l"}
    table = results.as_table(list(claims.claim_rows([claim], cell)))
    assert table[["metric", "method", "label", "value", "low", "high"]].to_numpy().tolist() == [
        ["claim", "n", "holds", 0.2, 0.1, 0.3]
    ]


def about_cells(by_cell: dict[tuple[str, str], float]) -> claims.Claim:
    """Return the claim about the mean of the claims that these values are above 0."""
    return claims.on_average({cell: claims.judge_exact(**WORDS, value=value) for cell, value in by_cell.items()})


def test_the_mean_over_models_and_tasks_is_judged_and_single_verdicts_are_counted():
    claim = about_cells({(task, model): x for task in "ab" for model, x in zip("mnop", (1, 2, 3, -0.5), strict=True)})
    assert claim.value == pytest.approx(5.5 / 4)
    assert "of 8 pairs of model and task: holds 6, undecided 0, fails 2" in claim.evidence
    assert about_cells({(task, model): -1 for task in "ab" for model in "mno"}).verdict == "fails"
    alone = about_cells({("a", "m"): 1})
    assert alone.verdict == "undecided"
    assert "of one model, so without an interval" in alone.evidence
