"""Comparisons pair what belongs together, statistics equal their slow twins, and every check can fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import cliffs_delta_by_pairs, invented_table
from scipy import stats

from diffred_core import results
from diffred_core.chapters import tunnel_paper
from diffred_core.chapters.tunnel_paper import printed
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, RESOLUTION_STEPS, VARIANTS, pairs
from diffred_core.chapters.tunnel_paper.effects import cliffs_delta, delta_slack, effect_rows, paired_p
from diffred_core.chapters.tunnel_paper.names import MEASURES, OOD_CLASSES
from diffred_core.chapters.tunnel_paper.sweep_statistics import as_results, average_rows, residual_rows
from diffred_core.chapters.tunnel_paper.table import networks
from diffred_core.errors import InputError
from diffred_core.results import published

BY_NAME = {c.name: c for c in (*COMPARISONS, *VARIANTS)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return invented_table(tmp_path_factory.mktemp("tunnel"))


def framed(table, comparisons=COMPARISONS, **options):
    return printed.comparison_frame(as_results(list(effect_rows(table, comparisons, **options))), comparisons)


@pytest.fixture(scope="module")
def rows(table):
    """Return a results table with invented slopes and explained variance: those of the paper, but for one."""
    numbers = published.tunnel_numbers()
    regression = numbers[numbers["quantity"].isin(("slope", "slope_share"))]
    names = {"quantity": "metric", "subject": "method", "metric": "label", "value": "value"}
    slopes = regression[list(names)].rename(columns=names).to_dict("records")
    explained = [
        {"method": "regression", "label": measure, "metric": metric, "value": value, **limits}
        for measure, value in zip(MEASURES, (0.62, 0.74, 0.5), strict=True)
        for metric, limits in (
            ("r2", {}),
            ("r2_held_out", {"low": 0.1, "high": 0.9, "n": 2, "recipe": "3 folds"}),
            ("r2_ceiling", {"n": 62}),
        )
    ]
    shares = [
        {"method": name, "label": "retained", "metric": "variance_share", "value": value, "n": 28}
        for name, value in (("networks", 0.63), ("ood_sets", 0.25), ("rest", 0.12))
    ]
    measured = effect_rows(table, (*COMPARISONS, *VARIANTS), n_boot=500)
    residuals = residual_rows(table, published.tunnel_accuracies())
    return as_results([*measured, *residuals, *slopes, *explained, *shares, *average_rows(table)])


@pytest.fixture(scope="module")
def effects(rows):
    return printed.comparison_frame(rows, COMPARISONS)


@pytest.fixture(scope="module")
def replay(rows):
    return tunnel_paper.replay(rows)


@pytest.mark.parametrize(("n", "m", "digits"), [(7, 7, 1), (1, 9, 0), (12, 5, 3)])
def test_cliffs_delta_equals_the_double_loop(n, m, digits):
    rng = np.random.default_rng(n)
    before, after = rng.normal(size=n).round(digits), (rng.normal(size=m) + 0.5).round(digits)
    assert cliffs_delta(before, after) == pytest.approx(cliffs_delta_by_pairs(before, after))
    assert cliffs_delta(after, before) == -cliffs_delta(before, after)


def test_cliffs_delta_is_one_without_overlap_and_knows_ranks_only():
    before, after = np.array([1.0, 2, 3]), np.array([2.5, 4, 5])
    assert cliffs_delta(before, before + 10) == 1
    assert cliffs_delta(before, before) == 0
    moved = cliffs_delta(np.exp(before), np.exp(after))
    assert moved == cliffs_delta(before, after)
    assert cliffs_delta(-before, after) != moved  # the control: order changed
    with pytest.raises(InputError, match="values on both sides of Cliff's delta, got 3 and 0"):
        cliffs_delta(before, [])


def test_p_is_scipys_and_one_without_any_difference():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=30), rng.normal(size=30) + 0.4
    assert paired_p(before, after) == stats.wilcoxon(before, after).pvalue
    assert paired_p(before, before) == 1


@pytest.mark.parametrize("name", BY_NAME)
def test_pairs_share_what_matches_and_differ_in_the_factor(name, table):
    before, after = pairs(table, BY_NAME[name])
    names = networks().set_index("block")
    for column in set(BY_NAME[name].match):
        np.testing.assert_array_equal(names.loc[before["block"], column], names.loc[after["block"], column])
    assert not (before["block"] == after["block"]).any()
    assert len(before) % 8 == 0


# As the paper counts them, but for spatial reduction: the numbers printed are those of 64.
CELLS = {"augmentation": 256, "classes": 16, "spatial_reduction": 64, "stem": 64, "depth": 48, "resolution_32_64": 48}


@pytest.mark.parametrize(("name", "n"), CELLS.items())
def test_comparisons_have_the_published_number_of_cells(name, n, effects):
    rows = effects[effects["comparison"] == name]
    assert set(rows["n_cells"]) == {n}
    assert set(rows["n_pairs"]) == {n // 8}


def test_rows_that_do_not_pair_off_are_refused(table):
    halved = table.drop(table.index[table["block"] == 0][:1])
    with pytest.raises(InputError, match=r"comparison 'augmentation' to pair off by network, .* got 255 and 256 rows"):
        pairs(halved, BY_NAME["augmentation"])


def test_an_effect_is_rewritten_in_plain_pandas(table, rows, effects):
    found = effects.query("comparison == 'depth' and measure == 'retained'").iloc[0]
    full = table[(table["id_set"] == "ImageNet-100") & table["resolution"].isin((32, 224))]
    keys = ["spatial_reduction", "resolution", "augmentation"]
    sides = [
        full[(full["family"] == "VGGm") & (full["depth"] == depth)].groupby([*keys, "position"])["retained"].first()
        for depth in (11, 17)
    ]
    gain = (sides[1] - sides[0]).groupby(level=keys).mean()
    before = rows.query("method == 'depth' and label == 'retained' and metric == 'mean' and split == 'before'")
    assert before["value"].item() == pytest.approx(sides[0].mean())
    assert found["gain"] == pytest.approx(gain.mean())
    assert found["delta"] == pytest.approx(cliffs_delta_by_pairs(sides[0], sides[1]))
    assert found["positive"] == (gain > 0).sum()
    assert (found["least"], found["most"]) == pytest.approx((gain.min(), gain.max()))
    assert found["low"] < found["gain"] < found["high"]


def test_two_pairs_have_no_interval(effects):
    rows = effects[effects["n_pairs"] == 2]
    assert set(rows["comparison"]) == {"classes"}
    assert rows[["low", "high"]].isna().all(axis=None)
    assert effects[effects["n_pairs"] > 2][["low", "high"]].notna().all(axis=None)


def test_cells_of_one_network_do_not_count_as_experiments(table):
    """Noise common to all cells of a network is an effect for the test over cells, and none for the interval."""
    rng = np.random.default_rng(1)
    noise = table["block"].map(dict(enumerate(rng.normal(0, 10, 64))))
    shared = table.assign(retained=50 + noise + rng.normal(0, 0.5, len(table)))
    own = table.assign(retained=50 + rng.normal(0, 10, len(table)))  # the control: independent cells
    shares = []
    for values in (shared, own):
        rows = framed(values, n_boot=500).query("measure == 'retained'").dropna(subset="low")
        shares.append(((rows["p_value"] < 0.05).mean(), ((rows["low"] > 0) | (rows["high"] < 0)).mean()))
    assert shares[0][0] > 0.5
    assert shares[0][1] < shares[0][0]
    assert shares[1][0] < 0.3


def test_file_order_pairs_other_architectures_where_the_order_changes(rows):
    same = rows[rows["metric"] == "same_network"].set_index("method")["value"]
    assert same.to_dict() == {
        "resolution_32_64": 2,
        "resolution_32_128": 2,
        "resolution_32_224": 6,
        "resolution_64_128": 6,
        "resolution_64_224": 2,
        "resolution_128_224": 2,
    }


def test_pairing_matters_for_p_alone_and_only_where_the_order_changes(rows):
    p = rows[rows["metric"] == "p_value"].pivot(index=["method", "label"], columns="split", values="value")
    p = p.loc[[step.name for step in RESOLUTION_STEPS]]
    same = p.index.get_level_values("method").isin(("resolution_32_224", "resolution_64_128"))
    np.testing.assert_allclose(p.loc[same, "matched"], p.loc[same, "file_order"])
    assert not np.isclose(p.loc[~same, "matched"], p.loc[~same, "file_order"]).any()
    shown = tunnel_paper.tables.pairings.summary(rows)
    assert len(shown) == 18
    assert set(shown["blocks paired with their own network"]) == {2, 6}


def consistent(table, *, exchange):
    """Return a table whose alignments follow from printed accuracies, its two columns exchanged or not."""
    accuracies = published.tunnel_accuracies()
    classes = np.array(list(OOD_CLASSES.values()), float)
    shares = accuracies.iloc[:, 3:].to_numpy() / 100
    if not exchange:
        shares = shares[:, [0, 1, 2, 3, 4, 6, 5, 7]]
    above_id = np.random.default_rng(0).uniform(0.3, 0.8, (len(shares), 1))
    keys = ["network", "augmentation", "resolution"]
    wide = pd.DataFrame(above_id * (shares - 1 / classes)).set_index(pd.MultiIndex.from_frame(accuracies[keys]))
    full = table["id_set"] == "ImageNet-100"
    values = wide.rename_axis(columns="position").stack().rename("made")
    made = table.join(values, on=[*keys, "position"])["made"]
    return table.assign(alignment=made.where(full & made.notna(), table["alignment"]))


@pytest.mark.parametrize(("exchange", "fits"), [(True, "exchanged"), (False, "same_name")])
def test_the_reading_that_made_the_alignments_has_no_residual(table, exchange, fits):
    residuals = as_results(residual_rows(consistent(table, exchange=exchange), published.tunnel_accuracies()))
    worst = residuals["value"].abs().groupby(residuals["method"]).max()
    assert worst.idxmin() == fits
    assert worst[fits] < 1e-12
    assert (worst.drop(fits) > 0.005).all()
    assert len(residuals) == 3 * 28 * 8


def test_residuals_of_unknown_networks_are_refused(table):
    strange = published.tunnel_accuracies().replace({"network": {"ViT-T": "ViT-X"}})
    with pytest.raises(InputError, match=r"expected networks of the table in accuracies, got \('ViT-X', False, 32\)"):
        residual_rows(table, strange)


def test_rounding_never_moves_delta_further_than_said():
    rng = np.random.default_rng(3)
    for digits_before, digits_after in ((1, 1), (1, 2), (2, 2)):
        halves = [np.full(40, 0.5 * 10.0**-d) for d in (digits_before, digits_after)]
        for _ in range(20):
            exact = rng.normal(0, 0.5, 40), rng.normal(0.1, 0.5, 40)
            rounded = exact[0].round(digits_before), exact[1].round(digits_after)
            slack = delta_slack(*rounded, *halves)
            moved = abs(cliffs_delta(*rounded) - cliffs_delta(*exact))
            assert moved <= slack + 1e-12
    assert slack < 0.1  # the control: it is no licence
    assert delta_slack(np.array([1.0]), np.array([2.0]), np.array([0.005]), np.array([0.005])) == 0


def test_rounding_moves_means_by_half_a_unit_and_p_over_a_range(rows):
    by = rows.fillna({"split": ""}).set_index(["metric", "method", "split", "label"]).sort_index()
    mean = by.loc["mean"]
    for key, half in {
        ("depth", "before", "alignment"): 0.0005,
        ("ID CIFAR-10", "", "alignment"): 0.005,
        ("depth", "after", "retained"): 0.005,
    }.items():
        row = mean.loc[key].iloc[0] if isinstance(mean.loc[key], pd.DataFrame) else mean.loc[key]
        assert row["high"] - row["value"] == pytest.approx(half)
        assert row["value"] - row["low"] == pytest.approx(half)
    p = by.loc["p_value"]
    assert ((p["low"] <= p["value"]) & (p["value"] <= p["high"])).all()
    assert (p["high"] - p["low"]).between(0, 0.6).all()
    assert (p["high"] > p["low"]).any()


def test_a_replay_tells_equal_from_rounding_from_different(replay):
    by = replay.set_index(["quantity", "subject", "side", "measure"]).sort_index()
    assert by.loc[("r2", "", "", "retained"), "verdict"] == "equal"
    assert by.loc[("r2", "", "", "correlation"), "verdict"] == "differs"
    assert by.loc[("n_cells", "stem", "", ""), "verdict"] == "equal"
    assert by.loc[("n_cells", "spatial_reduction", "", ""), "verdict"] == "differs"
    slopes = replay[replay["quantity"] == "slope"]
    assert (slopes["verdict"] == "equal").all()
    assert replay.loc[replay["quantity"] == "mean", "verdict"].eq("differs").mean() > 0.9  # invented values
    assert len(replay) == len(published.tunnel_numbers())


@pytest.mark.parametrize(
    ("difference", "slack", "verdict"),
    [
        (0.0, (0, 0), "equal"),
        (0.005, (0, 0), "equal"),  # 0.125 may be printed 0.12 or 0.13
        (-0.0049, (0, 0), "equal"),
        (0.0051, (0, 0), "differs"),
        (0.0051, (0.001, 0), "rounding"),  # recomputed is above, so it must be free to go down
        (0.0051, (0, 0.001), "differs"),
        (-0.0051, (0, 0.001), "rounding"),
        (-0.0061, (0, 0.001), "differs"),
    ],
)
def test_one_unit_of_the_last_digit_is_seen(difference, slack, verdict):
    below, above = slack
    numbers = {"published": 1.0, "recomputed": 1 + difference, "digits": 2}
    row = pd.DataFrame([numbers | {"low": 1 + difference - below, "high": 1 + difference + above}])
    assert list(printed.verdicts(row)) == [verdict]


def test_the_range_of_a_slope_over_seeds_is_not_rounding(rows):
    slopes = rows["metric"] == "slope_share"
    moved = rows.assign(value=rows["value"].where(~slopes, rows["value"] + 0.02))
    moved.loc[slopes, "low"], moved.loc[slopes, "high"] = -1.0, 1.0
    verdicts = tunnel_paper.replay(moved).query("quantity == 'slope_share'")["verdict"]
    assert set(verdicts) == {"differs"}


def test_a_published_delta_has_no_sign(rows):
    delta = rows["metric"] == "delta"
    turned = rows.assign(value=rows["value"].where(~delta, -rows["value"]), low=rows["low"], high=rows["high"])
    turned.loc[delta, ["low", "high"]] = -rows.loc[delta, ["high", "low"]].to_numpy()
    pd.testing.assert_frame_equal(tunnel_paper.replay(turned), tunnel_paper.replay(rows))


def test_tables_hold_every_number_with_its_verdict(rows, replay):
    counts = tunnel_paper.tables.counts.summary(rows)
    assert counts[["equal", "rounding", "differs"]].to_numpy().sum() == len(replay)
    shown = tunnel_paper.tables.numbers.summary(rows)
    assert shown.notna().all(axis=None)
    assert set(shown.loc[shown["number"].str.startswith("|Cliff"), "published"].str.len()) == {5}
    assert "slope: stem" in set(shown["number"])
    assert len(tunnel_paper.tables.open_numbers.summary(rows)) == (replay["verdict"] != "equal").sum()
    assert len(tunnel_paper.tables.effects.summary(rows)) == 36
    assert len(tunnel_paper.tables.variants.summary(rows)) == 12
    explained = tunnel_paper.tables.explained.summary(rows)
    assert explained["R² in-sample"].tolist() == [0.62, 0.74, 0.5]
    assert set(explained["divisions"]) == {"2 into 3 folds"}


def by_name(rows):
    return {claim.name: claim for claim in tunnel_paper.claims.all_claims(rows)}


def test_the_claim_about_printed_numbers_counts_what_the_replay_gives(rows, replay):
    counted = replay[replay["side"] != "file_order"]
    n = counted["verdict"].value_counts()
    claim = by_name(rows)["printed numbers"]
    assert claim.evidence.startswith(f"Of {len(counted)} printed numbers {n['equal']} come out equal")
    assert f"and {n['differs']} differ (" in claim.evidence
    assert (claim.value, claim.verdict) == (n["differs"], "fails")


def test_the_claim_about_effects_follows_their_intervals(rows, effects):
    retained = effects[effects["measure"] == "retained"]
    clear = ((retained["low"] > 0) | (retained["high"] < 0)).sum()
    assert f"interval of {clear} of {len(retained) - 1} effects" in by_name(rows)["networks as the unit"].evidence
    gains, p = rows["metric"] == "gain", rows["metric"] == "p_value"
    none = rows.assign(low=rows["low"].where(~gains | rows["low"].isna(), -1.0)).assign(
        high=rows["high"].where(~gains | rows["high"].isna(), 100.0), value=rows["value"].where(~p, 0.5)
    )
    claim = by_name(none)["networks as the unit"]
    assert "interval of 0 of 11 effects" in claim.evidence
    assert claim.evidence.endswith("Each of the others has p of at least 0.05 over cells, too.")
    assert claim.verdict == "holds"
    assert by_name(none.assign(value=none["value"].where(~p, 0.01)))["networks as the unit"].verdict == "fails"


def test_the_other_claims_hold_their_numbers(rows):
    claims = by_name(rows)
    residuals = rows[rows["metric"] == "alignment_residual"]
    worst = residuals["value"].abs().groupby(residuals["method"]).max()
    assert all(f"{value:.4f}" in claims["headings of table 4"].evidence for value in worst)
    assert claims["pairs of the test"].evidence.startswith("Of the 7 printed p-values of resolution, ")
    gain = rows.query("method == 'resolution_32_224_vit' and label == 'retained' and metric == 'gain'")["value"].item()
    vit = claims["resolution, ViT"]
    assert f"by {gain:+.1f} (the 2 pairs: " in vit.evidence
    assert vit.verdict == "undecided"
    regression = claims["explained variance"]
    assert "0.62 in-sample, 0.62 on combinations held out" in regression.evidence
    assert "28 ImageNet-100 networks at 32 and 224 pixels, 63 % lies between networks and 25 %" in regression.evidence
    assert regression.verdict == "undecided"


def test_statistics_are_written_and_read_as_they_are(rows, effects, tmp_path):
    again = results.read(results.write(rows, tmp_path / "t.csv", provenance={}))
    gain = again.query("method == 'depth' and label == 'retained' and metric == 'gain'")
    depth = effects.query("comparison == 'depth' and measure == 'retained'")
    assert gain[["low", "high"]].to_numpy() == pytest.approx(depth[["low", "high"]].to_numpy())
    assert again.query("method == 'classes' and metric == 'gain'")[["low", "high"]].isna().all(axis=None)
    assert again["n_features"].isna().all()
    assert not again.duplicated(["task", "model", "method", "split", "metric", "label"]).any()
    pd.testing.assert_frame_equal(tunnel_paper.replay(again), tunnel_paper.replay(rows))
