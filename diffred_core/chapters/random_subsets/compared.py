"""Two cells side by side: what each needs, by how much they differ, and whether the draws decide it.

A seed draws the same numbers whatever is drawn from, so two tables of the same seeds are compared draw by draw: on the
same layer the subsets are then the same ones; elsewhere the pairs are independent, and the interval is right all the
same. Tables hold no single test rows. Where they hold limits over draws and test rows, a difference is made of those as
if they were independent (`intervals.difference_interval`), which on the same rows is too wide, never too narrow.
"""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.errors import InputError, near_names
from diffred_core.intervals import Interval, difference_interval, mean_interval, t_quantile
from diffred_core.redundancy import diffused_redundancy
from diffred_core.results import as_table, where
from diffred_core.results.readable import cell_name
from diffred_core.results.rows import KEYS, Row

EXPERIMENT = "compare"
MEASURES = {"subset_probes": (names.RANDOM, names.ACCURACY), "subset_similarity": (names.WHOLE, names.CKA)}
DIFFERENCE, NEEDED, NEEDED_SHARE = "difference", "needed_features", "needed_share"
SIDES = ("first", "second")  # recipe of what is said of one cell alone
DRAW_BY_DRAW, EACH = "draw by draw", "interval of each"
WHOLE_SIMILARITY = 1.0  # of a layer with itself


def cell(tables: pd.DataFrame, *, model: str, task: str) -> pd.DataFrame:
    """Return the rows of one model and task.

    Raises
    ------
    InputError
        If the tables have none.
    """
    rows = where(tables, model=model, task=task)
    if rows.empty:
        known = [f"{m} on {t}" for t, m in tables[KEYS].drop_duplicates().itertuples(index=False)]
        hint = near_names(f"{model} on {task}", known) or f" (there are: {', '.join(sorted(known))})"
        raise InputError(f"expected a table of {model} on {task}, got none{hint}; run it first")
    return rows


def compare(one: pd.DataFrame, other: pd.DataFrame, *, keep: float = 0.95, level: float = 0.95) -> pd.DataFrame:
    """Return two cells side by side as one results table, about `one`; the other cell stands in the column label.

    Parameters
    ----------
    one, other : DataFrame
        Tables of subset_probes, or both of subset_similarity, one model and task each.
    keep : float
        Share of the full accuracy to be kept, or CKA to be reached, in [0, 1].
    level : float
        Coverage of the intervals made here, and that of the sweeps.

    Returns
    -------
    DataFrame
        Metrics accuracy or cka_debiased (of each cell by share), difference (one less other, by share both have),
        needed_features and needed_share (of each cell: of the mean over draws, and of single draws), and
        needed_features_difference and needed_share_difference (one less other). Column recipe: which of `SIDES`, or of
        a difference how its interval is made.

    Raises
    ------
    InputError
        If the tables are of other sweeps, or of different ones.
    """
    analyses = sorted({*one["experiment"], *other["experiment"]})
    if len(analyses) != 1 or analyses[0] not in MEASURES:
        raise InputError(
            f"expected two tables of one of {', '.join(MEASURES)}, got {' and '.join(analyses)}; read the same analysis"
        )
    shared = {"experiment": EXPERIMENT, "layer": "penultimate", "split": "test", "delta": keep}
    sides = [_side(table, keep=keep, level=level) for table in (one, other)]
    rows = [{"recipe": name, **row} for name, side in zip(SIDES, sides, strict=True) for row in side]
    of_one = {name: one[name].iloc[0] for name in KEYS}
    label = cell_name(other["model"].iloc[0], other["task"].iloc[0])
    rows += [{**of_one, "label": label, **row} for row in _differences(one, other, level=level)]
    rows += [{**of_one, "label": label, **row} for row in _needs(*sides, level=level)]
    return as_table([shared | row for row in rows])


def reaches(level: float, *, most: int = 30) -> list[float]:
    """Return how many standard errors the t interval of the mean of 2, 3, ..., `most` draws reaches."""
    return [t_quantile(level, degrees=n - 1) for n in range(2, most + 1)]


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of single draws by which the cell is compared."""
    method, metric = MEASURES[table["experiment"].iloc[0]]
    rows = where(table, method=method, metric=metric).dropna(subset="repeat")
    return where(rows, probe=names.HEADLINE) if metric == names.ACCURACY else rows


def _whole(table: pd.DataFrame) -> float:
    """Return the value of all dimensions."""
    rows = where(table, method=names.FULL, metric=names.ACCURACY, probe=names.HEADLINE)
    return float(rows["value"].mean()) if len(rows) else WHOLE_SIMILARITY


def _by_share(table: pd.DataFrame, *, level: float) -> dict[float, tuple[Interval, bool]]:
    """Return the value by share with its interval, and whether that is the table's own, over draws and test rows."""
    own = where(table, method=names.RANDOM, metric=names.MEAN_ACCURACY, probe=names.HEADLINE).set_index("fraction")
    spread = {
        float(share): mean_interval(rows["value"], level=level) for share, rows in _measured(table).groupby("fraction")
    }
    limits = {share: own.loc[share] for share in spread if share in own.index}
    return {
        share: (Interval(drawn.estimate, float(limits[share]["low"]), float(limits[share]["high"])), True)
        if share in limits
        else (drawn, False)
        for share, drawn in spread.items()
    }


def _side(table: pd.DataFrame, *, keep: float, level: float) -> list[Row]:
    """Return what is said of one cell alone."""
    drawn, width = _measured(table), int(table["n_features"].iloc[0])
    sizes = drawn.groupby("fraction")["n_selected"].first().to_dict() | {1.0: width}
    of_cell = {name: table[name].iloc[0] for name in KEYS} | {"n_features": width, "method": drawn["method"].iloc[0]}
    rows: list[Row] = [
        of_cell | {"metric": drawn["metric"].iloc[0], "fraction": share, "n_selected": sizes[share]} | _limits(at)
        for share, (at, _) in _by_share(table, level=level).items()
    ]
    single = {None: drawn.groupby("fraction")["value"].mean()} | {
        (int(repeat), int(seed)): of.set_index("fraction")["value"]
        for (repeat, seed), of in drawn.groupby(["repeat", "seed"])
    }
    for draw, curve in single.items():
        redundancy = diffused_redundancy(curve.index, curve, _whole(table), delta=keep)
        share = min(sizes, key=lambda tested: abs(tested - (1 - redundancy)))
        of_draw = {} if draw is None else {"repeat": draw[0], "seed": draw[1]}
        for metric, value in ((NEEDED, sizes[share]), (NEEDED_SHARE, share)):
            rows.append(of_cell | of_draw | {"metric": metric, "value": float(value)})
    return rows


def _differences(one: pd.DataFrame, other: pd.DataFrame, *, level: float) -> list[Row]:
    draws = [_measured(table).pivot_table(index="fraction", columns="seed", values="value") for table in (one, other)]
    intervals = [_by_share(table, level=level) for table in (one, other)]
    rows: list[Row] = []
    for share in sorted(set(intervals[0]) & set(intervals[1])):
        (a, of_rows), (b, also) = (of[share] for of in intervals)
        pairs = (draws[0].loc[share] - draws[1].loc[share]).dropna()
        each = (of_rows and also) or len(pairs) < 2
        difference = difference_interval(a, b) if each else mean_interval(pairs, level=level)
        how = {"recipe": EACH} if each else {"recipe": DRAW_BY_DRAW, "n": len(pairs)}
        rows.append({"metric": DIFFERENCE, "method": "one less other", "fraction": share} | how | _limits(difference))
    return rows


def _needs(one: list[Row], other: list[Row], *, level: float) -> list[Row]:
    """Return by how much the needs differ: over the draws of seeds that both have, else of the means over draws."""
    rows: list[Row] = []
    for metric in (NEEDED, NEEDED_SHARE):
        a, b = ({row.get("seed"): row["value"] for row in side if row["metric"] == metric} for side in (one, other))
        pairs = [a[seed] - b[seed] for seed in a if seed is not None and seed in b]
        paired = len(pairs) > 1
        difference = mean_interval(pairs, level=level) if paired else Interval(a[None] - b[None], *[float("nan")] * 2)
        how = {"recipe": DRAW_BY_DRAW, "n": len(pairs)} if paired else {"recipe": "means over draws"}
        rows.append({"metric": f"{metric}_difference", "method": "one less other"} | how | _limits(difference))
    return rows


def _limits(of: Interval) -> Row:
    return {"value": of.estimate, "low": of.low, "high": of.high}
