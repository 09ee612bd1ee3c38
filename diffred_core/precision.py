"""One context manager: float32 products and convolutions that are really float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch


@contextmanager
def full_precision(device: torch.device | str = "cpu") -> Iterator[None]:
    """Switch reduced-precision products, convolutions and autocast off, and put the caller's settings back afterwards.

    TF32 keeps 10 bits of mantissa: a Gram matrix is then wrong by 3e-4, far more than the differences between
    two CKA values. torch lets convolutions on a GPU use it unless told otherwise. The settings are global to the
    process, as torch has them.

    Parameters
    ----------
    device : torch.device or str
        Where they will run; autocast is switched off for this kind of device.
    """
    cudnn, mkldnn = (cast(Any, backend) for backend in (torch.backends.cudnn, torch.backends.mkldnn))  # not annotated
    backends = (torch.backends.cuda.matmul, mkldnn.matmul, cudnn.conv, mkldnn.conv)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast(torch.device(device).type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
