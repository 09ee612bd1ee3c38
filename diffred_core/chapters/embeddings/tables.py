"""Tables of a report on embeddings, for readers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.embeddings import names
from diffred_core.chapters.embeddings.decision import SETTING, decide
from diffred_core.drawing import Table
from diffred_core.results import where


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Return every setting with its bytes, the share of quality that it keeps, and whether none cheaper keeps more."""
    kept = where(table, metric=names.KEPT, split=names.TEST)
    for metric in (names.BYTES, names.SEARCH):
        of_metric = where(table, metric=metric)[[*SETTING, "value"]].rename(columns={"value": metric})
        kept = kept.merge(of_metric, on=SETTING, how="left")
    kept = kept.sort_values([names.BYTES, "value"], ascending=[True, False], kind="stable")
    # bits of a few numbers share a byte
    kept = kept.drop_duplicates(["method", "recipe", names.BYTES]).reset_index(drop=True)
    return kept.assign(frontier=kept["value"] > kept["value"].cummax().shift(fill_value=-1.0))


def frontier_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the settings of which none cheaper keeps more."""
    best = points(table)
    best = best[best["frontier"]]
    percents = 100 * best[["value", "low", "high"]].rename(columns={"value": "kept"})
    shown = pd.DataFrame(
        {
            "bytes": best[names.BYTES].astype(int),
            "method": best["method"].map(names.METHOD_WORDS),
            "dimensions": best["n_selected"].astype(int),
            "format": best["recipe"].map(names.format_words),
        }
    )
    return shown.join(percents).assign(search=best[names.SEARCH])


def equal_bytes_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the best that every method keeps at the bytes of the float32 and int8 widths, with its format."""
    every = points(table)
    sizes = sorted(every.loc[every["recipe"].isin([names.FLOAT32, "int8"]), names.BYTES].unique(), reverse=True)
    cells = []
    for size in sizes:
        at = every[every[names.BYTES] == size].sort_values("value", ascending=False).drop_duplicates("method")
        best = {
            names.METHOD_WORDS[row.method]: f"{100 * row.value:.1f} ({names.format_words(row.recipe)}"
            + (")" if row.method in names.WHOLE else f" {int(row.n_selected)})")
            for row in at.itertuples()
        }
        cells.append({"bytes": int(size)} | best)
    order = [words for words in names.METHOD_WORDS.values() if any(words in cell for cell in cells)]
    return pd.DataFrame(cells)[["bytes", *order]]


def measures(table: pd.DataFrame) -> pd.DataFrame:
    """Return every measure of the full vectors, of what is kept, and of chance."""
    decision = decide(table)
    setting = {"method": decision.method, "n_selected": decision.n_selected, "recipe": decision.number_format}
    rows = []
    for metric, words in names.METRIC_WORDS.items():
        for probe in (names.RIDGE, names.KNN, None):
            of_metric = where(table, metric=metric)
            of_metric = of_metric[of_metric["split"] != names.DRAWS]
            of_metric = of_metric[of_metric["probe"].isna() if probe is None else of_metric["probe"] == probe]
            full = where(of_metric, method=names.FULL, recipe=names.FLOAT32)
            if full.empty:
                continue
            kept, chance = where(of_metric, **setting), where(of_metric, method=names.CHANCE)
            row = {"measure": words + (f", {probe}" if probe else ""), "full": full["value"].iloc[0]}
            if not kept.empty:
                row |= {"kept": kept["value"].iloc[0], "low": kept["low"].iloc[0], "high": kept["high"].iloc[0]}
            rows.append(row | ({} if chance.empty else {"chance": chance["value"].iloc[0]}))
    return pd.DataFrame(rows)


def loser_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ten classes that lose most accuracy by what is kept."""
    changes = where(table, metric=names.CLASS_CHANGE).sort_values("value", kind="stable").head(10)
    percents = 100 * changes[["value", "low", "high"]].rename(columns={"value": "change"})
    return pd.DataFrame({"class": changes["label"], "rows": changes["n"]}).join(percents)


def dimension_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return how stable the effects of single dimensions are, what the hurting ones cost, and the ten worst."""
    words = {
        names.STABILITY: "rank correlation of the effects of {} dimensions on two halves of the rows",
        names.DEGRADING: "mean gain by leaving out one of {} that hurt on the other half",
    }
    rows = where(table, metric=(*words, names.EFFECT))
    what = [
        words[metric].format(n) if metric in words else label
        for metric, label, n in rows[["metric", "label", "n"]].itertuples(index=False)
    ]
    return rows[["value", "low", "high"]].reset_index(drop=True).assign(what=what)[["what", "value", "low", "high"]]


def row_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many rows do what."""
    words = {"fit": "fit maps and formats", "corpus": "are searched", names.CHOICE: "choose", names.TEST: "are scored"}
    rows = where(table, metric=names.ROWS)
    return pd.DataFrame({"rows": rows["value"].astype(int), "which": rows["label"].map(words)})


frontier = Table(
    frontier_rows,
    "Settings that keep more than every cheaper one. Bytes: of a vector. Kept: percent of the full vectors' quality, "
    "with a 95 % interval over the scored rows. Search: seconds for 1,000 queries among the searched rows, by "
    "products of float32 here (packed formats are unpacked first; an index that searches them packed is faster).",
    digits=2,
)
equal_bytes = Table(
    equal_bytes_rows,
    "The best of every method at equal bytes: percent of the full vectors' quality (format, dimensions).",
)
all_measures = Table(
    measures,
    "Every measure of the full vectors and of what is kept, with its 95 % interval, and what chance gives.",
)
losers = Table(
    loser_rows,
    lambda rows: (
        "The classes that lose most: change of accuracy in points on the same scored rows, 95 % interval."
        if len(rows)
        else "No class has enough scored rows, there are no labels, or nothing was dropped."
    ),
    digits=1,
)
single_dimensions = Table(
    dimension_rows,
    lambda rows: (
        "Single dimensions: change of the share of right rows among the nearest when one is left out; above 0 it hurts "
        "when it is kept. Chosen on one half of the rows, measured on the other."
        if len(rows)
        else "Which dimensions hurt is measured with labels or judgements only."
    ),
    digits=4,
)
parts = Table(row_counts, "No row does two of these.")
