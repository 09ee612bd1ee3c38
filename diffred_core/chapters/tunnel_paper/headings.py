"""Which heading of table 4 belongs to which column: accuracies held against the alignments of the table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from diffred_core.chapters.tunnel_paper.comparisons import select
from diffred_core.chapters.tunnel_paper.names import FULL, OOD_CLASSES, OOD_SETS, READINGS
from diffred_core.errors import InputError
from diffred_core.results.rows import Row

_KEYS = ["network", "augmentation", "resolution"]
_SIXTH, _SEVENTH = OOD_SETS.index("CIFAR"), OOD_SETS.index("Pets")


def residual_rows(table: pd.DataFrame, accuracies: pd.DataFrame) -> list[Row]:
    """Return how far the printed accuracies are from the alignments of the table, by reading of two column headings.

    Alignment is ``(a_id - 1/C_id)(a_ood - 1/C_ood)``, so the eight alignments of a network are one number, fitted here
    by least squares, times its accuracies above chance. Only rounding may be left: half a unit of the third decimal
    of the alignment, and little from the accuracy.

    Parameters
    ----------
    table : DataFrame
        From `read`.
    accuracies : DataFrame
        Penultimate OOD accuracies in per cent as printed in table 4: network, augmentation, resolution, and eight
        columns in the printed order (`published.tunnel_accuracies`).

    Returns
    -------
    list of dict
        Metric alignment_residual; method: the reading (of `names.READINGS`), model: the network, task: the OOD set as
        tables 5 to 7 have it.

    Raises
    ------
    InputError
        If a network of `accuracies` is not one of the table's networks trained on ImageNet-100.
    """
    keys = [*_KEYS, "name"]
    aligned = select(table, {"id_set": FULL}).pivot(index=keys, columns="position", values="alignment")
    aligned = aligned.reset_index("name")
    printed = accuracies.set_index(_KEYS)
    if missing := list(printed.index.difference(aligned.index)):
        raise InputError(f"expected networks of the table in accuracies, got {missing[0]}; name them as the table does")
    aligned = aligned.loc[printed.index].set_index("name")
    shared = {"metric": "alignment_residual", "label": "alignment"}
    rows = []
    for reading in READINGS:
        residuals = _residuals(aligned.to_numpy(), *_read_as(reading, printed.to_numpy() / 100))
        for name, of_network in zip(aligned.index, residuals, strict=True):
            cells = zip(OOD_SETS, of_network, strict=True)
            rows += [shared | {"method": reading, "model": name, "task": t, "value": float(r)} for t, r in cells]
    return rows


def _read_as(reading: str, printed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracies in the order of the table's columns, and the numbers of classes that go with them."""
    classes = np.array(list(OOD_CLASSES.values()))
    order = np.arange(len(classes))
    order[[_SIXTH, _SEVENTH]] = _SEVENTH, _SIXTH
    if reading == "exchanged":
        return printed, classes
    return (printed, classes[order]) if reading == "same_place" else (printed[:, order], classes)


def _residuals(aligned: np.ndarray, accuracy: np.ndarray, classes: np.ndarray) -> np.ndarray:
    above = accuracy - 1 / classes
    above_id = (aligned * above).sum(1, keepdims=True) / (above**2).sum(1, keepdims=True)
    return aligned - above_id * above
