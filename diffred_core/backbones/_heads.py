"""The classifier of a network: which layer it is, and how it is left out or takes another number of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from diffred_core.backbones._backbone import Headed, fitting_images
from diffred_core.errors import InputError, near_names

Head = tuple[str, ...]  # names of the layers that are the classifier: none, one, or two (distilled networks)


def head_of(module: nn.Module, classifier: str | None, *, name: str, size: int) -> Head:
    """Return the names of the layers that are the classifier of `module`.

    Parameters
    ----------
    module : nn.Module
    classifier : str, optional
        The layer, where the network does not show it; ``""`` for a network whose output is its features.
    name : str
        Of the model, for errors.
    size : int
        Pixels a side of an image to try it on.

    Raises
    ------
    InputError
        If there is no such layer, or the network ends with a linear layer whose output is not that of the network.
    """
    if isinstance(module, Headed):
        if classifier is not None:
            raise InputError(
                f"expected no classifier={classifier!r} for {name!r}, which says itself where its features are; "
                "leave it out"
            )
        return _of_timm(module)
    if classifier is None:
        return _last_layer(module, name=name, size=size)
    layers = [layer for layer, _ in module.named_modules() if layer]
    if classifier and classifier not in layers:
        raise InputError(
            f"unknown classifier {classifier!r} of {name!r}{near_names(classifier, layers)}; name one of its layers"
        )
    return (classifier,) if classifier else ()


def _of_timm(module: Any) -> Head:
    names = (getattr(module, "pretrained_cfg", None) or {}).get("classifier") or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    heads = module.get_classifier()
    heads = heads if isinstance(heads, tuple) else (heads,)
    return names or tuple(layer for layer, one in module.named_modules() if any(one is head for head in heads))


@torch.inference_mode()
def _last_layer(module: nn.Module, *, name: str, size: int) -> Head:
    """Return the last layer with weights that runs, if it gives the logits: a linear one, or a 1 x 1 convolution."""
    outputs: list[tuple[str, nn.Module, Tensor]] = []

    def recorder(layer: str, one: nn.Module) -> RemovableHandle:
        return one.register_forward_hook(lambda _module, _inputs, output: outputs.append((layer, one, output)))

    own = [(layer, one) for layer, one in module.named_modules() if layer and any(True for _ in one.parameters(False))]
    handles = [recorder(layer, one) for layer, one in own]
    module.eval()
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with fitting_images(name, size):
            logits = module(images)
    finally:
        for handle in handles:
            handle.remove()
    layer, last, output = outputs[-1] if outputs else ("", module, logits)
    if isinstance(last, nn.Linear):
        if not (isinstance(logits, Tensor) and torch.equal(logits, output)):
            raise InputError(
                f"expected the network {name!r} to end with its last linear layer {layer!r}, but its output "
                "is another; say by classifier='LAYER' whose input the features are, or by '' that its output is"
            )
        return (layer,)
    pooled = isinstance(last, nn.Conv2d) and last.kernel_size == (1, 1) and logits.shape == (2, last.out_channels)
    return (layer,) if pooled else ()


def under(name: str, head: Head) -> bool:
    """Return whether the tensor `name` belongs to the classifier."""
    return name.startswith(tuple(f"{layer}." for layer in head))


def remove_head(module: nn.Module, head: Head) -> None:
    """Leave the classifier of `module` out."""
    if (reset := _reset_of(module)) is not None:
        reset(0)
        return
    for layer in head:
        module.set_submodule(layer, nn.Identity())


def set_classes(module: nn.Module, head: Head, n_classes: int) -> None:
    """Give `module` a new classifier for `n_classes`."""
    if (reset := _reset_of(module)) is not None:
        reset(n_classes)
        return
    for layer in head:
        module.set_submodule(layer, _like(module.get_submodule(layer), n_classes))


def _reset_of(module: nn.Module) -> Callable[[int], None] | None:
    """Return timm's own way to another classifier, where `module` has it."""
    return getattr(module, "reset_classifier", None) if isinstance(module, Headed) else None


def _like(head: Any, n_classes: int) -> nn.Module:
    bias = getattr(head, "bias", None) is not None
    if isinstance(head, nn.Conv2d):
        height, width = head.kernel_size
        return nn.Conv2d(head.in_channels, n_classes, (height, width), bias=bias)
    return nn.Linear(head.in_features, n_classes, bias=bias)


def classes_of(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> int | None:
    """Return the number of classes of the head in `state`, None where it differs from the expected one in more."""
    rows = {tensor.shape[:1] for tensor in state.values()}
    if set(state) != set(expected) or len(rows) != 1:
        return None
    if any(state[key].shape[1:] != tensor.shape[1:] for key, tensor in expected.items()):
        return None
    (n_classes,) = rows.pop()
    return int(n_classes)
