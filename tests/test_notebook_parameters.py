from __future__ import annotations

import papermill
import pytest
from small_checkout import PROJECT, write_notebook

from diffred_core.errors import InputError
from diffred_core.running.notebook_parameters import Parameter, checked, read_parameters

TEMPLATES = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def parameter(kind: str, default: object = None) -> Parameter:
    return Parameter("p", kind, default, "")


def test_lines_are_read_with_type_default_and_help(tmp_path):
    source = 'n: int = 3  # how many\nnames: list[str] = ["a#b"]  # é, who\ncut: float | None = None\n'
    schema = read_parameters(write_notebook(tmp_path / "a.ipynb", parameters=source))
    assert list(schema.values()) == [
        Parameter("n", "int", 3, "how many"),
        Parameter("names", "list[str]", ["a#b"], "é, who"),
        Parameter("cut", "float | None", None, ""),
    ]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_papermill_sees_the_same_names(template):
    # papermill's own reader stops at the bar of "A | B"
    plain = [name for name, p in read_parameters(template).items() if "|" not in p.kind]
    assert list(papermill.inspect_notebook(template)) == plain


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int", [0, -3], [True, 1.0, "1", None]),
        ("float", [0, 0.5], [True, "0.5"]),
        ("bool", [True], [1, "True"]),
        ("str", ["", "1"], [1, None]),
        ("str | None", ["a", None], [1]),
        ("list[float]", [[], [1, 0.5]], [[None], 0.5, "0.5"]),
        ("list[list[int]]", [[[1], []]], [[1]]),
        ("dict", [{"a": 1}], [[1]]),
    ],
)
def test_values_fit_exactly(kind, good, bad):
    for value in good:
        assert parameter(kind).check(value) == value
    for value in bad:
        with pytest.raises(InputError, match=r"^parameter p must be"):
            parameter(kind).check(value)


def test_a_tuple_becomes_a_list_because_papermill_would_make_it_a_text():
    assert parameter("list[int]").check((1, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "7", 7),
        ("float", "1e-3", 1e-3),
        ("bool", "true", True),
        ("str", "007", "007"),
        ("str | None", "None", None),
        ("str | None", "none-such", "none-such"),
        ("list[float]", "[0.1, 0.5]", [0.1, 0.5]),
        ("list[float]", "0.1,0.5", [0.1, 0.5]),
        ("list[float]", "0.1", [0.1]),
        ("list[float] | None", "0.1,1", [0.1, 1]),
        ("list[str]", "a, b", ["a", "b"]),
    ],
)
def test_texts_are_read_by_the_type(kind, text, value):
    read = parameter(kind).parse(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"), [("int", "seven"), ("float", "0.1,0.2"), ("bool", "2"), ("list[int]", "1,x")]
)
def test_texts_that_do_not_fit_are_refused(kind, text):
    with pytest.raises(InputError, match=f"p must be .*, got '{text}'"):
        parameter(kind).parse(text)


def test_unknown_names_are_refused_with_the_near_ones():
    schema = {"n_seeds": Parameter("n_seeds", "int", 1, "")}
    assert checked({"n_seeds": 2}, schema, template="a.ipynb") == {"n_seeds": 2}
    with pytest.raises(InputError, match=r"a.ipynb has no parameter 'n_seed'; did you mean 'n_seeds'\?"):
        checked({"n_seed": 2}, schema, template="a.ipynb")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("n = 3", "must read 'name: type = default  # help', got 'n = 3'"),
        ("n: int", "must read"),
        ("import os", "must read"),
        ("n: int = len('a')", "default of n in a.ipynb must be a literal"),
        ("n: int = 0.5", "parameter n must be int, got 0.5"),
        (None, "a.ipynb must have a code cell tagged 'parameters'"),
    ],
)
def test_a_wrong_template_is_refused(tmp_path, source, message):
    with pytest.raises(InputError, match=message):
        read_parameters(write_notebook(tmp_path / "a.ipynb", parameters=source))


def test_a_missing_template_names_the_near_ones(tmp_path):
    write_notebook(tmp_path / "hello.ipynb")
    with pytest.raises(InputError, match="did you mean 'hello'"):
        read_parameters(tmp_path / "helo.ipynb")
