"""Device and precision of the features: by name, in the key, and with the error that they make."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_world import MODEL, extract, tiny_backbone, write_images

from diffred_core import datasets, features
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _engine
from diffred_core.features._engine import torch_engine
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._store import key_of

CPU = torch.device("cpu")
HALF = ("bf16", "fp16")
needs_openvino = pytest.mark.skipif(_engine.choose("auto", CPU) == "torch", reason="no OpenVINO here")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return datasets.load(f"folder:{write_images(tmp_path / 'pets', n=20)}")


def relative(X: torch.Tensor, exact: torch.Tensor) -> float:
    return float((X - exact).norm() / exact.norm())


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_half_precision_is_near_under_a_key_of_its_own_and_less_so_with_fewer_bits(engine, pets, tmp_path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    exact = extract(backbone, pets, split="test", engine="torch")
    half = {name: extract(backbone, pets, split="test", engine=engine, precision=name) for name in HALF}
    bf16, fp16 = (relative(half[name].read(), exact.read()) for name in HALF)
    assert 0 < 3 * fp16 < bf16 < 0.1  # 10 bits of mantissa against 7
    assert len({exact.key, half["bf16"].key, half["fp16"].key}) == 3
    assert half["bf16"].read().dtype == torch.float32


def test_the_default_precision_keeps_the_keys_that_stores_have(pets, tmp_path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    store, chosen = (extract(backbone, pets, split="test", **one) for one in ({}, {"precision": "fp32"}))
    as_before = {**{k: v for k, v in store.identity.items() if k != "computed_in"}, "computed_in": "float32"}
    assert store.key == chosen.key == key_of(as_before)
    assert "precision" not in store.identity


def test_views_and_moments_follow_the_precision(pets, tmp_path) -> None:
    source = features.Source(tiny_backbone(tmp_path / "w.safetensors"), pets, engine="torch")
    half = source.in_precision("bf16")
    exact, rough = (one.views([0, 5, 9], n_views=1) for one in (source, half))
    assert 0 < relative(rough, exact) < 0.1
    exact, rough = (one.moments("test", quartic=False)["penultimate"].gram for one in (source, half))
    assert 0 < relative(rough, exact) < 0.1


def test_fp32_is_float32_whatever_the_caller_has_switched_on(pets, tmp_path) -> None:
    network = LayerFeatures(tiny_backbone(tmp_path / "w.safetensors"), ["penultimate"]).eval()
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    run, rough = (torch_engine(network, device=CPU, threads=1, precision=name) for name in ("fp32", "bf16"))
    (alone,) = run(pixels)
    with torch.autocast("cpu", torch.bfloat16):
        (within,) = run(pixels)
    assert torch.equal(alone, within)
    assert not torch.equal(alone, rough(pixels)[0])  # the control


@needs_openvino
def test_openvino_computes_in_what_the_processor_has_and_nothing_else_by_that_name(pets, tmp_path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    able = [name for name in HALF if name.upper() in _engine._capabilities()]
    for name in HALF:
        assert _engine.choose("auto", CPU, name) == ("openvino" if name in able else "torch")
        if name in able:
            torch_key = extract(backbone, pets, split="test", engine="torch", precision=name).key
            assert extract(backbone, pets, split="test", engine="openvino", precision=name).key != torch_key
            continue
        with pytest.raises(InputError, match=f"precision in which OpenVINO computes on this CPU, got '{name}'"):
            extract(backbone, pets, split="test", engine="openvino", precision=name)
    assert extract(backbone, pets, split="test", engine="openvino").key == extract(backbone, pets, split="test").key


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"precision": "fp8"}, "expected precision to be one of fp32, bf16, fp16, got 'fp8'"),
        ({"device": "gpu"}, "expected device to be cpu, cuda or cuda:N, got 'gpu'; name one of them"),
        ({"device": "meta"}, "expected device to be cpu, cuda or cuda:N, got 'meta'; name one of them"),
        ({"device": "cuda:99"}, r"expected a CUDA device for device='cuda:99', found (none|\d+); take 'cpu'"),
    ],
)
def test_an_unknown_precision_or_device_is_refused_before_any_work(options, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        features.Source(MODEL, "folder:/nowhere/at/all", **options)
    features.Source(MODEL, "folder:/nowhere/at/all", precision="bf16", device="cpu")  # the control: nothing is read


@needs_gpu
def test_a_gpu_gives_the_features_of_the_cpu_under_the_same_key(pets, tmp_path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    cpu = extract(backbone, pets, split="test", engine="torch", root=tmp_path / "cpu")
    gpu = extract(backbone, pets, split="test", device="cuda", root=tmp_path / "gpu")
    assert cpu.key == gpu.key
    assert (cpu.read() - gpu.read()).abs().max() < 1e-4 * cpu.read().abs().max()  # TF32 would not reach it
    rough = extract(backbone, pets, split="test", device="cuda", precision="bf16", root=tmp_path / "gpu")
    assert rough.key != gpu.key
    assert relative(rough.read(), gpu.read()) > 1e-4
