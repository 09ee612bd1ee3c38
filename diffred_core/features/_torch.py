"""The engine of torch: one network on a CPU or a GPU, or a copy of it on each of several."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle

import torch
from torch import Tensor

from diffred_core.backbones import CentreCrop
from diffred_core.features._compute import FP32, PRECISIONS
from diffred_core.features._fitting import Fitting
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._pipeline import Engine, Pending, Rows
from diffred_core.precision import full_precision

AHEAD = 2  # batches of a GPU under way while the oldest comes back


def torch_engine(
    network: LayerFeatures, *, device: torch.device, threads: int, precision: str = FP32, compiled: bool = False
) -> Engine:
    """Return the engine of `network`: channels last, and under autocast where the precision is half.

    ``cuda`` without a number is every GPU there is: a copy of the network on each, batches in turn. Images smaller than
    the network takes them are enlarged where it computes.
    """
    return _on(devices_of(device), network, threads=threads, precision=precision, compiled=compiled)


def devices_of(device: torch.device) -> list[torch.device]:
    """Return the GPUs that ``cuda`` stands for, or the one device named."""
    if device.type != "cuda" or ":" in str(device):
        return [device]
    return [torch.device("cuda", i) for i in range(torch.cuda.device_count())]


def _on(devices: list[torch.device], network: LayerFeatures, *, threads: int, precision: str, compiled: bool) -> Engine:
    copies = [network, *(copy.deepcopy(network) for _ in devices[1:])]
    replicas = [
        _replica(one, device=device, threads=threads, precision=precision, compiled=compiled)
        for one, device in zip(copies, devices, strict=True)
    ]
    turns = cycle([begin for begin, _ in replicas])
    fittings = [fitting for _, fitting in replicas]
    return Engine(
        lambda pixels: next(turns)(pixels),
        ahead=sum(AHEAD for device in devices if device.type == "cuda") + len(devices) - 1,
        most=lambda: min(fitting.most for fitting in fittings),
    )


def _replica(
    network: LayerFeatures, *, device: torch.device, threads: int, precision: str, compiled: bool
) -> tuple[Callable[[Tensor], Pending], Fitting]:
    network = network.to(device).to(memory_format=torch.channels_last)
    transform, size = network.backbone.transform, network.backbone.input_size
    forward = torch.compile(network) if compiled else network

    def run(pixels: Tensor) -> Rows:
        if pixels.shape[-1] < size and isinstance(transform, CentreCrop):
            pixels = transform.of_batch(pixels)
        images = pixels.contiguous(memory_format=torch.channels_last)
        half = torch.autocast(device.type, PRECISIONS[precision], enabled=precision != FP32)
        with torch.inference_mode(), torch_threads(threads), full_precision(device), half:
            return tuple(rows.float() for rows in forward(images))

    name = f"{network.backbone.name!r} at {size} x {size} pixels on {device}"
    if device.type == "cuda":
        copies = torch.cuda.Stream(device)
        fitting = Fitting(lambda pixels: run(_there(pixels, device, copies)), name=name, free=torch.cuda.empty_cache)
        return partial(_begin_on_gpu, fitting, device), fitting
    fitting = Fitting(run, name=name)
    return partial(_begin_here, fitting), fitting


def _begin_here(fitting: Fitting, pixels: Tensor) -> Pending:
    rows = fitting(pixels)
    return lambda: rows


def _there(pixels: Tensor, device: torch.device, copies: torch.cuda.Stream) -> Tensor:
    """Return `pixels` on the GPU, copied beside what it computes; from pinned memory nobody waits for that."""
    with torch.cuda.stream(copies):
        there = pixels.to(device, non_blocking=True)
    now = torch.cuda.current_stream(device)
    now.wait_stream(copies)
    there.record_stream(now)
    return there


def _begin_on_gpu(fitting: Fitting, device: torch.device, pixels: Tensor) -> Pending:
    """Queue a batch with its copies both ways; only the wait for its own event, batches later, stops anybody."""
    with torch.cuda.device(device):
        there = fitting(pixels)
        here = tuple(torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True) for rows in there)
        for target, rows in zip(here, there, strict=True):
            target.copy_(rows, non_blocking=True)
        done = torch.cuda.Event()
        done.record()

    def wait() -> Rows:
        done.synchronize()
        return here

    return wait


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute on so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
