"""Trained heads that are moved to another domain: of the task alone, against a domain classifier, on its own labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.shifts import Shift

if TYPE_CHECKING:
    from diffred_core.small_networks import DomainHead

KINDS = (names.HEAD, names.DANN, names.HEAD_ORACLE)


def trained(shift: Shift, kind: str, *, seed: int, epochs: int = 30) -> DomainHead:
    """Return a head of one of the `KINDS` on all features.

    All share their first weights; none has seen a label of the target but ``head_oracle``. That of the task alone,
    ``head``, is the same whatever the target.
    """
    # Networks need torchvision, which a file of embeddings does without.
    from diffred_core.small_networks import HeadRecipe, fit_domain_head

    (X, y), (others, _) = shift.train, shift.target
    if kind == names.HEAD_ORACLE:
        (X, y), others = shift.target, shift.train[0]
    recipe, strength = HeadRecipe(epochs=epochs), float(kind == names.DANN)
    return fit_domain_head(X, y, others, n_classes=len(shift.kept), strength=strength, recipe=recipe, seed=seed)


def on_target(shift: Shift, *, seed: int) -> Iterator[tuple[str, float]]:
    """Yield the accuracy of every kind of head on the measured rows of the target, by name."""
    X, y = shift.measured
    for kind in KINDS:
        yield kind, shift.accuracy(trained(shift, kind, seed=seed).predict(X), y)
