"""One probe along the sizes of one draw: the rows it reads, and which of them it predicts right.

Of every probe the regulariser is chosen anew at every size, on validation rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffred_core import linear_probe, moments
from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.comparators import ComparatorDraw
from diffred_core.chapters.random_subsets.sizes import Sizes
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

# in units of the mean variance of a feature of the layer, so that the same values serve every layer
RIDGE_L2: tuple[float, ...] = tuple(10.0**e for e in range(-6, 3))
LOGISTIC_L2: tuple[float, ...] = tuple(10.0**e for e in range(-5, 1))
# Of the largest gradient entry, as in scikit-learn, but in units of the root mean variance of a feature, so that it
# means the same for a layer of any scale; a tenth of it changes 0.1 % of predictions.
LOGISTIC_TOL = 1e-4


@dataclass(frozen=True, eq=False)
class ProbeData:
    """Three disjoint sets of rows, each ``X (n_samples, n_features)``, ``y (n_samples,)``, and moments of the first.

    Attributes
    ----------
    train, validation, measured : (Tensor, Tensor)
        The probe is fitted on the first and its regulariser chosen on the second; the third is only ever scored.
    moments : FeatureMoments
        Of the training rows, with class sums and without fourth moments.
    n_classes : int
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    measured: tuple[Tensor, Tensor]
    moments: FeatureMoments
    n_classes: int

    @classmethod
    def of(cls, features: TaskFeatures, *, split: str, standardize: bool) -> ProbeData:
        """Read the splits of `features`; with `standardize`, divide by the deviations of the training rows.

        Raises
        ------
        InputError
            If `split` is not there, or is the one on which regularisers are chosen.
        """
        known = [name for name in features.splits if name != "validation"]
        if split not in known:
            raise InputError(
                f"split must be one of {', '.join(known)}, got {split!r}; validation rows choose the regulariser"
            )
        scale = features.splits["train"][0].double().std(dim=0, correction=0)
        scale = torch.where(scale > 0, scale, 1.0).float() if standardize else torch.ones(())
        rows = {name: (X / scale.to(X), y) for name, (X, y) in features.splits.items()}
        X, y = rows["train"]
        # Double, for with fewer rows than features the least l2 is below the rounding of products in float32.
        of_train = moments.from_features(X.double(), y, n_classes=features.n_classes, quartic=False)
        return cls(rows["train"], rows["validation"], rows[split], of_train, features.n_classes)

    @property
    def scored(self) -> Tensor:
        """Rows to predict in one go: those to choose on, then those to measure on."""
        return torch.cat([self.validation[0], self.measured[0]])


@dataclass(frozen=True, eq=False)
class Curve:
    """One probe on the nested subsets of one draw.

    Attributes
    ----------
    method, probe : str
    repeat : int
    seed : int or None
    fractions : sequence of float, n_sizes of them
    sizes : sequence of int, n_sizes of them
    correct : Tensor (n_sizes, n_samples) of bool
        Whether each measured row is predicted right.
    l2 : Tensor (n_sizes,) of float64
        The regulariser of each fit.
    at_edge : Tensor (n_sizes,) of bool, or None
        Whether a better one may lie outside of those tried (`linear_probe.select_l2`); None where nothing was chosen.
    converged : Tensor (n_sizes,) of bool, or None
        None for a closed form.
    recipe : str or None
        Name of the recipe of a probe as published.
    steps : Tensor (n_sizes,) of int64, or None
        Steps that its training took.
    """

    method: str
    probe: str
    repeat: int
    seed: int | None
    fractions: Sequence[float]
    sizes: Sequence[int]
    correct: Tensor
    l2: Tensor
    at_edge: Tensor | None = None
    converged: Tensor | None = None
    recipe: str | None = None
    steps: Tensor | None = None

    @property
    def accuracy(self) -> Tensor:
        """Share of right rows at every size, (n_sizes,) of float64."""
        return self.correct.double().mean(1)

    def class_accuracy(self, y: Tensor, n_classes: int) -> Tensor:
        """Return the share of right rows of every class, (n_sizes, n_classes); NaN for a class without rows."""
        members = torch.nn.functional.one_hot(y, n_classes).double()
        return self.correct.double() @ members / members.sum(0)


def whole_layer(data: ProbeData) -> tuple[ComparatorDraw, Sizes]:
    """Return the draw that keeps everything, and its one size."""
    n_features = data.moments.n_features
    return ComparatorDraw(names.FULL, 0, None, torch.arange(n_features)), Sizes((1.0,), (n_features,))


def ridge(data: ProbeData, draw: ComparatorDraw, sizes: Sizes, *, l2: Sequence[float]) -> Curve:
    """Return the ridge probe at every size, from one factor for each of `l2`."""
    kept = draw.moments(data.moments)
    values = _l2_values(l2, data.moments.variance.mean())
    probe = linear_probe.fit_ridge_prefixes(kept, order=draw.order, sizes=sizes.n_selected, l2=values)
    predictions = probe.predict(draw.features(data.scored))
    return _chosen(data, draw, sizes, predictions, probe=names.RIDGE, l2=values)


def logistic(data: ProbeData, draws: Sequence[ComparatorDraw], sizes: Sizes, *, l2: Sequence[float]) -> list[Curve]:
    """Return the logistic probe of every draw at every size, as one batch for draws of dimensions.

    Draws of directions share no rows to read and are fitted one after the other.
    """
    if len(draws) > 1 and any(draw.basis is not None for draw in draws):
        return [curve for draw in draws for curve in logistic(data, [draw], sizes, l2=l2)]
    variance = data.moments.variance.mean().cpu()
    first, (X, y) = draws[0], data.train
    probe, choice = linear_probe.choose_logistic(
        first.features(X),
        y,
        (first.features(data.validation[0]), data.validation[1]),
        subsets=[draw.order[:size] for draw in draws for size in sizes.n_selected],
        l2=_l2_values(l2, variance),
        n_classes=data.n_classes,
        tol=LOGISTIC_TOL * float(variance.sqrt()),
    )
    correct = probe.predict(first.features(data.measured[0])) == data.measured[1]
    columns = (correct, choice.l2, choice.at_edge, probe.converged)
    by_draw = zip(*(column.unflatten(0, (len(draws), -1)) for column in columns), strict=True)
    return [
        Curve(**_about(draw, sizes), probe=names.LOGISTIC, correct=right, l2=best, at_edge=edge, converged=converged)
        for draw, (right, best, edge, converged) in zip(draws, by_draw, strict=True)
    ]


def sgd(data: ProbeData, draw: ComparatorDraw, sizes: Sizes, *, recipe: str) -> Curve:
    """Return the SGD probe of a recipe at every size; one seed draws the subset, the start and the order of rows."""
    subsets = [draw.order[:size] for size in sizes.n_selected]
    published = linear_probe.sgd_recipe(recipe)
    probe = linear_probe.fit_sgd(
        *data.train, subsets=subsets, recipe=published, seed=draw.seed or 0, n_classes=data.n_classes
    )
    predictions = probe.predict(data.measured[0])
    return Curve(
        **_about(draw, sizes),
        probe=names.SGD,
        correct=predictions == data.measured[1],
        l2=probe.l2,
        converged=probe.converged,
        recipe=recipe,
        steps=probe.iterations,
    )


def _l2_values(relative: Sequence[float], scale: Tensor) -> Tensor:
    return torch.tensor(sorted(relative), dtype=torch.float64) * scale.cpu()


def _about(draw: ComparatorDraw, sizes: Sizes) -> dict[str, Any]:
    place = {"fractions": sizes.fractions, "sizes": sizes.n_selected}
    return {"method": draw.method, "repeat": draw.repeat, "seed": draw.seed} | place


def _chosen(
    data: ProbeData,
    draw: ComparatorDraw,
    sizes: Sizes,
    predictions: Tensor,
    *,
    probe: str,
    l2: Tensor,
    converged: Tensor | None = None,
) -> Curve:
    """Return the curve of the best l2 of every size; predictions (n_l2, n_sizes, validation rows + measured rows)."""
    n_validation = len(data.validation[1])
    accuracy = (predictions[..., :n_validation] == data.validation[1]).double().mean(-1)
    choice = linear_probe.select_l2(accuracy, l2)
    chosen, at = choice.index, torch.arange(len(sizes.n_selected))
    return Curve(
        **_about(draw, sizes),
        probe=probe,
        correct=predictions[chosen, at, n_validation:] == data.measured[1],
        l2=choice.l2,
        at_edge=choice.at_edge,
        converged=None if converged is None else converged[chosen, at],
    )
