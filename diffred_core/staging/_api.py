"""The API page, written from the source: nothing is imported, so the page costs milliseconds and cannot run code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diffred_core.staging._docstrings import to_markdown

_HEAD = """# API

Public names of the package `diffred_core`, module by module, written from the docstrings of the staged commit.
Arguments in front of `*` are data and positional; the rest are options.

{package}
"""
_Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class _Public:
    name: str
    node: _Definition
    file: Path


def api_page(package: Path, *, source_url: str) -> str:
    """Return the Markdown of the API page.

    Parameters
    ----------
    package
        Folder of the package.
    source_url
        Address under which the files of the checkout are shown, such as ``https://.../blob/<commit>``.
    """
    page = [_HEAD.format(package=to_markdown(_docstring(package / "__init__.py")))]
    for module in _modules(package):
        definitions = list(_public(module))
        if not definitions and module.name != "__init__.py":
            continue
        page.append(_section(module, definitions, package=package, source_url=source_url))
    return "\n".join(page)


def public_names(package: Path) -> set[tuple[str, str]]:
    """Return the pairs (module, name) that the API page of `package` holds."""
    return {(_module_name(file), public.name) for file in _modules(package) for public in _public(file)}


def label(module: str, name: str) -> str:
    """Return the label of ``module.name`` on the API page, for links from prose."""
    return f"api-{module}-{name}".lower()


def _modules(package: Path) -> Iterator[Path]:
    for path in sorted(package.iterdir()):
        if path.name.startswith("_") or path.name.startswith("."):
            continue
        if path.is_dir() and (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif path.suffix == ".py":
            yield path


def _module_name(file: Path) -> str:
    return file.parent.name if file.name == "__init__.py" else file.stem


def _public(module: Path) -> Iterator[_Public]:
    """Yield what `module` defines, or, for a package, what its ``__init__`` takes from its private files."""
    tree = _parse(module)
    yield from (_Public(node.name, node, module) for node in tree.body if _is_public(node))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and module.name == "__init__.py":
            yield from _reexported(node, module.parent)


def _reexported(statement: ast.ImportFrom, folder: Path) -> Iterator[_Public]:
    parts = (statement.module or "").split(".")
    inside = parts[parts.index(folder.name) + 1 :] if folder.name in parts else parts[-1:]
    file = folder.joinpath(*inside).with_suffix(".py")
    if not file.is_file():
        return
    found = {node.name: node for node in _parse(file).body if isinstance(node, _Definition)}
    for alias in statement.names:
        if alias.name in found and not alias.name.startswith("_"):
            yield _Public(alias.asname or alias.name, found[alias.name], file)


def _section(module: Path, definitions: list[_Public], *, package: Path, source_url: str) -> str:
    name = _module_name(module)
    parts = [f"## diffred_core.{name}\n", to_markdown(_docstring(module)), ""]
    for public in definitions:
        link = f"{source_url}/{public.file.relative_to(package.parent).as_posix()}#L{public.node.lineno}"
        parts += [f"({label(name, public.name)})=", f"### {name}.{public.name}\n"]
        parts += [*_entry(public.node), f"[source]({link})\n"]
    return "\n".join(parts)


def _entry(node: _Definition) -> Iterator[str]:
    yield _signature_block(node)
    yield to_markdown(ast.get_docstring(node) or "") + "\n"
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                yield f"**`.{_signature(method)}`**\n"
                yield to_markdown(ast.get_docstring(method) or "") + "\n"


def _signature_block(node: _Definition) -> str:
    text = _signature(node) if isinstance(node, ast.FunctionDef) else _fields(node)
    return f"```{{code-block}} python\n:class: api-signature\n\n{text}\n```\n"


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("self")
    return f"{node.name}({arguments}){returns}"


def _fields(node: ast.ClassDef) -> str:
    """Return the class with its declared fields, as a dataclass shows them."""
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    fields = [
        ast.unparse(f) for f in node.body if isinstance(f, ast.AnnAssign) and not ast.unparse(f.target).startswith("_")
    ]
    init = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    lines = fields or [_signature(method) for method in init]
    return "\n".join([f"class {node.name}{bases}", *(f"    {line}" for line in lines)])


def _is_public(node: ast.stmt) -> bool:
    return isinstance(node, _Definition) and not node.name.startswith("_")


def _docstring(file: Path) -> str:
    return ast.get_docstring(_parse(file)) or ""


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
