"""The published table, where it is at hand: every printed number that is known to come out does.

Give its path as ``DIFFRED_TUNNEL_RESULTS``, or have the notebook download it; without it these tests are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import r2_score

from diffred_core import files
from diffred_core.chapters import tunnel_paper
from diffred_core.errors import InputError
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


def _place() -> Path | None:
    """Return where the published table is, if it is."""
    try:
        given = os.environ.get("DIFFRED_TUNNEL_RESULTS")
        path = Path(given) if given else files.data_root() / "tunnel" / "experiments_results.csv"
    except InputError:  # not run inside a checkout
        return None
    return path if path.is_file() and tunnel_paper.is_published(path) else None


PLACE = _place()
pytestmark = pytest.mark.skipif(PLACE is None, reason="needs the published table: set DIFFRED_TUNNEL_RESULTS")


@pytest.fixture(scope="module")
def table():
    return tunnel_paper.read(PLACE)


@pytest.fixture(scope="module")
def replay(table):
    X = tunnel_paper.design(table).to_numpy()
    explained = [
        {
            "metric": metric,
            "in_sample": r2_score(table[metric], tunnel_paper.fit(table, metric=metric).predict(X) * scale),
        }
        for metric, scale in (("retained", 100), ("correlation", 1), ("alignment", 1))
    ]
    return tunnel_paper.replay(
        table,
        effects=tunnel_paper.effects(table, n_boot=100),
        pairings=tunnel_paper.resolution_pairings(table),
        explained=pd.DataFrame(explained),
        slopes=tunnel_paper.slopes(table, n_seeds=1),
    )


def keys(rows):
    return set(rows[["quantity", "subject", "side", "metric"]].itertuples(index=False, name=None))


def test_everything_printed_is_recomputed(replay):
    assert len(replay) == len(published.tunnel_numbers())


def test_what_differs_is_known(replay):
    different = replay[replay["verdict"] == "differs"]
    slopes = different["quantity"].str.startswith("slope")
    assert keys(different[~slopes]) == DIFFERENT
    assert set(different.loc[slopes, "metric"]) <= {"alignment"}
    assert (different.loc[slopes, "difference"].abs() < 0.02).all()


@pytest.mark.parametrize(
    ("quantity", "metric"),
    [("networks", "retained"), ("mean", "retained"), ("mean", "alignment"), ("delta", "retained"), ("r2", None)],
)
def test_what_rounding_cannot_touch_is_equal_to_the_last_digit(replay, quantity, metric):
    rows = replay[replay["quantity"] == quantity]
    rows = rows if metric is None else rows[rows["metric"] == metric]
    assert len(rows) > 2
    assert (rows["verdict"] == "equal").all()


def test_every_printed_p_of_resolution_comes_out_in_file_order(replay):
    rows = replay[replay["side"] == "file_order"]
    assert rows["verdict"].isin(("equal", "rounding")).all()
    matched = replay[(replay["side"] == "matched") & replay["subject"].str.startswith("resolution")]
    assert (matched["verdict"] == "differs").sum() == len(rows) - 1


def test_one_reading_of_two_headings_fits(table):
    residuals = tunnel_paper.label_residuals(table, published.tunnel_accuracies())
    worst = residuals["residual"].abs().groupby(residuals["reading"]).max()
    assert worst["exchanged"] < 0.00065
    assert worst["same_place"] == pytest.approx(0.0147, abs=5e-5)


def test_resolution_helps_the_cnns_and_not_the_vit(table):
    rows = tunnel_paper.effects(table, tunnel_paper.VARIANTS).query("metric == 'retained'")
    gains = rows.set_index("comparison")[["gain", "low", "high"]]
    assert gains.loc["resolution_32_224_cnns"].tolist() == pytest.approx([24.2, 17.0, 34.0], abs=0.1)
    assert gains.loc["resolution_32_224_vit", "gain"] == pytest.approx(-19.1, abs=0.05)


def test_variance_lies_between_networks(table):
    rows = tunnel_paper.select(table, {"id_set": "ImageNet-100", "resolution": (32, 224)})
    shares = tunnel_paper.variance_shares(rows)
    assert (round(shares["networks"], 2), round(shares["ood_sets"], 2)) == (0.63, 0.25)
