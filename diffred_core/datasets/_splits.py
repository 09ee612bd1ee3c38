"""Seeded stratified splits: every class gives the same share of its samples to every part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from diffred_core.errors import InputError

STRATIFIED = "seeded stratified 60/20/20 split into train, validation and test"
OFFICIAL_TEST = "official train and test split; 10 % of train, seeded and stratified, are the validation part"
OFFICIAL = "official train, validation and test split"


def stratified_split(
    y: Tensor, *, shares: Sequence[float], seed: int, classes: Sequence[str] | None = None
) -> list[Tensor]:
    """Split sample indices into ``len(shares)`` disjoint parts, class by class.

    Parameters
    ----------
    y : LongTensor of shape (n_samples,)
        Class indices.
    shares : sequence of float
        Share of every part, summing to 1. A class of n samples gives ``round(share * n)`` to each part
        after the first, at least one, and the rest to the first.
    seed : int
        Of the CPU generator that shuffles every class.
    classes : sequence of str, optional
        Names for the error.

    Returns
    -------
    list of LongTensor
        Sorted sample indices, part by part; together every sample once.

    Raises
    ------
    InputError
        If a class has fewer samples than there are parts.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in shares]
    for label in y.unique().tolist():
        members = (y == label).nonzero().flatten()
        if len(members) < len(shares):
            name = classes[label] if classes else label
            raise InputError(
                f"expected at least {len(shares)} samples in every class, one for each part of the split, got "
                f"{len(members)} in class {name!r}; add samples or remove the class"
            )
        members = members[torch.randperm(len(members), generator=generator)]
        rest = _sizes(len(members), shares)
        for part, chunk in zip(parts, members.split(rest), strict=True):
            part.append(chunk)
    return [torch.cat(part).sort().values for part in parts]


def split_off(
    y: Tensor, indices: Tensor, *, share: float, seed: int, classes: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Return `indices` without a stratified `share` of them, and that share.

    Parameters
    ----------
    y : LongTensor of shape (n_samples,)
        Labels of all samples.
    indices : LongTensor
        The samples to draw from.
    share, seed, classes
        As in `stratified_split`.
    """
    kept, taken = stratified_split(y[indices], shares=(1 - share, share), seed=seed, classes=classes)
    return indices[kept], indices[taken]


def without_official(y: Tensor, *, seed: int, classes: Sequence[str]) -> dict[str, Tensor]:
    """Return the 60/20/20 splits of a task that comes with none."""
    train, validation, test = stratified_split(y, shares=(0.6, 0.2, 0.2), seed=seed, classes=classes)
    return {"train": train, "validation": validation, "test": test}


def from_official(
    y: Tensor, parts: dict[str, Tensor], *, seed: int, classes: Sequence[str]
) -> tuple[dict[str, Tensor], str]:
    """Return the three splits that the parts at hand allow, and the rule in words.

    Parameters
    ----------
    parts : dict of str to LongTensor
        Indices under some of ``train``, ``validation``, ``test``. Only a test part is ever reported on, so a
        lone validation part becomes the test part, and a validation part is drawn from train.
    """
    if set(parts) == {"train"}:
        return without_official(y, seed=seed, classes=classes), STRATIFIED
    if set(parts) == {"train", "validation", "test"}:
        return {name: parts[name] for name in ("train", "validation", "test")}, OFFICIAL
    if "train" not in parts:
        raise InputError(f"expected a train part, got only {' and '.join(parts)}; add a folder train")
    test, rule = parts.get("test"), OFFICIAL_TEST
    if test is None:
        test = parts["validation"]
        rule = "official validation part as test; 10 % of train, seeded and stratified, are the validation part"
    train, validation = split_off(y, parts["train"], share=0.1, seed=seed, classes=classes)
    return {"train": train, "validation": validation, "test": test}, rule


def part_indices(sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Return the sample indices of parts of these sizes that follow one another."""
    return dict(zip(sizes, torch.arange(sum(sizes.values())).split(list(sizes.values())), strict=True))


def _sizes(n: int, shares: Sequence[float]) -> list[int]:
    later = [max(1, round(share * n)) for share in shares[1:]]
    # Three samples a class: two rounded parts may leave the first one nothing; it then takes from the largest.
    while sum(later) >= n:
        later[later.index(max(later))] -= 1
    return [n - sum(later), *later]
