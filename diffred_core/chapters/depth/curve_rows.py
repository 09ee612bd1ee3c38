"""Rows from accuracy by layer: the accuracies themselves, and what is read off all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffred_core import tunnel
from diffred_core.chapters.depth.curves import LayerCurve, Layers, Reading
from diffred_core.chapters.depth.names import IN_DISTRIBUTION, TUNNEL_STARTS
from diffred_core.results.rows import Row

Measure = Callable[[Reading, Reading], np.ndarray]


def accuracy_rows(curve: LayerCurve, layers: Layers, *, probe: str) -> Iterator[Row]:
    """Yield the accuracy of every layer with its limits, in execution order."""
    for i, (name, of) in enumerate(layers.items()):
        fit = dict(curve.fits[i])
        edge = fit.pop("at_edge", None)
        shared = _shared(curve, probe) | {"layer": name, "n_features": of.n_features} | fit
        limits = {} if curve.resampled is None else curve.limits(curve.resampled.accuracy[:, i])
        yield shared | {"metric": "accuracy", "value": curve.measured.accuracy[i]} | limits
        yield shared | {"metric": "accuracy_validation", "value": curve.measured.validation[i]}
        if edge is not None:
            yield shared | {"metric": "l2_at_edge", "value": edge}


def tunnel_rows(curve: LayerCurve, inside: LayerCurve, layers: Layers, *, probe: str) -> Iterator[Row]:
    """Yield what one curve says of the tunnel: of all layers, and so in the row of the last one.

    A start of the tunnel is counted from 1; there is no row where the rule finds none.
    """
    name, last = list(layers.items())[-1]
    shared = _shared(curve, probe) | {"layer": name, "n_features": last.n_features}
    for metric, measure in _measures(curve, inside).items():
        value = measure(curve.measured, inside.measured)
        if np.isfinite(value):
            yield shared | {"metric": metric, "value": float(value)} | _limits(curve, inside, measure)
    yield shared | {"metric": "best_layer", "value": int(curve.measured.best) + 1}
    if curve.method != IN_DISTRIBUTION and (start := tunnel.revised_tunnel_start(curve.measured.accuracy)) is not None:
        yield shared | {"metric": "tunnel_start_revised", "value": start + 1}


def _limits(curve: LayerCurve, inside: LayerCurve, measure: Measure) -> Row:
    if curve.resampled is None or inside.resampled is None:
        return {}
    draws = measure(curve.resampled, inside.resampled)
    return curve.limits(draws[np.isfinite(draws)])


def _measures(curve: LayerCurve, inside: LayerCurve) -> dict[str, Measure]:
    """Return functions of what is read of `curve` and of `inside`, each of layers (..., n_layers), giving (...)."""
    measures: dict[str, Measure] = {
        "percent_retained": lambda own, _: tunnel.percent_retained(own.accuracy).numpy(),
        "percent_retained_held_out": lambda own, _: _held_out(own),
        "best_layer_gain": lambda own, _: own.chosen - own.last,
    }
    if curve.method == IN_DISTRIBUTION:
        return measures | {metric: _start(share) for metric, share in TUNNEL_STARTS.items()}
    return measures | {
        "id_ood_correlation": lambda own, within: tunnel.id_ood_correlation(within.accuracy, own.accuracy).numpy(),
        # what the last layers cost here beyond what they cost on the task itself: a tunnel is below 0
        "retained_beyond_id": lambda own, within: _held_out(own) - _held_out(within),
        "alignment": lambda own, within: tunnel.alignment(
            within.last, own.last, id_classes=inside.n_classes, ood_classes=curve.n_classes
        ).numpy(),
    }


def _start(share: float) -> Measure:
    """Return `tunnel.tunnel_start` of many curves at once, counted from 1."""
    return lambda own, _: (own.accuracy >= share * own.accuracy[..., -1:]).argmax(-1) + 1


def _held_out(of: Reading) -> np.ndarray:
    """Return the percentage retained of the layer that validation rows choose; it may be worse than the last."""
    return 100 * of.last / np.maximum(of.chosen, 1e-12)


def _shared(curve: LayerCurve, probe: str) -> Row:
    """Return the columns that all rows of a curve share."""
    return {"method": curve.method, "task": curve.task, "n_way": curve.n_classes, "probe": probe}
