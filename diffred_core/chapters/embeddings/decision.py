"""What to keep: the fewest bytes whose interval stays within the tolerance, chosen on rows that are not reported."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from diffred_core.chapters.embeddings import names
from diffred_core.errors import InputError
from diffred_core.results import where

SETTING = ["method", "n_selected", "recipe"]


@dataclass(frozen=True)
class Decision:
    """What to keep, and what it keeps.

    Attributes
    ----------
    method, number_format : str
    n_selected, n_features : int
    n_bytes, full_bytes : int
        Of a vector.
    quality : str
        The measure, in words.
    value, low, high : float
        Share of the full vectors' quality, on rows that chose nothing.
    tolerance : float
    next_cheaper : str
        In words what the next cheaper setting keeps.
    """

    method: str
    number_format: str
    n_selected: int
    n_features: int
    n_bytes: int
    full_bytes: int
    quality: str
    value: float
    low: float
    high: float
    tolerance: float
    next_cheaper: str

    @property
    def words(self) -> str:
        """The setting."""
        return names.setting_words(self.method, self.n_selected, self.number_format, n_features=self.n_features)

    @property
    def sentence(self) -> str:
        """The decision, for somebody who reads nothing else."""
        return (
            f"Keep {self.words}: {share(self.value)} of the {self.quality} [{share(self.low)}, {share(self.high)}] at "
            f"{self.n_bytes} {'byte' if self.n_bytes == 1 else 'bytes'} a vector instead of {self.full_bytes}. "
            f"{self.next_cheaper}"
        )


def share(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.1f} %"


def decide(table: pd.DataFrame) -> Decision:
    """Return the decision of a report.

    Raises
    ------
    InputError
        If the table is no report.
    """
    shares, sizes = where(table, metric=names.KEPT), where(table, metric=names.BYTES)
    if shares.empty or sizes.empty:
        raise InputError("expected the table of a report on embeddings, got none of its rows; make it with report()")
    best = chosen_row(shares, sizes)
    tested = _with_bytes(where(shares, split=names.TEST), sizes)
    reported = _of_setting(tested, best)
    full = float(where(sizes, method=names.FULL, recipe=names.FLOAT32)["value"].iloc[0])
    probe = "" if pd.isna(reported.get("probe")) else f" of a {reported['probe']} probe"
    return Decision(
        str(best["method"]),
        str(best["recipe"]),
        int(best["n_selected"]),
        int(table["n_features"].dropna().iloc[0]),
        n_bytes=int(best["bytes"]),
        full_bytes=int(full),
        quality=names.METRIC_WORDS.get(str(reported["label"]), str(reported["label"])) + probe,
        value=float(reported["value"]),
        low=float(reported["low"]),
        high=float(reported["high"]),
        tolerance=round(1 - float(best["delta"]), 9),
        next_cheaper=_next_cheaper(tested, best),
    )


def chosen_row(shares: pd.DataFrame, sizes: pd.DataFrame) -> pd.Series:
    """Return the cheapest setting that keeps enough by the rows that choose; of equally cheap ones the best."""
    judged = _with_bytes(where(shares, split=names.CHOICE), sizes)
    if judged.empty:
        raise InputError("expected full vectors that do better than nothing, got a quality of 0; check labels and ids")
    enough = judged[judged["low"] >= judged["delta"]]
    return enough.sort_values(["bytes", "value"], ascending=[True, False], kind="stable").iloc[0]


def _with_bytes(shares: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    return shares.merge(sizes[[*SETTING, "value"]].rename(columns={"value": "bytes"}), on=SETTING)


def _of_setting(rows: pd.DataFrame, setting: pd.Series) -> pd.Series:
    return where(rows, **{name: setting[name] for name in SETTING}).iloc[0]


def _next_cheaper(tested: pd.DataFrame, best: pd.Series) -> str:
    cheaper = tested[tested["bytes"] < best["bytes"]]
    if cheaper.empty:
        return "Nothing cheaper was tested."
    row = cheaper.sort_values(["bytes", "value"], ascending=False, kind="stable").iloc[0]
    what = names.setting_words(row["method"], int(row["n_selected"]), row["recipe"])
    limit = row["delta"]
    if row["high"] < limit:
        how = "falls below"
    else:
        how = "is not surely within" if row["low"] < limit else "was not surely within, by the rows that choose,"
    return (
        f"The next cheaper, {what} at {int(row['bytes'])} bytes, {how} the tolerance of {100 * (1 - limit):g} %: "
        f"{share(row['value'])} [{share(row['low'])}, {share(row['high'])}]."
    )
