"""The few-shot sweep measures what it says: slow twins episode by episode, controls, and data without any signal."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from reference_few_shot import shares_by_pairs
from scipy import stats
from sklearn.linear_model import LogisticRegression
from synthetic_task import make_task

from diffred_core import few_shot, results, soft_mask
from diffred_core.chapters import few_shots
from diffred_core.chapters.few_shots import accuracy, names, reasons
from diffred_core.chapters.few_shots.setting import EpisodeData, draw_setting
from diffred_core.chapters.random_subsets.sweep_probes import probes
from diffred_core.errors import InputError

QUICK = {"n_way": 3, "n_query": 5, "n_episodes": 12, "n_head_episodes": 6, "more_shots": (1, 2, 8), "ways": (2, 4, 9)}
QUICK |= {"n_subsets": 0}
FRACTIONS = (0.05, 0.2, 0.5, 1.0)


@pytest.fixture(scope="module")
def task():
    return make_task(n_samples=(80, 40, 40))


@pytest.fixture(scope="module")
def pool(task):
    return few_shots.draw_pool(task, n_per_class=14, n_query=5)


@pytest.fixture(scope="module")
def views(pool):
    X, _ = pool.data
    noise = torch.randn(len(X), 3, X.shape[1], generator=torch.Generator().manual_seed(3))
    return X[:, None] + 4 * noise


@pytest.fixture(scope="module")
def table(pool, views):
    return few_shots.episodes(pool, views={"crops": views}, fractions=FRACTIONS, **QUICK | {"n_subsets": 2})


def rows(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def value(table, column="value", **values):
    found = rows(table, **values)[column]
    assert len(found) == 1, values
    return found.item()


def episodes_of(source, n_shot, n=12, n_way=3):
    return few_shot.sample_episodes(source[1], n_way=n_way, n_shot=n_shot, n_query=5, n_episodes=n, seed=1)


def oracle_importance(X, y, classes):
    """The pair statistic of Luo et al. (2022), class by class and pair by pair."""
    means, spreads = {}, {}
    for c in classes:
        means[c], spreads[c] = X[y == c].mean(0), X[y == c].std(0, ddof=1)
    pairs = [(a, b) for i, a in enumerate(classes) for b in classes[i + 1 :]]
    return sum(2 * abs(means[a] - means[b]) / (spreads[a] + spreads[b]) for a, b in pairs) / len(pairs)


def slow_accuracy(X, episodes, e, columns, weights=1.0):
    support, query = (part[e].flatten().numpy() for part in (episodes.support, episodes.query))
    labels = np.repeat(np.arange(episodes.n_way), episodes.n_shot)
    truth = np.repeat(np.arange(episodes.n_way), episodes.n_query)
    Z = (X * weights)[:, columns]
    centres = np.stack([Z[support][labels == c].mean(0) for c in range(episodes.n_way)])
    return (((Z[query][:, None] - centres) ** 2).sum(-1).argmin(1) == truth).mean()


def test_oracle_rows_equal_centroids_fitted_episode_by_episode(pool, table):
    X, y = (part.numpy() for part in pool.data)
    episodes = episodes_of(pool.data, 5)
    size = math.ceil(0.2 * 40)
    kept, whole = [], []
    for e in range(12):
        order = np.argsort(-oracle_importance(X, y, episodes.classes[e].tolist()))
        kept.append(slow_accuracy(X, episodes, e, order[:size]))
        whole.append(slow_accuracy(X, episodes, e, np.arange(40)))
    where = {"method": "oracle_all", "probe": "centroid_euclidean", "n_shot": 5, "n_way": 3, "split": "pool"}
    assert value(table, **where, fraction=0.2, metric="accuracy") == pytest.approx(np.mean(kept))
    gain = np.array(kept) - np.array(whole)
    assert value(table, **where, fraction=0.2, metric="gain") == pytest.approx(gain.mean())
    assert value(table, "sd", **where, fraction=0.2, metric="gain") == pytest.approx(gain.std(ddof=1))
    assert value(table, "n", **where, fraction=0.2, metric="gain") == 12
    assert value(table, "n", **where, fraction=0.2, metric="accuracy") == 12


def test_masks_multiply_support_and_query(pool, views, table):
    X, episodes = pool.data[0].numpy(), episodes_of(pool.data, 1)
    every = torch.cat([pool.data[0][:, None], views], 1).numpy()
    gains, over = [], []
    for e in range(12):
        support = episodes.support[e].numpy()
        seen = np.concatenate([every[i].reshape(-1, 40) for i in support])
        labels = np.repeat(np.arange(3), 4)
        R = oracle_importance(seen, labels, [0, 1, 2])
        spread = np.mean([seen[labels == c].std(0, ddof=1) for c in range(3)], axis=0)
        control = 1 / np.maximum(spread, names.SPREAD_FLOOR * np.sort(spread)[19])  # the lower median of 40
        plain = slow_accuracy(X, episodes, e, np.arange(40))
        masked = slow_accuracy(X, episodes, e, np.arange(40), R / R.max())
        gains.append(masked - plain)
        over.append(masked - slow_accuracy(X, episodes, e, np.arange(40), control / control.max()))
    where = {"method": "mask_importance", "probe": "centroid_euclidean", "n_shot": 1, "n_way": 3}
    where["label"] = "estimated_views"
    assert value(table, **where, metric="gain") == pytest.approx(np.mean(gains))
    assert value(table, **where, metric="over_control") == pytest.approx(np.mean(over))
    wins = np.mean([1.0 if gain > 0 else 0.5 if gain == 0 else 0.0 for gain in gains])
    assert value(table, **where, metric="win_rate") == pytest.approx(wins)


def masked_accuracies(source, basis_of, kinds, *, n_shot):
    """Accuracy of every episode with every mask by `basis_of(setting)`, kind by kind, each in a pass of its own."""
    X, episodes = source[0], episodes_of(source, n_shot)
    known = basis_of(episodes)
    R = soft_mask.importance(known)
    curves = {}
    for kind in kinds:
        options = {"kind": kind} | names.VARIANTS.get(kind, {})
        magnitude = known.magnitude / X.norm(dim=1).mean()
        weights = soft_mask.mask(R, spread=known.spread, magnitude=magnitude, n_shot=n_shot, **options)
        curves[kind] = few_shot.centroid_curve(X, episodes, torch.arange(40), [40], mask=weights)[:, 0].numpy()
    return curves, few_shot.centroid_curve(X, episodes, torch.arange(40), [40])[:, 0].numpy()


def test_the_best_mask_is_chosen_on_one_half_and_measured_on_the_other(pool, views, table):
    kinds = (*names.RECONSTRUCTIONS, names.CONTROL_MASK)
    assert set(kinds) == set(names.MASKS) - {"hard"}
    known = rows(table, probe="centroid_euclidean", n_shot=5, n_way=3, label="estimated_views", metric="best_gain")
    curves, plain = masked_accuracies(
        pool.data, lambda episodes: soft_mask.episode_statistics(pool.data[0], episodes, views=views), kinds, n_shot=5
    )
    best = max(names.RECONSTRUCTIONS, key=lambda kind: curves[kind][:6].mean())
    assert known["method"].item() == f"mask_{best}"
    gain = curves[best][6:] - plain[6:]
    assert known["value"].item() == pytest.approx(gain.mean())
    assert known["sd"].item() == pytest.approx(gain.std(ddof=1))
    assert known["n"].item() == 6
    where = {"probe": "centroid_euclidean", "n_shot": 5, "n_way": 3, "label": "estimated_views"}
    over = curves[best][6:] - curves[names.CONTROL_MASK][6:]
    assert value(table, **where, metric="best_over_control") == pytest.approx(over.mean())
    wins = (gain > 0) + (gain == 0) / 2
    assert value(table, **where, metric="best_win_rate") == pytest.approx(wins.mean())


def test_masks_that_mean_nothing_have_no_gain_where_the_best_is_judged_on_other_episodes():
    """Of seven masks of data without signal one looks best where it was chosen; on the other half it does not."""
    task = make_task(n_samples=(80, 40, 40), shuffled=True)
    pool = few_shots.draw_pool(task, n_per_class=14, n_query=5)
    options = {**QUICK, "n_episodes": 600, "heads": (), "more_shots": (), "ways": ()}
    table = few_shots.episodes(pool, fractions=(0.2, 1.0), shots=(5,), **options)
    best = rows(table, probe="centroid_euclidean", label="estimated_shots", metric="best_gain")
    judged = results.summarize(best, ["label"], metric="best_gain", level=0.99).iloc[0]
    assert judged["low"] < 0 < judged["high"] + 0.01
    # the control: the oracle sees the queries, and gains on either half
    leaky = rows(table, probe="centroid_euclidean", label="oracle_all", metric="best_gain")
    assert results.summarize(leaky, ["label"], metric="best_gain", level=0.99).iloc[0]["low"] > 0.02


def released_episode(X, y, episodes, e, clamp):
    """The released code, one binary task: rows of length 1, r / MMC, rows of length 1 again, cosine."""
    Z = X / np.linalg.norm(X, axis=1, keepdims=True)
    a, b = (Z[y == c] for c in episodes.classes[e].tolist())
    r = 2 * abs(a.mean(0) - b.mean(0)) / (a.std(0, ddof=1) + b.std(0, ddof=1))
    mmc = (len(a) * abs(a).mean(0) + len(b) * abs(b).mean(0)) / (len(a) + len(b))
    scale = r / np.linalg.norm(r) / mmc
    scale[scale > clamp] = 1.0
    right = []
    for weights in (np.ones_like(scale), scale):
        unit = Z * weights / np.linalg.norm(Z * weights, axis=1, keepdims=True)
        centres = np.stack([unit[support].mean(0) for support in episodes.support[e].numpy()])
        scores = (
            unit[episodes.query[e].flatten().numpy()] @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
        )
        right.append((scores.argmax(1) == np.repeat(np.arange(2), episodes.n_query)).mean())
    return right


@pytest.mark.parametrize("n_shot", [1, 5])
@pytest.mark.parametrize(("kind", "clamp"), [("mmc", np.inf), ("mmc_clamped", 1.5)])
def test_the_released_oracle_is_the_released_code_pair_by_pair(task, monkeypatch, kind, clamp, n_shot):
    monkeypatch.setitem(names.VARIANTS, "mmc_clamped", {"kind": "mmc", "clamp": clamp})
    draw = torch.Generator().manual_seed(0)
    noisy = {name: (X + 4 * torch.randn(X.shape, generator=draw), y) for name, (X, y) in task.splits.items()}
    pool = few_shots.draw_pool(replace(task, splits=noisy), n_per_class=14, n_query=5)
    X, y = (part.numpy() for part in pool.whole)
    episodes = episodes_of(pool.whole, n_shot, n=150, n_way=2)
    plain, scaled = np.array([released_episode(X, y, episodes, e, clamp) for e in range(150)]).T
    options = {**QUICK, "n_episodes": 150, "more_shots": (), "ways": (), "shots": (n_shot,), "heads": (), "masks": ()}
    table = few_shots.episodes(pool, fractions=FRACTIONS, **options)
    where = {"probe": "centroid_cosine", "n_way": 2, "split": "all", "n_shot": n_shot}
    assert value(table, **where, method="no_mask", metric="accuracy") == pytest.approx(plain.mean())
    assert value(table, **where, method=f"mask_{kind}", metric="gain") == pytest.approx((scaled - plain).mean())
    assert value(table, "sd", **where, method=f"mask_{kind}", metric="gain") == pytest.approx(
        (scaled - plain).std(ddof=1)
    )
    assert (scaled != plain).any()
    shown = few_shots.tables.released.summary(table).set_index("mask")
    assert shown.loc[names.MASK_METHODS[f"mask_{kind}"], "gain"] == pytest.approx(100 * (scaled - plain).mean())
    assert shown["accuracy of none"].tolist() == pytest.approx([100 * plain.mean()] * 2)


def test_the_clamp_changes_what_it_is_for(pool):
    """With a clamp below all weights but the smallest the mask is nearly none; with one above all it is the mask."""
    X, episodes = pool.data[0], episodes_of(pool.data, 5)
    known = soft_mask.oracle_statistics(*pool.data, episodes)
    R, magnitude = soft_mask.importance(known), known.magnitude / X.norm(dim=1).mean()
    weights = {
        clamp: soft_mask.mask(R, kind="mmc", magnitude=magnitude, clamp=clamp) for clamp in (None, 1e-6, 0.8, 1e6)
    }
    torch.testing.assert_close(weights[1e6], weights[None])
    assert torch.equal(weights[1e-6], torch.ones_like(R))
    assert not torch.allclose(weights[0.8], weights[None])


def test_the_clamp_does_not_depend_on_the_unit_of_the_features(pool, monkeypatch):
    monkeypatch.setitem(names.VARIANTS, "mmc_clamped", {"kind": "mmc", "clamp": 1.0})
    X, y = pool.data
    numbers = {"n_way": 3, "n_shot": 5, "n_query": 5, "n_episodes": 12, "seed": 1, "fractions": FRACTIONS}
    small, large = (draw_setting(EpisodeData(Z, y, pool.rest, "pool"), **numbers) for Z in (X, 1000 * X))
    clamped, other = (accuracy._mask(part, names.ORACLE, "mmc_clamped") for part in (small, large))
    torch.testing.assert_close(other, clamped)
    assert not torch.allclose(clamped, accuracy._mask(small, names.ORACLE, "mmc"))  # the control


def test_every_mask_stands_in_a_table_with_its_own_gain_interval_and_wins(table):
    shown = few_shots.tables.masks.summary(table)
    assert set(shown["mask"]) == set(names.MASK_METHODS.values())
    assert set(zip(shown["centroid"], shown["shots"], strict=True)) == {
        (centroid, n_shot) for centroid in ("Euclidean", "cosine") for n_shot in (1, 5)
    }
    first = shown[(shown["centroid"] == "Euclidean") & (shown["shots"] == 1) & (shown["importance by"] == "views")]
    assert first["mask"].tolist() == [names.MASKS[kind] for kind in names.MASKS]
    assert shown["centroid"].tolist() == sorted(shown["centroid"])
    line = shown[(shown["centroid"] == "cosine") & (shown["shots"] == 5) & (shown["importance by"] == "views")]
    line = line.set_index("mask").loc["R / spread"]
    where = {"probe": "centroid_cosine", "n_shot": 5, "n_way": 3, "split": "pool", "label": "estimated_views"}
    for metric, column in (("gain", "gain"), ("win_rate", "wins (%)"), ("over_control", "over control")):
        assert line[column] == pytest.approx(100 * value(table, **where, method="mask_scaled", metric=metric))
    assert line["low"] < line["gain"] < line["high"]
    assert "95 % interval over episodes" in few_shots.tables.masks.caption(shown)
    assert "at least 100 % of the median one" in few_shots.tables.masks.caption(shown)


@pytest.mark.parametrize("name", ["masks", "released", "left_out", "mask_by_prototypes"])
def test_captions_state_the_level_of_their_intervals(table, monkeypatch, name):
    shown = getattr(few_shots.tables, name)
    assert "95 % interval" in shown.caption(shown.summary(table))
    summarize = results.summarize
    monkeypatch.setattr(results, "summarize", lambda *args, **options: summarize(*args, **options, level=0.8))
    narrow = shown.summary(table)
    assert "80 % interval" in shown.caption(narrow)
    assert "95 %" not in shown.caption(narrow)


def test_prototypes_of_views_are_compared_with_no_mask_at_the_same_prototypes(pool, views, table):
    X, episodes = pool.data[0].numpy(), episodes_of(pool.data, 1)
    every = torch.cat([pool.data[0][:, None], views], 1).numpy()
    found = []
    for e in range(12):
        centres = np.stack([every[i].reshape(-1, 40).mean(0) for i in episodes.support[e].numpy()])
        queries = X[episodes.query[e].flatten().numpy()]
        nearest = ((queries[:, None] - centres) ** 2).sum(-1).argmin(1)
        found.append((nearest == np.repeat(np.arange(3), 5)).mean())
    where = {"method": "no_mask", "n_shot": 1, "n_way": 3, "split": "pool", "metric": "accuracy"}
    moved = {"probe": "centroid_euclidean_views"}
    assert value(table, **where, **moved) == pytest.approx(np.mean(found))
    assert value(table, **where, **moved) != value(table, **where, probe="centroid_euclidean")
    plain = np.array([slow_accuracy(X, episodes, e, np.arange(40)) for e in range(12)])
    gain = np.array(found) - plain
    where["metric"] = "gain"
    assert value(table, **where, **moved) == pytest.approx(gain.mean())
    assert value(table, "sd", **where, **moved) == pytest.approx(gain.std(ddof=1))


def test_mask_and_prototypes_are_told_apart_two_by_two(table):
    shown = few_shots.tables.mask_by_prototypes.summary
    four = shown(table)
    assert list(zip(four["mask"], four["prototypes"], strict=True)) == [
        *(("none", "plain"), ("none", "of views")),
        *(("importance", "plain"), ("importance", "of views")),
    ]
    plain, moved, masked, both = four["accuracy"]
    assert math.isnan(four["gain"][0])
    assert four["gain"][1:].tolist() == pytest.approx([moved - plain, masked - plain, both - moved])
    assert moved != plain
    assert ((four["low"] < four["gain"]) & (four["gain"] < four["high"]))[1:].all()
    alone = table[
        (table["method"] == "oracle_all") | ((table["method"] == "no_mask") & (table["probe"] == "centroid_euclidean"))
    ]
    assert len(shown(alone)) == 1


def test_linear_heads_run_on_the_first_episodes_on_rows_of_length_one(pool, table):
    X = torch.nn.functional.normalize(pool.data[0], dim=-1).numpy()
    episodes = episodes_of(pool.data, 5, n=6)
    lead, labels = [], np.repeat(np.arange(3), 5)
    for e in range(6):
        support, query = (part[e].flatten().numpy() for part in (episodes.support, episodes.query))
        head = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(X[support], labels)
        centres = np.stack([X[support][labels == c].mean(0) for c in range(3)])
        centroid = (X[query] @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(1)
        truth = np.repeat(np.arange(3), 5)
        lead.append((head.predict(X[query]) == truth).mean() - (centroid == truth).mean())
    where = {"probe": "logistic", "label": "centroid_cosine", "n_shot": 5}
    assert value(table, **where, metric="over_centroid") == pytest.approx(np.mean(lead))
    assert value(table, "n", **where, metric="over_centroid") == 6


def test_interval_is_the_one_over_single_episodes(pool, table):
    X = pool.data[0]
    order = torch.arange(40)
    single = few_shot.centroid_curve(X, episodes_of(pool.data, 5), order, [40])[:, 0].numpy()
    full = rows(table, method="random", probe="centroid_euclidean", n_shot=5, split="pool", fraction=1.0)
    found = results.summarize(full, ["fraction"], metric="accuracy", level=0.9).iloc[0]
    low, high = stats.t.interval(0.9, 11, single.mean(), stats.sem(single))
    assert found["mean"] == pytest.approx(single.mean())
    assert (found["low"], found["high"], found["n"]) == (pytest.approx(low), pytest.approx(high), 12)


def test_the_peak_is_chosen_on_one_half_and_measured_on_the_other(pool, table):
    X, y = pool.data
    episodes = episodes_of(pool.data, 5)
    every = torch.stack(
        [torch.from_numpy(np.argsort(-oracle_importance(X.numpy(), y.numpy(), c.tolist()))) for c in episodes.classes]
    )
    curve = few_shot.centroid_curve(X, episodes, every, [2, 8, 20, 40])
    best = int(curve[:6].mean(0).argmax())
    found = rows(table, method="oracle_all", probe="centroid_euclidean", n_shot=5, split="pool", metric="peak_gain")
    assert found["n_selected"].item() == [2, 8, 20, 40][best]
    assert found["value"].item() == pytest.approx(float((curve[6:, best] - curve[6:, -1]).mean()))
    where = {"method": "oracle_all", "probe": "centroid_euclidean", "n_shot": 5, "split": "pool"}
    assert value(table, **where, metric="peak_rise") == pytest.approx(float((curve[6:, best] - curve[6:, 0]).mean()))


@pytest.mark.parametrize("name", ["top_variance", "oracle_all"])
def test_the_share_that_recovers_is_chosen_on_one_half_and_measured_on_the_other(pool, table, name):
    X, y = pool.data
    episodes = episodes_of(pool.data, 5)
    where = {"method": name, "probe": "centroid_euclidean", "n_shot": 5, "split": "pool"}
    if name == "top_variance":
        order = X.double().var(0).argsort(descending=True)
    else:
        ranked = [oracle_importance(X.numpy(), y.numpy(), c.tolist()) for c in episodes.classes]
        order = torch.from_numpy(np.argsort(-np.stack(ranked)))
    curve = few_shot.centroid_curve(X, episodes, order, [2, 8, 20, 40])
    least, other = (
        next(j for j in range(4) if half[:, j].sum() >= half[:, 3].sum() - 1e-12) for half in (curve[:6], curve[6:])
    )
    assert (least != other) == (name == "top_variance")  # the control: the halves would choose differently
    row = rows(table, **where, metric="recovered_gain")
    assert row["n_selected"].item() == [2, 8, 20, 40][least]
    assert row["value"].item() == pytest.approx(float((curve[6:, least] - curve[6:, -1]).mean()))
    assert row["n"].item() == 6


def test_the_share_that_recovers_reaches_the_mean_of_all_and_not_nearly():
    steps = torch.tensor([[0.499, 0.5, 0.6, 0.5], [0.9, 0.3, 0.3, 0.2]], dtype=torch.float64).repeat_interleave(4, 0)
    setting = SimpleNamespace(sizes=(1, 2, 3, 4), at=lambda j: {"n_selected": j + 1})
    drawn = {row["metric"]: row for row in accuracy._curve_rows(setting, {}, steps)}
    assert (drawn["recovered_gain"]["n_selected"], drawn["recovered_gain"]["value"]) == (2, pytest.approx(0.1))
    assert (drawn["peak_gain"]["n_selected"], drawn["peak_gain"]["value"]) == (3, pytest.approx(0.1))
    assert drawn["peak_rise"]["value"] == pytest.approx(-0.6)


def test_every_order_ends_in_the_full_layer_and_the_oracle_beats_its_reverse(table):
    where = {"probe": "centroid_euclidean", "split": "pool", "n_shot": 5, "metric": "accuracy"}
    last = rows(table, **where, fraction=1.0)
    last = last[~last["method"].str.startswith(("mask", "no_mask", "simple"))]
    assert last["value"].nunique() == 1
    assert set(last["method"]) == {
        *("oracle_all", "oracle_no_query", "oracle_disjoint", "estimated_views", "estimated_shots"),
        *("random", "bottom", "top_variance"),
    }
    top, bottom = (value(table, **where, fraction=0.2, method=name) for name in ("oracle_all", "bottom"))
    assert top > bottom + 0.1


def test_without_signal_only_the_oracle_that_sees_the_queries_gains():
    """Labels cut from features: what an oracle finds in the queries is chance, but it fits these very queries."""
    task = make_task(n_samples=(80, 40, 40), shuffled=True)
    pool = few_shots.draw_pool(task, n_per_class=14, n_query=5)
    options = {**QUICK, "n_episodes": 300, "heads": (), "more_shots": (), "ways": (), "masks": ("importance",)}
    table = few_shots.episodes(pool, fractions=FRACTIONS, shots=(5,), **options)
    curves = rows(table, probe="centroid_euclidean", split="pool", fraction=0.2)
    found = results.summarize(curves, ["method"], metric="accuracy").set_index("method")
    assert found.loc["oracle_disjoint", "low"] < 1 / 3 < found.loc["oracle_disjoint", "high"] + 0.01
    assert found.loc["oracle_all", "low"] > found.loc["oracle_disjoint", "high"]


def test_settings_that_the_rows_do_not_allow_are_left_out(pool, table):
    table = table[table["split"] != "test"]
    released = (table["n_way"] == 2) & (table["probe"] == "centroid_cosine") & (table["split"] == "all")
    assert set(table.loc[released, "n_shot"]) == {1, 5}
    settings = set(zip(table["split"], table["n_way"], table["n_shot"], strict=True))
    assert ("pool", 3, 8) in settings
    assert ("all", 4, 1) in settings  # 9 ways of 4 classes are 4
    assert max(n_way for _, n_way, _ in settings) == 4
    more = few_shots.episodes(pool, **QUICK | {"more_shots": (12, 30, 36), "ways": ()}, shots=(5,), heads=(), masks=())
    more = more[more["n_way"] == 3]
    wide = {(split, n_shot) for split, _, n_shot in zip(more["split"], more["n_way"], more["n_shot"], strict=True)}
    assert wide == {("pool", 5), ("all", 12), ("all", 30)}  # 14 and 40 rows a class, 5 of them queries


def test_without_views_importance_is_estimated_from_two_shots_on(pool):
    table = few_shots.episodes(pool, fractions=FRACTIONS, **QUICK | {"more_shots": (), "ways": ()}, heads=())
    bases = table["method"].where(table["label"].isna(), table["label"])
    assert set(table.loc[bases == "estimated_shots", "n_shot"]) == {5}
    assert not bases.str.contains("views").any()


def test_views_of_the_images_themselves_change_no_order(pool):
    """Three copies of every image are no new information: the same means, the same order of spreads."""
    X, _ = pool.data
    options = {**QUICK, "more_shots": (), "ways": (), "shots": (5,), "heads": (), "masks": ()}
    table = few_shots.episodes(pool, views={"copies": X[:, None].expand(-1, 3, -1)}, fractions=FRACTIONS, **options)
    curve = rows(table, probe="centroid_euclidean", metric="accuracy")
    views, shots = (
        rows(curve, method=name).set_index("fraction")["value"] for name in ("estimated_views", "estimated_shots")
    )
    pd.testing.assert_series_equal(views, shots)


def test_other_recipes_have_rows_of_their_own(pool, views):
    options = {**QUICK, "more_shots": (), "ways": (), "shots": (1,), "heads": (), "masks": ("importance",)}
    table = few_shots.episodes(pool, views={"mild": views, "wild": 3 * views}, **options)
    where = {"method": "mask_importance", "metric": "gain", "probe": "centroid_euclidean", "label": "estimated_views"}
    masks = rows(table, **where)
    assert set(masks["recipe"]) == {"mild", "wild"}
    alone = few_shots.episodes(pool, views={"wild": 3 * views}, **options)
    assert value(masks, recipe="wild") == value(alone, **where)
    assert value(masks, recipe="wild") != value(masks, recipe="mild")
    assert set(few_shots.across.crop_gains(table)["recipe"]) == {"mild", "wild"}
    assert few_shots.across.crop_gains(alone).empty
    drawn = few_shots.figures.masks.summary(table)
    assert value(drawn, "mean", method="mask_importance", label="estimated_views", probe="centroid_euclidean") == value(
        masks, recipe="mild"
    )
    duplicated = table.duplicated([c for c in table.columns if c not in ("value", "sd", "n")])
    assert not duplicated.any()


def test_pool_takes_as_many_rows_of_every_class_and_knows_the_rest(task):
    pool = few_shots.draw_pool(task, n_per_class=14, n_query=5)
    X, y = task.together
    assert y[pool.rows].bincount().tolist() == [14] * 4
    assert sorted([*pool.rows.tolist(), *pool.others.tolist()]) == list(range(160))
    assert torch.equal(pool.data[0], X[pool.rows])
    other = few_shots.draw_pool(task, n_per_class=14, n_query=5, split_seed=1)
    assert not torch.equal(other.rows, pool.rows)
    everything = few_shots.draw_pool(task, n_per_class=99, n_query=5)
    assert len(everything.rows) == 160
    assert len(everything.others) == 0


def test_views_are_named_by_their_crops_and_a_file_of_embeddings_has_none(pool):
    def views(rows, *, n_views, crop_scale):
        return len(rows), n_views, crop_scale

    source = SimpleNamespace(task="digits", views=views)
    options = {"n_views": 3, "crop_scale": [0.3, 1.0], "other_crop_scales": [[0.8, 1.0]]}
    drawn = few_shots.draw_views(source, pool, **options)
    assert drawn == {"crops 0.3 to 1": (56, 3, (0.3, 1.0)), "crops 0.8 to 1": (56, 3, (0.8, 1.0))}
    assert few_shots.draw_views(source, pool, **options | {"n_views": 0}) == {}
    assert few_shots.draw_views(SimpleNamespace(task="embeddings:a.npz", views=views), pool, **options) == {}


def test_small_classes_take_no_part(task):
    X, y = task.splits["train"]
    lonely = replace(task, splits={**task.splits, "train": (X[y != 3], y[y != 3])})
    pool = few_shots.draw_pool(lonely, n_per_class=30, n_query=21)
    assert pool.n_classes == 3
    assert pool.data[1].unique(return_counts=True)[1].min() == 30
    assert not (pool.rest[1] == 3).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_per_class": 5, "n_query": 5}, "n_per_class must be at least 6"),
        ({"n_per_class": 50, "n_query": 40}, "expected at least 2 classes with 41 rows each .* got 0"),
    ],
)
def test_a_bad_pool_is_refused(task, change, message):
    with pytest.raises(InputError, match=message):
        few_shots.draw_pool(task, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shots": ()}, "shots must name at least one"),
        ({"n_episodes": 2}, "n_episodes must be at least 4"),
        ({"views": {"crops": torch.zeros(3, 2, 40)}}, r"views must have shape \(56, n_views, 40\), got \(3, 2, 40\)"),
        ({"n_way": 9}, "n_way"),
        ({"fractions": (0.0, 0.5)}, r"fractions in \(0, 1\]"),
        ({"heads": ("logit",)}, "heads must be among ridge, logistic, got 'logit'; did you mean 'logistic'"),
        ({"masks": ("importnace",)}, "kind: expected one of .* did you mean 'importance'"),
    ],
)
def test_bad_arguments_are_refused(pool, change, message):
    with pytest.raises(InputError, match=message):
        few_shots.episodes(pool, **{**QUICK, **change})


def test_rank_correlation_is_spearmans_with_ties():
    draw = np.random.default_rng(0)
    a, b = draw.integers(0, 6, (5, 30)).astype(float), draw.integers(0, 6, (5, 30)).astype(float)
    ranks = (reasons.centred_ranks(torch.from_numpy(part)) for part in (a, b))
    found = reasons.correlation(*ranks)
    expected = [stats.spearmanr(*pair).statistic for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    constant = reasons.centred_ranks(torch.ones(1, 30))
    assert reasons.correlation(constant, constant).item() == 0.0


def test_overlap_counts_shared_dimensions():
    a, b = torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([[4.0, 1, 2, 3]])
    assert [reasons.overlap(a, b, k).item() for k in (1, 2, 4)] == [1.0, 0.5, 1.0]


def test_a_planted_confounder_is_found_by_theory_and_by_leaving_it_out(task):
    """Four columns of noise of high spread, the same for all classes, stand in the way of the distance."""
    draw = torch.Generator().manual_seed(0)

    def noisy(X):
        return torch.cat([X[:, :32], 10 * torch.randn(len(X), 4, generator=draw)], 1)

    planted = replace(task, splits={name: (noisy(X), y) for name, (X, y) in task.splits.items()})
    pool = few_shots.draw_pool(planted, n_per_class=40, n_query=5)
    options = {**QUICK, "n_episodes": 60, "more_shots": (), "ways": (), "shots": (1,), "heads": (), "masks": ()}
    table = few_shots.episodes(pool, **options)
    left_out = results.summarize(rows(table, method="left_out"), "label", metric="gain").set_index("label")
    assert left_out["mean"].idxmax() == names.CONFOUNDERS
    assert left_out.loc[names.CONFOUNDERS, "low"] > 0.02
    unhelpful = rows(table, method="theory")
    unhelpful = unhelpful[unhelpful["metric"].str.endswith("_share")].groupby("label")["value"].sum()
    assert unhelpful[names.CONFOUNDERS] > 0.5 > unhelpful["spread high, distance high"]


@pytest.mark.parametrize("pair_values", [1, 2**18])
def test_shares_of_pairs_equal_those_of_one_pair_at_a_time(pool, monkeypatch, pair_values):
    monkeypatch.setattr(reasons, "_PAIR_VALUES", pair_values)
    X, y = pool.data
    numbers = {"n_way": 3, "n_query": 5, "n_episodes": 4}
    draw = {
        n: draw_setting(EpisodeData(X, y, pool.rest, "pool"), n_shot=n, **numbers, seed=1, fractions=(1.0,))
        for n in (1, 5)
    }
    found = {n: pd.DataFrame(reasons.harm_rows(setting)) for n, setting in draw.items()}
    expected = shares_by_pairs(X.double().numpy(), y.numpy(), reasons._active(X).tolist(), n_shot=1)
    by_ninth = dict(zip(names.NINTHS, expected.values(), strict=True))
    shares = found[1][found[1]["method"] == "theory"].groupby("label")["value"].sum()
    assert dict(shares) == pytest.approx({ninth: values.mean() for ninth, values in by_ninth.items()})
    few = rows(found[1], metric="few_shot_share")
    assert set(few["n"]) == {len(expected[0, 0])} == {math.comb(len(y.unique()), 2)}
    # the control: with more shots other dimensions help
    assert not np.allclose(shares, found[5][found[5]["method"] == "theory"].groupby("label")["value"].sum())


def test_dimensions_that_hardly_vary_are_in_no_ninth():
    X = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    X[:, 27:] *= 1e-4
    assert reasons._active(X).tolist() == list(range(27))


def test_theory_agrees_with_simulation_and_its_table_with_itself():
    table = few_shots.theory(n_trials=4000, shots=(1, 20))
    errors = few_shots.theory_errors(table)
    assert errors["deviation"].abs().max() < 4.5
    assert (errors["approximated"] - errors["exact"]).abs().max() < 0.07
    wide = errors[errors["label"] == ""]
    mask, every = (wide[wide["method"] == name].set_index("n_shot")["exact"] for name in ("mask_theory", "mask_scaled"))
    assert (mask <= every + 0.01).all()  # 400 draws of prototypes
    assert mask[20] < every[20] - 0.005
    drawn = rows(few_shots.theory_rows(table), recipe="exact")
    assert set(drawn["n"]) == {4000, 400}
    single = drawn.iloc[0]
    assert single["standard_error"] == pytest.approx(single["sd"] / single["n"] ** 0.5)
    crossing = rows(table, metric="helps", label="distance 0.2, spread 1").set_index("n_shot")["value"]
    assert (crossing[20], crossing[100]) == (0.0, 1.0)


def test_bridge_puts_full_data_and_few_shots_side_by_side(task, table):
    ends = few_shots.figures.bridge.summary(table)
    assert set(ends["method"]) == {"random", "oracle_no_query"}
    assert set(ends["n_shot"].dropna()) == {1, 5}
    few = rows(ends, method="oracle_no_query", n_shot=5, fraction=0.2)["mean"].item()
    where = {"method": "oracle_no_query", "probe": names.BRIDGE_HEAD, "n_shot": 5, "fraction": 0.2, "metric": "gain"}
    assert few == pytest.approx(value(table, **where))
    full = ends[ends["n_shot"].isna()]
    assert set(full["n"]) == {2}
    options = {"fractions": (0.2,), "gap_fractions": ()}
    measured = rows(probes(task, methods=("random",), n_seeds=2, **options), metric="accuracy", probe=names.BRIDGE_HEAD)
    of = measured.groupby("method")["value"].mean()
    assert rows(full, fraction=0.2)["mean"].item() == pytest.approx(of["random"] - of["full"])


def test_without_subsets_the_bridge_has_one_end(pool):
    table = few_shots.episodes(pool, fractions=FRACTIONS, **QUICK)
    assert "test" not in set(table["split"])
    assert few_shots.figures.bridge.summary(table)["n_shot"].notna().all()


def test_two_classes_are_one_pair_without_an_interval(task):
    X, y = zip(*task.splits.values(), strict=True)
    two = {name: (a[b < 2], b[b < 2]) for name, a, b in zip(task.splits, X, y, strict=True)}
    pool = few_shots.draw_pool(replace(task, splits=two), n_per_class=14, n_query=5)
    options = QUICK | {"n_way": 2, "more_shots": (), "ways": (), "heads": ()}
    theory = rows(few_shots.episodes(pool, fractions=FRACTIONS, **options), method="theory")
    assert set(theory["n"]) == {1}
    assert theory["sd"].isna().all()


def test_gains_follow_the_axis(table):
    shots = few_shots.figures.gains_by_shots.summary(table)
    assert set(shots["method"]) == {"oracle_all", "importance", "scaled", "inverse_spread_floored"}
    assert sorted(shots.loc[shots["method"] == "oracle_all", "n_shot"]) == [1, 2, 8]
    ways = few_shots.figures.gains_by_ways.summary(table)
    assert sorted(ways.loc[ways["method"] == "oracle_all", "n_way"]) == [2, 3, 4]


def test_the_kept_episodes_are_those_that_were_measured(pool, table, tmp_path):
    kept = few_shots.drawn_episodes(pool, n_way=3, shots=[1, 5], n_query=5, n_episodes=12, seed=1)
    assert len(kept) == 2 * 12 * 3
    read = pd.read_csv(few_shots.write_episodes(kept, tmp_path / "few_shot.csv")).query("n_shot == 5")
    X, y = (part.numpy() for part in pool.features.together)
    correct = []
    for _, episode in read.groupby("episode"):
        places = {role: [np.array(text.split(), int) for text in episode[role]] for role in ("support", "query")}
        centres = np.stack([X[rows].mean(0) for rows in places["support"]])
        found = ((X[np.concatenate(places["query"])][:, None] - centres) ** 2).sum(-1).argmin(1)
        correct.append((found == np.repeat(np.arange(3), 5)).mean())
        assert [set(y[rows]) for rows in places["query"]] == [{label} for label in episode["label"]]
    where = {"method": "oracle_all", "probe": "centroid_euclidean", "n_shot": 5, "n_way": 3, "split": "pool"}
    assert value(table, **where, fraction=1.0, metric="accuracy") == pytest.approx(np.mean(correct))
    other = few_shots.drawn_episodes(pool, n_way=3, shots=[1, 5], n_query=5, n_episodes=12, seed=2)
    assert not other["query"].equals(kept["query"])


@pytest.mark.parametrize("n_features", [2, 3, 8])
def test_a_narrow_layer_has_the_ninths_that_hold_dimensions_and_no_empty_number(task, n_features):
    splits = {name: (X[:, :n_features], y) for name, (X, y) in task.splits.items()}
    narrow = few_shots.draw_pool(replace(task, splits=splits), n_per_class=14, n_query=5)
    table = few_shots.episodes(narrow, **QUICK)
    left_out = rows(table, method="left_out")
    assert left_out["value"].notna().all()
    assert left_out["label"].nunique() == n_features
    assert {claim.verdict for claim in few_shots.claims.all_claims(table)} <= {"holds", "fails", "undecided"}
