"""What is left of classes: ridge probes at every size of a map, the worst class, clusters, and who loses most."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diffred_core import intervals, linear_probe, moments
from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.ledger import LEVEL, N_BOOT, KeptSetting, Ledger
from diffred_core.chapters.embeddings.scene import Scene

STRENGTHS = (1e-4, 1e-2, 1.0)  # of the penalty, in mean variances; the best on a fifth of the fitted rows
FEWEST_IN_CLASS = 5  # scored rows below which a class has no accuracy of its own


def ridge(ledger: Ledger, scene: Scene, settings: Sequence[KeptSetting], F: Tensor, Q: Tensor) -> None:
    """Probe every size of one map in one number format, and keep which scored rows are right.

    Parameters
    ----------
    ledger : Ledger
    scene : Scene
        With labels.
    settings : sequence of KeptSetting
        Of one method and format; their sizes are prefixes of the columns.
    F, Q : Tensor (n_fit, k), (n_scored, k)
        Rows to fit on and scored rows, as the widest setting keeps them.
    """
    assert scene.y_fit is not None
    assert scene.y_scored is not None
    n_train = len(F) - len(F) // 5
    sizes, rows = [setting.n_selected for setting in settings], torch.cat([F[n_train:], Q])
    predict = _predictions if F.shape[1] <= len(F) else _wide_predictions
    predicted = predict(F[:n_train], scene.y_fit[:n_train], rows, sizes=sizes, n_classes=len(scene.classes))
    n_held = len(F) - n_train
    held = (predicted[..., :n_held] == scene.y_fit[n_train:]).double().mean(2)
    right = predicted[..., n_held:] == scene.y_scored
    for i, setting in enumerate(settings):
        ledger.add(setting, names.ACCURACY, right[held[:, i].argmax(), i].numpy(), probe=names.RIDGE)


def _predictions(F: Tensor, y: Tensor, rows: Tensor, *, sizes: list[int], n_classes: int) -> Tensor:
    """Return the classes of `rows` by a probe of every strength and size, (n_strengths, n_sizes, n_rows)."""
    stats = moments.from_features(F, y, n_classes=n_classes, quartic=False)
    scale = max(float(stats.gram.diagonal().mean()) / len(F), 1e-12)
    l2 = [scale * strength for strength in STRENGTHS]
    return linear_probe.ridge_curve_predictions(stats, rows, order=torch.arange(F.shape[1]), sizes=sizes, l2=l2)


def _wide_predictions(F: Tensor, y: Tensor, rows: Tensor, *, sizes: list[int], n_classes: int) -> Tensor:
    """Return `_predictions` where dimensions outnumber rows: by products of rows, size by size."""
    scale = max(float(F.var(0, correction=0).mean()), 1e-12)
    l2 = [scale * strength for strength in STRENGTHS]
    probes = (linear_probe.fit_ridge_rows(F[:, :k], y, l2=l2, n_classes=n_classes) for k in sizes)
    return torch.stack([probe.predict(rows[:, :k]) for probe, k in zip(probes, sizes, strict=True)], dim=1)


def worst_classes(ledger: Ledger, scene: Scene) -> None:
    """Keep the accuracy of the worst class of every setting: which it is says one half, how bad the other."""
    assert scene.y_scored is not None
    y = scene.y_scored.numpy()
    choose, test = (ledger.halves[half] for half in (names.CHOICE, names.TEST))
    measurable = _often(y[choose], len(scene.classes)) & _often(y[test], len(scene.classes))
    if not measurable.any():
        ledger.note(f"No class has {FEWEST_IN_CLASS} scored rows in either half: no worst class, no losers.")
        return
    for setting, right in ledger.values.get((names.ACCURACY, names.RIDGE), {}).items():
        by_class = np.bincount(y[choose], right[choose], len(measurable)) / np.maximum(
            _counts(y[choose], measurable), 1
        )
        worst = int(np.where(measurable, by_class, np.inf).argmin())
        hits = right[test][y[test] == worst]
        ledger.one(setting.row() | _mean_row(names.WORST, hits, scene.classes[worst]))


def class_changes(ledger: Ledger, scene: Scene, setting: KeptSetting, full: KeptSetting) -> None:
    """Keep the change of accuracy of every class from the full vectors to one setting, on the same rows."""
    assert scene.y_scored is not None
    of_ridge = ledger.values.get((names.ACCURACY, names.RIDGE), {})
    if setting not in of_ridge or full not in of_ridge or setting == full:
        return
    test = ledger.halves[names.TEST]
    y, change = scene.y_scored.numpy()[test], (of_ridge[setting] - of_ridge[full])[test]
    for c in _often(y, len(scene.classes)).nonzero()[0]:
        ledger.one(setting.row() | _mean_row(names.CLASS_CHANGE, change[y == c], scene.classes[c]))


def _mean_row(metric: str, values: np.ndarray, label: str) -> dict[str, object]:
    interval = intervals.cluster_bootstrap(values, n_boot=N_BOOT, level=LEVEL)
    row = {"metric": metric, "label": label, "split": names.TEST, "probe": names.RIDGE, "n": len(values)}
    return row | {"value": interval.estimate, "low": interval.low, "high": interval.high}


def _counts(y: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.bincount(y, minlength=len(like))


def _often(y: np.ndarray, n_classes: int) -> np.ndarray:
    often: np.ndarray = np.bincount(y, minlength=n_classes) >= FEWEST_IN_CLASS
    return often


def clusters(ledger: Ledger, scene: Scene, setting: KeptSetting, Q: Tensor) -> None:
    """Cluster the scored rows of one setting by k-means with as many clusters as classes, and keep the V-measure."""
    from sklearn.cluster import KMeans

    assert scene.y_scored is not None
    y = np.unique(scene.y_scored.numpy(), return_inverse=True)[1]
    n_classes = int(y.max()) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct rows than clusters: then there are fewer clusters
        assigned = KMeans(n_classes, n_init=1, random_state=0).fit_predict(Q.numpy())
    table = np.bincount(y * n_classes + assigned, minlength=n_classes**2).astype(float)
    drawn = np.random.default_rng(0).multinomial(len(y), table / len(y), size=200).astype(float)
    low, high = np.quantile(v_measure(drawn.reshape(-1, n_classes, n_classes)), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    value = float(v_measure(table.reshape(1, n_classes, n_classes))[0])
    row = {"metric": names.V_MEASURE, "value": value, "low": min(low, value), "high": max(high, value), "n": len(y)}
    ledger.one(setting.row() | row)
    if setting.method == names.FULL:
        shuffled = np.random.default_rng(1).permutation(y)
        even = np.bincount(shuffled * n_classes + assigned, minlength=n_classes**2).reshape(1, n_classes, n_classes)
        ledger.one(
            {"method": names.CHANCE, "metric": names.V_MEASURE, "value": float(v_measure(even.astype(float))[0])}
        )


def v_measure(tables: np.ndarray) -> np.ndarray:
    """Return the V-measure of tables of counts, classes by clusters (Rosenberg and Hirschberg 2007).

    It is the mutual information over the mean of the two entropies.

    Parameters
    ----------
    tables : ndarray (n_tables, n_classes, n_clusters)

    Returns
    -------
    ndarray (n_tables,)
        1 for tables without entropy.
    """
    shares = tables / tables.sum((1, 2), keepdims=True)
    joint, classes, parts = (_entropy(s) for s in (shares.reshape(len(shares), -1), shares.sum(2), shares.sum(1)))
    total = classes + parts
    value: np.ndarray = np.where(total > 0, 2 * (total - joint) / np.where(total > 0, total, 1), 1.0)
    return value


def _entropy(shares: np.ndarray) -> np.ndarray:
    entropy: np.ndarray = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    return entropy


def chance_of_labels(scene: Scene) -> float:
    """Return the share of the scored rows that have the commonest class of the fitted rows."""
    assert scene.y_fit is not None
    assert scene.y_scored is not None
    return float((scene.y_scored == scene.y_fit.mode().values).double().mean())
