"""The bridge from a system to the question of the book, which dimensions of a layer a task needs.

A system names rules by which dimensions are kept, such as the leading principal directions. At equal numbers the rules
are compared with random features of the same layer, seed by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffred_core import linear_probe, moments, subsets
from diffred_core.chapters.training import names
from diffred_core.errors import InputError
from diffred_core.linear_probe import LAYER_L2
from diffred_core.results.rows import Row, shared_columns

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

RANK = 1e-10  # of the largest squared singular value: what is smaller is rounding
SHARE = 0.5  # of the training rows a seed, so that a rule without a draw varies too
Rule = Callable[[Tensor, Tensor, int], Tensor]
"""From X (n, d) of float64, y (n,) and a seed to an order of features (d,) of int64, or to directions (d, m), each by
importance."""


def rows(
    features: TaskFeatures,
    rules: Mapping[str, Rule],
    *,
    analysis: str,
    n_seeds: int,
    seed: int,
    sizes: Sequence[int] = names.SIZES,
) -> Iterator[Row]:
    """Yield the accuracy of a ridge probe on what every rule keeps, and its gain over as many random features.

    Of every seed half of the training rows are drawn, from which the rule chooses and the probe learns; validation rows
    choose the regulariser, test rows are scored.

    Parameters
    ----------
    features : TaskFeatures
        With splits train, validation and test.
    rules : mapping
        By the name of their method; `names.RANDOM` is added.
    analysis : str
        For the column experiment.
    n_seeds, seed : int
    sizes : sequence of int
        Numbers of dimensions; those beyond the width or what a rule gives are left out.

    Yields
    ------
    dict
        Metrics `names.ACCURACY` and, but for random features, `names.GAIN`.

    Raises
    ------
    InputError
        If no size fits the layer.
    """
    fitting = [k for k in sizes if 1 <= k <= features.n_features]
    if not fitting:
        raise InputError(f"expected sizes within 1..{features.n_features}, got {list(sizes)}; name some")
    shared = shared_columns(features, experiment=analysis, split="test", layer=names.LAYER) | {"probe": "ridge"}
    for repeat, s in enumerate(range(seed, seed + n_seeds)):
        random: dict[int, float] = {}
        for method, rule in ({names.RANDOM: _random} | dict(rules)).items():
            for k, accuracy in kept_accuracy(features, rule, seed=s, sizes=fitting).items():
                row = shared | {"method": method, "seed": s, "repeat": repeat, "n_selected": k}
                row |= {"fraction": k / features.n_features}
                yield row | {"metric": names.ACCURACY, "value": accuracy}
                if method == names.RANDOM:
                    random[k] = accuracy
                else:
                    yield row | {"metric": names.GAIN, "value": accuracy - random[k]}


def kept_accuracy(features: TaskFeatures, rule: Rule, *, seed: int, sizes: Sequence[int]) -> dict[int, float]:
    """Return the test accuracy of the ridge probe on what `rule` keeps, by the number of dimensions."""
    correct = kept_correct(features, rule, seed=seed, sizes=sizes)
    return {k: float(rows.double().mean()) for k, rows in correct.items()}


def kept_correct(features: TaskFeatures, rule: Rule, *, seed: int, sizes: Sequence[int]) -> dict[int, Tensor]:
    """Return which test rows (n,) the ridge probe on what `rule` keeps has right, by the number of dimensions."""
    X, y = half_of(features, seed=seed)
    kept = rule(X, y, seed)
    if kept.ndim == 1:
        kept = torch.eye(X.shape[1], dtype=X.dtype)[:, kept[: max(sizes)]]
    fitting = [k for k in sizes if k <= kept.shape[1]]
    kept = kept[:, : max(fitting)]
    seen_rows = moments.from_features(X @ kept, y, n_classes=features.n_classes, quartic=False)
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * seen_rows.variance.mean()
    order = torch.arange(kept.shape[1])
    path = linear_probe.fit_ridge_prefixes(seen_rows, order=order, sizes=fitting, l2=l2)
    (validation, of_validation), (test, of_test) = (features.splits[split] for split in ("validation", "test"))
    chosen, _ = linear_probe.choose_l2(path, validation.double() @ kept, of_validation)
    return dict(zip(fitting, chosen.predict(test.double() @ kept) == of_test, strict=True))


def margins(features: TaskFeatures, kept: Tensor, *, seed: int) -> Tensor:
    """Return how far a ridge probe on the features `kept` scores the class of every test row above the next, (n,)."""
    X, y = half_of(features, seed=seed)
    of_rows = moments.from_features(X[:, kept], y, n_classes=features.n_classes, quartic=False)
    l2 = torch.tensor(LAYER_L2, dtype=torch.float64) * of_rows.variance.mean()
    path = linear_probe.fit_ridge_prefixes(of_rows, order=torch.arange(len(kept)), sizes=[len(kept)], l2=l2)
    (validation, of_validation), (test, of_test) = (features.splits[split] for split in ("validation", "test"))
    chosen, _ = linear_probe.choose_l2(path, validation[:, kept].double(), of_validation)
    scores = chosen[0].scores(test[:, kept].double())
    own = scores.gather(1, of_test[:, None])
    others = scores.scatter(1, of_test[:, None], -torch.inf).amax(1, keepdim=True)
    return (own - others)[:, 0]


def half_of(features: TaskFeatures, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return half of the training rows, drawn by `seed`, as X of float64 and y."""
    X, y = features.splits["train"]
    drawn = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))[: max(2, round(SHARE * len(X)))]
    return X[drawn].double(), y[drawn]


def principal_directions(X: Tensor, y: Tensor, seed: int) -> Tensor:
    """Return the principal directions of the rows (d, m), the one of greatest variance first: a `Rule`."""
    values, left = torch.linalg.eigh((X - X.mean(0)) @ (X - X.mean(0)).T)  # fewer rows than features
    kept = values > RANK * values[-1]
    rising: Tensor = (X - X.mean(0)).T @ (left[:, kept] / values[kept].sqrt())
    return rising.flip(1)


def fixed(kept: Tensor) -> Rule:
    """Return the rule that always keeps the same features, or directions, in this order."""
    return lambda X, y, seed: kept


def _random(X: Tensor, y: Tensor, seed: int) -> Tensor:
    return subsets.random_order(X.shape[1], seed=seed)
