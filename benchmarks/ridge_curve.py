"""Ridge accuracy at 100 nested sizes, against scikit-learn's RidgeClassifier refitted at each size."""

from __future__ import annotations

import torch
from _bench import Side, arguments, measure, report, rows_of
from sklearn.linear_model import RidgeClassifier

from diffred_core import linear_probe, moments, subsets

N_TRAIN, N_TEST, N_FEATURES, N_CLASSES, N_SIZES, L2 = 10_000, 2_000, 1_280, 10, 100, 1e-2


def labelled_features(n: int, generator: torch.Generator, means: torch.Tensor, mix: torch.Tensor):
    """Draw rows of `N_CLASSES` overlapping classes in a low-dimensional space mixed into all features."""
    y = torch.randint(N_CLASSES, (n,), generator=generator)
    latent = means[y] + torch.randn(n, means.shape[1], generator=generator)
    return latent @ mix + 0.5 * torch.randn(n, N_FEATURES, generator=generator), y


if __name__ == "__main__":
    options = arguments(__doc__, "ridge_curve")
    generator = torch.Generator().manual_seed(0)
    means, mix = (
        torch.randn(N_CLASSES, 64, generator=generator) * 0.5,
        torch.randn(64, N_FEATURES, generator=generator) / 8,
    )
    X, y = labelled_features(N_TRAIN, generator, means, mix)
    X_test, y_test = labelled_features(N_TEST, generator, means, mix)
    order = subsets.random_order(N_FEATURES, seed=0)
    sizes = torch.linspace(1, N_FEATURES, N_SIZES).round().long().tolist()
    summary = moments.from_features(X, y, n_classes=N_CLASSES, quartic=False)

    def curve(from_moments):
        """Take the accuracy at every size."""
        return linear_probe.ridge_curve(from_moments, X_test, y_test, order=order, sizes=sizes, l2=L2)

    def with_moments():
        """Count the pass over the training rows too."""
        return curve(moments.from_features(X, y, n_classes=N_CLASSES, quartic=False))

    def refitted():
        """Fit scikit-learn's classifier anew at each size."""
        accuracies = []
        for size in sizes:
            kept = order[:size]
            model = RidgeClassifier(alpha=L2 * N_TRAIN).fit(X[:, kept].numpy(), y.numpy())
            accuracies.append(model.score(X_test[:, kept].numpy(), y_test.numpy()))
        return torch.tensor(accuracies, dtype=torch.float64)

    equal = int((curve(summary).double() - refitted()).abs().lt(1e-12).sum())
    few = max(1, options.repeats // 2)
    counted = measure(
        [
            Side("diffred_core, Gram counted", with_moments, role="ours"),
            Side("RidgeClassifier at each size", refitted, repeats=few),
        ],
        repeats=options.repeats,
    )
    given = measure([Side("diffred_core, Gram given", lambda: curve(summary), role="ours")], repeats=options.repeats)
    given.append(counted[1])
    facts = {
        "n": N_TRAIN,
        "n_test": N_TEST,
        "d": N_FEATURES,
        "classes": N_CLASSES,
        "equal_accuracies": f"{equal} of {N_SIZES}",
    }
    rows = rows_of("ridge at 100 nested sizes, Gram counted", counted, unit="curve", **facts)
    rows += rows_of("ridge at 100 nested sizes, Gram given", given, unit="curve", **facts)
    report(rows, options.csv)
