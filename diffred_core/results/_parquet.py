"""Tables in Parquet: types are kept, and a table of many rows takes a small part of its CSV."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pandas as pd

from diffred_core import files
from diffred_core.errors import InputError


def write_parquet(table: pd.DataFrame, path: Path | str) -> Path:
    """Write `table` without its index to `path`, compressed by zstd, whole or not at all.

    Returns
    -------
    Path
        `path`; missing folders are made.
    """
    content = BytesIO()
    table.to_parquet(content, engine="pyarrow", compression="zstd", index=False)
    return files.write_bytes(path, content.getvalue())


def read_parquet(path: Path | str) -> pd.DataFrame:
    """Return the table at `path`.

    Raises
    ------
    InputError
        If there is no such file, or it is no Parquet.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a Parquet file at {path}, but there is none; run the analysis that writes it first")
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:  # pyarrow's errors are ValueError, of a file cut short OSError
        raise InputError(f"expected Parquet in {path}, got something else; run its analysis again") from error
