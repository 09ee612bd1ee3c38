"""Maps, number formats, neighbours and rankings equal their slow twins, and know what breaks them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_compression import ndcg_twin, nearest_twin
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from diffred_core import compression
from diffred_core.errors import InputError

G = torch.Generator().manual_seed(0)
X = torch.randn(200, 24, generator=G) @ torch.randn(24, 24, generator=G) + 3
Y = torch.arange(200) % 4


@pytest.fixture(scope="module")
def maps():
    return compression.fit_reductions(X + Y[:, None] * torch.eye(24)[5] * 30, Y, seed=3)


@pytest.mark.parametrize("kind", compression.KINDS)
def test_every_map_has_prefixes(kind, maps):
    full = maps[kind]
    for k in (1, 5, full.n_selected):
        torch.testing.assert_close(full.prefix(k).apply(X), full.apply(X)[:, :k], rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match=f"expected k from 1 to {full.n_selected} for {kind}, got 25"):
        full.prefix(25)


def test_maps_keep_what_their_names_say(maps):
    assert int(maps["importance"].kept[0]) == 5  # the dimension that tells classes apart
    assert maps["first"].kept.tolist() == list(range(24))
    variance = X.var(0)[compression.fit_reductions(X, kinds=["top_variance"])["top_variance"].kept]
    assert bool((variance.diff() <= 0).all())
    assert sorted(maps["random_subset"].kept.tolist()) == list(range(24))
    assert maps["random_subset"].kept.tolist() != list(range(24))


@pytest.mark.parametrize("n", [200, 15])  # by either Gram
def test_pca_equals_scikit_learn(n):
    ours = compression.fit_reductions(X[:n], kinds=["pca", "pca_whitened"], most=8)
    theirs = PCA(8, whiten=True).fit(X[:n].numpy())
    scores = theirs.transform(X.numpy()) * np.sqrt(theirs.explained_variance_)
    np.testing.assert_allclose(ours["pca"].apply(X).abs().numpy(), np.abs(scores), atol=2e-3)
    spread = ours["pca_whitened"].apply(X[:n]).std(0, correction=0)
    torch.testing.assert_close(spread, torch.ones(8), rtol=1e-3, atol=1e-3)
    assert not np.allclose(ours["pca"].apply(X[:n]).std(0), 1, atol=0.1)


def test_without_centring_inner_products_are_kept_and_with_it_they_are_not():
    ours = compression.fit_reductions(X, kinds=["pca", "pca_uncentred"])
    gram = X @ X.T
    Z = ours["pca_uncentred"].apply(X)
    torch.testing.assert_close(Z @ Z.T, gram, rtol=1e-3, atol=0.5)
    assert not torch.allclose(ours["pca"].apply(X) @ ours["pca"].apply(X).T, gram, rtol=1e-1, atol=10)


def test_directions_that_do_not_vary_are_left_out():
    flat = torch.cat([X[:, :4], torch.full((200, 6), 7.0)], dim=1)
    assert compression.fit_reductions(flat, kinds=["pca"])["pca"].n_selected == 4


def test_random_projection_keeps_lengths_on_average():
    Z = compression.fit_reductions(torch.randn(50, 2000, generator=G), kinds=["random_projection"])
    rows = torch.randn(50, 2000, generator=G)
    ratio = Z["random_projection"].apply(rows).square().sum(1) / rows.square().sum(1)
    torch.testing.assert_close(ratio.mean(), torch.tensor(1.0), rtol=0.05, atol=0)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InputError, match="expected labels y for the kind 'importance'"):
        compression.fit_reductions(X, kinds=["importance"])
    with pytest.raises(InputError, match=r"kinds must be among random_subset.*got 'pcaa'"):
        compression.fit_reductions(X, kinds=["pcaa"])


@pytest.mark.parametrize("name", compression.FORMATS)
def test_a_round_trip_is_encode_and_decode_and_of_a_prefix(name):
    code = compression.fit_code(name, X[:100])
    rows = X[100:, :20] * 2  # beyond the range of the calibration
    cut = code.prefix(20)
    kept = cut.encode(rows)
    torch.testing.assert_close(cut.round_trip(rows), cut.decode(kept, 20))
    assert kept.nbytes == len(rows) * cut.n_bytes(20)


def test_formats_lose_what_they_must():
    errors = {n: float((compression.fit_code(n, X).round_trip(X) - X).abs().max()) for n in compression.FORMATS}
    assert errors["float32"] == 0 < errors["float16"] < errors["int8"] < errors["binary_zero"]
    spread = float((X.amax(0) - X.amin(0)).max())
    assert errors["int8"] <= spread / 255 / 2 * 1.01
    constant = torch.full((20, 3), 5.0)
    torch.testing.assert_close(compression.fit_code("int8", constant).round_trip(constant), constant)
    assert bool(compression.fit_code("float16", X).round_trip(X * 1e9).isfinite().all())


def test_thresholds():
    shifted = X + 100
    zero, median = (compression.fit_code(f"binary_{w}", shifted).round_trip(shifted) for w in ("zero", "median"))
    assert bool((zero == 1).all())  # a threshold that tells nothing
    assert float(median.mean().abs()) < 0.05


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("own", [None, torch.arange(30)])
def test_neighbours_equal_the_twin(similarity, own):
    corpus = torch.randn(1500, 8, generator=G)
    queries = corpus[:30] if own is not None else torch.randn(30, 8, generator=G)
    scores, rows = compression.nearest(queries, corpus, k=10, similarity=similarity, own=own)
    twin = nearest_twin(queries.numpy(), corpus.numpy(), k=10, similarity=similarity, own=own)
    np.testing.assert_array_equal(rows, twin)
    assert bool((scores.diff(dim=1) <= 0).all())
    if own is not None:  # the control: a query is nearest to itself by cosine
        assert compression.nearest(queries, corpus, k=1)[1][:, 0].tolist() == list(range(30))


def test_neighbours_are_the_same_whatever_the_blocks(monkeypatch):
    from diffred_core.compression import _neighbours

    corpus = torch.randn(500, 8, generator=G)
    one = compression.nearest(corpus[:90], corpus, k=10, own=torch.arange(90))
    monkeypatch.setattr(_neighbours, "_QUERIES", 40)
    monkeypatch.setattr(_neighbours, "_ROWS", 99)  # the last block has fewer rows than neighbours
    blocks = compression.nearest(corpus[:90], corpus, k=10, own=torch.arange(90))
    torch.testing.assert_close(blocks, one)
    assert not bool((blocks[1] == torch.arange(90)[:, None]).any())


@pytest.mark.parametrize("m", [5, 700, 799, 800, 801, 9999])
def test_the_two_steps_of_top_k_equal_one(m):
    scores = torch.randn(7, m, generator=G).round(decimals=1)  # with ties
    values, columns = compression.top_k(scores, 5)
    torch.testing.assert_close(values, scores.topk(5).values)
    torch.testing.assert_close(scores.gather(1, columns), values)
    assert all(len(set(row)) == 5 for row in columns.tolist())


def test_neighbours_that_cannot_be():
    with pytest.raises(InputError, match="expected more rows than neighbours, got 3 rows for 10 neighbours"):
        compression.nearest(X, X[:3])
    with pytest.raises(InputError, match="expected more rows than neighbours, got 3 rows for 3 neighbours"):
        compression.nearest(X, X[:3], k=3, own=torch.zeros(200, dtype=torch.long))
    with pytest.raises(InputError, match="expected queries of 24 dimensions as the corpus, got 2"):
        compression.nearest(X[:, :2], X)


def test_recall_counts_duplicates_as_one_and_rescoring_finds_what_was_retrieved():
    scores = torch.tensor([[3.0, 2.0, 2.0, 1.0, 0.0]])
    assert compression.neighbour_recall(scores, torch.tensor([[0, 2]]), k=2).item() == 1
    assert compression.neighbour_recall(scores, torch.tensor([[0, 3]]), k=2).item() == 0.5
    assert compression.neighbour_recall(scores, torch.tensor([[4, 3, 1, 0]]), k=2).item() == 1


def test_rank_correlation_equals_scipy():
    one, other = torch.randn(3, 50, generator=G), torch.randn(3, 50, generator=G)
    expected = [spearmanr(a, b).statistic for a, b in zip(one.numpy(), other.numpy(), strict=True)]
    np.testing.assert_allclose(compression.rank_correlation(one, other), expected)


def test_ndcg_and_recall_equal_their_twins():
    relevance = {3: 2, 5: 1, 9: 1}
    ranked = [[5, 1, 3, 2, 9], [1, 2, 4, 6, 7]]
    gains = torch.tensor([[float(relevance.get(doc, 0)) for doc in row] for row in ranked])
    best = torch.tensor([[2.0, 1, 1]] * 2)
    expected = [ndcg_twin(row, relevance, k=3) for row in ranked]
    np.testing.assert_allclose(compression.ndcg(gains, best, k=3), expected)
    assert expected[0] > 0 == expected[1]
    assert compression.recall_at(gains, torch.tensor([3, 3]), k=4).tolist() == pytest.approx([2 / 3, 0])


@pytest.mark.parametrize("name", compression.FORMATS)
@pytest.mark.parametrize("kind", ["first", "pca", "pca_uncentred"])
def test_the_printed_lines_of_numpy_apply_the_transform(name, kind, tmp_path):
    from safetensors.numpy import save_file

    reduction = compression.fit_reductions(X, kinds=[kind])[kind].prefix(10)
    transform = compression.Transform(reduction, compression.fit_code(name, reduction.apply(X)))
    again = compression.Transform.of_arrays(transform.arrays(), transform.facts())
    expected = transform.encode(X)
    np.testing.assert_array_equal(again.encode(X), expected)
    save_file(transform.arrays() or {}, tmp_path / "t.safetensors")
    scope: dict = {"X": X.numpy()}
    exec(transform.numpy_lines(str(tmp_path / "t.safetensors")), scope)
    assert scope["kept"].dtype == expected.dtype
    if name.startswith("float"):
        np.testing.assert_allclose(scope["kept"], expected, rtol=1e-3, atol=1e-2)
    else:  # a number on the edge between two codes may fall to either side
        assert np.mean(scope["kept"] != expected) < 0.03
    with pytest.raises(InputError, match="expected a transform with 'format', got a file without"):
        compression.Transform.of_arrays(transform.arrays(), {"kind": "first", "n_features": "3"})


def test_values_that_are_not_finite_are_counted_and_placed():
    bad = X.numpy().copy()
    bad[7, 3], bad[50, 2] = np.nan, np.inf
    with pytest.raises(InputError, match="NaN or infinity in 2 of 4800, the first in row 7, column 3"):
        compression.check_finite(bad)
    assert compression.check_finite(np.vstack([np.zeros((1, 24)), X.numpy()])).nonzero()[0].tolist() == [0]


def test_sampled_rows_keep_their_order():
    rows = np.array([5, 2, 9])
    np.testing.assert_array_equal(compression.sampled(X.numpy().astype(np.float16), rows), X[rows].half().float())


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="pages in memory are read from /proc")
def test_a_mapped_file_does_not_stay_in_memory(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((8192, 1024), np.float32))  # 32 MiB
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    before = resident()
    assert mapped.min() == 1
    assert resident() - before > 30 << 20  # the control: numpy alone keeps it
    assert not compression.check_finite(mapped).any()
    assert resident() - before < 8 << 20
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")  # pages that hold what was written are not let go
    changed[5] = 0
    assert compression.check_finite(changed[1:]).nonzero()[0].tolist() == [4]
    assert changed[5].max() == 0


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
