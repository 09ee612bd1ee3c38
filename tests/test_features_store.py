"""What the store promises: whole or not at all, going on where it stopped, damage found, identity from inside."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import torch
from tiny_world import extract, tiny_backbone, write_checkpoint, write_images

from diffred_core import datasets
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import FeatureStore, _extract, _store

# Shards of 16 instead of 512 images: several of them from a few images.
SHARD = 16
ENGINE = "auto"  # the engine of the measurements: it is its results that have to be bit-equal


@pytest.fixture(autouse=True)
def _small_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    for module in (_store, _extract):
        monkeypatch.setattr(module, "SHARD_SIZE", SHARD)


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return datasets.load(f"folder:{write_images(tmp_path / 'pets', n=60)}")  # 72 for training: 5 shards


def extracted(pets: Dataset, root: Path) -> FeatureStore:
    backbone = tiny_backbone(root.parent / "w.safetensors")
    return extract(backbone, pets, split="train", root=root, batch_size=8, engine=ENGINE)


def contents(store: FeatureStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir() if not path.name.startswith(".")}


def test_second_extraction_computes_nothing(pets: Dataset, tmp_path: Path) -> None:
    first = extracted(pets, tmp_path / "a")
    times = {path: path.stat().st_mtime_ns for path in first.folder.iterdir() if not path.name.startswith(".")}
    unreadable = replace(pets, read=lambda i: pytest.fail(f"image {i} was read again"))
    again = extracted(unreadable, tmp_path / "a")
    assert torch.equal(again.read(), first.read())
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_interrupted_extraction_goes_on_and_ends_bit_equal(pets: Dataset, tmp_path: Path) -> None:
    stop = int(pets.splits["train"][40])  # in the third shard
    read: list[int] = []

    def failing(i: int):
        if i == stop:
            raise KeyboardInterrupt
        return pets.read(i)

    def counting(i: int):
        read.append(i)
        return pets.read(i)

    with pytest.raises(KeyboardInterrupt):
        extracted(replace(pets, read=failing), tmp_path / "stopped")
    folder = next((tmp_path / "stopped").rglob("shard-*")).parent
    assert sorted(path.name for path in folder.glob("[!.]*")) == [f"shard-0000{i}.safetensors" for i in range(2)]
    with pytest.raises(InputError, match=r"has no sound manifest.json"):
        FeatureStore.open(folder)
    finished = extracted(replace(pets, read=counting), tmp_path / "stopped")
    assert sorted(read) == sorted(pets.splits["train"][2 * SHARD :].tolist())  # and no image before
    assert contents(finished) == contents(extracted(pets, tmp_path / "whole"))


SLOW_EXTRACTION = """
import sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from tiny_world import extract, tiny_backbone
from diffred_core import datasets
from diffred_core.features import _extract, _store
_store.SHARD_SIZE = _extract.SHARD_SIZE = 16
pets = datasets.load({task!r})
def slowly(i):
    time.sleep({seconds})
    with open({log!r}, "a") as log:
        print(i, file=log)
    return pets.read(i)
root = Path({root!r})
extract(tiny_backbone(root.parent / "w.safetensors"), replace(pets, read=slowly), split="train", root=root,
                 batch_size=8, engine={engine!r})
"""


def start_slow_extraction(root: Path, *, seconds: float = 0.05) -> subprocess.Popen:
    """Start another process that extracts the pets beside `root`, and return once its first shard is there.

    It waits so long before every image, and writes down which it reads: `read_by_child`.
    """
    code = SLOW_EXTRACTION.format(
        tests=str(Path(__file__).parent),
        task=f"folder:{root.parent / 'pets'}",
        root=str(root),
        engine=ENGINE,
        seconds=seconds,
        log=str(root.parent / "read"),
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not list(root.rglob("shard-*")) and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.02)
    return child


def test_killed_extraction_goes_on_and_ends_bit_equal(pets: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    child = start_slow_extraction(root)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    left = list(root.rglob("shard-*"))
    assert 0 < len(left) < 5
    before = {path: path.stat().st_mtime_ns for path in left}
    finished = extracted(pets, root)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert contents(finished) == contents(extracted(pets, tmp_path / "whole"))


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swapped", "foreign", "absent"])
def test_damaged_shard_is_found_and_redone(damage: str, pets: Dataset, tmp_path: Path) -> None:
    store = extracted(pets, tmp_path / "a")
    whole = contents(store)
    shard, other = (store.folder / f"shard-0000{i}.safetensors" for i in (1, 3))
    data = bytearray(shard.read_bytes())
    if damage == "swapped":
        shard.write_bytes(other.read_bytes())
        other.write_bytes(data)
    elif damage == "empty":
        shard.write_bytes(b"")
    elif damage == "flip":
        data[-5] ^= 1
        shard.write_bytes(data)
    elif damage == "cut":
        shard.write_bytes(data[:-5])
    elif damage == "foreign":
        shutil.copy(store.folder / "shard-00002.safetensors", shard)
    else:
        shard.unlink()
    with pytest.raises(InputError, match=r"'shard-00001.safetensors' is missing or damaged"):
        store.read()
    lost = [1, 3] if damage == "swapped" else [1]
    assert store.missing() == lost
    read: list[int] = []

    def counting(i: int):
        read.append(i)
        return pets.read(i)

    assert contents(extracted(replace(pets, read=counting), tmp_path / "a")) == whole
    samples = pets.splits["train"]
    assert sorted(read) == sorted(i for shard in lost for i in samples[store.rows(shard)].tolist())
    store.read()


def test_identity_is_read_from_inside_wherever_the_folder_lies(pets: Dataset, tmp_path: Path) -> None:
    store = extracted(pets, tmp_path / "a")
    moved = FeatureStore.open(store.folder.rename(tmp_path / "anything"))
    assert moved.identity == store.identity
    assert moved.sample_ids == store.sample_ids
    assert torch.equal(moved.y, store.y)
    assert moved.read().shape == (72, 256)
    manifest = moved.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"split_digest": "', '"split_digest": "0'))
    with pytest.raises(InputError, match=r"no sound manifest.json"):
        FeatureStore.open(moved.folder)


def test_features_of_other_weights_in_the_same_folder_are_not_taken(pets: Dataset, tmp_path: Path) -> None:
    store = extracted(pets, tmp_path / "a")
    other = replace(store, identity={**store.identity, "weights_digest": "other"})
    assert not other.is_finished()
    assert other.missing() == [0, 1, 2, 3, 4]


@pytest.fixture
def tiny_disk() -> Iterator[None]:
    """Let the kernel refuse files above 10 kB, as a full disk would: half-way through the write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_takes_no_more_is_one_sentence_and_leaves_nothing_half_written(
    pets: Dataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole = contents(extracted(pets, tmp_path / "whole"))
    assert len(whole["shard-00000.safetensors"]) > 10_000
    request.getfixturevalue("tiny_disk")
    with pytest.raises(InputError, match=r"expected to write features into .*, got File too large; make room or set"):
        extracted(pets, tmp_path / "full")
    assert [path for path in (tmp_path / "full").rglob("*") if path.is_file() and path.name != ".lock"] == []


def read_by_child(root: Path) -> list[int]:
    return [int(line) for line in (root.parent / "read").read_text().split()]


def test_two_jobs_share_the_shards_of_one_store(pets: Dataset, tmp_path: Path) -> None:
    root, read = tmp_path / "shared", []
    backbone = tiny_backbone(tmp_path / "w.safetensors")  # ready before the other job has claimed everything
    child = start_slow_extraction(root, seconds=0.2)

    def counting(i: int):
        read.append(i)
        return pets.read(i)

    store = extract(backbone, replace(pets, read=counting), split="train", root=root, batch_size=8, engine=ENGINE)
    assert child.wait(60) == 0
    assert read != [] != read_by_child(root)
    assert sorted(read + read_by_child(root)) == sorted(pets.splits["train"].tolist())  # each image once
    assert contents(store) == contents(extracted(pets, tmp_path / "whole"))
    assert [path for path in root.rglob("*") if path.name in ("store", ".begun.json")] == []


def test_a_job_takes_over_the_shards_of_one_that_died(pets: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "shared"
    child = start_slow_extraction(root, seconds=0.2)
    killed = Thread(target=lambda: (time.sleep(1), child.kill()))
    killed.start()
    store = extracted(pets, root)  # waits for what the other has claimed
    killed.join()
    assert child.wait() == -signal.SIGKILL
    assert contents(store) == contents(extracted(pets, tmp_path / "whole"))


def test_a_job_for_another_task_of_the_same_images_waits_and_copies(pets: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "shared"
    child = start_slow_extraction(root)
    unreadable = replace(pets, y=1 - pets.y, read=lambda i: pytest.fail(f"image {i} was read twice"))
    store = extracted(unreadable, root)
    assert child.wait(60) == 0
    assert torch.equal(store.read(), extracted(pets, tmp_path / "whole").read())


def test_part_of_a_killed_writer_is_cleared(pets: Dataset, tmp_path: Path) -> None:
    store = extracted(pets, tmp_path / "a")
    part = store.folder / f".shard-00009.safetensors.{os.getpid()}.part"
    part.write_bytes(b"half")
    (store.folder / "manifest.json").unlink()  # it is written last
    extracted(pets, tmp_path / "a")
    assert not part.exists()


def test_undecodable_image_stops_with_its_name_and_keeps_finished_shards(pets: Dataset, tmp_path: Path) -> None:
    i = int(pets.splits["train"][-1])
    (tmp_path / "pets" / pets.sample_ids[i]).write_bytes(b"no image")
    with pytest.raises(InputError, match=f"'{pets.sample_ids[i]}' of task .* cannot be decoded"):
        extracted(pets, tmp_path / "a")
    assert len(list((tmp_path / "a").rglob("shard-*"))) == 4


def test_tasks_with_the_same_images_share_their_features(pets: Dataset, tmp_path: Path) -> None:
    """Other labels, another order, some images left out: every row is copied, none is computed, to the last bit."""
    root = tmp_path / "a"
    first = extracted(pets, root)
    rows = pets.splits["train"][torch.randperm(72, generator=torch.Generator().manual_seed(1))][:50]
    unreadable = replace(
        pets,
        name="turned",
        y=1 - pets.y,
        classes=("dog", "cat"),
        splits={**pets.splits, "train": rows},
        read=lambda i: pytest.fail(f"image {i} was read again"),
    )
    shared = extracted(unreadable, root)
    place = {name: row for row, name in enumerate(first.sample_ids)}
    assert shared.key != first.key
    assert torch.equal(shared.y, 1 - pets.y[rows])
    assert torch.equal(shared.read(), first.read()[[place[name] for name in shared.sample_ids]])
    computed = extracted(replace(unreadable, read=pets.read), tmp_path / "alone")
    assert contents(computed).keys() == contents(shared).keys()
    assert torch.equal(computed.read(), shared.read())


def test_only_images_that_are_kept_nowhere_are_computed(pets: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "a"
    extracted(pets, root)
    read: list[int] = []

    def counting(i: int):
        read.append(i)
        return pets.read(i)

    mixed = torch.cat([pets.splits["test"][:5], pets.splits["train"][:20]])
    splits = {"train": mixed, "validation": pets.splits["validation"], "test": pets.splits["test"][5:]}
    part = extracted(replace(pets, splits=splits, read=counting), root)
    assert sorted(read) == sorted(pets.splits["test"][:5].tolist())
    whole = extracted(replace(pets, splits=splits), tmp_path / "alone")
    assert torch.equal(part.read(), whole.read())


def test_damaged_or_other_features_are_not_shared(pets: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "a"
    first = extracted(pets, root)
    read: list[int] = []

    def counting(i: int):
        read.append(i)
        return pets.read(i)

    again = replace(pets, y=1 - pets.y, read=counting)
    (first.folder / "shard-00001.safetensors").unlink()
    extracted(again, root)
    assert len(read) == 72  # a store with a hole gives nothing
    other = tiny_backbone(write_checkpoint(tmp_path / "other.safetensors", seed=1))
    extract(other, replace(again, y=pets.y), split="train", root=root, batch_size=8, engine=ENGINE)
    assert len(read) == 144


def test_labels_and_images_of_a_manifest_are_under_its_digest(pets: Dataset, tmp_path: Path) -> None:
    store = extracted(pets, tmp_path / "a")
    manifest = store.folder / "manifest.json"
    whole = manifest.read_text()
    changed = whole.replace('"y": [\n  0', '"y": [\n  1', 1)
    assert changed != whole
    manifest.write_text(changed)
    with pytest.raises(InputError, match=r"no sound manifest.json"):
        FeatureStore.open(store.folder)
    extracted(pets, tmp_path / "a")
    assert manifest.read_text() == whole
