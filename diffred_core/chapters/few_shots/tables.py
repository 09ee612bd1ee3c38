"""The tables that the notebooks show."""

from __future__ import annotations

import pandas as pd

import diffred_core.chapters.few_shots.names as names
from diffred_core import results
from diffred_core.chapters.few_shots.judging import MARGIN, recovery
from diffred_core.chapters.few_shots.reading import all_shots, at_first_recipe, headline, n_way, theory_errors
from diffred_core.drawing import Table
from diffred_core.results import where
from diffred_core.results.claims import percent

MASKS_IN_THEORY = {  # method and number of dimensions in the table of the theory
    ("top", 8): "the 8 strong dimensions",
    ("top", 256): "all 256 dimensions",
    ("mask_inverse_spread", 256): "all, mask 1 / spread",
    ("mask_scaled", 256): "all, mask r / spread",
    ("mask_theory", 256): "all, mask (8)",
}

COLUMNS = {  # of a summary, in words
    "probe": "centroid",
    "n_shot": "shots",
    "label": "importance by",
    "method": "mask",
    "mean": "gain",
    "win_rate": "wins (%)",
    "over_control": "over control",
}
WORDS = {"probe": names.CENTROIDS, "label": names.MASK_BASES, "method": names.MASK_METHODS}
RECOVERS = {"holds": "recovers", "undecided": "undecided", "fails": "falls short"}


def _left_out(table: pd.DataFrame) -> pd.DataFrame:
    gains = results.summarize(headline(table, method="left_out"), "label", metric="gain").set_index("label")
    theory = headline(table, method="theory").pivot(index="label", columns="metric", values="value")
    ninths = 100 * gains[["mean", "low", "high"]].join(theory[["few_shot_share", "metric_share"]])
    ninths.columns = ["gain (points)", "low", "high", "for want of shots (%)", "never (%)"]
    ninths = ninths.rename_axis("ninth").reset_index()
    ninths.attrs |= {"setting": f"{n_way(table)} classes, {names.plural(all_shots(table)[0], 'shot')}"} | _level(gains)
    return ninths


def _mask_by_prototypes(table: pd.DataFrame, *, kind: str = "importance") -> pd.DataFrame:
    """Return what a mask and prototypes of views give apart and together, at most four rows, fewer without views."""
    masks = {names.NO_MASK: "none", names.mask_method(kind): kind}
    prototypes = {names.EUCLIDEAN: "plain", names.OF_VIEWS[names.EUCLIDEAN]: "of views"}
    rows = headline(table, probe=tuple(prototypes), method=tuple(masks), metric=("accuracy", "gain"))
    rows = rows[rows["label"].isna() | (rows["label"] == names.BY_VIEWS)]
    summary = results.summarize(rows, ["method", "probe", "metric"])
    accuracy = where(summary, metric="accuracy").set_index(["method", "probe"])[["mean"]]
    gain = where(summary, metric="gain").set_index(["method", "probe"])[["mean", "low", "high"]]
    joined = 100 * accuracy.rename(columns={"mean": "accuracy"}).join(gain.rename(columns={"mean": "gain"}))
    order = [(mask, probe) for mask in masks for probe in prototypes if (mask, probe) in joined.index]
    joined = joined.reindex(order).reset_index()
    named = {"mask": joined.pop("method").map(masks), "prototypes": joined.pop("probe").map(prototypes)}
    shown = pd.concat([pd.DataFrame(named), joined], axis=1)
    shown.attrs |= _level(summary)
    return shown


def _masks(table: pd.DataFrame) -> pd.DataFrame:
    """Return what every mask gains over none at plain prototypes, by centroid, shots and what importance rests on."""
    rows = where(at_first_recipe(table), split=names.POOL, n_way=n_way(table), n_shot=tuple(all_shots(table)))
    rows = where(rows, probe=tuple(names.CENTROIDS), method=tuple(names.MASK_METHODS))
    return _by_mask(rows, ["probe", "n_shot", "label", "method"])


def _released(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the oracle of the released code gains, with two classes, by shots."""
    rows = where(table, split=names.ALL, n_way=2, probe=names.COSINE, method=tuple(names.MASK_METHODS))
    shown = _by_mask(rows, ["n_shot", "method"])
    plain = where(table, split=names.ALL, n_way=2, probe=names.COSINE, method=names.NO_MASK, metric="accuracy")
    shown.insert(2, "accuracy of none", 100 * shown["shots"].map(plain.set_index("n_shot")["value"]))
    return shown


def _by_mask(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return gain over no mask and over the control (points) and wins (%) of masks, columns in words."""
    gains = results.summarize(rows, by, metric="gain").sort_values(by, key=_places, kind="stable")
    others = {
        metric: results.summarize(rows, by, metric=metric).set_index(by)["mean"]
        for metric in ("win_rate", "over_control")
        if (rows["metric"] == metric).any()
    }
    joined = gains.set_index(by)[["mean", "low", "high"]].join(pd.DataFrame(others)).mul(100).reset_index()
    for column, words in WORDS.items():
        if column in joined:
            joined[column] = joined[column].map(words)
    shown = joined.rename(columns=COLUMNS)
    shown.attrs |= _level(gains)
    return shown


def _places(column: pd.Series) -> pd.Series:
    """Return where the names of a column stand among its `WORDS`, those of other columns as they are."""
    places = {name: place for place, name in enumerate(WORDS.get(str(column.name), {}))}
    return column.map(places) if places else column


def recovered(margin: float = MARGIN) -> Table:
    """Return the table of what every share of the dimensions gains over all, and whether it recovers their accuracy.

    Parameters
    ----------
    margin : float
        Accuracy that a share may be behind; as of `claims.top_percent_recovers`.
    """

    def shown(table: pd.DataFrame) -> pd.DataFrame:
        rows = where(at_first_recipe(table), split=names.POOL, n_way=n_way(table), n_shot=tuple(all_shots(table)))
        rows = where(rows, probe=names.EUCLIDEAN, method=(names.ORACLE, names.WITHOUT_QUERIES))
        gains = results.summarize(rows, ["method", "n_shot", "fraction", "n_selected"], metric="gain")
        gains = gains[gains["fraction"] < 1]
        verdicts = [RECOVERS[recovery(row, margin=margin).verdict] for row in gains.to_dict("records")]
        joined = gains.assign(method=gains["method"].map(names.IMPORTANCES), verdict=verdicts)
        joined[["fraction", "mean", "low", "high"]] *= 100
        kept = {"fraction": "share (%)", "n_selected": "dimensions"}
        part = joined.drop(columns=["n", "level"]).rename(columns=COLUMNS | {"method": "ranked by"} | kept)
        part.attrs |= _level(gains)
        return part

    def caption(rows: pd.DataFrame) -> str:
        return (
            f"Gain of the first dimensions over all (points, {rows.attrs['level']} interval over episodes). They "
            f"recover the accuracy of all where the whole interval is above {-100 * margin:g} points, and fall short "
            "where it is below. Every share by itself: the level is that of one."
        )

    return Table(shown, caption, digits=1)


def _level(summary: pd.DataFrame) -> dict[str, str]:
    """Return the level of the intervals of a summary in words, as captions read it."""
    return {"level": percent(float(summary["level"].iloc[0]))}


def _pairs(table: pd.DataFrame) -> pd.DataFrame:
    errors, helps = theory_errors(table), where(table, metric="helps").set_index(["label", "n_shot"])["value"]
    wide = errors[errors["label"] != ""].pivot(index=["label", "n_shot"], columns="method", values=list(names.ERRORS))
    wide = wide.reindex(columns=[(kind, method) for kind in names.ERRORS for method in ("first", "both")])
    wide.columns = [f"{method}, {names.ERRORS[kind]}" for kind, method in wide.columns]
    wide *= 100
    wide["second, by (7)"] = helps.map({1.0: "helps", 0.0: "harms"})
    return wide.reset_index().rename(columns={"label": "second dimension", "n_shot": "shots"})


def _masks_in_theory(table: pd.DataFrame) -> pd.DataFrame:
    errors = theory_errors(table)
    errors = errors[errors["label"] == ""].pivot(index=["method", "n_selected"], columns="n_shot", values="exact")
    wide = 100 * (1 - errors.reindex(list(MASKS_IN_THEORY))).rename(columns="shots: {}".format)
    wide.insert(0, "kept", list(MASKS_IN_THEORY.values()))
    return wide.rename_axis(columns=None)


left_out = Table(
    _left_out,
    lambda rows: (
        f"Leaving a ninth of the dimensions out, {rows.attrs['setting']}; {rows.attrs['level']} interval over episodes."
    ),
    digits=1,
)
mask_by_prototypes = Table(
    _mask_by_prototypes,
    lambda rows: (
        f"Accuracy (%). Gain (points, {rows.attrs['level']} interval over episodes) of a mask: over none at the same "
        "prototypes; of prototypes of views without a mask: over plain ones."
    ),
    digits=1,
)
masks = Table(
    _masks,
    lambda rows: (
        f"Gain of every mask over none with plain prototypes (points, {rows.attrs['level']} interval over episodes), "
        "episodes that it wins (ties count half), and gain over the control, one over the spread, where a spread "
        f"counts at least {percent(names.SPREAD_FLOOR)} of the median one."
    ),
    digits=1,
)
released = Table(
    _released,
    lambda rows: (
        "The oracle of the released code: two classes, rows of length 1, cosine, R / magnitude of all images, the "
        f"queries included; clamped: weights above {names.CLAMP:g} are 1. Gain over no mask (points, "
        f"{rows.attrs['level']} interval over episodes), and episodes that it wins (ties count half)."
    ),
    digits=1,
)
pairs = Table(
    _pairs,
    "Error in percent with a good first dimension (distance 2, spread 1) alone, and with a second beside it.",
    digits=2,
)
masks_in_theory = Table(_masks_in_theory, "Accuracy in percent, by (5) averaged over prototypes.", digits=1)
