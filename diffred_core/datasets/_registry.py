"""From the name of a task to its dataset."""

from __future__ import annotations

from dataclasses import replace

from diffred_core.datasets._corruptions import corrupted, split_corruption
from diffred_core.datasets._dataset import Dataset
from diffred_core.datasets._embedded import EMBEDDED
from diffred_core.datasets._folder import load_folder
from diffred_core.datasets._torchvision import PARTS, load_torchvision
from diffred_core.errors import InputError, near_names

DEFAULT_TASKS = ("elpv", "mnist5k", "digits")


def names(*, every: bool = False) -> tuple[str, ...]:
    """Return the tasks of the default grid; with `every`, all names that need no path.

    Examples
    --------
    >>> names()
    ('elpv', 'mnist5k', 'digits')
    """
    return (*EMBEDDED, *(f"torchvision:{name}" for name in PARTS)) if every else DEFAULT_TASKS


def load(task: str, *, seed: int = 0, image_size: int | None = None) -> Dataset:
    """Return the dataset of a task.

    Parameters
    ----------
    task : str
        An embedded name (`names`), ``torchvision:NAME``, or ``folder:PATH``; with ``+noise:3`` (or ``blur``,
        ``contrast``, ``pixelate``; severity 1 to 5) behind it, the same task with its images so corrupted.
    seed : int
        Of the splits that are not official.
    image_size : int, optional
        Pixels a side for the backbone, instead of the task's own.

    Raises
    ------
    InputError
        If the task is unknown, cannot be found, read or downloaded, or does not hold what it must.
    """
    if image_size is not None and image_size < 1:
        raise InputError(f"expected image_size of at least 1 pixel, got {image_size}; leave it out for the task's own")
    parts = split_corruption(task)
    if parts is not None:
        clean, kind, severity = parts
        dataset = corrupted(load(clean, seed=seed), kind, severity)
    elif task.startswith("folder:"):
        dataset = load_folder(task, seed=seed)
    elif task.startswith("torchvision:"):
        dataset = load_torchvision(task, seed=seed)
    elif task in EMBEDDED:
        dataset = EMBEDDED[task](task, seed=seed)
    else:
        raise InputError(
            f"unknown task {task!r}{near_names(task, names(every=True))} (known: {', '.join(EMBEDDED)}, "
            "torchvision:NAME, folder:PATH, any of them with +noise:3 or the like, and embeddings:PATH where features "
            "are asked for)"
        )
    return dataset if image_size is None else replace(dataset, input_size=image_size)
