"""Which single dimensions hurt when they are kept (Takeshita et al. 2025), and whether other rows say the same."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from diffred_core import compression, intervals
from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.ledger import LEVEL, N_BOOT, Ledger
from diffred_core.chapters.embeddings.scene import Scene

CANDIDATES = 100  # by the full vectors, which are ranked anew without a dimension
SHOWN = 10


def effects(ledger: Ledger, scene: Scene) -> None:
    """Keep what leaving out each dimension does to the share of right rows among the first ten.

    Right is a row of the same class, or a relevant document. One half of the scored rows says which dimensions hurt,
    the other how much; the correlation of the two halves says whether there is anything to find.
    """
    right = _right(scene)
    if right is None:
        return
    scores, rows = compression.top_k(scene.scores[scene.similarity], min(CANDIDATES, len(scene.corpus)))
    per_query = _changes(scene, scores, rows, right.gather(1, rows))
    halves = {half: per_query[:, torch.from_numpy(places)].numpy() for half, places in ledger.halves.items()}
    means = {half: values.mean(1) for half, values in halves.items()}
    if min(values.std() for values in means.values()) == 0:
        return
    stability = stats.spearmanr(means[names.CHOICE], means[names.TEST])
    limits = _fisher(float(stability.statistic), scene.d)
    ledger.one({"method": names.FULL, "metric": names.STABILITY, "n": scene.d} | limits)
    hurting = np.argsort(-means[names.CHOICE], kind="stable")[: max(1, int((means[names.CHOICE] > 0).sum()))]
    together = intervals.cluster_bootstrap(halves[names.TEST][hurting].mean(0), n_boot=N_BOOT, level=LEVEL)
    row = {"method": names.FULL, "metric": names.DEGRADING, "n": len(hurting), "split": names.TEST}
    ledger.one(row | {"value": together.estimate, "low": together.low, "high": together.high})
    for j in hurting[:SHOWN]:
        one = intervals.cluster_bootstrap(halves[names.TEST][j], n_boot=N_BOOT, level=LEVEL)
        row = {"method": names.FULL, "metric": names.EFFECT, "label": f"dimension {j}", "split": names.TEST}
        ledger.one(row | {"value": one.estimate, "low": one.low, "high": one.high})


def _right(scene: Scene) -> Tensor | None:
    if scene.relevance is not None:
        return (scene.relevance > 0).float()
    if scene.y_corpus is None or scene.y_scored is None:
        return None
    return (scene.y_scored[:, None] == scene.y_corpus).float()


def _changes(scene: Scene, scores: Tensor, rows: Tensor, right: Tensor) -> Tensor:
    """Return the change of the share of right rows among the first ten without each dimension, (d, n_scored)."""
    cosine = scene.similarity == "cosine"
    Q, C = (compression.unit_rows(part) if cosine else part for part in (scene.scored, scene.corpus))
    first = right[:, : scene.neighbours].mean(1)
    changes = torch.empty(scene.d, len(Q))
    for j in range(scene.d):
        q, c = Q[:, j, None], C[:, j][rows]
        left = scores - q * c
        if cosine:  # the query's own length is one factor for all of its candidates
            left = left / (1 - c.square()).clamp_min(1e-12).sqrt()
        near = left.topk(scene.neighbours, dim=1).indices
        changes[j] = right.gather(1, near).mean(1) - first
    return changes


def _fisher(value: float, n: int) -> dict[str, float]:
    """Return a rank correlation with Fisher's interval."""
    reach = 1.96 / max(n - 3, 1) ** 0.5
    centre = np.arctanh(np.clip(value, -0.999999, 0.999999))
    return {"value": value, "low": float(np.tanh(centre - reach)), "high": float(np.tanh(centre + reach))}
