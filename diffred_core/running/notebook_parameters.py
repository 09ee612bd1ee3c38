"""The parameters of a notebook template: one line each, ``name: type = default  # help``, and what fits them.

The same schema serves the runner (which refuses what does not fit before it starts), the command line (which
reads ``-p name=value`` by it) and the book (which prints it). The form is the one that ``papermill --help-notebook``
reads (that reader passes over ``A | None``); here a line that does not have it is an error.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from diffred_core.errors import InputError, near_names

FORM = "name: type = default  # help"


@dataclass(frozen=True)
class Parameter:
    """One line of the ``parameters`` cell.

    Parameters
    ----------
    name : str
        Name of the variable.
    kind : str
        Its annotation: bool, int, float, str, dict, ``list[...]``, ``A | B``, ``A | None``.
    default : object
        Value that the template runs with when nothing is passed.
    help : str
        The comment at the end of the line.
    """

    name: str
    kind: str
    default: object
    help: str

    def check(self, value: object) -> object:
        """Return `value` (a tuple as a list), or raise InputError when it does not fit the annotation."""
        value = list(value) if isinstance(value, tuple) else value
        if not _fits(_annotation(self.kind), value):
            raise InputError(
                f"parameter {self.name} must be {self.kind}, got {value!r}; for example {self.name}={self.default!r}"
            )
        return value

    def parse(self, text: str) -> object:
        """Return the value that `text` from a command line stands for, or raise InputError.

        A list may be written ``[0.1, 0.5]`` or ``0.1,0.5``.
        """
        for value in _readings(_annotation(self.kind), text):
            return value
        return self.check(text)


def read_parameters(template: Path | str) -> dict[str, Parameter]:
    """Return the parameters of the notebook at `template`, by name, in the order of its ``parameters`` cell.

    Raises
    ------
    InputError
        If there is no such notebook, no cell tagged ``parameters``, or a line of it has another form.
    """
    template = Path(template)
    if not template.is_file():
        known = [path.stem for path in template.parent.glob("*.ipynb")]
        raise InputError(f"expected a notebook at {template}, but there is none{near_names(template.stem, known)}")
    source = _parameters_cell(template)
    lines = source.splitlines()
    return {p.name: p for p in (_parameter(node, lines, template.name) for node in ast.parse(source).body)}


def checked(parameters: Mapping[str, object], schema: Mapping[str, Parameter], *, template: str) -> dict[str, object]:
    """Return the given `parameters`, each known to `schema` and fitting its type.

    Raises
    ------
    InputError
        On the first name that `template` does not have (with the near names), or value of another type.
    """
    for name in parameters:
        if name not in schema:
            raise InputError(
                f"{template} has no parameter {name!r}{near_names(name, schema)} (it has: {', '.join(schema)})"
            )
    return {name: schema[name].check(value) for name, value in parameters.items()}


def tagged_cells(template: Path, tag: str) -> list[str]:
    """Return the sources of the code cells of a notebook that have this tag."""
    cells = json.loads(template.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in code if tag in cell["metadata"].get("tags", [])]


def _parameters_cell(template: Path) -> str:
    for source in tagged_cells(template, "parameters"):
        return source
    raise InputError(f"{template.name} must have a code cell tagged 'parameters' with lines '{FORM}', got none; add it")


def _parameter(node: ast.stmt, lines: list[str], template: str) -> Parameter:
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
        raise InputError(
            f"every line of the parameters cell of {template} must read '{FORM}', got {lines[node.lineno - 1]!r}"
        )
    name, kind = node.target.id, ast.unparse(node.annotation)
    try:
        default = ast.literal_eval(node.value)
    except ValueError as error:
        raise InputError(
            f"the default of {name} in {template} must be a literal, got {ast.unparse(node.value)}"
        ) from error
    # The statement ends before its comment, so what follows on that line is the help.
    tail = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset :].decode()
    parameter = Parameter(name, kind, default, tail.strip().removeprefix("#").strip())
    parameter.check(default)
    return parameter


def _annotation(kind: str) -> ast.expr:
    return ast.parse(kind, mode="eval").body


def _fits(kind: ast.expr, value: object) -> bool:
    match kind:
        case ast.Constant(value=None):
            return value is None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(left, value) or _fits(right, value)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return isinstance(value, list) and all(_fits(item, element) for element in value)
        case ast.Subscript(value=ast.Name(id="dict")):
            return isinstance(value, dict)
        case ast.Name(id="float"):
            return type(value) in (int, float)
        case ast.Name(id=name):
            return type(value).__name__ == name  # exactly: True is no int, a NumPy integer is none either
    return False


def _readings(kind: ast.expr, text: str) -> Iterator[object]:
    """Yield the values of type `kind` that `text` may stand for, the likeliest first."""
    for read in (ast.literal_eval, json.loads):
        try:
            value = read(text)
        except (ValueError, SyntaxError):
            continue
        value = list(value) if isinstance(value, tuple) else value
        # A text parameter takes its text as it stands: 007 and "a" keep their digits and quotes.
        if not isinstance(value, str) and _fits(kind, value):
            yield value
    if _fits(kind, text):
        yield text
    yield from _split_readings(kind, text)


def _split_readings(kind: ast.expr, text: str) -> Iterator[object]:
    match kind:
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            parts = [next(_readings(item, part.strip()), None) for part in text.split(",")]
            if _fits(kind, parts):
                yield parts
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _split_readings(left, text)
            yield from _split_readings(right, text)
