"""The table of Harun et al. (2024): where it comes from, the 64 networks of its blocks, and how it is read.

The published table names neither networks nor OOD sets. Its rows come in 64 blocks of eight with constant
predictors, so the order of the blocks below is an inference; that the predictors of every block are those of its
network is checked when the table is read, and that the values are is seen in the averages of tables 5 to 7 and 12.
"""

from __future__ import annotations

import hashlib
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from diffred_core.chapters.tunnel_paper.names import IMAGENET, MEASURES, N_OOD, OOD_SETS, PREDICTORS
from diffred_core.errors import InputError
from diffred_core.results import published

# Of shap_analysis/experiments_results.csv in https://github.com/yousuf907/Tunnel at the commit
# 9f219d9c4f535fe686bdba81007db03a0f7028f3, under the MIT licence; its 512 rows are restated as
# `results.published.tunnel_rows`. Of the text with line ends "\n": a checkout that converts them is the same file.
SHA256 = "76239f80f856361966e7901d29be9f95c3979f3b967750ec3a04943525857f95"

# Family and which of its two sizes; side of the first kernel or patch; layers; side after the stem, of that of the
# image, as coded in the table (1 for the ViTs); millions of parameters.
_ATTRIBUTES = ("family", "size", "stem", "depth", "spatial_reduction", "parameters")
ARCHITECTURES: dict[str, tuple[str, str, int, int, float, float]] = {
    "VGGm-11": ("VGGm", "small", 3, 11, 0.5, 9.46),
    "VGGm-17": ("VGGm", "large", 3, 17, 0.5, 20.08),
    "VGGm†-11": ("VGGm", "small", 3, 11, 1.0, 9.46),  # without the first two poolings
    "VGGm†-17": ("VGGm", "large", 3, 17, 1.0, 20.08),
    "ResNet-18": ("ResNet", "small", 7, 18, 0.25, 11.22),
    "ResNet-34": ("ResNet", "large", 7, 34, 0.25, 21.33),
    "ViT-T": ("ViT", "small", 8, 12, 1.0, 5.61),
    "ViT-T+": ("ViT", "large", 8, 18, 1.0, 8.39),
}
# Training images and classes. A subset is named by its classes and images a class.
TRAINING: dict[str, tuple[int, int]] = {
    IMAGENET: (126_689, 100),
    "CIFAR-100": (50_000, 100),
    "CIFAR-10": (50_000, 10),
    **{
        f"{IMAGENET} {c}x{n}": (c * n, c)
        for c, n in ((100, 100), (100, 200), (100, 500), (100, 700), (10, 1000), (50, 200))
    },
}
_NO_YES = (False, True)
_TOLERANCE = 1e-3  # of the over-parameterisation, which follows from rounded numbers of parameters


def _column(name: str, meaning: str, kind: str, *checks: pa.Check) -> pa.Column:
    return pa.Column(kind, list(checks), title=name, description=meaning)


_PRODUCT = "a product of two accuracies above chance, in [-1, 1]"
PUBLISHED_SCHEMA = pa.DataFrameSchema(
    {
        "Pearson Correlation": _column("correlation", "in [-1, 1]", "float64", pa.Check.in_range(-1, 1)),
        "ID OOD Alignment": _column("alignment", _PRODUCT, "float64", pa.Check.in_range(-1, 1)),
        "Percentage OOD retained": _column("retained", "in (0, 100]", "float64", pa.Check.in_range(1e-9, 100)),
        "Stem": _column("stem", "a number", "float64"),
        "Spatial Reduction": _column("spatial_reduction", "a number", "float64"),
        "CNN vs ViT": _column("architecture", "CNN or Transformer", "string", pa.Check.isin(("CNN", "Transformer"))),
        "Augmentations": _column("augmentations", "0 or 2", "Int64", pa.Check.isin((0, 2))),
        "Resolution": _column("resolution", "at least 1", "Int64", pa.Check.ge(1)),
        "ID Class Count": _column("classes", "at least 2", "Int64", pa.Check.ge(2)),
        "OverParam. Level": _column("over_parameterisation", "above 0", "float64", pa.Check.in_range(1e-9, 1e9)),
        "Depth": _column("depth", "at least 1", "Int64", pa.Check.ge(1)),
    },
    strict=True,
    ordered=True,
    coerce=True,
    name="experiments_results.csv",
)
HEADINGS = {heading: column.title for heading, column in PUBLISHED_SCHEMA.columns.items()}  # to the name here


def extent(rows: pd.DataFrame, path: Path | str | None = None) -> str:
    """Return how many of the `rows` and networks of `read` there are, and whether they are the published ones."""
    known = "the published ones" if digest(path) == SHA256 else "NOT the published ones"
    return f"{len(rows)} rows of {rows['block'].nunique()} networks, {known}"


def digest(path: Path | str | None = None) -> str:
    """Return the SHA-256 of the file at `path` with line ends as published; None stands for the published rows."""
    if path is None:
        return SHA256
    return hashlib.sha256(Path(path).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def networks() -> pd.DataFrame:
    """Return the 64 networks, one row a block of the table.

    Returns
    -------
    DataFrame
        Columns block, name (as the paper names a network in tables 5 to 7: ``VGGm-17, augmentation, 32``, with the ID
        set where it is not all of ImageNet-100), network, family, size, id_set, augmentation (bool), resolution; and
        the predictors of the table, by their definitions: `names.PREDICTORS`.
    """
    return pd.DataFrame([_row(block, *place) for block, place in enumerate(_order())])


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
    # networks trained on CIFAR-100 are tested on CIFAR-10, the others on CIFAR-100
    cifar = table["id_set"].map({"CIFAR-100": "CIFAR-10"}).fillna("CIFAR-100")
    return table.assign(ood_set=table["ood_set"].where(table["ood_set"] != "CIFAR", cifar))


def _order() -> list[tuple[str, str, bool, int]]:
    """Return network, ID set, augmentation and resolution of every block."""
    plain = ("VGGm-11", "VGGm-17", "ResNet-18", "ResNet-34", "ViT-T", "ViT-T+")
    no_pooling = ("VGGm†-11", "VGGm†-17")
    cifar = product(("CIFAR-100",), ("VGGm-11", "VGGm-17", *no_pooling), _NO_YES)
    cifar10 = product(("CIFAR-10",), ("VGGm-11", "VGGm-17"), _NO_YES)
    subsets = product((name for name in TRAINING if name.startswith(f"{IMAGENET} ")), ("VGGm-11",), _NO_YES)
    return [
        *((n, IMAGENET, a, r) for n, a, r in product(plain, _NO_YES, (32, 224))),
        *((n, IMAGENET, a, 32) for n, a in product(no_pooling, _NO_YES)),
        *((n, task, a, 32) for task, n, a in (*cifar, *cifar10)),
        # Here the ViT stands before the ResNet, unlike above.
        *((n, IMAGENET, a, r) for n, r, a in product(("VGGm-17", "ViT-T+", "ResNet-18"), (64, 128), _NO_YES)),
        *((n, task, a, 32) for task, n, a in subsets),
    ]


def _row(block: int, network: str, id_set: str, augmentation: bool, resolution: int) -> dict[str, object]:
    images, classes = TRAINING[id_set]
    row = dict(zip(_ATTRIBUTES, ARCHITECTURES[network], strict=True))
    name = f"{network}, {'augmentation' if augmentation else 'no augmentation'}, {resolution}"
    return row | {
        "block": block,
        "name": name if id_set == IMAGENET else f"{name}, {id_set}",
        "network": network,
        "id_set": id_set,
        "augmentation": augmentation,
        "architecture": "Transformer" if row["family"] == "ViT" else "CNN",
        "augmentations": 2 * augmentation,
        "resolution": resolution,
        "classes": classes,
        "over_parameterisation": 1e6 * row.pop("parameters") / images,
    }


def _checked(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"expected path to be the table experiments_results.csv of Harun et al. (2024), but there is no file "
            f"{str(path)!r}; leave path out to have the published rows"
        )
    try:
        table = PUBLISHED_SCHEMA.validate(pd.read_csv(path), lazy=True)
    except pa.errors.SchemaErrors as error:
        raise InputError(_sentence(error, path.name)) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"expected {path.name} to be a table of comma-separated values, got {error}") from error
    # Plain types: nothing is missing now.
    table = table.astype({"Augmentations": int, "Resolution": int, "ID Class Count": int, "Depth": int})
    return table.rename(columns=HEADINGS)


def _sentence(error: pa.errors.SchemaErrors, name: str) -> str:
    case = error.failure_cases.iloc[0]
    if case["check"] == "column_in_dataframe":
        return f"expected a column {case['failure_case']!r} in {name}, but there is none; use the published file"
    if case["check"] in ("column_in_schema", "column_ordered"):
        return f"{name} has a column {case['failure_case']!r} where the published file has another; use that file"
    column = PUBLISHED_SCHEMA.columns[case["column"]]
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
