"""Published scores at equal bytes: the shares recomputed plainly, names read right, verdicts turned by the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diffred_core.chapters import embeddings
from diffred_core.chapters.embeddings import names_published as names
from diffred_core.chapters.embeddings.published import COMPARISONS, way_of
from diffred_core.errors import InputError
from diffred_core.results import published, where


@pytest.fixture(scope="module")
def table():
    return embeddings.published_scores(n_boot=500)


def kept(table, encoder, method, k, recipe):
    (value,) = where(table, metric=names.KEPT, model=encoder, method=method, n_selected=k, recipe=recipe)["value"]
    return 100 * value


@pytest.mark.parametrize(
    ("encoder", "method", "k", "recipe", "printed"),
    [  # of the dossier on compression, recomputed from the same rows by somebody else
        ("E5Multilingual", "first", 512, "32_full", 95.0),
        ("E5Multilingual", "pca", 512, "32_full", 97.9),
        ("E5Multilingual", "first", 1024, "8_float8m3", 99.9),
        ("E5Multilingual", "first", 1024, "1_binary_zero", 54.9),
        ("E5Multilingual", "first", 1024, "1_binary_median", 90.4),
        ("E5Multilingual", "product_quantisation", 128, "128_8_pq", 33.4),
        ("JinaV3", "first", 512, "32_full", 99.3),
        ("JinaV3", "pca", 512, "32_full", 95.7),
        ("Snowflake", "pca", 256, "32_full", 65.6),
        ("Snowflake", "first", 768, "8_percentile", 82.2),
    ],
)
def test_shares_are_those_that_others_computed_from_the_same_rows(table, encoder, method, k, recipe, printed):
    assert kept(table, encoder, method, k, recipe) == pytest.approx(printed, abs=0.051)


def test_a_share_and_its_interval_are_those_of_a_plain_loop(table):
    rows = published.compression_scores().query("model == 'JinaV3' and dataset not in ['passage', 'document']")
    rows = rows.assign(set=rows["dataset"].str.replace(r"^cqadupstack.*", "forums", regex=True))
    score = rows.groupby(["compression", "dimensions", "set"])["ndcg_at_10"].mean()
    part, full = score.loc["32_full", 256].to_numpy(), score.loc["32_full", 1024].to_numpy()
    assert len(part) == 14
    (row,) = where(
        table, metric=names.KEPT, model="JinaV3", method="first", n_selected=256, recipe="32_full"
    ).itertuples()
    assert row.value == pytest.approx(part.mean() / full.mean(), abs=1e-12)
    rng = np.random.default_rng(3)
    draws = [(part[i].mean() / full[i].mean()) for i in rng.integers(14, size=(4000, 14))]
    assert (row.low, row.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.004)


def test_both_sides_of_a_comparison_take_the_same_bytes():
    for comparison in COMPARISONS:
        sizes = {share * float(recipe.partition("_")[0]) for _, share, recipe in (comparison.one, comparison.other)}
        assert len(sizes) == 1, comparison.name


@pytest.mark.parametrize(
    ("compression", "dimensions", "n_selected", "n_bytes"),
    [
        ("32_full", 256, 256, 1024),
        ("1_binary_median", 1024, 1024, 128),
        ("256_pca", 1024, 256, 1024),
        ("96_8_pq", 768, 96, 96),
        ("384_2_pq", 768, 384, 96),
        ("8192_lsh", 768, 8192, 1024),
    ],
)
def test_a_name_gives_its_bytes(compression, dimensions, n_selected, n_bytes):
    way = way_of(compression, dimensions)
    assert (way.n_selected, way.bytes) == (n_selected, n_bytes)


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"expected a compression such as 32_full, .* got 'ternary'; rename it"):
        way_of("ternary", 768)


def test_verdicts_follow_the_numbers():
    scores = published.compression_scores()
    found = {claim.name: claim.verdict for claim in claims_of(scores)}
    assert found["fewer bits, 1/4 of the bytes"] == "holds"
    worse = scores["compression"].isin(["8_float8m3"]) & (scores["dimensions"] == 1024)
    turned = scores.assign(ndcg_at_10=scores["ndcg_at_10"].where(~worse, 0.5 * scores["ndcg_at_10"]))
    assert {claim.name: claim.verdict for claim in claims_of(turned)}["fewer bits, 1/4 of the bytes"] == "fails"
    equal = scores["ndcg_at_10"].where(scores["compression"] != "1_binary_zero", np.nan)
    median = scores[scores["compression"] == "1_binary_median"].set_index(["model", "dataset", "dimensions"])[
        "ndcg_at_10"
    ]
    key = pd.MultiIndex.from_frame(scores[["model", "dataset", "dimensions"]])
    same = scores.assign(ndcg_at_10=equal.fillna(pd.Series(median.reindex(key).to_numpy(), index=scores.index)))
    assert {claim.name: claim.verdict for claim in claims_of(same)}["where one bit is cut"] == "fails"


def claims_of(scores, encoder="E5Multilingual"):
    table = embeddings.published_scores(scores[scores["model"] == encoder], n_boot=500)
    return embeddings.claims_published.published_claims(table, encoder)


def test_the_figure_has_a_line_a_way_and_says_numbers_of_the_table(table):
    figure = embeddings.figures_published.published
    summary = figure.summary(table)
    assert set(summary["line"]) == set(embeddings.figures_published.LINES)
    axes = figure.plot(summary).figure.axes
    assert len(axes) == 4
    words = figure.words(summary)
    assert f"first k, 32 bits {kept(table, 'E5Multilingual', 'first', 256, '32_full'):.1f} %" in words


def test_the_answer_names_ranges_over_encoders(table):
    answer = embeddings.answers.compression_published(table)
    quarters = [kept(table, e, "first", 192 if e.startswith("Snow") else 256, "32_full") for e in names.ENCODERS]
    assert f"32 bits of the first quarter {min(quarters):.1f} to {max(quarters):.1f} %" in answer.sentence
    assert len(answer.claims) == 24
    assert set(embeddings.answers_published.published_verdicts(table).claims) == set(names.ENCODERS.values())
