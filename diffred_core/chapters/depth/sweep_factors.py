"""The tunnel's factors: small networks of a base and of what differs from it, every layer probed on other data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from diffred_core import results
from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.factors import NetworkSetting, settings
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

AS_THE_BASE = (names.FEWER_CLASSES, names.FEWER_CLASSES_MORE_PIXELS, names.AUGMENTED, names.MORE_IMAGES)


def tunnel_factors(
    tasks: Mapping[int, tuple[Images, Sequence[Images]]],
    *,
    classes: Sequence[int],
    n_images: int,
    n_probe: int | None = None,
    architecture: str = "vggm11-w8",
    factors: Sequence[str] = (),
    n_seeds: int = 5,
    seed: int = 0,
    recipe: TrainingRecipe = SHORT,
    untrained: bool = True,
    pool: str = "2x2",
    eps: float = 1e-3,
    device: str = "cpu",
    root: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train networks of every setting of `factors.settings` and probe each layer on their task and out of distribution.

    Parameters
    ----------
    tasks : mapping of int to (Images, sequence of Images)
        For the lower and the higher number of pixels a side, the task that networks are trained on, with all its
        classes, and OOD tasks. The classes that no setting is trained on are one more of them.
    classes, n_images, factors, recipe
        As in `factors.settings`.
    n_probe : int, optional
        Training images of every OOD task at most.
    architecture : str
        As `Architecture.named` takes it.
    n_seeds, seed : int
        Networks of each setting, and the seed of the first; all share the seeds, and are compared in pairs.
    untrained : bool
        Whether the base and what differs from it in pixels or architecture is probed before training too.
    pool, eps, device, root, progress
        As in `small_networks`.

    Returns
    -------
    DataFrame
        Of every network the rows of `sweep_networks.network_rows`; ``label`` is the setting, ``model`` the
        architecture, ``recipe`` ``trained`` or ``untrained``. With method ``setting`` what a setting is: classes,
        pixels, training_images and parameters.

    Raises
    ------
    InputError
        If too few images or classes are there for a setting, or as `factors.settings` and `small_networks`.
    """
    sizes, base = sorted(tasks), Architecture.named(architecture)
    chosen = settings(
        classes=classes, image_sizes=sizes, n_images=n_images, architecture=base, factors=factors, recipe=recipe
    )
    jobs = [(one, names.TRAINED) for one in chosen]
    jobs += [(one, names.UNTRAINED) for one in chosen if untrained and one.name not in AS_THE_BASE]
    tables = []
    places: dict[str, Any] = {"device": device, "root": root, "progress": progress}
    for one, state in jobs:
        images, others = _tasks_of(one, *tasks[one.size], n_trained_on=max(classes), n_probe=n_probe)
        chosen_recipe = one.recipe if state == names.TRAINED else replace(one.recipe, epochs=0)
        of_setting: dict[str, Any] = {"seeds": range(seed, seed + n_seeds), "recipe": chosen_recipe}
        for network in networks(images, [one.architecture], **of_setting, **places):
            table = network_rows(network, images, others, pool=pool, eps=eps, device=device)
            if state == names.TRAINED and network.seed == seed:
                table = pd.concat([table, results.as_table(list(_setting_rows(one, network, table)))])
            kind = {"experiment": names.FACTORS, "model": one.architecture.name, "label": one.name, "recipe": state}
            tables.append(table.assign(**kind, seed=network.seed, repeat=network.seed - seed))
    return results.check(pd.concat(tables, ignore_index=True))


def _tasks_of(
    setting: NetworkSetting, images: Images, others: Sequence[Images], *, n_trained_on: int, n_probe: int | None
) -> tuple[Images, list[Images]]:
    """Return the task of a setting, with so many training images, and the OOD tasks, the classes left over first."""
    check_one_size(images, others)
    own = images.of_classes(range(setting.n_classes)).at_most({"train": setting.n_images})
    if len(own.splits["train"]) < setting.n_images:
        raise InputError(
            f"expected {setting.n_images} training images of {own.task!r} for the setting {setting.name!r}, got "
            f"{len(own.splits['train'])}; lower n_images, or read more"
        )
    held_out = [] if n_trained_on == images.n_classes else images.hold_out(n_trained_on)[1]
    limits = {} if n_probe is None else {"train": n_probe}
    transfer = [other.at_most(limits) for other in (*held_out, *others)]
    if not transfer:
        raise InputError("expected at least one OOD task, got none; name one, or train on fewer classes than there are")
    return own, transfer


def _setting_rows(setting: NetworkSetting, network: Network, table: pd.DataFrame) -> Iterator[Row]:
    """Yield what a setting is, in rows of the last layer of one of its networks."""
    last = table[table["metric"] == names.CLASSIFIER].iloc[0]
    shared: Row = last[["experiment", "task", "model", "layer", "n_features", "split"]].to_dict()
    module = network.backbone.module
    assert isinstance(module, SmallNetwork)
    values = {
        names.N_CLASSES: setting.n_classes,
        names.PIXELS: setting.size,
        names.N_IMAGES: setting.n_images,
        names.PARAMETERS: sum(weights.numel() for weights in module.parameters()),
    }
    for metric, value in values.items():
        yield shared | {"method": names.OF_SETTING, "metric": metric, "value": float(value)}
