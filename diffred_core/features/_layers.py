"""Pooled outputs of several layers of a backbone in one pass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from diffred_core.backbones import Backbone
from diffred_core.errors import InputError, near_names

PENULTIMATE = "penultimate"


class LayerFeatures(nn.Module):
    """From uint8 images (n, 3, h, w) to one tensor (n, width) a layer, normalisation included.

    Parameters
    ----------
    backbone : Backbone
    layers : sequence of str
        ``"penultimate"`` (the pooled features before the head) or names of modules, whose outputs are averaged
        over positions: (n, c, h, w) over the last two axes, or (n, h, w, c) where timm says so; tokens (n, t, c)
        over t.

    Raises
    ------
    InputError
        If a layer is unknown or named twice.
    """

    def __init__(self, backbone: Backbone, layers: Sequence[str]) -> None:
        super().__init__()
        self.backbone = backbone
        self.module = backbone.module
        self.layers = check_layers(backbone, layers)
        self.channels_last = str(getattr(backbone.module, "output_fmt", "NCHW")).endswith("NHWC")

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the pooled features of every layer, in the order asked for."""
        found: dict[str, Tensor] = {}
        handles = [self._record(name, found) for name in self.layers if name != PENULTIMATE]
        try:
            found[PENULTIMATE] = self.backbone.features(self.backbone.normalised(pixels))
        finally:
            for handle in handles:
                handle.remove()
        return tuple(found[name].float() for name in self.layers)

    def _record(self, name: str, found: dict[str, Tensor]):
        def hook(_module, _inputs, output) -> None:
            # Pooled at once: a later in-place activation would change the kept output itself.
            found[name] = self._pooled(output[0] if isinstance(output, tuple) else output)

        return self.module.get_submodule(name).register_forward_hook(hook)

    def _pooled(self, output: Tensor) -> Tensor:
        if output.ndim == 4:
            return output.mean(dim=(1, 2) if self.channels_last else (2, 3))
        return output.mean(dim=1) if output.ndim == 3 else output.clone()


def check_layers(backbone: Backbone, layers: Sequence[str]) -> tuple[str, ...]:
    """Return `layers` as a tuple, or say which of them the backbone does not have."""
    known = [PENULTIMATE, *(name for name, _ in backbone.module.named_modules() if name)]
    for name in layers:
        if name not in known:
            raise InputError(f"unknown layer {name!r} of {backbone.name!r}{near_names(name, known)}; name a module")
    if not layers or len(set(layers)) != len(layers):
        raise InputError(f"expected at least one layer, each once, got {tuple(layers)}; name every layer once")
    return tuple(layers)
