"""The layers of the package: which modules may import which, and what an import drags in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diffred_core import sources

# A module imports from its own layer and from those before it, never from one behind it.
LAYERS = {
    "ground": {"errors", "paths", "files", "locations", "provenance", "sources", "threads", "interrupts", "records"},
    "arrays": {
        *("subsets", "moments", "cka", "similarity", "linear_probe", "redundancy", "intervals", "soft_mask"),
        *("precision", "checks", "tunnel", "geometry", "few_shot"),
    },
    "world": {"datasets", "backbones", "features", "small_networks"},
    "tables": {
        *("sweeps", "results", "claims", "depth_claims", "published", "tunnel_statistics", "small_network_claims"),
        *("few_shot_claims",),
    },
    "drawing and running": {
        *("figures", "estimators", "notebook_parameters", "runner", "grid", "staging", "mathml", "cli"),
    },
}
HEAVY = {"ground": set(), "arrays": {"torch", "numpy", "scipy"}}
HEAVY["world"] = HEAVY["arrays"] | {"timm", "torchvision", "safetensors", "PIL", "openvino", "tqdm"}
HEAVY["tables"] = HEAVY["world"] | {"pandas", "pandera"}
ORDER = list(LAYERS)
MODULES = sorted(path for path in sources.PACKAGE.rglob("*.py") if path != sources.PACKAGE / "__init__.py")
SHOWN = "timm matplotlib pandas torch"


def top_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def layer_of(name: str) -> int | None:
    return next((i for i, layer in enumerate(ORDER) if name in LAYERS[layer]), None)


def violations(module: Path, package: Path) -> list[str]:
    """Return the imports of `module` from later layers, and of libraries that its layer may not use."""
    mine = layer_of(top_of(module, package))
    inside = {top_of(path, package) for path in sources.imported_files(module, package=package)} - {"__init__"}
    upward = [name for name in sorted(inside) if layer_of(name) is None or layer_of(name) > mine]
    allowed = HEAVY.get(ORDER[mine])
    libraries = {name.partition(".")[0] for name in sources.imported_names(module)} & set().union(*HEAVY.values())
    return upward if allowed is None else upward + sorted(libraries - allowed)


def test_every_module_has_a_layer():
    assert {top_of(path, sources.PACKAGE) for path in MODULES} == set().union(*LAYERS.values())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(sources.PACKAGE).as_posix())
def test_a_module_imports_only_from_layers_before_it(module):
    assert violations(module, sources.PACKAGE) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from diffred_core.linear_probe import fit_ridge", []),
        ("from diffred_core import features", ["features"]),
        ("from diffred_core.features import load", ["features"]),
        ("import diffred_core.cli", ["cli"]),
        ("import timm", ["timm"]),
        ("def f():\n    import pandas as pd", ["pandas"]),
    ],
)
def test_a_planted_violation_is_seen(tmp_path, line, found):
    package = tmp_path / "diffred_core"
    for name in ("cka", "linear_probe", "features", "cli"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "cka" / "_planted.py").write_text(line)
    assert violations(package / "cka" / "_planted.py", package) == found


def loaded_by(code: str) -> list[str]:
    """Return which libraries of `SHOWN` a fresh Python has loaded after `code`."""
    code = f"{code}\nimport sys\nprint(*[name for name in '{SHOWN}'.split() if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "name", ["diffred_core", "diffred_core.cli", "diffred_core.grid", "diffred_core.runner", "diffred_core.records"]
)
def test_an_import_stays_light(name):
    assert loaded_by(f"import {name}") == []


def test_a_heavy_import_would_be_seen():
    assert loaded_by("import pandas") == ["pandas"]
