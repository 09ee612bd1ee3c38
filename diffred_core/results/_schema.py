"""The one schema of the results table, and the sentence that a broken table gets."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

from diffred_core.errors import InputError, near_names

POSITIVE = pa.Check.ge(1)
COUNT = pa.Check.ge(0)
SHARE = pa.Check.in_range(0, 1, include_min=False)
UNIT = pa.Check.in_range(0, 1)
FINITE = pa.Check(lambda values: values.abs() < float("inf"), name="finite")


def _column(dtype: str, meaning: str, check: pa.Check | None = None, *, empty: bool = True) -> pa.Column:
    return pa.Column(dtype, check, nullable=empty, description=meaning)


SCHEMA = pa.DataFrameSchema(
    {
        "experiment": _column("string", "the analysis that made the row", empty=False),
        "task": _column("string", "data set on which the probe is trained and tested", empty=False),
        "model": _column("string", "frozen network", empty=False),
        "layer": _column("string", "layer whose features are used", empty=False),
        "method": _column("string", "how the kept features are chosen", empty=False),
        "probe": _column("string", "ridge, logistic, sgd, or a nearest centroid"),
        "n_features": _column("Int64", "width of the layer; empty where no layer was read", POSITIVE),
        "n_selected": _column("Int64", "dimensions kept", POSITIVE),
        "fraction": _column("float64", "requested share of the dimensions, in (0, 1]", SHARE),
        "repeat": _column("Int64", "number of the draw, from 0", COUNT),
        "seed": _column("Int64", "seed of the draw", COUNT),
        "n_shot": _column("Int64", "training samples a class", POSITIVE),
        "n_way": _column("Int64", "classes in an episode", POSITIVE),
        "split": _column("string", "rows on which the value is measured; of episodes, from which they are drawn"),
        "label": _column("string", "class, for class-wise rows; else what sets rows of one method or recipe apart"),
        "recipe": _column(
            "string",
            "how networks were trained, views cropped or a probe fitted; of nc1 to nc4, the convention",
        ),
        "delta": _column("float64", "share of the full-layer accuracy to be kept, in [0, 1]", UNIT),
        "l2": _column("float64", "chosen regulariser", COUNT),
        "converged": _column("boolean", "whether the fit met its tolerance; empty for closed forms"),
        "at": _column("float64", "place on the axis of a curve: step, time or strength, as its page says", FINITE),
        "metric": _column("string", "what was measured", empty=False),
        "value": _column("float64", "the measurement, finite", FINITE, empty=False),
        "low": _column("float64", "lower limit of the interval of the value, where it has one", FINITE),
        "high": _column("float64", "upper limit of that interval", FINITE),
        "sd": _column("float64", "standard deviation of what the value is the mean of", COUNT),
        "n": _column("Int64", "number of what the value is the mean of", POSITIVE),
    },
    strict=True,
    ordered=True,
    coerce=True,
    name="results table",
)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.columns)
ADDED = ("at",)  # since tables were first kept: filled in empty where an older table is read
TEXT_COLUMNS: tuple[str, ...] = tuple(n for n, c in SCHEMA.columns.items() if str(c.dtype).startswith("str"))


def column_meanings() -> pd.DataFrame:
    """Return what each column of a results table holds: columns ``column``, ``type`` and ``meaning``."""
    columns = SCHEMA.columns.items()
    return pd.DataFrame([{"column": name, "type": str(c.dtype), "meaning": c.description} for name, c in columns])


def as_table(rows: pd.DataFrame | list[dict[str, object]]) -> pd.DataFrame:
    """Return `rows` as a checked table: columns that do not apply are filled in empty, in the schema's order.

    Parameters
    ----------
    rows : DataFrame or list of dict
        One entry a measurement; every key is a column of the schema.

    Raises
    ------
    InputError
        As `check`.
    """
    table = pd.DataFrame(rows)
    _refuse_unknown(table)
    return check(table.reindex(columns=list(COLUMNS)))


def check(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with the schema's types.

    Raises
    ------
    InputError
        If a column is missing, unknown, of the wrong type or out of range; the sentence names the column.
    """
    _refuse_unknown(table)
    table = table.assign(**{name: float("nan") for name in ADDED if name not in table})
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"the results table must have a column {missing[0]!r}, but it is missing; make it with results.as_table"
        )
    try:
        checked = SCHEMA.validate(table[list(COLUMNS)], lazy=True)
    except pa.errors.SchemaErrors as error:
        raise InputError(_sentence(error)) from error
    _refuse_crossed(checked, "n_selected", "n_features")
    _refuse_crossed(checked, "low", "high")
    return checked


def _refuse_crossed(checked: pd.DataFrame, lesser: str, greater: str) -> None:
    crossed = checked.index[(checked[lesser] > checked[greater]).fillna(False)]
    if len(crossed):
        got = checked.loc[crossed[0], [lesser, greater]].tolist()
        raise InputError(
            f"column {lesser!r} of the results table must not exceed {greater!r}, got {got[0]} of {got[1]} "
            f"in row {crossed[0]}; correct the sweep that made it"
        )


def _refuse_unknown(table: pd.DataFrame) -> None:
    for name in table.columns:
        if name not in COLUMNS:
            raise InputError(
                f"the results table has no column {name!r}{near_names(str(name), COLUMNS)}; "
                f"its columns are {', '.join(COLUMNS)}"
            )


def _sentence(error: pa.errors.SchemaErrors) -> str:
    """Say what the first broken column should hold, and what stands in its first broken row."""
    case = error.failure_cases.iloc[0]
    name = case["column"]
    column = SCHEMA.columns[name]
    if case["check"] == "not_nullable":
        got = f"an empty cell in row {case['index']}"
    elif pd.isna(case["index"]):
        got = "values of another type"
    else:
        got = f"{case['failure_case']} in row {case['index']}"
    return (
        f"column {name!r} of the results table must be {column.dtype} ({column.description}), got {got}; "
        "correct the sweep that made it"
    )
