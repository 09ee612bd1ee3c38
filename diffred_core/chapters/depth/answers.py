"""What each page of the chapter found, in a sentence with its numbers, and the verdicts on its claims."""

from __future__ import annotations

import pandas as pd

from diffred_core.chapters.depth import claims, claims_factors, claims_swap, contrasts, names
from diffred_core.chapters.depth.reading import ordinal, percent_range, places
from diffred_core.drawing import Answer
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

DESIGNS = {names.TRANSFER: "other tasks", names.SHIFT: "shifted images"}
MOST_NAMED = 3  # tasks that are named one by one; of more a range is given


def layers(table: pd.DataFrame) -> Answer:
    """Return which layer serves the reference task best, and what the last one retains of it and of other data.

    Parameters
    ----------
    table : DataFrame
        Of `depth.layers`.

    Raises
    ------
    InputError
        If the table lacks what the claims are about.
    """
    stack = places(table)["layer"].tolist()
    retained = where(table, metric=names.RETAINED_HELD_OUT).set_index("method")[["task", "value"]]
    reference = retained.loc[names.IN_DISTRIBUTION]
    best = where(table, metric=names.BEST_LAYER, method=names.IN_DISTRIBUTION)["value"].item()
    gain = where(table, metric=names.BEST_GAIN, method=names.IN_DISTRIBUTION)["value"].item()
    chosen = stack[int(best) - 1]
    ahead = "" if chosen == stack[-1] else f" ({100 * gain:+.1f} points over the last)"
    which = "the last one" if chosen == stack[-1] else f"the {ordinal(int(best))}, {chosen},"
    others = [
        f"of {words} {_retained(retained.loc[[method]])}"
        for method, words in DESIGNS.items()
        if method in retained.index
    ]
    chosen_for = f"Of {len(stack)} layers validation images choose {which} for {readable(reference['task'])}{ahead}"
    sentence = (
        f"{chosen_for}. The last layer retains {reference['value']:.1f} % of the accuracy of the best one there"
        f"{', and ' + '; '.join(others) if others else ''}."
    )
    numbers = {"best layer": f"{chosen} ({int(best)} of {len(stack)})", "last retains": f"{reference['value']:.1f} %"}
    numbers |= {
        f"last retains, {words}": percent_range(retained.loc[[method], "value"])
        for method, words in DESIGNS.items()
        if method in retained.index
    }
    return Answer(sentence, claims.all_claims(table), numbers)


def tunnel_small_networks(table: pd.DataFrame) -> Answer:
    """Return what networks of every kind retain of other data, trained and not, from a table of the small networks."""
    means = summarize(table, names.KIND, metric=names.MEAN_RETAINED)
    before = means[means["recipe"] == names.UNTRAINED].set_index(["model", "label"])["mean"]
    parts, numbers = [], {}
    for row in means[means["recipe"] == names.TRAINED].itertuples():
        network = f"{readable(row.model)}, {names.network_words(row.label)}"
        untrained = before.get((row.model, row.label))
        numbers[network] = f"{row.mean:.1f} %"
        parts.append(f"{network}: {row.mean:.1f} %" + ("" if untrained is None else f" (untrained {untrained:.1f} %)"))
    sentence = (
        "The last convolution retains of the best layer's accuracy on other data, mean over tasks and networks: "
        f"{'; '.join(parts)}."
    )
    return Answer(sentence, claims.all_claims(table), numbers)


def tunnel_factors(table: pd.DataFrame) -> Answer:
    """Return what classes, pixels and the other factors do to what is retained, from a table of that sweep."""
    rows = contrasts.changes(table)
    trained, before = (where(rows, recipe=recipe).set_index("contrast") for recipe in (names.TRAINED, names.UNTRAINED))
    means = where(table, metric=names.MEAN_RETAINED, recipe=names.TRAINED).groupby("label")["value"].mean()
    parts = [
        f"{row.change} {row.mean:+.1f} points"
        + (f" (untrained {before.loc[name, 'mean']:+.1f})" if name in before.index else "")
        for name, row in ((row.Index, row) for row in trained.itertuples())
    ]
    sentence = (
        f"The last layer of the base retains {means[names.BASE]:.1f} % of its best layer's accuracy on other data. "
        f"What changes that, in pairs of networks of one seed: {'; '.join(parts)}."
    )
    numbers = {"base retains": f"{means[names.BASE]:.1f} %"}
    numbers |= {str(row.change): f"{row.mean:+.1f} points" for row in trained.itertuples()}
    return Answer(sentence, claims_factors.all_claims(table), numbers)


def tunnel_swap(table: pd.DataFrame) -> Answer:
    """Return what is left of either task with extractor and tunnel of two stages, from a table of that sweep."""
    first, second = claims_swap.tasks_of(table)
    means = {
        parts: [claims_swap.by_seed(table, parts, task).mean() for task in (first, second)] for parts in names.PARTS
    }
    cut, crossing = claims_swap.cuts(table).median(), claims_swap.crossing(table)
    where_to = (
        f"Only with {crossing} layers or more in it does the old extractor restore more of the first task"
        if crossing
        else "At no cut does the old extractor restore more of the first task"
    )
    sentence = (
        f"After the second task {means['E2+T2'][0]:.1f} % of the first one are left of {means['E1+T1'][0]:.1f} %. Cut "
        f"where probes see a tunnel begin (median: {cut:g} layers before it), the old extractor with the new tunnel "
        f"reaches {means['E1+T2'][0]:.1f} %, the new extractor with the old tunnel {means['E2+T1'][0]:.1f} %. "
        f"{where_to}."
    )
    numbers = {f"{parts}, first and second task": f"{one:.1f} % and {two:.1f} %" for parts, (one, two) in means.items()}
    return Answer(sentence, claims_swap.all_claims(table), numbers)


def _retained(rows: pd.DataFrame) -> str:
    if len(rows) > MOST_NAMED:
        return f"{percent_range(rows['value'])} over {len(rows)} tasks"
    return ", ".join(f"{row.value:.1f} % ({readable(row.task)})" for row in rows.itertuples())
