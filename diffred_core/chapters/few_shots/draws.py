"""Which images the episodes of a sweep label and ask about: a table to keep, and to draw the same episodes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from diffred_core import few_shot, files
from diffred_core.chapters.few_shots.pool import Pool


def few_shot_episodes(
    pool: Pool,
    *,
    n_way: int = 5,
    shots: Sequence[int] = (1, 5),
    n_query: int = 15,
    n_episodes: int = 600,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the episodes that `few_shot` draws from the pool with the same arguments.

    Two models of one task have the same pool, and so the same episodes.

    Returns
    -------
    DataFrame
        One row an episode, number of shots and class: ``n_shot, episode, label, support, query``, the last two as
        places in ``features.together`` separated by spaces.
    """
    y, rows = pool.data[1], []
    for n_shot in shots:
        numbers = {"n_way": n_way, "n_shot": n_shot, "n_query": n_query, "n_episodes": n_episodes}
        drawn = few_shot.sample_episodes(y, **numbers, seed=seed)
        support, query = (pool.rows[part] for part in (drawn.support, drawn.query))
        for e, w in torch.cartesian_prod(torch.arange(n_episodes), torch.arange(n_way)).tolist():
            rows.append((n_shot, e, int(drawn.classes[e, w]), _places(support[e, w]), _places(query[e, w])))
    return pd.DataFrame(rows, columns=["n_shot", "episode", "label", "support", "query"])


def write_few_shot_episodes(episodes: pd.DataFrame, task: str, model: str) -> Path:
    """Write the table of `few_shot_episodes` beside the results of the task and model, whole or not at all."""
    path = files.table_path(task, model, "few_shot")
    text = episodes.to_csv(index=False, lineterminator="\n")
    return files.write_text(path.with_name("few_shot.episodes.csv"), text)


def _places(rows: torch.Tensor) -> str:
    return " ".join(map(str, rows.tolist()))
