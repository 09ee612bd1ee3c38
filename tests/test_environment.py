"""The ways to install agree: the lock pins what pyproject.toml asks for, and conda users get the lock."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
WAITING = {  # errors of mypy by room, where pyproject.toml ignores them: a number may only shrink
    **{"backbones": 7, "chapters": 112, "cli": 7, "datasets": 5, "drawing": 15, "estimators": 32, "features": 8},
    **{"small_networks": 13, "staging": 39},
}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def asked_for() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    asked = [Requirement(line) for group in (project()["dependencies"], *extras) for line in group]
    return [requirement for requirement in asked if requirement.name != project()["name"]]


def locked() -> dict[str, set[str]]:
    """Return every version that the lock names for each package (one for each Python, at most)."""
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.M):
        pins.setdefault(name.lower().replace("_", "-"), set()).add(version)
    return pins


def unmet(requirements: list[Requirement], pins: dict[str, set[str]]) -> list[str]:
    return [
        str(r)
        for r in requirements
        if not pins.get(r.name.lower()) or not all(r.specifier.contains(v) for v in pins[r.name.lower()])
    ]


def test_the_lock_meets_every_requirement():
    assert unmet(asked_for(), locked()) == []


@pytest.mark.parametrize("line", ["torch>=99", "no-such-package", "jupyter-book>=2"])
def test_an_unmet_requirement_would_be_seen(line):
    assert unmet([Requirement(line)], locked()) == [line]


def test_every_pin_has_a_hash_and_no_index_is_named():
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text[text.index("\n") :])
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.split("\n")[0])
    assert not re.search(r"https?://|--index-url|--find-links|file:", text)


def test_the_core_is_what_the_arrays_import():
    core = {Requirement(line).name for line in project()["dependencies"]}
    assert core == {"torch", "numpy", "scipy", "lazy-loader"}


def test_the_pins_of_the_readme_are_those_of_the_lock():
    pinned = re.findall(r"\b(torch|torchvision)==([0-9.]+)", (ROOT / "README.md").read_text())
    assert {name for name, _ in pinned} == {"torch", "torchvision"}
    assert all(locked()[name] == {version} for name, version in pinned)


def ignored(text: str) -> set[str]:
    """Return the rooms whose types mypy does not check, by the settings in `text`."""
    overrides = tomllib.loads(text)["tool"]["mypy"]["overrides"]
    modules = [name for o in overrides if o.get("ignore_errors") for name in o["module"]]
    return {name.removeprefix("diffred_core.").removesuffix(".*") for name in modules}


def test_what_waits_for_types_is_known():
    text = (ROOT / "pyproject.toml").read_text()
    assert ignored(text) <= set(WAITING)
    assert not ignored(text.replace('"diffred_core.cli.*"', '"diffred_core.cka.*"')) <= set(WAITING)


def test_errors_that_wait_for_types_only_shrink(tmp_path, request):
    settings = (ROOT / "pyproject.toml").read_text().replace("ignore_errors = true", "ignore_errors = false")
    (tmp_path / "pyproject.toml").write_text(settings)
    places = {"config-file": tmp_path / "pyproject.toml", "cache-dir": request.config.cache.mkdir("mypy")}
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--python-version=3.11",
        *(f"--{name}={path}" for name, path in places.items()),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    rooms = Counter(re.findall(r"^diffred_core/(\w+).*: error: ", done.stdout, re.MULTILINE))
    assert f"Found {sum(rooms.values())} errors" in done.stdout, done.stderr  # all are read; none needs no such test
    assert {room: number for room, number in rooms.items() if number > WAITING.get(room, 0)} == {}, done.stdout


def test_conda_users_get_the_lock_and_the_same_python():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip == {"pip": ["--requirement requirements.lock"]}
    assert python.split()[1] == project()["requires-python"]
