"""All downloads of the book in one file, with what is needed to read them without the book."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

from diffred_core import files, results
from diffred_core.staging._project import Project
from diffred_core.staging._runs import CellRun

_README = """\
Diffused redundancy, a reproducible companion: all results
===========================================================

{site}

NAME--ANALYSIS.csv or .parquet   the table behind a page; NAME is task--model
NAME--ANALYSIS.ipynb             the notebook of the page, as it was executed
figures/ANALYSIS--NAME--figure-N.csv   the numbers that figure N of the page draws
provenance.json                  by file: commit, parameters, versions, machine, digests of table and features
columns.csv                      what each column of a table holds

Every table has the same columns; one row is one measurement, and what does not apply is empty.
Staged at commit {commit}. To cite a page, take the entry at its head; for the whole book see
{site}start/cite.html
"""


def archive(downloads: Mapping[str, bytes], runs: Sequence[CellRun], project: Project) -> bytes:
    """Return the files `downloads` by name in one archive, with a README, the columns and where each table is from.

    Dates are fixed, so that equal results make equal bytes.
    """
    readme = _README.format(site=project.site, commit=project.commit or "unknown")
    beside = {
        "README.txt": readme.encode(),
        "columns.csv": results.column_meanings().to_csv(index=False).encode(),
        "provenance.json": (json.dumps(_provenance(runs), indent=1, sort_keys=True) + "\n").encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted({**downloads, **beside}.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            packed.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _provenance(runs: Sequence[CellRun]) -> dict[str, object]:
    """Return the provenance of the table of every page, by the name of its file."""
    tables = [(run.cell, files.table_file(files.table_path(*run.cell.place))) for run in runs if run.has_page]
    return {
        cell.download(path.suffix).removeprefix("downloads/"): results.read_provenance(path)
        for cell, path in tables
        if path.is_file()
    }
