"""Numbers that others published, each with its source, to stand beside reproduced ones."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from diffred_core import intervals, redundancy

PAPER = "Nanda et al. 2023, Diffused Redundancy in Pre-trained Representations (arXiv 2306.00183)"


def diffused_redundancy_numbers() -> pd.DataFrame:
    """Return the numbers known of Nanda et al. (2023): accuracies, CKA and diffused redundancy.

    Returns
    -------
    DataFrame
        Columns quantity (accuracy; accuracy_harder, _compared, _width, _hidden and _regulariser, whose curves stand by
        themselves; cka_subset_subset, cka_subset_whole, diffused_redundancy, gini, class_accuracy), model, weights,
        task, method (the names of `random_subsets`; own_head: the head that the network came with), label (a class),
        n_features, n_selected, fraction, delta, value, sd (population, over masks), n_masks, evidence (P: the text of
        the paper, N: saved outputs of the first author's notebooks, F: read off a saved plot), source.

    Notes
    -----
    Most come from the saved output of the first author's notebooks, which draw the figures; that each equals the
    printed value is not proved. The full layer is one run. CKA is biased, on 1,000 test images. What was read off a
    plot by eye is left out where the same cell has an exact number.
    """
    return _table("published_redundancy.csv")


def diffused_redundancy_at(delta: float) -> pd.DataFrame:
    """Return diffused redundancy at `delta` by both estimators, computed from the published accuracies.

    Returns
    -------
    DataFrame
        Columns model, weights, task, delta, first, nearest.
    """
    numbers, rows = diffused_redundancy_numbers(), []
    keys = ["model", "weights", "task"]
    for cell, curve in numbers[numbers["quantity"] == "accuracy"].groupby(keys):
        row = {**dict(zip(keys, cell, strict=True)), "delta": delta}
        points = curve["fraction"], curve["value"], float(curve.loc[curve["fraction"] == 1.0, "value"].iloc[0])
        for estimator in ("first", "nearest"):
            row[estimator] = redundancy.diffused_redundancy(*points, delta=delta, estimator=estimator)
        rows.append(row)
    return pd.DataFrame(rows)


def diffused_redundancy_models() -> pd.DataFrame:
    """Return the networks of Nanda et al. (2023) with their widths, and what is certain of their weights.

    Returns
    -------
    DataFrame
        Columns model (timm's name; without a tag where the weights come as a file), network, weights, n_features,
        imagenet_top1 (percent, as the authors measured it), certainty.

    Notes
    -----
    The paper measures on images whose shorter side is 224 pixels, which lowers the accuracy that weights are known for.
    """
    return _table("published_models.csv")


def redundancy_claims() -> pd.DataFrame:
    """Return the claims of the abstract and of sections 3 and 4 of Nanda et al. (2023).

    Returns
    -------
    DataFrame
        Columns name, part (of the paper), statement, published (the number, in words), evidence (P: the text of the
        paper, N: saved outputs of the first author's notebooks, F: read off a saved plot), at_full_scale (what would be
        needed).
    """
    return _table("published_claims.csv")


def related_claims() -> pd.DataFrame:
    """Return what related papers claim of labels, classes and spectra, by the chapters that merge them.

    Returns
    -------
    DataFrame
        Columns chapter, statement, papers (keys of the bibliography, with commas), analysis and judged (where the claim
        is judged, and how its name there begins; empty: every claim of the analysis, no analysis: it is not run here),
        at_full_scale (what would be needed).
    """
    return _table("related_claims.csv").fillna("")


def regulariser_numbers() -> pd.DataFrame:
    """Return accuracies of the whole layer and of parts with dropout or DeCov in training (Nanda et al. 2023).

    Returns
    -------
    DataFrame
        Columns network (``dropout 0.5``, ``DeCov 1e-4``), task, full, at_20 and at_50: accuracy of all features of a
        ResNet50 and of a random 20 % and 50 %.

    Notes
    -----
    From the saved output of the authors' notebook decorrelated_reps_analysis: one mask, and a probe of twenty epochs
    that is far from converged on Flowers. Dropout of 0.1 and 0.5 was trained longer than the others, and no network
    without a regulariser stands beside them.
    """
    rows = diffused_redundancy_numbers().query("quantity == 'accuracy_regulariser' and fraction in (0.2, 0.5, 1.0)")
    wide = rows.pivot(index=["weights", "task"], columns="fraction", values="value").reset_index()
    return wide.set_axis(["network", "task", "at_20", "at_50", "full"], axis=1)[
        ["network", "task", "full", "at_20", "at_50"]
    ]


def tunnel_numbers() -> pd.DataFrame:
    """Return the statistics that Harun et al. (2024) print, as far as their 512-row table bears on them.

    Returns
    -------
    DataFrame
        Columns quantity (networks, n_cells, mean, delta, p_value, r2, slope, slope_share), subject (a comparison or
        group of `tunnel_paper`, a strength, a predictor, or a network), side (before or after of a comparison;
        matched or file_order, the two ways to pair rows, for one printed p), metric, value, digits (printed
        decimal places), source.

    Notes
    -----
    Cliff's delta is printed without its sign. Slopes are read from figures, two decimal places.
    """
    return _table("published_tunnel.csv").fillna({"subject": "", "side": "", "metric": ""})


def tunnel_rows() -> pd.DataFrame:
    """Return the 512 rows behind the statistics of Harun et al. (2024), restated from their published table.

    Returns
    -------
    DataFrame
        One row a network and OOD set, in the published order: the measures retained (per cent), correlation and
        alignment, and the predictors of the network; names follow from the order (`chapters.tunnel_paper.read`).

    Notes
    -----
    Copyright 2024 Md Yousuf Harun, Kyungbok Lee, Jhair Gallardo, Christopher Kanan; published under the MIT licence.
    """
    return _table("published_tunnel_rows.csv")


def tunnel_accuracies() -> pd.DataFrame:
    """Return the OOD accuracies of table 4 of Harun et al. (2024), under its own headings and in its own order.

    Returns
    -------
    DataFrame
        Columns network, augmentation, resolution, and eight OOD sets, in per cent; 28 networks trained on ImageNet-100.
    """
    return _table("published_tunnel_accuracy.csv")


def tunnel_swaps() -> pd.DataFrame:
    """Return the accuracies of table 2 of Harun et al. (2024): parts of two stages of training put together.

    Returns
    -------
    DataFrame
        Columns parts (``E1+T2``: extractor after the first task, tunnel after the second), resolution, first and second
        (accuracy on either task, per cent); a ResNet-18, halves of ImageNet-100, layers 14 or 15 to 17 as the tunnel.
    """
    return _table("published_tunnel_swap.csv")


def tunnel_more() -> pd.DataFrame:
    """Return further numbers that Harun et al. (2024) print and nothing here computes: pre-trained networks, ID.

    Returns
    -------
    DataFrame
        Columns table, quantity, network, setting, task, value (per cent), evidence, source. Table 8 keeps its own
        headings, of which "Pets" and "CIFAR" are probably exchanged, as they are in table 4.
    """
    return _table("published_tunnel_more.csv")


def few_shot_numbers() -> pd.DataFrame:
    """Return the numbers of the abstracts of Luo et al. (2023) and of its second version; no table of it was seen.

    Returns
    -------
    DataFrame
        Columns quantity, setting, value (share of the dimensions), evidence, source.
    """
    return _table("published_few_shots.csv")


def compression_scores() -> pd.DataFrame:
    """Return nDCG@10 and recall@100 of four encoders under every compression of CoRECT (2510.19340).

    Returns
    -------
    DataFrame
        Columns model (the encoder), dataset, dimensions (the first so many are used), compression (number format, PCA,
        product quantisation or LSH, as the authors name it), ndcg_at_10, recall_at_100; 10,854 rows.

    Notes
    -----
    From the repository padas-lab-de/CoRECT, published under the MIT licence.
    """
    with resources.files("diffred_core.results").joinpath("data/published_compression.csv.gz").open("rb") as file:
        return pd.read_csv(file, compression="gzip")


def mean_limits(value: float, sd: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the t interval of a printed mean of n, whose sd is that of the population; NaN where there is no spread.

    Parameters
    ----------
    value, sd : float
    n : float
        Masks or runs; missing counts as one.
    level : float
    """
    if pd.isna(n) or pd.isna(sd) or n < 2:
        return float("nan"), float("nan")
    _, low, high = intervals.t_interval(value, sd / (n - 1) ** 0.5, degrees=int(n) - 1, level=level)
    return float(low), float(high)


def _table(name: str) -> pd.DataFrame:
    with resources.files("diffred_core.results").joinpath(f"data/{name}").open(encoding="utf-8") as file:
        return pd.read_csv(file)
