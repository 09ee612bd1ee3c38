"""Every published number as one cell of one list, whatever file of `published` holds it: what, where, how sure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from diffred_core.results import published

COLUMNS = ["section", "paper", "quantity", "model", "task", "setting", "method", "fraction", "value", "sd", "n", "unit"]
COLUMNS += ["low", "high", "evidence", "derived", "source"]
KEY = ["paper", "quantity", "model", "task", "setting", "method"]
NANDA, LUO, HARUN = "nanda2023diffused", "luo2023less", "harun2024variables"
DELTA = 0.9
EVIDENCE = {
    "P": "the text of the paper or of an earlier version",
    "N": "saved outputs of the first author's notebooks",
    "F": "read by eye off a saved plot, about 0.01 either way",
    "A": "a table that the authors released",
}
_PERCENT, _POINTS = "%", ""
_SECTIONS = {  # of the quantities of `published.diffused_redundancy_numbers`
    "accuracy": "accuracy",
    "accuracy_harder": "harder",
    "accuracy_compared": "compared",
    "accuracy_width": "width",
    "accuracy_hidden": "hidden",
    "accuracy_regulariser": "regularisers",
    "cka_subset_subset": "cka",
    "cka_subset_whole": "cka",
    "diffused_redundancy": "redundancy",
    "gini": "classes",
    "class_accuracy": "classes",
}


def cells() -> pd.DataFrame:
    """Return every published number that the package holds, one a row.

    Returns
    -------
    DataFrame
        Columns section (of the page that shows it), paper (key of the bibliography), quantity, model (with its
        weights), task, setting, method (how dimensions are kept), fraction (of them), value, sd, n (what it is the mean
        of), unit, low, high (95 % t interval of that mean), evidence (`EVIDENCE`), derived (whether it was computed
        here from published numbers) and source. No two rows have the same `KEY`.

    Notes
    -----
    Not in the list: the 512 rows behind the statistics of Harun et al. and the 10,854 scores of CoRECT, which are
    tables of their own (`published.tunnel_rows`, `published.compression_scores`).
    """
    parts = [_of_nanda(), _derived_redundancy(), _derived_kept(), _of_luo()]
    parts += [_tunnel_numbers(), _tunnel_accuracies(), _tunnel_swaps(), _tunnel_more()]
    listed = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
    limits = [published.mean_limits(*row) for row in listed[["value", "sd", "n"]].astype(float).itertuples(index=False)]
    return listed.assign(low=[low for low, _ in limits], high=[high for _, high in limits])


def network(model: str, weights: str) -> str:
    """Return a network of the paper with what it was trained on: two of one name are two networks."""
    return f"{model}, {weights}"


def _of_nanda() -> pd.DataFrame:
    numbers = published.diffused_redundancy_numbers()
    share = ~numbers["quantity"].str.contains("cka|gini|diffused")
    rows = numbers.assign(
        section=numbers["quantity"].map(_SECTIONS),
        quantity=numbers["quantity"].str.replace(r"^accuracy_.*", "accuracy", regex=True),
        model=[network(*pair) for pair in zip(numbers["model"], numbers["weights"], strict=True)],
        setting=[_setting(row) for row in numbers.to_dict("records")],
        value=numbers["value"].where(~share, (100 * numbers["value"]).round(4)),
        sd=numbers["sd"].where(~share, (100 * numbers["sd"]).round(4)),
        unit=share.map({True: _PERCENT, False: _POINTS}),
    )
    return rows.rename(columns={"n_masks": "n"}).assign(paper=NANDA, derived=False)


def _setting(row: Mapping[str, object]) -> str:
    if pd.notna(row["delta"]):
        return f"at {float(str(row['delta'])):.0%} of the accuracy, as printed".replace("%", " %")
    n, d, label = round(float(str(row["n_selected"]))), round(float(str(row["n_features"]))), row["label"]
    kept = f"{100 * float(str(row['fraction'])):.4g} % ({n:,} of {d:,})"
    return f"{kept}, class {label}" if isinstance(label, str) else kept


def _derived_redundancy() -> pd.DataFrame:
    """Return diffused redundancy by both estimators, of the published curves of accuracy."""
    wide = published.diffused_redundancy_at(DELTA)
    models = [network(*pair) for pair in zip(wide["model"], wide["weights"], strict=True)]
    both = [
        wide.assign(model=models, value=wide[name].round(4), setting=f"at {100 * DELTA:g} % of the accuracy, {words}")
        for name, words in {"first": "first share that reaches it", "nearest": "nearest share"}.items()
    ]
    where_from = {"evidence": "N", "source": "computed here from the accuracies of the authors' notebook"}
    about = {"section": "redundancy", "paper": NANDA, "quantity": "diffused_redundancy", "method": "random", "unit": ""}
    return pd.concat(both)[["model", "task", "setting", "value"]].assign(**about, **where_from, derived=True)


def _derived_kept() -> pd.DataFrame:
    """Return which share of its accuracy a layer trained with a regulariser keeps at a fifth and at a half."""
    wide = published.regulariser_numbers()
    both = [
        wide.assign(value=(100 * wide[column] / wide["full"]).round(2), fraction=share, setting=f"{100 * share:g} %")
        for column, share in {"at_20": 0.2, "at_50": 0.5}.items()
    ]
    rows = pd.concat(both).assign(model=lambda all_: [network("ResNet50", weights) for weights in all_["network"]])
    where_from = {"evidence": "N", "source": "computed here from the accuracies of the authors' notebook"}
    about = {"section": "regularisers", "paper": NANDA, "quantity": "accuracy_kept", "method": "random", "unit": "%"}
    return rows[["model", "task", "fraction", "setting", "value"]].assign(**about, **where_from, derived=True)


def _of_luo() -> pd.DataFrame:
    numbers = published.few_shot_numbers()
    rows = numbers.assign(value=100 * numbers["value"], fraction=numbers["value"], unit=_PERCENT, section="few shots")
    return rows.assign(paper=LUO, model="several networks", task="several tasks", method="oracle_all", derived=False)


def _tunnel_numbers() -> pd.DataFrame:
    numbers = published.tunnel_numbers()
    named = numbers.rename(columns={"subject": "model", "metric": "task"})
    about = {"section": "tunnel statistics", "paper": HARUN, "evidence": "P", "derived": False, "method": ""}
    percent = (numbers["metric"] == "retained") & (numbers["quantity"] == "mean")
    return named.assign(setting=numbers["side"], unit=percent.map({True: _PERCENT, False: _POINTS}), **about)


def _tunnel_accuracies() -> pd.DataFrame:
    by = ["network", "augmentation", "resolution"]
    rows = published.tunnel_accuracies().melt(by, var_name="task", value_name="value")
    augmented = rows["augmentation"].map({True: "with augmentation", False: "without augmentation"})
    about = {"section": "tunnel accuracies", "paper": HARUN, "quantity": "ood accuracy", "unit": _PERCENT, "method": ""}
    settings = rows["resolution"].astype(str) + " pixels, " + augmented
    rows = rows.rename(columns={"network": "model"}).assign(setting=settings, **about)
    return rows.assign(evidence="P", derived=False, source="table 4, under its own headings")


def _tunnel_swaps() -> pd.DataFrame:
    rows = published.tunnel_swaps().melt(["parts", "resolution"], var_name="task", value_name="value")
    about = {"section": "tunnel swap", "paper": HARUN, "quantity": "accuracy", "unit": _PERCENT, "model": "ResNet-18"}
    settings = rows["resolution"].astype(str) + " pixels"
    rows = rows.rename(columns={"parts": "method"}).assign(setting=settings, task=rows["task"] + " task", **about)
    return rows.assign(evidence="P", derived=False, source="table 2")


def _tunnel_more() -> pd.DataFrame:
    rows = published.tunnel_more().rename(columns={"network": "model"})
    return rows.assign(section="tunnel accuracies", paper=HARUN, unit=_PERCENT, method="", derived=False)
