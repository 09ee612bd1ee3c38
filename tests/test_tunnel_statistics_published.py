"""The published rows: every printed number that is known to come out does."""

from __future__ import annotations

import pytest
from sklearn.metrics import r2_score

from diffred_core import results
from diffred_core.chapters import tunnel_paper
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, VARIANTS
from diffred_core.chapters.tunnel_paper.effects import effect_rows
from diffred_core.chapters.tunnel_paper.printed import comparison_frame
from diffred_core.chapters.tunnel_paper.regression import encoded_predictors, fit, slope_rows, variance_rows
from diffred_core.chapters.tunnel_paper.sweep_statistics import as_results, average_rows, residual_rows
from diffred_core.results import published

# What the paper prints otherwise than the table gives, rounding aside: the number of cells that the text names for
# spatial reduction; p-values that come out with the rows paired in file order; slopes of one metric where ties between
# predictors are broken by the library.
DIFFERENT = {
    ("n_cells", "spatial_reduction", "", ""),
    ("p_value", "resolution_32_64", "matched", "retained"),
    ("p_value", "resolution_32_64", "matched", "correlation"),
    ("p_value", "resolution_32_128", "matched", "retained"),
    ("p_value", "resolution_64_224", "matched", "correlation"),
    ("p_value", "resolution_128_224", "matched", "retained"),
    ("p_value", "resolution_128_224", "matched", "correlation"),
}


@pytest.fixture(scope="module")
def table():
    return tunnel_paper.read()


@pytest.fixture(scope="module")
def rows(table):
    X = encoded_predictors(table).to_numpy()
    explained = [
        {
            "method": "regression",
            "label": measure,
            "metric": "r2",
            "value": r2_score(table[measure], fit(table, measure=measure).predict(X) * scale),
        }
        for measure, scale in (("retained", 100), ("correlation", 1), ("alignment", 1))
    ]
    effects = effect_rows(table, (*COMPARISONS, *VARIANTS))
    return as_results([*effects, *explained, *slope_rows(table, n_seeds=1), *average_rows(table)])


@pytest.fixture(scope="module")
def replay(rows):
    return tunnel_paper.replay(rows)


def keys(rows):
    return set(rows[["quantity", "subject", "side", "measure"]].itertuples(index=False, name=None))


def test_everything_printed_is_recomputed(replay):
    assert len(replay) == len(published.tunnel_numbers())


def test_what_differs_is_known(replay):
    different = replay[replay["verdict"] == "differs"]
    slopes = different["quantity"].str.startswith("slope")
    assert keys(different[~slopes]) == DIFFERENT
    assert set(different.loc[slopes, "measure"]) <= {"alignment"}
    assert (different.loc[slopes, "difference"].abs() < 0.02).all()


@pytest.mark.parametrize(
    ("quantity", "measure"),
    [("networks", "retained"), ("mean", "retained"), ("mean", "alignment"), ("delta", "retained"), ("r2", None)],
)
def test_what_rounding_cannot_touch_is_equal_to_the_last_digit(replay, quantity, measure):
    rows = replay[replay["quantity"] == quantity]
    rows = rows if measure is None else rows[rows["measure"] == measure]
    assert len(rows) > 2
    assert (rows["verdict"] == "equal").all()


def test_every_printed_p_of_resolution_comes_out_in_file_order(replay):
    rows = replay[replay["side"] == "file_order"]
    assert rows["verdict"].isin(("equal", "rounding")).all()
    matched = replay[(replay["side"] == "matched") & replay["subject"].str.startswith("resolution")]
    assert (matched["verdict"] == "differs").sum() == len(rows) - 1


def test_one_reading_of_two_headings_fits(table):
    residuals = as_results(residual_rows(table, published.tunnel_accuracies()))
    worst = residuals["value"].abs().groupby(residuals["method"]).max()
    assert worst["exchanged"] < 0.00065
    assert worst["same_place"] == pytest.approx(0.0147, abs=5e-5)


def test_resolution_helps_the_cnns_and_not_the_vit(rows):
    effects = comparison_frame(rows, VARIANTS).query("measure == 'retained'")
    gains = effects.set_index("comparison")[["gain", "low", "high"]]
    assert gains.loc["resolution_32_224_cnns"].tolist() == pytest.approx([24.2, 17.0, 34.0], abs=0.1)
    assert gains.loc["resolution_32_224_vit", "gain"] == pytest.approx(-19.1, abs=0.05)


def test_variance_lies_between_networks(table):
    full = results.where(table, id_set="ImageNet-100", resolution=(32, 224))
    shares = {row["method"]: round(row["value"], 2) for row in variance_rows(full)}
    assert (shares["networks"], shares["ood_sets"]) == (0.63, 0.25)
