"""One word, one meaning: variables are named by what they hold, and a class name stands for one class."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_layers import MODULES, room_of

# Words of grammar: they say how a value came, not what it is.
BANNED = {"found", "seen", "given", "asked", "told", "said", "mine", "theirs", "ours", "had"}


def variables(tree: ast.AST) -> Iterator[str]:
    """Yield the names that the code of `tree` binds to values: variables, arguments, keys of patterns, imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("room", sorted({room_of(path) for path in MODULES}))
def test_variables_say_what_they_hold(room):
    files = [path for path in MODULES if room_of(path) == room]
    assert {
        (path.name, name) for path in files for name in variables(parsed(path)) if name.strip("_") in BANNED
    } == set()


@pytest.mark.parametrize(
    "code",
    [
        "found = 1",
        "for found in x: pass",
        "[found for found in x]",
        "if (found := f()): pass",
        "lambda found: 1",
        "def f(*, found=1): pass",
        "with f() as found: pass",
        "try: pass\nexcept E as found: pass",
        "import numpy as found",
        "a, *found = x",
        "match x:\n    case [1, found]: pass",
    ],
)
def test_a_planted_variable_is_seen(code):
    assert "found" in set(variables(ast.parse(code)))


def test_what_is_only_read_or_called_is_no_variable():
    assert set(variables(ast.parse("f(found=1); found.x; x.found = 1; 'found'"))) == set()


def test_a_class_name_stands_for_one_class():
    names = Counter(node.name for path in MODULES for node in parsed(path).body if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()
