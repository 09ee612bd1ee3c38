"""The answers of runs, made anew from their tables by the functions that their notebooks show."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator

from diffred_core import chapters, files, results
from diffred_core.drawing import Answer
from diffred_core.errors import InputError
from diffred_core.staging._runs import CellRun


def answer_of(run: CellRun) -> Answer | None:
    """Return the answer of a run that has a page; None where it has no table, or one that does not hold its claims.

    It is made by the function of `answers` in a chapter that is named like the analysis.
    """
    _, record = run.whole
    for function in _functions(run.cell.analysis):
        taken = inspect.signature(function).parameters
        chosen = {name: value for name, value in record.parameters.items() if name in taken and value is not None}
        try:
            return function(results.read(files.table_path(*run.cell.place)), **chosen)
        except InputError:  # none, or one of an older sweep: the page says that it is out of date
            return None
    return None


def _functions(analysis: str) -> Iterator[Callable[..., Answer]]:
    for chapter in pkgutil.iter_modules(chapters.__path__, f"{chapters.__name__}."):
        answers = importlib.import_module(f"{chapter.name}.answers")
        if function := getattr(answers, analysis, None):
            yield function
