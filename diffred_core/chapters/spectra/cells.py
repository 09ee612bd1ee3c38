"""What the tables of several analyses say of one layer of a network on a task, side by side: measures, and redundancy.

Measures are those of training rows. Accuracy and diffused redundancy are those of the test rows, by the probe of the
headline; of every layer, by ridge probes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diffred_core.chapters.random_subsets.names import ACCURACY, CKA, FIRST, FULL, HEADLINE, RANDOM, WHOLE
from diffred_core.chapters.random_subsets.reading import at_shares
from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.reading import MEASURES, WORDS
from diffred_core.results import where
from diffred_core.results.rows import KEYS

Tables = Mapping[str, pd.DataFrame]
PROBES, SIMILARITY = "subset_probes", "subset_similarity"
ANALYSES = (names.EXPERIMENT, PROBES, SIMILARITY, names.LAYERS)  # whose tables are read, as far as there are some
TARGETS = (names.PART_ACCURACY, names.REDUNDANCY, names.FULL_ACCURACY)
OF_CELL = [*KEYS, "layer"]
# of test rows, of another domain, or of the network itself, which kept tables lack
_NO_PREDICTORS = {names.ACCURACY, names.FLIPS, names.DISTANCE, names.WARM_START, names.COMPLEXITY}
PREDICTORS = tuple(metric for metric in WORDS if metric not in _NO_PREDICTORS)
OF_EVERY_LAYER = ("numerical_rank", "stable_rank", "rankme", "class_separation", "nc1", "nc2", "nc3", "nc4")
LOGARITHMIC = {  # counts and ratios, of which a fit takes the logarithm
    *(names.CDNV, names.NC1, names.GRADIENT_LEFT, names.PROBE_COMPLEXITY, names.WIDTH),
    *(names.RANK_OF_SPAN, names.NUMERICAL_RANK, names.STABLE_RANK, names.RANKME),
}


@dataclass(frozen=True)
class Scope:
    """What is measured to predict: the layers, and the share of their features that measures are taken of.

    Attributes
    ----------
    layer : str
        ``penultimate``, or ``every layer``.
    share : float
        1 for whole layers; else measures are means over random parts of this share.
    target_share : float
        Share of the dimensions whose accuracy is to be predicted.
    """

    layer: str
    share: float
    target_share: float


SCOPES = (
    Scope(names.PENULTIMATE, 1.0, names.FRACTION),
    Scope(names.PENULTIMATE, names.FRACTION, names.FRACTION),
    Scope(names.PENULTIMATE, 0.05, 0.05),
    Scope(names.PENULTIMATE, 0.5, 0.5),
    Scope(names.EVERY_LAYER, 1.0, names.FRACTION),
)


def cells_of(tables: Tables, scope: Scope) -> pd.DataFrame:
    """Return a row a cell: what it is of, the three `TARGETS`, then its measures.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those of `ANALYSES` that there are.
    scope : Scope

    Returns
    -------
    DataFrame
        Columns task, model, layer, part_accuracy, diffused_redundancy, full_accuracy, and one a measure; NaN where a
        cell lacks it. Cells without a target are left out; no row where the tables are not there.
    """
    of_scope = _of_every_layer(tables) if scope.layer == names.EVERY_LAYER else _of_last_layer(tables, scope)
    if of_scope is None:
        return pd.DataFrame(columns=[*OF_CELL, *TARGETS])
    cells = of_scope.dropna(subset=list(TARGETS)).dropna(axis=1, how="all").reset_index()
    measures = [name for name in cells if name not in (*OF_CELL, *TARGETS)]
    return cells[[*OF_CELL, *TARGETS, *measures]].rename_axis(columns=None)


def measures_of(cells: pd.DataFrame) -> list[str]:
    """Return the measures of `cells` that vary and that at least three quarters of them have, in their usual order."""
    there = [name for name in cells if name not in (*OF_CELL, *TARGETS)]
    kept = [m for m in there if cells[m].notna().mean() >= 0.75 and cells[m].nunique() > 1]
    return sorted(kept, key=list(MEASURES).index)


def as_predictor(cells: pd.DataFrame, measure: str) -> np.ndarray:
    """Return a measure (n_cells,) as a linear fit takes it: the logarithm of counts and ratios."""
    values: np.ndarray = cells[measure].to_numpy(float)
    if measure in LOGARITHMIC:
        values = np.log(values.clip(1e-9))
    return values


def _of_last_layer(tables: Tables, scope: Scope) -> pd.DataFrame | None:
    if names.EXPERIMENT not in tables or PROBES not in tables:
        return None
    probes = where(tables[PROBES], probe=HEADLINE)
    drawn, spectra = where(probes, method=RANDOM), tables[names.EXPERIMENT]
    measured = where(spectra, metric=PREDICTORS, method=names.RANDOM)
    parts = {
        names.PART_ACCURACY: _means(at_shares(where(drawn, metric=ACCURACY), [scope.target_share])),
        names.REDUNDANCY: _means(where(drawn, metric=FIRST, delta=names.DELTA).dropna(subset="repeat")),
        names.FULL_ACCURACY: _means(where(probes, method=FULL, metric=ACCURACY)),
        names.WIDTH: spectra.groupby(KEYS)["n_features"].first().astype(float),
    }
    if SIMILARITY in tables and scope.share < 1:
        alike = where(tables[SIMILARITY], method=WHOLE, metric=CKA)
        parts[names.SIMILARITY] = _means(at_shares(alike, [scope.share]))
    wide = at_shares(measured, [scope.share]).pivot_table(index=KEYS, columns="metric", values="value")
    wide = wide.join(pd.DataFrame(parts), how="inner")
    return wide.assign(layer=names.PENULTIMATE).set_index("layer", append=True)


def _of_every_layer(tables: Tables) -> pd.DataFrame | None:
    if names.LAYERS not in tables:
        return None
    layers = tables[names.LAYERS]
    shapes = where(layers, method="full", split="train", metric=OF_EVERY_LAYER)
    shapes = shapes[shapes["recipe"].isna() | (shapes["recipe"] == names.CONVENTION)]
    wide = shapes.pivot_table(index=OF_CELL, columns="metric", values="value")
    full = where(layers, method="in_distribution", metric="accuracy", probe="ridge").groupby(OF_CELL)["value"].mean()
    kept = where(layers, method="random", metric="accuracy_kept").groupby(OF_CELL)["value"].mean()
    redundancy = where(layers, method="random", metric="diffused_redundancy", delta=names.DELTA)
    return wide.assign(
        **{
            names.PART_ACCURACY: kept * full,
            names.REDUNDANCY: redundancy.groupby(OF_CELL)["value"].mean(),
            names.FULL_ACCURACY: full,
            names.WIDTH: where(layers, method="full").groupby(OF_CELL)["n_features"].first().astype(float),
        }
    )


def _means(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby(KEYS)["value"].mean().astype(float)
