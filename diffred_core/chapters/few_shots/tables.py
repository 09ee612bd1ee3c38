"""The tables that the notebooks show."""

from __future__ import annotations

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core import results
from diffred_core.chapters.few_shots.reading import all_shots, headline, n_way, theory_errors
from diffred_core.drawing import Table
from diffred_core.results import where

MASKS_IN_THEORY = {  # method and number of dimensions in the table of the theory
    ("top", 8): "the 8 strong dimensions",
    ("top", 256): "all 256 dimensions",
    ("mask_inverse_spread", 256): "all, mask 1 / spread",
    ("mask_scaled", 256): "all, mask r / spread",
    ("mask_theory", 256): "all, mask (8)",
}


def _left_out(table: pd.DataFrame) -> pd.DataFrame:
    gains = results.summarize(headline(table, method="left_out"), "label", metric="gain").set_index("label")
    theory = headline(table, method="theory").pivot(index="label", columns="metric", values="value")
    ninths = 100 * gains[["mean", "low", "high"]].join(theory[["few_shot_share", "metric_share"]])
    ninths.columns = ["gain (points)", "low", "high", "for want of shots (%)", "never (%)"]
    ninths = ninths.rename_axis("ninth").reset_index()
    ninths.attrs["setting"] = f"{n_way(table)} classes, {names.plural(all_shots(table)[0], 'shot')}"
    return ninths


def _mask_by_prototypes(table: pd.DataFrame, *, kind: str = "importance") -> pd.DataFrame:
    """Return what a mask and prototypes of views give apart and together, at most four rows, fewer without views."""
    masks, prototypes = (
        {names.NO_MASK: "none", names.mask_method(kind, names.BY_VIEWS): kind},
        {names.ORIGINAL: "plain", names.OF_VIEWS: "of views"},
    )
    rows = headline(table, probe=names.EUCLIDEAN)
    rows = rows[rows["method"].isin(masks) & rows["metric"].isin(["accuracy", "gain"])]
    summary = results.summarize(rows, ["method", "label", "metric"])
    accuracy = where(summary, metric="accuracy").set_index(["method", "label"])[["mean"]]
    gain = where(summary, metric="gain").set_index(["method", "label"])[["mean", "low", "high"]]
    joined = 100 * accuracy.rename(columns={"mean": "accuracy"}).join(gain.rename(columns={"mean": "gain"}))
    order = [(mask, label) for mask in masks for label in prototypes if (mask, label) in joined.index]
    joined = joined.reindex(order).reset_index()
    named = {"mask": joined.pop("method").map(masks), "prototypes": joined.pop("label").map(prototypes)}
    return pd.concat([pd.DataFrame(named), joined], axis=1)


def _pairs(table: pd.DataFrame) -> pd.DataFrame:
    errors, helps = theory_errors(table), where(table, metric="helps").set_index(["label", "n_shot"])["value"]
    wide = errors[errors["label"] != ""].pivot(index=["label", "n_shot"], columns="method", values=list(names.ERRORS))
    wide = wide.reindex(columns=[(kind, method) for kind in names.ERRORS for method in ("first", "both")])
    wide.columns = [f"{method}, {names.ERRORS[kind]}" for kind, method in wide.columns]
    wide["second, by (7)"] = helps.map({1.0: "helps", 0.0: "harms"})
    return wide.reset_index().rename(columns={"label": "second dimension", "n_shot": "shots"})


def _masks_in_theory(table: pd.DataFrame) -> pd.DataFrame:
    errors = theory_errors(table)
    errors = errors[errors["label"] == ""].pivot(index=["method", "n_selected"], columns="n_shot", values="exact")
    wide = 100 * (1 - errors.reindex(list(MASKS_IN_THEORY))).rename(columns="shots: {}".format)
    wide.insert(0, "kept", list(MASKS_IN_THEORY.values()))
    return wide.rename_axis(columns=None)


left_out = Table(
    _left_out,
    lambda rows: f"Leaving a ninth of the dimensions out, {rows.attrs['setting']}; 95 % interval over episodes.",
    digits=1,
)
mask_by_prototypes = Table(
    _mask_by_prototypes,
    "Accuracy (%). Gain (points, 95 % interval over episodes) of a mask: over none at the same prototypes; "
    "of prototypes of views without a mask: over plain ones.",
    digits=1,
)
pairs = Table(_pairs, "Error with a good first dimension (distance 2, spread 1) alone, and with a second beside it.")
masks_in_theory = Table(_masks_in_theory, "Accuracy in percent, by (5) averaged over prototypes.", digits=1)
