"""How like the full vectors the kept numbers are as a whole: similarities in their order, and CKA with its floor."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from diffred_core import cka, compression, intervals, moments
from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.ledger import KeptSetting, Ledger
from diffred_core.chapters.embeddings.scene import Scene, similarities
from diffred_core.errors import InputError

RANKED = 500  # rows of the corpus whose similarities are put in order
BLOCKS = 10  # of the jackknife
MOST_NULL = 4096  # dimensions up to which the floor of a subset is computed


def order_of_similarities(ledger: Ledger, scene: Scene, setting: KeptSetting, Q: Tensor, C: Tensor) -> None:
    """Keep the rank correlation of full and kept similarities to 500 rows of the corpus, for every scored row."""
    kept = similarities(Q, C[:RANKED], scene.similarity)
    values = compression.rank_correlation(scene.scores[scene.similarity][:, :RANKED], kept)
    ledger.add(setting, names.SPEARMAN, values.numpy())


def likeness(ledger: Ledger, scene: Scene, setting: KeptSetting, Q: Tensor, kept: Tensor | None) -> None:
    """Keep the debiased CKA of full and kept vectors of the tested rows, with a jackknife over blocks of rows.

    Parameters
    ----------
    ledger : Ledger
    scene : Scene
    setting : KeptSetting
    Q : Tensor (n_scored, k)
    kept : LongTensor (k,) or None
        Dimensions, of a map that keeps some: inclusion alone gives a floor (`cka.diagonal_null`); of others it is 0.
    """
    test = torch.from_numpy(ledger.halves[names.TEST])
    K, L = (_kernel(rows[test]) for rows in (scene.scored, Q))
    try:
        value = cka.kernel_cka(K, L)
        folds = torch.arange(len(test)) % BLOCKS
        without = [_without(K, L, folds != block) for block in range(BLOCKS)]
    except InputError:  # kept numbers that do not vary: 0/0
        return
    interval = intervals.t_interval(value, float(intervals.jackknife_error(without)), degrees=BLOCKS - 1)
    limits = {"low": interval.low, "high": interval.high, "n": len(test), "split": names.TEST}
    ledger.one(setting.row() | {"metric": names.CKA, "value": value} | limits)
    if kept is not None and scene.d <= MOST_NULL:
        mask = torch.zeros(1, scene.d, dtype=torch.float64)
        mask[0, kept] = 1
        stats = moments.from_features(scene.scored[test], quartic=False)
        ledger.one(setting.row() | {"metric": names.FLOOR, "value": float(cka.diagonal_null(stats, mask)[0])})


def _kernel(rows: Tensor) -> Tensor:
    centred = rows.double() - rows.double().mean(0)
    return centred @ centred.T


def _without(K: Tensor, L: Tensor, rows: Tensor) -> float:
    return cka.kernel_cka(K[rows][:, rows], L[rows][:, rows])


def prefixes(ledger: Ledger, scene: Scene, *, n_draws: int = 20, n_queries: int = 300) -> None:
    """Hold the first k dimensions against random k: a model trained for prefixes lies above all of them."""
    queries, full = scene.scored[:n_queries], scene.scores[scene.similarity][:n_queries]
    limit = compression.top_k(full, scene.neighbours)[0][:, -1:]
    for k in scene.sizes:
        drawn = []
        for draw in range(-1, n_draws):
            order = torch.randperm(scene.d, generator=torch.Generator().manual_seed(1000 + draw))
            kept = torch.arange(k) if draw < 0 else order[:k]
            near = similarities(queries[:, kept], scene.corpus[:, kept], scene.similarity)
            rows = compression.top_k(near, scene.neighbours)[1]
            drawn.append(float(compression.neighbour_recall(full, rows, k=scene.neighbours, limit=limit).mean()))
            setting = KeptSetting(names.FIRST if draw < 0 else names.RANDOM, k, names.FLOAT32)
            named = {"metric": names.RECALL[scene.similarity], "split": names.DRAWS, "value": drawn[-1]}
            ledger.one(setting.row() | named | {"n": len(queries)} | ({} if draw < 0 else {"repeat": draw}))
        above = 1 + int(np.sum(np.array(drawn[1:]) >= drawn[0]))
        share = {"metric": names.PREFIX, "value": above / (n_draws + 1), "n": n_draws}
        ledger.one(KeptSetting(names.FIRST, k, names.FLOAT32).row() | share)
