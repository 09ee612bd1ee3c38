"""How a network is trained: a plain loop, the same weights to the last bit whatever else the process does.

An interruption is nothing else either: what a run has reached is kept after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from diffred_core.backbones import Backbone, normalised
from diffred_core.errors import InputError
from diffred_core.small_networks._checkpoint import Checkpoint
from diffred_core.small_networks._images import Images
from diffred_core.small_networks._network import Architecture, SmallNetwork
from diffred_core.small_networks._objective import TrainingObjective

LABEL_SMOOTHED = TrainingObjective("label_smoothing")
NOISE = 2**32  # what a regulariser draws is of no seed that orders images


@dataclass(frozen=True)
class TrainingRecipe:
    """AdamW under a cosine after a linear warm-up, label-smoothed cross-entropy: the published kind of run, shortened.

    Harun et al. (2024, sec. A): AdamW, 100 epochs, 5 of them warm-up, batches of 512, label smoothing 0.1, weight
    decay 0.05 and a learning rate of 0.006 (ImageNet-100) or 0.01 (CIFAR). Differs: fewer epochs of fewer images, so
    smaller batches; the last weights are kept, theirs were the best of all epochs on validation images.

    Attributes
    ----------
    epochs, batch_size : int
        Of 0 epochs an untrained network is left, a control: what depth alone does to a layer. Its weights are the first
        ones, its batch norms have the statistics of the training images. The last, smaller batch of an epoch is left
        out; every epoch reads the images in a new order.
    learning_rate, weight_decay : float
        Greatest learning rate, and the decoupled decay of all parameters.
    warmup : float
        Share of the steps before the learning rate is at its greatest.
    shift : int
        Pixels by which an image is moved at most in training, each way, its edge repeated; 0 for no augmentation.
    flip : bool
        Whether every other image, at random, is mirrored in training.
    objective : TrainingObjective
        Loss and regularisers.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    shift: int = 0
    flip: bool = False
    objective: TrainingObjective = LABEL_SMOOTHED

    def __post_init__(self) -> None:
        for name in ("batch_size", "learning_rate"):
            self._check(name, getattr(self, name) > 0, "above 0")
        for name in ("epochs", "weight_decay", "shift"):
            self._check(name, getattr(self, name) >= 0, "of at least 0")
        self._check("warmup", 0 <= self.warmup < 1, "in [0, 1)")

    def _check(self, name: str, fits: bool, what: str) -> None:
        if not fits:
            raise InputError(f"expected recipe.{name} {what}, got {getattr(self, name)}; leave it out for the default")

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of `step`, from 0, of `n_steps`."""
        rising = self.warmup * n_steps
        if step < rising:
            return self.learning_rate * min(1.0, (step + 1) / rising)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / (n_steps - rising)))


SHORT = TrainingRecipe()
"""The default: seconds to a minute for a few thousand images on one core."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training run leaves.

    Attributes
    ----------
    module : SmallNetwork
        In eval mode, its parameters frozen.
    mean, std : tuple of 3 floats
        Of the channels of the training pixels in units of 0..1, by which images are normalised.
    losses : tuple of float
        Mean training loss of every epoch.
    """

    module: SmallNetwork
    mean: tuple[float, ...]
    std: tuple[float, ...]
    losses: tuple[float, ...]


def train(
    images: Images,
    architecture: Architecture,
    *,
    recipe: TrainingRecipe = SHORT,
    seed: int,
    start: Backbone | None = None,
    device: str = "cpu",
    checkpoint: Path | str | None = None,
    key: str | None = None,
) -> TrainingResult:
    """Train a network on the training split of `images`.

    Every draw comes from generators on the CPU seeded by `seed`, so that neither the state of the process nor other
    runs beside this one matter. On a CPU it computes on the threads that torch is set to; two runs are equal to the
    last bit if that number is the same, and `networks` makes it one. Networks of one seed see the same images in the
    same order whatever their objective: what a regulariser draws comes from a generator of its own.

    Parameters
    ----------
    images : Images
        Only the split ``train`` is read.
    architecture, recipe
    seed : int
        Of the first weights, of the order of the images, of the augmentation and of what a regulariser draws.
    start : Backbone, optional
        A small network of the same architecture whose trunk and normalisation are taken over: training goes on from it
        with another task and a new classifier.
    device : str
    checkpoint : path, optional
        Where the state is kept after every epoch. A run that was interrupted goes on from there and ends with the same
        bits as one that was not.
    key : str, optional
        What the state is kept under, with a checkpoint: another key is another setting.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InputError
        If there are fewer training images than one batch, the loss is not finite any more, or the checkpoint is of
        another setting.
    """
    pixels, y = (tensor.to(device) for tensor in images.split("train"))
    if len(y) < recipe.batch_size:
        raise InputError(
            f"expected at least recipe.batch_size={recipe.batch_size} training images in {images.task!r}, got "
            f"{len(y)}; take smaller batches"
        )
    mean, std = channel_statistics(pixels) if start is None else (start.mean, start.std)
    module = SmallNetwork(architecture, images.n_classes, seed=seed, head=recipe.objective.head)
    if start is not None:
        module.blocks.load_state_dict(start.module.get_submodule("blocks").state_dict())
    run = _Run.begin(module.to(device).to(memory_format=torch.channels_last), recipe, seed=seed)

    def network_input(some: Tensor) -> Tensor:
        return normalised(some, mean=mean, std=std).contiguous(memory_format=torch.channels_last)

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        for rows, rate in _schedule(len(y), recipe, epoch, run.order):
            yield augmented(pixels[rows], recipe, run.order), y[rows], rate

    if not recipe.epochs:
        _settle_norms(module, (network_input(some) for some, _, _ in batches(0)))
    kept = None if checkpoint is None else Checkpoint(Path(checkpoint), key or "")
    if kept is not None:
        kept.load(run)
    for epoch in range(len(run.losses), recipe.epochs):
        losses = _epoch(run, batches(epoch), objective=recipe.objective, network_input=network_input)
        _refuse_divergence(losses, f"{recipe.objective.name} of {architecture.name}, seed {seed}", epoch=epoch)
        run.losses.append(float(losses.mean()))
        if kept is not None:
            kept.save(run)
    return TrainingResult(module.eval().requires_grad_(False), mean, std, tuple(run.losses))


@dataclass(eq=False)
class _Run:
    """All that changes while a network is trained: what a `Checkpoint` keeps."""

    module: SmallNetwork
    optimiser: torch.optim.Optimizer
    order: torch.Generator
    noise: torch.Generator
    losses: list[float] = field(default_factory=list)

    @classmethod
    def begin(cls, module: SmallNetwork, recipe: TrainingRecipe, *, seed: int) -> _Run:
        """Return the state before the first step."""
        optimiser = torch.optim.AdamW(
            module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        order, noise = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + NOISE)
        return cls(module, optimiser, order, noise)


def _schedule(n: int, recipe: TrainingRecipe, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, float]]:
    """Yield the rows and the learning rate of every step of one epoch; all batches are of one size."""
    n_batches = n // recipe.batch_size
    rows = torch.randperm(n, generator=generator)[: n_batches * recipe.batch_size].view(n_batches, -1)
    for i in range(n_batches):
        yield rows[i], recipe.rate(epoch * n_batches + i, max(1, recipe.epochs) * n_batches)


@torch.no_grad()
def _settle_norms(module: SmallNetwork, batches: Iterable[Tensor]) -> None:
    """Give the batch norms the statistics of the images, as training would, and leave all weights as they are."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # the plain mean over batches
    for x in batches:
        module(x)


def _epoch(
    run: _Run,
    batches: Iterable[tuple[Tensor, Tensor, float]],
    *,
    objective: TrainingObjective,
    network_input: Callable[[Tensor], Tensor],
) -> Tensor:
    """Take one step for every batch of pixels, labels and a learning rate, and return the loss of every step."""
    losses = []
    for pixels, y, rate in batches:
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        run.optimiser.zero_grad()
        loss = objective.of_batch(run.module, pixels, y, normalised=network_input, noise=run.noise)
        loss.backward()
        run.optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _refuse_divergence(losses: Tensor, setting: str, *, epoch: int) -> None:
    """Refuse an epoch in which a loss is not finite; losses (n_steps,)."""
    bad = (~losses.isfinite()).nonzero().flatten()
    if len(bad):
        at = int(bad[0])
        raise InputError(
            f"expected a finite training loss, got {float(losses[at])} at step {epoch * len(losses) + at + 1} (epoch "
            f"{epoch + 1}) of {setting}; lower recipe.learning_rate"
        )


def channel_statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of every channel of uint8 `pixels` (n, 3, h, w), in units of 0..1.

    A channel that does not vary has deviation 1.
    """
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in pixels.transpose(0, 1)])
    share, level = counts.double() / counts.sum(1, keepdim=True), torch.arange(256, device=pixels.device) / 255
    mean = share @ level.double()
    std = (share * (level.double() - mean[:, None]).square()).sum(1).sqrt()
    return tuple(mean.tolist()), tuple(torch.where(std > 0, std, 1.0).tolist())


def augmented(pixels: Tensor, recipe: TrainingRecipe, generator: torch.Generator) -> Tensor:
    """Return every image moved by up to `recipe.shift` pixels each way, its edge repeated, and some mirrored."""
    if not recipe.shift and not recipe.flip:
        return pixels
    n, _, height, width = pixels.shape
    moves = torch.randint(-recipe.shift, recipe.shift + 1, (2, n, 1), generator=generator)
    rows = (torch.arange(height) + moves[0]).clamp(0, height - 1).to(pixels.device)
    columns = (torch.arange(width) + moves[1]).clamp(0, width - 1)
    if recipe.flip:
        mirrored = torch.rand(n, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns.to(pixels.device)
    image, channel = (torch.arange(k, device=pixels.device) for k in pixels.shape[:2])
    return pixels[image[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None]]
