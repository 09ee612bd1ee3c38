"""Images a second when every block is kept, beside the last layer alone, and beside hooks on the eager timm model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from _bench import Side, arguments, measure, report, rows_of
from torch import Tensor

from diffred_core import backbones, datasets, features
from diffred_core.backbones import Backbone
from diffred_core.features import _engine

N_IMAGES = 64
CASES = [("tf_efficientnet_lite0.in1k", "mnist5k"), ("tf_efficientnet_lite0.in1k", "elpv")]


@torch.inference_mode()
def hooked(backbone: Backbone, layers: Sequence[str], pixels: Tensor) -> dict[str, Tensor]:
    """Average the outputs of modules in one pass, as hooks on the eager model do."""
    found: dict[str, Tensor] = {}

    def keep(layer: str):
        return lambda _module, _inputs, output: found.update({layer: output.mean((2, 3))})

    handles = [backbone.module.get_submodule(layer).register_forward_hook(keep(layer)) for layer in layers]
    backbone.features(backbone.normalised(pixels))
    for handle in handles:
        handle.remove()
    return found


def rows_for(model: str, task: str, *, threads: int, repeats: int) -> list[dict[str, object]]:
    """Time all sides on the same decoded pixels."""
    dataset = datasets.load(task)
    backbone = backbones.load(model, image_size=dataset.input_size)
    pixels = torch.stack([backbone.transform(dataset.image(i)) for i in range(N_IMAGES)])
    layers = features.layer_names(backbone, "blocks")
    device = torch.device("cpu")
    name = _engine.choose("auto", device)
    every, last = (
        _engine.build_engine(backbone, chosen, device=device, engine=name, threads=threads)
        for chosen in (layers, layers[-1:])
    )
    found = dict(zip(layers, every(pixels), strict=True))
    error = max(_relative_error(found[layer], X) for layer, X in hooked(backbone, layers[:-1], pixels).items())
    sides = [
        Side(f"all {len(layers)} layers, one pass ({name})", lambda: every(pixels), role="ours", units=N_IMAGES),
        Side(f"the last layer alone ({name})", lambda: last(pixels), role="floor", units=N_IMAGES),
        Side("all of them, hooks (timm, eager)", lambda: hooked(backbone, layers[:-1], pixels), units=N_IMAGES),
    ]
    facts = {"pixels": dataset.input_size, "threads": threads, "relative_error": f"{error:.1e}"}
    return rows_of(f"all layers of {model} on {task}", measure(sides, repeats=repeats), unit="image", **facts)


def _relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


if __name__ == "__main__":
    options = arguments(__doc__, "layers_extraction")
    report(
        [row for case in CASES for row in rows_for(*case, threads=options.threads, repeats=options.repeats)],
        options.csv,
    )
