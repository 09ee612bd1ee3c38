"""Calls of the package's own functions: what is given by place can be told apart at a glance."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from test_layers import MODULES

MOST = 5  # arguments by place


def long_calls(code: str, known: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield name and line of every call of a `known` function, or of ``cls``, with too many arguments by place."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and len(node.args) > MOST:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in known or name == "cls":
                yield name, node.lineno


def defined(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)}


def test_no_call_has_more_than_five_arguments_by_place():
    known = set().union(*map(defined, MODULES))
    calls = {(path.name, *call) for path in MODULES for call in long_calls(path.read_text(encoding="utf-8"), known)}
    assert calls == set()


def test_a_long_call_is_seen():
    assert list(long_calls("f(1, 2, 3, 4, 5, 6)\nm.f(*a, 2, 3, 4, 5, 6)", {"f"})) == [("f", 1), ("f", 2)]
    assert list(long_calls("f(1, 2, 3, 4, 5, six=6)\ng(1, 2, 3, 4, 5, 6)", {"f"})) == []
