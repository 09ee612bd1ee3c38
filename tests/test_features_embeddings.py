from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from safetensors.numpy import save_file

from diffred_core import features
from diffred_core.errors import InputError
from diffred_core.features import TaskFeatures

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 4
WORDS = np.array(["ant", "bee", "cat", "dog"])[Y]
SPLIT = np.array(["train"] * 24 + ["val"] * 8 + ["test"] * 8)


def load(path: Path) -> TaskFeatures:
    return features.Source("mine", f"embeddings:{path}").load()


def write(path: Path, *, y: np.ndarray = Y, split: np.ndarray | None = None) -> Path:
    arrays = {"X": X, "y": y} | ({} if split is None else {"split": split})
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, X)
        np.save(path.with_suffix(".labels.npy"), y)
    elif path.suffix == ".safetensors":
        save_file(arrays, path)
    else:
        columns = {f"f{i}": X[:, i] for i in range(3)} | {name: arrays[name] for name in arrays if name != "X"}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors", ".parquet"])
def test_every_kind_of_file_gives_the_same_features(suffix: str, tmp_path: Path) -> None:
    found = load(write(tmp_path / f"e{suffix}"))
    expected = load(write(tmp_path / "reference.npz"))
    assert (found.n_features, found.n_classes, found.classes) == (3, 4, ("0", "1", "2", "3"))
    for split, (rows, labels) in found.splits.items():
        assert torch.equal(rows, expected.splits[split][0])
        assert torch.equal(labels, expected.splits[split][1])
    assert {split: len(rows) for split, (rows, _) in found.splits.items()} == {"train": 24, "validation": 8, "test": 8}
    together = torch.cat([rows for rows, _ in found.splits.values()])
    assert sorted(together[:, 0].tolist()) == sorted(X[:, 0].tolist())


def test_rows_keep_their_labels(tmp_path: Path) -> None:
    found = load(write(tmp_path / "e.npz"))
    label = {tuple(row): int(y) for row, y in zip(X.tolist(), Y, strict=True)}
    for rows, labels in found.splits.values():
        assert [label[tuple(row)] for row in rows.tolist()] == labels.tolist()


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_words_as_labels_and_splits_of_the_file(suffix: str, tmp_path: Path) -> None:
    found = load(write(tmp_path / f"e{suffix}", y=WORDS, split=SPLIT))
    assert found.classes == ("ant", "bee", "cat", "dog")
    assert torch.equal(found.splits["test"][0], torch.from_numpy(X[32:]))
    assert torch.equal(found.splits["validation"][0], torch.from_numpy(X[24:32]))


def test_parquet_with_a_list_column(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"X": X.tolist(), "y": Y}), tmp_path / "e.parquet")
    torch.testing.assert_close(
        load(tmp_path / "e.parquet").splits["test"], load(write(tmp_path / "e.npz")).splits["test"]
    )


def test_key_follows_the_content(tmp_path: Path) -> None:
    first, same, other = (write(tmp_path / f"{n}.npz", y=y) for n, y in enumerate((Y, Y, Y[::-1].copy())))
    assert load(first).keys == load(same).keys
    assert load(first).keys != load(other).keys


def test_files_that_do_not_hold_what_they_must(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"

    def refuse(message: str) -> None:
        with pytest.raises(InputError, match=message):
            load(path)

    refuse("there is none at")
    path.write_bytes(b"nothing")
    refuse("got an unreadable file")
    np.savez(path, X=X)
    refuse("found X but no y")
    np.savez(path, X=X, y=Y[:-1])
    refuse(r"expected y .* as 40 integers or words, .* got shape \(39,\)")
    np.savez(path, X=X[:, 0], y=Y)
    refuse(r"expected X of shape \(n_samples, n_features\)")
    np.savez(path, X=np.where(np.arange(3) == 1, np.nan, X), y=Y)
    refuse("expected finite features, got NaN or infinity in row 0 of the train split")
    np.savez(path, X=X, y=np.zeros(40, int))
    refuse("expected at least 2 classes")
    np.savez(path, X=X, y=Y, split=np.array(["train"] * 39 + ["holdout"]))
    refuse("got 'holdout'; rename it")
    np.savez(path, X=X, y=Y, split=np.array(["train"] * 39))
    refuse("expected split .* for each of 40 rows")
    path = tmp_path / "e.csv"
    refuse("expected embeddings in one of .npz, .npy, .safetensors, .parquet, got 'e.csv'")
    path = tmp_path / "e.npy"
    np.save(path, X)
    refuse(r"expected the labels of 'e.npy' in '.*e.labels.npy', found X but no y")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", X=np.array([{"a": 1}] * 40, dtype=object), y=Y)
    with pytest.raises(InputError, match=r"got pickled Python objects, which are never loaded"):
        load(tmp_path / "e.npz")


def test_task_features_check_their_rows() -> None:
    rows = (torch.from_numpy(X), torch.from_numpy(Y))
    TaskFeatures("m", "t", tuple("abcd"), {}, {"train": rows})
    with pytest.raises(InputError, match=r"one label a row .* got X \(40, 3\) and y \(39,\)"):
        TaskFeatures("m", "t", tuple("abcd"), {}, {"train": (rows[0], rows[1][:-1])})
    with pytest.raises(InputError, match="expected labels in the test split of 't', got none; pass one class index a"):
        TaskFeatures("m", "t", tuple("abcd"), {}, {"train": rows, "test": (rows[0], None)})
    with pytest.raises(InputError, match=r"expected labels within 0..2 in the train split of 't', got 0..3"):
        TaskFeatures("m", "t", tuple("abc"), {}, {"train": rows})
    with pytest.raises(InputError, match="expected 3 features in every split of 't', got 2 in test"):
        TaskFeatures("m", "t", tuple("abcd"), {}, {"train": rows, "test": (rows[0][:, :2], rows[1])})


@pytest.mark.parametrize("ask", ["store", "moments", "layers"])
def test_a_file_of_embeddings_has_no_layers(tmp_path: Path, ask: str) -> None:
    source = features.Source("mine", f"embeddings:{write(tmp_path / 'e.npz')}")
    splits = ("test",) if ask != "layers" else ()
    with pytest.raises(InputError, match="expected a task of images for features by layer, got 'embeddings:"):
        getattr(source, ask)(*splits)
