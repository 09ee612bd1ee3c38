"""What every row of one sweep has in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffred_core.features import TaskFeatures

Row = dict[str, object]


@dataclass(frozen=True)
class Cell:
    """One model on one task in one experiment: the columns that do not change within a sweep."""

    experiment: str
    task: str
    model: str
    layer: str
    n_features: int
    split: str

    @classmethod
    def of(cls, features: TaskFeatures, *, experiment: str, split: str, layer: str) -> Cell:
        """Return the cell of the given features."""
        return cls(experiment, features.task, features.model, layer, features.n_features, split)

    def rows(self, measurements: list[Row]) -> list[Row]:
        """Return the measurements with the common columns added."""
        common = asdict(self)
        return [common | row for row in measurements]
