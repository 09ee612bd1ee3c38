"""The results table: one row is one measurement, checked by one schema whenever it is written or read."""

from __future__ import annotations

from diffred_core.errors import needs

with needs("tables"):
    from diffred_core.files import table_path as table_path
    from diffred_core.results._gather import read_all as read_all
    from diffred_core.results._gather import read_each as read_each
    from diffred_core.results._kept import compare as compare
    from diffred_core.results._kept import keep as keep
    from diffred_core.results._kept import read_all_kept as read_all_kept
    from diffred_core.results._kept import read_kept as read_kept
    from diffred_core.results._schema import COLUMNS as COLUMNS
    from diffred_core.results._schema import as_table as as_table
    from diffred_core.results._schema import check as check
    from diffred_core.results._schema import column_meanings as column_meanings
    from diffred_core.results._store import Run as Run
    from diffred_core.results._store import collect_provenance as collect_provenance
    from diffred_core.results._store import provenance_path as provenance_path
    from diffred_core.results._store import read as read
    from diffred_core.results._store import read_provenance as read_provenance
    from diffred_core.results._store import write as write
    from diffred_core.results._summary import summarize as summarize
    from diffred_core.results._summary import where as where
