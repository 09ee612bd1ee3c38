"""The tables of all models and tasks as one small value for the page that explores them.

Its layout, which ``book/explorer/data.js`` reads: a question has the lists groups, methods and metrics, and a cell a
model and task; a cell has the places of its x axis once, and its curves refer to them and to the lists by number. The
value of a point is a number, or the list of its draws.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from diffred_core.chapters.random_subsets import compared, names
from diffred_core.drawing import Look, looks
from diffred_core.drawing.models import model_looks
from diffred_core.results import where
from diffred_core.results.readable import readable
from diffred_core.staging._questions import QUESTIONS, Question, design_words, setting_order, setting_words

LEVEL = 0.95
DIGITS = 5
Tables = Mapping[tuple[str, str], pd.DataFrame]  # by task and model
Value = dict[str, Any]


def explorer_data(
    tables: Mapping[str, Tables],
    pages: Mapping[tuple[str, str, str], str],
    questions: Mapping[str, Question] = QUESTIONS,
) -> Value:
    """Return what the page explores, ready for JSON: numbers to `DIGITS` significant digits.

    Parameters
    ----------
    tables : mapping of str to mapping of (str, str) to DataFrame
        Results tables by analysis, then by task and model.
    pages : mapping of (str, str, str) to str
        Address of the page of an analysis, task and model, where there is one.
    questions : mapping of str to Question
        What may be asked, by name; what has no table is left out.
    """
    answered = {name: question for name, question in questions.items() if tables.get(question.analysis)}
    places = sorted({place for question in answered.values() for place in tables[question.analysis]})
    models = model_looks({model for _, model in places})
    return {
        "level": LEVEL,
        "quantiles": compared.reaches(LEVEL),
        "tasks": {task: readable(task) for task in sorted({task for task, _ in places}, key=readable)},
        "models": {name: _look(look, look.words) for name, look in models.items()},
        "questions": {
            name: _question(question, tables[question.analysis], pages) for name, question in answered.items()
        },
    }


def _question(question: Question, tables: Tables, pages: Mapping[tuple[str, str, str], str]) -> Value:
    points = {place: question.points(table) for place, table in tables.items()}
    together = pd.concat(points.values())
    groups = sorted(_in_order(question.groups, together["group"]), key=setting_order)
    methods = looks(question.methods, together["method"])
    metrics = _in_order(question.metrics, together["metric"])
    numbers = {"group": groups, "method": list(methods), "metric": metrics}
    return {
        **{word: getattr(question, word) for word in ("title", "x", "keep", "over", "shares")},
        "groups": {
            name: question.groups.get(name) or (setting_words(name) if "|" in name else name) for name in groups
        },
        "methods": {
            name: _look(look, design_words(name) if "|" in name else look.words) for name, look in methods.items()
        },
        "metrics": {name: question.metrics[name] for name in metrics},
        "shown": [name for name in methods if name in question.shown],
        "cells": [
            _cell(points[place], tables[place], numbers)
            | {"task": place[0], "model": place[1], "page": pages.get((question.analysis, *place), "")}
            for place in sorted(points)
        ],
    }


def _cell(points: pd.DataFrame, table: pd.DataFrame, numbers: Mapping[str, Sequence[str]]) -> Value:
    at = points.drop_duplicates("x").sort_values("x")
    place_of = {x: i for i, x in enumerate(at["x"])}
    kinds = list(numbers)
    rows = points.sort_values([*kinds, "x", "draw"]).itertuples(index=False)
    curves = [
        [numbers[kind].index(name) for kind, name in zip(kinds, key, strict=True)] + _curve(list(of), place_of)
        for key, of in itertools.groupby(rows, key=operator.attrgetter(*kinds))
    ]
    widths = table["n_features"].dropna()
    seeds = table[["repeat", "seed"]].dropna().drop_duplicates("repeat").sort_values("repeat")
    labels = at["label"].dropna().tolist()
    return {
        "width": int(widths.max()) if len(widths) else None,
        "seeds": seeds["seed"].astype(int).tolist(),
        "x": [_number(x) for x in at["x"]],
        "k": [None if pd.isna(k) else int(k) for k in at["k"]],
        **({"labels": labels} if labels else {}),
        "nulls": _nulls(table),
        "curves": curves,
    }


def _curve(rows: Sequence[Any], place_of: Mapping[float, int]) -> list[Any]:
    """Return places, values and, where a value has them, low, high and number of repeats, of one sorted curve."""
    drawn = not math.isnan(rows[0].draw)
    by_x = [(x, list(of)) for x, of in itertools.groupby(rows, key=operator.attrgetter("x"))]
    values = [[_number(row.value) for row in of] if drawn else _number(of[0].value) for _, of in by_x]
    limits = [[_number(getattr(of[0], name)) for _, of in by_x] for name in ("low", "high", "n")]
    known = limits if any(low is not None for low in limits[0]) else []
    return [[place_of[x] for x, _ in by_x], values, *known]


def _nulls(table: pd.DataFrame) -> Value:
    """Return the accuracy without features: of always the commonest class, and of a guess."""
    rows = where(table, metric=names.BASELINE)
    if "task" in rows and "in_distribution" in set(table["method"]):
        rows = rows[rows["task"] == where(table, method="in_distribution")["task"].iloc[0]]
    return {method: _number(value) for method, value in zip(rows["method"], rows["value"], strict=True)}


def _in_order(known: Iterable[str], present: pd.Series) -> list[str]:
    return sorted(set(present), key=lambda name: ([*known].index(name) if name in known else len([*known]), name))


def _look(look: Look, words: str) -> list[str]:
    return [words, look.colour, look.marker, look.dash]


def _number(value: float) -> float | int | None:
    """Return a number to `DIGITS` significant digits, whole ones as such; None for a missing one."""
    if math.isnan(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short
