"""As many features of the last layer as of another: equal numbers, refits, and layers made to be better or worse."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from synthetic_layers import NAMES, make_layers

from diffred_core import linear_probe, results, subsets
from diffred_core.chapters import depth
from diffred_core.errors import InputError

QUICK = {"n_boot": 300, "n_subsets": 3, "published_layers": 0, "fraction": 0.5}
SHARED = {"experiment": "layers", "model": "m", "task": "t", "probe": "ridge", "metric": "last_layer_lead"}
claims = depth.claims_equal
# last of 16 features: a hundredth and a twentieth of it are none, so the nearest shares that keep one are taken
figure, leads = depth.figures_equal.accuracy, depth.figures_equal.lead


@pytest.fixture(scope="module")
def table():
    return depth.layers(make_layers((0.1, 0.3, 0.5, 2.5)), **QUICK)


def rows(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def lead(layer, limits, *, size=4, method="random"):
    low, high = limits
    row = SHARED | {"layer": layer, "method": method, "n_selected": size, "n_features": 100}
    return row | {"value": (low + high) / 2, "low": low, "high": high}


def all_layers(*leads):
    layers = [SHARED | {"layer": name, "method": "full", "metric": "rank", "value": 1.0} for name in "abcd"]
    return results.as_table([*layers, *leads])


def test_every_side_keeps_as_many_features_and_equals_a_refit(table):
    layers = make_layers((0.1, 0.3, 0.5, 2.5))
    accuracy = rows(table, metric="accuracy_of_k")
    assert set(accuracy["layer"]) == set(NAMES)
    for row in rows(accuracy, method="random").itertuples():
        chosen = subsets.random_order(layers[row.layer].n_features, seed=int(row.seed))[: row.n_selected]
        assert len(chosen) == row.n_selected
        refit = linear_probe.probe_layers(
            {row.layer: {split: X[:, chosen].double() for split, (X, _) in layers[row.layer].splits.items()}},
            {"home": {split: y for split, (_, y) in layers[row.layer].splits.items()}},
        )
        assert row.value == pytest.approx(float(refit.accuracy), abs=1e-9)


def test_hidden_units_are_of_all_layers_together():
    only = make_layers((0.0, 0.0, 0.0, 2.5), n_samples=(400, 300, 400))
    hidden = rows(depth.layers(only, **QUICK), metric="accuracy_of_k", method="random_hidden")
    # 16 of 42 units know the classes: more of them than of one that does not, fewer than of the last layer
    table = depth.layers(only, **QUICK)
    largest = hidden["n_selected"].max()
    mean = rows(table, metric="accuracy_of_k", n_selected=largest).groupby(["method", "layer"])["value"].mean()
    assert mean["random", "second"] + 0.1 < mean["random_hidden", "last"] < mean["random", "last"] - 0.05


def test_the_lead_is_the_difference_of_the_means_with_limits_over_draws_and_rows(table):
    mean = rows(table, metric="accuracy_of_k").groupby(["method", "layer", "n_selected"])["value"].mean()
    found_leads = rows(table, metric="last_layer_lead")
    assert set(zip(found_leads["method"], found_leads["layer"], strict=True)) == {
        *(("random", name) for name in NAMES[:-1]),
        ("random_hidden", "last"),
    }
    for row in found_leads.itertuples():
        assert row.value == pytest.approx(
            mean["random", "last", row.n_selected] - mean[row.method, row.layer, row.n_selected]
        )
        assert row.low < row.value < row.high
    without = depth.layers(make_layers(), **(QUICK | {"n_boot": None}))
    assert rows(without, metric="last_layer_lead")["low"].isna().all()
    assert rows(depth.layers(make_layers(), **(QUICK | {"n_subsets": 0})), metric="last_layer_lead").empty


def test_a_narrower_layer_has_no_row_and_constant_units_do_not_stop_the_sweep():
    layers = make_layers()
    wide = {name: of for name, of in layers.items() if name != "last"} | {"last": make_wide(layers["last"], 100)}
    table = depth.layers(wide, **QUICK)
    kept = rows(table, metric="accuracy_of_k", method="random").groupby("n_selected")["layer"].agg(set)
    assert kept[1] == set(NAMES)
    assert kept[20] == {"last"}
    assert kept[5] == set(NAMES)
    dead = wide | {"first": make_wide(layers["first"], 6, scale=torch.eye(6)[0])}
    one = rows(depth.layers(dead, **QUICK), metric="accuracy_of_k", layer="first", n_selected=1)["value"]
    assert one.tolist().count(0.25) >= 2  # a draw of a unit that never fires knows nothing of four classes


def make_wide(of, width, *, scale=1.0):
    repeat = {
        split: (scale * X.repeat(1, -(-width // X.shape[1]))[:, :width], y) for split, (X, y) in of.splits.items()
    }
    return type(of)(of.model, of.task, of.classes, of.keys, repeat)


@pytest.mark.parametrize(
    ("limits", "verdict"), [((0.1, 0.2), "holds"), ((-0.1, 0.2), "undecided"), ((-0.2, -0.1), "fails")]
)
def test_leads_are_judged_by_the_whole_interval(limits, verdict):
    sure = (0.5, 0.6)
    table = all_layers(lead("a", sure), lead("b", sure, size=2), lead("b", limits), lead("c", sure))
    claim = claims.last_leads_middle_layer(table, level=0.9)
    assert claim.verdict == verdict
    assert "4 random dimensions of the last layer are more accurate than as many of b" in claim.statement
    assert "90 % interval" in claim.evidence
    table = all_layers(lead("d", sure, size=2, method="random_hidden"), lead("d", limits, method="random_hidden"))
    assert claims.last_leads_hidden_units(table).verdict == verdict


def test_a_last_layer_that_was_made_better_leads_and_one_that_was_made_worse_does_not(table):
    verdicts = {claim.name: claim.verdict for claim in depth.claims.all_claims(table)}
    assert verdicts["last layer leads a middle one"] == "holds"
    worse = depth.layers(make_layers((2.5, 2.5, 2.5, 0.0)), **QUICK)
    verdicts = {claim.name: claim.verdict for claim in depth.claims.all_claims(worse)}
    assert verdicts["last layer leads a middle one"] == "fails"
    without = depth.layers(make_layers(), **(QUICK | {"n_subsets": 0}))
    assert not [claim for claim in depth.claims.all_claims(without) if "leads" in claim.name]
    with pytest.raises(InputError, match="expected last_layer_lead of random, got no such row"):
        claims.last_leads_middle_layer(without)


def test_figure_and_table_show_the_numbers_and_say_them(table):
    summary = figure.summary(table)
    before = summary.copy()
    ax = figure.plot(summary)
    pd.testing.assert_frame_equal(summary, before)
    sizes = sorted(set(rows(table, metric="accuracy_of_k")["n_selected"]))
    lines = {line.get_label(): line for line in ax.lines}
    for size in sizes:
        means = rows(table, metric="accuracy_of_k", method="random", n_selected=size).groupby("layer", sort=False)[
            "value"
        ]
        np.testing.assert_allclose(lines[f"{size} of a layer"].get_ydata(), means.mean())
        hidden = rows(table, metric="accuracy_of_k", method="random_hidden", n_selected=size)["value"].mean()
        assert lines[f"{size} of all layers"].get_ydata()[0] == pytest.approx(hidden)
        assert f"{100 * hidden:.1f} % of all layers together" in figure.words(summary)
    plt.close("all")
    shown = leads.summary(table)
    assert set(shown["compared with"]) == {*NAMES[:-1], "all layers together"}
    assert "paired bootstrap" in leads.caption(shown)
    assert "No random subsets" in leads.caption(shown.iloc[:0])
    with pytest.raises(InputError, match="plot_equal_number needs the column 'place'"):
        figure.plot(summary.drop(columns="place"))


def test_draws_are_seeded(table):
    again = depth.layers(make_layers((0.1, 0.3, 0.5, 2.5)), **QUICK)
    pd.testing.assert_frame_equal(again, table)
    other = depth.layers(make_layers((0.1, 0.3, 0.5, 2.5)), **QUICK, seed=7)
    assert not torch.equal(*(torch.tensor(rows(t, metric="accuracy_of_k")["value"].tolist()) for t in (table, other)))
