"""The statistics as one results table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from diffred_core import results

EFFECTS = ("before", "after", "delta", "p_value", "gain")
Row = dict[str, object]


def statistics_table(
    *,
    effects: pd.DataFrame,
    pairings: pd.DataFrame,
    residuals: pd.DataFrame,
    explained: pd.DataFrame,
    slopes: pd.DataFrame,
    replay: pd.DataFrame,
) -> pd.DataFrame:
    """Return a results table of what the page tells.

    Parameters
    ----------
    effects, pairings, residuals, explained, slopes, replay : DataFrame
        From the functions of these names (`resolution_pairings`, `label_residuals`).

    Returns
    -------
    DataFrame
        Task and model name what is pooled. Method: the comparison, ``file_order``, the reading of two headings,
        ``regression`` (label: the predictor), or ``replay`` (label: the verdict). Metric: the measure of the tunnel and
        the statistic, as in ``retained_gain_low``.
    """
    shared = {
        "experiment": "tunnel_statistics",
        "task": "OOD sets of Harun et al. 2024",
        "model": "networks of Harun et al. 2024",
        "layer": "penultimate",
    }
    measured = (
        *_effect_rows(effects),
        *_pairing_rows(pairings),
        *_residual_rows(residuals),
        *_regression_rows(explained, slopes),
        *_replay_rows(replay),
    )
    return results.as_table([shared | row for row in measured])


def _effect_rows(effects: pd.DataFrame) -> Iterator[Row]:
    names = {name: name for name in EFFECTS} | {"low": "gain_low", "high": "gain_high"}
    for effect in effects.to_dict("records"):
        for column, name in names.items():
            if pd.notna(effect[column]):  # too few pairs have no interval
                yield _row(effect["comparison"], f"{effect['metric']}_{name}", effect[column])


def _pairing_rows(pairings: pd.DataFrame) -> Iterator[Row]:
    for row in pairings.to_dict("records"):
        yield _row("file_order", f"{row['metric']}_p_value", row["p_file_order"], row["comparison"])


def _residual_rows(residuals: pd.DataFrame) -> Iterator[Row]:
    for reading, worst in residuals["residual"].abs().groupby(residuals["reading"]).max().items():
        yield _row(str(reading), "alignment_residual_largest", worst)


def _regression_rows(explained: pd.DataFrame, slopes: pd.DataFrame) -> Iterator[Row]:
    for row in explained.to_dict("records"):
        for column in ("in_sample", "cross_validated", "lowest", "highest", "ceiling"):
            yield _row("regression", f"{row['metric']}_r2_{column}", row[column])
    for row in slopes.to_dict("records"):
        for column in ("slope", "share"):
            name = {"slope": "slope", "share": "slope_share"}[column]
            yield _row("regression", f"{row['metric']}_{name}", row[column], row["variable"])


def _replay_rows(replay: pd.DataFrame) -> Iterator[Row]:
    for verdict, count in replay["verdict"].value_counts().sort_index().items():
        yield _row("replay", "printed_numbers", count, str(verdict))


def _row(method: str, metric: str, value: float, label: str | None = None) -> Row:
    return {"method": method, "metric": metric, "value": float(value), "label": label}
