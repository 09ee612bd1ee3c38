"""Two checks of how the published numbers hang together: the order of two columns, and of the paired rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from diffred_core.chapters.tunnel_paper.comparisons import COMPARISONS, pairs, select
from diffred_core.chapters.tunnel_paper.effects import paired_p
from diffred_core.chapters.tunnel_paper.networks import FULL, METRICS, OOD_CLASSES, OOD_SETS
from diffred_core.errors import InputError

# How the sixth and seventh column of table 4 ("Pets", "CIFAR") may be read beside those of tables 5 to 7.
READINGS: dict[str, str] = {
    "exchanged": "headings of the two columns exchanged",
    "same_place": "headings as printed, columns matched by place",
    "same_name": "headings as printed, columns matched by name",
}
_KEYS = ["network", "augmentation", "resolution"]
_SIXTH, _SEVENTH = OOD_SETS.index("CIFAR"), OOD_SETS.index("Pets")


def label_residuals(table: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
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
    DataFrame
        Columns reading (of `READINGS`), block, position, ood_set, residual.

    Raises
    ------
    InputError
        If a network of `accuracies` is not one of the table's networks trained on ImageNet-100.
    """
    aligned = select(table, {"id_set": FULL}).pivot(index=[*_KEYS, "block"], columns="position", values="alignment")
    aligned = aligned.reset_index("block")
    printed = accuracies.set_index(_KEYS)
    if missing := list(printed.index.difference(aligned.index)):
        raise InputError(f"expected networks of the table in accuracies, got {missing[0]}; name them as the table does")
    aligned = aligned.loc[printed.index].set_index("block")
    parts = []
    for reading in READINGS:
        residual = _residual(aligned.to_numpy(), *_read_as(reading, printed.to_numpy() / 100))
        wide = pd.DataFrame(residual, index=aligned.index).rename_axis(columns="position")
        parts.append(wide.stack().rename("residual").reset_index().assign(reading=reading))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(ood_set=np.array(OOD_SETS)[found["position"]])


def resolution_pairings(table: pd.DataFrame) -> pd.DataFrame:
    """Return the p-values of the resolution comparisons when networks are paired by identity, and in file order.

    The blocks of resolutions 64 and 128 stand in another order of architectures than those of 32 and 224, so pairing
    row by row, without names, compares ResNet-18 with ViT-T+ and the reverse. Means and Cliff's deltas do not depend on
    the pairing.

    Returns
    -------
    DataFrame
        Columns comparison, title, metric, p_matched, p_file_order, n_same: how many of the six pairs of blocks in file
        order are of one network.
    """
    rows = []
    for comparison in (c for c in COMPARISONS if c.name.startswith("resolution")):
        matched = pairs(table, comparison)
        in_order = in_file_order(*matched)
        names = [side.index.get_level_values("network").to_numpy() for side in in_order]
        for metric in METRICS:
            rows.append(
                {
                    "comparison": comparison.name,
                    "title": comparison.title,
                    "metric": metric,
                    "p_matched": paired_p(*(side[metric] for side in matched)),
                    "p_file_order": paired_p(*(side[metric] for side in in_order)),
                    "n_same": int((names[0] == names[1]).sum()) // len(OOD_SETS),
                }
            )
    return pd.DataFrame(rows)


def in_file_order(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sides of a comparison as they pair when each is left in the order of the file."""
    return tuple(side.sort_values(["block", "position"]) for side in (before, after))


def _read_as(reading: str, printed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracies in the order of the table's columns, and the numbers of classes that go with them."""
    classes = np.array(list(OOD_CLASSES.values()))
    order = np.arange(len(classes))
    order[[_SIXTH, _SEVENTH]] = _SEVENTH, _SIXTH
    if reading == "exchanged":
        return printed, classes
    return (printed, classes[order]) if reading == "same_place" else (printed[:, order], classes)


def _residual(aligned: np.ndarray, accuracy: np.ndarray, classes: np.ndarray) -> np.ndarray:
    above = accuracy - 1 / classes
    above_id = (aligned * above).sum(1, keepdims=True) / (above**2).sum(1, keepdims=True)
    return aligned - above_id * above
