"""Whose tunnel forgets: the first layers of one stage of training in front of the last layers of another.

A network is trained on a first task, then on a second one. Extractor and tunnel of the two stages are put together,
with the classifier of the task that is asked (Masarczyk et al. 2023; Harun et al. 2024), at every cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from diffred_core import results
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.sweep_networks import network_rows
from diffred_core.errors import InputError
from diffred_core.results.rows import Row
from diffred_core.small_networks import (
    SHORT,
    Architecture,
    Images,
    Network,
    SmallNetwork,
    TrainingRecipe,
    check_one_size,
    networks,
)

BATCH = 256
SECOND = 1000  # more than the seed of the first stage: from one seed, classes of one number would begin with one weight


def tunnel_swap(
    first: Images,
    second: Images,
    *,
    architecture: str = "vggm17-w8",
    n_seeds: int = 5,
    seed: int = 0,
    recipe: TrainingRecipe = SHORT,
    pool: str = "2x2",
    eps: float = 1e-3,
    device: str = "cpu",
    root: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train networks on two tasks, one after the other, and measure every extractor in front of every tunnel.

    Parameters
    ----------
    first, second : Images
        The tasks, of one image size.
    architecture : str
        A VGGm, as `Architecture.named` takes it.
    n_seeds, seed : int
        Networks, and the seed of the first.
    recipe : TrainingRecipe
        Of both stages; the second one starts from the trunk of the first, with a classifier of its own.
    pool, eps, device, root, progress
        As in `small_networks`.

    Returns
    -------
    DataFrame
        Metric accuracy_of_parts on the test images of both tasks. ``method`` is ``E1+T2`` and the like: extractor of
        stage 1 before the tunnel of stage 2; ``E1+T of another`` has the tunnel of the next seed after its first
        stage, a control. ``layer`` is the last convolution of the extractor. Whole networks, ``E1+T1`` and ``E2+T2``,
        have one row, at the last layer. And the rows of `sweep_networks.network_rows` of every network after the first
        stage, with the second task out of distribution: where its tunnel begins.

    Raises
    ------
    InputError
        If image sizes differ, the network is no VGGm, or as `small_networks.networks`.
    """
    check_one_size(first, [second])
    built = Architecture.named(architecture)
    if built.family != "vggm":
        raise InputError(
            f"expected architecture to be a vggm, got {architecture!r}; its blocks are one convolution each"
        )
    places: dict[str, Any] = {"recipe": recipe, "device": device, "root": root, "progress": progress}
    seeds = range(seed, seed + n_seeds)
    before = networks(first, [built], seeds=seeds, **places)
    after = [networks(second, [built], seeds=[one.seed + SECOND], start=one, **places)[0] for one in before]
    tables = []
    for i, stages in enumerate(zip(before, after, strict=True)):
        other = before[(i + 1) % n_seeds] if n_seeds > 1 else None
        rows = list(_rows_of_parts(stages, other, (first, second)))
        probed = network_rows(stages[0], first, [second], pool=pool, eps=eps, device=device)
        about = {"experiment": names.SWAP, "model": built.name, "recipe": names.TRAINED}
        table = pd.concat([results.as_table([about | {"split": "test"} | row for row in rows]), probed])
        tables.append(table.assign(**about, seed=stages[0].seed, repeat=i))
    return results.check(pd.concat(tables, ignore_index=True))


def _rows_of_parts(
    stages: tuple[Network, Network], other: Network | None, tasks: tuple[Images, Images]
) -> Iterator[Row]:
    """Yield the accuracy on both tasks of the whole networks, and of the parts put together at every cut."""
    one, two = (_module(network) for network in stages)
    pairs = {"E1+T1": (one, one), "E1+T2": (one, two), "E2+T1": (two, one), "E2+T2": (two, two)}
    if other is not None:
        pairs[names.OTHER_TUNNEL] = (one, _module(other))
    for images, module in zip(tasks, (one, two), strict=True):
        pixels, y = images.split("test")
        # the second stage has the normalisation of the first
        batches = [
            stages[0].backbone.normalised(batch.to(next(one.parameters()).device)) for batch in pixels.split(BATCH)
        ]
        for method, (extractor, tunnel) in pairs.items():
            cuts = range(1, len(one.blocks)) if extractor is not tunnel else [len(one.blocks)]
            for cut, classes in zip(cuts, _classes(extractor, tunnel, module.head, batches, cuts), strict=True):
                layer: Row = {"layer": f"conv{cut:02d}", "n_features": _width(one, cut)}
                about = {"task": images.task, "n_way": images.n_classes, "method": method}
                yield layer | about | {"metric": names.OF_PARTS, "value": float((classes == y).double().mean())}


@torch.inference_mode()
def _classes(
    extractor: SmallNetwork, tunnel: SmallNetwork, head: nn.Module, batches: Sequence[Tensor], cuts: Sequence[int]
) -> Tensor:
    """Return what is answered with every cut, (n_cuts, n_samples): one pass through the extractor serves all."""
    answers = []
    for x in batches:
        of_batch = []
        for cut in range(1, cuts[-1] + 1):
            x = extractor.blocks[cut - 1](x)
            if cut in cuts:
                features = tunnel.forward_head(tunnel.blocks[cut:](x), pre_logits=True)
                of_batch.append(head(features).argmax(1).cpu())
        answers.append(torch.stack(of_batch))
    return torch.cat(answers, dim=1)


def _module(network: Network) -> SmallNetwork:
    module = network.backbone.module
    assert isinstance(module, SmallNetwork)
    return module


def _width(module: SmallNetwork, cut: int) -> int:
    """Return the channels of the last convolution of an extractor: the rows of the first weights of its block."""
    return next(module.blocks[cut - 1].parameters()).shape[0]
