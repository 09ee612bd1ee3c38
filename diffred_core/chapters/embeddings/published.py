"""The published scores of compressed embeddings at equal bytes: what each way to compress keeps of the full score.

CoRECT (2510.19340) measured four encoders on retrieval, at widths from the first 24 dimensions to all, in 13 number
formats, with principal components, product quantisation and LSH. Sets of queries are resampled, all ways alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diffred_core.chapters.embeddings.names_published import (
    AT_MEDIAN,
    AT_ZERO,
    BYTES,
    DIFFERENCE,
    DIMENSIONS,
    EIGHT_BITS,
    FULL,
    KEPT,
    LSH,
    PCA,
    PQ,
    TWO_BITS,
)
from diffred_core.errors import InputError
from diffred_core.intervals import check_level
from diffred_core.results import as_table, published
from diffred_core.results.rows import Row

EXPERIMENT, TASKS = "compression_published", "BEIR, 14 sets"
OWN_SETS = ("passage", "document")  # of the authors; the others are BEIR's
FORUMS = "cqadupstack"  # BEIR counts its forums as one set
_FORMAT = re.compile(r"(?P<k>\d+)_pca|(?P<codes>\d+)_(?P<bits>\d+)_pq|(?P<planes>\d+)_lsh|(?P<width>\d+)_\w+")


@dataclass(frozen=True)
class Way:
    """One way to compress: its kind, how many numbers of how many bits it keeps, and its name in the publication."""

    method: str
    n_selected: int
    bits: float
    recipe: str

    @property
    def bytes(self) -> float:
        """Bytes of one vector."""
        return self.n_selected * self.bits / 8


@dataclass(frozen=True)
class EqualBytes:
    """Two ways that take the same number of bytes: each the share of the dimensions, and the format."""

    name: str
    one: tuple[str, float, str]
    other: tuple[str, float, str]


COMPARISONS = (
    EqualBytes("8 bits or a quarter", (DIMENSIONS, 1, EIGHT_BITS), (DIMENSIONS, 1 / 4, FULL)),
    EqualBytes("2 bits or a quarter at 8 bits", (DIMENSIONS, 1, TWO_BITS), (DIMENSIONS, 1 / 4, EIGHT_BITS)),
    EqualBytes("1 bit or an eighth at 8 bits", (DIMENSIONS, 1, AT_MEDIAN), (DIMENSIONS, 1 / 8, EIGHT_BITS)),
    EqualBytes("PCA or the first half", (PCA, 1 / 2, FULL), (DIMENSIONS, 1 / 2, FULL)),
    EqualBytes("PCA or the first quarter", (PCA, 1 / 4, FULL), (DIMENSIONS, 1 / 4, FULL)),
    EqualBytes("1 bit at the median or at zero", (DIMENSIONS, 1, AT_MEDIAN), (DIMENSIONS, 1, AT_ZERO)),
)


def way_of(compression: str, dimensions: int) -> Way:
    """Return what the publication calls `compression` of the first `dimensions`.

    Raises
    ------
    InputError
        If the name is of no known kind.
    """
    if (parts := _FORMAT.fullmatch(compression)) is None:
        raise InputError(
            f"expected a compression such as 32_full, 8_float8m3, 256_pca, 96_8_pq or 1024_lsh, got {compression!r}; "
            "rename it"
        )
    if k := parts["k"]:
        return Way(PCA, int(k), 32, FULL)
    if codes := parts["codes"]:
        return Way(PQ, int(codes), int(parts["bits"]), compression)
    if planes := parts["planes"]:
        return Way(LSH, int(planes), 1, compression)
    return Way(DIMENSIONS, dimensions, int(parts["width"]), compression)


def published_scores(
    scores: pd.DataFrame | None = None, *, level: float = 0.95, n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Return what every way keeps of an encoder's full nDCG@10, and the differences of `COMPARISONS`.

    The share is a ratio of means over sets, and its interval resamples the sets: it speaks of other sets like these.

    Parameters
    ----------
    scores : DataFrame, optional
        As from `results.published.compression_scores`, which is read by default.
    level, n_boot, seed
        Coverage and number of the percentile bootstrap, and its seed.

    Returns
    -------
    DataFrame
        A results table: metric score_kept and bytes by model (the encoder), method, n_selected and recipe (the number
        format); metric score_kept_difference by model and label (the name of a comparison), paired over sets.
    """
    check_level(level)
    scores = published.compression_scores() if scores is None else scores
    rows: list[Row] = []
    for encoder, of_encoder in _by_set(scores).groupby("model"):
        kept = _Kept.of(of_encoder, level=level, n_boot=n_boot, seed=seed)
        shared: Row = {"model": str(encoder), "n_features": kept.width}
        rows += [shared | row for row in kept.rows()]
    whole: Row = {"experiment": EXPERIMENT, "task": TASKS, "layer": "embedding"}
    return as_table([whole | row for row in rows])


def _by_set(scores: pd.DataFrame) -> pd.DataFrame:
    """Return nDCG@10, one column a set of BEIR, by model, compression and dimensions."""
    of_beir = scores[~scores["dataset"].isin(OWN_SETS)]
    sets = of_beir["dataset"].where(~of_beir["dataset"].str.startswith(FORUMS), FORUMS)
    by = ["model", "compression", "dimensions"]
    return of_beir.assign(dataset=sets).pivot_table(index=by, columns="dataset", values="ndcg_at_10", aggfunc="mean")


@dataclass(frozen=True)
class _Kept:
    """Shares of the full score of one encoder, a row a way: estimates, and resamples of the sets."""

    width: int
    ways: dict[Way, int]
    estimates: np.ndarray
    resampled: np.ndarray
    n_sets: int
    level: float

    @classmethod
    def of(cls, of_encoder: pd.DataFrame, *, level: float, n_boot: int, seed: int) -> _Kept:
        width = int(of_encoder.index.get_level_values("dimensions").max())
        ways = {way_of(c, int(d)): i for i, (_, c, d) in enumerate(of_encoder.index)}
        values = of_encoder.to_numpy()
        full = values[ways[Way(DIMENSIONS, width, 32, FULL)]]
        n_sets = values.shape[1]
        counts = np.random.default_rng(seed).multinomial(n_sets, np.full(n_sets, 1 / n_sets), size=n_boot)
        resampled = (values @ counts.T) / (full @ counts.T)
        return cls(width, ways, values.mean(1) / full.mean(), resampled=resampled, n_sets=n_sets, level=level)

    def rows(self) -> Iterator[Row]:
        for way, i in self.ways.items():
            of_way: Row = {"method": way.method, "n_selected": min(way.n_selected, self.width), "recipe": way.recipe}
            yield of_way | {"metric": KEPT, "n": self.n_sets, **self._limits(self.estimates[i], self.resampled[i])}
            yield of_way | {"metric": BYTES, "value": way.bytes}
        for comparison in COMPARISONS:
            one, other = (self._place(side) for side in (comparison.one, comparison.other))
            difference = self._limits(
                self.estimates[one] - self.estimates[other], self.resampled[one] - self.resampled[other]
            )
            named: Row = {"method": "difference", "label": comparison.name, "metric": DIFFERENCE, "n": self.n_sets}
            yield named | difference

    def _place(self, side: tuple[str, float, str]) -> int:
        method, share, recipe = side
        return self.ways[Way(method, round(share * self.width), int(recipe.partition("_")[0]), recipe)]

    def _limits(self, estimate: float, resampled: np.ndarray) -> Row:
        low, high = np.quantile(resampled, [0.5 - self.level / 2, 0.5 + self.level / 2])
        return {"value": float(estimate), "low": float(low), "high": float(high)}
