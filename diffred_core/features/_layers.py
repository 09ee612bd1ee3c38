"""Pooled outputs of several layers of a backbone in one pass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from diffred_core.backbones import Backbone, channel_constants
from diffred_core.errors import InputError, near_names
from diffred_core.features._pooling import AVERAGE, Layout, check_pool, pooled, shape_of

PENULTIMATE = "penultimate"


class LayerFeatures(nn.Module):
    """From uint8 images (n, 3, h, w) to one tensor (n, width) a layer, normalisation included.

    Parameters
    ----------
    backbone : Backbone
    layers : sequence of str
        ``"penultimate"`` (the pooled features before the head) or names of modules. A module that runs several times
        in one pass is a layer each time: ``name`` is its first output, ``name#2`` the second.
    pool : {"average", "2x2", "cls", "tokens"}
        How maps and tokens become rows, see `_pooling.pooled`; penultimate features are rows already.

    Raises
    ------
    InputError
        If a layer or the pooling is unknown, or a layer is named twice; in the forward pass, if a layer does not run,
        gives no tensor, or does not give one row of one width for every image.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone, layers: Sequence[str], *, pool: str = AVERAGE) -> None:
        super().__init__()
        self.backbone = backbone
        self.module = backbone.module
        self.layers = check_layers(backbone, layers)
        self.pool = check_pool(pool)
        self.layout = Layout.of(backbone.module)
        self.calls: dict[str, dict[int, str]] = {}
        for layer in self.layers:
            if layer != PENULTIMATE:
                name, call = split_call(layer)
                self.calls.setdefault(name, {})[call] = layer
        self.widths: dict[str, int] = {}
        # Moved once: constants made on a GPU in every pass would wait for it in every pass.
        for name, values in zip(("shift", "scale"), channel_constants(backbone.mean, backbone.std), strict=True):
            self.register_buffer(name, values, persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return the pooled features of every layer, in the order asked for."""
        outputs: dict[str, Tensor] = {}
        handles = [self._record(name, calls, outputs) for name, calls in self.calls.items()]
        try:
            outputs[PENULTIMATE] = self.backbone.features((pixels.float() - self.shift) / self.scale)
        finally:
            for handle in handles:
                handle.remove()
        for layer in self.layers:
            self._check(layer, outputs.get(layer), pixels)
        return tuple(outputs[layer].float() for layer in self.layers)

    def _record(self, name: str, calls: dict[int, str], outputs: dict[str, Tensor]):
        module, n_calls = self.module.get_submodule(name), 0

        def hook(_module, _inputs, output) -> None:
            nonlocal n_calls
            n_calls += 1
            if n_calls in calls:
                # Pooled at once: a later in-place activation would change the kept output itself.
                outputs[calls[n_calls]] = self._pooled(calls[n_calls], module, output)

        return module.register_forward_hook(hook)

    def _pooled(self, layer: str, module: nn.Module, output: object) -> Tensor:
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(first, Tensor):
            raise InputError(
                f"expected layer {layer!r} of {self.backbone.name!r} to give a tensor, got "
                f"{type(first).__name__}; name a module within it"
            )
        return pooled(first, self.pool, self.layout, of_convolution=isinstance(module, nn.Conv2d))

    def _check(self, layer: str, output: Tensor | None, pixels: Tensor) -> None:
        if output is None:
            name, call = split_call(layer)
            raise InputError(
                f"expected layer {name!r} of {self.backbone.name!r} to run {call} time{'s' * (call > 1)} on the way to "
                "the pooled features, but it does not; name a layer before the head"
            )
        if output.ndim != 2 or output.shape[0] != pixels.shape[0]:
            raise InputError(
                f"expected one row an image from layer {layer!r} of {self.backbone.name!r}, got shape "
                f"{shape_of(output)} for {int(pixels.shape[0])} images; name the block around it"
            )
        width = self.widths.setdefault(layer, int(output.shape[1]))
        if output.shape[1] != width:
            raise InputError(
                f"expected {width} features of layer {layer!r} as in the first batch, got {output.shape[1]}; choose "
                "another pooling, or a layer of one width"
            )


def split_call(layer: str) -> tuple[str, int]:
    """Return the module and the number of its call: ``("act", 2)`` for ``act#2``, 1 where none is given."""
    name, mark, call = layer.rpartition("#")
    return (name, int(call)) if mark and call.isdigit() and int(call) > 0 else (layer, 1)


def module_names(backbone: Backbone) -> list[str]:
    """Return the names of all modules, in the order in which the network registers them."""
    return [name for name, _ in backbone.module.named_modules() if name]


def check_layers(backbone: Backbone, layers: Sequence[str]) -> tuple[str, ...]:
    """Return `layers` as a tuple, or say which of them the backbone does not have."""
    known = [PENULTIMATE, *module_names(backbone)]
    for layer in layers:
        if split_call(layer)[0] not in known:
            raise InputError(f"unknown layer {layer!r} of {backbone.name!r}{near_names(layer, known)}; name a module")
    if not layers or len(set(layers)) != len(layers):
        raise InputError(f"expected at least one layer, each once, got {tuple(layers)}; name every layer once")
    return tuple(layers)
