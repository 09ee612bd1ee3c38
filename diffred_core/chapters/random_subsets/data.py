"""What a probe sweep needs of one model and task: rows to fit, rows to choose on, rows to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffred_core import moments
from diffred_core.errors import InputError
from diffred_core.moments import FeatureMoments

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Rows = tuple[Tensor, Tensor]


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

    train: Rows
    validation: Rows
    measured: Rows
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
        of_train = moments.from_features(*rows["train"], n_classes=features.n_classes, quartic=False)
        return cls(rows["train"], rows["validation"], rows[split], of_train, features.n_classes)

    @property
    def scored(self) -> Tensor:
        """Rows to predict in one go: those to choose on, then those to measure on."""
        return torch.cat([self.validation[0], self.measured[0]])
