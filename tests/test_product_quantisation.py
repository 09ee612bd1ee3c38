"""Product quantisation: codes are the nearest centroids, faiss is one extra, and the report compares it by bytes."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from reference_compression import product_twin
from safetensors.numpy import load_file

from diffred_core import compression, results
from diffred_core.chapters import embeddings
from diffred_core.chapters.embeddings import names, product, tables
from diffred_core.drawing import show
from diffred_core.errors import InputError, MissingLibrary

G = torch.Generator().manual_seed(0)
X = torch.randn(600, 10, generator=G) @ torch.randn(10, 10, generator=G)
ROWS = np.random.default_rng(0).normal(size=(1200, 12)).astype(np.float32)


@pytest.fixture
def code() -> compression.ProductCode:
    """Codebooks of three pieces of four numbers, of which the last two are filled up."""
    return compression.ProductCode(compression.cut(X[:20], 3).transpose(0, 1).contiguous())


def test_codes_are_the_nearest_centroids(code):
    kept = code.encode(X)
    np.testing.assert_array_equal(kept, product_twin(X.numpy().astype(float), code.centroids.numpy().astype(float)))
    assert kept.shape == (600, 3) == (len(X), code.n_bytes(10))
    torch.testing.assert_close(code.round_trip(X), code.decode(kept, 10))
    torch.testing.assert_close(code.round_trip(X[:20]), X[:20])  # each is its own centroid
    assert not torch.allclose(code.round_trip(X[20:40]), X[20:40])
    with pytest.raises(InputError, match="expected centroids of shape"):
        compression.ProductCode(X)


def test_it_is_kept_in_a_file_and_applied_by_numpy(code, tmp_path):
    transform = compression.Transform(compression.Reduction(names.FULL, 10), code)
    path = embeddings.write_transform(transform, tmp_path)
    again = compression.Transform.of_arrays(load_file(path), transform.facts())
    np.testing.assert_array_equal(again.encode(X), code.encode(X))
    scope: dict = {"X": X.numpy()}
    exec(transform.numpy_lines(str(path)), scope)
    assert scope["kept"].dtype == np.uint8
    assert np.mean(scope["kept"] != code.encode(X)) < 0.01


def notes(table: pd.DataFrame) -> str:
    return " ".join(results.where(table, metric=names.NOTE)["label"])


def test_without_the_library_the_report_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingLibrary, match=r"the library 'faiss', .* pip install 'diffred-core\[pq\]' brings it"):
        product.fit_product(X, n_codes=2, seed=0)
    table = embeddings.report(ROWS, seconds=0.0)
    assert "Product quantisation was not measured: expected the library 'faiss'" in notes(table)
    assert "pip install 'diffred-core[pq]' brings it." in notes(table)


@pytest.fixture(scope="module")
def with_faiss() -> pd.DataFrame:
    pytest.importorskip("faiss", reason="product quantisation needs the extra pq")
    return embeddings.report(ROWS, tolerance=0.6)


def test_faiss_fits_centroids_near_to_rows_that_it_has_not_seen():
    pytest.importorskip("faiss", reason="product quantisation needs the extra pq")
    falling = X * 2.0 ** -torch.arange(10)
    fitted = product.fit_product(falling[:400], n_codes=5, seed=0)
    assert fitted.centroids.shape == (5, 256, 2)
    left = [float((one.round_trip(falling) - falling)[400:].square().mean()) for one in (fitted, shuffled(fitted))]
    assert left[0] < 0.1 * float(falling.var()) < left[1]
    torch.testing.assert_close(product.fit_product(falling[:400], n_codes=5, seed=0).centroids, fitted.centroids)


def shuffled(code: compression.ProductCode) -> compression.ProductCode:
    """The negative control: codebooks at the wrong pieces."""
    return compression.ProductCode(code.centroids.roll(1, dims=0))


def test_the_report_compares_it_at_equal_bytes(with_faiss):
    sizes = results.where(with_faiss, method=names.PRODUCT, metric=names.BYTES)
    assert sizes["value"].tolist() == [6, 3, 2, 1]
    shown = tables.equal_bytes_rows(with_faiss)
    assert "product quantisation" in shown.columns
    assert "codes of 8 bits)" in str(shown["product quantisation"].dropna().iloc[0])
    assert "codes of 8 bits" in show(embeddings.figures.frontier, with_faiss).data
    assert "Product quantisation was not measured" not in notes(with_faiss)


def test_where_it_is_best_it_is_what_the_transform_keeps(with_faiss):
    decision = embeddings.decide(with_faiss)
    best = with_faiss.copy()
    cheap = (best["method"] == names.PRODUCT) & (best["recipe"] == "pq_1")
    best.loc[cheap & (best["metric"] == names.KEPT), ["value", "low", "high"]] = 1.0
    chosen = embeddings.decide(best)
    assert chosen.words == "product quantisation, 1 codes of 8 bits"
    assert decision.words != chosen.words  # the control
    transform = embeddings.kept_transform(best, ROWS)
    assert transform.encode(torch.from_numpy(ROWS[:5])).shape == (5, 1)


def test_few_rows_get_no_codebooks_and_a_sentence():
    pytest.importorskip("faiss", reason="product quantisation needs the extra pq")
    assert "Product quantisation was not measured: 150 rows to fit 256" in notes(
        embeddings.report(ROWS[:400], seconds=0.0)
    )
