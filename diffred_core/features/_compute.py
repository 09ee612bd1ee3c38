"""Where and in which precision features are computed, checked by name before any work."""

from __future__ import annotations

import torch

from diffred_core.checks import check_choice
from diffred_core.errors import InputError

FP32 = "fp32"
PRECISIONS: dict[str, torch.dtype] = {FP32: torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_precision(precision: str) -> str:
    """Return `precision`, or say which names there are."""
    check_choice(precision, PRECISIONS, "expected precision to be one of {}")
    return precision


def device_of(name: str | torch.device) -> torch.device:
    """Return the device called ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    InputError
        If it is called otherwise, or there is no such GPU.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"expected device to be cpu, cuda or cuda:N, got {str(name)!r}; name one of them")
    n_gpus = torch.cuda.device_count() if device.type == "cuda" and torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise InputError(f"expected a CUDA device for device={str(device)!r}, found {n_gpus or 'none'}; take 'cpu'")
    return device
