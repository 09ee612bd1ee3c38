"""The ways to install agree: the lock pins what pyproject.toml asks for, and conda users get the lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


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


def test_binder_installs_the_package_after_the_environment():
    text = (ROOT / "postBuild").read_text()
    assert text.splitlines()[-1] == "pip install --no-deps --no-build-isolation --editable ."
    assert (ROOT / "postBuild").stat().st_mode & 0o111
    assert not any((ROOT / folder).exists() for folder in ("binder", ".binder"))  # which it would read instead
    assert {"pip", "setuptools", "jupyterlab"} <= locked().keys()  # without isolation, setuptools builds it


def test_conda_users_get_the_lock_and_the_same_python():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip == {"pip": ["--requirement requirements.lock"]}
    assert python.split()[1] == project()["requires-python"]
