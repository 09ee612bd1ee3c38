"""Images a second through a frozen network, decoding included, beside the engine alone and the eager timm model."""

from __future__ import annotations

import torch
from _bench import Side, arguments, measure, report, rows_of
from torch import Tensor

from diffred_core import backbones, datasets
from diffred_core.backbones import Backbone
from diffred_core.datasets import Dataset
from diffred_core.features import _engine
from diffred_core.features._extract import pixel_batches

N_IMAGES, BATCH = 256, 64
CASES = [(model, task) for model in backbones.embedded() for task in ("elpv", "mnist5k")]


@torch.inference_mode()
def eager(backbone: Backbone, pixels: Tensor) -> Tensor:
    """Compute the features as timm's documentation does."""
    return backbone.features(backbone.normalised(pixels))


def end_to_end(engine: _engine.Engine, dataset: Dataset, backbone: Backbone, *, threads: int) -> list[Tensor]:
    """Compute the features from the files, as an extraction does: images are decoded while others are computed."""
    batches = torch.arange(N_IMAGES).split(BATCH)
    pixels = pixel_batches(dataset, backbone.transform, [batch.tolist() for batch in batches], threads=threads)
    return [engine(images)[0] for images in pixels]


def rows_for(model: str, task: str, *, threads: int, repeats: int) -> list[dict[str, object]]:
    """Time an extraction from files, the engine alone on the decoded pixels, and timm on the same."""
    dataset = datasets.load(task)
    backbone = backbones.load(model, image_size=dataset.input_size)
    pixels = torch.stack([backbone.transform(dataset.image(i)) for i in range(N_IMAGES)])
    name = _engine.choose("auto", torch.device("cpu"))
    engine = _engine.build_engine(backbone, ("penultimate",), device=torch.device("cpu"), engine=name, threads=threads)
    expected = eager(backbone, pixels)
    error = (engine(pixels)[0] - expected).abs().max() / expected.abs().max()
    sides = [
        Side(
            f"diffred_core ({name}), from files",
            lambda: end_to_end(engine, dataset, backbone, threads=threads),
            role="ours",
            units=N_IMAGES,
        ),
        Side(f"{name} alone, on decoded pixels", lambda: engine(pixels), role="floor", units=N_IMAGES),
        Side("timm, eager, on decoded pixels", lambda: eager(backbone, pixels), units=N_IMAGES),
    ]
    facts = {"pixels": dataset.input_size, "threads": threads, "relative_error": f"{float(error):.1e}"}
    return rows_of(f"{model} on {task}", measure(sides, repeats=repeats), unit="image", **facts)


if __name__ == "__main__":
    options = arguments(__doc__, "extraction")
    report(
        [row for case in CASES for row in rows_for(*case, threads=options.threads, repeats=options.repeats)],
        options.csv,
    )
