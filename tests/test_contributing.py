"""The lists of CONTRIBUTING name what there is; an example of each kind, really added, touches no other and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from worked_examples import EXAMPLES, Example

from diffred_core.errors import InputError

ROOT = Path(__file__).parents[1]
LIMITS = {"comparator": 4, "measure in ten lines": 5, "measure": 10, "model": 10, "task": 10, "notebook": 10}
COPIED = ("diffred_core", "tests", "notebooks", "book", "workflow", "pyproject.toml", "_config.yml", "README.md")


def listed(kind: str, text: str) -> list[str]:
    """Return the files that the section "Add a <kind>" of CONTRIBUTING lists."""
    (section,) = re.findall(rf"^## Add a {kind}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^- `([^`]+)`: ", section, re.MULTILINE)


@pytest.fixture(scope="module")
def contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path) -> Path:
    """Return a copy of what an addition may touch; times are kept, so that compiled modules hold."""
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("kind", "most"), LIMITS.items())
def test_every_listed_file_is_there_and_the_list_is_short(kind, most, contributing):
    names = listed(kind, contributing)
    assert 2 < len(names) <= most
    assert [name for name in names if "NAME" not in name and not (ROOT / name).is_file()] == []


def test_a_list_of_another_file_is_seen():
    assert listed("task", "## Add a task\n\n- `nowhere.py`: the branch\n\n## House rules\n") == ["nowhere.py"]


def add(example: Example, project: Path) -> None:
    """Make the edits of an example in a copy of the project."""
    for name, edits in example.edits.items():
        path = project / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for before, after in edits:
            assert before in text, before
            text = text.replace(before, after, 1) if before else text + after
        path.write_text(text, encoding="utf-8")


def write_check(example: Example, project: Path) -> str:
    """Write the check of an example as a test of the copy, and return its file."""
    path = f"tests/test_{example.name}_added.py"
    body = textwrap.indent(textwrap.dedent(example.check), "    ")
    (project / path).write_text(f"def test_{example.name}_added():\n{body}", encoding="utf-8")
    return path


def run(project: Path, *arguments: str) -> str:
    """Return what a module of Python prints in a copy of the project, its exit code last."""
    environment = {**os.environ, "PYTHONPATH": str(project), "DIFFRED_RUNS": str(project / "runs")}
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_check_passes_before_its_example_is_added(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path))
    with pytest.raises((AssertionError, AttributeError, InputError)):
        exec(textwrap.dedent(EXAMPLES[kind].check))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_is_added_by_the_files_of_its_list_alone(kind, project, contributing):
    example = EXAMPLES[kind]
    assert set(example.edits) == {name.replace("NAME", example.name) for name in listed(kind, contributing)}
    add(example, project)
    code = [name for name in example.edits if name.endswith((".py", ".pyi", ".ipynb"))]
    check, tests = write_check(example, project), [name for name in code if name.startswith("tests/test_")]
    printed = [
        run(project, "ruff", "check", *code),
        run(project, "ruff", "format", "--diff", *code),
        run(project, "pytest", "-v", check, *tests, *example.also),
    ]
    assert [text for text in printed if not text.endswith("exit 0")] == [], "\n".join(printed)
    added = re.findall(r"def (test_\w+)\(", "".join(text for name in tests for _, text in example.edits[name]))
    assert added
    assert [name for name in (*added, f"test_{example.name}_added") if f"::{name}" not in printed[2]] == []
