"""Tiny sets in the layouts in which their authors publish them, as torchvision reads them.

Every image has one colour, so that label, order and content can be checked together. A writer takes the folder of the
set, a way to tell torchvision other checksums, and the samples by part, each ``(class index, colour)`` class by class;
it returns the class names that a reader should see.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat
from torchvision import datasets as official
from torchvision.datasets import imagenet

Colour = tuple[int, int, int]
Samples = dict[str, list[tuple[int, Colour]]]
Patch = Callable[[Any, str, Any], None]
EACH = {"train": 5, "validation": 2, "test": 2}


def plan(parts: tuple[str, ...], n_classes: int, *, grey: bool = False, each: dict[str, int] = EACH) -> Samples:
    """Return samples of colours of their own, class by class."""
    samples, number = {}, 0
    for part in parts:
        samples[part] = []
        for label in range(n_classes):
            for _ in range(each[part]):
                number += 1
                colour = (37 * number % 256, 91 * number % 256, 53 * number % 256)
                samples[part].append((label, colour[:1] * 3 if grey else colour))
    return samples


def picture(path: Path, colour: Colour, *, size: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path, format="JPEG" if path.suffix.lower() == ".jpeg" else None)
    return path


def text(path: Path, lines: list[str]) -> str:
    """Write lines and return their checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return md5(path)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def planes(samples: list[tuple[int, Colour]], size: int) -> np.ndarray:
    """Return pixels (n, 3, size, size)."""
    colours = np.array([colour for _, colour in samples], dtype=np.uint8)
    return np.broadcast_to(colours[:, :, None, None], (len(samples), 3, size, size)).copy()


def labels_of(samples: list[tuple[int, Colour]]) -> list[int]:
    return [label for label, _ in samples]


def numbered(samples: list[tuple[int, Colour]]):
    """Yield number, class and colour."""
    return ((i, label, colour) for i, (label, colour) in enumerate(samples, 1))


# ---- one file of pixels a part


def cifar10(root: Path, patch: Patch, samples: Samples) -> list[str]:
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    _cifar(root, patch, samples, kind=official.CIFAR10, label="labels", names=("batches.meta", "label_names", classes))
    return classes


def cifar100(root: Path, patch: Patch, samples: Samples) -> list[str]:
    classes = [f"fine {i}" for i in range(100)]
    meta = ("meta", "fine_label_names", classes)
    _cifar(root, patch, samples, kind=official.CIFAR100, label="fine_labels", names=meta)
    return classes


def _cifar(root: Path, patch: Patch, samples: Samples, *, kind: Any, label: str, names: tuple) -> None:
    folder = root / kind.base_folder
    folder.mkdir(parents=True)

    def write(name: str, content: object) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, md5(folder / name)]

    def batch(name: str, part: str) -> list[str]:
        return write(name, {"data": planes(samples[part], 32).reshape(-1, 3072), label: labels_of(samples[part])})

    file, key, classes = names
    patch(kind, "train_list", [batch(kind.train_list[0][0], "train")])
    patch(kind, "test_list", [batch(kind.test_list[0][0], "test")])
    patch(kind, "meta", {"filename": file, "key": key, "md5": write(file, {key: classes})[1]})


def _idx(path: Path, array: np.ndarray) -> None:
    kind = {"uint8": 8, "int32": 12}[array.dtype.name]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(f">{1 + array.ndim}I", kind * 256 + array.ndim, *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


def mnist_like(kind: Any) -> Callable[[Path, Patch, Samples], list[str]]:
    def write(root: Path, _: Patch, samples: Samples) -> list[str]:
        for part, prefix in (("train", "train"), ("test", "t10k")):
            _idx(root / kind.__name__ / "raw" / f"{prefix}-images-idx3-ubyte", planes(samples[part], 28)[:, 0])
            labels = np.array(labels_of(samples[part]), dtype=np.uint8)
            _idx(root / kind.__name__ / "raw" / f"{prefix}-labels-idx1-ubyte", labels)
        return list(kind.classes)

    return write


def emnist(root: Path, _: Patch, samples: Samples) -> list[str]:
    for part in samples:
        start = root / "EMNIST" / "raw" / f"emnist-balanced-{part}"
        _idx(start.with_name(f"{start.name}-images-idx3-ubyte"), planes(samples[part], 28)[:, 0])
        labels = np.array(labels_of(samples[part]), dtype=np.uint8)
        _idx(start.with_name(f"{start.name}-labels-idx1-ubyte"), labels)
    return official.EMNIST.classes_split_dict["balanced"]


def qmnist(root: Path, _: Patch, samples: Samples) -> list[str]:
    for part in samples:
        _idx(root / "QMNIST" / "raw" / f"qmnist-{part}-images-idx3-ubyte", planes(samples[part], 28)[:, 0])
        labels = np.arange(8 * len(samples[part]), dtype=np.int32).reshape(-1, 8)
        labels[:, 0] = labels_of(samples[part])  # then series, writer and place of each digit
        _idx(root / "QMNIST" / "raw" / f"qmnist-{part}-labels-idx2-int", labels)
    return list(official.QMNIST.classes)


def usps(root: Path, _: Patch, samples: Samples) -> list[str]:
    for part, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        rows = [
            " ".join([str(label + 1), *(f"{i}:{2 * colour[0] / 255 - 1:.6f}" for i in range(1, 257))])
            for label, colour in samples[part]
        ]
        (root / name).write_bytes(bz2.compress(("\n".join(rows) + "\n").encode()))
    return [str(digit) for digit in range(10)]


def semeion(root: Path, patch: Patch, samples: Samples) -> list[str]:
    rows = []
    for label, colour in samples["train"]:
        lit = [1.0] * colour[0] + [0.0] * (256 - colour[0])  # pixels are on or off: as many are on as its grey says
        rows.append(" ".join(f"{value:.4f}" for value in lit) + " " + " ".join(str(int(i == label)) for i in range(10)))
    patch(official.SEMEION, "md5_checksum", text(root / "semeion.data", rows))
    return [str(digit) for digit in range(10)]


def svhn(root: Path, patch: Patch, samples: Samples) -> list[str]:
    listed = {}
    for part in samples:
        path = root / f"{part}_32x32.mat"
        y = np.array([label or 10 for label in labels_of(samples[part])], dtype=np.uint8)[:, None]  # 10 stands for 0
        savemat(path, {"X": planes(samples[part], 32).transpose(2, 3, 1, 0), "y": y})
        listed[part] = [official.SVHN.split_list[part][0], path.name, md5(path)]
    patch(official.SVHN, "split_list", listed)
    return [str(digit) for digit in range(10)]


def stl10(root: Path, patch: Patch, samples: Samples) -> list[str]:
    classes = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
    folder = root / "stl10_binary"
    text(folder / "class_names.txt", classes)

    def write(name: str, array: np.ndarray) -> list[str]:
        (folder / name).write_bytes(array.astype(np.uint8).tobytes())
        return [name, md5(folder / name)]

    def part(name: str) -> list[list[str]]:
        labels = np.array(labels_of(samples[name])) + 1
        return [write(f"{name}_X.bin", planes(samples[name], 96)), write(f"{name}_y.bin", labels)]

    patch(official.STL10, "train_list", [*part("train"), write("unlabeled_X.bin", np.zeros(0))])
    patch(official.STL10, "test_list", part("test"))
    return classes


def pcam(root: Path, _: Patch, samples: Samples) -> list[str]:
    import h5py

    for part, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        names = official.PCAM._FILES[short]
        (root / "pcam").mkdir(exist_ok=True)
        with h5py.File(root / "pcam" / names["images"][0], "w") as file:
            file["x"] = planes(samples[part], 96).transpose(0, 2, 3, 1)
        with h5py.File(root / "pcam" / names["targets"][0], "w") as file:
            file["y"] = np.array(labels_of(samples[part]), dtype=np.uint8)[:, None, None, None]
    return ["0", "1"]


# ---- one file an image, and lists or folders that say its class


def food101(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["apple_pie", "beef_tartare", "waffles"]
    for part in samples:
        listed: dict[str, list[str]] = {name: [] for name in classes}
        for i, label, colour in numbered(samples[part]):
            listed[classes[label]].append(f"{classes[label]}/{part}{i}")
            picture(root / "food-101/images" / classes[label] / f"{part}{i}.jpg", colour)
        text(root / f"food-101/meta/{part}.json", [json.dumps(listed)])
    return classes


def gtsrb(root: Path, _: Patch, samples: Samples) -> list[str]:
    for i, label, colour in numbered(samples["train"]):
        picture(root / f"gtsrb/GTSRB/Training/{label:05d}/00000_{i:05d}.ppm", colour)
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for i, label, colour in numbered(samples["test"]):
        picture(root / f"gtsrb/GTSRB/Final_Test/Images/{i:05d}.ppm", colour)
        rows.append(f"{i:05d}.ppm;16;16;1;1;15;15;{label}")
    text(root / "gtsrb/GT-final_test.csv", rows)
    return ["0", "1", "2"]


def stanford_cars(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Acura TL Sedan 2012"]
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit/cars_meta.mat", {"class_names": np.array(classes, dtype=object)})
    places = {"train": base / "devkit/cars_train_annos.mat", "test": base / "cars_test_annos_withlabels.mat"}
    for part, place in places.items():
        rows = np.zeros(len(samples[part]), dtype=[("bbox_x1", object), ("class", object), ("fname", object)])
        for i, label, colour in numbered(samples[part]):
            picture(base / f"cars_{part}/{i:05d}.jpg", colour)
            rows[i - 1] = (1, label + 1, f"{i:05d}.jpg")
        savemat(place, {"annotations": rows})
    return classes


def dtd(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["banded", "blotchy", "zigzagged"]
    for part, short in (("train", "train"), ("validation", "val"), ("test", "test")):
        lines = []
        for i, label, colour in numbered(samples[part]):
            name = f"{classes[label]}/{classes[label]}_{short}{i:04d}.jpg"
            picture(root / "dtd/dtd/images" / name, colour)
            lines.append(name)
        text(root / f"dtd/dtd/labels/{short}1.txt", lines)
    return classes


def fgvc_aircraft(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["707-320", "727-200", "Cessna 172"]
    data = root / "fgvc-aircraft-2013b/data"
    text(data / "variants.txt", classes)
    for number, (part, short) in enumerate((("train", "train"), ("validation", "val"), ("test", "test"))):
        lines = []
        for i, label, colour in numbered(samples[part]):
            picture(data / f"images/{number}{i:06d}.jpg", colour)
            lines.append(f"{number}{i:06d} {classes[label]}")
        text(data / f"images_variant_{short}.txt", lines)
    return classes


def flowers102(root: Path, patch: Patch, samples: Samples) -> list[str]:
    base, keys = root / "flowers-102", {"train": "trnid", "validation": "valid", "test": "tstid"}
    together = [(part, *sample) for part in samples for sample in samples[part]]
    for i, (_, _, colour) in enumerate(together, 1):
        picture(base / f"jpg/image_{i:05d}.jpg", colour, size=8)
    savemat(base / "imagelabels.mat", {"labels": np.array([[label + 1 for _, label, _ in together]])})
    ids = {key: [[i for i, row in enumerate(together, 1) if row[0] == part]] for part, key in keys.items()}
    savemat(base / "setid.mat", ids)
    known = dict(official.Flowers102._file_dict)
    known |= {name: (known[name][0], md5(base / known[name][0])) for name in ("label", "setid")}
    patch(official.Flowers102, "_file_dict", known)
    return list(official.Flowers102.classes)


def rendered_sst2(root: Path, _: Patch, samples: Samples) -> list[str]:
    for part, short in (("train", "train"), ("validation", "valid"), ("test", "test")):
        for i, label, colour in numbered(samples[part]):
            picture(root / "rendered-sst2" / short / ("negative", "positive")[label] / f"{i:05d}.png", colour)
    return ["negative", "positive"]


def country211(root: Path, _: Patch, samples: Samples) -> list[str]:
    for part, short in (("train", "train"), ("validation", "valid"), ("test", "test")):
        for i, label, colour in numbered(samples[part]):
            picture(root / "country211" / short / ("AD", "AE", "ZW")[label] / f"{i:05d}.jpg", colour)
    return ["AD", "AE", "ZW"]


def pets(root: Path, _: Patch, samples: Samples) -> list[str]:
    raw = ["Abyssinian", "american_bulldog", "yorkshire_terrier"]
    for part, name in (("train", "trainval"), ("test", "test")):
        lines = []
        for i, label, colour in numbered(samples[part]):
            image = f"{raw[label]}_{len(part)}{i}"
            picture(root / f"oxford-iiit-pet/images/{image}.jpg", colour)
            lines.append(f"{image} {label + 1} {1 if raw[label][0].isupper() else 2} 1")
        text(root / f"oxford-iiit-pet/annotations/{name}.txt", lines)
    return ["Abyssinian", "American Bulldog", "Yorkshire Terrier"]


def imagenette(root: Path, _: Patch, samples: Samples) -> list[str]:
    wnids = ["n01440764", "n02102040", "n02979186"]
    for part, short in (("train", "train"), ("validation", "val")):
        for i, label, colour in numbered(samples[part]):
            picture(root / "imagenette2" / short / wnids[label] / f"{wnids[label]}_{i:05d}.JPEG", colour)
    return ["tench, Tinca tinca", "English springer, English springer spaniel", "cassette player"]


def imagenet_archives(root: Path, patch: Patch, samples: Samples) -> list[str]:
    """Write the three archives that one downloads from image-net.org."""
    wnids, words = ["n01440764", "n01443537", "n15075141"], ["tench, Tinca tinca", "goldfish", "toilet tissue"]
    scratch = root / "scratch"
    fields = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children"]
    synsets = np.zeros(4, dtype=[(name, object) for name in fields])
    for i in range(3):
        synsets[i] = (i + 1, wnids[i], words[i], "a gloss", 0)
    synsets[3] = (1001, "n00001740", "entity", "a gloss", 2)  # an inner node is no class
    devkit = scratch / "ILSVRC2012_devkit_t12/data"
    devkit.mkdir(parents=True)
    savemat(devkit / "meta.mat", {"synsets": synsets})
    truth = [str(label + 1) for label in labels_of(samples["validation"])]
    text(devkit / "ILSVRC2012_validation_ground_truth.txt", truth)
    with tarfile.open(root / imagenet.ARCHIVE_META["devkit"][0], "w:gz") as archive:
        archive.add(devkit.parent, arcname=devkit.parent.name)
    with tarfile.open(root / imagenet.ARCHIVE_META["train"][0], "w") as archive:
        for label, wnid in enumerate(wnids):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as of_class:
                for i, at, colour in numbered(samples["train"]):
                    if at == label:
                        of_class.add(picture(scratch / f"{i}.JPEG", colour), arcname=f"{wnid}_{i:05d}.JPEG")
            info = tarfile.TarInfo(f"{wnid}.tar")
            info.size = len(inner.getvalue())
            archive.addfile(info, io.BytesIO(inner.getvalue()))
    with tarfile.open(root / imagenet.ARCHIVE_META["val"][0], "w") as archive:
        for i, _, colour in numbered(samples["validation"]):
            archive.add(picture(scratch / f"{i}.JPEG", colour), arcname=f"ILSVRC2012_val_{i:08d}.JPEG")
    known = {key: (name, md5(root / name)) for key, (name, _) in imagenet.ARCHIVE_META.items()}
    patch(imagenet, "ARCHIVE_META", known)
    return words


def caltech101(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["Faces", "accordion", "yin_yang"]
    base = root / "caltech101/101_ObjectCategories"
    picture(base / "BACKGROUND_Google/image_0001.jpg", (0, 0, 0))
    _by_class(samples["train"], lambda label, i: base / classes[label] / f"image_{i:04d}.jpg")
    return classes


def caltech256(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["001.ak47", "002.american-flag", "003.backpack"]
    base = root / "caltech256/256_ObjectCategories"
    _by_class(samples["train"], lambda label, i: base / classes[label] / f"{label + 1:03d}_{i:04d}.jpg")
    return classes


def eurosat(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["AnnualCrop", "Forest", "SeaLake"]
    base = root / "eurosat/2750"
    _by_class(samples["train"], lambda label, i: base / classes[label] / f"{classes[label]}_{i}.jpg")
    return classes


def sun397(root: Path, _: Patch, samples: Samples) -> list[str]:
    classes = ["abbey", "airplane_cabin", "youth_hostel"]
    text(root / "SUN397/ClassName.txt", [f"/{name[0]}/{name}" for name in classes])
    folder = root / "SUN397"
    # written backwards: a file system may list the newest first
    written = list(numbered(samples["train"]))[::-1]
    for i, label, colour in written:
        picture(folder / classes[label][0] / classes[label] / f"sun_a{i:04d}.jpg", colour)
    return classes


def _by_class(samples: list[tuple[int, Colour]], place: Callable[[int, int], Path]) -> None:
    counts: dict[int, int] = {}
    for label, colour in samples:
        counts[label] = counts.get(label, 0) + 1
        picture(place(label, counts[label]), colour)


def places365(root: Path, patch: Patch, samples: Samples) -> list[str]:
    kind, classes = official.Places365, ["/a/airfield", "/a/airplane_cabin", "/z/zen_garden"]
    lists = {"train-standard": [], "val": []}
    for i, label, colour in numbered(samples["train"]):
        name = f"{classes[label]}/{i:08d}.jpg"
        picture(root / f"data_256_standard{name}", colour)
        lists["train-standard"].append(f"{name} {label}")
    for i, label, colour in numbered(samples["validation"]):
        name = f"Places365_val_{i:08d}.jpg"
        picture(root / "val_256" / name, colour)
        lists["val"].append(f"{name} {label}")
    rows = [f"{name} {i}" for i, name in enumerate(classes)]
    patch(kind, "_CATEGORIES_META", (kind._CATEGORIES_META[0], text(root / kind._CATEGORIES_META[0], rows)))
    known = {split: kind._FILE_LIST_META[split][0] for split in lists}
    patch(kind, "_FILE_LIST_META", {split: (name, text(root / name, lists[split])) for split, name in known.items()})
    return classes


TWO, THREE, VALIDATED, WHOLE = ("train", "test"), ("train", "validation", "test"), ("train", "validation"), ("train",)
Writer = Callable[[Path, Patch, Samples], list[str]]
# by name of the set: how it is written, its parts, its number of classes here, and whether its images are grey
WRITERS: dict[str, tuple[Writer, tuple[str, ...], int, bool]] = {
    "CIFAR10": (cifar10, TWO, 10, False),
    "CIFAR100": (cifar100, TWO, 100, False),
    "MNIST": (mnist_like(official.MNIST), TWO, 10, True),
    "FashionMNIST": (mnist_like(official.FashionMNIST), TWO, 10, True),
    "KMNIST": (mnist_like(official.KMNIST), TWO, 10, True),
    "QMNIST": (qmnist, TWO, 10, True),
    "EMNIST": (emnist, TWO, 47, True),
    "USPS": (usps, TWO, 10, True),
    "SEMEION": (semeion, WHOLE, 10, True),
    "SVHN": (svhn, TWO, 10, False),
    "STL10": (stl10, TWO, 10, False),
    "PCAM": (pcam, THREE, 2, False),
    "Food101": (food101, TWO, 3, False),
    "GTSRB": (gtsrb, TWO, 3, False),
    "StanfordCars": (stanford_cars, TWO, 3, False),
    "DTD": (dtd, THREE, 3, False),
    "FGVCAircraft": (fgvc_aircraft, THREE, 3, False),
    "Flowers102": (flowers102, THREE, 102, False),
    "RenderedSST2": (rendered_sst2, THREE, 2, False),
    "Country211": (country211, THREE, 3, False),
    "OxfordIIITPet": (pets, TWO, 3, False),
    "ImageNet": (imagenet_archives, VALIDATED, 3, False),
    "Imagenette": (imagenette, VALIDATED, 3, False),
    "Places365": (places365, VALIDATED, 3, False),
    "Caltech101": (caltech101, WHOLE, 3, False),
    "Caltech256": (caltech256, WHOLE, 3, False),
    "EuroSAT": (eurosat, WHOLE, 3, False),
    "SUN397": (sun397, WHOLE, 3, False),
}
