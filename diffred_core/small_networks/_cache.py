"""Networks trained once, side by side, and kept under ``runs/networks``: a second call finds those that are there."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from tqdm import tqdm

from diffred_core import backbones, files, provenance
from diffred_core.backbones import Backbone
from diffred_core.errors import InputError
from diffred_core.small_networks._images import Images, to_pixels
from diffred_core.small_networks._network import Architecture, SmallNetwork
from diffred_core.small_networks._train import SHORT, TrainingRecipe, TrainingResult, train

Item = TypeVar("Item")
Value = TypeVar("Value")
CODE = tuple(
    Path(__file__).with_name(f"_{name}.py")
    for name in ("attack", "heads", "losses", "network", "objective", "train", "trunks")
)


@dataclass(frozen=True, eq=False)
class Network:
    """A trained small network.

    Attributes
    ----------
    architecture : Architecture
    seed : int
    backbone : Backbone
        The network as all functions of `features` take it.
    key : str
        SHA-256 of everything that the weights depend on.
    losses : tuple of float
        Mean training loss of every epoch.
    seconds : float
        Wall time of its training, since its last interruption if there was one.
    """

    architecture: Architecture
    seed: int
    backbone: Backbone
    key: str
    losses: tuple[float, ...]
    seconds: float


def networks(
    images: Images,
    architectures: Sequence[Architecture],
    *,
    seeds: Sequence[int],
    recipe: TrainingRecipe = SHORT,
    start: Network | None = None,
    root: Path | str | None = None,
    device: str = "cpu",
    workers: int | None = None,
    progress: bool = True,
) -> list[Network]:
    """Return a network of every architecture and seed, trained on the training split of `images` or read back.

    One whose training was interrupted goes on from its last whole epoch.

    On a CPU each network is trained by one thread and several are trained side by side: their layers are too small to
    share out, and so the weights do not depend on the number of cores.

    Parameters
    ----------
    images, recipe, device
        As in `train`.
    architectures : sequence of Architecture
    seeds : sequence of int
    start : Network, optional
        From whose trunk the training of each goes on, as in `train`.
    root : path, optional
        Where networks are kept; ``networks`` under `files.runs_root` by default. A network is found again by its key;
        a damaged one is trained again.
    workers : int, optional
        Networks trained at once; by default the number of threads of torch (``OMP_NUM_THREADS``), and 1 on a GPU.
    progress : bool
        Show a bar over the networks still to be trained.

    Returns
    -------
    list of Network
        All seeds of the first architecture, then of the next.

    Raises
    ------
    InputError
        As `train`; if nothing is asked for, or something twice.
    """
    jobs = list(itertools.product(architectures, seeds))
    if not jobs or len(set(jobs)) < len(jobs):
        raise InputError(
            f"expected architectures and seeds, each once, got {list(architectures)} and {list(seeds)}; name some"
        )
    folder = (Path(root) if root is not None else files.runs_root() / "networks") / files.slug(images.task)
    slots = [
        _Slot(images, architecture, seed, recipe, start=start, device=device, root=folder)
        for architecture, seed in jobs
    ]
    missing = [slot for slot in slots if slot.read() is None]
    with tqdm(total=len(missing), unit="network", disable=not (progress and missing)) as bar:

        def fill(slot: _Slot) -> None:
            slot.fill()
            bar.update()

        by_one_thread_each(fill, missing, workers=workers, device=device)
    kept = [slot.read() for slot in slots]
    return [network for network in kept if network is not None]


def by_one_thread_each(
    function: Callable[[Item], Value], items: Iterable[Item], *, workers: int | None = None, device: str = "cpu"
) -> list[Value]:
    """Return `function` of every item, several at once, each computed by one thread.

    Small networks are too small to share out: threads that wait for each other take longer than one alone.

    Parameters
    ----------
    function : callable
    items : iterable
    workers : int, optional
        How many at once; by default the number of threads of torch, and 1 on a GPU.
    device : str
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        workers or (threads if device == "cpu" else 1), initializer=partial(torch.set_num_threads, 1)
    )
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)  # what threads started from now on inherit


@dataclass(eq=False)
class _Slot:
    """The place of one network: its weights, and the record that is written after them."""

    images: Images
    architecture: Architecture
    seed: int
    recipe: TrainingRecipe
    start: Network | None
    device: str
    root: Path

    def __post_init__(self) -> None:
        self.identity = {
            "architecture": asdict(self.architecture),
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "n_classes": self.images.n_classes,
            "training_images": self.images.digest("train"),
            "code": files.digest_of({path.name: path.read_bytes() for path in CODE}),
            "torch": torch.__version__,
            "device": self.device.partition(":")[0],
            **({} if self.start is None else {"start": self.start.key}),
        }
        self.key = files.digest_of({"identity": json.dumps(self.identity, sort_keys=True).encode()})
        self.weights = self.root / f"{self.architecture.name}-s{self.seed}-{self.key[:16]}.safetensors"
        self.record = self.weights.with_suffix(".json")
        self.checkpoint = self.weights.with_suffix(".checkpoint")

    def fill(self) -> None:
        """Train the network and write it, the record last."""
        started = time.perf_counter()
        trained = train(
            self.images,
            self.architecture,
            recipe=self.recipe,
            seed=self.seed,
            start=None if self.start is None else self.start.backbone,
            device=self.device,
            checkpoint=self.checkpoint,
            key=self.key,
        )
        seconds = round(time.perf_counter() - started, 3)
        weights = {name: tensor.cpu().contiguous() for name, tensor in trained.module.state_dict().items()}
        files.write_bytes(self.weights, save(weights))
        record = {
            "key": self.key,
            "identity": self.identity,
            "mean": trained.mean,
            "std": trained.std,
            "losses": trained.losses,
            "seconds": seconds,
            "weights_sha256": files.sha256(self.weights),
            "versions": provenance.versions(),
        }
        files.write_sealed(self.record, record)
        self.checkpoint.unlink(missing_ok=True)

    def read(self) -> Network | None:
        """Return the network, or None if it is not there, is another one, or is damaged."""
        record = files.read_sealed(self.record) or {}
        if record.get("key") != self.key or files.changed({self.weights.name: record["weights_sha256"]}, self.root):
            return None
        content = self.weights.read_bytes()
        head = self.recipe.objective.head
        module = SmallNetwork(self.architecture, self.images.n_classes, seed=self.seed, head=head)
        module.load_state_dict(load_tensors(content))
        numbers = (tuple(record[name]) for name in ("mean", "std", "losses"))
        trained = TrainingResult(module.eval().requires_grad_(False), *numbers)
        backbone = as_backbone(trained, self.architecture, seed=self.seed, size=self.images.size)
        about = {"key": self.key, "losses": trained.losses, "seconds": record["seconds"]}
        return Network(self.architecture, self.seed, backbone, **about)


def as_backbone(trained: TrainingResult, architecture: Architecture, *, seed: int, size: int) -> Backbone:
    """Return a trained network as a backbone for images of `size` pixels a side."""
    return backbones.from_module(
        trained.module,
        name=f"{architecture.name}-s{seed}",
        input_size=size,
        mean=trained.mean,
        std=trained.std,
        transform=partial(to_pixels, size=size),
        preprocessing={"size": size, "crop": "central square, bicubic", "mean": trained.mean, "std": trained.std},
        model_args=asdict(architecture),
    )
