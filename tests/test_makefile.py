from __future__ import annotations

import os
import re
import subprocess

from small_checkout import PROJECT

TARGETS = ["help", "setup", "book", "test", "test-slurm", "test-book", "lint", "lab", "bench", "grid", "lock", "clean"]


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Not as a part of the make that may run these tests.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    environment |= variables
    command = ["make", "--directory", str(PROJECT), "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_make_lists_its_targets_one_line_each():
    listed = make().stdout.splitlines()
    assert [line.split()[0] for line in listed] == TARGETS
    assert all(len(line.split()) > 3 for line in listed)


def test_the_documents_name_only_targets_that_exist():
    text = "".join((PROJECT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", ".ci/run"))
    named = set(re.findall(r"(?:`|\$ |^)make (?:--directory \S+ )?([a-z]+)", text, re.M))
    assert {"setup", "book", "test"} <= named <= set(TARGETS)


def test_lab_opens_the_folder_or_the_notebook_that_is_named(tmp_path):
    def command(*chosen):
        return make("--dry-run", "lab", f"VENV={tmp_path}/venv", *chosen).stdout.splitlines()[-1].split()

    assert command()[-2:] == ["jupyterlab", "notebooks"]
    assert command("NOTEBOOK=subset_probes")[-1] == "notebooks/subset_probes.ipynb"
    assert (PROJECT / command("NOTEBOOK=subset_probes")[-1]).is_file()


def test_a_missing_python_is_said_in_a_sentence(tmp_path):
    result = make("setup", f"VENV={tmp_path}/venv", "PYTHON=")
    assert result.returncode != 0
    assert "expected Python 3.11 to 3.14 with its venv module, found none" in result.stdout


def test_setup_installs_by_hash_and_from_this_folder(tmp_path):
    steps = make("--dry-run", "setup", f"VENV={tmp_path}/venv").stdout
    installs = [line for line in steps.splitlines() if "pip install" in line and ".lock" in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    assert "--editable ." in steps


def test_what_make_starts_keeps_its_byte_code(tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho byte=${PYTHONDONTWRITEBYTECODE-kept} hash=$PYTHONHASHSEED\n")
    python.chmod(0o755)
    forbidden = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "7"}  # the second is the control: it is handed on
    said = make("grid", f"VENV={tmp_path}", "--old-file=setup", **forbidden).stdout
    assert "byte=kept hash=7" in said
