"""Few-shot verdicts follow the interval over episodes, and every claim can fail."""

from __future__ import annotations

import pandas as pd
import pytest

from diffred_core import results
from diffred_core.chapters import few_shots
from diffred_core.errors import InputError

SHARED = {"experiment": "few_shot", "task": "t", "model": "m", "layer": "l", "n_features": 1000}
HEAD = {"split": "pool", "n_way": 5, "n_shot": 1, "probe": "centroid_euclidean"}
ORACLE = HEAD | {"method": "oracle_all"}
WIDE = ORACLE | {"split": "all"}
N = 400


def measured(metric, mean, *, reach=0.01, **where):
    """Rows of one measurement whose 95 % interval is about mean +- reach."""
    if "fraction" in where:
        where["n_selected"] = round(1000 * where["fraction"])
    sd = reach / 1.966 * N**0.5
    return [SHARED | where | {"metric": metric, "value": mean, "sd": sd, "n": N}]


def table(*parts):
    return results.as_table([row for part in parts for row in part])


def curve(gains, *, rise=0.2, peak=0.1, peak_at=0.05, **where):
    where = ORACLE | where
    fair = where | {"method": "oracle_no_query"}
    parts = [
        measured("peak_gain", peak, fraction=peak_at, **where),
        measured("peak_rise", rise, fraction=peak_at, **where),
        measured("recovered_gain", 0.004, fraction=0.02, **where),
    ]
    parts += [measured("gain", gain - 0.02, fraction=fraction, **fair) for fraction, gain in gains.items()]
    for fraction, gain in gains.items():
        parts.append(measured("gain", gain, fraction=fraction, **where))
        parts.append(measured("accuracy", 0.6 + gain, fraction=fraction, **where))
    return [row for part in parts for row in part]


GAINS = {0.01: 0.05, 0.02: 0.05, 0.03: 0.05, 0.05: 0.05, 1.0: 0.0}
VERDICTS = [(0.05, "holds"), (0.005, "undecided"), (-0.05, "fails")]


@pytest.mark.parametrize(
    ("gain", "margin", "verdict"),
    [
        (0.05, 0.01, "holds"),
        (0.005, 0.01, "holds"),  # not shown to be better, but shown to be hardly worse
        (-0.005, 0.02, "holds"),
        (-0.005, 0.01, "undecided"),
        (-0.015, 0.01, "undecided"),
        (-0.05, 0.01, "fails"),
        (-0.05, 0.1, "holds"),
    ],
)
def test_recovery_is_not_to_be_worse_by_more_than_a_margin(gain, margin, verdict):
    claim = few_shots.claims.top_percent_recovers(table(curve(GAINS | {0.01: gain})), margin=margin)
    assert claim.verdict == verdict
    assert claim.value == pytest.approx(gain)
    assert claim.limit == -margin
    assert "with a margin of " + {0.01: "1 point ", 0.02: "2 points ", 0.1: "10 points "}[margin] in claim.statement
    assert f"{100 * gain:+.1f} points, 95 % interval" in claim.evidence
    assert "over 400 episodes" in claim.evidence
    assert f"Without the queries an oracle gains {100 * gain - 2:+.1f} points (95 % interval" in claim.evidence
    assert "on one half of the episodes is 2 %; on the other half it gains +0.4 points" in claim.evidence


@pytest.mark.parametrize("margin", [0.0, -0.01, 1.0, float("nan")])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(InputError, match=r"margin must be an accuracy above 0 and below 1, got .*; 0.01 is one point"):
        few_shots.claims.all_claims(whole(), margin=margin)
    with pytest.raises(InputError, match="margin must be an accuracy above 0"):
        few_shots.tables.recovered(margin=margin).summary(whole())


def test_every_share_is_judged_by_the_margin():
    parts = curve({0.01: -0.05, 0.02: -0.005, 0.05: 0.05, 1.0: 0.0})
    shown = few_shots.tables.recovered(margin=0.01)
    rows = shown.summary(table(parts))
    by_oracle = rows[rows["ranked by"] == "oracle"].set_index("share (%)")["verdict"]
    assert by_oracle.to_dict() == {1.0: "falls short", 2.0: "undecided", 5.0: "recovers"}
    fair = rows[rows["ranked by"] == "oracle without queries"].set_index("share (%)")["gain"]
    assert fair.to_dict() == pytest.approx({1.0: -7.0, 2.0: -2.5, 5.0: 3.0})
    assert "above -1 points" in shown.caption(rows)
    wide = few_shots.tables.recovered(margin=0.1)
    assert set(wide.summary(table(parts))["verdict"]) == {"recovers"}


def test_claims_of_an_oracle_that_sees_the_queries_say_so():
    by_name = {claim.name[:2]: claim for claim in few_shots.claims.all_claims(whole())}
    for name in ("C1", "C2", "C3", "C4", "C5"):
        assert "an oracle that sees the queries" in by_name[name].statement, name
    assert "by all images with the queries" in by_name["C6"].statement
    for name in ("C7", "C8"):
        assert "sees the queries" not in by_name[name].statement, name


def test_evidence_states_the_level_in_use():
    at_95, at_90 = (few_shots.claims.all_claims(whole(), level=level) for level in (0.95, 0.9))
    assert not any("95 %" in claim.evidence for claim in at_90)
    assert all("90 % interval" in claim.evidence for claim in at_90)  # C2 in what stands beside its corrected one
    assert all("95 % interval" in claim.evidence for claim in at_95)
    for narrow, wide in zip(at_90, at_95, strict=True):
        assert narrow.high - narrow.low < wide.high - wide.low


@pytest.mark.parametrize(("gain", "verdict"), VERDICTS)
def test_improvement_takes_the_best_share_at_a_corrected_level(gain, verdict):
    claim = few_shots.claims.few_percent_improve(table(curve(dict.fromkeys(GAINS, -0.1) | {0.03: gain, 1.0: 0.0})))
    assert claim.verdict == verdict
    assert "is 3 %" in claim.evidence
    assert "98.75 % interval" in claim.evidence
    assert claim.high - claim.low > 0.022  # wider than the interval of a single share


@pytest.mark.parametrize(
    ("rise", "peak", "verdict"),
    [(0.2, 0.1, "holds"), (0.2, 0.005, "undecided"), (0.2, -0.1, "fails"), (-0.1, 0.1, "fails")],
)
def test_a_peak_needs_a_rise_and_a_fall(rise, peak, verdict):
    claim = few_shots.claims.accuracy_peaks_inside(table(curve(GAINS, rise=rise, peak=peak)))
    assert claim.verdict == verdict
    assert claim.value == pytest.approx(min(rise, peak))


@pytest.mark.parametrize(("loss", "verdict"), VERDICTS)
def test_more_shots_are_judged_at_the_share_that_is_best_at_the_fewest(loss, verdict):
    few = curve(GAINS, peak_at=0.02, split="all")
    many = curve(GAINS | {0.02: -loss}, peak_at=1.0, split="all", n_shot=100)
    claim = few_shots.claims.more_shots_need_more(table(curve(GAINS), few, many))
    assert claim.verdict == verdict
    assert "2 % at 1, 100 % at 100" in claim.evidence


@pytest.mark.parametrize(
    ("few", "many", "verdict"), [(0.1, 0.0, "holds"), (0.1, 0.095, "undecided"), (0.0, 0.1, "fails")]
)
def test_fading_compares_the_fewest_and_the_most_classes(few, many, verdict):
    ways = {2: few, 5: 0.05, 10: many}
    parts = [measured("peak_gain", gain, fraction=0.05, **WIDE | {"n_way": n_way}) for n_way, gain in ways.items()]
    claim = few_shots.claims.fades_with_ways(table(curve(GAINS), *parts))
    assert claim.verdict == verdict
    assert (claim.high - claim.low) / 2 == pytest.approx(0.01 * 2**0.5, rel=0.01)


@pytest.mark.parametrize(("gain", "verdict"), VERDICTS)
def test_confounders_are_judged_by_leaving_them_out(gain, verdict):
    where = HEAD | {"method": "left_out"}
    ninths = {"spread high, distance low": gain, "spread low, distance low": 0.001}
    parts = [measured("gain", value, label=label, **where) for label, value in ninths.items()]
    parts += [measured("few_shot_share", 0.5, label=label, **HEAD | {"method": "theory"}) for label in ninths]
    claim = few_shots.claims.confounders_harm(table(curve(GAINS), *parts))
    assert claim.verdict == verdict
    assert ("the best of 2" in claim.evidence) == (gain > 0.001)


def estimates(shortfall, n_shot=1, basis="estimated_views", recipe=None):
    where = HEAD | {"method": basis, "n_shot": n_shot, "fraction": 0.05, "recipe": recipe}
    plain = where | {"probe": None}
    ranks = {key: value for key, value in plain.items() if key != "fraction"}
    return [
        *measured("shortfall", shortfall, **where),
        *measured("gain", 0.0, **where),
        *measured("overlap", 0.4, **plain),
        *measured("rank_correlation", 0.8, **ranks),
        *measured("rank_correlation", 0.3, **ranks | {"label": "shrunk"}),
    ]


@pytest.mark.parametrize(("shortfall", "verdict"), VERDICTS)
def test_selection_is_judged_by_what_it_misses_of_the_oracle(shortfall, verdict):
    claim = few_shots.claims.selection_is_inaccurate(table(curve(GAINS), estimates(shortfall)))
    assert claim.verdict == verdict
    assert "share 40 %" in claim.evidence
    assert "rank correlation of all 0.80" in claim.evidence


def masks(gain, *, n_shot=1, basis="estimated_views", best=None, **where):
    """The mask by importance and one by R / spread, which is the best of them if `best` is its gain."""
    where = HEAD | {"n_shot": n_shot, "label": basis} | where
    chosen = where | {"method": "mask_importance" if best is None else "mask_scaled"}
    return [
        *measured("gain", gain, **where | {"method": "mask_importance"}),
        *measured("gain", -0.2 if best is None else best, **where | {"method": "mask_scaled"}),
        *measured("gain", 0.7, **where | {"method": "mask_inverse_spread_floored"}),  # no reconstruction
        *measured("gain", 0.7, **where | {"method": "mask_hard"}),
        *measured("best_gain", gain if best is None else best, **chosen),
        *measured("best_win_rate", 0.6, **chosen),
        *measured("best_over_control", 0.02, **chosen),
    ]


@pytest.mark.parametrize(("gain", "verdict"), VERDICTS)
def test_the_best_mask_is_judged_at_the_plain_prototypes(gain, verdict):
    others = masks(0.5, probe="centroid_euclidean_views"), masks(0.5, n_shot=5), masks(0.5, basis="oracle_all")
    claim = few_shots.claims.mask_improves(table(curve(GAINS), estimates(0.1), masks(gain), *others))
    assert claim.verdict == verdict
    assert "the best of 2 reconstructions" in claim.statement
    assert f"The best is R. Each by itself on all episodes, {int(gain > 0.01)} gain and " in claim.evidence
    assert f"and {1 + (gain < -0.01)} lose by their whole 95 % interval" in claim.evidence
    assert "wins 60 %" in claim.evidence
    assert "gains +2.0 points (95 % interval +1.0 to +3.0) over the control" in claim.evidence


def test_a_mask_that_the_other_half_chose_is_the_one_that_is_judged():
    claim = few_shots.claims.mask_improves(table(curve(GAINS), estimates(0.1), masks(-0.2, best=0.05)))
    assert claim.verdict == "holds"
    assert claim.value == pytest.approx(0.05)
    assert "The best is R / spread." in claim.evidence


@pytest.mark.parametrize(
    ("lead", "reach", "verdict"),
    [(0.0, 0.005, "holds"), (0.0, 0.02, "undecided"), (0.05, 0.01, "fails"), (-0.05, 0.01, "fails")],
)
def test_probe_and_centroid_are_equal_within_a_point_or_not(lead, reach, verdict):
    where = HEAD | {"method": "full", "probe": "logistic", "label": "centroid_cosine"}
    claim = few_shots.claims.head_equals_centroid(
        table(curve(GAINS), measured("over_centroid", lead, reach=reach, **where))
    )
    assert claim.verdict == verdict


def whole(task="t", recipes=None):
    """A table that every claim can be read from; `recipes` of views with the gains of masks, the headline's first."""
    recipes = recipes or {None: 0.05}
    first = next(iter(recipes))
    parts = [
        curve(GAINS),
        curve(GAINS, split="all"),
        curve(GAINS, split="all", n_shot=20),
        measured("peak_gain", 0.02, fraction=0.05, **WIDE | {"n_way": 8}),
        measured("gain", 0.02, label="spread high, distance low", **HEAD | {"method": "left_out"}),
        measured("few_shot_share", 0.5, label="spread high, distance low", **HEAD | {"method": "theory"}),
        estimates(0.1, recipe=first),
        masks(-0.05, probe="centroid_cosine", recipe=first),
    ]
    parts += [masks(gain, recipe=recipe) for recipe, gain in recipes.items()]
    return table(*parts).assign(task=task)


def test_every_claim_is_there_once_and_those_that_need_more_are_left_out():
    claims = few_shots.claims.all_claims(whole())
    assert [claim.name[:2] for claim in claims] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C8"]
    assert [claim.verdict for claim in claims if claim.name.startswith("C8")] == ["holds", "fails"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda rows: rows[(rows["split"] != "all") | (rows["n_way"] != 5) | (rows["n_shot"] == 1)], {"C4"}),
        (lambda rows: rows[rows["n_way"] == 5], {"C5"}),
        (lambda rows: rows[~rows["method"].str.startswith("estimated")], {"C7", "C8"}),
    ],
)
def test_a_claim_is_left_out_where_there_is_nothing_to_compare(change, missing):
    names = {claim.name[:2] for claim in few_shots.claims.all_claims(whole())}
    assert {claim.name[:2] for claim in few_shots.claims.all_claims(change(whole()))} == names - missing


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (few_shots.claims.more_shots_need_more, r"two values of n_shot to compare, got \[1\]; .* more_shots"),
        (few_shots.claims.fades_with_ways, r"two values of n_way to compare, got \[5\]; .* ways"),
        (few_shots.claims.selection_is_inaccurate, "expected an importance estimated from the support, got none"),
    ],
)
def test_a_claim_asked_for_by_name_says_what_is_missing(claim, message):
    with pytest.raises(InputError, match=message):
        claim(table(curve(GAINS), curve(GAINS, split="all")))


def test_shots_alone_stand_in_where_there_are_no_views():
    parts = curve(GAINS), curve(GAINS, n_shot=5), estimates(0.1, n_shot=5, basis="estimated_shots")
    parts = *parts, masks(0.05, n_shot=5, basis="estimated_shots")
    claim = few_shots.claims.selection_is_inaccurate(table(*parts))
    assert "estimated from 5 shots" in claim.statement
    assert few_shots.claims.mask_improves(table(*parts), n_shot=5).verdict == "holds"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[rows["method"] != "oracle_all"], "expected a table of few_shots.episodes"),
        (lambda rows: rows[rows["fraction"] != 0.01], "expected gain at fraction 0.01, got no such row"),
    ],
)
def test_a_table_without_the_rows_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        few_shots.claims.all_claims(change(whole()))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ({"mild": 0.1, "wild": 0.0}, {"mild": 0.0, "wild": 0.1}, "holds"),
        ({"mild": 0.1, "wild": 0.0}, {"mild": 0.1, "wild": 0.0}, "fails"),
        ({"mild": 0.1, "wild": 0.0}, {"mild": 0.0, "wild": 0.01}, "undecided"),
    ],
)
def test_augmentations_differ_only_where_both_are_clearly_ahead(first, second, verdict):
    both = pd.concat([whole("a", first), whole("b", second)], ignore_index=True)
    claim = few_shots.claims.augmentations_differ(few_shots.across.crop_gains(both))
    assert claim.verdict == verdict
    assert "mild on a (+10.0 points, +10.0 on the next)" in claim.evidence
    assert "95 % interval" in claim.evidence
    lead = min(abs(gains["mild"] - gains["wild"]) for gains in (first, second))
    assert claim.value == pytest.approx(-lead if verdict == "fails" else lead)
    assert claim.high - claim.value == pytest.approx(0.01 * 2**0.5, rel=0.01)
    assert "over 400 episodes" in claim.evidence


def test_leads_are_judged_at_a_level_for_all_of_them_at_once():
    """The best of several recipes is ahead of the next by construction: chance alone must not make it clear."""
    three = {"a": 0.1, "b": 0.0, "c": -0.1}
    both = pd.concat([whole("a", three), whole("b", dict(zip("bca", three.values(), strict=True)))], ignore_index=True)
    assert few_shots.claims.n_leads(few_shots.across.crop_gains(both)) == 2 * 3
    (claim,) = few_shots.across.claims_by_cell(both, level=0.94)["all tasks", "m"]
    assert "99 % interval" in claim.evidence
    (single,) = few_shots.across.claims_by_cell(
        pd.concat([whole("a", {"x": 0.1, "y": 0.0}), whole("b", {"x": 0.0, "y": 0.1})]), level=0.9
    )["all tasks", "m"]
    assert "95 % interval" in single.evidence


def test_one_task_or_one_recipe_says_nothing_about_augmentations():
    one_task = whole("a", {"mild": 0.1, "wild": 0.0})
    for table in (one_task, pd.concat([whole("a"), whole("b")])):
        assert few_shots.claims.augmentations_differ(few_shots.across.crop_gains(table)) is None


def test_the_summary_holds_every_claim_of_every_task_with_its_interval():
    both = pd.concat([whole("a", {"x": 0.1, "y": 0.0}), whole("b", {"x": 0.0, "y": 0.1})], ignore_index=True)
    cells = few_shots.across.claims_by_cell(both)
    summary = few_shots.across.summary(both, cells)
    assert len(summary) == 2 * 9 + 1
    first = few_shots.claims.all_claims(whole("a"))[0]
    row = summary[(summary["task"] == "a") & (summary["method"] == "C1 top 1 % recovers")].iloc[0]
    assert (row["metric"], row["label"]) == ("claim", first.verdict)
    assert row["low"] == pytest.approx(first.low)
    shown = few_shots.answers.verdicts(cells).claims
    assert shown["m on a"][0] == first
    assert [claim.name for claim in shown["m on all tasks"]] == ["C10 best augmentation differs"]
    assert shown["m on all tasks"][0].verdict == "holds"
    assert "C10 best augmentation differs" not in {claim.name for claim in shown["m on a"]}


def test_the_table_of_crops_says_where_nothing_is_compared():
    table = few_shots.across.crop_table()
    rows = table.summary(whole("a", {"x": 0.1, "y": 0.0}))
    assert rows.set_index("recipe")["mean"].to_dict() == pytest.approx({"x": 10.0, "y": 0.0})
    assert "mask 'importance'" in table.caption(rows)
    assert "No table compares augmentations" in table.caption(table.summary(whole("a")))


def theory_table(*, simulated=0.1, approximated=0.1, both=0.05, mask=0.02, helps=1.0):
    """Two worlds at one number of shots: a second dimension that lowers the error to `both`, and masks."""
    errors = {
        ("first", "d", 1): (simulated, 0.1, approximated),
        ("both", "d", 2): (both, both, both),
        ("mask_theory", None, 9): (mask, mask, mask),
        ("top", None, 9): (0.03, 0.03, 0.03),
    }
    shared = SHARED | {"n_shot": 20}
    rows = [shared | {"method": "both", "label": "d", "metric": "helps", "value": helps}]
    for (method, label, size), values in errors.items():
        for kind, value in zip(("simulated", "exact", "approximated"), values, strict=True):
            drawn = {} if kind == "approximated" else {"sd": 0.1, "n": 10_000}
            where = {"method": method, "label": label, "n_selected": size}
            rows.append(shared | where | drawn | {"metric": "error", "recipe": kind, "value": value})
    return table(rows)


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, None),
        ({"simulated": 0.11}, "(5)"),
        ({"approximated": 0.2}, "(6)"),
        ({"helps": 0.0}, "(7)"),
        ({"both": 0.15}, "(7)"),
        ({"mask": 0.04}, "(8)"),
    ],
)
def test_each_formula_fails_where_it_is_wrong(change, failed):
    verdicts = {claim.name[:3]: claim.verdict for claim in few_shots.claims.theory(theory_table(**change))}
    assert verdicts == {name: "fails" if name == failed else "holds" for name in ("(5)", "(6)", "(7)", "(8)")}
