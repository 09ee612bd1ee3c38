"""The page of published numbers: every one of them, what was measured beside it, and the whole list as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from diffred_core.chapters.random_subsets import across_published
from diffred_core.results import where
from diffred_core.staging._beside import NOT_RUN, beside
from diffred_core.staging._figures import draw
from diffred_core.staging._markdown import code, option, plain, table
from diffred_core.staging._measured import Tables

CSV = "downloads/published-beside-measured.csv"
HEADLINE = (0.1, 0.2, 0.5, 1.0)  # shares of which the rows stand open; the others are folded
NONE = "–"
_PAPER, _FILES = "make book GRID=paper", "make book GRID=paper_files"
_SMALL = "make book GRID=small_networks"
_FEW, _MANY = 12, 60  # rows that stand open whatever their share; and that say nothing one by one
_COLUMNS = ("published", "setting", "value", "measured here", "by", "difference", "in words")
_PLACES = {"%": ".1f", "": ".3f"}  # by unit
_METHODS = {
    "random": "",
    "full": "whole layer",
    "own_head": "the network's own head",
    "first": "first dimensions",
    "pca": "leading principal components",
    "pca_last": "last principal components",
    "random_projection_published": "random projection, as published",
    "random_hidden": "random of all hidden units",
    "oracle_all": "",
}
_QUANTITIES = {
    "cka_subset_subset": "two random parts",
    "cka_subset_whole": "part and whole",
    "accuracy_kept": "share of the accuracy kept",
    "class_accuracy": "accuracy",
    "gini": "Gini coefficient",
}


@dataclass(frozen=True)
class Section:
    """How the cells of one section are laid out, and what would run those that were not run.

    Attributes
    ----------
    title : str
        What the section is called where it is listed.
    rows : tuple of str
        Columns of the list that make a row of its tables.
    commands : tuple of str
        Empty: no grid of this project has these cells.
    each : str
        The column whose values have a table of their own.
    """

    title: str
    rows: tuple[str, ...]
    commands: tuple[str, ...] = ()
    each: str = ""


SECTIONS = {
    "accuracy": Section("Accuracy of random subsets", ("setting",), (_PAPER, _FILES), "model"),
    "redundancy": Section("Diffused redundancy", ("model", "setting"), (_PAPER, _FILES)),
    "cka": Section("CKA", ("quantity", "method", "setting"), (_PAPER, _FILES), "model"),
    "compared": Section("Components and projections", ("setting", "method"), (_PAPER, _FILES), "model"),
    "width": Section("Width", ("model",)),
    "hidden": Section("All hidden units", ("setting",), (_FILES,)),
    "classes": Section("Classes", ("quantity", "method", "setting"), (_PAPER, _FILES), "model"),
    "regularisers": Section("Dropout and DeCov", ("quantity", "setting"), (_FILES, _SMALL), "model"),
    "harder": Section("ImageNet, ImageNetV2 and Places", ("setting",), (), "model"),
    "few shots": Section("Few shots", ("quantity", "setting"), ("make book GRID=full",)),
    "tunnel statistics": Section(
        "Tunnel: statistics", ("model", "setting"), ("diffred run tunnel_statistics",), "quantity"
    ),
    "tunnel changes": Section("Tunnel: one change", ("setting",), (_SMALL,)),
    "tunnel swap": Section("Tunnel: parts exchanged", ("method",), (_SMALL,), "setting"),
    "tunnel accuracies": Section("Tunnel: accuracies", ("quantity", "setting"), (), "model"),
    "compression": Section("Compression", ("setting",), ("diffred run compression_published",), "model"),
}


def published_page(tables: Tables) -> dict[str, bytes]:
    """Return the fragments of the page by path, the figure of curves, and all cells as CSV."""
    listed = beside(tables)
    texts = {name: _section(where(listed, section=name), layout) for name, layout in SECTIONS.items()}
    staged = {f"_generated/published-{n.replace(' ', '-')}.md": f"{text}\n".encode() for n, text in texts.items()}
    staged["_generated/published-counts.md"] = f"{_counts(listed)}\n".encode()
    staged[CSV] = listed.to_csv(index=False, float_format="%.6g").encode()
    return staged | _curves(tables)


def _section(cells: pd.DataFrame, layout: Section) -> str:
    matched = cells[cells["words"] != NOT_RUN]
    shown = matched[matched["fraction"].isna() | matched["fraction"].isin(HEADLINE) | (len(matched) <= _FEW)]
    if len(shown) > _MANY:
        shown = shown[shown["words"] == "differs"]
    parts = [table(_COLUMNS, map(_row, shown.to_dict("records"))) if len(shown) else "", _left(cells, matched, layout)]
    if len(cells):
        folded = "\n\n".join(_tables(cells, layout))
        parts.append(f"::::{{dropdown}} All {len(cells):,} values of this section\n{folded}\n::::")
    return "\n\n".join(part for part in parts if part)


def _row(cell: dict[str, object]) -> list[str]:
    task, places = _named(cell["task"]), ".3g" if cell["section"] == "tunnel statistics" else _PLACES[str(cell["unit"])]
    by = plain(cell["network"]) if pd.isna(cell["page"]) else f"[{plain(cell['network'])}](../{cell['page']}.ipynb)"
    kept = _METHODS.get(str(cell["method"]), str(cell["method"]))
    setting = ", ".join(part for part in (_quantity(cell["quantity"]), kept, str(cell["setting"])) if part)
    measured = _number(places, cell["measured"], cell["measured_low"], cell["measured_high"])
    apart = _number(f"+{places}", cell["difference"], cell["difference_low"], cell["difference_high"])
    published = ": ".join(filter(None, (_named(cell["model"]), task)))
    return [plain(published), plain(setting), _value(cell), measured, by, apart, plain(cell["words"])]


def _left(cells: pd.DataFrame, matched: pd.DataFrame, layout: Section) -> str:
    """Return how many cells stand beside a measured one, and what would run the others."""
    counts = matched["words"].value_counts()
    verdicts = "; ".join(f"{words} {n}" for words, n in counts.items()) if len(matched) > _MANY else ""
    text = (
        f"{len(matched):,} of {len(cells):,} values stand beside a measured one{f' ({verdicts})' if verdicts else ''}."
    )
    if len(matched) == len(cells):
        return text
    runs = " or ".join(code(command) for command in layout.commands)
    return (
        f"{text} The others were *not run here*: {f'{runs} runs them' if runs else 'no grid of this project has them'}."
    )


def _tables(cells: pd.DataFrame, layout: Section) -> Iterator[str]:
    """Yield every cell, a table for each value of one column, tasks side by side."""
    groups = cells.groupby(layout.each, sort=False) if layout.each else [("", cells)]
    for name, group in groups:
        tasks, by = list(dict.fromkeys(group["task"])), list(layout.rows)
        rows = []
        for key, of_row in group.groupby(by, sort=False):
            texts = {cell["task"]: _both(cell) for cell in of_row.to_dict("records")}
            words = (_said(column, value) for column, value in zip(by, key, strict=True))
            rows.append([plain(", ".join(filter(None, words)) or NONE), *(texts.get(task, NONE) for task in tasks)])
        heading = f"**{plain(_quantity(name) or name)}**\n\n" if name else ""
        yield heading + table(["", *(plain(_named(task)) for task in tasks)], rows)


def _said(column: str, value: object) -> str:
    if column == "method":
        return _METHODS.get(str(value), str(value))
    return _quantity(value) if column == "quantity" else _named(value)


def _quantity(name: object) -> str:
    return (
        "" if name in ("accuracy", "diffused_redundancy") else _QUANTITIES.get(str(name), str(name).replace("_", " "))
    )


def _both(cell: dict[str, object]) -> str:
    measured = "" if pd.isna(cell["measured"]) else f" · here {_text(cell['measured'])}"
    return _value(cell) + measured


def _value(cell: dict[str, object]) -> str:
    spread = "" if pd.isna(cell["sd"]) or cell["sd"] == 0 else f" ± {_text(cell['sd'])}"
    derived = ", derived" if cell["derived"] else ""
    return f"{_text(cell['value'])}{spread} [{cell['evidence']}{derived}]".replace("[", "(").replace("]", ")")


def _text(value: object, sign: str = "") -> str:
    return f"{float(str(value)):{sign}.4g}".replace("-", "\N{MINUS SIGN}")


def _number(places: str, value: object, low: object, high: object) -> str:
    if pd.isna(value):
        return NONE
    ends = [f"{float(str(end)):{places}}" for end in (value, low, high) if pd.notna(end)]
    text = f"{ends[0]} ({ends[1]} to {ends[2]})" if len(ends) == 3 else ends[0]
    return text.replace("-", "\N{MINUS SIGN}")


def _named(name: object) -> str:
    """Return a network or task of the list as people read it."""
    return re.sub(r"^CIFAR(?=10)", "CIFAR-", str(name).replace("_", " "))


def _counts(listed: pd.DataFrame) -> str:
    matched, derived = listed[listed["words"] != NOT_RUN], int(listed["derived"].sum())
    by_section = listed.groupby("section", sort=False)
    rows = [
        [
            f"[](#published-{str(name).replace(' ', '-')})",  # shown as the heading of the section
            f"{len(cells):,}",
            f"{int((cells['words'] != NOT_RUN).sum()):,}",
            f"{int(cells['derived'].sum()):,}",
        ]
        for name, cells in by_section
    ]
    head = (
        f"**{len(listed):,} published values are listed, {derived:,} of them derived from printed ones; "
        f"{len(matched):,} stand beside a measured or recomputed one.** "
        f"[All of them as CSV](../{CSV})."
    )
    columns = ("section", "values", "beside a measured one", "derived")
    return f"{head}\n\n{table(columns, rows, right=columns[1:])}"


def _curves(tables: Tables) -> dict[str, bytes]:
    """Return the figure of published and measured curves on the same axes, where a task is common, as a fragment."""
    probes = [rows for _, rows in tables.get("subset_probes", [])]
    summary = across_published.relative.summary(pd.concat(probes)) if probes else pd.DataFrame()
    if summary.empty:
        return {"_generated/published-curves.md": f"*{across_published.NOTHING}*\n".encode()}
    drawn, words = draw(across_published.relative, summary)
    text = f"```{{image}} ../_generated/published-curves.png\n:alt: {option(words)}\n```\n"
    return {"_generated/published-curves.md": text.encode(), "_generated/published-curves.png": drawn}
