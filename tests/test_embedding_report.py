"""The report on embeddings: rows that choose are not scored, planted structure is found, and noise is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import v_measure_score

from diffred_core import compression, results
from diffred_core.chapters import embeddings
from diffred_core.chapters.embeddings import answers, figures, labels, names, parts, scene, tables
from diffred_core.chapters.embeddings.ledger import KeptSetting, Ledger
from diffred_core.chapters.embeddings.search import search
from diffred_core.drawing import show
from diffred_core.errors import InputError

RNG = np.random.default_rng(0)
N, D, C = 400, 16, 4
NOISE = RNG.normal(size=(N, D)).astype(np.float32)
FALLING = NOISE * 2.0 ** -np.arange(D, dtype=np.float32)  # all is in the first dimensions
Y = np.arange(N) % C
CLASSES = FALLING + 3 * np.eye(D, dtype=np.float32)[Y]
ASKING = FALLING[:40] + 0.01 * NOISE[40:80]
QRELS = np.array([(q, q, 2) for q in range(40)] + [(q, q + 1, 0) for q in range(40)])


@pytest.fixture(scope="module")
def falling() -> pd.DataFrame:
    return embeddings.report(FALLING)


@pytest.fixture(scope="module")
def isotropic() -> pd.DataFrame:
    return embeddings.report(NOISE, seconds=60)


@pytest.fixture(scope="module")
def labelled() -> pd.DataFrame:
    return embeddings.report(CLASSES, Y, classes=["ant", "bee", "cat", "dog"], tolerance=0.1)


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return embeddings.report(FALLING, queries=ASKING, qrels=QRELS)


def value(table: pd.DataFrame, **which: object) -> float:
    (row,) = results.where(table, **which)["value"]
    return float(row)


def test_no_row_has_two_parts_and_every_part_has_all_classes_in_proportion():
    divided = parts.divide(CLASSES, Y, None, neighbours=10, seed=1)
    rows = np.concatenate([divided.fit, divided.corpus, divided.scored])
    assert sorted(rows.tolist()) == list(range(N))
    for part in (divided.fit, divided.corpus, divided.scored):
        counts = np.bincount(Y[part], minlength=C)
        assert counts.max() - counts.min() <= 2
    choice, test = divided.halves.values()
    assert not set(choice) & set(test)
    assert len(choice) + len(test) == len(divided.scored)


def test_many_rows_are_sampled_and_said(monkeypatch):
    monkeypatch.setattr(parts, "MOST_ROWS", 50)
    divided = parts.divide(NOISE, None, None, neighbours=10, seed=0)
    assert len(divided.corpus) == len(divided.fit) == 50
    assert "200 of 400 rows are used" in divided.notes[0]
    assert parts.divide(NOISE[:100], None, None, neighbours=10, seed=0).notes == ()


def test_judged_documents_are_searched_and_fitted_on_only_where_there_are_no_others():
    divided = parts.divide(FALLING, None, QRELS, neighbours=10, seed=0, n_queries=45)
    assert set(range(41)) <= set(divided.corpus.tolist())
    assert len(divided.scored) == 40
    assert any("40 of 45 queries are scored" in note for note in divided.notes)
    assert any("fitted on documents that are searched too" in note for note in divided.notes)


def test_what_falls_off_can_be_dropped_and_what_does_not_cannot(falling, isotropic):
    kept = {"metric": names.RECALL["cosine"], "recipe": names.FLOAT32, "n_selected": 8, "split": names.TEST}
    for method in ("pca", "first", "top_variance"):
        assert value(falling, method=method, **kept) > 0.75 > 0.65 > value(isotropic, method=method, **kept)
    assert value(falling, method="random_projection", **kept) < 0.75
    assert embeddings.decide(falling).n_bytes < embeddings.decide(isotropic).n_bytes


def test_every_mean_has_an_interval_and_chance_beside_it(labelled):
    means = results.where(labelled, split=names.TEST)
    assert bool(((means["low"] <= means["value"]) & (means["value"] <= means["high"])).all())
    chance = results.where(labelled, method=names.CHANCE)
    assert {names.RECALL["cosine"], names.ACCURACY, names.V_MEASURE, names.CKA, names.SPEARMAN} <= set(chance["metric"])
    assert value(labelled, method=names.CHANCE, metric=names.ACCURACY, probe="ridge") == pytest.approx(1 / C, abs=0.05)
    full = value(labelled, method=names.FULL, metric=names.ACCURACY, probe="ridge", recipe=names.FLOAT32)
    assert full > 0.95


def test_a_search_by_chance_finds_what_chance_says():
    made = scene.make_scene(NOISE, None, None, None, classes=None, neighbours=10, similarity="cosine", seed=0)
    ledger = Ledger(made.parts.halves, {})
    G = torch.Generator().manual_seed(0)
    shape = (len(made.scored), 8), (len(made.corpus), 8)
    setting = KeptSetting("noise", 8, names.FLOAT32)
    search(ledger, made, setting, *(torch.randn(s, generator=G) for s in shape), kind="cosine")
    mean = ledger.values[names.RECALL["cosine"], ""][setting].mean()
    assert mean == pytest.approx(10 / len(made.corpus), abs=0.025)
    search(ledger, made, setting, made.scored, made.corpus, kind="cosine")  # the control
    assert ledger.values[names.RECALL["cosine"], ""][setting].mean() == 1


def test_subsets_have_a_floor_of_cka_and_projections_have_none(falling):
    floors = results.where(falling, metric=names.FLOOR)
    assert {"first", "random_subset", "top_variance"} == set(floors["method"])
    assert value(falling, metric=names.CKA, method="first", n_selected=8) > 0.99
    assert value(falling, metric=names.CKA, method=names.FULL) == pytest.approx(1)


def hand_made(*settings: tuple[str, int, float, float, float]) -> pd.DataFrame:
    """Return shares of quality: of a method its bytes, value and low on the rows that choose, value on the others."""
    rows = []
    for method, size, chosen, low, tested in settings:
        row = {"method": method, "n_selected": 4, "recipe": "int8", "experiment": "e", "task": "t", "model": "m"}
        row |= {"layer": "l", "n_features": 8}
        rows.append(row | {"metric": names.BYTES, "value": size})
        if method == names.FULL:
            rows.append(row | {"metric": names.BYTES, "value": size, "recipe": names.FLOAT32, "n_selected": 8})
        share = row | {"metric": names.KEPT, "delta": 0.9, "label": names.NDCG}
        rows.append(share | {"split": names.CHOICE, "value": chosen, "low": low, "high": 1.0})
        rows.append(share | {"split": names.TEST, "value": tested, "low": tested - 0.05, "high": tested + 0.01})
    return results.as_table(rows)


FULL = (names.FULL, 32, 1.0, 1.0, 1.0)


def test_the_cheapest_within_the_tolerance_is_kept_and_reported_on_other_rows():
    table = hand_made(FULL, ("pca", 8, 0.97, 0.92, 0.94), ("first", 8, 0.95, 0.91, 0.99), ("pca", 4, 0.95, 0.8, 0.5))
    table.loc[table["value"] == 4, "method"] = "top_variance"  # one width a method
    table.loc[(table["low"] == 0.8) | (table["value"] == 0.5), "method"] = "top_variance"
    decision = embeddings.decide(table)
    assert (decision.method, decision.n_bytes, decision.value, decision.full_bytes) == ("pca", 8, 0.94, 32)
    assert decision.sentence.startswith(
        "Keep PCA, 4 of 8, int8: 94.0 % of the nDCG@10 [89.0 %, 95.0 %] at 8 bytes a vec"
    )
    assert "The next cheaper, top variance 4, int8 at 4 bytes, falls below the tolerance of 10 %: 50.0 %" in str(
        decision
    )


def test_where_nothing_is_enough_the_full_vectors_stay():
    decision = embeddings.decide(hand_made(FULL, ("pca", 8, 0.97, 0.85, 0.94)))
    assert decision.method == names.FULL
    assert "is not surely within the tolerance" in decision.next_cheaper
    with pytest.raises(InputError, match="expected the table of a report on embeddings"):
        embeddings.decide(hand_made(FULL).iloc[:1])


def test_training_for_prefixes_is_seen_and_its_absence_too(falling, isotropic):
    assert "look trained for prefixes" in answers.prefix_sentence(falling)
    assert "look trained for prefixes" not in answers.prefix_sentence(isotropic)
    shown = figures.prefixes.summary(falling)
    assert bool((shown["first"] > shown["high"]).all())


def test_v_measure_equals_scikit_learn():
    one, other = RNG.integers(0, 4, 200), RNG.integers(0, 3, 200)
    table = np.zeros((1, 4, 4))
    np.add.at(table, (0, one, other), 1)
    assert labels.v_measure(table)[0] == pytest.approx(v_measure_score(one, other))
    assert labels.v_measure(np.diag([3.0, 4, 5, 6])[None])[0] == pytest.approx(1)


def test_a_dimension_that_hurts_is_found_by_both_halves():
    X = CLASSES.copy()
    X[:, 9] = 6 * NOISE[:, 9]
    table = embeddings.report(X, Y)
    effects = results.where(table, metric=names.EFFECT)
    assert effects["label"].iloc[0] == "dimension 9"
    assert effects["low"].iloc[0] > 0
    assert value(table, metric=names.STABILITY) > 0.3
    assert value(table, metric=names.DEGRADING) > 0


def test_classes_lose_on_the_same_rows(labelled):
    changes = results.where(labelled, metric=names.CLASS_CHANGE)
    assert set(changes["label"]) <= {"ant", "bee", "cat", "dog"}
    worst = results.where(labelled, metric=names.WORST, recipe=names.FLOAT32)
    assert set(worst["label"]) <= {"ant", "bee", "cat", "dog"}
    accuracy = results.where(labelled, metric=names.ACCURACY, probe="ridge", recipe=names.FLOAT32, method="first")
    lowest = worst[(worst["method"] == "first") & (worst["n_selected"] == 1)]["value"].iloc[0]
    assert lowest < float(accuracy[accuracy["n_selected"] == 1]["value"].iloc[0])


def test_judgements_give_rankings_before_and_after_rescoring(judged):
    full = {"method": names.FULL, "recipe": names.FLOAT32}
    assert value(judged, metric=names.NDCG, **full) > 0.9
    poor = {"method": "first", "recipe": "binary_zero", "n_selected": 4}
    assert value(judged, metric=names.NDCG, **poor) < value(judged, metric=names.NDCG_RESCORED, **poor)
    chance = value(judged, metric=names.NDCG, method=names.CHANCE)
    assert 0 < chance < 0.1
    assert "of the nDCG@10" in embeddings.decide(judged).sentence


def test_the_transform_of_the_decision_keeps_its_bytes(labelled):
    decision = embeddings.decide(labelled)
    transform = embeddings.kept_transform(labelled, CLASSES, Y)
    kept = transform.encode(torch.from_numpy(CLASSES[:5]))
    assert transform.n_bytes == decision.n_bytes == kept.nbytes // 5
    assert transform.reduction.kind == decision.method


def test_a_transform_is_kept_in_a_file(labelled, tmp_path):
    from safetensors.numpy import load_file

    transform = embeddings.kept_transform(labelled, CLASSES, Y)
    path = embeddings.write_transform(transform, tmp_path)
    again = compression.Transform.of_arrays(load_file(path), transform.facts())
    X = torch.from_numpy(CLASSES[:5])
    np.testing.assert_array_equal(again.encode(X), transform.encode(X))


def test_without_time_only_the_full_vectors_are_measured_and_the_rest_is_named():
    table = embeddings.report(FALLING, seconds=0.0)
    note = results.where(table, metric=names.NOTE)["label"].iloc[-1]
    assert note.startswith("Left out, for 0 seconds had passed: all dimensions in 4 formats, PCA in 5 formats")
    assert "single dimensions" in note
    assert embeddings.decide(table).method == names.FULL
    assert "Nothing cheaper was tested" in answers.embedding_report(table).sentence


def test_what_a_page_shows(falling, labelled, judged):
    for table in (falling, labelled, judged):
        for one in (tables.frontier, tables.equal_bytes, tables.all_measures, tables.losers, tables.single_dimensions):
            assert "<caption>" in show(one, table).data
        assert figures.frontier.words(tables.points(table)).startswith("Line charts of the quality kept")
        assert answers.embedding_report(table).sentence.count("Keep ") == 1
    assert all("alt=" in show(figure, falling).data for figure in (figures.frontier, figures.prefixes))
    best = tables.points(labelled)
    best = best[best["frontier"]]
    assert best["value"].is_monotonic_increasing
    assert best[names.BYTES].is_monotonic_increasing


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_arrays_that_cannot_be_measured():
    bad, zero = NOISE.copy(), NOISE.copy()
    bad[5, 3] = np.inf
    zero[7] = 0
    report = embeddings.report
    refused("NaN or infinity in 1 of 6400, the first in row 5, column 3", lambda: report(bad))
    refused("got 1 zero vectors in X, the first in row 7; drop them, or take similarity dot", lambda: report(zero))
    refused("expected at least 40 rows for 10 neighbours .* got 3", lambda: report(NOISE[:3]))
    refused("expected at least 303 rows for 100 neighbours", lambda: report(NOISE[:300], neighbours=100))
    refused("expected one label for each of 400 vectors, got 399", lambda: report(NOISE, Y[:-1]))
    refused("expected queries and qrels together", lambda: report(NOISE, queries=ASKING))
    refused("expected a tolerance from 0 to below 1, got 1", lambda: report(NOISE, tolerance=1))
    refused("similarity must be one of cosine, dot, got 'cos'", lambda: report(NOISE, similarity="cos"))
    refused("expected X of shape", lambda: report(NOISE[0]))
    refused("at least 10 queries with a relevant", lambda: report(NOISE, queries=ASKING[:5], qrels=QRELS[:5]))
    assert not report(zero, similarity="dot", seconds=0.0).empty  # the control


def notes_of(X: np.ndarray, y: np.ndarray | None = None) -> str:
    return " ".join(results.where(embeddings.report(X, y, seconds=0.0), metric=names.NOTE)["label"])


def test_peculiar_arrays_are_measured_and_said():
    constant = np.concatenate([NOISE, np.ones((N, 2), np.float32)], axis=1)
    assert "2 columns are constant and tell nothing, the first is column 16" in notes_of(constant)
    assert "100 of 400 rows in use equal another one" in notes_of(np.concatenate([NOISE[:300], NOISE[:100]]))
    assert "one class" in notes_of(NOISE, np.zeros(N, int))
    single = np.where(np.arange(N) == 3, 9, Y)
    assert "1 classes with one row are left out" in notes_of(NOISE, single)
    plain = notes_of(NOISE.astype(np.float16), Y)
    assert not any(word in plain for word in ("constant", "equal another", "one class", "left out: a class"))


def test_classes_of_few_rows_are_measured():
    rare = np.where(np.arange(N) < 60, 4 + np.arange(N) // 2, Y)  # thirty classes of two rows
    table = embeddings.report(CLASSES, rare, seconds=0.0)
    assert value(table, method=names.FULL, metric=names.ACCURACY, probe="ridge") > 0.5
    refused(
        "labels that several rows share, got 400 classes in 400 rows", lambda: embeddings.report(NOISE, np.arange(N))
    )
    maps = compression.fit_reductions(torch.from_numpy(CLASSES), torch.from_numpy(np.where(np.arange(N) == 0, 9, Y)))
    assert sorted(maps["importance"].kept[:4].tolist()) == [0, 1, 2, 3]


def test_the_probe_of_wide_vectors_equals_that_of_narrow_ones():
    F, y, rows = (torch.from_numpy(part) for part in (CLASSES[:200], Y[:200], CLASSES[200:]))
    sizes = {"sizes": [16, 1], "n_classes": C}
    narrow, wide = (predict(F, y, rows, **sizes) for predict in (labels._predictions, labels._wide_predictions))
    torch.testing.assert_close(wide, narrow)
    assert not torch.equal(narrow[0, 0], narrow[0, 1])


def test_more_dimensions_than_rows():
    wide = RNG.normal(size=(120, 700)).astype(np.float32)
    table = embeddings.report(wide, np.arange(120) % 3, seconds=8)
    widths = results.where(table, method="pca", metric=names.BYTES, recipe=names.FLOAT32)["n_selected"]
    assert len(widths)
    assert widths.max() < 45  # fewer than rows to fit on
