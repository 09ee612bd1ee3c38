"""Which files of the package a module or a notebook rests on, found from its imports, and their digest.

A cell of the grid is stale when its notebook, or a file of the package that the notebook imports however
indirectly, has changed; a change of the command line alone makes none of them stale.
"""

from __future__ import annotations

import ast
import functools
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from diffred_core import files

PACKAGE = Path(__file__).parents[1]


def code_of(path: Path) -> str:
    """Return the Python source of a module or of the code cells of a notebook, its magics left out."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join("".join(source) for source in cells).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def imported_names(path: Path) -> set[str]:
    """Return every dotted name that the file at `path` imports, in functions too, relative ones in full.

    ``from a import b`` gives both ``a`` and ``a.b``, because `b` may be a module.
    """
    state = path.stat()
    return _names_in(path, state.st_mtime_ns, state.st_size)


@functools.cache
def _names_in(path: Path, mtime_ns: int, size: int) -> set[str]:
    # Parsed once a version of the file: the notebooks of a grid rest on nearly the same files.
    names: set[str] = set()
    for node in statements(ast.parse(code_of(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements below `node`, in functions too, without looking into expressions, which import nothing."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements(child)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the full name of the module that ``from ... import`` names in the file at `path`."""
    if not node.level:
        return node.module or ""
    folder = path.parents[node.level - 1]
    packages = itertools.takewhile(lambda parent: (parent / "__init__.py").is_file(), (folder, *folder.parents))
    parts = [package.name for package in packages][::-1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _handed_on(stub: Path) -> set[Path]:
    """Return the modules from which the stub of a lazy package hands names on, all beside it."""
    nodes = [node for node in ast.parse(code_of(stub)).body if isinstance(node, ast.ImportFrom)]
    names = {name for node in nodes for name in ([node.module] if node.module else [a.name for a in node.names])}
    return {place for name in names for place in (stub.with_name(f"{name}.py"), stub.parent / name / "__init__.py")}


def imported_files(path: Path, *, package: Path = PACKAGE) -> set[Path]:
    """Return the files of `package` that the file at `path` imports directly, each ``__init__.py`` on the way too.

    A package that hands its names on lazily says in its stub which; whoever imports the package itself rests on all of
    them, whoever imports a module of it only passes by, and so do its own modules.
    """
    return set(_imported_files(path, package, path.stat().st_mtime_ns, _listing(package)))


@functools.cache
def _imported_files(path: Path, package: Path, mtime_ns: int, listing: int) -> frozenset[Path]:
    # Looked up once as long as neither the file nor the names of the files of the package change.
    if path.suffix == ".pyi":
        return frozenset(file for file in _handed_on(path) if file.is_file())
    files = {file for name in imported_names(path) for file in _files_of(name, package)}
    return frozenset(file for file in files if file.suffix == ".py" or not path.is_relative_to(file.parent))


def _listing(package: Path) -> int:
    """Return what changes when a file of `package` appears or goes: a folder's time does."""
    folders = (package, *(folder for folder in package.glob("**/") if folder.name != "__pycache__"))
    return hash(tuple((folder, folder.stat().st_mtime_ns) for folder in folders))


def closure(paths: Iterable[Path], *, package: Path = PACKAGE) -> set[Path]:
    """Return `paths` and every file of `package` that they import, directly or through one another."""
    reached: set[Path] = set()
    to_read, listing = list(paths), _listing(package)
    while to_read:
        path = to_read.pop()
        if path not in reached:
            reached.add(path)
            to_read.extend(_imported_files(path, package, path.stat().st_mtime_ns, listing))
    return reached


def code_digest(paths: Iterable[Path], *, package: Path = PACKAGE) -> str:
    """Return one digest of the names and bytes of the files of `package` in the closure of `paths`."""
    inside = [path for path in closure(paths, package=package) if path.is_relative_to(package)]
    return files.digest_of({path.relative_to(package).as_posix(): path.read_bytes() for path in inside})


def module_files(name: str, *, package: Path = PACKAGE) -> set[Path]:
    """Return the file of the module `name`, which is in `package`, without those of the packages on the way."""
    place = package.parent.joinpath(*name.split("."))
    return {path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()}


def _files_of(name: str, package: Path) -> Iterator[Path]:
    first, *rest = name.split(".")
    if first != package.name:
        return
    folder = package
    yield folder / "__init__.py"
    for part in rest:
        if (folder / f"{part}.py").is_file():
            yield folder / f"{part}.py"
        folder = folder / part
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
    if (folder / "__init__.pyi").is_file():
        yield folder / "__init__.pyi"
