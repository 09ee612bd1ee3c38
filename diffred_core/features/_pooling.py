"""From the output of a layer to one row an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from diffred_core.checks import check_choice
from diffred_core.errors import InputError

AVERAGE = "average"


@dataclass(frozen=True)
class Layout:
    """How a network lays out what its layers give.

    Attributes
    ----------
    channels_last : bool
        Whether maps are (n, h, w, c), as timm says of the Swin family; convolutions give (n, c, h, w) all the same.
    n_prefix : int
        Tokens before those of the image: class, distillation and register tokens.
    has_class_token : bool
        Whether the first of them is a class token.
    """

    channels_last: bool
    n_prefix: int
    has_class_token: bool

    @classmethod
    def of(cls, module: nn.Module) -> Layout:
        """Read the layout from the attributes that timm gives its models."""
        n_prefix = int(getattr(module, "num_prefix_tokens", 0) or 0)
        return cls(
            channels_last=str(getattr(module, "output_fmt", "NCHW")).endswith("NHWC"),
            n_prefix=n_prefix,
            has_class_token=bool(getattr(module, "has_class_token", n_prefix > 0)),
        )


def _average(output: Tensor, _layout: Layout) -> Tensor:
    return output.mean(dim=(2, 3) if output.ndim == 4 else 1)


def _two_by_two(output: Tensor, _layout: Layout) -> Tensor:
    if output.ndim != 4:
        raise InputError(
            f"expected maps (n, c, h, w) for pool='2x2', got tokens of shape {shape_of(output)}; take average, cls "
            "or tokens"
        )
    # A copy where nothing is averaged: flattening alone shows the map itself, which a later activation may change.
    return output.flatten(1).clone() if output.shape[2] <= 2 else F.adaptive_avg_pool2d(output, 2).flatten(1)


def _class_token(output: Tensor, layout: Layout) -> Tensor:
    if output.ndim != 3 or not layout.has_class_token:
        raise InputError(
            f"expected tokens (n, t, c), the first of them a class token, for pool='cls', got shape "
            f"{shape_of(output)} in a network with{'' if layout.has_class_token else 'out'} one; take average"
        )
    return output[:, 0].clone()


def _image_tokens(output: Tensor, layout: Layout) -> Tensor:
    if output.ndim != 3:
        raise InputError(
            f"expected tokens (n, t, c) for pool='tokens', got maps of shape {shape_of(output)}; take average or 2x2"
        )
    return output[:, layout.n_prefix :].mean(dim=1)


POOLS: dict[str, Callable[[Tensor, Layout], Tensor]] = {
    AVERAGE: _average,
    "2x2": _two_by_two,
    "cls": _class_token,
    "tokens": _image_tokens,
}


def shape_of(output: Tensor) -> tuple[int, ...]:
    """Return the shape in plain numbers: while a network is traced its sides are tensors."""
    return tuple(int(side) for side in output.shape)


def check_pool(pool: str) -> str:
    """Return `pool`, or say which names there are."""
    check_choice(pool, POOLS, "expected pool to be one of {}")
    return pool


def pooled(output: Tensor, pool: str, layout: Layout, *, of_convolution: bool) -> Tensor:
    """Return one row an image.

    Parameters
    ----------
    output : Tensor
        Rows (n, c) are copied as they are, whatever `pool`; maps (n, c, h, w), or (n, h, w, c) by the `layout`, and
        tokens (n, t, c) are pooled.
    pool : str
        ``average`` over all positions, class token included; ``2x2`` of maps: the averages of four quarters, 4 c
        numbers, and every position where h is 2 or less (Harun et al. 2024, appendix A.2); ``cls``: the class token;
        ``tokens``: the average of the image's tokens.
    of_convolution : bool
        Whether a convolution gave it, so that the channels come first.
    """
    if output.ndim == 4 and layout.channels_last and not of_convolution:
        output = output.permute(0, 3, 1, 2)
    return POOLS[pool](output, layout) if output.ndim in (3, 4) else output.clone()
