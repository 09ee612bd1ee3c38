from __future__ import annotations

import hashlib
import os

import pytest

from diffred_core import files


def test_a_text_is_written_into_new_folders(tmp_path):
    assert files.write_text(tmp_path / "a" / "b.txt", "é\n").read_bytes() == "é\n".encode()


def test_a_failed_write_leaves_the_old_text_and_no_part(tmp_path, monkeypatch):
    path = files.write_text(tmp_path / "a.txt", "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_an_equal_text_is_not_written_again(tmp_path):
    path = tmp_path / "a.txt"
    assert files.write_if_changed(path, "1")
    os.utime(path, (0, 0))
    assert not files.write_if_changed(path, "1")
    assert path.stat().st_mtime == 0
    assert files.write_if_changed(path, "2")


def test_the_digest_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_the_label_of_a_model_says_what_was_chosen():
    label = files.model_label
    assert label("a", checkpoint="w/x.pth", model_name="mine") == label("b", model_name="mine") == "mine"
    assert label("local-dir:/nets/mine") == "local-dir:mine"
    assert label("/nets/small.py:make", model_args={"depth": 20}) == "small.py:make@depth=20"
    assert label("hf-hub:timm/a") == "hf-hub:timm/a"
    chosen = [
        {},
        {"checkpoint": "w/x.pth"},
        {"checkpoint": "w/x.pth", "model_args": {"pad_type": "same"}},
        {"model_args": {"pad_type": "same"}},
        {"model_args": {"pad_type": ""}},
        {"preprocessing": {"mean": [0.5, 0.5, 0.5]}},
        {"preprocessing": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": 224, "crop_pct": 0.9}},
        {"preprocessing": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": 224, "crop_pct": 0.8}},
        {"classifier": "fc"},
    ]
    labels = [label("a", **one) for one in chosen]
    assert labels[:4] == ["a", "a@x", "a@x,pad_type=same", "a@pad_type=same"]
    assert len({*labels}) == len(labels)
    assert max(map(len, labels)) < 60
    one, two = ({"b": 1, "a": 2}, {"a": 2, "b": 1})
    assert label("a", model_args=one) == label("a", model_args=two) == "a@a=2,b=1"
    assert files.labels({"model": "a", "task": "t", "model_args": one}) == ("t", "a@a=2,b=1")


def test_json_says_no_to_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert files.write_json(tmp_path / "a.json", {"b": 1, "a": None}).read_text() == '{\n "a": null,\n "b": 1\n}\n'


def test_a_remembered_value_is_made_once_and_again_where_it_was_cut_short(tmp_path):
    made = []

    def make():
        made.append(len(made))
        return {"times": len(made)}

    place = tmp_path / "deep" / "memory.json"
    assert files.remembered(place, make) == files.remembered(place, make) == {"times": 1}
    place.write_text('{"times": ')
    assert files.remembered(place, make) == {"times": 2}
    assert made == [0, 1]
