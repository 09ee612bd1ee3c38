"""The API pages, written from the source: nothing is imported, so they cost milliseconds and cannot run code.

One page for each room of the package, with the objects of Sphinx's Python domain: every public name stands in the
inventory ``objects.inv``, where other books find it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from diffred_core.running.sources import statements
from diffred_core.staging._markdown import to_markdown

_HEAD = """# API

Public names of the package `diffred_core`, room by room, written from the docstrings of the staged commit.
Arguments in front of `*` are data and positional; the rest are options.

{package}

| room | what is in it |
|---|---|
{rooms}
"""
_Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
_SHORT = 80  # characters of a constant up to which its value is shown


@dataclass(frozen=True)
class Public:
    """A public name of a module, with where it is defined."""

    name: str
    node: _Definition
    file: Path


@dataclass(frozen=True)
class Module:
    """A public module with its public names; `name` is the one under which it is imported."""

    name: str
    file: Path
    public: tuple[Public, ...]

    @property
    def page(self) -> str:
        """Name of the page that holds it: that of its room, which for a chapter is its folder."""
        parts = self.name.split(".")[1:]
        return f"back/api/{'-'.join(parts[: 2 if parts[0] == 'chapters' else 1])}"


def public_modules(package: Path) -> list[Module]:
    """Return every public module below `package`, in the order of their names.

    A package that has an ``__init__.pyi`` hands on the modules that it names there; any other one those whose name
    does not start with an underscore.
    """
    files = sorted(_files(package), key=lambda file: _module_name(file, package))
    return [Module(_module_name(file, package), file, tuple(_public(file, package))) for file in files]


def api_pages(package: Path, *, source_url: str) -> dict[str, str]:
    """Return the Markdown of the API pages by name: ``back/api`` and one page below it for each room.

    Below the address `source_url` stand the files of the checkout, as ``https://.../blob/<commit>``.
    """
    pages: dict[str, str] = {}
    rooms = []
    for module in public_modules(package):
        if module.page not in pages:
            rooms.append(f"| {{py:mod}}`{module.name}` | {_text(_parse(module.file), first=True)} |")
        mark = "##" if module.page in pages else "#"
        sections = _section(module, mark, package=package, source_url=source_url)
        pages[module.page] = pages.get(module.page, "") + sections
    head = _HEAD.format(package=_text(_parse(package / "__init__.py")), rooms="\n".join(rooms))
    return {"back/api": head, **pages}


def public_names(package: Path) -> dict[tuple[str, str], str]:
    """Return the full name of every pair (last part of a module's name, public name) that names one thing alone."""
    names: dict[tuple[str, str], set[str]] = {}
    for module in public_modules(package):
        parent, _, last = module.name.rpartition(".")
        names.setdefault((parent.rpartition(".")[2], last), set()).add(module.name)
        for public in module.public:
            names.setdefault((last, public.name), set()).add(f"{module.name}.{public.name}")
    return {pair: full.pop() for pair, full in names.items() if len(full) == 1}


def _files(package: Path) -> Iterator[Path]:
    stub, handed_on = package / "__init__.pyi", None
    if stub.is_file():
        imports = [node for node in _parse(stub).body if isinstance(node, ast.ImportFrom) and node.module is None]
        handed_on = {alias.name for node in imports for alias in node.names}
    for path in package.iterdir():
        if path.name.startswith(("_", ".")) or (handed_on is not None and path.stem not in handed_on):
            continue
        if (path / "__init__.py").is_file():
            yield path / "__init__.py"
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def _module_name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if file.name == "__init__.py" else parts)


def _public(module: Path, package: Path) -> Iterator[Public]:
    """Yield what `module` defines and what it hands on: all that an ``__init__`` imports, elsewhere ``x as x``."""
    yield from (Public(name, node, module) for name, node in _definitions(module).items() if not name.startswith("_"))
    stub = module.with_suffix(".pyi")
    for node in statements(_parse(stub if stub.is_file() else module)):
        if isinstance(node, ast.ImportFrom):
            yield from _handed_on(node, module, package)


def _handed_on(statement: ast.ImportFrom, module: Path, package: Path) -> Iterator[Public]:
    base = module.parent if statement.level else package.parent
    file = base.joinpath(*(statement.module or "").split(".")).with_suffix(".py")
    if not file.is_file() or not file.is_relative_to(package):
        return
    definitions = _definitions(file)
    for alias in statement.names:
        if alias.asname == alias.name and alias.name in definitions and not alias.name.startswith("_"):
            yield Public(alias.name, definitions[alias.name], file)


def _definitions(file: Path) -> dict[str, _Definition]:
    """Return the functions, classes and constants of `file` by name."""
    definitions: dict[str, _Definition] = {}
    for node in _parse(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id.isupper():
                definitions[target.id] = node
    return definitions


def _section(module: Module, mark: str, *, package: Path, source_url: str) -> str:
    names = [f"- {{py:obj}}`{p.name} <{module.name}.{p.name}>`" for p in module.public]
    parts = [f"{mark} {module.name}\n", f"```{{py:module}} {module.name}\n```\n", _text(_parse(module.file))]
    parts += ["", "\n".join(names), ""]
    for public in module.public:
        file = public.file.relative_to(package.parent).as_posix()
        parts.append(_entry(public, f"{source_url}/{file}#L{public.node.lineno}"))
    return "\n".join(parts) + "\n"


def _entry(public: Public, link: str) -> str:
    node, source = public.node, f"[source]({link})"
    if isinstance(node, ast.FunctionDef):
        return _directive("py:function", _signature(node), _text(node), source)
    if isinstance(node, ast.ClassDef):
        methods = [_method(m) for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
        bases = [f"Bases: {', '.join(f'`{ast.unparse(base)}`' for base in node.bases)}."] if node.bases else []
        parts = [*bases, _text(node), *methods, source]
        return _directive("py:class", _constructor(node), *parts, fence=6)
    value = ast.unparse(node.value) if node.value is not None else ""
    options = f":value: {value}\n" if 0 < len(value) <= _SHORT else ""
    return _directive("py:data", public.name, source, options=options)


def _method(node: ast.FunctionDef) -> str:
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    if decorators & {"property", "cached_property"}:
        options = f":type: {ast.unparse(node.returns)}\n" if node.returns else ""
        return _directive("py:property", node.name, _text(node), options=options)
    options = "".join(f":{name}:\n" for name in ("classmethod", "staticmethod") if name in decorators)
    return _directive("py:method", _signature(node), _text(node), options=options)


def _directive(kind: str, argument: str, *content: str, options: str = "", fence: int = 5) -> str:
    text = "\n\n".join(part for part in content if part.strip())
    return f"{'`' * fence}{{{kind}}} {argument}\n{options}\n{text}\n{'`' * fence}\n"


def _signature(node: ast.FunctionDef, name: str | None = None) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and name is None else ""
    arguments = node.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments = ast.arguments(**{**vars(arguments), "args": arguments.args[1:]})
    return f"{name or node.name}({ast.unparse(arguments)}){returns}"


def _constructor(node: ast.ClassDef) -> str:
    """Return the class with what makes one: the arguments of ``__init__``, or the fields of a dataclass."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            return _signature(method, node.name)
    fields = [ast.unparse(f) for f in node.body if isinstance(f, ast.AnnAssign)]
    fields = [field for field in fields if not field.startswith("_")]
    return f"{node.name}({', '.join(fields)})" if fields else node.name


def _text(node: ast.FunctionDef | ast.ClassDef | ast.Module, *, first: bool = False) -> str:
    """Return the docstring, or its `first` paragraph on one line, as Markdown."""
    text = ast.get_docstring(node) or ""
    return to_markdown(text.partition("\n\n")[0].replace("\n", " ") if first else text)


def _parse(file: Path) -> ast.Module:
    return _parse_text(file.read_text(encoding="utf-8"))


@lru_cache(maxsize=512)  # a file is asked for its names by every module that hands some on
def _parse_text(text: str) -> ast.Module:
    return ast.parse(text)
