"""Tables of the chapter, with columns named for readers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
from pandas.api.typing import SeriesGroupBy

from diffred_core import tunnel
from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, RESOLUTION_STEPS, VARIANTS, Comparison
from diffred_core.chapters.tunnel_paper.names import DIGIT_VERDICTS, LEVEL, MEASURES, QUANTITIES, SIDE_WORDS
from diffred_core.chapters.tunnel_paper.printed import comparison_frame, replay
from diffred_core.chapters.tunnel_paper.table import networks
from diffred_core.drawing import Table
from diffred_core.results.claims import percent

_EFFECT_COLUMNS = {
    "title": "comparison",
    "measure": "metric",
    "n_cells": "cells",
    "n_pairs": "pairs",
    "gain": "change",
    "low": "low",
    "high": "high",
    "positive": "pairs that rise",
    "delta": "Cliff's delta",
    "p_value": "p over cells",
}


def _strengths(table: pd.DataFrame) -> pd.DataFrame:
    whole = table["split"].isna()  # not a side of a comparison
    means = table[(table["metric"] == "mean") & (table["label"] == "retained") & whole].set_index("method")["value"]
    named = networks().assign(strength=lambda n: n["name"].map(means).map(tunnel.strength))
    counts = _counted(named.groupby(["id_set", "network"], sort=False)["strength"], tunnel.STRENGTHS)
    return counts.rename_axis(index=["ID set", "network"]).reset_index()


def _counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many numbers of each kind have each verdict; p-values of resolution count once a way to pair rows."""
    numbers = replay(table)
    kinds = numbers["quantity"].map({name: plural for name, (_, plural) in QUANTITIES.items()})
    sides = numbers["side"].where(numbers["quantity"] == "p_value").map(SIDE_WORDS).fillna("")
    counts = _counted(numbers.assign(kind=kinds + sides).groupby("kind", sort=False)["verdict"], DIGIT_VERDICTS)
    return counts.rename_axis(index="quantity").reset_index()


def _counted(groups: SeriesGroupBy, values: Sequence[str]) -> pd.DataFrame:
    counts = groups.value_counts().unstack(fill_value=0)
    return counts.reindex(columns=list(values), fill_value=0).rename_axis(columns=None)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return every printed number beside the recomputed one, as text with the printed digits; a p has two."""
    numbers = replay(table)
    titles = {comparison.name: comparison.title for comparison in COMPARISONS}
    plain = numbers["subject"].str.replace("_", " ")
    # A slope has a predictor for its subject; some comparisons bear the same names.
    subject = plain.where(
        numbers["quantity"].isin(("slope", "slope_share")), numbers["subject"].map(titles).fillna(plain)
    )
    kind = numbers["quantity"].map({name: singular for name, (singular, _) in QUANTITIES.items()})
    kind += numbers["side"].map(SIDE_WORDS).fillna("")
    return pd.DataFrame(
        {
            "number": kind.where(subject == "", kind + ": " + subject),
            "metric": numbers["measure"].map(MEASURES).fillna(""),
            "published": [f"{row.published:.{row.digits}f}" for row in numbers.itertuples()],
            "recomputed": [
                f"{row.recomputed:{'.2g' if row.quantity == 'p_value' else f'.{row.digits}f'}}"
                for row in numbers.itertuples()
            ],
            "verdict": numbers["verdict"],
            "where": numbers["source"],
        }
    )


def _pairings(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["metric"] == "p_value"]
    p = rows.pivot(index=["method", "label"], columns="split", values="value")
    same = table[table["metric"] == "same_network"].set_index("method")["value"].astype(int)
    frame = comparison_frame(table, RESOLUTION_STEPS).join(p, on=["comparison", "measure"])
    return pd.DataFrame(
        {
            "comparison": frame["title"],
            "metric": frame["measure"].map(MEASURES),
            "published p": frame["published_p"],
            "p in file order": frame["file_order"].map("{:.2g}".format),
            "p, networks matched": frame["matched"].map("{:.2g}".format),
            "blocks paired with their own network": frame["comparison"].map(same),
        }
    )


def _effects(table: pd.DataFrame, comparisons: Sequence[Comparison] = COMPARISONS) -> pd.DataFrame:
    frame = comparison_frame(table, comparisons)
    frame["p_value"] = frame["p_value"].map("{:.2g}".format)
    return frame.replace({"measure": MEASURES})[list(_EFFECT_COLUMNS)].rename(columns=_EFFECT_COLUMNS)


def _explained(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["method"] == "regression"].set_index(["metric", "label"])
    held_out = rows.loc["r2_held_out"]
    columns = {
        "R² in-sample": rows.loc["r2", "value"],
        **{"R² held out": held_out["value"], "lowest": held_out["low"], "highest": held_out["high"]},
        "R² at most": rows.loc["r2_ceiling", "value"],
        "divisions": held_out["n"].astype(str) + " into " + held_out["recipe"],
    }
    frame = pd.DataFrame(columns).reindex(list(MEASURES)).rename(index=MEASURES)
    return frame.rename_axis("metric").reset_index()


strengths = Table(
    _strengths, "Networks by the strength of their tunnel, from the performance retained on average over OOD sets."
)
counts = Table(_counts, "Printed numbers by kind. Each printed p of resolution is held against two ways to pair rows.")
open_numbers = Table(
    lambda table: _numbers(table).query("verdict != 'equal'"),
    "The numbers that are not equal to the last printed digit.",
)
numbers = Table(_numbers, "All numbers.")
pairings = Table(_pairings, "Wilcoxon's signed-rank test over 48 cells, six blocks at each resolution.", digits=4)
effects = Table(
    _effects, f"Change with its {percent(LEVEL)} interval over pairs; Cliff's delta and p over cells, all metrics."
)
variants = Table(
    partial(_effects, comparisons=VARIANTS), "Other selections of networks, and parts of the selections above."
)
explained = Table(
    _explained,
    "Gradient boosting; held out: mean, lowest, highest over random divisions of the combinations of predictors into "
    "folds; at most: what any function of the predictors can reach in-sample.",
)
