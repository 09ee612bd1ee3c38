"""Two engines that give the same features: torch anywhere, OpenVINO several times faster on a CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import torch

from diffred_core.backbones import Backbone
from diffred_core.errors import InputError
from diffred_core.features._compute import FP32, PRECISIONS, check_precision
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._openvino import openvino_engine
from diffred_core.features._pipeline import Engine
from diffred_core.features._pooling import AVERAGE
from diffred_core.features._torch import torch_engine

ENGINES = ("auto", "openvino", "torch")


def build_engine(
    backbone: Backbone,
    layers: Sequence[str],
    *,
    device: torch.device,
    engine: str,
    threads: int,
    pool: str = AVERAGE,
    precision: str = FP32,
    compiled: bool = False,
) -> Engine:
    """Return what maps uint8 pixels (n, 3, height, width) to float32 features (n, width), one tensor a layer.

    Parameters
    ----------
    layers, pool
        As in `Source.layers`, by name.
    device, engine, threads, precision
        As in `Source`.
    compiled : bool
        Whether torch compiles the network first, a minute or so; OpenVINO always does.

    Raises
    ------
    InputError
        If a layer, a way of pooling or a precision is unknown, or the engine is not installed or cannot run on the
        device or in the precision.
    """
    network = LayerFeatures(backbone, layers, pool=pool).eval()
    if choose(engine, device, precision) == "openvino":
        return openvino_engine(network, size=backbone.input_size, threads=threads, precision=precision)
    return torch_engine(network, device=device, threads=threads, precision=precision, compiled=compiled)


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
