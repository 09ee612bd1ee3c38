from __future__ import annotations

from pathlib import Path

import pytest
from small_checkout import write_notebook

from diffred_core import files
from diffred_core.running import sources


@pytest.fixture
def package(tmp_path) -> Path:
    root = tmp_path / "pack"
    (root / "deep").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "a.py").write_text("import numpy\nfrom pack import b\n")
    (root / "b.py").write_text("def f():\n    from pack.deep import c\n")
    (root / "deep" / "__init__.py").write_text("from pack.deep._c import c as c\n")
    (root / "deep" / "_c.py").write_text("c = 1\n")
    (root / "alone.py").write_text("import pack.a\n")
    return root


def names(paths, package):
    return {path.relative_to(package).as_posix() for path in paths}


def test_the_closure_follows_imports_into_functions_and_packages(package):
    found = sources.closure([package / "a.py"], package=package)
    assert names(found, package) == {"__init__.py", "a.py", "b.py", "deep/__init__.py", "deep/_c.py"}


def test_the_closure_sees_a_file_that_appears_and_one_that_goes(package):
    before = sources.closure([package / "a.py"], package=package)
    (package / "b").mkdir()
    (package / "b" / "__init__.py").write_text("from pack import late\n")
    (package / "late.py").write_text("")
    added = sources.closure([package / "a.py"], package=package) - before
    assert names(added, package) == {"b/__init__.py", "late.py"}
    (package / "late.py").unlink()
    assert package / "late.py" not in sources.closure([package / "a.py"], package=package)


def test_relative_imports_are_followed(package):
    (package / "deep" / "_c.py").write_text("from .. import alone\nfrom . import _d\nfrom ._e import e\n")
    for name in ("_d", "_e"):
        (package / "deep" / f"{name}.py").write_text("")
    reached = sources.closure([package / "deep" / "_c.py"], package=package)
    assert {"alone.py", "deep/_d.py", "deep/_e.py"} <= names(reached, package)


def test_imports_of_a_notebook_are_found_among_its_magics(package, tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "%matplotlib inline\n!ls\nimport pack.b as b", "from pack import a")
    assert names(sources.imported_files(notebook, package=package), package) == {"__init__.py", "a.py", "b.py"}


def test_the_digest_changes_with_what_is_imported_and_with_nothing_else(package):
    def digest():
        return sources.code_digest([package / "a.py"], package=package)

    first = digest()
    (package / "alone.py").write_text("import pack.a  # changed\n")
    assert digest() == first
    (package / "deep" / "_c.py").write_text("c = 2\n")
    assert digest() != first


def test_a_digest_tells_names_from_contents():
    assert files.digest_of({"a": b"b"}) == files.digest_of({"a": b"b"})
    assert len({files.digest_of(c) for c in ({"a": b"b"}, {"ab": b""}, {"a": b"", "b": b""}, {"b": b"a"})}) == 4


def test_a_module_is_found_as_file_or_folder(package):
    assert names(sources.module_files("pack.a", package=package), package) == {"a.py"}
    assert names(sources.module_files("pack.deep", package=package), package) == {"deep/__init__.py"}
    assert sources.module_files("pack.none", package=package) == set()
