"""Slow, obvious twins of what `tunnel_paper` computes, and a table of its form with invented values."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np

from diffred_core.chapters.tunnel_paper import table as _table
from diffred_core.chapters.tunnel_paper.names import N_OOD, PREDICTORS
from diffred_core.chapters.tunnel_paper.table import networks


def cliffs_delta_by_pairs(before, after):
    total = 0
    for x in before:
        for y in after:
            total += int(y > x) - int(y < x)
    return total / (len(before) * len(after))


def tree_expectation(tree, x, known, node=0):
    """Return what a tree expects of `x` of which only the features `known` are seen."""
    if tree.children_left[node] == -1:
        return tree.value[node].item()
    left, right = tree.children_left[node], tree.children_right[node]
    if tree.feature[node] in known:
        goes_left = np.float32(x[tree.feature[node]]) <= tree.threshold[node]
        return tree_expectation(tree, x, known, left if goes_left else right)
    rows = [tree.weighted_n_node_samples[child] for child in (left, right)]
    values = [tree_expectation(tree, x, known, child) for child in (left, right)]
    return (rows[0] * values[0] + rows[1] * values[1]) / sum(rows)


def shapley_by_subsets(model, x):
    """Return the Shapley values of one row by their definition: a sum over all subsets of features."""
    d = len(x)

    def worth(known):
        return model.learning_rate * sum(tree_expectation(t.tree_, x, known) for t in model.estimators_[:, 0])

    values = np.zeros(d)
    for j in range(d):
        others = [k for k in range(d) if k != j]
        for size in range(d):
            weight = factorial(size) * factorial(d - size - 1) / factorial(d)
            values[j] += sum(weight * (worth({*s, j}) - worth(set(s))) for s in combinations(others, size))
    return values


def variance_shares_by_loops(cells):
    """Return the shares of networks and OOD sets in the variance of ``cells[network][ood_set]``."""
    rows, columns = len(cells), len(cells[0])
    mean = sum(map(sum, cells)) / (rows * columns)
    total = sum((v - mean) ** 2 for row in cells for v in row)
    by_row = sum(columns * (sum(row) / columns - mean) ** 2 for row in cells)
    by_column = sum(rows * (sum(row[k] for row in cells) / rows - mean) ** 2 for k in range(columns))
    return by_row / total, by_column / total


def invented_file(seed=0):
    """Return a table with the headings, blocks and predictors of the published file and values from a generator."""
    rng = np.random.default_rng(seed)
    names = networks()
    rows = names.loc[names.index.repeat(N_OOD), list(PREDICTORS)].reset_index(drop=True)
    network = np.repeat(rng.normal(0, 10, len(names)), N_OOD)
    ood_set = np.tile(rng.normal(0, 8, N_OOD), len(names))
    gain = 8.0 * (rows["augmentations"] > 0) + 20.0 * (rows["classes"] == 100)
    retained = np.clip(55 + gain + network + ood_set + rng.normal(0, 3, len(rows)), 5, 100).round(2)
    values = {
        "correlation": np.clip(retained / 100 + rng.normal(0, 0.05, len(rows)), -1, 1).round(2),
        "alignment": np.clip(retained / 400 + rng.normal(0, 0.02, len(rows)), 0.001, 1).round(3),
        "retained": retained,
    }
    return rows.assign(**values)[list(_table.HEADINGS.values())].set_axis(list(_table.HEADINGS), axis=1)


def invented_table(folder, seed=0):
    """Return `tunnel_paper.read` of an invented file."""
    path = folder / "experiments_results.csv"
    invented_file(seed).to_csv(path, index=False)
    return _table.read(path)
