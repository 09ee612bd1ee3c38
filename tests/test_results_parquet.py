"""Parquet files of tables: the same values and types, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diffred_core.errors import InputError
from diffred_core.results._parquet import read_parquet, write_parquet

TABLE = pd.DataFrame(
    {
        "task": pd.array(["digits", "NA", None], dtype="string"),
        "repeat": pd.array([0, None, 2**53 + 1], dtype="Int64"),
        "converged": pd.array([True, None, False], dtype="boolean"),
        "value": np.array([0.1, 1 / 3, np.nan]),
    }
)


def test_a_table_comes_back_with_its_types(tmp_path: Path) -> None:
    path = write_parquet(TABLE.set_index(pd.Index([5, 3, 1])), tmp_path / "new" / "t.parquet")
    pd.testing.assert_frame_equal(read_parquet(path), TABLE, check_exact=True)
    assert [file.name for file in path.parent.iterdir()] == ["t.parquet"]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = write_parquet(TABLE, tmp_path / "t.parquet")
    before = path.read_bytes()
    with pytest.raises(Exception, match="mixed"):
        write_parquet(pd.DataFrame({"mixed": [1, "one"]}), path)
    assert path.read_bytes() == before
    write_parquet(TABLE.iloc[:1], path)
    assert path.read_bytes() != before


def test_no_file_and_no_parquet_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a Parquet file at .*none\.parquet, but there is none"):
        read_parquet(tmp_path / "none.parquet")
    whole = write_parquet(TABLE, tmp_path / "t.parquet").read_bytes()
    for content in (b"task,value\n", whole[: len(whole) // 2], b""):
        (tmp_path / "t.parquet").write_bytes(content)
        with pytest.raises(InputError, match=r"expected Parquet in .*t\.parquet, got something else"):
            read_parquet(tmp_path / "t.parquet")
