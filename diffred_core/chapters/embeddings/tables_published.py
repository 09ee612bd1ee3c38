"""The published scores in numbers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.embeddings import names_published as names
from diffred_core.drawing import Table
from diffred_core.results import where


def differences_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return every comparison at equal bytes by encoder: points of the full score, with the interval."""
    rows = where(table, metric=names.DIFFERENCE)
    points = 100 * rows[["value", "low", "high"]].rename(columns={"value": "points"})
    return pd.DataFrame({"encoder": rows["model"], "the first or the second": rows["label"]}).join(points)


def kept_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return every published way of every encoder: bytes of a vector and the share of the full score."""
    by = ["model", "method", "n_selected", "recipe"]
    kept = where(table, metric=names.KEPT).set_index(by)
    size = where(table, metric=names.BYTES).set_index(by)["value"].rename("bytes")
    percent = 100 * kept[["value", "low", "high"]].rename(columns={"value": "kept (%)"})
    named = {"model": "encoder", "n_selected": "numbers", "recipe": "format"}
    return percent.join(size).reset_index().rename(columns=named)


def formats_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return what all dimensions keep in every number format, by encoder."""
    rows = where(table, metric=names.KEPT, method=names.DIMENSIONS)
    whole = rows[rows["n_selected"] == rows["n_features"]]
    wide = (100 * whole.pivot(index="recipe", columns="model", values="value")).reset_index()
    bits = wide["recipe"].str.partition("_")[0].astype(int)
    return (
        wide.assign(bits=bits)
        .sort_values(["bits", "recipe"], ascending=[False, True])
        .rename(columns={"recipe": "format"})
    )


differences = Table(
    differences_of,
    "Points of the full nDCG@10 by which the first is ahead of the second; 95 % intervals resample sets.",
    digits=1,
)
formats = Table(
    formats_of, "Share of the full nDCG@10 that all dimensions keep in another number format, in per cent.", digits=1
)
kept = Table(
    kept_of,
    "Every published way: bytes of a vector, and the share of the full nDCG@10 with its 95 % interval.",
    digits=1,
)
