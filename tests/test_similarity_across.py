"""Layers across networks: each map is its index, the same layer is found, components are what they claim to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from synthetic_task import make_task

from diffred_core import cka, drawing, geometry, moments, results, similarity, small_networks
from diffred_core.chapters import spectra
from diffred_core.chapters.spectra import matching, names
from diffred_core.chapters.spectra.sweep_across import map_rows
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures
from diffred_core.results import where

TINY = small_networks.TrainingRecipe(epochs=1, batch_size=32)


def stacked_layers(*, seed, n=120, depth=4, width=9):
    """Return layers that drift from one another, of one chain of signals, each network in its own random axes."""
    shared, own = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    X, layers = torch.randn(n, width, generator=shared), {}
    for i in range(depth):
        X = torch.tanh(1.5 * X @ torch.randn(width, width, generator=shared) / width**0.5)
        turn = torch.linalg.qr(torch.randn(width, width, generator=own)).Q
        layers[f"layer{i}"] = X @ turn + 0.02 * torch.randn(n, width, generator=own)
    return layers


def as_task(X, *, model, y=None):
    y = torch.arange(len(X)) % 4 if y is None else y
    splits = dict.fromkeys(("train", "validation", "test"), (X, y))
    return TaskFeatures(model, "chain", ("a", "b", "c", "d"), dict.fromkeys(splits, "none"), splits)


def digits():
    data = load_digits()
    X, y = torch.from_numpy(data.data).float(), torch.from_numpy(data.target)
    splits = {"train": (X, y), "validation": (X[:300], y[:300]), "test": (X[300:600], y[300:600])}
    return TaskFeatures("pixels", "digits", tuple(map(str, range(10))), dict.fromkeys(splits, "none"), splits)


@pytest.fixture(scope="module")
def images():
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(160) % 4
    pixels = (60 * torch.rand(160, 3, 16, 16, generator=draw)).to(torch.uint8)
    for c in range(4):
        pixels[y == c, :, 4 * c : 4 * c + 4] += 150
    splits = {"train": torch.arange(96), "validation": torch.arange(96, 112), "test": torch.arange(112, 160)}
    return small_networks.Images("stripes", ("a", "b", "c", "d"), pixels, y, splits)


@pytest.fixture(scope="module")
def table(images, tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    options = {"architecture": "vggm11-w2", "n_seeds": 3, "recipe": TINY, "root": root, "progress": False}
    seeds = spectra.seed_maps(images, **options)
    one, other = ({k: as_task(X, model=m) for k, X in stacked_layers(seed=s).items()} for m, s in (("m", 1), ("o", 2)))
    return spectra.similarity_across(make_task(rank=12), one, other, seeds=seeds)


@pytest.mark.parametrize("index", similarity.INDICES)
def test_a_map_is_the_index_of_every_pair(index):
    one, other = (list(stacked_layers(seed=s, depth=3).values()) for s in (1, 2))
    function = {
        "cka": lambda X, Y: cka.linear_cka(X, Y, debiased=False),
        "debiased_cka": cka.linear_cka,
        "procrustes": similarity.procrustes_similarity,
    }.get(index) or getattr(similarity, index)
    values = similarity.similarity_map(one, other[:2], index=index)
    twin = [[function(X, Y) for Y in other[:2]] for X in one]
    np.testing.assert_allclose(values, twin, atol=1e-10)
    assert values.shape == (3, 2)


def test_bad_maps_are_named():
    one = list(stacked_layers(seed=1).values())
    for call, message in (
        (lambda: similarity.similarity_map(one, one, index="cca"), "expected index to be one of cka, debiased_cka"),
        (lambda: similarity.similarity_map([], one, index="cka"), "at least one layer, got none"),
        (lambda: similarity.similarity_map(one, [X[1:] for X in one], index="svcca"), "got 119 and 120 rows"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_the_same_layer_is_found_both_ways_and_not_among_other_rows():
    one, other = (list(stacked_layers(seed=s).values()) for s in (1, 2))
    values = similarity.similarity_map(one, other, index="cka").numpy()
    assert matching.share_matched(values) == 1
    assert matching.share_matched(values[::-1]) == 0
    crossed = np.array([[1.0, 0.9, 0.0], [0.95, 0.9, 0.0], [0.0, 0.0, 1.0]])
    assert matching.share_matched(crossed) == pytest.approx(4 / 6)
    shuffled = [X[torch.randperm(len(X), generator=torch.Generator().manual_seed(i))] for i, X in enumerate(other)]
    assert matching.share_matched(similarity.similarity_map(one, shuffled, index="cka").numpy()) < 1


def test_components_are_the_identities_that_they_claim():
    layer = digits()
    X, y = layer.splits["train"]
    one = {"pixels": layer}
    rows = spectra.similarity_across(layer, one, one)
    wide = matching.components(rows)
    # reference values of the raw digits
    assert wide.loc[9, names.CKA] == pytest.approx(0.9723209870, abs=1e-10)
    assert wide.loc[9, names.ENERGY] == pytest.approx(0.490796, abs=1e-6)
    sums = moments.from_features(X.double(), y, quartic=False)
    spectrum = geometry.spectrum(sums)
    for k in (1, 9):
        scores = (X.double() - X.double().mean(0)) @ spectrum.vectors[:, :k]
        assert wide.loc[k, names.CKA] == pytest.approx(cka.linear_cka(X.double(), scores, debiased=False), abs=1e-10)
        centred = torch.eye(10, dtype=torch.float64)[y] - torch.eye(10, dtype=torch.float64)[y].mean(0)
        held = (torch.linalg.qr(scores).Q.T @ centred).square().sum() / centred.square().sum()
        assert wide.loc[k, names.ENERGY] == pytest.approx(float(held), abs=1e-10)
    assert wide[names.ACCURACY].iloc[-1] > wide[names.ACCURACY].iloc[0] + 0.3
    assert spectra.claims_similarity.alike_without_labels(rows).verdict == "holds"


def test_the_caution_fails_where_the_labels_lie_in_the_leading_directions():
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 4
    X = 0.01 * torch.randn(400, 12, generator=draw)
    X[:, :4] += torch.eye(4)[y] * torch.tensor([3.0, 2.9, 2.8, 2.7])
    layer = as_task(X, model="m", y=y)
    rows = spectra.similarity_across(layer, {"last": layer}, {"last": layer})
    assert spectra.claims_similarity.alike_without_labels(rows).verdict == "fails"


def test_every_pair_of_seeds_has_its_map_trained_and_untrained(table):
    rows = where(table, method=names.BETWEEN_SEEDS)
    assert set(rows["recipe"]) == {names.TRAINED, names.UNTRAINED}
    assert set(rows["repeat"]) == {0, 1, 2}
    own = where(rows, metric="cka", recipe=names.TRAINED, repeat=0)
    layers = own["layer"].unique().tolist()
    assert layers == sorted(layers)
    assert layers[0] == "conv01"
    assert len(own) == len(layers) ** 2
    assert not rows.duplicated(["metric", "recipe", "repeat", "layer", "label"]).any()


def test_pwcca_is_left_out_of_layers_as_wide_as_rows():
    wide = {"narrow": torch.randn(30, 5), "wide": torch.randn(30, 29)}
    rows = pd.DataFrame(map_rows(wide, {"narrow": wide["narrow"]}))
    assert set(where(rows, metric="pwcca")["layer"]) == {"narrow"}
    assert set(where(rows, metric="cka")["layer"]) == {"narrow", "wide"}


def test_claims_and_answer_follow_the_table(table):
    judged = {claim.name: claim for claim in spectra.claims_similarity.all_claims(table)}
    shares = matching.by_pair(table, "cka")
    assert judged["CKA finds the same layer"].value == pytest.approx(shares.mean())
    rival = matching.by_pair(table, "svcca")
    assert judged["CKA finds more layers than SVCCA"].value == pytest.approx((shares - rival).mean())
    answer = spectra.answers.similarity_across(table)
    assert f"{100 * shares.mean():.1f} % of the layers by CKA" in answer.sentence
    plain = where(table, method=(names.PRINCIPAL, names.BETWEEN_NETWORKS))
    assert len(spectra.claims_similarity.all_claims(plain)) == 1
    assert "another seed" not in spectra.answers.similarity_across(plain).sentence


@pytest.mark.parametrize("name", ["networks", "seeds", "matched", "principal"])
def test_figures_draw_what_their_words_say(table, name):
    figure = getattr(spectra.figures_similarity, name)
    assert "<img" in drawing.show(figure, table).data
    words = figure.words(figure.summary(table))
    assert "CKA" in words
    assert any(character.isdigit() for character in words)


def test_the_matching_table_stands_beside_the_published_numbers(table):
    rows = spectra.tables.found_again(table).set_index("index")
    assert rows.loc["CKA", "published"] == 99.3
    assert rows.loc["CKA", "trained"] == pytest.approx(100 * matching.by_pair(table, "cka").mean())
    assert np.isnan(rows.loc["Procrustes", "published"])


def test_bad_input_is_named(images):
    task = make_task()
    one = {"last": task}
    other = {"last": replace(task, splits={s: (X, y.flip(0)) for s, (X, y) in task.splits.items()})}
    for call, message in (
        (lambda: spectra.similarity_across(task, {}, one), "expected layers of two networks, got none of one"),
        (lambda: spectra.similarity_across(task, one, other), "expected the same rows under 'synthetic'"),
        (lambda: spectra.seed_maps(images, n_seeds=1), "n_seeds must be at least 2, got 1"),
        (lambda: matching.matched_layers(results.as_table([])), "expected maps between seeds, got none"),
    ):
        with pytest.raises(InputError, match=message):
            call()
