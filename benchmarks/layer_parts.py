"""Random parts of a layer at three sizes and the intervals of their leads, against scikit-learn and SciPy.

Ours: one Gram matrix of the layer, of which that of every part is a block; l2 of ten by validation rows. scikit-learn:
RidgeClassifier fitted anew on the columns of every part for every l2. Then the interval over draws and test rows of the
lead of each part over another, against scipy.stats.bootstrap, which resamples test rows alone.
"""

from __future__ import annotations

import numpy as np
import torch
from _bench import Side, arguments, measure, report, rows_of
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from torch import Tensor

from diffred_core import intervals, linear_probe, moments, subsets

N_ROWS, N_FEATURES, N_CLASSES, SIZES, SEEDS = (3_000, 1_000, 1_000), 320, 10, (13, 64, 256), (1, 2, 3)
L2 = torch.logspace(-8, 1, 10, dtype=torch.float64)
N_BOOT, N_LEADS = 1_000, 30

Split = tuple[Tensor, Tensor]


def labelled_features() -> list[Split]:
    """Draw training, validation and test rows of overlapping classes in a low-dimensional space."""
    draw = torch.Generator().manual_seed(0)
    means, mix = 0.5 * torch.randn(N_CLASSES, 64, generator=draw), torch.randn(64, N_FEATURES, generator=draw) / 8
    y = torch.randint(N_CLASSES, (sum(N_ROWS),), generator=draw)
    X = (means[y] + torch.randn(len(y), 64, generator=draw)) @ mix + 0.5 * torch.randn(
        len(y), N_FEATURES, generator=draw
    )
    return list(zip(X.double().split(N_ROWS), y.split(N_ROWS), strict=True))


def ours(train: Split, validation: Split, test: Split, parts: list[Tensor]) -> Tensor:
    """Return whether the probe on every part is right on test rows, ``(n_parts, n_test)``; the Gram matrix counted."""
    layer = moments.from_features(*train, n_classes=N_CLASSES, quartic=False)
    l2 = L2[:, None] * torch.stack([layer.variance[part].mean() for part in parts])
    probe, _ = linear_probe.choose_l2(linear_probe.fit_ridge(layer, subsets=parts, l2=l2), *validation)
    return probe.predict(test[0]) == test[1]


def scikit_learn(train: Split, validation: Split, test: Split, parts: list[Tensor]) -> Tensor:
    """Return the same by one fit for every part and l2."""
    found = []
    for part in parts:
        X, held, asked = (rows[:, part].numpy() for rows, _ in (train, validation, test))
        scale = len(X) * X.var(0).mean()
        models = [RidgeClassifier(alpha=float(l2) * scale).fit(X, train[1].numpy()) for l2 in L2.flip(0)]
        scores = [model.score(held, validation[1].numpy()) for model in models]
        best = models[int(np.argmax(scores))]  # of equal ones the largest l2, which comes first
        found.append(torch.from_numpy(best.predict(asked)) == test[1])
    return torch.stack(found)


if __name__ == "__main__":
    options = arguments(__doc__, "layer_parts")
    splits = labelled_features()
    parts = [subsets.random_order(N_FEATURES, seed=seed)[:size] for size in SIZES for seed in SEEDS]
    right = ours(*splits, parts)
    equal = float((right == scikit_learn(*splits, parts)).double().mean())
    few = max(1, options.repeats // 2)
    sides = measure(
        [
            Side("diffred_core, Gram counted", lambda: ours(*splits, parts), role="ours", units=len(parts)),
            Side(
                "RidgeClassifier for every part and l2",
                lambda: scikit_learn(*splits, parts),
                units=len(parts),
                repeats=few,
            ),
        ],
        repeats=options.repeats,
    )
    facts = {"rows": " / ".join(map(str, N_ROWS)), "features": N_FEATURES, "l2": len(L2), "threads": options.threads}
    rows = rows_of(
        "ridge probe of a random part, l2 by validation", sides, unit="part", **facts, same_verdict=f"{equal:.4f}"
    )

    draw = np.random.default_rng(0)
    skill = draw.uniform(0.6, 0.9, N_LEADS)
    correct = draw.random((N_LEADS, len(SEEDS), N_ROWS[2])) < skill[:, None, None]
    leading = draw.random((len(SEEDS), N_ROWS[2])) < 0.9

    def leads() -> list[intervals.Interval]:
        """Take every interval over draws and rows."""
        return [intervals.paired_bootstrap(leading, other, n_boot=N_BOOT) for other in correct]

    def by_scipy() -> list[object]:
        """Take every interval over rows of the mean over draws."""
        options = {"n_resamples": N_BOOT, "method": "percentile", "rng": 0}
        return [
            stats.bootstrap(((leading.mean(0) - other.mean(0)),), np.mean, **options).confidence_interval
            for other in correct
        ]

    width, width_of_scipy = (np.mean([part.high - part.low for part in found()]) for found in (leads, by_scipy))
    sides = measure(
        [
            Side("diffred_core, draws and rows, resamples kept", leads, role="ours", units=N_LEADS),
            Side("scipy.stats.bootstrap, rows", by_scipy, units=N_LEADS, repeats=few),
        ],
        repeats=options.repeats,
    )
    facts = {"resamples": N_BOOT, "draws": len(SEEDS), "test_rows": N_ROWS[2], "threads": options.threads}
    widths = f"{width:.4f} and {width_of_scipy:.4f}"
    rows += rows_of("interval of the lead of a part", sides, unit="lead", **facts, mean_width=widths)
    report(rows, options.csv)
