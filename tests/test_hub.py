"""Without a network it is said within seconds, and what is in the cache is used; with one nothing is cut short."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
from tiny_world import tiny_backbone

from diffred_core import backbones
from diffred_core.backbones._hub import _address, reachable
from diffred_core.errors import InputError


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Listen on this machine, and answer nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        yield server


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> Path:
    """Let the hub be at a port where nobody listens any more, and its cache be an empty folder."""
    port = listening.getsockname()[1]
    listening.close()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")  # before torchvision's server
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize("model", ["hf-hub:nobody/nothing", "resnet18.a1_in1k", "torchvision:resnet18"])
def test_weights_out_of_reach_are_said_within_seconds(model: str, offline: Path) -> None:
    import torchvision  # noqa: F401 (its import is not what is timed)

    started = time.monotonic()
    with pytest.raises(InputError, match=r"expected the weights of '.*connect once"):
        backbones.load(model)
    assert time.monotonic() - started < 5


def test_weights_in_the_cache_need_no_network(offline: Path, tmp_path: Path) -> None:
    plain = tiny_backbone(tmp_path / "w.safetensors")
    model = offline / "models--nobody--small"
    timm.models.save_for_hf(plain.module, model / "snapshots" / ("0" * 40), safe_serialization=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    assert backbones.load("hf-hub:nobody/small").weights_digest == plain.weights_digest
    with pytest.raises(InputError, match="expected the weights of 'hf-hub:nobody/other'"):
        backbones.load("hf-hub:nobody/other")


def test_only_the_connection_is_tried_and_not_for_long(listening: socket.socket) -> None:
    address = listening.getsockname()
    url = f"http://127.0.0.1:{address[1]}"
    assert reachable(url, seconds=1)  # though no answer ever comes
    waiting = [socket.socket() for _ in range(8)]  # until no more are taken in: packets are dropped then
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(address)
    started = time.monotonic()
    assert not reachable(url, seconds=0.3)
    assert 0.2 < time.monotonic() - started < 2
    for one in waiting:
        one.close()
    listening.close()
    assert not reachable(url, seconds=1)


def test_a_proxy_stands_for_what_is_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert _address("https://hub.example") == ("hub.example", 443)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert _address("https://hub.example") == ("proxy.example", 3128)
    assert _address("http://hub.example") == ("hub.example", 80)
    monkeypatch.setenv("no_proxy", "hub.example")
    assert _address("https://hub.example") == ("hub.example", 443)


def test_the_hub_is_as_it_was_afterwards(offline: Path) -> None:
    from huggingface_hub import constants

    with pytest.raises(InputError):
        backbones.load("hf-hub:nobody/nothing")
    assert constants.HF_HUB_OFFLINE is False
