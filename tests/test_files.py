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


def test_a_sealed_file_is_read_back_as_it_was_written(tmp_path):
    content = {"b": [1, 2.5, None], "a": {"é": "ü"}, "numbers": {10: 1, 9: 2}}
    path = files.write_sealed(tmp_path / "deep" / "a.json", content)
    assert files.read_sealed(path) == {**content, "numbers": {"10": 1, "9": 2}}


DAMAGED = {
    "empty": b"",
    "cut short": b'{"value": {"times": 1',
    "cut within a letter": '{"value": "é'.encode()[:-1],
    "null": b"null",
    "list": b"[]",
    "text": b'""',
    "object": b"{}",
    "value without a seal": b'{"value": {"times": 1}}',
    "wrong seal": b'{"value": {"times": 1}, "sha256": "0"}',
    "deep": b"[" * 100_000,
    "zeros": bytes(100),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_memory_is_made_anew(tmp_path, content):
    calls = []

    def make():
        calls.append(1)
        return {"times": (len(calls),)}

    place = tmp_path / "deep" / "memory.json"
    assert files.remembered(place, make) == files.remembered(place, make) == {"times": [1]}
    place.write_bytes(content)
    assert files.read_sealed(place) is None
    assert files.remembered(place, make) == files.remembered(place, make) == {"times": [2]}


def test_every_flipped_bit_of_a_sealed_file_is_noticed(tmp_path):
    path = files.write_sealed(tmp_path / "a.json", {"value": [1, "b"]})
    whole = path.read_bytes()
    space = {i for i, byte in enumerate(whole) if chr(byte).isspace()}  # says nothing in JSON, so may change
    for i in set(range(len(whole))) - space:
        for bit in range(8):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1 :])
            assert files.read_sealed(path) is None, (i, bit)
    path.write_bytes(whole)
    assert files.read_sealed(path) == {"value": [1, "b"]}


def test_where_nothing_can_be_kept_the_value_is_made_every_time(tmp_path):
    (tmp_path / "file").touch()
    assert files.remembered(tmp_path / "file" / "memory.json", lambda: [1]) == [1]


def test_files_that_are_gone_or_changed_are_named(tmp_path):
    for name in ("same", "edited", "gone"):
        (tmp_path / name).write_text(name)
    digests = {name: files.sha256(tmp_path / name) for name in ("same", "edited", "gone")}
    assert files.changed(digests, tmp_path) == []
    (tmp_path / "edited").write_text("other")
    (tmp_path / "gone").unlink()
    assert files.changed(digests, tmp_path) == ["edited", "gone"]
