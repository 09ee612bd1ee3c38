"""What is installed from a wheel needs no checkout: the notebooks come with the package, results go to ./runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_checkout import PROJECT


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return a folder with the unpacked wheel, built from a copy, for a build writes beside its sources."""
    root = tmp_path_factory.mktemp("wheel")
    source = root / "source"
    for name in ("diffred_core", "notebooks"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(root)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (wheel,) = root.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(root / "site")
    return root / "site"


@pytest.fixture
def diffred(installed, tmp_path):
    """Return the command line of the wheel in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name != "DIFFRED_RUNS"}
    environment["PYTHONPATH"] = str(installed)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "diffred_core.cli", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_what_is_not_python_comes_with_it(installed):
    package = PROJECT / "diffred_core"
    needed = {package / "py.typed", *package.rglob("*.pyi"), *(package / "results" / "data").iterdir()}
    assert len(needed) > 5
    assert [path for path in needed if not (installed / path.relative_to(PROJECT)).is_file()] == []
    assert not (installed / "tests").exists()  # the control: not everything is taken


def test_notebooks_and_their_parameters_are_listed(diffred):
    assert diffred("notebooks").stdout.split() == sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
    assert "n_seeds: int = 3" in diffred("parameters", "subset_probes").stdout
    assert "did you mean 'subset_probes' or" in diffred("parameters", "subset_probs").stderr


def test_a_grid_needs_a_checkout_and_says_so(diffred):
    refused = diffred("grid", "embedded")
    assert refused.returncode == 2
    assert "expected to run inside a checkout of the book" in refused.stderr


def test_a_notebook_runs_on_a_file_of_embeddings_into_the_working_folder(diffred, tmp_path):
    generator, y = np.random.default_rng(0), np.arange(200) % 4
    X = generator.normal(size=(200, 16)).astype(np.float32) + y[:, None]
    np.savez(tmp_path / "e.npz", X=X.astype(np.float32), y=y)
    finished = diffred("run", "subset_similarity", "--model", "own", "--task", "embeddings:e.npz")
    assert finished.returncode == 0, finished.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.npz", "runs"]
    assert ",own," in (tmp_path / "runs/tables/embeddings-e/own/subset_similarity.csv").read_text()
