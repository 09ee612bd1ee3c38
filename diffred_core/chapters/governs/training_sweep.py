"""Networks trained here that differ in their objective, or in their architecture, and what that does to redundancy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from diffred_core import results
from diffred_core.chapters.governs import claims_training
from diffred_core.chapters.governs import names_training as names
from diffred_core.chapters.governs import training_measures as measures
from diffred_core.chapters.governs.training_measures import Measured
from diffred_core.errors import InputError
from diffred_core.results.claims import claim_rows
from diffred_core.results.rows import Row
from diffred_core.small_networks import (
    Architecture,
    Images,
    Network,
    TrainingObjective,
    TrainingRecipe,
    by_one_thread_each,
    check_one_size,
    networks,
)

LAYER = "penultimate"
SHORT = TrainingRecipe(objective=TrainingObjective())


def trained(
    images: Images,
    others: Sequence[Images],
    *,
    objectives: Sequence[str],
    architectures: Sequence[str],
    n_seeds: int = 5,
    seed: int = 0,
    recipe: TrainingRecipe = SHORT,
    fractions: Sequence[float] = names.FRACTIONS,
    n_draws: int = 20,
    n_prefix_draws: int = 99,
    draw_seed: int = 1,
    eps: float = 0.5,
    attack_steps: int = 10,
    n_attacked: int = 300,
    rank_eps: float = 1e-3,
    device: str = "cpu",
    root: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train networks on one task by several objectives and measure the redundancy of their last layer on all tasks.

    Parameters
    ----------
    images : Images
        The task that the networks are trained on.
    others : sequence of Images
        Tasks that they are not trained on, of the same image size.
    objectives : sequence of str
        As `TrainingObjective.named` takes them. The first is what the others are held against; it is trained in every
        architecture, the others in the first one.
    architectures : sequence of str
        As `Architecture.named` takes them.
    n_seeds, seed : int
        Networks of every kind, and the seed of the first. All kinds share the seeds: of one architecture they have the
        same first weights and see the same images in the same order, so that they are compared in pairs.
    recipe : TrainingRecipe
        All but the objective.
    fractions, n_draws, n_prefix_draws, eps, attack_steps, n_attacked, rank_eps
        As in `Measured`.
    draw_seed : int
        Of the first random subset.
    device, root, progress
        As in `small_networks.networks`.

    Returns
    -------
    DataFrame
        A results table. Column ``model`` is the architecture and, behind an @, the task of the training; ``recipe`` the
        objective, ``seed`` the network, ``label``
        whether the task is the ``own task`` or one of the ``other tasks``. Of every task: accuracy by size (methods
        ``random``, mean over draws, ``first`` and ``full``), accuracy_kept, diffused_redundancy_first and _nearest,
        gini, gini_rise and cka_above_null at a fifth of the dimensions, class_separation, nc1, numerical_rank and
        rankme of the training rows; of the own task also prefix_p_value and gain_over_random of the first k, and of the
        network classifier_accuracy, robust_accuracy and training_loss. And the claims of the paper as
        `results.claims.claim_rows`, for the chapter's summary, where the first objective is plain cross-entropy.

    Raises
    ------
    InputError
        If an objective or architecture is unknown or comes twice, there is no other task, image sizes differ, or as
        `small_networks.networks`.
    """
    _check(images, others)
    attack = {"eps": eps, "attack_steps": attack_steps, "n_attacked": n_attacked}
    of = Measured(fractions, n_draws, draw_seed, n_prefix_draws=n_prefix_draws, rank_eps=rank_eps, **attack)
    seeds = range(seed, seed + n_seeds)
    places: dict[str, Any] = {"device": device, "root": root, "progress": progress}

    def rows_of(kind: tuple[Architecture, TrainingObjective]) -> list[Row]:
        architecture, objective = kind
        every = networks(images, [architecture], seeds=seeds, recipe=replace(recipe, objective=objective), **places)

        def measured(network: Network) -> list[Row]:
            network_columns: Row = {"recipe": objective.name, "seed": network.seed, "repeat": network.seed - seed}
            return [network_columns | row for row in _of_network(network, images, others, of, device=device)]

        return [row for rows in by_one_thread_each(measured, every, device=device) for row in rows]

    rows = [row for kind in _kinds(objectives, architectures) for row in rows_of(kind)]
    table = results.as_table(rows)
    if len(objectives) > 1 and table["recipe"].iloc[0] == names.REFERENCE:
        of_paper = claims_training.paper_claims(table)
        shared = {"experiment": names.EXPERIMENT, "task": images.task, "model": rows[0]["model"], "layer": LAYER}
        table = results.as_table(pd.concat([table, pd.DataFrame(list(claim_rows(of_paper, shared)))]))
    return table


def _kinds(objectives: Sequence[str], architectures: Sequence[str]) -> list[tuple[Architecture, TrainingObjective]]:
    """Return every architecture with the first objective, and the first architecture with every other one."""
    goals = [TrainingObjective.named(name) for name in objectives]
    built = [Architecture.named(name) for name in architectures]
    if not goals or not built or len(set(goals)) < len(goals) or len(set(built)) < len(built):
        raise InputError(
            f"expected objectives and architectures, each once, got {list(objectives)} and {list(architectures)}; name "
            "some"
        )
    return [*((built[0], goal) for goal in goals), *((other, goals[0]) for other in built[1:])]


def _check(images: Images, others: Sequence[Images]) -> None:
    if not others:
        raise InputError("expected at least one task that networks are not trained on, got none; name one")
    check_one_size(images, others)


def _of_network(
    network: Network, images: Images, others: Sequence[Images], of: Measured, *, device: str
) -> Iterator[Row]:
    network.backbone.module.to(device)
    shared: Row = {
        "experiment": names.EXPERIMENT,
        "model": f"{network.architecture.name}@{images.task}",
        "layer": LAYER,
        "n_features": network.backbone.n_features,
        "split": "test",
    }
    for task in (images, *others):
        features = measures.features_of(network, task)
        about = shared | {"task": task.task, "label": names.OWN if task is images else names.OTHER}
        of_layer = [*measures.redundancy_rows(features, of), *measures.shape_rows(features, of)]
        if task is images:
            of_layer += measures.prefix_rows(features, of)
        yield from (about | {"probe": "ridge"} | row for row in of_layer)
        if task is images:
            yield from (about | row for row in measures.classifier_rows(network, images, of))
