"""The report: every map at every size in every number format, measured in the order of importance."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from diffred_core import compression
from diffred_core.chapters.embeddings import dimensions, labels, names, product, search, structure
from diffred_core.chapters.embeddings.decision import chosen_row
from diffred_core.chapters.embeddings.ledger import Budget, KeptSetting, Ledger, Measure
from diffred_core.chapters.embeddings.scene import MOST_MAP, Scene, make_scene, similarities
from diffred_core.checks import check_choice
from diffred_core.errors import InputError
from diffred_core.results import as_table

EXPERIMENT = "embedding_report"
BY_IMPORTANCE = ("pca", "first", "random_subset", "importance", "pca_uncentred", "top_variance", "pca_whitened")
BY_IMPORTANCE += ("random_projection",)  # which is measured first, where the seconds do not suffice for all


@torch.no_grad()
def report(
    X: np.ndarray,
    y: np.ndarray | None = None,
    queries: np.ndarray | None = None,
    qrels: np.ndarray | None = None,
    *,
    classes: Sequence[str] | None = None,
    tolerance: float = 0.05,
    similarity: str = "cosine",
    neighbours: int = 10,
    seconds: float | None = None,
    seed: int = 0,
    task: str = "vectors",
    model: str = "vectors",
) -> pd.DataFrame:
    """Return what fewer dimensions and fewer bits keep of a set of vectors.

    Rows have one part each: maps and number formats are fitted on some, others are searched, and of the rows that ask
    one half makes the decision while the other is measured. Every value is of that other half, with a 95 % bootstrap
    interval over its rows; what chance gives stands beside it as method ``chance``.

    Parameters
    ----------
    X : ndarray (n_samples, n_features)
        Vectors, maybe memory-mapped: of many rows a random part is read.
    y : ndarray (n_samples,), optional
        Classes: adds ridge and nearest-neighbour probes, the worst class, k-means.
    queries : ndarray (n_queries, n_features), optional
    qrels : ndarray (n_judgements, 3) of int, optional
        Row of a query, row of X, relevance: adds nDCG@10 and recall@100, with and without rescoring.
    classes : sequence of str, optional
        Names of the classes.
    tolerance : float
        Share of the quality that may be lost. Quality is nDCG@10 with judgements, else the accuracy of a ridge probe
        with labels, else recall@10 of the nearest neighbours.
    similarity : {"cosine", "dot"}
        By which neighbours are near; the other one is measured last, in float32.
    neighbours : int
        How many.
    seconds : float, optional
        After which no further measure begins; the table says what was left out.
    seed : int
        Of the parts and of the random maps.
    task, model : str
        Names in the table.

    Returns
    -------
    DataFrame
        A results table. ``recipe`` is the number format; `metric` and `method` as `names` spells them.

    Raises
    ------
    InputError
        If the arrays do not fit each other, are not finite, or are too few.
    """
    check_choice(similarity, tuple(names.RECALL), "similarity must be one of {}")
    if not 0 <= tolerance < 1:
        raise InputError(f"expected a tolerance from 0 to below 1, got {tolerance}; 0.05 is a loss of 5 %")
    scene = make_scene(X, y, queries, qrels, classes=classes, neighbours=neighbours, similarity=similarity, seed=seed)
    shared = {"experiment": EXPERIMENT, "task": task, "model": model, "layer": "vectors", "n_features": scene.d}
    ledger = Ledger(scene.parts.halves, shared)
    _describe(ledger, scene)
    budget = Budget(seconds, ledger)
    quality = quality_of(scene)
    _measure_all(ledger, scene, budget, seed)
    full = KeptSetting(names.FULL, scene.d, names.FLOAT32)
    budget.close()
    shares = ledger.shares(quality, full, tolerance=tolerance)
    best = chosen_row(pd.DataFrame(shares), pd.DataFrame([r for r in ledger.single if r["metric"] == names.BYTES]))
    if scene.y_scored is not None:
        labels.class_changes(ledger, scene, KeptSetting(best["method"], int(best["n_selected"]), best["recipe"]), full)
    return as_table(ledger.rows() + [{**ledger.shared, **row} for row in shares])


def quality_of(scene: Scene) -> Measure:
    """Return the measure by which is decided."""
    if scene.relevance is not None:
        return names.NDCG, ""
    return (names.ACCURACY, names.RIDGE) if scene.y_scored is not None else (names.RECALL[scene.similarity], "")


def _describe(ledger: Ledger, scene: Scene) -> None:
    """Keep how many rows do what, the notes, and what chance gives."""
    halves = {half: len(places) for half, places in ledger.halves.items()}
    for part, n in {"fit": len(scene.fit), "corpus": len(scene.corpus), **halves}.items():
        ledger.one({"method": names.FULL, "metric": names.ROWS, "label": part, "value": float(n)})
    for note in scene.notes:
        ledger.note(note)
    chance = search.chance_of_search(scene, scene.similarity) | {names.SPEARMAN: 0.0, names.CKA: 0.0}
    for metric, value in chance.items():
        ledger.one({"method": names.CHANCE, "metric": metric, "value": value})
    if scene.y_scored is not None:
        for probe in (names.RIDGE, names.KNN):
            row = {"method": names.CHANCE, "metric": names.ACCURACY, "probe": probe}
            ledger.one(row | {"value": labels.chance_of_labels(scene)})


def _measure_all(ledger: Ledger, scene: Scene, budget: Budget, seed: int) -> None:
    maps, counts = kept_maps(ledger, scene, seed), product.code_counts(ledger, scene)
    with progress_bar(len(maps) * (len(compression.FORMATS) + 1) + len(counts) + 3) as bar:
        for method, reduction in maps.items():
            _measure_map(ledger, scene, budget, method, reduction, bar=bar)
        for n_codes in counts:
            if budget.allows("product quantisation", part=f"{n_codes} bytes"):
                _measure_product(ledger, scene, n_codes, seed)
            bar.update()
        for method, reduction in maps.items():
            if budget.allows("rank correlation, CKA and clusters"):
                _measure_structure(ledger, scene, method, reduction)
            bar.update()
        if scene.y_scored is not None:
            labels.worst_classes(ledger, scene)
        if budget.allows("the question of prefixes"):
            structure.prefixes(ledger, scene)
        bar.update()
        if budget.allows("single dimensions"):
            dimensions.effects(ledger, scene)
        bar.update()
        if budget.allows("the other similarity"):
            _other_similarity(ledger, scene, maps)
        bar.update()


def kept_maps(ledger: Ledger, scene: Scene, seed: int) -> dict[str, compression.Reduction]:
    """Return the maps by method, the identity first; a map of too many numbers is left out, and noted."""
    kinds = [kind for kind in BY_IMPORTANCE if kind != "importance" or scene.y_fit is not None]
    if scene.sizes[0] * scene.d > MOST_MAP:
        ledger.note(f"No random projection: its matrix of {scene.d} x {scene.sizes[0]} numbers is too large.")
        kinds.remove("random_projection")
    if scene.y_fit is not None and int((scene.y_fit.bincount() > 1).sum()) < 2:
        ledger.note("No importance: fewer than two classes have two rows to fit on.")
        kinds.remove("importance")
    maps = compression.fit_reductions(scene.fit, scene.y_fit, kinds=kinds, most=scene.sizes[0], seed=seed)
    return {names.FULL: compression.Reduction(names.FULL, scene.d)} | maps


def settings_of(scene: Scene, method: str, reduction: compression.Reduction, code: str) -> list[KeptSetting]:
    """Return the settings of one map in one format, widest first."""
    sizes = [scene.d] if method == names.FULL else [k for k in scene.sizes if k <= reduction.n_selected]
    return [KeptSetting(method, k, code) for k in sizes]


def _measure_map(
    ledger: Ledger, scene: Scene, budget: Budget, method: str, reduction: compression.Reduction, *, bar: tqdm
) -> None:
    """Measure one map in every number format; the full vectors always, for all is held against them."""
    F, Q, C = (reduction.apply(part) for part in (scene.fit, scene.scored, scene.corpus))
    for name in compression.FORMATS:
        settings = settings_of(scene, method, reduction, name)
        always = (method, name) == (names.FULL, names.FLOAT32)
        part = names.FORMAT_WORDS[name]
        if settings and (always or budget.allows(names.METHOD_WORDS[method], part=part)):
            code = compression.fit_code(name, F)
            for setting in settings:
                size = float(code.n_bytes(setting.n_selected))
                ledger.one(setting.row() | {"metric": names.BYTES, "value": size})
            _measure_format(ledger, scene, settings, *(code.round_trip(part) for part in (F, Q, C)))
        bar.update()


def _measure_product(ledger: Ledger, scene: Scene, n_codes: int, seed: int) -> None:
    code = product.fit_product(scene.fit, n_codes=n_codes, seed=seed)
    setting = KeptSetting(names.PRODUCT, scene.d, names.product_format(n_codes))
    ledger.one(setting.row() | {"metric": names.BYTES, "value": float(n_codes)})
    F = scene.fit if scene.y_fit is None else code.round_trip(scene.fit)  # read by probes only
    _measure_format(ledger, scene, [setting], F, *(code.round_trip(part) for part in (scene.scored, scene.corpus)))


def _measure_format(ledger: Ledger, scene: Scene, settings: list[KeptSetting], F: Tensor, Q: Tensor, C: Tensor) -> None:
    for setting in settings:
        k = setting.n_selected
        search.search(ledger, scene, setting, Q[:, :k], C[:, :k], kind=scene.similarity)
    if scene.y_fit is not None and scene.y_scored is not None:
        widest = settings[0].n_selected
        labels.ridge(ledger, scene, settings, F[:, :widest], Q[:, :widest])


def _measure_structure(ledger: Ledger, scene: Scene, method: str, reduction: compression.Reduction) -> None:
    Q, C = reduction.apply(scene.scored), reduction.apply(scene.corpus[: structure.RANKED])
    clustered = scene.y_scored is not None and len(scene.classes) <= len(scene.scored) // 5
    for setting in settings_of(scene, method, reduction, names.FLOAT32):
        k = setting.n_selected
        structure.order_of_similarities(ledger, scene, setting, Q[:, :k], C[:, :k])
        structure.likeness(ledger, scene, setting, Q[:, :k], None if reduction.kept is None else reduction.kept[:k])
        if clustered:
            labels.clusters(ledger, scene, setting, Q[:, :k])


def _other_similarity(ledger: Ledger, scene: Scene, maps: dict[str, compression.Reduction]) -> None:
    (other,) = set(names.RECALL) - {scene.similarity}
    scene.scores[other] = similarities(scene.scored, scene.corpus, other)
    for method, reduction in maps.items():
        Q, C = reduction.apply(scene.scored), reduction.apply(scene.corpus)
        for setting in settings_of(scene, method, reduction, names.FLOAT32):
            search.search(ledger, scene, setting, Q[:, : setting.n_selected], C[:, : setting.n_selected], kind=other)
    for metric, value in search.chance_of_search(scene, other).items():
        ledger.one({"method": names.CHANCE, "metric": metric, "value": value})


@contextlib.contextmanager
def progress_bar(total: int) -> Iterator[tqdm]:
    """Show a bar on the terminal that a command has told its kernel of, and nowhere else."""
    terminal = os.environ.get("DIFFRED_TERMINAL", "")
    hidden = terminal in ("", "-")
    with (
        contextlib.nullcontext(sys.stderr) if hidden else open(terminal, "w", encoding="utf-8") as file,
        tqdm(total=total, desc="embeddings", unit="step", file=file, leave=False, disable=hidden) as bar,
    ):
        yield bar
