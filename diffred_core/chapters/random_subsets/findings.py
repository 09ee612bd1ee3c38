"""The heading of every figure of the chapter: one short sentence with its number, from the summary that is drawn."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.random_subsets import names
from diffred_core.chapters.random_subsets.reading import shares_in_words
from diffred_core.drawing import style
from diffred_core.results import where
from diffred_core.results.claims import percent
from diffred_core.results.readable import readable, span

PROBES = {names.LOGISTIC: "logistic", names.RIDGE: "ridge", names.SGD: "SGD"}
UNEQUAL = {names.GINI: "Gini coefficient", names.VARIATION: "coefficient of variation"}


def accuracy(summary: pd.DataFrame) -> str:
    """Return what random dimensions, principal directions and all of them reach."""
    random = _near(where(summary, method=names.RANDOM))
    parts = [f"a random {percent(random['fraction'])} of the dimensions reaches {_percent(random['mean'])}"]
    pca = where(summary, method=names.PCA, fraction=random["fraction"])["mean"]
    parts += [f"PCA {_percent(value)}" for value in pca]
    parts += [f"all {_percent(value)}" for value in where(summary, method=names.FULL)["mean"]]
    return _sentence(", ".join(parts))


def probes(summary: pd.DataFrame) -> str:
    """Return how far the probes lie apart on random dimensions, and which of them is lowest."""
    random = where(summary, method=names.RANDOM)
    at = {probe: _near(rows) for probe, rows in random.groupby("probe")}
    share = _near(random)["fraction"]
    means = {probe: row["mean"] for probe, row in at.items() if row["fraction"] == share}
    lowest, highest = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    if len(means) == 1:
        return f"At {percent(share)} of the dimensions the {_probe(lowest)} probe reaches {_percent(means[lowest])}."
    return (
        f"At {percent(share)} of the dimensions the {_probe(lowest)} probe is lowest, "
        f"{100 * (means[highest] - means[lowest]):.1f} points below {_probe(highest)}."
    )


def regulariser(summary: pd.DataFrame) -> str:
    """Return how often the best regulariser may lie outside of those tried."""
    return f"{100 * summary['at_edge'].iloc[0]:.0f} % of the fits chose the least or the greatest l2 tried."


def redundancy(summary: pd.DataFrame) -> str:
    """Return what dimensions a tenth and a hundredth of the accuracy cost."""
    first = where(summary, metric=names.FIRST).set_index("lost")["mean"]
    (most, of_most), *others = [(loss, first[loss]) for loss in (0.1, 0.01) if loss in first] or [*first.items()][:1]
    parts = [f"Losing {percent(most)} of the accuracy needs {percent(of_most)} of the dimensions"]
    parts += [f"losing {percent(loss)} needs {percent(share)}" for loss, share in others]
    return f"{', '.join(parts)}."


def similarity(summary: pd.DataFrame) -> str:
    """Return how like the layer a part is, beside what inclusion alone gives."""
    whole = _near(where(summary, method=names.WHOLE, metric=names.CKA))
    null = _near(where(summary, method=names.WHOLE_NULL))["mean"]
    apart = whole["mean"] - null
    return (
        f"A random {percent(whole['fraction'])} has a CKA of {whole['mean']:.2f} with the layer, {abs(apart):.2f} "
        f"{'more' if apart >= 0 else 'less'} than inclusion gives."
    )


def inequality(points: pd.DataFrame, *, measure: str = names.GINI) -> str:
    """Return whether random dimensions make classes more unequal than all of them do."""
    random = _near(where(points, method=names.RANDOM))
    full = where(points, method=names.FULL)[measure]
    share, value = percent(random["fraction"]), f"{UNEQUAL[measure]} {random[measure]:.3f}"
    if full.empty:
        return f"With {share} of the dimensions classes have a {value}."
    words = _compared(f"{random[measure]:.3f}", f"{full.iloc[0]:.3f}", more="more", less="less")
    return f"With {share} of the dimensions classes are {words} unequal: {value}, with all {full.iloc[0]:.3f}."


def classes(summary: pd.DataFrame) -> str:
    """Return which class loses most and which least."""
    at = style.nearest(summary[summary["fraction"] < 1], names.FRACTION)["fraction"]
    full = where(summary, fraction=1.0).sort_values("place")
    lost = [
        f"class {row['label']} {'loses' if row['loss'] >= 0 else 'gains'} {100 * abs(row['loss']):.1f}"
        for row in (full.iloc[0], full.iloc[-1])
    ]
    return f"With {percent(at)} of the dimensions {lost[0]} points, {lost[1]}."


def retained(shares: pd.DataFrame) -> str:
    """Return what a fifth of the dimensions keeps of the accuracy, measured here and published."""
    at = pd.DataFrame([_near(rows) for _, rows in shares.groupby(["origin", "task", "network"])])
    by_origin = dict(list(at.groupby("origin")["mean"]))
    measured = by_origin.pop(names.MEASURED, None)
    printed = [f"published {span(means)} %" for means in by_origin.values()]
    if measured is None:
        return _sentence(f"{printed[0]} of the accuracy at {shares_in_words(at['fraction'])} of the dimensions")
    kept = f"A random {shares_in_words(at['fraction'])} of the dimensions keeps {span(measured)} % of the accuracy"
    return f"{', '.join([kept, *printed])}."


def kept(pairs: pd.DataFrame) -> str:
    """Return what a random part costs over models and tasks."""
    low, high = pairs["gap"].min(), pairs["gap"].max()
    share = shares_in_words(pairs["fraction"])
    if low < 0:
        most = f"loses up to {100 * high:.1f}" if high > 0 else "never loses"
        return f"A random {share} of the dimensions {most} points of accuracy, and gains up to {-100 * low:.1f}."
    return f"A random {share} of the dimensions costs {span(pairs['gap'])} points of accuracy."


def needed(shares: pd.DataFrame) -> str:
    """Return what the least and the greatest share of the accuracy need, over models and tasks."""
    by_delta = {delta: span(of, digits=None) for delta, of in shares.groupby("delta")["fraction"]}
    least, most = min(by_delta), max(by_delta)
    parts = [f"{percent(least)} of the accuracy needs {by_delta[least]} % of the dimensions"]
    parts += [f"{percent(most)} needs {by_delta[most]} %"] if most > least else []
    return f"{', '.join(parts)}."


def by_probe(verdicts: pd.DataFrame) -> str:
    """Return of how many models and tasks the probe decides the verdict."""
    pairs = verdicts.groupby(["task", "model"])["decides"].first()
    return f"The verdict depends on the probe in {int(pairs.sum())} of {len(pairs)} pairs of model and task."


def frontier(points: pd.DataFrame) -> str:
    """Return how much of the frontier the intervals confirm."""
    best = points[points["frontier"]]
    sure = int((best["verdict"] == "holds").sum())
    verb = "is" if sure < 2 else "are"
    return f"Of {len(best)} points on a frontier {sure or 'none'} {verb} surely ahead of all others."


def both(summary: pd.DataFrame) -> str:
    """Return what both cells reach."""
    rows = [_near(where(summary, cell=cell)) for cell in summary["cell"].unique()]
    similarity = summary["metric"].iloc[0] == names.CKA
    first, second = (f"{row['mean']:.2f}" if similarity else _percent(row["mean"]) for row in rows)
    what = "CKA" if similarity else "accuracy"
    return f"At {percent(rows[0]['fraction'])} of the dimensions the first has {what} {first}, the second {second}."


def apart(summary: pd.DataFrame) -> str:
    """Return at how many sizes the interval leaves out no difference."""
    sure = int(((summary["low"] > 0) | (summary["high"] < 0)).sum())
    return f"The two differ beyond the interval at {sure or 'none'} of {len(summary)} sizes."


def _near(rows: pd.DataFrame) -> pd.Series:
    return style.nearest(rows, names.FRACTION)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _probe(name: str) -> str:
    return PROBES.get(name, readable(name))


def _compared(one: str, other: str, *, more: str, less: str) -> str:
    """Return the word for one printed number beside another."""
    return "as" if one == other else more if float(one) > float(other) else less


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
