"""Where the project keeps its files, how they are written (whole or not at all), and their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diffred_core.errors import InputError

SEAL = "sha256"  # entry of a sealed file: the digest of the others


def write_text(path: Path | str, text: str) -> Path:
    """Write `text` to `path` in UTF-8, whole or not at all; see `write_bytes`."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write `content` to `path` by temporary file, sync and rename; missing folders are made.

    Returns
    -------
    Path
        `path`. Whoever reads it at any moment sees the old content or the new one, never a part.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same folder, so that the rename stays on one file system and is atomic.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_json(path: Path | str, value: object) -> Path:
    """Write `value` to `path` as indented JSON with sorted keys, whole or not at all."""
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def write_sealed(path: Path | str, content: Mapping[str, object]) -> Path:
    """Write `content` to `path` as JSON with a digest of its own, by which `read_sealed` knows it again."""
    content = json.loads(json.dumps(content))  # as it will be read: with names that are text, sorted as text
    return write_json(path, {**content, SEAL: _seal(content)})


def read_sealed(path: Path | str) -> dict[str, Any] | None:
    """Return what `write_sealed` wrote to `path`; None where nothing is, or it was cut short, edited or is another."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.pop(SEAL, None) == _seal(content) else None


def _seal(content: Mapping[str, object]) -> str:
    return digest(json.dumps(content, sort_keys=True).encode())


def remembered(path: Path | str, make: Callable[[], object]) -> Any:
    """Return the JSON value kept at `path`; where it is missing or damaged, what `make` gives, kept for the next time.

    Where nothing can be written nothing is kept: the value is made every time.
    """
    kept = read_sealed(path)
    if kept is None or "value" not in kept:
        kept = json.loads(json.dumps({"value": make()}))  # the same first and later: lists, not tuples
        with contextlib.suppress(OSError):
            write_sealed(path, kept)
    return kept["value"]


def write_if_changed(path: Path | str, text: str) -> bool:
    """Write `text` to `path` only if it says something else now, and return whether it was written."""
    path = Path(path)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def digest(content: bytes) -> str:
    """Return the hexadecimal SHA-256 digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 digest of the bytes of the file at `path`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def changed(digests: Mapping[str, str], root: Path) -> list[str]:
    """Return which files, by names from `root` on, are gone or have another digest than in `digests`."""
    return [name for name, digest in digests.items() if not (root / name).is_file() or sha256(root / name) != digest]


def digest_of(contents: dict[str, bytes]) -> str:
    """Return one SHA-256 digest of names with their bytes, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{len(contents[name])}\0".encode())
        total.update(contents[name])
    return total.hexdigest()


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` that holds ``_config.yml`` and ``notebooks/``."""
    here = (start or Path.cwd()).resolve()
    if (checkout := _checkout(here)) is None:
        raise InputError(
            f"expected to run inside a checkout of the book (a folder with _config.yml and notebooks/), but {here} "
            "is not in one; change folder"
        )
    return checkout


def working_root() -> Path:
    """Return the checkout that the working folder is in, else the working folder: where notebooks run."""
    here = Path.cwd()
    return _checkout(here) or here


def _checkout(here: Path) -> Path | None:
    folders = (here, *here.parents)
    return next((f for f in folders if (f / "_config.yml").is_file() and (f / "notebooks").is_dir()), None)


def runs_root() -> Path:
    """Return the folder of everything generated: ``$DIFFRED_RUNS``, else ``runs/`` under `working_root`."""
    chosen = os.environ.get("DIFFRED_RUNS")
    return Path(chosen).expanduser().resolve() if chosen else working_root() / "runs"


def data_root() -> Path:
    """Return where downloaded data lie: ``$DIFFRED_DATA``, else ``data`` under `runs_root`."""
    chosen = os.environ.get("DIFFRED_DATA")
    return Path(chosen).expanduser().resolve() if chosen else runs_root() / "data"


def slug(name: str) -> str:
    """Return `name` as one safe file name: every character outside ``[A-Za-z0-9._-]`` becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


def model_label(
    model: str,
    *,
    checkpoint: Path | str | None = None,
    model_name: str | None = None,
    model_args: object = None,
    preprocessing: object = None,
    classifier: str | None = None,
) -> str:
    """Return what a model is called in tables, paths and pages: `model_name`, else its short name and what was chosen.

    Other weights, arguments, preprocessing or features than a name stands for never take the place of its own.

    Examples
    --------
    >>> model_label("resnet50.a1_in1k", checkpoint="weights/l2_eps3.safetensors")
    'resnet50.a1_in1k@l2_eps3'
    >>> model_label("mobilenetv2_100", model_args={"pad_type": "same"}, preprocessing={"mean": [0.5, 0.5, 0.5]})
    'mobilenetv2_100@mean=0.5-0.5-0.5,pad_type=same'
    """
    if model_name:
        return model_name
    chosen = [] if checkpoint is None else [Path(checkpoint).stem]
    if settings := _settings(model_args) + _settings(preprocessing) + _settings({"classifier": classifier}):
        text = ",".join(sorted(settings))
        # A name that no eye takes in is a digest.
        chosen.append(text if len(text) <= LONGEST_SETTINGS else hashlib.sha256(text.encode()).hexdigest()[:8])
    return "@".join([short_model(model), *filter(None, [",".join(chosen)])])


def _settings(chosen: object) -> list[str]:
    """Return ``name=value`` for every entry that is something."""
    entries = chosen if isinstance(chosen, Mapping) else {"value": chosen}
    return [
        f"{name}={'-'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
        for name, value in entries.items()
        if value is not None
    ]


LONGEST_SETTINGS = 48  # characters


def short_model(model: str) -> str:
    """Return `model` with the last part of a path only: what it is called where no other name is chosen.

    Examples
    --------
    >>> short_model("local-dir:/data/nets/mine"), short_model("nets/wide.py:make"), short_model("hf-hub:timm/resnet18")
    ('local-dir:mine', 'wide.py:make', 'hf-hub:timm/resnet18')
    """
    kind, _, folder = model.partition(":")
    if kind == "local-dir":
        return f"{kind}:{Path(folder).expanduser().resolve().name}"
    place, _, function = model.rpartition(":")
    return f"{Path(place).name}:{function}" if place.endswith(".py") else model


def resolved(path: Path | str) -> Path:
    """Return `path` in full, as a notebook takes it: ``~`` expanded, what is relative from `working_root` on."""
    return (working_root() / Path(path).expanduser()).resolve()


def split_task(task: str) -> tuple[str, str, str]:
    """Return kind, path and corruption of a task that names a place on disk, the last two empty for others.

    Examples
    --------
    >>> split_task("folder:/data/of/birds+noise:1"), split_task("digits+noise:1")
    (('folder', '/data/of/birds', '+noise:1'), ('digits+noise:1', '', ''))
    """
    kind, colon, path = task.partition(":")
    if not colon or kind not in PATH_TASKS:
        return task, "", ""
    corruption = "".join(re.findall(r"\+\w+:\d+\Z", path))
    return kind, path.removesuffix(corruption), corruption


def task_label(task: str, *, task_name: str | None = None) -> str:
    """Return what a task is called in tables, paths and pages: `task_name`, else `task` with the last part of a path.

    Examples
    --------
    >>> task_label("folder:/data/of/birds"), task_label("embeddings:mine.npz"), task_label("digits+noise:1")
    ('folder:birds', 'embeddings:mine', 'digits+noise:1')
    """
    if task_name:
        return task_name
    kind, path, corruption = split_task(task)
    if not path:
        return task
    place = resolved(path)
    return f"{kind}:{place.name if kind == 'folder' else place.stem}{corruption}"


def labels(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return task and model of a run as the book calls them, by its parameters; "summary" for one over all of them."""
    task, model = parameters.get("task"), parameters.get("model")
    chosen = {name: parameters.get(name) for name in MODEL_PARAMETERS}
    return (
        SUMMARY if task is None else task_label(task, task_name=parameters.get("task_name")),
        SUMMARY if model is None else model_label(model, **chosen),
    )


MODEL_PARAMETERS = ("checkpoint", "model_name", "model_args", "preprocessing", "classifier")
"""What says, beside its name, which model a run is of."""
MODEL_KEYS = {"model": "model"} | {("name" if key == "model_name" else key): key for key in MODEL_PARAMETERS}
"""What a model in a list may be given by, in a grid file or in ``other_models``, and the parameter that each is."""


def model_parameters(model: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that stand for a `model` of a list: a name, or a mapping with some of `MODEL_KEYS`.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> model_parameters({"model": "mobilenetv2_100", "name": "of birds", "checkpoint": "weights/birds.safetensors"})
    {'model': 'mobilenetv2_100', 'model_name': 'of birds', 'checkpoint': 'weights/birds.safetensors'}
    """
    if isinstance(model, str):
        return {"model": model}
    if "model" not in model or not set(model) <= set(MODEL_KEYS):
        raise InputError(
            f"expected a model as a name or a mapping with model and any of {', '.join(list(MODEL_KEYS)[1:])}, got "
            f"{model!r}; write it so"
        )
    return {MODEL_KEYS[key]: value for key, value in model.items() if value is not None}


PATH_TASKS = ("folder", "embeddings")  # forms of a task that name a place on disk
DEFAULT_GRID = "embedded"  # the book; where grids list one cell with different parameters, it has the plain place
SUMMARY = "summary"  # stands for task and model of an analysis that reads all of them
# Parameters that say what a run is of and where it is computed: all others make a variant of it.
NOT_VARIED = ("task", "task_name", "model", *MODEL_PARAMETERS, "device")
TABLE = "DIFFRED_TABLE"  # the variable by which the runner tells its kernel where the table goes
OWN_TABLES = "DIFFRED_OWN_TABLES"  # and by which tables of a grid's own a summary of it reads
KEPT = "DIFFRED_KEPT"  # and of which grids the kept tables


def difference(parameters: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `parameters` in which a run differs from the one that has the `plain` place, `NOT_VARIED` aside."""
    return {
        name: value
        for name, value in parameters.items()
        if name not in NOT_VARIED and (name not in plain or value != plain[name])
    }


def run_name(analysis: str, variant: Mapping[str, object] | None = None) -> str:
    """Return the file name of a run of `analysis`, without suffix: the parameters of a variant follow it, readable.

    What is long, or has characters that a file name has not, is cut, and six digits of a digest keep it apart.

    Examples
    --------
    >>> run_name("subset_probes"), run_name("subset_probes", {"n_seeds": 3})
    ('subset_probes', 'subset_probes.n_seeds-3')
    """
    if not variant:
        return analysis
    words = ".".join(f"{name}-{value}" for name, value in variant.items())
    safe = ".".join(f"{name}-{slug(str(value))}" for name, value in variant.items())[:60].rstrip("-.")
    if safe == words:
        return f"{analysis}.{safe}"
    digest = hashlib.sha256(json.dumps(dict(variant), default=str).encode()).hexdigest()
    return f"{analysis}.{safe}-{digest[:6]}"


def in_words(variant: Mapping[str, object]) -> str:
    """Return the parameters of a variant as a page names them, ``n_seeds = 3``, cut where they are many."""
    words = ", ".join(f"{name} = {value}" for name, value in variant.items())
    return words if len(words) <= 80 else f"{words[:77]}..."


def loose_table_path(task: str, model: str, name: str) -> Path:
    """Return where a notebook that the runner did not start writes its table: in the folder that it runs in."""
    parts = (name,) if (task, model) == (SUMMARY, SUMMARY) else (task, model, name)
    return Path.cwd() / f"{'--'.join(map(slug, parts))}.csv"


def table_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/tables/<task>/<model>/<analysis>.csv``, each name slugged."""
    return _location("tables", task, model, analysis, ".csv")


def table_files(task: str, model: str, analysis: str) -> list[Path]:
    """Return the files that a run may write: its table, its provenance, episodes drawn for it, a long table."""
    table = table_path(task, model, analysis)
    return [table, *map(table.with_suffix, (".provenance.json", ".episodes.csv", ".parquet"))]


def table_file(place: Path) -> Path:
    """Return the file that holds the table of `place`: that one, or Parquet beside it where the table is long.

    Of two, as an interrupted run leaves them, the one that was written last.
    """
    held = [path for path in (place, place.with_suffix(".parquet")) if path.is_file()]
    return max(held, key=lambda path: path.stat().st_mtime_ns, default=place)


def episodes_path(table: Path) -> Path:
    """Return the place of the episodes that were drawn for the table at `table`: beside it."""
    return table.with_suffix(".episodes.csv")


def kept_root() -> Path:
    """Return the folder ``kept`` of the checkout, or of the working directory where there is no checkout."""
    return working_root() / "kept"


def kept_path(grid: str, task: str, model: str, analysis: str) -> Path:
    """Return ``kept/<grid>/<task>/<model>/<analysis>.parquet``, each name slugged."""
    return kept_root().joinpath(*map(slug, (grid, task, model))) / f"{slug(analysis)}.parquet"


def notebook_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/notebooks/<task>/<model>/<analysis>.ipynb``, each name slugged."""
    return _location("notebooks", task, model, analysis, ".ipynb")


def record_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/records/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("records", task, model, analysis, ".json")


def stamp_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/stamps/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("stamps", task, model, analysis, ".json")


def templates_root() -> Path:
    """Return the folder of the notebooks: that of the checkout, outside of one that of the installed package."""
    if checkout := _checkout(Path.cwd()):
        return checkout / "notebooks"
    package = Path(__file__).parent
    installed = package / "notebooks"  # put there when a wheel is built; an editable install has them beside it
    return installed if installed.is_dir() else package.with_name("notebooks")


def template_path(analysis: str) -> Path:
    """Return the notebook ``<analysis>.ipynb`` in `templates_root`."""
    return templates_root() / f"{analysis}.ipynb"


def _location(kind: str, task: str, model: str, analysis: str, suffix: str) -> Path:
    folder = runs_root() / kind / slug(task) / slug(model)
    return folder / f"{slug(analysis)}{suffix}"
