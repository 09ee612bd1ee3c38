"""Reading the 512 rows: one schema, and a name for every network and OOD set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from diffred_core.chapters.tunnel_paper.names import MEASURES, N_OOD, OOD_SETS, PREDICTORS
from diffred_core.chapters.tunnel_paper.networks import networks
from diffred_core.errors import InputError
from diffred_core.results import published

COLUMNS: dict[str, str] = {  # heading in the file: name here
    "Pearson Correlation": "correlation",
    "ID OOD Alignment": "alignment",
    "Percentage OOD retained": "retained",
    "Stem": "stem",
    "Spatial Reduction": "spatial_reduction",
    "CNN vs ViT": "architecture",
    "Augmentations": "augmentations",
    "Resolution": "resolution",
    "ID Class Count": "classes",
    "OverParam. Level": "over_parameterisation",
    "Depth": "depth",
}
_TOLERANCE = 1e-3  # of the over-parameterisation, which follows from rounded numbers of parameters


def _numbers(meaning: str, low: float, high: float) -> pa.Column:
    return pa.Column("float64", pa.Check.in_range(low, high), description=meaning)


SCHEMA = pa.DataFrameSchema(
    {
        "Pearson Correlation": _numbers("in [-1, 1]", -1, 1),
        "ID OOD Alignment": _numbers("a product of two accuracies above chance, in [-1, 1]", -1, 1),
        "Percentage OOD retained": _numbers("in (0, 100]", 1e-9, 100),
        **{name: pa.Column("float64", description="a number") for name in ("Stem", "Spatial Reduction")},
        "CNN vs ViT": pa.Column("string", pa.Check.isin(("CNN", "Transformer")), description="CNN or Transformer"),
        "Augmentations": pa.Column("Int64", pa.Check.isin((0, 2)), description="0 or 2"),
        "Resolution": pa.Column("Int64", pa.Check.ge(1), description="at least 1"),
        "ID Class Count": pa.Column("Int64", pa.Check.ge(2), description="at least 2"),
        "OverParam. Level": _numbers("above 0", 1e-9, 1e9),
        "Depth": pa.Column("Int64", pa.Check.ge(1), description="at least 1"),
    },
    strict=True,
    ordered=True,
    coerce=True,
    name="experiments_results.csv",
)


def read(path: Path | str | None = None) -> pd.DataFrame:
    """Return the table of Harun et al. (2024) with names.

    Parameters
    ----------
    path : path, optional
        Their ``experiments_results.csv``, or a table of its form: 64 blocks of eight rows in the published order. By
        default the published rows, as this package restates them.

    Returns
    -------
    DataFrame
        512 rows. Columns block, name, network, family, size, id_set, augmentation (bool); position (0 to 7) and
        ood_set; the measures retained (per cent), correlation and alignment; and the predictors as the file has them.

    Raises
    ------
    InputError
        If there is no such file, a column is missing or of another kind, there are not 512 rows, or a block does not
        hold the predictors of the network that stands there in the published order.
    """
    measured = published.tunnel_rows() if path is None else _checked(Path(path).expanduser())
    names = networks()
    expected = names.loc[names.index.repeat(N_OOD)].reset_index(drop=True)
    if len(measured) != len(expected):
        raise InputError(
            f"expected {len(expected)} rows in {Path(str(path)).name} ({len(names)} networks, {N_OOD} OOD sets each), "
            f"got {len(measured)}; use the published file"
        )
    _check_blocks(measured, expected)
    named = expected.drop(columns=list(PREDICTORS)).assign(position=np.tile(np.arange(N_OOD), len(names)))
    table = named.assign(ood_set=np.array(OOD_SETS)[named["position"]]).join(measured[[*MEASURES, *PREDICTORS]])
    table["ood_set"] = _named_cifar(table)
    return table


def _named_cifar(table: pd.DataFrame) -> pd.Series:
    """Say which CIFAR it is: networks trained on CIFAR-100 are tested on CIFAR-10, the others on CIFAR-100."""
    other = table["id_set"].map({"CIFAR-100": "CIFAR-10"}).fillna("CIFAR-100")
    return table["ood_set"].where(table["ood_set"] != "CIFAR", other)


def _checked(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"expected path to be the table experiments_results.csv of Harun et al. (2024), but there is no file "
            f"{str(path)!r}; leave path out to have the published rows"
        )
    try:
        table = SCHEMA.validate(pd.read_csv(path), lazy=True)
    except pa.errors.SchemaErrors as error:
        raise InputError(_sentence(error, path.name)) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"expected {path.name} to be a table of comma-separated values, got {error}") from error
    # Plain types: nothing is missing now.
    table = table.astype({"Augmentations": int, "Resolution": int, "ID Class Count": int, "Depth": int})
    return table.rename(columns=COLUMNS)


def _sentence(error: pa.errors.SchemaErrors, name: str) -> str:
    case = error.failure_cases.iloc[0]
    if case["check"] == "column_in_dataframe":
        return f"expected a column {case['failure_case']!r} in {name}, but there is none; use the published file"
    if case["check"] in ("column_in_schema", "column_ordered"):
        return f"{name} has a column {case['failure_case']!r} where the published file has another; use that file"
    column = SCHEMA.columns[case["column"]]
    where = "" if pd.isna(case["index"]) else f" in row {case['index']}"
    return (
        f"expected column {case['column']!r} of {name} to be {column.description}, got {case['failure_case']}{where}; "
        "use the published file"
    )


def _check_blocks(measured: pd.DataFrame, expected: pd.DataFrame) -> None:
    for name in PREDICTORS:
        if name == "architecture":
            same = (measured[name] == expected[name]).to_numpy(dtype=bool)
        else:
            same = np.isclose(measured[name], expected[name], rtol=_TOLERANCE, atol=0)
        if not same.all():
            row = int(np.argmin(same))
            raise InputError(
                f"expected {name} {_short(expected.loc[row, name])} in row {row}, since block {row // N_OOD} is "
                f"{expected.loc[row, 'network']}, got {_short(measured.loc[row, name])}; keep the published order of "
                "rows"
            )


def _short(value: object) -> str:
    return value if isinstance(value, str) else f"{value:g}"
