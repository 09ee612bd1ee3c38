"""What all systems of the chapter share: the images they learn, one loop over seeds, and what stops a simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core import results
from diffred_core.chapters.training import names
from diffred_core.errors import InputError
from diffred_core.results.rows import Row
from diffred_core.small_networks import read_tasks

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

SeedRows = Callable[[int], Iterable[Row]]


@dataclass(frozen=True, eq=False)
class PixelRows:
    """Images as rows of grey values, for systems that are simulated.

    Attributes
    ----------
    task : str
    X, test_X : Tensor (n, n_pixels) of float64
        In units of the full range of a pixel, less the mean of the training rows.
    y, test_y : LongTensor (n,)
    n_classes : int
    digest : str
        Of the training images, for provenance.
    """

    task: str
    X: Tensor
    y: Tensor
    test_X: Tensor
    test_y: Tensor
    n_classes: int
    digest: str

    @property
    def targets(self) -> Tensor:
        """Return the labels as centred one-hot rows (n, n_classes) of float64."""
        return centred_targets(self.y, self.n_classes)

    @property
    def rows32(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return (X, y) of the training and of the test images, X as float32: in which networks are trained."""
        return (self.X.float(), self.y), (self.test_X.float(), self.test_y)


def pixel_rows(simulated_on: str = "digits", *, pixels_a_side: int = 8, n_train: int | None = None) -> PixelRows:
    """Read the images of a task as rows.

    Parameters
    ----------
    simulated_on : str
        As `datasets.load` takes it.
    pixels_a_side : int
        At least 8.
    n_train : int, optional
        Training images at most, classes in their shares.

    Raises
    ------
    InputError
        As `small_networks.read_tasks`.
    """
    images, _ = read_tasks(simulated_on, [], image_size=pixels_a_side, n_train=n_train)
    (X, y), (test_X, test_y) = (images.split(split) for split in ("train", "test"))
    grey, test_grey = (part.double().mean(1).flatten(1) / 255 for part in (X, test_X))
    rows = (grey - grey.mean(0), y, test_grey - grey.mean(0), test_y)
    return PixelRows(images.task, *rows, n_classes=images.n_classes, digest=images.digest("train"))


def centred_targets(y: Tensor, n_classes: int) -> Tensor:
    """Return labels (n,) as one-hot rows less their mean, (n, n_classes) of float64."""
    targets = one_hot(y, n_classes).double()
    return targets - targets.mean(0)


def simulated(
    analysis: str, features: TaskFeatures, rows_of: SeedRows, *, n_seeds: int, seed: int, bridge: Iterable[Row] = ()
) -> pd.DataFrame:
    """Return the results table of one system.

    Parameters
    ----------
    analysis : str
        Name of the notebook.
    features : TaskFeatures
        Of the bridge; the table is named by its task and model.
    rows_of : callable
        From a seed to the rows of one simulation. A curve has its place in column ``at``; what has none is a number a
        seed. ``recipe`` is the setting, ``label`` tells curves of one setting apart, ``method`` is
        `names.MEASURED` (left out) or `names.THEORY`.
    n_seeds, seed : int
        How many simulations, and the first seed.
    bridge : iterable of row
        From `bridge.rows`.

    Raises
    ------
    InputError
        If there is no seed.
    """
    if n_seeds < 1:
        raise InputError(f"expected n_seeds of at least 1, got {n_seeds}; 5 give an interval")
    shared: Row = {"experiment": analysis, "task": features.task, "model": features.model}
    of_simulation = shared | {"layer": names.SIMULATION, "method": names.MEASURED}
    table = [
        of_simulation | {"seed": s, "repeat": repeat} | row
        for repeat, s in enumerate(range(seed, seed + n_seeds))
        for row in rows_of(s)
    ]
    return results.as_table([*table, *(shared | row for row in bridge)])


def curve(metric: str, at: Sequence[float], values: Iterable[float] | Tensor, **columns: object) -> list[Row]:
    """Return a row a place of a curve, with `columns`; what is not finite there is left out."""
    numbers = [float(value) for value in values]
    return [
        {"metric": metric, "at": float(place), "value": value, **columns}
        for place, value in zip(at, numbers, strict=True)
        if math.isfinite(value)
    ]


def places(n_steps: int, *, n: int = 25) -> list[int]:
    """Return at most `n` of the steps from 0 to `n_steps`, both among them, even on a log scale."""
    spaced = torch.logspace(0, math.log10(max(1, n_steps)), n - 1, dtype=torch.float64)
    return sorted({0, *(round(step) for step in spaced.tolist()), n_steps})


def refuse_divergence(value: float | Tensor, *, step: int, setting: str) -> None:
    """Stop a simulation whose loss or weights are not finite any more.

    Raises
    ------
    InputError
        With the step and the setting.
    """
    if not math.isfinite(float(value)):
        raise InputError(f"expected a finite loss, got {float(value)} at step {step} of {setting}; take a smaller step")


def check_at_least(least: int, **numbers: int | Sequence[int]) -> None:
    """Refuse a parameter, or one of several, below `least`.

    Raises
    ------
    InputError
        With its name.
    """
    for name, given_numbers in numbers.items():
        listed = [given_numbers] if isinstance(given_numbers, int) else list(given_numbers)
        if not listed or min(listed) < least:
            raise InputError(f"expected {name} of at least {least}, got {given_numbers}; leave it out for the default")


def drawn_layers(widths: Sequence[int], *, seed: int, gain: float = 1.0) -> list[Tensor]:
    """Return normal weights (n_in, n_out) of float64 between layers of these widths, of deviation gain / sqrt(n_in)."""
    draw = torch.Generator().manual_seed(seed)
    pairs = itertools.pairwise(widths)
    return [
        (torch.randn(n_in, n_out, generator=draw, dtype=torch.float64) * gain / math.sqrt(n_in)).requires_grad_()
        for n_in, n_out in pairs
    ]


def descend(
    parameters: Sequence[Tensor],
    error: Callable[[], Tensor],
    *,
    step: float,
    n_steps: int,
    setting: str,
    along: Tensor | None = None,
) -> Tensor:
    """Go down ``||error||^2 / 2`` by plain gradient descent on all rows, and keep the size of every row of the error.

    Parameters
    ----------
    parameters : sequence of Tensor
        Changed in place.
    error : callable
        From nothing to the error (n, n_outputs) at the present parameters.
    step : float
        Learning rate.
    n_steps : int
    setting : str
        What it is, for the sentence that stops it.
    along : Tensor (n, d), optional
        Orthonormal columns along which the error is measured, instead of its rows.

    Returns
    -------
    Tensor (n_steps + 1, n) or (n_steps + 1, d)

    Raises
    ------
    InputError
        If the loss is not finite.
    """
    sizes = []
    for t in range(n_steps + 1):
        now = error()
        loss = now.square().sum() / 2
        refuse_divergence(loss.detach(), step=t, setting=setting)
        sizes.append((now if along is None else along.T @ now).detach().norm(dim=1))
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, list(parameters)), strict=True):
            parameter.data -= step * slope
    return torch.stack(sizes)
