"""Reading the results table of the chapter: printed beside recomputed, and comparisons in one row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from diffred_core.chapters.tunnel_paper.comparisons import Comparison
from diffred_core.chapters.tunnel_paper.names import DIGIT_VERDICTS, MEASURES, QUANTITIES
from diffred_core.results import published

NUMBER_KEYS = ["quantity", "subject", "side", "measure"]
_ROUNDED = ("mean", "delta", "p_value")  # their low and high are what rounding allows; those of a slope are over seeds
_FLOAT = 1e-9  # a mean that ends in 5 may have been printed either way, whatever its last bit


def printed_numbers() -> pd.DataFrame:
    """Return `published.tunnel_numbers` with the names of this chapter: measure for metric, published for value."""
    return published.tunnel_numbers().rename(columns={"metric": "measure", "value": "published"})


def replay(table: pd.DataFrame) -> pd.DataFrame:
    """Return every published number beside the recomputed one.

    Parameters
    ----------
    table : DataFrame
        From `statistics`.

    Returns
    -------
    DataFrame
        The rows of `printed_numbers` that the table bears on, with columns published, recomputed, digits, verdict,
        difference (recomputed less published) and source. The verdict is ``equal`` (to the last printed digit),
        ``rounding`` (the rounding of the published table, from low to high, can explain it) or ``differs``.
    """
    statistics = table[table["metric"].isin(QUANTITIES)]
    names = {"metric": "quantity", "method": "subject", "split": "side", "label": "measure", "value": "recomputed"}
    computed = statistics.rename(columns=names)[[*names.values(), "low", "high"]]
    computed[NUMBER_KEYS] = computed[NUMBER_KEYS].astype(object).fillna("")
    computed.loc[computed["quantity"] == "r2", "subject"] = ""
    computed.loc[~computed["quantity"].isin(_ROUNDED), ["low", "high"]] = float("nan")
    numbers = printed_numbers().merge(_without_sign(computed), on=NUMBER_KEYS, validate="one_to_one")
    numbers["difference"] = numbers["recomputed"] - numbers["published"]
    numbers["verdict"] = verdicts(numbers)
    return numbers[[*NUMBER_KEYS, "published", "recomputed", "digits", "verdict", "difference", "source"]]


def verdicts(numbers: pd.DataFrame) -> np.ndarray:
    """Return the verdict of every row with columns published, recomputed, low, high and digits."""
    printing = 0.5 * 10.0 ** -numbers["digits"] + _FLOAT
    equal = (numbers["recomputed"] - numbers["published"]).abs() <= printing
    low, high = numbers["low"].fillna(numbers["recomputed"]), numbers["high"].fillna(numbers["recomputed"])
    possible = numbers["published"].between(low - printing, high + printing)
    return np.select([equal, possible], DIGIT_VERDICTS[:2], DIGIT_VERDICTS[2])


def comparison_frame(table: pd.DataFrame, comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return one row a comparison and measure of a table of `statistics`.

    Columns comparison, title, measure; n_cells, n_pairs, gain, low, high, least, most (of one pair), positive
    (pairs that gain), delta, p_value; published_delta (without sign) and published_p, missing where none was seen.
    """
    titles = {comparison.name: comparison.title for comparison in comparisons}
    index = pd.MultiIndex.from_product([titles, MEASURES], names=["comparison", "measure"])
    rows = table[table["split"].isna() | (table["split"] == "matched")]
    by_metric = rows.set_index(["metric", "method", "label"]).sort_index()
    columns = {
        **{"n_cells": ("delta", "n"), "n_pairs": ("gain", "n")},
        **{"gain": ("gain", "value"), "low": ("gain", "low"), "high": ("gain", "high")},
        **{"least": ("gain_of_pairs", "low"), "most": ("gain_of_pairs", "high")},
        **{"positive": ("pairs_that_gain", "value"), "delta": ("delta", "value"), "p_value": ("p_value", "value")},
    }
    read = {name: by_metric.loc[metric, column].reindex(index) for name, (metric, column) in columns.items()}
    frame = pd.DataFrame(read, index=index)
    numbers = printed_numbers().set_index(["quantity", "subject", "measure"]).sort_index()
    numbers = numbers[numbers["side"].isin(("", "matched"))]["published"]
    printed = {"published_delta": numbers.loc["delta"], "published_p": numbers.loc["p_value"]}
    frame = frame.assign(**{name: values.reindex(index) for name, values in printed.items()}).reset_index()
    frame.insert(1, "title", frame["comparison"].map(titles))
    return frame.astype({"n_cells": int, "n_pairs": int, "positive": int})


def _without_sign(computed: pd.DataFrame) -> pd.DataFrame:
    """Turn Cliff's deltas, which are printed without their sign, to the positive side, with their limits."""
    turn = (computed["quantity"] == "delta") & (computed["recomputed"] < 0)
    columns = ["recomputed", "low", "high"]
    turned = computed[["recomputed", "high", "low"]].set_axis(columns, axis=1)
    return computed.assign(**computed[columns].where(~turn, -turned))
