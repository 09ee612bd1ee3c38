"""A probe of every layer for four targets, against one AdamW run of 30 epochs a layer and target, in turn."""

from __future__ import annotations

import torch
from _bench import Side, arguments, measure, report, rows_of
from torch import Tensor, nn

from diffred_core import features, linear_probe

MODEL, TASK, SEED = "tf_efficientnet_lite0.in1k", "mnist5k", 0
TARGETS = {
    "digit": lambda y: y,
    "odd": lambda y: y % 2,
    "five or more": lambda y: (y >= 5).long(),
    "closed loops": lambda y: torch.tensor([1, 0, 0, 0, 0, 0, 1, 0, 2, 1])[y],
}


def load() -> tuple[dict, dict]:
    """Return features of every block and labels of every target, by split."""
    tasks = features.Source(MODEL, TASK).layers()
    labels = {split: y for split, (_, y) in tasks["penultimate"].splits.items()}
    layers = {name: {split: X for split, (X, _) in task.splits.items()} for name, task in tasks.items()}
    return layers, {name: {split: of(y) for split, y in labels.items()} for name, of in TARGETS.items()}


def adamw_probe(X: dict[str, Tensor], y: dict[str, Tensor]) -> tuple[list[float], list[float]]:
    """Train one probe as published: AdamW, 30 epochs, label smoothing; return validation and test accuracies."""
    recipe = linear_probe.PUBLISHED_TUNNEL["cnn"]
    torch.manual_seed(SEED)
    probe = nn.Linear(X["train"].shape[1], int(y["train"].max()) + 1)
    nn.init.normal_(probe.weight, std=recipe.init_std)
    nn.init.zeros_(probe.bias)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    torch.manual_seed(SEED)
    batches = torch.randperm(len(y["train"])).split(recipe.batch_size)
    curves = {"validation": [], "test": []}
    for _ in range(recipe.epochs):
        for rows in batches:
            optimizer.zero_grad()
            criterion(probe(X["train"][rows]), y["train"][rows]).backward()
            optimizer.step()
        with torch.no_grad():
            for split, curve in curves.items():
                curve.append((probe(X[split]).argmax(1) == y[split]).double().mean().item())
    return curves["validation"], curves["test"]


if __name__ == "__main__":
    options = arguments(__doc__, "layer_probes")
    layers, targets = load()
    n_probes, first = len(layers) * len(targets), next(iter(targets.values()))

    def ours(method: str = "ridge") -> linear_probe.LayerProbes:
        """Choose l2 on validation rows for all layers and targets in one call."""
        return linear_probe.probe_layers(layers, targets, method=method)

    def batched() -> linear_probe.EpochCurves:
        """Train the published recipe for all layers and targets in batches."""
        return linear_probe.probe_layers_by_epoch(layers, targets, seeds=[SEED])

    found, curves = ours(), batched()
    peer = [adamw_probe(X, y) for X in layers.values() for y in targets.values()]
    validation, test = torch.tensor(peer, dtype=torch.float64).unbind(1)
    selected = test.gather(1, validation.argmax(1, keepdim=True)).view(len(layers), len(targets))
    few = max(1, options.repeats // 2)
    sides = measure(
        [
            Side("diffred_core, ridge, l2 of 10 by validation", ours, role="ours", units=n_probes),
            Side("diffred_core, the AdamW recipe in batches", batched, units=n_probes, repeats=few),
            Side(
                "torch, AdamW, 30 epochs, in turn",
                lambda: [adamw_probe(X, first) for X in layers.values()],
                units=len(layers),
                repeats=few,
            ),
        ],
        repeats=options.repeats,
    )
    rows = rows_of(
        f"{len(layers)} layers x {len(targets)} targets",
        sides,
        unit="probe",
        features=f"{MODEL} blocks on {TASK}",
        n_train=len(first["train"]),
        widths="16 to 1,280",
        mean_test_accuracy_of_ridge=f"{found.accuracy.mean():.4f}",
        of_AdamW_at_the_best_validation_epoch=f"{selected.mean():.4f}",
        of_AdamW_at_the_best_test_epoch=f"{test.amax(1).mean():.4f}",
        of_AdamW_in_batches_at_the_best_test_epoch=f"{curves.as_published.mean():.4f}",
        last_layer_alone=f"{found.accuracy[-1].mean():.4f} and {selected[-1].mean():.4f}",
        l2_at_an_edge=f"{int(found.at_edge.sum())} of {n_probes}",
        converged=f"{int(found.converged.sum())} of {n_probes}",
        threads=options.threads,
    )
    report(rows, options.csv)
