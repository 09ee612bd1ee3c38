"""Parquet files of tables: the same values and types, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diffred_core import files, results
from diffred_core.errors import InputError
from diffred_core.results import _store
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


def rows(n: int, **changes: object) -> pd.DataFrame:
    shared = {"experiment": "e", "task": "NA", "model": "m", "layer": "0", "method": "random", "metric": "accuracy"}
    return results.as_table(
        pd.DataFrame({"value": np.arange(n) / 7, "repeat": np.arange(n)}).assign(**shared | changes)
    )


def test_a_long_table_is_parquet_and_a_short_one_csv_and_both_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "t" / "m" / "e.csv"
    assert results.write(rows(50), place, provenance={"of": "short"}) == place
    short = results.read(place)
    monkeypatch.setattr(_store, "LONGEST_CSV", 49)
    written = results.write(rows(50), place, provenance={"of": "long"})
    assert (written, place.exists()) == (place.with_suffix(".parquet"), False)
    pd.testing.assert_frame_equal(results.read(place), short)
    pd.testing.assert_frame_equal(results.read(written), short)
    pd.testing.assert_frame_equal(results.read_all(tmp_path, analysis="e"), short)
    assert results.read_provenance(place)["of"] == results.read_provenance(written)["of"] == "long"
    assert results.write(rows(49), place, provenance={"of": "short again"}) == place
    assert sorted(path.name for path in place.parent.iterdir()) == ["e.csv", "e.provenance.json"]
    assert len(results.read(place)) == len(results.read_all(tmp_path, analysis="e")) == 49


def test_of_two_tables_that_a_crash_left_the_last_one_counts_and_does_not_pass_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "e.csv"
    results.write(rows(3), place, provenance={})
    os.utime(place, ns=(0, 0))
    write_parquet(rows(5), place.with_suffix(".parquet"))
    assert len(results.read(place)) == 5
    with pytest.raises(InputError, match=r"e\.parquet is not the table that its provenance describes"):
        results.read_provenance(place)
    place.with_suffix(".parquet").unlink()
    assert results.read_provenance(place)["table_sha256"] == files.sha256(place)


def test_parquet_that_breaks_the_schema_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "e.csv"
    write_parquet(rows(3).assign(value=np.inf), place.with_suffix(".parquet"))
    with pytest.raises(InputError, match=r"e\.parquet: column 'value' of the results table must be float64"):
        results.read(place)
    write_parquet(rows(3), place.with_suffix(".parquet"))
    assert len(results.read(place)) == 3
