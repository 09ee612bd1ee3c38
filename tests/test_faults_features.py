"""Faults of what an extraction leaves behind and remembers, and what a key must not forget."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from faults import as_anybody, read_only
from small_checkout import PROJECT
from tiny_world import MODEL, tiny_backbone, write_checkpoint, write_images

from diffred_core import datasets, features, files
from diffred_core.datasets import Dataset
from diffred_core.datasets._dataset import digests_of, digests_of_files
from diffred_core.errors import InputError
from diffred_core.features import FeatureStore, _identity
from diffred_core.features._identity import identity_of
from diffred_core.features._request import Request
from diffred_core.features._store import key_of


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a checkpoint and a task of a few images."""
    folder = tmp_path_factory.mktemp("world")
    return write_checkpoint(folder / "w.safetensors"), f"folder:{write_images(folder / 'pets', n=10)}"


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.safetensors")}


@pytest.mark.parametrize("damage", [b"", b'{"value": ', b"[]", b'""', b"null", '{"é'.encode()[:-1], b'{"model": 1}'])
def test_a_damaged_memory_of_backbone_layers_or_images_changes_nothing(
    damage: bytes, world: tuple[Path, str], runs: Path
) -> None:
    checkpoint, task = world

    def source() -> features.Source:
        return features.Source(MODEL, task, checkpoint=checkpoint, engine="torch")

    first, shards = source().layers("stages", splits=["test"]), contents(runs)
    memories = [*runs.rglob(".backbones/*"), *runs.rglob(".layers/*"), *runs.rglob("fingerprints/*")]
    assert len(memories) == 3
    kept = [memory.read_bytes() for memory in memories]
    for memory in memories:
        memory.write_bytes(damage)
    again = source().layers("stages", splits=["test"])
    assert [memory.read_bytes() for memory in memories] == kept
    assert {layer: task.keys for layer, task in again.items()} == {layer: task.keys for layer, task in first.items()}
    assert contents(runs) == shards


@pytest.mark.parametrize("entry", ["y", "sample_ids", "images", "made_by", "identity", "key"])
def test_a_manifest_with_an_edited_entry_is_none(entry: str, world: tuple[Path, str], runs: Path) -> None:
    checkpoint, task = world
    store = features.Source(MODEL, task, checkpoint=checkpoint, engine="torch").store("test")
    manifest = store.folder / "manifest.json"
    content = json.loads(manifest.read_text())
    value = content[entry]
    content[entry] = value[::-1] if isinstance(value, list | str) else value | {"device": "another"}
    assert content[entry] != value
    manifest.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"has no sound manifest.json; extract it again"):
        FeatureStore.open(store.folder)


def test_features_that_cannot_be_written_are_read_and_others_refused(world: tuple[Path, str], runs: Path) -> None:
    checkpoint, task = world
    first = features.Source(MODEL, task, checkpoint=checkpoint, engine="torch").load()
    for memory in runs.rglob(".backbones/*"):
        memory.unlink()  # the network is loaded then, and not remembered
    code = (
        "from diffred_core import features\n"
        f"source = features.Source({MODEL!r}, {task!r}, checkpoint={str(checkpoint)!r}, engine='torch')\n"
        "print(source.load().keys['test'])\n"
        "source.load('blocks.0')"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with read_only(runs):
        command = [*as_anybody(), sys.executable, "-c", code]
        child = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert child.stdout.strip() == first.keys["test"]
    assert "InputError: expected to write features into" in child.stderr
    assert "got Permission denied; make room or set DIFFRED_RUNS" in child.stderr


def key(pets: Dataset, backbone: dict[str, object], **changes: object) -> str:
    options = {"split": "test", "layers": ("penultimate",), "dtype": "float32", "computed_in": "float32"} | changes
    return key_of(identity_of(backbone, pets, **options))


INGREDIENTS: dict[str, Callable[[Dataset, dict[str, object]], str]] = {
    "model": lambda pets, about: key(pets, about | {"model": "other"}),
    "model args": lambda pets, about: key(pets, about | {"model_args": {"pad_type": "same"}}),
    "weights": lambda pets, about: key(pets, about | {"weights_digest": "other"}),
    "transform": lambda pets, about: key(pets, about | {"preprocessing": {**about["preprocessing"], "crop_pct": 0.5}}),
    "layers": lambda pets, about: key(pets, about, layers=("blocks.0",)),
    "pooling": lambda pets, about: key(pets, about, pool="2x2"),
    "dtype": lambda pets, about: key(pets, about, dtype="float16"),
    "precision": lambda pets, about: key(pets, about, computed_in="bfloat16 by torch on cpu"),
    "split": lambda pets, about: key(pets, about, split="validation"),
    "images": lambda pets, about: key(replace(pets, image_digests=pets.image_digests[::-1]), about),
    "labels": lambda pets, about: key(replace(pets, y=1 - pets.y), about),
    "classes": lambda pets, about: key(replace(pets, classes=("dog", "cat")), about),
}


@pytest.mark.parametrize("ingredient", INGREDIENTS)
def test_a_key_forgets_no_ingredient(ingredient: str, world: tuple[Path, str]) -> None:
    pets, about = datasets.load(world[1]), tiny_backbone(world[0]).identity
    assert key(pets, about) == key(pets, dict(about))
    assert INGREDIENTS[ingredient](pets, about) != key(pets, about)


def test_a_key_follows_the_version_of_the_extractor(world: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    pets, about = datasets.load(world[1]), tiny_backbone(world[0]).identity
    before = key(pets, about)
    monkeypatch.setattr(_identity, "EXTRACTOR_VERSION", _identity.EXTRACTOR_VERSION + 1)
    assert key(pets, about) != before


def test_the_memory_of_a_backbone_forgets_nothing_that_it_was_created_with(
    world: tuple[Path, str], tmp_path: Path
) -> None:
    def identity(model: str = MODEL, *, image_size: int = 32, **model_args: object) -> dict[str, object]:
        return Request.of(model, world[0], image_size=image_size, model_args=model_args).identity(tmp_path)

    created = [
        identity(),
        identity(image_size=40),
        identity(drop_rate=0.1),
        identity(pretrained_cfg_overlay={"mean": [0.5] * 3}),
    ]
    assert len({json.dumps(about, sort_keys=True) for about in created}) == len(created)
    assert len(list((tmp_path / ".backbones").iterdir())) == len(created)
    assert identity() == created[0]
    assert len(list((tmp_path / ".backbones").iterdir())) == len(created)  # the control: it was remembered


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(b"one")
        os.utime(path, ns=(10**18, 10**18))
    return paths


def test_the_memory_of_images_follows_their_time_and_size(images: list[Path]) -> None:
    first = digests_of_files(images)
    assert first == digests_of([b"one", b"one"])
    images[1].write_bytes(b"two")  # of the same size
    os.utime(images[1], ns=(10**18, 10**18))
    assert digests_of_files(images) == first  # the control: it is remembered, and this is what it cannot see
    for nanoseconds in (10**18 + 1, 10**18 - 1, 4 * 10**18):  # later, earlier, and in the year 2096
        os.utime(images[1], ns=(nanoseconds, nanoseconds))
        assert digests_of_files(images) == digests_of([b"one", b"two"])
    images[1].write_bytes(b"three")
    os.utime(images[1], ns=(10**18, 10**18))
    assert digests_of_files(images) == digests_of([b"one", b"three"])


def test_a_memory_of_images_that_was_cut_short_is_made_anew(images: list[Path]) -> None:
    first = digests_of_files(images)
    (memory,) = (files.runs_root() / "fingerprints").iterdir()
    whole = memory.read_bytes()
    for size in (0, len(whole) // 2, len(whole) - 3):
        memory.write_bytes(whole[:size])
        assert digests_of_files(images) == first
