"""One layer in the forms that are compared: as it is, rotated, and with labels that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffred_core import geometry
from diffred_core import moments as feature_moments
from diffred_core.chapters.spectra import names
from diffred_core.moments import FeatureMoments

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures


@dataclass(frozen=True, eq=False)
class Layer:
    """Rows and labels of every split, and what the training rows say together.

    Attributes
    ----------
    method : str
        Which form it is.
    X, y : mapping of split to Tensor
    moments : FeatureMoments
        Of the training rows, in float64, with class sums.
    variances : Tensor (n_classes, n_features)
        Within classes, of the training rows.
    """

    method: str
    X: Mapping[str, Tensor]
    y: Mapping[str, Tensor]
    moments: FeatureMoments
    variances: Tensor

    @classmethod
    def of(cls, features: TaskFeatures, *, method: str = names.RANDOM) -> Layer:
        """Return a layer as it is."""
        X = {split: rows for split, (rows, _) in features.splits.items()}
        y = {split: labels for split, (_, labels) in features.splits.items()}
        # in float64: the small eigenvalues of float32 products are rounding
        sums = feature_moments.from_features(
            X["train"].double(), y["train"], n_classes=features.n_classes, quartic=False
        )
        return cls(method, X, y, sums, geometry.class_variances(X["train"], y["train"], sums))

    @property
    def n_features(self) -> int:
        """Width of the layer."""
        return self.moments.n_features

    @property
    def n_classes(self) -> int:
        """Number of classes of the task."""
        return len(self.moments.class_totals[1])

    def rotated(self, seed: int) -> Layer:
        """Return the layer in random axes: the same geometry as a whole, and no neuron is left."""
        draw = torch.Generator().manual_seed(seed)
        gauss = torch.randn(self.n_features, self.n_features, generator=draw, dtype=torch.float64)
        turn, triangle = torch.linalg.qr(gauss)
        # with the signs of the triangle the rotation is uniform (Mezzadri 2007)
        turn = (turn * triangle.diagonal().sign()).to(self.moments.mean.device)
        X = {split: rows @ turn.to(rows) for split, rows in self.X.items()}
        sums = self.moments.transform(turn)
        return Layer(names.ROTATED, X, self.y, sums, geometry.class_variances(X["train"], self.y["train"], sums))

    def shuffled(self, seed: int) -> Layer:
        """Return the layer with the labels of every split in another order: as many of every class, on other rows."""
        draw = torch.Generator().manual_seed(seed)
        y = {split: labels[torch.randperm(len(labels), generator=draw)] for split, labels in self.y.items()}
        X = self.X["train"]
        moments = relabelled(self.moments, X, y["train"], n_classes=self.n_classes)
        return Layer(names.SHUFFLED, self.X, y, moments, geometry.class_variances(X, y["train"], moments))


def relabelled(moments: FeatureMoments, X: Tensor, y: Tensor, *, n_classes: int) -> FeatureMoments:
    """Return the moments of the rows X with other labels: one product instead of another pass over the rows."""
    labels = one_hot(y, n_classes).double()
    counts = labels.sum(0)
    # sums of raw rows, centred as a whole
    return replace(moments, class_sums=labels.T @ X.double() - counts[:, None] * moments.mean, class_counts=counts)
