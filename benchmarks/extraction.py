"""Images a second through a frozen network, decoding included, beside OpenVINO's and timm's own rates.

``DIFFRED_BENCH_FOLDER`` names a folder of images, such as CIFAR-10 as PNG files, that is measured too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from _bench import Side, arguments, measure, report, rows_of
from torch import Tensor

from diffred_core import backbones, datasets
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.features import _engine
from diffred_core.features._batches import pixel_batches
from diffred_core.features._fitting import found_size
from diffred_core.features._layers import LayerFeatures
from diffred_core.features._openvino import converted
from diffred_core.features._pipeline import Engine, in_order
from diffred_core.precision import full_precision

N_IMAGES, BATCH = 512, 64
CASES = [(model, task) for model in backbones.embedded() for task in ("elpv", "mnist5k")]
FOLDER, N_OF_FOLDER = os.environ.get("DIFFRED_BENCH_FOLDER"), 1024
ON_A_GPU = [(model, precision) for model in ("resnet50", "vit_small_patch16_224") for precision in ("fp32", "bf16")]
N_BATCHES = 20  # of a GPU, in one run
CPU = torch.device("cpu")


@torch.inference_mode()
def eager(backbone: Backbone, pixels: Tensor) -> Tensor:
    """Compute the features as timm's documentation does."""
    return backbone.features(backbone.normalised(pixels))


def from_files(engine: Engine, dataset: Dataset, backbone: Backbone, *, n_images: int, threads: int) -> list[Tensor]:
    """Compute the features from the files, as an extraction does: images are decoded while others are computed."""
    lists = [batch.tolist() for batch in torch.arange(n_images).split(BATCH)]
    pixels = pixel_batches(dataset, backbone.transform, lists, threads=threads)
    return [rows[0] for rows in in_order(lambda: engine, pixels)]


def openvino_alone(backbone: Backbone, pixels: Tensor, *, request: int, threads: int) -> Callable[[], None]:
    """Return OpenVINO's own queue on prepared tensors, as its documentation has it, which keeps no result."""
    import openvino

    model = converted(LayerFeatures(backbone, ["penultimate"]).eval(), size=backbone.input_size)
    model.reshape([request, 3, backbone.input_size, backbone.input_size])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(model, "CPU", settings))
    prepared = [np.ascontiguousarray(part) for part in pixels.split(request)]

    def run() -> None:
        for part in prepared:
            queue.start_async({0: openvino.Tensor(part, shared_memory=True)})
        queue.wait_all()

    return run


def sides_on_a_cpu(backbone: Backbone, dataset: Dataset, *, n_images: int, threads: int) -> tuple[list[Side], float]:
    """Return an extraction from files and its peers, and how far our features are from timm's."""
    pixels = torch.stack([backbone.transform(dataset.image(i)) for i in range(n_images)])
    name = _engine.choose("auto", CPU)
    engine = _engine.build_engine(backbone, ["penultimate"], device=CPU, engine=name, threads=threads)
    expected = eager(backbone, pixels[:BATCH])
    error = (engine(pixels[:BATCH])[0] - expected).abs().max() / expected.abs().max()
    options = {"n_images": n_images, "threads": threads}
    sides = [
        Side(f"diffred_core ({name}), from files", lambda: from_files(engine, dataset, backbone, **options), "ours"),
        Side("timm, eager, on decoded pixels", lambda: [eager(backbone, part) for part in pixels.split(BATCH)]),
    ]
    if name == "openvino":
        for request in (1, 4):
            alone = openvino_alone(backbone, pixels, request=request, threads=threads)
            sides.append(Side(f"OpenVINO alone, prepared tensors of {request}", alone, "floor"))
    for side in sides:
        side.units = n_images
    return sides, float(error)


def rows_on_a_cpu(model: str, task: str, *, threads: int, repeats: int) -> list[dict[str, object]]:
    """Time an extraction from files, OpenVINO alone, and timm on the decoded pixels."""
    dataset = datasets.load(task)
    backbone = backbones.load(model, image_size=dataset.input_size)
    n_images = N_OF_FOLDER if task.startswith("folder:") else N_IMAGES
    sides, error = sides_on_a_cpu(backbone, dataset, n_images=n_images, threads=threads)
    facts = {"pixels": dataset.input_size, "threads": threads, "relative_error": f"{error:.1e}"}
    return rows_of(f"{model} on {dataset.name}", measure(sides, repeats=repeats), unit="image", **facts)


def images_in_memory(size: int, n: int) -> Iterator[Tensor]:
    """Yield the same pinned batch of bytes again and again, as an extraction has them from its decoders."""
    pixels = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8).pin_memory()
    while True:
        yield pixels


def from_memory(engine: Engine, batches: Iterator[Tensor]) -> list[Tensor]:
    """Compute the features of a number of batches."""
    return [rows[0] for rows in in_order(lambda: engine, islice(batches, N_BATCHES))]


@torch.inference_mode()
def timm_alone(backbone: Backbone, precision: str, n: int) -> Callable[[], None]:
    """Return timm's inference as its benchmark has it: channels last, cuDNN's search, floats on the GPU already.

    In fp32 without TF32, which would be another precision than ours.
    """
    network = backbone.module.cuda().to(memory_format=torch.channels_last)
    size = backbone.input_size
    images = torch.randn(n, 3, size, size, device="cuda").contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> None:
        before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
        with full_precision("cuda"), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            for _ in range(N_BATCHES):
                network(images)
        torch.backends.cudnn.benchmark = before

    return run


def rows_on_a_gpu(model: str, precision: str, *, repeats: int) -> list[dict[str, object]]:
    """Time our engine on bytes in pinned memory, compiled too, and timm's own loop, at the batch size that we find."""
    device, sides, n = torch.device("cuda:0"), [], 0
    for compiled in (False, True):
        backbone = random_network(model)
        options = {"engine": "torch", "threads": 1, "precision": precision, "compiled": compiled}
        engine = _engine.build_engine(backbone, ["penultimate"], device=device, **options)
        n = n or found_size(engine, image_size=backbone.input_size, pinned=True)
        name = f"diffred_core{', compiled' if compiled else ''}, bytes in memory"
        batches = images_in_memory(backbone.input_size, n)
        sides.append(Side(name, partial(from_memory, engine, batches), "peer" if compiled else "ours"))
    sides.append(Side("timm's own loop, floats on the GPU", timm_alone(random_network(model), precision, n)))
    for side in sides:
        side.units = n * N_BATCHES
    facts = {"pixels": backbone.input_size, "precision": precision, "batch": n}
    return rows_of(f"{model} on a GPU, {precision}", measure(sides, repeats=repeats), unit="image", **facts)


def random_network(model: str) -> Backbone:
    """Return a network with random weights: a rate does not depend on them."""
    import timm

    network = timm.create_model(model)
    return backbones.from_module(network, name=model, input_size=224, mean=(0.5,) * 3, std=(0.5,) * 3)


if __name__ == "__main__":
    options = arguments(__doc__, "extraction")
    cases = [*CASES, *([(backbones.embedded()[0], f"folder:{FOLDER}")] if FOLDER else [])]
    rows = [row for case in cases for row in rows_on_a_cpu(*case, threads=options.threads, repeats=options.repeats)]
    if torch.cuda.is_available():
        rows += [row for case in ON_A_GPU for row in rows_on_a_gpu(*case, repeats=options.repeats)]
    else:
        rows[-1]["facts"] += "; resnet50 and vit_small_patch16_224 on a GPU: not measured, no CUDA device here"
    report(rows, options.csv)
