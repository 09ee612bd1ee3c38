"""Files of embeddings as people have them: other keys, ids, labels of any kind, queries and judgements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from diffred_core import features
from diffred_core.errors import InputError
from diffred_core.features import Vectors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3
IDS = np.array([f"doc{i}" for i in range(12)])


def read(path: Path, **chosen: str) -> Vectors:
    return features.Source("mine", f"embeddings:{path}").vectors(**chosen)


def save(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".npy":
        np.save(path, arrays["X"])
    elif path.suffix == ".safetensors":
        save_file(arrays, path)
    else:
        pyarrow.parquet.write_table(pyarrow.table({n: list(a) if a.ndim == 2 else a for n, a in arrays.items()}), path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".parquet"])
def test_usual_keys_are_known_and_others_can_be_named(suffix: str, tmp_path: Path) -> None:
    usual = read(save(tmp_path / f"a{suffix}", features=X, labels=Y))
    other = read(save(tmp_path / f"b{suffix}", v1=X, v2=X[::-1].copy(), kind=Y), vectors="v1", labels="kind")
    for one in (usual, other):
        np.testing.assert_array_equal(one.X, X)
        np.testing.assert_array_equal(one.y, Y)
    with pytest.raises(InputError, match="name the key or column that holds the vectors"):
        read(tmp_path / f"b{suffix}", labels="kind")
    with pytest.raises(InputError, match=r"expected 'v3' as key or column of X .*did you mean 'v2'"):
        read(tmp_path / f"b{suffix}", vectors="v3")


def test_labels_are_optional_and_can_stay_unread(tmp_path: Path) -> None:
    assert read(save(tmp_path / "a.npy", X=X)).y is None
    assert read(save(tmp_path / "a.npz", X=X, y=Y), labels="none").y is None
    assert read(tmp_path / "a.npz").y is not None


def test_a_big_array_stays_on_disk(tmp_path: Path) -> None:
    assert isinstance(read(save(tmp_path / "a.npy", X=X)).X, np.memmap)


def test_parquet_of_columns_leaves_ids_and_text_aside(tmp_path: Path) -> None:
    columns = {f"f{i}": X[:, i] for i in range(3)} | {"id": IDS, "text": IDS, "label": Y.astype(float)}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    vectors = read(tmp_path / "a.parquet")
    np.testing.assert_array_equal(vectors.X, X)
    np.testing.assert_array_equal(vectors.y, Y)
    np.testing.assert_array_equal(read(tmp_path / "a.parquet", vectors="f").X, X)


@pytest.mark.parametrize(
    "labels",
    [Y, Y.astype(np.float32), Y[:, None], np.eye(3)[Y], np.array(["ant", "bee", "cat"])[Y]],
    ids=["integers", "whole floats", "a column", "one-hot", "words"],
)
def test_labels_of_every_kind(labels: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(save(tmp_path / "a.npz", X=X, y=labels)).y, Y)


def test_labels_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for labels, why in [
        (Y + 0.5, "round them"),
        (Y[:-1], r"got shape \(11,\)"),
        (np.eye(3)[Y] * 2, r"shape \(12, 3\)"),
    ]:
        with pytest.raises(InputError, match=why):
            read(save(path, X=X, y=labels))


@pytest.mark.parametrize("text", ["\n".join(map(str, Y)), "label\n" + "\n".join(map(str, Y))])
def test_labels_from_a_text_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(text)
    np.testing.assert_array_equal(read(save(tmp_path / "a.npy", X=X), labels=str(tmp_path / "l.csv")).y, Y)


def test_labels_find_their_rows_by_id(tmp_path: Path) -> None:
    lines = [f"{name},{'abc'[y]}" for name, y in zip(IDS, Y, strict=True)]
    path = save(tmp_path / "a.parquet", X=X, id=IDS)
    (tmp_path / "l.csv").write_text("\n".join(["id,label", *lines[::-1]]))
    vectors = read(path, labels=str(tmp_path / "l.csv"))
    np.testing.assert_array_equal(vectors.y, Y)
    assert vectors.classes == ("a", "b", "c")
    (tmp_path / "l.csv").write_text("\n".join(["id,label", *lines[1:], "doc99,a"]))
    with pytest.raises(InputError, match=r"expected the same ids .* but 'doc0' of the vectors is not there"):
        read(path, labels=str(tmp_path / "l.csv"))


def test_ids_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match=r"expected 12 ids .* one for each row of X, got shape"):
        read(save(path, X=X, ids=IDS[:-1]))
    with pytest.raises(InputError, match=r"tell rows apart in .*, got 'doc1' 2 times; drop the duplicates"):
        read(save(path, X=X, ids=np.where(IDS == "doc0", "doc1", IDS)))
    with pytest.raises(InputError, match=r"expected 'nowhere' as a key or column of .* or as a file of ids"):
        read(save(path, X=X), ids="nowhere")


def test_a_pickle_inside_an_array_file_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}] * 12, dtype=object))
    with pytest.raises(InputError, match="got pickled Python objects, which are never loaded"):
        read(tmp_path / "a.npy")


JUDGED = {
    "trec": "q0 0 doc3 2\nq1 0 doc4 1\n",
    "header": "query-id\tcorpus-id\tscore\nq0\tdoc3\t2\nq1\tdoc4\t1\n",
    "two": "q0 doc3\nq1 doc4\n",
    "two, header": "query doc\nq0 doc3\nq1 doc4\n",
}


@pytest.mark.parametrize("kind", JUDGED)
def test_judgements_in_every_form(kind: str, tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text(JUDGED[kind])
    save(tmp_path / "q.npz", X=X[:2], ids=np.array(["q0", "q1"]))
    path = save(tmp_path / "a.npz", X=X, ids=IDS)
    chosen = {"queries": str(tmp_path / "q.npz"), "qrels": str(tmp_path / "qrels.txt")}
    vectors = read(path, **chosen)
    assert vectors.qrels is not None
    grades = [1, 1] if "two" in kind else [2, 1]
    np.testing.assert_array_equal(vectors.qrels, [[0, 3, grades[0]], [1, 4, grades[1]]])
    (tmp_path / "qrels.txt").write_text(JUDGED[kind].replace("doc4", "doc44"))
    with pytest.raises(InputError, match=r"judgements of known documents in .*, got 1 unknown ids such as 'doc44'"):
        read(path, **chosen)
    with pytest.raises(InputError, match="expected queries and judgements together, got only queries"):
        read(path, queries=chosen["queries"])
    with pytest.raises(InputError, match="expected queries of 3 dimensions as the vectors have, got 2"):
        read(path, **chosen | {"queries": str(save(tmp_path / "n.npz", X=X[:2, :2]))})


def test_judgements_that_find_nothing_relevant(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("0 0 3 0\n")
    path = save(tmp_path / "a.npz", X=X)
    with pytest.raises(InputError, match="expected at least one relevant document"):
        read(path, queries=str(path), qrels=str(tmp_path / "qrels.txt"))
    (tmp_path / "qrels.txt").write_text("0 0 3 1\n")
    assert read(path, queries=str(path), qrels=str(tmp_path / "qrels.txt")).qrels is not None
