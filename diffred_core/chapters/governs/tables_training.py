"""Tables of networks trained here for readers: every kind of network, robustness, and published regularisers."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.governs import claims_training, training_reading
from diffred_core.chapters.governs import names_training as names
from diffred_core.drawing import Table
from diffred_core.results import where

COLUMNS: dict[str, dict[str, object]] = {
    "accuracy": {"metric": names.ACCURACY, "method": names.FULL},
    **{
        f"DR({delta:g}) {words}": {"metric": metric, "method": names.RANDOM, "delta": delta}
        for delta in names.DELTAS
        for metric, words in ((names.FIRST, "first"), (names.NEAREST, "nearest"))
    },
    "kept": {"metric": names.KEPT, "method": names.RANDOM},
    "CKA above null": {"metric": names.EXCESS},
    "Gini": {"metric": names.GINI},
    "Gini rise": {"metric": names.GINI_RISE},
}
PERCENT = tuple(name for name in COLUMNS if name.startswith(("accuracy", "DR", "kept")))
SHAPE: dict[str, dict[str, object]] = {
    "R2": {"metric": names.SEPARATION},
    "NC1": {"metric": names.NC1},
    "rank": {"metric": names.RANK},
    "RankMe": {"metric": names.RANKME},
}


def by_network(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return a row a kind of network with the mean over seeds, and tasks, of all that is measured on one side."""
    rows = where(table, label=label)
    columns = COLUMNS | (SHAPE if label == names.OWN else {})
    wide = {name: where(rows, **what).groupby(["model", "recipe"])["value"].mean() for name, what in columns.items()}
    order = table[["model", "recipe"]].dropna().drop_duplicates()
    rows_of_kinds = order.merge(pd.DataFrame(wide).reset_index(), on=["model", "recipe"])
    percents = {name: 100 * rows_of_kinds[name] for name in PERCENT}
    shown = rows_of_kinds.assign(recipe=rows_of_kinds["recipe"].map(names.objective_words), **percents)
    heads = {name: f"{name} (%)" for name in PERCENT} | {"model": "network", "recipe": "objective"}
    return shown.rename(columns=heads)


def robustness(table: pd.DataFrame) -> pd.DataFrame:
    """Return the clean and robust accuracy of every objective beside its redundancy on own and other tasks."""
    rows, model = [], training_reading.architecture_of(table)
    for objective in (names.REFERENCE, *training_reading.objectives_of(table)):
        values = {
            metric: 100 * training_reading.by_seed(table, objective, {"metric": metric}, model=model).mean()
            for metric in (names.CLASSIFIER, names.ROBUST)
        }
        sides = [
            100 * training_reading.measure_by_seed(table, objective, measure).mean()
            for measure in (training_reading.DR_OWN, training_reading.DR_OTHER)
        ]
        rows.append([names.objective_words(objective), *values.values(), *sides])
    sides_in_words = [f"{side} (%)" for side in (training_reading.DR_OWN, training_reading.DR_OTHER)]
    heads = ["objective", "clean (%)", "under attack (%)", *sides_in_words]
    return pd.DataFrame(rows, columns=heads)


def regularisers(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a random fifth keeps of the accuracy with dropout and DeCov, published and here, in percent."""
    numbers = claims_training.published_kept().set_index("network")["kept"]
    published_names = {
        f"dropout:{name.split()[1]}" if name.startswith("dropout") else "decov": name for name in numbers.index
    }
    rows = []
    for objective in (names.REFERENCE, *training_reading.objectives_of(table)):
        kind = "decov" if objective.startswith("decov") else objective
        if objective != names.REFERENCE and not objective.startswith(("dropout", "decov")):
            continue
        kept = [
            100
            * training_reading.by_seed(
                table, objective, {"metric": names.KEPT, "method": names.RANDOM, "label": label}
            ).mean()
            for label in (names.OWN, names.OTHER)
        ]
        published = numbers[published_names[kind]] if kind in published_names else float("nan")
        rows.append([names.objective_words(objective), published, *kept])
    return pd.DataFrame(rows, columns=["objective", "published (%)", "own task (%)", "other tasks (%)"])


own_task = Table(
    lambda table: by_network(table, names.OWN),
    "Every kind of network on the task that it was trained on, mean over networks: accuracy of a ridge probe on the "
    "whole layer; diffused redundancy by both estimators; share of the accuracy that a random fifth keeps, its "
    "similarity with the layer above what inclusion gives, its inequality over classes and the rise of that over the "
    "whole layer beyond chance. Of the training rows: class separation, NC1, numerical rank and RankMe.",
)
other_tasks = Table(
    lambda table: by_network(table, names.OTHER),
    "The same on tasks that the networks were not trained on, mean over tasks and networks.",
)
robust = Table(
    robustness,
    "Accuracy of the networks' own classifiers, clean and under projected gradient ascent within an l2 ball, beside "
    "diffused redundancy at 90 % of the accuracy; mean over networks.",
    1,
)
published_beside = Table(
    regularisers,
    "Share of the accuracy that a random fifth of the dimensions keeps. Published: a ResNet50 on ImageNet, mean over "
    "four tasks, one mask, DeCov with 1e-4; there is no published network of the same recipe without a regulariser.",
    1,
)
