"""What makes extraction fast on a GPU, as far as any device shows it; the rest runs where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_world import extract, tiny_backbone, write_images
from torch import Tensor, nn

from diffred_core import backbones, datasets, features
from diffred_core.backbones import Backbone, CentreCrop, to_tensor
from diffred_core.datasets import Dataset
from diffred_core.errors import InputError
from diffred_core.features import _fitting, _torch
from diffred_core.features._batches import pixel_batches
from diffred_core.features._fitting import Fitting, found_size
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._pipeline import Engine, in_order
from diffred_core.features._torch import torch_engine

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return datasets.load(f"folder:{write_images(tmp_path / 'pets', n=60)}")


# Enlarging where the network computes


def noise(rng: np.random.Generator, height: int, width: int, *, extreme: bool) -> Image.Image:
    high = 2 if extreme else 256
    pixels = rng.integers(0, high, (height, width, 3)) * (255 if extreme else 1)  # black and white overshoot most
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("extreme", [False, True])
def test_small_images_are_enlarged_as_pillow_does_to_the_last_bit(interpolation, extreme, device) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        size = int(rng.integers(8, 130))
        transform = CentreCrop(size, resized=size + int(rng.integers(0, 30)), interpolation=interpolation)
        height, width = rng.integers(max(1, size // 6), size, 2)
        images = [noise(rng, height, width, extreme=extreme) for _ in range(2)]
        batch = transform.of_batch(torch.stack([to_tensor(image) for image in images]).to(device))
        assert batch.device.type == device.type
        assert torch.equal(batch.cpu(), torch.stack([transform(image) for image in images]))


def test_torchs_own_interpolation_is_not_pillows() -> None:
    """The control: with it, features of one key would depend on the device."""
    image = noise(np.random.default_rng(0), 32, 32, extreme=False)
    transform = CentreCrop(109, resized=109, interpolation="bicubic")
    there = nn.functional.interpolate(to_tensor(image)[None], size=(109, 109), mode="bicubic", antialias=True)[0]
    assert 0 < (there != transform(image)).float().mean() < 0.05
    assert torch.equal(transform.of_batch(to_tensor(image)[None])[0], transform(image))


def test_only_what_pillow_would_not_make_smaller_is_left_to_the_device() -> None:
    assert CentreCrop(96, resized=109, interpolation="bicubic").enlarges_below == 96
    assert CentreCrop(96, resized=109, interpolation="lanczos").enlarges_below == 0  # a kernel it does not know


@pytest.mark.parametrize("sizes", [(24,), (24, 31), (24, 40)])  # of one size, of two, and one that is made smaller
def test_batches_left_small_end_as_the_same_bytes(sizes: tuple[int, ...], tmp_path: Path) -> None:
    for size in sizes:
        write_images(tmp_path / "pets" / f"of {size}", n=9, size=size)
    dataset = datasets.load(f"folder:{tmp_path / 'pets'}")
    transform, order = CentreCrop(32, resized=36, interpolation="bicubic"), torch.randperm(dataset.n_samples).tolist()
    lists = [order[:10], order[10:]]
    whole, small = (list(pixel_batches(dataset, transform, lists, threads=2, small=small)) for small in (False, True))
    assert {batch.shape[-1] for batch in small} == ({24} if sizes == (24,) else {32})
    enlarged = [batch if batch.shape[-1] == 32 else transform.of_batch(batch) for batch in small]
    assert all(map(torch.equal, enlarged, whole))


def test_a_network_enlarges_what_it_is_given_small(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    run = features.build_engine(backbone, ["penultimate"], device=CPU, engine="torch", threads=1)
    small, whole = (
        next(pixel_batches(pets, backbone.transform, [range(12)], threads=1, small=small)) for small in (True, False)
    )
    assert (small.shape[-1], whole.shape[-1]) == (24, 32)
    assert torch.equal(run(small)[0], run(whole)[0])


# Memory


class Greedy(nn.Module):
    """One feature an image; asks the allocator for more than any machine has, above `most` images at once."""

    def __init__(self, most: int, refuse: Callable[[], object]) -> None:
        super().__init__()
        self.most, self.refuse = most, refuse
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        if len(images) > self.most:
            self.refuse()
        return images.mean((2, 3))


def of_the_allocator() -> object:
    return torch.empty(2**59, dtype=torch.uint8)  # 512 PiB: refused by the CPU's allocator itself


def of_a_gpu() -> object:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def of_cudnn() -> object:
    raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")


def greedy(most: int, refuse: Callable[[], object] = of_the_allocator, size: int = 8) -> tuple[Greedy, Backbone]:
    network = Greedy(1, lambda: None)
    backbone = backbones.from_module(network, name="greedy", input_size=size, mean=(0,) * 3, std=(1,) * 3)
    network.most, network.refuse, network.sizes = most, refuse, []
    return network, backbone


def pixels_of(n: int, size: int = 8) -> Tensor:
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("refuse", [of_the_allocator, of_a_gpu, of_cudnn])
def test_where_memory_runs_out_half_as_many_go_on(refuse: Callable[[], object]) -> None:
    network, backbone = greedy(20, refuse)
    engine = torch_engine(LayerFeatures(backbone, ["penultimate"]).eval(), device=CPU, threads=1)
    pixels = pixels_of(100)
    (rows,) = engine(pixels)
    assert network.sizes == [100, 50, 25, 12, 12, 12, 12, 12, 12, 12, 12, 4]
    assert engine.most() == 12
    torch.testing.assert_close(rows, pixels.float().mean((2, 3)) / 255)
    network.sizes.clear()
    engine(pixels[:30])
    assert network.sizes == [12, 12, 6]  # it has learnt


@pytest.mark.parametrize(
    ("refuse", "what"),
    [(of_the_allocator, "576460752303423488 bytes"), (of_a_gpu, "Tried to allocate 20.00 MiB; take a smaller")],
)
def test_memory_for_not_even_one_image_is_said_with_what_was_needed(refuse, what: str) -> None:
    _, backbone = greedy(0, refuse)
    engine = torch_engine(LayerFeatures(backbone, ["penultimate"]).eval(), device=CPU, threads=1)
    with pytest.raises(
        InputError, match=r"expected memory for one image at a time in 'greedy' at 8 x 8 .* on cpu"
    ) as e:
        engine(pixels_of(3))
    assert what in str(e.value)


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    def broken() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    network, backbone = greedy(1, broken)
    engine = torch_engine(LayerFeatures(backbone, ["penultimate"]).eval(), device=CPU, threads=1)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        engine(pixels_of(3))
    assert network.sizes == [3]


def test_an_extraction_that_runs_out_of_memory_ends_with_the_same_features(pets: Dataset, tmp_path: Path) -> None:
    (tight, first), (_, second) = greedy(20), greedy(1000)
    stores = [
        extract(backbone, pets, split="train", engine="torch", batch_size=64, root=tmp_path / str(i))
        for i, backbone in enumerate((first, second))
    ]
    assert max(size for size in tight.sizes if size <= 20) == 16
    assert torch.equal(stores[0].read(), stores[1].read())


# The size of a batch


def timed(seconds: Callable[[int], float], most: int = 512) -> Engine:
    """Return an engine that takes so long for n images, and refuses more than `most`."""

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        if len(pixels) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        time.sleep(seconds(len(pixels)))
        return (pixels.float().mean((2, 3)),)

    fitting = Fitting(run, name="timed")

    def begin(pixels: Tensor) -> Callable[[], tuple[Tensor, ...]]:
        rows = fitting(pixels)
        return lambda: rows

    return Engine(begin, most=lambda: fitting.most)


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        (lambda n: 0.05, 512, 512),  # what a batch costs does not depend on its images
        (lambda n: 0.002 * n, 512, 32),  # nothing is won by more of them
        (lambda n: 0.05, 100, 64),  # 128 do not fit
        (lambda n: 0.05, 10, 8),  # nor do 32
    ],
)
def test_a_batch_is_as_large_as_fits_and_pays(seconds, most: int, expected: int) -> None:
    assert found_size(timed(seconds, most), image_size=4) == expected
    assert expected in (*_fitting.SIZES, 8)


def test_shards_to_come_are_computed_in_batches_as_those_before(pets: Dataset, tmp_path: Path) -> None:
    """What was found is kept beside the shards, then in the manifest, and followed when one of them is damaged."""
    network, backbone = greedy(1000)
    source = features.Source(backbone, pets, engine="torch", batch_size=16, root=tmp_path / "a")
    store = source.store("train")
    assert store.batch_size == 16
    network.sizes.clear()
    store._path(0).unlink()
    replace(source, batch_size=None).store("train")
    assert network.sizes == [16, 16, 16, 16, 8]
    fresh = replace(store, folder=tmp_path / "fresh")
    assert fresh.batch_size is None
    fresh.keep_batch_size(128)
    assert fresh.batch_size == 128
    assert replace(source, batch_size=None, root=tmp_path / "b").store("train").batch_size == 64


# Batches under way


def test_rows_come_in_order_with_as_many_batches_under_way_as_pay() -> None:
    log: list[str] = []

    def begin(pixels: Tensor) -> Callable[[], tuple[Tensor, ...]]:
        log.append(f"begin {int(pixels[0])}")
        return lambda: (log.append(f"wait {int(pixels[0])}"), (pixels,))[1]

    rows = list(in_order(lambda: Engine(begin, ahead=1), (torch.tensor([i]) for i in range(3))))
    assert [int(row[0]) for row in rows] == [0, 1, 2]
    assert log == ["begin 0", "begin 1", "wait 0", "begin 2", "wait 1", "wait 2"]


def test_what_was_begun_before_a_failure_still_comes() -> None:
    def failing() -> Iterator[Tensor]:
        yield from (torch.tensor([i]) for i in range(2))
        raise InputError("no image")

    rows = in_order(lambda: Engine(lambda pixels: lambda: (pixels,), ahead=5), failing())
    assert [int(next(rows)[0]), int(next(rows)[0])] == [0, 1]
    with pytest.raises(InputError, match="no image"):
        next(rows)


def test_replicas_take_batches_in_turn_and_agree(pets: Dataset, tmp_path: Path) -> None:
    network = LayerFeatures(tiny_backbone(tmp_path / "w.safetensors"), ["penultimate"]).eval()
    options = {"threads": 1, "precision": "fp32", "compiled": False}
    alone, both = (_torch._on([CPU] * n, network, **options) for n in (1, 2))
    batches = [pixels_of(4, 32), pixels_of(6, 32).flip(0), pixels_of(3, 32).flip(2)]
    for one, two in zip(in_order(lambda: alone, batches), in_order(lambda: both, batches), strict=True):
        assert torch.equal(one[0], two[0])
    assert (alone.ahead, both.ahead) == (0, 1)
    network.module.conv_stem.weight.mul_(2)  # of the first replica alone: they are copies
    one, two = (both(batches[0])[0] for _ in range(2))
    assert not torch.equal(one, two)


def test_a_device_with_a_number_is_that_one() -> None:
    assert _torch.devices_of(torch.device("cuda:1")) == [torch.device("cuda:1")]
    assert _torch.devices_of(CPU) == [CPU]


# On a GPU


@needs_gpu
@pytest.mark.parametrize("size", [24, 48])  # enlarged on the GPU, and made smaller before it
def test_a_gpu_computes_the_features_of_the_cpu(size: int, tmp_path: Path) -> None:
    dataset = datasets.load(f"folder:{write_images(tmp_path / 'pets', n=60, size=size)}")
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    cpu = extract(backbone, dataset, split="train", engine="torch", root=tmp_path / "cpu").read()
    gpu = extract(backbone, dataset, split="train", device="cuda", root=tmp_path / "gpu")
    assert (gpu.read() - cpu).abs().max() < 1e-4 * cpu.abs().max()
    assert gpu.batch_size in (*_fitting.SIZES, 8, 16)


@needs_gpu
def test_on_a_gpu_a_redone_shard_is_bit_equal(pets: Dataset, tmp_path: Path) -> None:
    source = features.Source(tiny_backbone(tmp_path / "w.safetensors"), pets, device="cuda", root=tmp_path / "a")
    store = source.store("train")
    before = store._path(0).read_bytes()
    store._path(0).unlink()
    assert source.store("train")._path(0).read_bytes() == before


@needs_gpu
def test_a_batch_on_a_gpu_waits_for_nothing_but_its_own_event(tmp_path: Path) -> None:
    """torch itself raises where a call would stop for the GPU."""
    network = LayerFeatures(tiny_backbone(tmp_path / "w.safetensors"), ["penultimate"]).eval()
    engine = torch_engine(network, device=torch.device("cuda:0"), threads=1)
    pixels = pixels_of(16, 32).pin_memory()
    expected = engine(pixels)[0]
    torch.cuda.set_sync_debug_mode("error")
    try:
        waiting = [engine.begin(pixels) for _ in range(3)]
        with pytest.raises(RuntimeError, match="synchron"):  # the control
            pixels.cuda().sum().item()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.equal(wait()[0], expected) for wait in waiting)


@needs_gpu
def test_memory_that_runs_out_on_a_gpu_halves_the_batch(tmp_path: Path) -> None:
    network, backbone = greedy(20, lambda: torch.empty(2**50, dtype=torch.uint8, device="cuda"))
    engine = torch_engine(LayerFeatures(backbone, ["penultimate"]).eval(), device=torch.device("cuda:0"), threads=1)
    pixels = pixels_of(64)
    (rows,) = engine(pixels)
    assert network.sizes == [64, 32, 16, 16, 16, 16]
    torch.testing.assert_close(rows, pixels.float().mean((2, 3)) / 255)


@needs_gpu
def test_a_compiled_network_gives_the_same_features_within_rounding(tmp_path: Path) -> None:
    network = LayerFeatures(tiny_backbone(tmp_path / "w.safetensors"), ["penultimate"]).eval()
    plain, fast = (
        torch_engine(network, device=torch.device("cuda:0"), threads=1, compiled=compiled) for compiled in (False, True)
    )
    for n in (16, 16, 5):
        expected, rows = (engine(pixels_of(n, 32))[0] for engine in (plain, fast))
        assert (rows - expected).abs().max() < 1e-4 * expected.abs().max()


@needs_gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device here")
def test_all_gpus_of_a_machine_share_the_batches(pets: Dataset, tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path / "w.safetensors")
    one, all_of_them = (
        extract(backbone, pets, split="train", device=device, batch_size=8, root=tmp_path / device[-1])
        for device in ("cuda:0", "cuda")
    )
    assert (one.read() - all_of_them.read()).abs().max() < 1e-5 * one.read().abs().max()
