"""Trained heads that are moved to another domain: of the task alone, against a domain classifier, on its own labels."""

from __future__ import annotations

from collections.abc import Iterator

from diffred_core.chapters.spectra import names
from diffred_core.chapters.spectra.layer import Layer


def on_target(plain: Layer, other: Layer, *, split: str, seed: int) -> Iterator[tuple[str, float]]:
    """Yield the accuracy of every kind of head on the rows `split` of another domain, by name.

    All read the whole layer and share their first weights; none has seen a label of the other domain but the last.
    """
    # Networks need torchvision, which a file of embeddings does without.
    from diffred_core.small_networks import fit_domain_head

    for name, source, target, strength in (
        (names.HEAD, plain, other, 0.0),
        (names.DANN, plain, other, 1.0),
        (names.HEAD_ORACLE, other, plain, 0.0),
    ):
        X, y = source.X["train"], source.y["train"]
        others = target.X["train"]
        head = fit_domain_head(X, y, others, n_classes=plain.n_classes, strength=strength, seed=seed)
        yield name, float((head.predict(other.X[split]) == other.y[split]).double().mean())
