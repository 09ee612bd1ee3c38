"""The answers of runs, made anew from their tables by the functions that their notebooks show."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any

from diffred_core import chapters
from diffred_core.drawing import Answer
from diffred_core.errors import InputError
from diffred_core.staging._runs import CellRun
from diffred_core.staging._tables import State, table_of, table_state

Made = Callable[..., Answer]
_MADE: dict[tuple[State, str], Answer | None] = {}  # by table and parameters: several pages show the same answer


def answer_of(run: CellRun) -> Answer | None:
    """Return the answer of a run that has a page; None where it has no table, or one that does not hold its claims.

    It is made by the function of `answers` in a chapter that is named like the analysis. One that takes more than the
    table of its run, as of a summary that reads several analyses, is made by its notebook alone: there is none.
    """
    function = _function(run.cell.analysis)
    if function is None:
        return None
    _, record = run.whole
    taken = inspect.signature(function).parameters
    chosen = {name: value for name, value in record.parameters.items() if name in taken and value is not None}
    key = table_state(run), f"{run.cell.analysis} {chosen}"
    if key not in _MADE:
        _MADE[key] = _made(function, run, chosen)
    return _MADE[key]


def _made(function: Made, run: CellRun, chosen: dict[str, Any]) -> Answer | None:
    try:
        return function(table_of(run), **chosen)
    except InputError:  # none, or one of an older sweep: the page says that it is out of date
        return None


@cache
def _function(analysis: str) -> Made | None:
    """Return the function of a chapter that makes the answer of `analysis` from one table; None without any."""
    for chapter in pkgutil.iter_modules(chapters.__path__, f"{chapters.__name__}."):
        answers = importlib.import_module(f"{chapter.name}.answers")
        if function := getattr(answers, analysis, None):
            required = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
            return function if len(required) == 1 else None
    return None
