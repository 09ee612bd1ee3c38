"""The engine of a CPU: OpenVINO, small requests, some always waiting so that no core does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffred_core.features._compute import FP32
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._pipeline import Engine, Pending, Rows
from diffred_core.features._torch import torch_threads

# Images in one request. The throughput mode keeps one request a core in flight, and small requests stay in cache:
# 4 images ran 1.0 to 1.3 times as fast as 32 on two cores.
REQUEST = 4
# Requests under way: what runs, and enough behind it for the time in which a shard is written. Each has memory for
# images and rows alone, the network's own belongs to a core.
WAITING = 16


class Slot:
    """One request, its memory, and where the rows of the images go that it computes."""

    def __init__(self, request: Any, n_outputs: int) -> None:
        self.request = request
        self.images: np.ndarray = request.get_input_tensor().data
        self.computed: list[np.ndarray] = [request.get_output_tensor(i).data for i in range(n_outputs)]
        self.outputs: Sequence[np.ndarray] = ()
        self.start, self.n = 0, 0

    def begin(self, pixels: np.ndarray, outputs: Sequence[np.ndarray], start: int) -> None:
        """Finish what the request computes, and start it on `pixels`, whose rows begin at `start` of `outputs`."""
        self.finish()
        self.outputs, self.start, self.n = outputs, start, len(pixels)
        self.images[: self.n] = pixels  # what is left of an earlier batch behind them is computed and not kept
        self.request.start_async()

    def finish(self) -> None:
        """Wait for the request and keep its rows."""
        if self.n:
            self.request.wait()
            for output, rows in zip(self.outputs, self.computed, strict=True):
                output[self.start : self.start + self.n] = rows[: self.n]
            self.n = 0


def openvino_engine(network: LayerFeatures, *, size: int, threads: int, precision: str = FP32) -> Engine:
    """Return the engine of `network` for images of `size` pixels a side."""
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
    widths = [output.shape[1] for output in compiled.outputs]
    n_slots = max(WAITING, 2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    slots = cycle([Slot(compiled.create_infer_request(), len(widths)) for _ in range(n_slots)])

    def begin(pixels: Tensor) -> Pending:
        outputs = [np.empty((len(pixels), width), np.float32) for width in widths]
        images, used = pixels.numpy(), []
        for start in range(0, len(images), REQUEST):
            used.append(next(slots))
            used[-1].begin(images[start : start + REQUEST], outputs, start)

        def wait() -> Rows:
            for slot in used[-n_slots:]:  # the others have been started again since, and so finished
                if slot.outputs is outputs:
                    slot.finish()
            return tuple(torch.from_numpy(output) for output in outputs)

        return wait

    return Engine(begin, ahead=1)


def converted(network: LayerFeatures, *, size: int) -> Any:
    """Return the OpenVINO model of a network.

    By tracing and OpenVINO's frontend: ``openvino.convert_model`` does the same, traces twice more to compare, takes
    several times as long, and reports the use of it to its maker.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    # Tracing is deprecated in torch 2.15, yet torch.export took four times as long to arrive at the same model.
    # One thread: for a single small image, threads on a busy machine cost thirty times what they save.
    with torch.no_grad(), torch_threads(1), warnings.catch_warnings(action="ignore"):
        decoder = TorchScriptPythonDecoder(torch.jit.trace(network, example, check_trace=False))
        frontend = FrontEndManager().load_by_framework("pytorch")
        return frontend.convert(frontend.load(decoder))
