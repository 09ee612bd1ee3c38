"""What is put into the checkout by hand, weights and folders of images, as ``workflow/material.yml`` registers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffred_core import files
from diffred_core.errors import InputError


@dataclass(frozen=True)
class Material:
    """One entry of the register.

    Parameters
    ----------
    place : str
        Where it belongs, from the checkout on.
    what, source, licence, made : str
        What it is, where anybody gets it, its licence, and how it was made of its source.
    sha256 : str, optional
        Digest of a file.
    images : int, optional
        How many images a folder holds.
    """

    place: str
    what: str
    source: str
    licence: str
    made: str
    sha256: str | None = None
    images: int | None = None

    @property
    def remedy(self) -> str:
        """What to do about it, as the end of a sentence."""
        return f"make it of {self.source} ({self.made}) and put it there"

    def check_whole(self, *, images: int | None = None) -> None:
        """Refuse a file of another digest, or a folder with another number of `images`.

        Raises
        ------
        InputError
            With what was expected and what came.
        """
        path = files.project_root() / self.place
        if self.sha256 is not None and (sha256 := files.sha256(path)) != self.sha256:
            raise InputError(
                f"expected the file with sha256 {self.sha256} at {self.place}, got {sha256}; {self.remedy}"
            )
        if self.images is not None and images != self.images:
            raise InputError(f"expected {self.images} images in {self.place}, got {images}; {self.remedy}")


def material_at(path: Path | str) -> Material | None:
    """Return what the checkout registers at `path`, which is taken as a notebook takes it; None for all else."""
    return _registered().get(files.resolved(path))


def check_there(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters of a notebook that name registered weights or images which are not there.

    Raises
    ------
    InputError
        With the place, and where to get it.
    """
    for one in materials_of(parameters):
        if not (files.working_root() / one.place).exists():
            raise InputError(f"expected {one.what} at {one.place}, but there is nothing; {one.remedy}")


def materials_of(parameters: Mapping[str, Any]) -> list[Material]:
    """Return what of the register the parameters of a notebook name."""
    named = (material_at(path) for path in _paths(parameters))
    return [one for one in named if one is not None]


def tasks_of(parameters: Mapping[str, Any]) -> list[str]:
    """Return every task that parameters of a notebook name: ``task``, and what lists called ``..._tasks`` hold.

    Examples
    --------
    >>> tasks_of({"task": "digits", "shifted_tasks": ["+noise:1", "mnist5k"], "ood_tasks": []})
    ['digits', 'digits+noise:1', 'mnist5k']
    """
    if (own := parameters.get("task")) is None:
        return []
    others = [task for name in parameters if name.endswith("_tasks") for task in parameters[name] or []]
    return [own, *(f"{own}{task}" if task.startswith("+") else task for task in others)]


def others_of(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of every model in ``other_models``, with which that of a notebook is compared."""
    return [files.model_parameters(model) for model in parameters.get("other_models") or []]


def _paths(parameters: Mapping[str, Any]) -> Iterator[str]:
    for model in (parameters, *others_of(parameters)):
        if model.get("checkpoint"):
            yield str(model["checkpoint"])
    yield from filter(None, (files.split_task(task)[1] for task in tasks_of(parameters)))


def _registered() -> dict[Path, Material]:
    import yaml

    path = files.working_root() / "workflow" / "material.yml"
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {files.resolved(path.parents[1] / place): Material(place, **entry) for place, entry in content.items()}
