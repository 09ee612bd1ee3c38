"""The card of a task or a network says what data and register of material hold, and what nobody recorded."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from staged_project import CELL, make_project, make_run

from diffred_core import datasets
from diffred_core.running import Entry
from diffred_core.staging import stage_book

REGISTER = """\
weights/m.safetensors: {what: A network of two layers, source: example.org/m, licence: MIT, made: as it is, sha256: "0"}
data/birds: {what: Birds as PNG, source: example.org/birds, licence: CC0, made: as they are, images: 1234}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    made = make_project(tmp_path / "checkout")
    (made / "workflow").mkdir()
    (made / "workflow" / "material.yml").write_text(REGISTER)
    monkeypatch.chdir(made)
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    return made


def card(text: str, name: str) -> str:
    return text.split(f"### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]


def test_an_embedded_task_has_its_numbers_its_licence_and_images():
    make_run()
    book, digits = stage_book([CELL]), datasets.load("digits")
    text = (book / "_generated" / "cards.md").read_text()
    of_task = card(text, "UCI digits")
    assert "- **Exact name**: `digits`" in of_task
    assert "- **Images**: 1,797: 1,079 train, 359 validation, 359 test" in of_task
    most = digits.y[digits.splits["test"]].bincount().max()
    assert f"is right for {100 * most / 359:.1f} %" in of_task
    assert "- **Licence**: CC BY 4.0" in of_task
    with Image.open(BytesIO((book / "_generated" / "task-digits.png").read_bytes())) as strip:
        assert strip.size == (596, 96)
        assert len(strip.convert("L").getcolors(100_000)) > 20  # there is something to see
    assert ':alt: "6 training images of UCI digits: 0, 1, 2, 3, 4, 5"' in of_task


def test_what_is_registered_is_said_and_what_is_not_recorded_too():
    birds = Entry("tiny", "birds", "m")
    make_run(
        birds, parameters={"model": "some:function", "task": "folder:data/birds", "checkpoint": "weights/m.safetensors"}
    )
    make_run(other := Entry("tiny", "birds", "n"), parameters={"model": "n", "task": "folder:data/birds"})
    book = stage_book([birds, other])
    text = (book / "_generated" / "cards.md").read_text()
    for part in ("**What**: Birds as PNG", "**Source**: example.org/birds", "**Licence**: CC0", "**Images**: 1,234"):
        assert part in card(text, "birds")
    for part in ("**Architecture**: `some:function`", "**What**: A network of two layers", "**Licence**: MIT"):
        assert part in card(text, "m")
    assert "**Source**: not recorded" in card(text, "n")
    assert "Licence" not in card(text, "n")
    assert not list((book / "_generated").glob("task-*.png"))  # no picture of images whose licence is not known
