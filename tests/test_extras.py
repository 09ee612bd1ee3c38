"""The core works with torch, numpy and scipy alone, and what misses a library names the extra that brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from diffred_core.errors import InputError, MissingLibrary, needs

EXTRAS = "pandas pandera pyarrow sklearn PIL timm torchvision safetensors tqdm filelock matplotlib seaborn IPython"
EXTRAS += " papermill nbclient nbformat snakemake typer psutil openvino yaml jupyter_client jupyter_book"
ARRAYS = "cka, compression, few_shot, geometry, intervals, linear_probe, moments, redundancy, similarity, soft_mask"
ARRAYS += ", subsets, tunnel"
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def with_core_alone(code: str, blocked: str = EXTRAS) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh Python that finds none of the libraries of the extras."""
    start = f"BLOCKED = {set(blocked.split())!r}\n{BLOCK}"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


def test_the_arrays_import_and_compute_with_the_core_alone():
    code = f"import torch, diffred_core\nfrom diffred_core import {ARRAYS}\n"
    code += "X = torch.randn(30, 4, dtype=torch.float64)\nprint(round(cka.linear_cka(X, X), 6))"
    finished = with_core_alone(code)
    assert finished.stdout.split() == ["1.0"], finished.stderr


@pytest.mark.parametrize(
    ("room", "extra"),
    [("drawing", "figures"), ("results", "tables"), ("features", "images"), ("datasets", "images")],
)
def test_a_room_that_misses_its_libraries_says_which_extra_brings_them(room, extra):
    finished = with_core_alone(f"import diffred_core.{room}")
    assert finished.returncode == 1
    assert "which is not installed; pip install 'diffred-core[" in finished.stderr.splitlines()[-1]
    assert f"[{extra}]" in finished.stderr


@pytest.mark.parametrize(
    ("command", "library"),
    [
        ("--version", "typer"),
        ("models resnet*", "timm"),
        ("run subset_probes", "nbformat"),
        ("status", "yaml"),
        ("grid", "yaml"),
        ("extract --model m --task digits", "safetensors"),
    ],
)
def test_a_command_that_misses_a_library_says_which_extra_brings_it(command, library):
    code = f"import sys; sys.argv = ['diffred', *{command.split()!r}]\nfrom diffred_core.cli import main\nmain()"
    finished = with_core_alone(code, library)
    assert finished.returncode == 2, finished.stderr
    assert finished.stdout == ""
    sentence = f"diffred: expected the library '{library}', which is not installed; pip install 'diffred-core["
    assert finished.stderr.startswith(sentence)
    assert len(finished.stderr.splitlines()) == 1


def test_missing_library_is_bad_input_and_an_import_error():
    with (
        pytest.raises(
            MissingLibrary, match=r"expected the library 'no_such_library', .* 'diffred-core\[run\]'"
        ) as found,
        needs("run"),
    ):
        import no_such_library  # noqa: F401
    assert isinstance(found.value, InputError)
    assert isinstance(found.value, ImportError)


def test_a_module_of_the_package_that_is_missing_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match="diffred_core"), needs("run"):
        import diffred_core.no_such_module  # noqa: F401
