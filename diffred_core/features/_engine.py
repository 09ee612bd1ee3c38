"""Two engines that give the same features: torch anywhere, OpenVINO several times faster on a CPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from diffred_core.backbones import Backbone
from diffred_core.errors import InputError
from diffred_core.features._compute import FP32, PRECISIONS, check_precision
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._pooling import AVERAGE
from diffred_core.precision import full_precision

ENGINES = ("auto", "openvino", "torch")
Engine = Callable[[Tensor], tuple[Tensor, ...]]  # uint8 (n, 3, h, w) -> one (n, width) a layer

# Images in one OpenVINO request. Its throughput mode keeps one request a core in flight, and small requests
# stay in cache: 4 images ran 1.0 to 1.3 times as fast as 32 on two cores.
REQUEST = 4


def build_engine(
    backbone: Backbone,
    layers: Sequence[str],
    *,
    device: torch.device,
    engine: str,
    threads: int,
    pool: str = AVERAGE,
    precision: str = FP32,
) -> Engine:
    """Return what maps uint8 pixels (n, 3, height, width) to float32 features (n, width), one tensor a layer.

    Parameters
    ----------
    layers, pool
        As in `Source.layers`, by name.
    device, engine, threads, precision
        As in `Source`.

    Raises
    ------
    InputError
        If a layer, a way of pooling or a precision is unknown, or the engine is not installed or cannot run on the
        device or in the precision.
    """
    network = LayerFeatures(backbone, layers, pool=pool).eval()
    if choose(engine, device, precision) == "openvino":
        return openvino_engine(network, size=backbone.input_size, threads=threads, precision=precision)
    return torch_engine(network, device=device, threads=threads, precision=precision)


def choose(engine: str, device: torch.device, precision: str = FP32) -> str:
    """Return ``openvino`` or ``torch``: by itself the first, where it is and computes in the precision.

    Raises
    ------
    InputError
        If a name is unknown, or OpenVINO is asked for where it is not, or in a precision in which it does not compute.
    """
    if engine not in ENGINES:
        raise InputError(f"expected engine to be one of {', '.join(ENGINES)}, got {engine!r}; leave it at auto")
    check_precision(precision)
    there = find_spec("openvino") is not None
    if engine == "openvino" and (not there or device.type != "cpu"):
        raise InputError(
            f"expected OpenVINO installed and device 'cpu', got device {str(device)!r} and "
            f"{'an installed' if there else 'no'} OpenVINO; install the extra 'cpu' or take engine='torch'"
        )
    able = engine != "torch" and there and device.type == "cpu" and _openvino_computes_in(precision)
    if engine == "openvino" and not able:
        raise InputError(
            f"expected a precision in which OpenVINO computes on this CPU, got {precision!r}; take engine='torch', "
            "which may be slow"
        )
    return "openvino" if able else "torch"


def computed_in(engine: str, device: torch.device, precision: str) -> str:
    """Return what a feature key says of the precision.

    In float32 all engines and devices agree within rounding and share their features. In half precision two of them
    differ by as much as each does from float32, so the key names them.
    """
    dtype = str(PRECISIONS[check_precision(precision)]).removeprefix("torch.")
    if precision == FP32:
        return dtype
    if choose(engine, device, precision) == "openvino":
        return f"{dtype} by openvino"
    return f"{dtype} autocast{'' if device.type == 'cuda' else f' on {device.type}'}"


def _openvino_computes_in(precision: str) -> bool:
    return precision == FP32 or precision.upper() in _capabilities()


@cache
def _capabilities() -> frozenset[str]:
    """Return in what OpenVINO computes here. The hint alone does not tell: where there is no f16, it takes bf16."""
    import openvino

    return frozenset(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def n_threads(threads: int | None) -> int:
    """Return `threads`, else ``$OMP_NUM_THREADS``, else the cores that this process may use."""
    if threads is not None:
        if threads < 1:
            raise InputError(f"expected threads of at least 1, got {threads}; leave it out for all cores")
        return threads
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_engine(network: LayerFeatures, *, device: torch.device, threads: int, precision: str = FP32) -> Engine:
    """Return features by torch: channels last, and under autocast where the precision is half."""
    network = network.to(device).to(memory_format=torch.channels_last)

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        images = pixels.to(device).contiguous(memory_format=torch.channels_last)
        half = torch.autocast(device.type, PRECISIONS[precision], enabled=precision != FP32)
        with torch.inference_mode(), _torch_threads(threads), full_precision(device), half:
            return tuple(rows.float().cpu() for rows in network(images))

    return run


def openvino_engine(network: LayerFeatures, *, size: int, threads: int, precision: str = FP32) -> Engine:
    """Return features by OpenVINO, several small requests at a time."""
    import openvino

    model = converted(network, size=size)
    model.reshape([REQUEST, 3, size, size])
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision.replace("fp", "f"),
        "ENABLE_CPU_PINNING": False,  # else the processes of a grid all pin themselves to the same first cores
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    queue = openvino.AsyncInferQueue(compiled)
    widths = [output.shape[1] for output in compiled.outputs]

    def keep(request, target: tuple[list[np.ndarray], int, int, np.ndarray]) -> None:
        outputs, start, n, _ = target
        for i, output in enumerate(outputs):
            output[start : start + n] = request.get_output_tensor(i).data[:n]

    queue.set_callback(keep)

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        outputs = [np.empty((len(pixels), width), np.float32) for width in widths]
        for start in range(0, len(pixels), REQUEST):
            images = np.ascontiguousarray(pixels[start : start + REQUEST].numpy())
            n = len(images)
            if n < REQUEST:  # repeats images where the last are too few
                images = np.resize(images, (REQUEST, *images.shape[1:]))
            # Not copied, and OpenVINO does not own them: what waits keeps the images until they are computed.
            queue.start_async({0: openvino.Tensor(images, shared_memory=True)}, (outputs, start, n, images))
        queue.wait_all()
        return tuple(torch.from_numpy(output) for output in outputs)

    return run


def converted(network: LayerFeatures, *, size: int):
    """Return the OpenVINO model of a network.

    By tracing and OpenVINO's frontend: ``openvino.convert_model`` does the same, traces twice more to compare, takes
    several times as long, and reports the use of it to its maker.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    # Tracing is deprecated in torch 2.15, yet torch.export took four times as long to arrive at the same model.
    # One thread: for a single small image, threads on a busy machine cost thirty times what they save.
    with torch.no_grad(), _torch_threads(1), warnings.catch_warnings(action="ignore"):
        decoder = TorchScriptPythonDecoder(torch.jit.trace(network, example, check_trace=False))
        frontend = FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
