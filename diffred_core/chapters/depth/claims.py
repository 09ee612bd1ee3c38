"""Claims about depth, held against a table of `layers` or of `small_networks`: each with its numbers and a verdict.

Of small networks, compared in pairs of one seed, three claims are those of Harun et al. (2024): keeping the resolution
(no early pooling) retains OOD performance, a deeper network retains less of it, and the last layers lose more on other
data than on the task that the network was trained on. The fourth tests whether training makes the tunnel: whether the
same network retained more before it was trained. Where it did not, `claims_untrained` and the same claims about
networks before training say why.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from diffred_core.chapters.depth import names
from diffred_core.chapters.depth.claims_equal import of_equal_number
from diffred_core.chapters.depth.claims_untrained import of_network
from diffred_core.chapters.depth.reading import places
from diffred_core.errors import InputError
from diffred_core.redundancy import STRENGTHS
from diffred_core.results import where
from diffred_core.results.claims import Claim, above_zero, judge, percent, with_limits
from diffred_core.results.readable import readable

OVER = "bootstrap over validation and test rows"
DESIGNS = {
    names.IN_DISTRIBUTION: "",
    names.TRANSFER: ", with probes of its own,",
    names.SHIFT: ", with the probes of the reference task,",
}


def all_claims(table: pd.DataFrame) -> list[Claim]:
    """Return the claims about a table: about every task and design of `layers`, or every kind of small networks."""
    return _of_networks(table) if names.SMALL_NETWORKS in set(table["experiment"]) else _of_layers(table)


def cells(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return task and method of every curve of the table, in its order."""
    rows = where(table, metric=names.ACCURACY, method=tuple(DESIGNS))
    return list(dict.fromkeys(zip(rows["task"], rows["method"], strict=True)))


def last_layer_is_not_best(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the layer which validation rows choose is more accurate than the last one.

    Parameters
    ----------
    table : DataFrame
        Of `layers`.
    task, method : str
        Which curve.
    level : float
        Coverage that the sweep gave to its intervals.

    Raises
    ------
    InputError
        If the table has no such curve.
    """
    gain = with_limits(_row(table, names.BEST_GAIN, task, method))
    points, layers = {name: 100 * value for name, value in gain.items()}, table["layer"].unique()
    best = layers[int(_row(table, names.BEST_LAYER, task, method)["value"]) - 1]
    gains = f"which gains {points['value']:+.1f} points over the last layer"
    return judge(
        name="last layer is not best",
        statement=f"for {readable(task)}{DESIGNS[method]} a layer before the last is better.",
        evidence=(
            f"Validation rows choose {best}, {'the last layer itself' if best == layers[-1] else gains}; "
            f"{percent(level)} interval of the gain {points['low']:+.1f} to {points['high']:+.1f} points ({OVER})."
        ),
        **gain,
    )


def performance_is_retained(
    table: pd.DataFrame, *, task: str, method: str, limit: float = STRENGTHS["negligible"], level: float = 0.95
) -> Claim:
    """Return the claim that the last layer retains at least `limit` percent of the best layer: no tunnel to speak of.

    The best layer is the one that validation rows choose; as published it is chosen on the rows that are measured.

    Parameters and errors are those of `last_layer_is_not_best`; `limit` is in percent, 95 is published.
    """
    retained = with_limits(_row(table, names.RETAINED_HELD_OUT, task, method))
    published = _row(table, names.RETAINED, task, method)["value"]
    return judge(
        name="performance is retained",
        statement=f"for {readable(task)}{DESIGNS[method]} the last layer retains at least {limit:g} % of the best one.",
        evidence=(
            f"It retains {retained['value']:.1f} %, {percent(level)} interval {retained['low']:.1f} to "
            f"{retained['high']:.1f} ({OVER}); as published, with the best layer chosen on test rows, "
            f"{published:.1f} %."
        ),
        **retained,
        limit=limit,
    )


def loss_is_of_other_data(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that the last layers cost `task` more than they cost the reference task: a tunnel.

    Parameters and errors are those of `last_layer_is_not_best`.
    """
    beyond = with_limits(_row(table, names.RETAINED_BEYOND, task, method))
    return judge(
        **_loss_of(f"{readable(task)}{DESIGNS[method]}"),
        evidence=(
            f"The share retained is {beyond['value']:+.1f} points from that of the reference, {percent(level)} "
            f"interval {beyond['low']:+.1f} to {beyond['high']:+.1f} ({OVER})."
        ),
        value=-beyond["value"],
        low=-beyond["high"],
        high=-beyond["low"],
    )


def other_data_follow(table: pd.DataFrame, *, task: str, method: str, level: float = 0.95) -> Claim:
    """Return the claim that over layers the accuracy on `task` rises and falls with that on the reference task.

    Parameters and errors are those of `last_layer_is_not_best`.
    """
    correlation = with_limits(_row(table, names.CORRELATION, task, method))
    return judge(
        name="other data follow",
        statement=(
            f"over layers the accuracy on {readable(task)}{DESIGNS[method]} goes with that on the reference task."
        ),
        evidence=(
            f"Their correlation is {correlation['value']:.2f}, {percent(level)} interval {correlation['low']:.2f} to "
            f"{correlation['high']:.2f} (bootstrap over test rows)."
        ),
        **correlation,
    )


def selection_flatters(table: pd.DataFrame, *, level: float = 0.95) -> Claim:
    """Return the claim that choosing the epoch of the published probe on test rows raises its accuracy.

    Parameters
    ----------
    table : DataFrame
        Of `layers`, with probes as published.
    level : float
        Coverage of the interval over runs, each averaged over tasks and layers.

    Raises
    ------
    InputError
        If the table has no probe as published.
    """
    rows = where(table, metric=names.OPTIMISM)
    if rows.empty:
        raise InputError("expected rows of the metric optimism, got none; run the sweep with published_layers above 0")
    return above_zero(
        name="selection flatters",
        statement="the published probe looks better for having its epoch chosen on test rows.",
        measured="The points that this adds, on average over tasks and layers",
        differences=100 * rows.groupby("repeat")["value"].mean(),
        level=level,
        digits=2,
        over="runs",
    )


def late_pooling_retains_more(
    table: pd.DataFrame, *, model: str, recipe: str = names.TRAINED, level: float = 0.95
) -> Claim:
    """Return the claim that a network without early pooling retains more of its OOD performance.

    Parameters
    ----------
    table : DataFrame
        Of `small_networks`.
    model : str
        Depth and width, as in the column of that name.
    recipe : {"trained", "untrained"}
        Of untrained networks it says what pooling alone does.
    level : float
        Coverage of the interval over seeds.

    Raises
    ------
    InputError
        If one of the two was not trained.
    """
    early, late = (_by_seed(table, model, pooling, recipe=recipe) for pooling in (names.EARLY, names.LATE))
    return above_zero(
        name=f"{_state(recipe, end=': ')}late pooling retains more",
        statement=f"without early pooling {_state(recipe)}{readable(model)} retains more of its OOD performance.",
        measured=f"It retains {late.mean():.1f} % against {early.mean():.1f} %, in points",
        differences=late - early,
        level=level,
        digits=1,
        over="pairs of networks",
    )


def depth_retains_less(
    table: pd.DataFrame, *, shallow: str, deep: str, pooling: str, recipe: str = names.TRAINED, level: float = 0.95
) -> Claim:
    """Return the claim that the deeper of two networks retains less of its OOD performance.

    Parameters and errors are those of `late_pooling_retains_more`; `pooling` is ``early_pooling`` or ``late_pooling``.
    """
    less, more = (_by_seed(table, model, pooling, recipe=recipe) for model in (deep, shallow))
    network, other = f"{_state(recipe)}{readable(deep)}", f"{readable(shallow)} ({names.network_words(pooling)})"
    return above_zero(
        name=f"{_state(recipe, end=': ')}depth retains less",
        statement=f"{network} retains less of its OOD performance than {other}.",
        measured=f"It retains {less.mean():.1f} % against {more.mean():.1f} %; the loss, in points",
        differences=more - less,
        level=level,
        digits=1,
        over="pairs of networks",
    )


def networks_lose_other_data(table: pd.DataFrame, *, model: str, pooling: str, level: float = 0.95) -> Claim:
    """Return the claim of `loss_is_of_other_data` about networks trained here: mean over OOD tasks, by network.

    Parameters and errors are those of `depth_retains_less`.
    """
    inside, outside = (
        _by_seed(where(table, method=method), model, pooling, metric=names.RETAINED_HELD_OUT)
        for method in (names.IN_DISTRIBUTION, names.TRANSFER)
    )
    return above_zero(
        **_loss_of(f"other tasks, in {readable(model)} ({names.network_words(pooling)}),"),
        measured=f"Retained are {inside.mean():.1f} % on the task and {outside.mean():.1f} % on other data, in points",
        differences=inside - outside,
        level=level,
        digits=1,
        over="networks",
    )


def training_retains_less(table: pd.DataFrame, *, model: str, pooling: str, level: float = 0.95) -> Claim:
    """Return the claim that a network retains less of its OOD performance after training than before.

    Parameters and errors are those of `depth_retains_less`; the table must hold the untrained networks.
    """
    after, before = (_by_seed(table, model, pooling, recipe=recipe) for recipe in (names.TRAINED, names.UNTRAINED))
    network = f"{readable(model)} ({names.network_words(pooling)})"
    return above_zero(
        name="training retains less",
        statement=f"{network} retains less of its OOD performance after training than before.",
        measured=f"It retains {after.mean():.1f} % against {before.mean():.1f} %; the loss, in points",
        differences=before - after,
        level=level,
        digits=1,
        over="networks",
    )


def _state(recipe: str, *, end: str = " ") -> str:
    return f"{recipe}{end}" if recipe == names.UNTRAINED else ""


def _loss_of(other: str) -> dict[str, str]:
    """Return name and statement of the claim that a tunnel is: what is lost at the end is lost on other data."""
    return {
        "name": "loss is of other data",
        "statement": f"the last layers cost {other} more than the reference task.",
    }


def _of_layers(table: pd.DataFrame) -> list[Claim]:
    claims: list[Claim] = []
    for task, method in cells(table):
        curve = {"task": task, "method": method}
        claims.append(last_layer_is_not_best(table, **curve))
        if method != names.IN_DISTRIBUTION:
            claims += [performance_is_retained(table, **curve), loss_is_of_other_data(table, **curve)]
            # an accuracy that is the same in all layers correlates with nothing, and has no row
            if len(where(table, metric=names.CORRELATION, **curve)):
                claims.append(other_data_follow(table, **curve))
    claims += of_equal_number(table)
    return claims + ([selection_flatters(table)] if names.OPTIMISM in set(table["metric"]) else [])


def _of_networks(table: pd.DataFrame) -> list[Claim]:
    models = sorted(table["model"].unique())
    poolings = [pooling for pooling in names.POOLING if pooling in set(table["label"])]
    kinds = [{"model": model, "pooling": pooling} for model in models for pooling in poolings]
    claims = [networks_lose_other_data(table, **kind) for kind in kinds]
    claims += _of_shape(table, models, poolings, recipe=names.TRAINED)
    if names.UNTRAINED not in set(table["recipe"]):
        return claims
    claims += [training_retains_less(table, **kind) for kind in kinds]
    claims += _of_shape(table, models, poolings, recipe=names.UNTRAINED)
    for kind in kinds:
        of_kind = {"model": kind["model"], "label": kind["pooling"]}
        claims += of_network(table, network=f"{kind['model']} ({names.network_words(kind['pooling'])})", kind=of_kind)
    return claims


def _of_shape(table: pd.DataFrame, models: Sequence[str], poolings: Sequence[str], *, recipe: str) -> list[Claim]:
    """Return the claims about pooling and depth, of networks after or before training."""
    claims = []
    if len(poolings) == 2:
        claims += [late_pooling_retains_more(table, model=model, recipe=recipe) for model in models]
    stacks = places(table).groupby("model")["n_features"].agg(depth="size", width="first")
    pairs = itertools.permutations(stacks.itertuples(), 2)
    deeper = [(a.Index, b.Index) for a, b in pairs if a.width == b.width and a.depth < b.depth]
    for (shallow, deep), pooling in itertools.product(deeper, poolings):
        claims.append(depth_retains_less(table, shallow=shallow, deep=deep, pooling=pooling, recipe=recipe))
    return claims


def _by_seed(
    table: pd.DataFrame, model: str, pooling: str, *, metric: str = names.MEAN_RETAINED, recipe: str = names.TRAINED
) -> pd.Series:
    rows = where(table, metric=metric, model=model, label=pooling, recipe=recipe)
    if rows.empty:
        known = sorted({f"{row.model} {row.label} {row.recipe}" for row in table.itertuples()})
        raise InputError(
            f"expected {metric} of {model} {pooling} {recipe}, got none; the table holds {', '.join(known)}"
        )
    return rows.groupby("seed")["value"].mean()


def _row(table: pd.DataFrame, metric: str, task: str, method: str) -> pd.Series:
    rows = where(table, metric=metric, task=task, method=method)
    if rows.empty:
        known = ", ".join(f"{t} ({m})" for t, m in cells(table))
        raise InputError(f"expected {metric} of {task} ({method}), got no such row; the table holds {known or 'none'}")
    return rows.iloc[0]
