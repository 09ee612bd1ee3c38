"""Every torchvision set, read from a tiny copy in its official layout: classes, labels, splits and images."""

from __future__ import annotations

import bz2
import http.server
import shutil
import socket
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from official_archives import EACH, WRITERS, picture, plan
from torchvision import datasets as official

from diffred_core import datasets
from diffred_core.datasets import _torchvision
from diffred_core.datasets._splits import from_official, part_indices
from diffred_core.errors import InputError


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIFFRED_DATA", raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there: no test reaches the network
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a set by its name; return its folder, its class names and its samples."""

    def written(name, **options):
        writer, parts, n_classes, grey = WRITERS[name]
        if name == "PCAM":
            pytest.importorskip("h5py")
        root = tmp_path / "runs/data" / name
        root.mkdir(parents=True)
        samples = plan(parts, n_classes, grey=grey, **options)
        return root, writer(root, monkeypatch.setattr, samples), samples

    return written


def test_every_set_that_can_be_named_is_written_here():
    assert set(WRITERS) == set(_torchvision.PARTS)


def colour_of(image):
    return np.asarray(image, dtype=float).mean((0, 1))


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_set_in_its_official_layout(name, write):
    each = EACH | ({"train": 10, "validation": 10} if name == "Flowers102" else {})
    _, classes, samples = write(name, each=each)
    dataset = datasets.load(f"torchvision:{name}")
    together = [sample for part in samples.values() for sample in part]
    assert list(dataset.classes) == classes
    assert dataset.y.tolist() == [label for label, _ in together]
    measured = [colour_of(dataset.image(i)) for i in range(0, len(together), max(1, len(together) // 60))]
    expected = np.array([colour for _, colour in together[:: max(1, len(together) // 60)]])
    assert np.abs(measured - expected).max() < 4  # JPEG rounds a little
    assert np.abs(measured - np.roll(expected, 1, axis=0)).max() > 30  # the control: the neighbour's colour
    assert len(set(dataset.image_digests)) > min(len(together) // 2, 200)  # there are 256 colours
    n, official_parts = len(classes), set(samples)
    sizes = {split: len(rows) for split, rows in dataset.splits.items()}
    if official_parts == {"train", "validation", "test"}:
        assert sizes == {part: n * each[part] for part in samples}
        assert dataset.split_rule == "official train, validation and test split"
    elif official_parts == {"train"}:
        assert sizes == {"train": 3 * n, "validation": n, "test": n}
        assert "60/20/20" in dataset.split_rule
    else:  # a tenth of each class of train, one image at least, chooses; the official second part is the test part
        assert sizes == {"train": 4 * n, "validation": n, "test": 2 * n}
        assert dataset.splits["test"].tolist() == list(range(5 * n, 7 * n))
        assert "10 % of train" in dataset.split_rule


def test_the_splits_of_the_papers_have_their_sizes(write):
    for n_classes, per_class in ((10, 5000), (100, 500)):  # CIFAR-10, CIFAR-100
        y = torch.arange(n_classes).repeat_interleave(per_class)
        y = torch.cat([y, torch.arange(n_classes).repeat(10000 // n_classes)])
        parts = part_indices({"train": 50_000, "test": 10_000})
        splits, _ = from_official(y, parts, seed=0, classes=[str(c) for c in range(n_classes)])
        assert {name: len(rows) for name, rows in splits.items()} == {
            "train": 45_000,
            "validation": 5_000,
            "test": 10_000,
        }
    write("Flowers102", each={"train": 10, "validation": 10, "test": 1})
    splits = datasets.load("torchvision:Flowers102").splits
    assert (len(splits["train"]), len(splits["validation"])) == (1020, 1020)  # and 6,149 test images in the real one


def test_images_come_in_the_order_of_their_paths_whatever_the_file_system_says(write, monkeypatch):
    write("SUN397")
    first = datasets.load("torchvision:SUN397")
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *given: reversed(sorted(listed(*given))))
    again = datasets.load("torchvision:SUN397")
    assert (again.fingerprint, again.y.tolist()) == (first.fingerprint, first.y.tolist())


def test_imagenet_v2_is_a_folder(tmp_path):
    """Its classes are the numbers of ImageNet's in the order of their WordNet ids, ten images each."""
    root = tmp_path / "imagenetv2-matched-frequency-format-val"
    for label in range(12):
        for i in range(10):
            picture(root / str(label) / f"{i:040x}.jpeg", (20 * label, 25 * i, 0))
    dataset = datasets.load(f"folder:{root}")
    assert dataset.classes == tuple(str(label) for label in range(12))  # not 0, 1, 10, 11, 2
    i = dataset.sample_ids.index(f"10/{3:040x}.jpeg")
    assert dataset.y[i] == 10
    assert np.abs(colour_of(dataset.image(i)) - (200, 75, 0)).max() < 4


def test_imagenet_v2_can_stand_as_the_test_part_of_imagenet(tmp_path):
    """Links to ImageNet's own folders, and a copy of ImageNetV2 with the folders named as there."""
    for place, part, n in (("imagenet", "train", 6), ("imagenet", "val", 2), ("v2", "test", 3)):
        for label, wnid in enumerate(("n01440764", "n01443537")):
            for i in range(n):
                picture(tmp_path / place / part / wnid / f"{part}{i}.jpeg", (90 * label, 40 * i, n))
    (tmp_path / "both").mkdir()
    for place, part in (("imagenet", "train"), ("imagenet", "val"), ("v2", "test")):
        (tmp_path / "both" / part).symlink_to(tmp_path / place / part)
    dataset = datasets.load(f"folder:{tmp_path / 'both'}")
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 12, "validation": 4, "test": 6}
    assert all(dataset.sample_ids[i].startswith("test/") for i in dataset.splits["test"].tolist())


# ---- what is missing is said in one sentence


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"PCAM"}))
def test_a_set_that_is_neither_there_nor_on_the_network_is_one_sentence(name):
    with pytest.raises(InputError) as error:
        datasets.load(f"torchvision:{name}")
    message = str(error.value)
    assert message.startswith(f"expected the torchvision set {name} in '")
    assert "\n" not in message
    if name in ("ImageNet", "StanfordCars"):
        assert "which torchvision cannot download" in message
        assert "connect" not in message
    else:
        assert message.endswith("; connect once, or put its files there")


def test_pcam_without_its_library_is_one_sentence(monkeypatch):
    monkeypatch.setattr(_torchvision, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"expected the package h5py, which torchvision reads PCAM with.*install it"):
        datasets.load("torchvision:PCAM")


@pytest.mark.parametrize(
    ("name", "image"), [("DTD", "dtd/dtd/images/banded/banded_train0002.jpg"), ("Places365", None)]
)
def test_a_half_unpacked_set_names_what_is_missing(name, image, write):
    root, *_ = write(name)
    if image is None:
        shutil.rmtree(root / "val_256")  # the lists are there, the images are not
        with pytest.raises(InputError, match=r"expected the torchvision set Places365 in .*got neither \("):
            datasets.load("torchvision:Places365")
    else:
        (root / image).unlink()
        message = (
            r"expected every image of the torchvision set DTD, but '.*banded_train0002.jpg' cannot be read .*again"
        )
        with pytest.raises(InputError, match=message):
            datasets.load("torchvision:DTD")


def test_a_truncated_file_is_one_sentence(write):
    root, *_ = write("USPS")
    (root / "usps.bz2").write_bytes((root / "usps.bz2").read_bytes()[:-40])
    with pytest.raises(InputError, match=r"expected the torchvision set USPS in .*got neither"):
        datasets.load("torchvision:USPS")


# ---- downloads


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_download_shows_its_progress_and_is_made_once(write, tmp_path, monkeypatch, capsys):
    root, *_ = write("USPS")
    shared = tmp_path / "shared"
    shutil.move(root, shared)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(shared)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_address[1]}"
    names = {"train": "usps.bz2", "test": "usps.t.bz2"}
    monkeypatch.setattr(
        official.USPS, "split_list", {part: [f"{place}/{name}", name, None] for part, name in names.items()}
    )
    try:
        assert datasets.load("torchvision:USPS").n_samples == 70
    finally:
        server.shutdown()
        server.server_close()
    assert "100%" in capsys.readouterr().err
    assert datasets.load("torchvision:USPS").n_samples == 70  # the server is gone
    assert "%" not in capsys.readouterr().err
    assert bz2.decompress((root / "usps.bz2").read_bytes())


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(_torchvision, "SILENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}/usps.bz2"
        listed = {part: [place, "usps.bz2", None] for part in ("train", "test")}
        monkeypatch.setattr(official.USPS, "split_list", listed)
        start = time.perf_counter()
        with pytest.raises(InputError, match=r"USPS in .*got neither \(.*timed out"):
            datasets.load("torchvision:USPS")
    assert time.perf_counter() - start < 10
    assert socket.getdefaulttimeout() is None
