from __future__ import annotations

import hashlib
import pickle
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_world import write_images
from torchvision import datasets as official

from diffred_core import datasets
from diffred_core.errors import InputError


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIFFRED_DATA", raising=False)


def share_of(dataset: datasets.Dataset, split: str) -> torch.Tensor:
    counts = dataset.y[dataset.splits[split]].bincount(minlength=dataset.n_classes)
    return counts / dataset.y.bincount()


@pytest.mark.parametrize(
    ("task", "n_samples", "n_classes"),
    [
        *(("elpv", 2624, 4), ("mnist5k", 5000, 10), ("digits", 1797, 10)),
        *(("elpv_type", 2624, 2), ("elpv_mono", 1074, 4), ("elpv_level_type", 2624, 8)),
    ],
)
def test_embedded_task_has_every_image_once_in_stratified_splits(task: str, n_samples: int, n_classes: int) -> None:
    dataset = datasets.load(task)
    assert (dataset.n_samples, dataset.n_classes) == (n_samples, n_classes)
    assert torch.cat(list(dataset.splits.values())).sort().values.tolist() == list(range(n_samples))
    for split, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert (share_of(dataset, split) - share).abs().max() < 0.02
    assert dataset.image(0).mode == "RGB"
    assert "60/20/20" in dataset.split_rule
    assert dataset.licence
    assert dataset.source


def test_labels_belong_to_their_images() -> None:
    """The mean digit of a class is nearer to the images of that class than to others; shifted labels are not."""
    dataset = datasets.load("digits")
    pixels = np.stack([np.asarray(dataset.image(i).convert("L"), np.float64).ravel() for i in range(600)])
    y = dataset.y[:600].numpy()

    def nearest_centroid_accuracy(labels: np.ndarray) -> float:
        means = np.stack([pixels[::2][labels[::2] == c].mean(axis=0) for c in range(10)])
        return float((((pixels[1::2, None] - means) ** 2).sum(-1).argmin(1) == labels[1::2]).mean())

    assert nearest_centroid_accuracy(y) > 0.8
    assert nearest_centroid_accuracy(np.roll(y, 1)) < 0.3


def test_elpv_levels_and_types_are_told_apart() -> None:
    every, mono, poly = (datasets.load(name) for name in ("elpv", "elpv_mono", "elpv_poly"))
    assert every.classes == ("functional", "possibly defective", "likely defective", "defective")
    assert (mono.y.bincount() + poly.y.bincount()).tolist() == every.y.bincount().tolist() == [1508, 295, 106, 715]
    assert every.licence == "CC BY-NC-SA 4.0"
    kind, pair = (datasets.load(name) for name in ("elpv_type", "elpv_level_type"))
    assert torch.equal(pair.y, 2 * every.y + kind.y)
    assert pair.classes[2] == "possibly defective, monocrystalline"


def test_splits_depend_on_the_seed_alone() -> None:
    first, again, other = (datasets.load("digits", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.splits["test"], again.splits["test"])
    assert not torch.equal(first.splits["test"], other.splits["test"])
    assert first.fingerprint == other.fingerprint  # the same images and labels, however split


def test_stratified_split_of_every_small_class_leaves_no_part_empty() -> None:
    for n in range(3, 12):
        parts = datasets.stratified_split(torch.arange(2).repeat(n), shares=(0.6, 0.2, 0.2), seed=n)
        assert sorted(torch.cat(parts).tolist()) == list(range(2 * n))
        assert all(len(part) >= 2 for part in parts)


def test_folder_of_classes(tmp_path: Path) -> None:
    root = write_images(tmp_path / "pets", classes=("cat", "dog", "fish"), n=10)
    dataset = datasets.load(f"folder:{root}")
    assert dataset.classes == ("cat", "dog", "fish")
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 18, "validation": 6, "test": 6}
    assert all(dataset.sample_ids[i].startswith(dataset.classes[dataset.y[i]]) for i in range(dataset.n_samples))
    assert dataset.input_size == 96
    assert datasets.load(f"folder:{root}", image_size=40).input_size == 40


def test_folder_with_parts_keeps_the_official_test(tmp_path: Path) -> None:
    write_images(tmp_path / "train", n=20)
    write_images(tmp_path / "test", n=4)
    dataset = datasets.load(f"folder:{tmp_path}")
    assert {dataset.sample_ids[i].split("/")[0] for i in dataset.splits["test"].tolist()} == {"test"}
    assert len(dataset.splits["validation"]) == 4
    assert "10 % of train" in dataset.split_rule
    write_images(tmp_path / "val", n=3)
    dataset = datasets.load(f"folder:{tmp_path}")
    assert {dataset.sample_ids[i].split("/")[0] for i in dataset.splits["validation"].tolist()} == {"val"}
    shutil.rmtree(tmp_path / "test")
    assert "official validation part as test" in datasets.load(f"folder:{tmp_path}").split_rule


def test_nested_folders_are_classes_of_their_own(tmp_path: Path) -> None:
    write_images(tmp_path / "Greek", classes=("alpha", "beta"), n=3)
    assert datasets.load(f"folder:{tmp_path}").classes == ("Greek/alpha", "Greek/beta")


def test_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    first = write_images(tmp_path / "a")
    shutil.copytree(first, tmp_path / "b")
    a, b = (datasets.load(f"folder:{tmp_path / name}").fingerprint for name in "ab")
    assert a == b == datasets.load(f"folder:{first}").fingerprint  # the second time from memory
    (tmp_path / "b/cat/000.png").write_bytes((tmp_path / "b/cat/001.png").read_bytes())
    assert datasets.load(f"folder:{tmp_path / 'b'}").fingerprint != a
    (tmp_path / "a/dog").rename(tmp_path / "a/wolf")
    assert datasets.load(f"folder:{first}").fingerprint != a


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write images in the official python format of CIFAR-10, and tell torchvision their checksums."""
    folder = root / official.CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name: str, content: object) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch(name: str, n: int) -> list[str]:
        pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
        return write(name, {"data": pixels, "labels": [i % 10 for i in range(n)]})

    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = {"filename": "batches.meta", "key": "label_names"}
    meta["md5"] = write("batches.meta", {"label_names": classes})[1]
    monkeypatch.setattr(official.CIFAR10, "train_list", [batch(f"data_batch_{i}", 20) for i in (1, 2)])
    monkeypatch.setattr(official.CIFAR10, "test_list", [batch("test_batch", 10)])
    monkeypatch.setattr(official.CIFAR10, "meta", meta)


def test_torchvision_cifar10_by_its_own_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path / "runs/data/CIFAR10", monkeypatch)
    dataset = datasets.load("torchvision:CIFAR10")
    assert dataset.classes[3] == "cat"
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 30, "validation": 10, "test": 10}
    assert dataset.splits["test"].tolist() == list(range(40, 50))
    assert dataset.input_size == 96
    raw = pickle.loads((tmp_path / "runs/data/CIFAR10/cifar-10-batches-py/test_batch").read_bytes())
    expected = raw["data"][3].reshape(3, 32, 32).transpose(1, 2, 0)
    assert np.array_equal(np.asarray(dataset.image(43)), expected)
    assert not np.array_equal(np.asarray(dataset.image(42)), expected)


def test_torchvision_mnist_format(tmp_path: Path) -> None:
    folder = tmp_path / "runs/data/FashionMNIST/FashionMNIST/raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 100), ("t10k", 20)):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + pixels.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + labels.tobytes())
    dataset = datasets.load("torchvision:FashionMNIST")
    assert dataset.classes[0] == "T-shirt/top"
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 90, "validation": 10, "test": 20}
    assert np.array_equal(np.asarray(dataset.image(119))[..., 0], pixels[19])


def test_torchvision_set_offline_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(InputError, match=r"expected the torchvision set USPS in '.*USPS' or from the network"):
        datasets.load("torchvision:USPS")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("elvp", "unknown task 'elvp'; did you mean 'elpv'"),
        ("torchvision:CIFAR11", "unknown torchvision set 'CIFAR11'; did you mean 'CIFAR10'"),
        ("folder:nowhere", "expected a folder of images, but 'nowhere' is none"),
    ],
)
def test_unknown_task_names_the_near_ones(task: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(task)


def test_folder_errors_name_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected images .* found none"):
        datasets.load(f"folder:{tmp_path / 'empty'}")
    write_images(tmp_path / "one", classes=("cat", "dog"), n=4)
    write_images(tmp_path / "one", classes=("fish",), n=1)
    with pytest.raises(InputError, match=r"expected at least 3 samples in every class.*got 1 in class 'fish'"):
        datasets.load(f"folder:{tmp_path / 'one'}")
    (tmp_path / "one/bird").mkdir()
    with pytest.raises(InputError, match=r"found none in '.*bird'"):
        datasets.load(f"folder:{tmp_path / 'one'}")
    write_images(tmp_path / "single", classes=("cat",), n=4)
    with pytest.raises(InputError, match="at least 2 classes"):
        datasets.load(f"folder:{tmp_path / 'single'}")
    with pytest.raises(InputError, match="move it into the folder of its class"):
        datasets.load(f"folder:{tmp_path / 'single/cat'}")
    write_images(tmp_path / "parts/train", classes=("cat", "dog"))
    write_images(tmp_path / "parts/test", classes=("cat", "dogs"))
    with pytest.raises(InputError, match="every class of test in train, but 'dogs' is not; did you mean 'dog'"):
        datasets.load(f"folder:{tmp_path / 'parts'}")


def test_undecodable_image_is_named(tmp_path: Path) -> None:
    root = write_images(tmp_path / "pets")
    whole = (root / "dog/002.png").read_bytes()
    (root / "dog/002.png").write_bytes(whole[: len(whole) // 2])
    dataset = datasets.load(f"folder:{root}")
    with pytest.raises(InputError, match=r"'dog/002.png' of task .* cannot be decoded"):
        dataset.image(dataset.sample_ids.index("dog/002.png"))
    assert dataset.image(dataset.sample_ids.index("dog/001.png")).size == (24, 24)


def test_dataset_of_parts_that_do_not_fit_is_refused() -> None:
    digits = datasets.load("digits")
    with pytest.raises(InputError, match="expected one label for each of the 1797 images"):
        replace(digits, y=digits.y[:-1])
    with pytest.raises(InputError, match="expected disjoint splits"):
        replace(digits, splits={**digits.splits, "test": digits.splits["train"]})
    for bad in (5000, -3):
        with pytest.raises(InputError, match=rf"expected split indices within 0..1796 .*, got {bad};"):
            replace(digits, splits={**digits.splits, "test": torch.tensor([bad])})


def test_a_bad_image_size_is_refused_before_anything_is_loaded(monkeypatch) -> None:
    monkeypatch.setattr("diffred_core.datasets._registry.load_torchvision", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(InputError, match="expected image_size of at least 1 pixel, got 0"):
        datasets.load("torchvision:CIFAR10", image_size=0)


def test_importing_datasets_loads_neither_timm_nor_pandas() -> None:
    code = "import sys, diffred_core.datasets; print({'timm', 'pandas', 'torchvision', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
