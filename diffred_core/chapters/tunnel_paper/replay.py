"""Published beside recomputed, number by number, to the last printed digit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from diffred_core import tunnel
from diffred_core.chapters.tunnel_paper.comparisons import GROUPS, select
from diffred_core.chapters.tunnel_paper.networks import FULL, METRICS
from diffred_core.chapters.tunnel_paper.rounding import rounding_slack
from diffred_core.results import published

KEYS = ["quantity", "subject", "side", "metric"]
VERDICTS = ("equal", "rounding", "differs")
_FLOAT = 1e-9  # a mean that ends in 5 may have been printed either way, whatever its last bit
Row = dict[str, object]


def strengths(table: pd.DataFrame) -> pd.DataFrame:
    """Return every network with the mean of its metrics over OOD sets, and the strength of its tunnel.

    Parameters
    ----------
    table : DataFrame
        From `read`.

    Returns
    -------
    DataFrame
        Columns block, network, id_set, augmentation, resolution, `METRICS` and strength (`tunnel.strength` of
        retained).
    """
    keys = ["block", "network", "id_set", "augmentation", "resolution"]
    means = table.groupby(keys)[list(METRICS)].mean().reset_index()
    return means.assign(strength=means["retained"].map(tunnel.strength))


def replay(
    table: pd.DataFrame,
    *,
    effects: pd.DataFrame,
    pairings: pd.DataFrame,
    explained: pd.DataFrame,
    slopes: pd.DataFrame,
) -> pd.DataFrame:
    """Return every published number beside the recomputed one.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    effects, pairings, explained, slopes : DataFrame
        From `effects`, `resolution_pairings`, `explained` and `slopes`, of that table.

    Returns
    -------
    DataFrame
        The rows of `published.tunnel_numbers` that these tables bear on, with columns published, recomputed, digits,
        verdict, difference (recomputed less published) and source. The verdict is ``equal`` (to the last printed
        digit), ``rounding`` (the rounding of the table can explain it: `rounding_slack`) or ``differs``.
    """
    found = [
        *_strength_rows(table),
        *_effect_rows(effects),
        *_pairing_rows(pairings),
        *_group_rows(table),
        *_regression_rows(explained, slopes),
    ]
    numbers = published.tunnel_numbers().rename(columns={"value": "published"})
    both = numbers.merge(pd.DataFrame(found, columns=[*KEYS, "recomputed"]), on=KEYS, validate="one_to_one")
    both = both.merge(rounding_slack(table), on=KEYS, how="left").fillna({"below": 0.0, "above": 0.0})
    both["difference"] = both["recomputed"] - both["published"]
    both["verdict"] = _verdicts(both)
    return both[[*KEYS, "published", "recomputed", "digits", "verdict", "difference", "source"]]


def beside_published(effects: pd.DataFrame, replay: pd.DataFrame) -> pd.DataFrame:
    """Return `effects` with columns published_delta (without sign) and published_p, missing where none was seen."""
    printed = replay[(replay["side"].isin(("", "matched"))) & replay["quantity"].isin(("delta", "p_value"))]
    wide = printed.pivot(index=["subject", "metric"], columns="quantity", values="published")
    wide = wide.reindex(columns=["delta", "p_value"]).add_prefix("published_").rename_axis(columns=None)
    wide = wide.rename(columns={"published_p_value": "published_p"}).rename_axis(index={"subject": "comparison"})
    return effects.join(wide, on=["comparison", "metric"])


def _verdicts(both: pd.DataFrame) -> np.ndarray:
    printing = 0.5 * 10.0 ** -both["digits"] + _FLOAT
    equal = both["difference"].abs() <= printing
    possible = both["difference"].between(-both["above"] - printing, both["below"] + printing)
    return np.select([equal, possible], VERDICTS[:2], VERDICTS[2])


def _strength_rows(table: pd.DataFrame) -> Iterator[Row]:
    counts = strengths(table)["strength"].value_counts().reindex(list(tunnel.STRENGTHS), fill_value=0)
    for strength, count in counts.items():
        yield _row("networks", strength, "", "retained", count)


def _effect_rows(effects: pd.DataFrame) -> Iterator[Row]:
    for name, n in effects.groupby("comparison")["n_cells"].first().items():
        yield _row("n_cells", name, "", "", n)
    for effect in effects.to_dict("records"):
        name, metric = effect["comparison"], effect["metric"]
        yield _row("mean", name, "before", metric, effect["before"])
        yield _row("mean", name, "after", metric, effect["after"])
        yield _row("delta", name, "", metric, abs(effect["delta"]))
        yield _row("p_value", name, "matched", metric, effect["p_value"])


def _pairing_rows(pairings: pd.DataFrame) -> Iterator[Row]:
    for row in pairings.to_dict("records"):
        yield _row("p_value", row["comparison"], "file_order", row["metric"], row["p_file_order"])


def _group_rows(table: pd.DataFrame) -> Iterator[Row]:
    for name, selection in GROUPS.items():
        for metric, mean in select(table, selection)[list(METRICS)].mean().items():
            yield _row("mean", name, "", metric, mean)
    for row in strengths(select(table, {"id_set": FULL, "resolution": (32, 224)})).to_dict("records"):
        with_or_without = "augmentation" if row["augmentation"] else "no augmentation"
        name = f"{row['network']}, {with_or_without}, {row['resolution']}"
        yield _row("mean", name, "", "retained", row["retained"])


def _regression_rows(explained: pd.DataFrame, slopes: pd.DataFrame) -> Iterator[Row]:
    for row in explained.to_dict("records"):
        yield _row("r2", "", "", row["metric"], row["in_sample"])
    for row in slopes.to_dict("records"):
        yield _row("slope", row["variable"], "", row["metric"], row["slope"])
        yield _row("slope_share", row["variable"], "", row["metric"], row["share"])


def _row(quantity: str, subject: object, side: str, metric: str, value: float) -> Row:
    return {"quantity": quantity, "subject": subject, "side": side, "metric": metric, "recomputed": float(value)}
