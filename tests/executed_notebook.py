"""A notebook executed on little, in a folder of its own: what both notebooks of networks trained here are tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import papermill
import pytest

from diffred_core import files, results


@contextmanager
def executed_notebook(
    template: Path, folder: Path, *, model: str, parameters: Mapping[str, object]
) -> Iterator[tuple[Path, pd.DataFrame, Path]]:
    """Yield the executed notebook, its table and the folder of its results, which the environment names meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder))
        output, table = folder / "executed.ipynb", files.table_path(str(parameters["task"]), model, template.stem)
        patch.setenv(files.TABLE, str(table))
        papermill.execute_notebook(template, output, parameters=parameters, progress_bar=False, kernel_name="python3")
        yield output, results.read(table), folder
