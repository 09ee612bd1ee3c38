"""What a search on fewer numbers keeps: neighbours, and with judgements the ranking, before and after rescoring."""

from __future__ import annotations

import time
from functools import partial

import torch
from torch import Tensor

from diffred_core import compression
from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.ledger import KeptSetting, Ledger
from diffred_core.chapters.embeddings.scene import Scene, similarities

RESCORED = 4  # times as many as are asked for are rescored by full vectors
CANDIDATES = 200  # rescored where there are judgements


def search(ledger: Ledger, scene: Scene, setting: KeptSetting, Q: Tensor, C: Tensor, *, kind: str) -> None:
    """Search the corpus in the numbers that a setting keeps, and keep what each query finds.

    Parameters
    ----------
    ledger : Ledger
    scene : Scene
    setting : KeptSetting
    Q, C : Tensor (n_scored, k), (n_corpus, k)
        Scored rows and corpus, as the setting keeps them.
    kind : {"cosine", "dot"}
    """
    depth = RESCORED * scene.neighbours if scene.relevance is None else max(CANDIDATES, RESCORED * scene.neighbours)
    started = time.perf_counter()
    rows = compression.top_k(similarities(Q, C, kind), min(depth, len(C)))[1]
    seconds = (time.perf_counter() - started) / len(Q) * 1000
    if kind == scene.similarity:
        ledger.one(setting.row() | {"metric": names.SEARCH, "value": seconds, "n": len(Q)})
    keep = partial(ledger.add, setting)
    full, limit = scene.scores[kind], neighbour_limit(scene, kind)
    recall = partial(compression.neighbour_recall, full, k=scene.neighbours, limit=limit)
    keep(names.RECALL[kind], recall(rows[:, : scene.neighbours]).numpy())
    keep(names.RESCORED[kind], recall(rows[:, : RESCORED * scene.neighbours]).numpy())
    if kind != scene.similarity:
        return
    if scene.y_corpus is not None and scene.y_scored is not None:
        near = scene.y_corpus[rows[:, : scene.neighbours]]
        votes = torch.nn.functional.one_hot(near, len(scene.classes)).sum(1)
        keep(names.ACCURACY, (votes.argmax(1) == scene.y_scored).numpy(), probe=names.KNN)
    if scene.relevance is not None:
        _rank(ledger, scene, setting, rows, full)


def neighbour_limit(scene: Scene, kind: str) -> Tensor:
    """Return the similarity of the last of the full vectors' neighbours, (n_scored, 1); made once."""
    if kind not in scene.limits:
        scene.limits[kind] = compression.top_k(scene.scores[kind], scene.neighbours)[0][:, -1:]
    return scene.limits[kind]


def _rank(ledger: Ledger, scene: Scene, setting: KeptSetting, rows: Tensor, full: Tensor) -> None:
    assert scene.relevance is not None
    best = scene.relevance.sort(dim=1, descending=True).values[:, :100]
    n_relevant = (scene.relevance > 0).sum(1)
    order = full.gather(1, rows).argsort(dim=1, descending=True)
    for ranked, metrics in (
        (rows, (names.NDCG, names.RECALL_100)),
        (rows.gather(1, order), (names.NDCG_RESCORED, names.RECALL_100_RESCORED)),
    ):
        gains = scene.relevance.gather(1, ranked)
        ledger.add(setting, metrics[0], compression.ndcg(gains, best).numpy())
        ledger.add(setting, metrics[1], compression.recall_at(gains, n_relevant).numpy())


def chance_of_search(scene: Scene, kind: str) -> dict[str, float]:
    """Return what a random ranking of the corpus gives, by metric."""
    m, k = len(scene.corpus), scene.neighbours
    chance = {names.RECALL[kind]: k / m, names.RESCORED[kind]: min(1.0, RESCORED * k / m)}
    if scene.relevance is not None and kind == scene.similarity:
        best = scene.relevance.sort(dim=1, descending=True).values[:, :100]
        even = (scene.relevance.double().mean(1, keepdim=True)).expand(-1, 10)
        chance |= {names.NDCG: float(compression.ndcg(even, best).mean()), names.RECALL_100: min(1.0, 100 / m)}
    return chance
