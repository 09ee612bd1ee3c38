"""Numbers that others published, each with its source, to stand beside reproduced ones."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from diffred_core import redundancy

PAPER = "Nanda et al. 2023, Diffused Redundancy in Pre-trained Representations (arXiv 2306.00183)"


def diffused_redundancy_numbers() -> pd.DataFrame:
    """Return the numbers known of Nanda et al. (2023): accuracies, CKA and diffused redundancy.

    Returns
    -------
    DataFrame
        Columns quantity (accuracy, cka_subset_subset, cka_subset_whole, diffused_redundancy), model, weights, task,
        n_features, n_selected, fraction, delta, value, sd (population, over masks), n_masks, source.

    Notes
    -----
    Most come from the saved output of the first author's notebooks, which draw the figures; that each equals the
    printed value is not proved. The full layer is one run. CKA is biased, on 1,000 test images.
    """
    with resources.files("diffred_core").joinpath("data/published_redundancy.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def diffused_redundancy_at(delta: float) -> pd.DataFrame:
    """Return diffused redundancy at `delta` by both estimators, computed from the published accuracies.

    Returns
    -------
    DataFrame
        Columns model, weights, task, delta, first, nearest.
    """
    numbers = diffused_redundancy_numbers()
    rows = []
    for (model, weights, task), curve in numbers[numbers["quantity"] == "accuracy"].groupby(
        ["model", "weights", "task"]
    ):
        full = float(curve.loc[curve["fraction"] == 1.0, "value"].iloc[0])
        found = {
            estimator: redundancy.diffused_redundancy(
                curve["fraction"], curve["value"], full, delta=delta, estimator=estimator
            )
            for estimator in ("first", "nearest")
        }
        rows.append({"model": model, "weights": weights, "task": task, "delta": delta, **found})
    return pd.DataFrame(rows)
