"""Rows from accuracy by layer: the accuracies themselves, and what is read off all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffred_core import tunnel
from diffred_core.chapters.depth.curves import IN_DISTRIBUTION, LayerCurve, Layers, Reading
from diffred_core.results.rows import Row

SHARES = (0.95, 0.98)  # of the final ID accuracy, by which the original rule finds the tunnel (Masarczyk et al. 2023)
Measure = Callable[[Reading, Reading], np.ndarray]


def accuracy_rows(curve: LayerCurve, layers: Layers, *, probe: str) -> Iterator[Row]:
    """Yield the accuracy of every layer with its limits, in execution order."""
    low, high = curve.interval(curve.draws)
    for i, (name, of) in enumerate(layers.items()):
        fit = dict(curve.fits[i])
        edge = fit.pop("at_edge", None)
        who = who_of(curve, probe) | {"layer": name, "n_features": of.n_features} | fit
        values = {"accuracy": float(curve.accuracy[i]), "accuracy_low": low[i], "accuracy_high": high[i]}
        values |= {"accuracy_validation": float(curve.validation[i])} | ({} if edge is None else {"l2_at_edge": edge})
        yield from (who | {"metric": metric, "value": float(value)} for metric, value in values.items())


def tunnel_rows(curve: LayerCurve, inside: LayerCurve, layers: Layers, *, probe: str) -> Iterator[Row]:
    """Yield what one curve says of the tunnel: of all layers, and so in the row of the last one.

    A start of the tunnel is counted from 1; there is no row where the rule finds none.
    """
    who = who_of(curve, probe) | {"layer": list(layers)[-1], "n_features": list(layers.values())[-1].n_features}
    for metric, measure in _measures(curve, inside).items():
        value = measure(curve.reading, inside.reading)
        draws = measure(curve.readings, inside.readings)
        if np.isfinite(value):
            low, high = curve.interval(draws[np.isfinite(draws)])
            for name, number in ((metric, value), (f"{metric}_low", low), (f"{metric}_high", high)):
                yield who | {"metric": name, "value": float(number)}
    yield who | {"metric": "best_layer", "value": curve.best + 1}
    if curve.method != IN_DISTRIBUTION and (start := tunnel.revised_tunnel_start(curve.accuracy)) is not None:
        yield who | {"metric": "tunnel_start_revised", "value": start + 1}
    if curve.method == IN_DISTRIBUTION:
        for share in SHARES:
            yield from (who | row for row in _start_rows(curve, share))


def _start_rows(curve: LayerCurve, share: float) -> Iterator[Row]:
    draws = np.array([tunnel.tunnel_start(draw, share=share) + 1 for draw in curve.draws])
    low, high = curve.interval(draws)
    values = {"": tunnel.tunnel_start(curve.accuracy, share=share) + 1, "_low": low, "_high": high}
    yield from ({"metric": f"tunnel_start_{100 * share:g}{end}", "value": float(v)} for end, v in values.items())


def _measures(curve: LayerCurve, inside: LayerCurve) -> dict[str, Measure]:
    """Return functions of what is read of `curve` and of `inside`, each of layers (..., n_layers), giving (...)."""
    measures: dict[str, Measure] = {
        "percent_retained": lambda own, _: tunnel.percent_retained(own.accuracy).numpy(),
        "percent_retained_held_out": lambda own, _: _held_out(own),
        "best_layer_gain": lambda own, _: own.chosen - own.last,
    }
    if curve.method != IN_DISTRIBUTION:
        measures["id_ood_correlation"] = lambda own, within: tunnel.id_ood_correlation(
            within.accuracy, own.accuracy
        ).numpy()
        # what the last layers cost here beyond what they cost on the task itself: a tunnel is below 0
        measures["retained_beyond_id"] = lambda own, within: _held_out(own) - _held_out(within)
        measures["alignment"] = lambda own, within: tunnel.alignment(
            within.last, own.last, id_classes=inside.n_classes, ood_classes=curve.n_classes
        ).numpy()
    return measures


def _held_out(of: Reading) -> np.ndarray:
    """Return the percentage retained of the layer that validation rows choose; it may be worse than the last."""
    return 100 * of.last / np.maximum(of.chosen, 1e-12)


def who_of(curve: LayerCurve, probe: str) -> Row:
    """Return the columns that all rows of a curve share."""
    return {"method": curve.method, "task": curve.task, "probe": probe}
