"""When the probe decides the verdict: the table against its own claims, the figure against the table, and the words."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import across_probes, claims
from diffred_core.errors import InputError
from diffred_core.results import where

OPTIONS = {"fractions": (0.05, 0.1, 0.2, 0.5), "n_seeds": 2, "n_boot": 200, "methods": ("random",)}


@pytest.fixture(scope="module")
def probes():
    tasks = [make_task(), replace(make_task(seed=1, n_classes=8), model="other")]
    tables = [random_subsets.probes(task, **OPTIONS, sgd_fractions=(0.2,)) for task in tasks]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def verdicts(probes):
    return across_probes.verdicts_by_probe(probes)


def moved(probes, probe, gap):
    """Return the tables with the loss of one probe on one model at `gap`, its limits a point around."""
    rows = (probes["metric"] == "accuracy_gap") & (probes["probe"] == probe) & (probes["model"] == "other")
    changed = probes.copy()
    changed.loc[rows, ["value", "low", "high"]] = [gap, gap - 0.01, gap + 0.01]
    return changed


def test_every_probe_has_the_verdict_of_its_own_claim(probes, verdicts):
    assert list(where(verdicts, model="other")["probe"]) == ["logistic", "ridge", "sgd"]
    for row in verdicts.itertuples():
        claim = claims.accuracy_is_kept(where(probes, model=row.model), probe=row.probe)
        assert (row.verdict, -row.gap, -row.high, -row.low) == (claim.verdict, claim.value, claim.low, claim.high)
        assert row.gap == pytest.approx(row.full - row.mean)


def test_the_share_needed_is_one_minus_redundancy_and_only_of_probes_measured_at_the_same_shares(probes, verdicts):
    redundancy = where(probes, metric="diffused_redundancy_first", method="random", delta=0.9)
    redundancy = redundancy[redundancy["repeat"].isna()].set_index(["model", "probe"])["value"]
    for row in verdicts.to_dict("records"):
        needed = row["needed 90 %"]
        if row["probe"] == "sgd":
            assert needed != needed
        else:
            assert needed == pytest.approx(1 - redundancy[row["model"], row["probe"]])


def test_the_probe_decides_where_verdicts_differ_and_only_there(probes):
    alike = probes
    for probe in ("logistic", "ridge", "sgd"):
        alike = moved(alike, probe, 0.01)
    decided = across_probes.verdicts_by_probe(moved(alike, "ridge", 0.2))
    assert where(decided, model="other")["decides"].all()
    assert set(where(decided, model="other")["verdict"]) == {"holds", "fails"}
    assert "in 1 of" in across_probes.finding(decided) or "in 2 of" in across_probes.finding(decided)
    same = across_probes.verdicts_by_probe(alike)
    assert not where(same, model="other")["decides"].any()
    assert across_probes.finding(same) != across_probes.finding(decided)


def test_words_say_how_much_more_the_headline_keeps_than_ridge(verdicts):
    kept = (verdicts["mean"] / verdicts["full"]).groupby(verdicts["probe"]).mean()
    more = f"logistic keeps {100 * (kept['logistic'] - kept['ridge']):+.1f} points more than ridge"
    assert more in across_probes.finding(verdicts)
    assert "more than ridge" not in across_probes.finding(verdicts[verdicts["probe"] != "ridge"])
    words = across_probes.describe_by_probe(verdicts)
    assert f"to {100 * where(verdicts, probe='ridge')['gap'].max():.1f}" in words


def test_the_figure_draws_the_losses_and_the_margin(verdicts):
    ax = across_probes.plot_by_probe(verdicts)
    lines = {line.get_label(): line for line in ax.lines}
    gaps = 100 * where(verdicts, probe="logistic", task=ax.get_title(loc="left"))["gap"]
    assert sorted(lines["logistic, converged"].get_xdata()) == pytest.approx(sorted(gaps))
    assert set(lines["published margin"].get_xdata()) == {100 * random_subsets.names.MARGIN}
    plt.close(ax.figure)
    with pytest.raises(InputError, match="plot_by_probe needs at least one row"):
        across_probes.plot_by_probe(verdicts.iloc[:0])


def test_the_table_is_in_percent_and_its_caption_is_the_finding(probes, verdicts):
    shown = across_probes.table()
    rows = shown.summary(probes)
    assert rows["gap"].tolist() == pytest.approx((100 * verdicts["gap"]).tolist())
    assert across_probes.finding(verdicts) in shown.caption(rows)
    assert set(rows["decides"]) <= {"yes", "no"}


def test_a_probe_that_was_not_measured_at_the_share_is_left_out(probes):
    assert set(across_probes.verdicts_by_probe(probes, fraction=0.5)["probe"]) == {"logistic", "ridge"}
