"""What the explorer can be asked: the tables of an analysis as points of curves, with the words for them.

A function of `QUESTIONS` takes the table of one model and task and returns a point a row, or a row a draw of a point:
columns group (what is chosen one at a time: a probe, a setting), method, metric, x, k (dimensions kept), label (of x,
where it has a name), draw (its number, empty where the value is pooled), value, low, high, n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from diffred_core.chapters.depth import names as depth
from diffred_core.chapters.depth.reading import by_layer
from diffred_core.chapters.few_shots import names as shots
from diffred_core.chapters.few_shots.figures import ORDERS
from diffred_core.chapters.few_shots.reading import at_first_recipe
from diffred_core.chapters.random_subsets import names as subsets
from diffred_core.chapters.random_subsets.figures import METHODS, PROBES
from diffred_core.chapters.random_subsets.figures_measure import MEASURED
from diffred_core.drawing import Look
from diffred_core.drawing.style import COLOURS, GREY
from diffred_core.errors import InputError
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

POINT = ["group", "method", "metric", "x", "k", "label", "draw", "value", "low", "high", "n"]
FULL = Look("all dimensions", GREY, "", ":")
BALANCED = "balanced_accuracy"
BY_CLASS = (subsets.RANDOM, subsets.PCA, subsets.FULL)  # of which also what is read over the classes is shown


@dataclass(frozen=True)
class Question:
    """One question, and how its answer is said and drawn.

    Attributes
    ----------
    analysis : str
        Whose tables answer it.
    title, x, keep : str
        What it is; the axis; what the slider finds, with braces for the share that is to be kept.
    points : callable
        From the table of one model and task to its points.
    metrics : mapping of str to (str, str)
        Words and unit ("percent", "number") by metric, the first one shown first.
    methods, groups : mapping of str to Look, of str to str
        Of those that have words; others say their name.
    shown : tuple of str
        Methods that are drawn at first.
    over : str
        What an interval is over.
    shares : bool
        Whether x is a share of the dimensions.
    """

    analysis: str
    title: str
    x: str
    keep: str
    points: Callable[[pd.DataFrame], pd.DataFrame]
    metrics: Mapping[str, tuple[str, str]]
    methods: Mapping[str, Look]
    shown: tuple[str, ...]
    over: str
    groups: Mapping[str, str] = field(default_factory=dict)
    shares: bool = True


def _points(rows: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """Return rows of a results table, or of a summary, as points: `columns` that they lack are given."""
    renamed = {"probe": "group", "fraction": "x", "n_selected": "k", "repeat": "draw", "mean": "value"}
    named = rows.rename(columns={old: new for old, new in renamed.items() if new not in rows})
    points = named.assign(**columns).reindex(columns=POINT)
    return points.astype(dict.fromkeys(["x", "k", "draw", "value", "low", "high", "n"], float))


def _probes(table: pd.DataFrame) -> pd.DataFrame:
    at = ["probe", "method", "fraction"]
    accuracy = where(table, metric=subsets.ACCURACY).drop(columns=["low", "high", "label"])
    limits = where(table, metric=subsets.MEAN_ACCURACY)[[*at, "low", "high"]]
    gini = where(table, metric=subsets.GINI, method=BY_CLASS)
    drawn = set(gini.loc[gini["repeat"].notna(), "method"])  # of the others there is what is pooled over one draw
    single = gini["repeat"].notna() | ~gini["method"].isin(drawn)
    classes = where(table, metric=subsets.CLASS_ACCURACY, method=BY_CLASS).groupby([*at, "n_selected", "repeat"])
    return pd.concat(
        [
            _points(accuracy.merge(limits, on=at, how="left")),
            _points(classes["value"].mean().reset_index(), metric=BALANCED),
            _points(gini[single].drop(columns=["low", "high", "label"])),
        ]
    )


def _similarity(table: pd.DataFrame) -> pd.DataFrame:
    rows = where(table, metric=(subsets.CKA, subsets.NULL, subsets.BIASED)).dropna(subset="repeat")
    rows = rows[(rows["metric"] != subsets.BIASED) | (rows["method"] == subsets.WHOLE)]
    named = rows["metric"].where(rows["metric"] != subsets.NULL, subsets.CKA)
    return _points(rows.assign(metric=named).drop(columns=["low", "high", "label"]), group="")


def _few_shots(table: pd.DataFrame) -> pd.DataFrame:
    rows = where(at_first_recipe(table), metric="accuracy", split=shots.POOL, method=tuple(ORDERS))
    rows = rows[rows["label"].isna()]
    by = ["probe", "n_shot", "n_way", "method", "fraction", "n_selected"]
    summary = summarize(rows, by)
    setting = [f"{probe}|{shot}|{way}" for probe, shot, way in summary[by[:3]].itertuples(index=False)]
    return _points(summary.drop(columns="probe"), group=setting, metric="accuracy")


def _depth(table: pd.DataFrame) -> pd.DataFrame:
    summary = by_layer(table, [name for name in _DEPTH_METRICS if (table["metric"] == name).any()])
    elsewhere = summary["method"].isin(_DESIGNS)
    line = summary["method"].where(~elsewhere, summary["method"] + "|" + summary["task"])
    return _points(
        summary.rename(columns={"n_features": "k", "layer": "name", "place": "x"}),
        **{
            "method": line,
            "group": "",
            "label": summary["layer"],
        },
    )


def setting_words(group: str) -> str:
    """Return how the setting of an episode is said: ``ridge, 5 shots of 5 classes``."""
    probe, n_shot, n_way = group.split("|")
    head = f"{shots.CENTROIDS[probe]} centroid" if probe in shots.CENTROIDS else probe
    return f"{head}, {shots.plural(int(n_shot), 'shot')} a class, {n_way} classes"


def setting_order(group: str) -> tuple[int, ...]:
    """Return by what settings are sorted: classifier, shots, classes; what is no setting stays where it is."""
    probe, *numbers = group.split("|")
    heads = [*shots.CENTROIDS, *shots.HEADS]
    return (heads.index(probe) if probe in heads else len(heads), *map(int, numbers)) if numbers else ()


def design_words(method: str) -> str:
    """Return how a line over the layers is said that measures another task: ``MNIST-5k, probe of its own``."""
    design, _, task = method.partition("|")
    return _DESIGNS[design].format(task=readable(task.removeprefix("folder:")))


def measure_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of any table: its rows that have a share of the dimensions, by probe, method and metric.

    Raises
    ------
    InputError
        If no row has one.
    """
    rows = table[table["fraction"].notna()]
    if rows.empty:
        raise InputError(
            "expected rows with a fraction, since a cell of their notebook is tagged 'measure', got none; give each "
            "row the share of the dimensions that it kept, or take the tag away"
        )
    return _points(rows.drop(columns="label").assign(group=rows["probe"].fillna("")))


def measure_question(analysis: str, title: str, metrics: Iterable[str]) -> Question:
    """Return what the explorer asks of an analysis that no code here knows, by the words of its title and metrics."""
    return Question(
        analysis=analysis,
        title=title,
        x="dimensions kept",
        keep="Fewest dimensions that keep {} of the value of the whole layer",
        points=measure_points,
        metrics={name: (name.replace("_", " "), "number") for name in metrics},
        methods={**METHODS, **MEASURED, subsets.FULL: FULL},
        shown=tuple(MEASURED),
        over="draws",
    )


_DEPTH_METRICS = {
    depth.ACCURACY: ("test accuracy", "percent"),
    depth.ACCURACY_KEPT: ("accuracy kept by a random part", "percent"),
    depth.CKA_TO_LAST: ("CKA with the last layer", "number"),
    "rankme": ("RankMe", "number"),
    "stable_rank": ("stable rank", "number"),
}
_DESIGNS = {
    depth.TRANSFER: "{task}, probe of its own",
    depth.SHIFT: "{task}, probe of the reference",
}

QUESTIONS: dict[str, Question] = {
    "probes": Question(
        analysis="subset_probes",
        title="How few dimensions keep the accuracy?",
        x="dimensions kept",
        keep="Fewest dimensions that keep {} of the accuracy",
        points=_probes,
        metrics={
            subsets.ACCURACY: ("test accuracy", "percent"),
            BALANCED: ("balanced accuracy (mean over classes)", "percent"),
            subsets.GINI: ("inequality over classes (Gini)", "number"),
        },
        methods={**METHODS, subsets.FULL: FULL},
        shown=(subsets.RANDOM,),
        over="draws and test rows where the table resamples both, else over draws",
        groups={name: look.words for name, look in PROBES.items()},
    ),
    "similarity": Question(
        analysis="subset_similarity",
        title="How alike are a part and its layer?",
        x="dimensions kept",
        keep="Fewest dimensions whose CKA is at least {}",
        points=_similarity,
        metrics={subsets.CKA: ("CKA, debiased", "number"), subsets.BIASED: ("CKA, biased as published", "number")},
        methods={
            subsets.WHOLE: Look("subset and layer", COLOURS[0], "o"),
            subsets.PAIR: Look("two subsets", COLOURS[1], "s"),
            subsets.WHOLE_NULL: Look("null: subset and layer, uncorrelated", COLOURS[2], "", ":"),
            subsets.PAIR_NULL: Look("null: two subsets, uncorrelated", COLOURS[4], "", ":"),
            subsets.PERMUTED: Look("null: unrelated rows", GREY, "", "-."),
        },
        shown=(subsets.WHOLE, subsets.WHOLE_NULL),
        over="draws",
    ),
    "few-shots": Question(
        analysis="few_shot",
        title="How few dimensions do few shots need?",
        x="dimensions kept",
        keep="Fewest dimensions that keep {} of the accuracy",
        points=_few_shots,
        metrics={"accuracy": ("accuracy over episodes", "percent")},
        methods=ORDERS,
        shown=(shots.RANDOM, shots.DISJOINT),
        over="episodes",
    ),
    "depth": Question(
        analysis="layers",
        title="How early is the information there?",
        x="layer",
        keep="First layer that reaches {} of what the last one does",
        points=_depth,
        metrics=_DEPTH_METRICS,
        methods={
            depth.IN_DISTRIBUTION: Look("the task itself", COLOURS[0], "o"),
            "random": Look("random part of a layer", COLOURS[1], "s"),
            "full": Look("whole layer", COLOURS[2], "^"),
        },
        shown=(depth.IN_DISTRIBUTION, "random", "full"),
        over="test rows, or draws of a random part",
        shares=False,
    ),
}
