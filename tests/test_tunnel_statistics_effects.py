"""Comparisons pair what belongs together, statistics equal their slow twins, and every check can fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import cliffs_delta_by_pairs, invented_table
from scipy import stats

from diffred_core import results
from diffred_core.chapters import tunnel_paper
from diffred_core.chapters.tunnel_paper import replay as _replay
from diffred_core.chapters.tunnel_paper import rounding as _rounding
from diffred_core.chapters.tunnel_paper.networks import OOD_CLASSES
from diffred_core.errors import InputError
from diffred_core.results import published

BY_NAME = {c.name: c for c in (*tunnel_paper.COMPARISONS, *tunnel_paper.VARIANTS)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return invented_table(tmp_path_factory.mktemp("tunnel"))


@pytest.fixture(scope="module")
def effects(table):
    return tunnel_paper.effects(table, n_boot=500)


@pytest.fixture(scope="module")
def replay(table, effects):
    numbers = published.tunnel_numbers()
    slopes = numbers[numbers["quantity"] == "slope"].rename(columns={"subject": "variable", "value": "slope"})
    explained = pd.DataFrame({"metric": tunnel_paper.METRICS, "in_sample": (0.62, 0.74, 0.5)})
    return tunnel_paper.replay(
        table,
        effects=effects,
        pairings=tunnel_paper.resolution_pairings(table),
        explained=explained,
        slopes=slopes.assign(share=0.0),
    )


@pytest.mark.parametrize(("n", "m", "digits"), [(7, 7, 1), (1, 9, 0), (12, 5, 3)])
def test_cliffs_delta_equals_the_double_loop(n, m, digits):
    rng = np.random.default_rng(n)
    before, after = rng.normal(size=n).round(digits), (rng.normal(size=m) + 0.5).round(digits)
    assert tunnel_paper.cliffs_delta(before, after) == pytest.approx(cliffs_delta_by_pairs(before, after))
    assert tunnel_paper.cliffs_delta(after, before) == -tunnel_paper.cliffs_delta(before, after)


def test_cliffs_delta_is_one_without_overlap_and_knows_ranks_only():
    before, after = np.array([1.0, 2, 3]), np.array([2.5, 4, 5])
    assert tunnel_paper.cliffs_delta(before, before + 10) == 1
    assert tunnel_paper.cliffs_delta(before, before) == 0
    moved = tunnel_paper.cliffs_delta(np.exp(before), np.exp(after))
    assert moved == tunnel_paper.cliffs_delta(before, after)
    assert tunnel_paper.cliffs_delta(-before, after) != moved  # the control: order changed
    with pytest.raises(InputError, match="values on both sides of Cliff's delta, got 3 and 0"):
        tunnel_paper.cliffs_delta(before, [])


def test_p_is_scipys_and_one_without_any_difference():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=30), rng.normal(size=30) + 0.4
    assert tunnel_paper.paired_p(before, after) == stats.wilcoxon(before, after).pvalue
    assert tunnel_paper.paired_p(before, before) == 1


@pytest.mark.parametrize("name", BY_NAME)
def test_pairs_share_what_matches_and_differ_in_the_factor(name, table):
    before, after = tunnel_paper.pairs(table, BY_NAME[name])
    names = tunnel_paper.networks().set_index("block")
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
        tunnel_paper.pairs(halved, BY_NAME["augmentation"])


def test_an_effect_is_rewritten_in_plain_pandas(table, effects):
    found = effects.query("comparison == 'depth' and metric == 'retained'").iloc[0]
    full = table[(table["id_set"] == "ImageNet-100") & table["resolution"].isin((32, 224))]
    keys = ["spatial_reduction", "resolution", "augmentation"]
    sides = [
        full[(full["family"] == "VGGm") & (full["depth"] == depth)].groupby([*keys, "position"])["retained"].first()
        for depth in (11, 17)
    ]
    gain = (sides[1] - sides[0]).groupby(level=keys).mean()
    assert found["before"] == pytest.approx(sides[0].mean())
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
        rows = tunnel_paper.effects(values, n_boot=500).query("metric == 'retained'").dropna(subset="low")
        shares.append(((rows["p_value"] < 0.05).mean(), ((rows["low"] > 0) | (rows["high"] < 0)).mean()))
    assert shares[0][0] > 0.5
    assert shares[0][1] < shares[0][0]
    assert shares[1][0] < 0.3


def test_file_order_pairs_other_architectures_where_the_order_changes(table):
    found = tunnel_paper.resolution_pairings(table).groupby("comparison")["n_same"].first()
    assert found.to_dict() == {
        "resolution_32_64": 2,
        "resolution_32_128": 2,
        "resolution_32_224": 6,
        "resolution_64_128": 6,
        "resolution_64_224": 2,
        "resolution_128_224": 2,
    }


def test_pairing_matters_for_p_alone_and_only_where_the_order_changes(table):
    rows = tunnel_paper.resolution_pairings(table)
    same = rows["n_same"] == 6
    np.testing.assert_allclose(rows.loc[same, "p_matched"], rows.loc[same, "p_file_order"])
    assert not np.isclose(rows.loc[~same, "p_matched"], rows.loc[~same, "p_file_order"]).any()


def consistent(table, *, exchange):
    """Return a table whose alignments follow from printed accuracies, its two columns exchanged or not."""
    accuracies = published.tunnel_accuracies()
    classes = np.array(list(OOD_CLASSES.values()), float)
    printed = accuracies.iloc[:, 3:].to_numpy() / 100
    if not exchange:
        printed = printed[:, [0, 1, 2, 3, 4, 6, 5, 7]]
    above_id = np.random.default_rng(0).uniform(0.3, 0.8, (len(printed), 1))
    keys = ["network", "augmentation", "resolution"]
    wide = pd.DataFrame(above_id * (printed - 1 / classes)).set_index(pd.MultiIndex.from_frame(accuracies[keys]))
    full = table["id_set"] == "ImageNet-100"
    values = wide.rename_axis(columns="position").stack().rename("made")
    made = table.join(values, on=[*keys, "position"])["made"]
    return table.assign(alignment=made.where(full & made.notna(), table["alignment"]))


@pytest.mark.parametrize(("exchange", "fits"), [(True, "exchanged"), (False, "same_name")])
def test_the_reading_that_made_the_alignments_has_no_residual(table, exchange, fits):
    residuals = tunnel_paper.label_residuals(consistent(table, exchange=exchange), published.tunnel_accuracies())
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    assert worst.idxmin() == fits
    assert worst[fits] < 1e-12
    assert (worst.drop(fits) > 0.005).all()
    assert len(residuals) == 3 * 28 * 8


def test_residuals_of_unknown_networks_are_refused(table):
    strange = published.tunnel_accuracies().replace({"network": {"ViT-T": "ViT-X"}})
    with pytest.raises(InputError, match=r"expected networks of the table in accuracies, got \('ViT-X', False, 32\)"):
        tunnel_paper.label_residuals(table, strange)


def test_rounding_never_moves_delta_further_than_said():
    rng = np.random.default_rng(3)
    for digits_before, digits_after in ((1, 1), (1, 2), (2, 2)):
        halves = [np.full(40, 0.5 * 10.0**-d) for d in (digits_before, digits_after)]
        for _ in range(20):
            exact = rng.normal(0, 0.5, 40), rng.normal(0.1, 0.5, 40)
            rounded = exact[0].round(digits_before), exact[1].round(digits_after)
            slack = _rounding.delta_slack(*rounded, *halves)
            moved = abs(tunnel_paper.cliffs_delta(*rounded) - tunnel_paper.cliffs_delta(*exact))
            assert moved <= slack + 1e-12
    assert slack < 0.1  # the control: it is no licence
    assert _rounding.delta_slack(np.array([1.0]), np.array([2.0]), np.array([0.005]), np.array([0.005])) == 0


def test_slack_of_means_is_half_a_unit_and_of_p_a_range(table):
    keys = ["quantity", "subject", "side", "metric"]
    slack = tunnel_paper.rounding_slack(table).set_index(keys).sort_index()
    assert slack.loc[("mean", "depth", "before", "alignment"), "below"] == pytest.approx(0.0005)
    assert slack.loc[("mean", "ID CIFAR-10", "", "alignment"), "above"] == pytest.approx(0.005)
    assert slack.loc[("mean", "depth", "after", "retained"), "above"] == pytest.approx(0.005)
    assert (slack[["below", "above"]] >= 0).all(axis=None)
    assert slack.loc["p_value", "above"].between(0, 0.5).all()


def test_a_replay_tells_equal_from_rounding_from_different(replay):
    by = replay.set_index(["quantity", "subject", "side", "metric"]).sort_index()
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
    row = pd.DataFrame({"difference": [difference], "digits": [2], "below": [below], "above": [above]})
    assert list(_replay._verdicts(row)) == [verdict]


def test_words_count_what_the_replay_found(replay):
    counted = replay[replay["side"] != "file_order"]
    n = counted["verdict"].value_counts()
    words = tunnel_paper.replay_finding(replay)
    assert words.startswith(f"Of {len(counted)} printed numbers {n['equal']} come out equal")
    assert f"and {n['differs']} differ (" in words
    counts = tunnel_paper.replay_counts(replay)
    assert counts[["equal", "rounding", "differs"]].to_numpy().sum() == len(replay)
    shown = tunnel_paper.as_printed(replay)
    assert shown.notna().all(axis=None)
    assert set(shown.loc[shown["number"].str.startswith("|Cliff"), "published"].str.len()) == {5}
    assert "slope: stem" in set(shown["number"])


def test_words_of_effects_follow_their_intervals(effects):
    rows = effects[effects["metric"] == "retained"]
    clear = ((rows["low"] > 0) | (rows["high"] < 0)).sum()
    assert f"interval of {clear} of {len(rows) - 1} effects" in tunnel_paper.effects_finding(effects)
    none = effects.assign(low=effects["low"].where(effects["low"].isna(), -1.0), high=1.0, p_value=0.5)
    assert "interval of 0 of 11 effects" in tunnel_paper.effects_finding(none)
    assert tunnel_paper.effects_finding(none).endswith("Each of the others has p of at least 0.05 over cells, too.")


def test_words_of_checks_hold_their_numbers(table, replay):
    residuals = tunnel_paper.label_residuals(table, published.tunnel_accuracies())
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    words = tunnel_paper.labels_finding(residuals)
    assert all(f"{value:.4f}" in words for value in worst)
    assert tunnel_paper.pairing_finding(replay).startswith("Of the 7 printed p-values of resolution, ")
    variants = tunnel_paper.effects(table, tunnel_paper.VARIANTS, n_boot=200)
    words = tunnel_paper.resolution_finding(variants)
    gain = variants.query("comparison == 'resolution_32_224_vit' and metric == 'retained'")["gain"].item()
    assert f"by {gain:+.1f} (the 2 pairs: " in words


def test_statistics_make_a_results_table(table, effects, replay, tmp_path):
    explained = pd.DataFrame(
        {
            "metric": ["retained"],
            "in_sample": 0.6,
            "cross_validated": 0.5,
            "lowest": 0.4,
            "highest": 0.55,
            "ceiling": 0.7,
        }
    )
    rows = tunnel_paper.statistics_table(
        effects=effects,
        pairings=tunnel_paper.resolution_pairings(table),
        residuals=tunnel_paper.label_residuals(table, published.tunnel_accuracies()),
        explained=explained,
        slopes=pd.DataFrame({"metric": ["retained"], "variable": ["stem"], "slope": [0.1], "share": [0.2]}),
        replay=replay,
    )
    path = results.write(rows, tmp_path / "t.csv", provenance={})
    again = results.read(path)
    gain = again.query("method == 'depth' and metric == 'retained_gain_low'")["value"].item()
    assert gain == pytest.approx(effects.query("comparison == 'depth' and metric == 'retained'")["low"].item())
    assert again.query("method == 'classes' and metric == 'retained_gain_low'").empty
    assert again["n_features"].isna().all()
    assert again.query("method == 'replay'")["value"].sum() == len(replay)
    assert not again.duplicated(["method", "metric", "label"]).any()
