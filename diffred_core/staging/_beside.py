"""Published cells beside measured ones: which row of the runs stands beside a cell, their difference, and its words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd

from diffred_core.chapters.few_shots import claims as few_shots
from diffred_core.chapters.random_subsets.across_published import published_name
from diffred_core.errors import InputError
from diffred_core.results import published, published_cells, where
from diffred_core.results.claims import VERDICTS, Claim
from diffred_core.staging._measured import Tables, changes, compressed, measured, statistics

BESIDE = [*published_cells.COLUMNS, "network", "measured", "measured_low", "measured_high"]
BESIDE += ["difference", "difference_low", "difference_high", "words", "page"]
NOT_RUN = "not run here"
BY_EYE = {"%": 1.0, "": 0.01}  # either way, of what was read off a plot, by unit
SAME = {  # what the grids paper and paper_files call the networks of the paper
    "ResNet50, standard": "resnet50.a1_in1k",
    "ResNet50, adversarial l2 eps=3": "resnet50_l2_eps3",
    "ResNet50, Matryoshka": "resnet50_mrl1_ff2048",
    "ResNet18, ImageNet-1k": "resnet18.tv_in1k",
    "ViT-S/16, ImageNet-21k": "vit_small_patch16_224.augreg_in21k",
    "ViT-S/16, ImageNet-1k": "vit_small_patch16_224_i1k_light1",
    "ViT-S/32, ImageNet-1k": "vit_small_patch32_224_i1k_light1",
}
_PLAIN = ("standard", "ImageNet", "layer of")  # training that the networks of the runs have had too
_NEAR, _NEAR_WIDTH = 0.1, 0.1  # of a share and of a width, relative
_TIED = ["section", "quantity", "task", "method"]
_REPLAYED = {"equal": "equal to the last digit", "rounding": "equal within the rounding of the released table"}


def beside(tables: Tables) -> pd.DataFrame:
    """Return every published cell with what was measured beside it: columns `BESIDE`, missing where nothing was.

    The same network is taken where there is one. Beside a network of plain training stands else that of the task whose
    layer is nearest in width, by their ratio, and of equally wide ones that whose whole layer is most accurate; none
    that was trained on the task itself. A share counts as the same up to a tenth of it. The difference is measured less
    published; its interval joins both intervals as independent errors, what was read off a plot can be off by `BY_EYE`,
    and a single published run counts as exact.
    """
    cells = published_cells.cells()
    by_cell = _by_cell(measured(tables))
    matched = cells.join(pd.DataFrame([_match(cell, by_cell) for cell in cells.to_dict("records")], index=cells.index))
    matched = _with_statistics(matched, statistics(tables))
    listed = pd.concat([matched, _changes(tables), _compressed(tables), _counted(cells, tables)], ignore_index=True)
    listed = listed.drop_duplicates([*published_cells.KEY, "section"], keep="last").reindex(columns=BESIDE)
    return _with_differences(listed)


def _by_cell(rows: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """Return measured rows by quantity, task and method, those of a section of their own by its name too."""
    named = rows.assign(section=["" if pd.isna(section) else section for section in rows["section"]])
    return {tuple(map(str, key)): group for key, group in named.groupby(_TIED)}


def _match(cell: Mapping[str, object], by_cell: Mapping[tuple[str, ...], pd.DataFrame]) -> dict[str, object]:
    section = str(cell["section"]) if cell["section"] == "tunnel swap" else ""
    task = str(cell["task"]) if section else published_name(str(cell["task"]))
    rows = by_cell.get((section, str(cell["quantity"]), task, str(cell["method"])))
    if rows is None or " class " in str(cell["setting"]):
        return {}
    rows = rows[rows["setting"].map(lambda part: pd.isna(part) or str(part) in str(cell["setting"])).astype(bool)]
    if pd.notna(cell["fraction"]):
        off = (rows["fraction"] / float(str(cell["fraction"])) - 1).abs()
        rows = rows[off <= _NEAR].assign(off=off[off <= _NEAR])
    rows = rows if section else _nearest(rows, cell, task)
    names = {
        "network": "network",
        "measured": "measured",
        "low": "measured_low",
        "high": "measured_high",
        "page": "page",
    }
    return {new: rows.iloc[0][old] for old, new in names.items()} if len(rows) else {}


def _nearest(rows: pd.DataFrame, cell: Mapping[str, object], task: str) -> pd.DataFrame:
    """Return the rows that may stand beside a cell, the nearest network first."""
    model = str(cell["model"])
    for tied in (rows["network"] == SAME.get(model), rows["beside"] == model):
        if tied.any():
            return rows[tied]
    if rows.empty:
        return rows
    width, plain = _width(cell), model.partition(", ")[2].startswith(_PLAIN)
    of_own = rows["network"].map(lambda name: published_name(name.rpartition("(")[2].strip(")")) == task).astype(bool)
    rows = rows[~of_own & rows["beside"].isna()]
    if width is None or not plain or cell["section"] == "regularisers":
        return rows.iloc[:0]
    ratio = (rows["width"].astype(float) / width).map(math.log).abs().round(6)
    by = rows.assign(ratio=ratio, off=rows.get("off", 0.0), top=-rows["top"].astype(float))
    by = by[by["ratio"] <= _NEAR_WIDTH] if cell["section"] == "width" else by
    return by.sort_values(["ratio", "top", "network", "off"])


def _width(cell: Mapping[str, object]) -> int | None:
    of_layer = str(cell["setting"]).rpartition(" of ")[2].partition(")")[0].replace(",", "")
    if of_layer.isdigit():
        return int(of_layer)
    model = str(cell["model"]).partition(", ")[0]
    known = where(published.diffused_redundancy_models(), network=model)["n_features"]
    widths = {"ResNet50": 2048, "ResNet18": 512}
    return int(known.iloc[0]) if len(known) else widths.get(model)


def _with_statistics(cells: pd.DataFrame, replayed: pd.DataFrame) -> pd.DataFrame:
    """Put what came out of the released table beside the printed statistics."""
    if replayed.empty:
        return cells.assign(words=None)
    by = ["quantity", "model", "setting", "task"]
    named = replayed.set_axis([*by, *replayed.columns[4:]], axis=1)[[*by, "recomputed", "verdict", "page"]]
    words = named["verdict"].map(_REPLAYED).fillna("differs")
    named = named.assign(section="tunnel statistics", network="the authors' own table", words=words)
    joined = cells.merge(named, on=["section", *by], how="left", suffixes=("", "_replayed"))
    for column, other in {"measured": "recomputed", "page": "page_replayed", "network": "network_replayed"}.items():
        joined[column] = joined[column].where(joined[other].isna(), joined[other])
    return joined


def _changes(tables: Tables) -> pd.DataFrame:
    """Return what one change does to the share retained: derived from printed means, and of networks trained here."""
    rows = changes(tables).drop_duplicates("change") if tables.get("tunnel_factors") else pd.DataFrame()
    if rows.empty:
        return rows
    about: dict[str, object] = {
        "section": "tunnel changes",
        "paper": published_cells.HARUN,
        "quantity": "change of the share retained",
    }
    about |= {"model": "printed means", "method": "", "unit": "%", "evidence": "P", "derived": True}
    named = {"change": "setting", "published": "value", "mean": "measured", "low": "measured_low"}
    rows = rows.rename(columns=named | {"high": "measured_high"}).assign(**about)
    return rows.assign(task="mean over 8 sets", source="difference of the printed means").drop(columns=["n"])


def _compressed(tables: Tables) -> pd.DataFrame:
    rows = compressed(tables)
    if rows.empty:
        return rows
    settings = [f"{row.method}, {row.n_selected} numbers, {row.recipe}" for row in rows.itertuples()]
    about: dict[str, object] = {
        "section": "compression",
        "paper": "arXiv 2510.19340",
        "quantity": "share of the full nDCG@10",
        "unit": "%",
    }
    about |= {"evidence": "A", "derived": True, "source": "scores that the authors released", "task": "BEIR, 14 sets"}
    shares = {name: 100 * rows[name] for name in ("value", "low", "high")}
    return pd.DataFrame({"model": rows["model"], "setting": settings, "method": "", **shares}).assign(**about)


def _counted(cells: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the claims of few shots with the verdicts of all pairs of model and task counted."""
    judges = {
        "share that recovers": few_shots.top_percent_recovers,
        "share that improves": few_shots.few_percent_improve,
    }
    rows = []
    for quantity, judge in judges.items():
        verdicts = [v for _, table in tables.get("few_shot", []) if (v := _verdict(judge, table))]
        if verdicts:
            words = ", ".join(f"{verdict} {verdicts.count(verdict)}" for verdict in VERDICTS)
            of_quantity = where(cells, section="few shots", quantity=quantity)
            about = {"network": f"{len(verdicts)} pairs of model and task", "page": "results/few_shot_summary"}
            rows.append(of_quantity.assign(words=words, **about))
    return pd.concat(rows) if rows else pd.DataFrame()


def _verdict(judge: Callable[[pd.DataFrame], Claim], table: pd.DataFrame) -> str | None:
    try:
        return str(judge(table).verdict)
    except InputError:  # of an older sweep
        return None


def _with_differences(listed: pd.DataFrame) -> pd.DataFrame:
    numbers = {name: listed[name].astype(float) for name in ("value", "low", "high", "measured")}
    ends = {name: listed[f"measured_{name}"].astype(float) for name in ("low", "high")}
    eye = listed["unit"].map(BY_EYE).where(listed["evidence"] == "F", 0.0).fillna(0.0)
    printed = ((numbers["high"] - numbers["low"]) / 2).fillna(0.0)
    difference = numbers["measured"] - numbers["value"]
    reach = {name: (((ends[name] - numbers["measured"]) ** 2 + printed**2) ** 0.5) + eye for name in ("low", "high")}
    low, high = difference - reach["low"], difference + reach["high"]
    words = [
        text if isinstance(text, str) else _words(*row)
        for text, *row in zip(listed["words"], difference, low, high, listed["unit"], eye, strict=True)
    ]
    return listed.assign(difference=difference, difference_low=low, difference_high=high, words=words)


def _words(difference: float, low: float, high: float, unit: object, eye: float) -> str:
    """Return what a difference says: whether its interval holds 0, else how far apart the two are."""
    if pd.isna(difference):
        return NOT_RUN
    size = f"{abs(difference):.1f} points" if unit == "%" else f"{abs(difference):.2f}"
    apart = f"{size} {'higher' if difference > 0 else 'lower'} here"
    if pd.isna(low) or pd.isna(high):
        return f"{apart}, no interval" if abs(difference) > max(eye, 0.005) else "the same, no interval"
    return "no difference beyond the intervals" if low <= 0 <= high else apart
