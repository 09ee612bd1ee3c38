"""One constant says which probe is the headline: all that shows one turns with it and says its name."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets import names

READERS = """
import json, sys
from diffred_core.chapters.random_subsets import names
names.HEADLINE = sys.argv[1]
import pandas as pd
from diffred_core import results
from diffred_core.chapters import few_shots, random_subsets
from diffred_core.staging import _front

probes, similarity, episodes = (results.read(path) for path in sys.argv[2:])
figures, tables, across = random_subsets.figures, random_subsets.tables, random_subsets.across
classes = random_subsets.figures_classes
summaries = {
    "accuracy": figures.accuracy, "redundancy": figures.redundancy, "regulariser": figures.regulariser,
    "inequality": classes.inequality, "variation": classes.variation, "classes": classes.classes,
    "inequality table": classes.inequality_table, "accuracy table": tables.accuracy, "gains": tables.gains,
    "kept": across.kept(), "kept table": across.kept_table(), "frontier": random_subsets.figures_frontier.accuracy,
    "frontier table": random_subsets.figures_frontier.on_frontier,
}
claims = random_subsets.claims.all_claims(probes)[:3] 
claims += [claim for held in across.claims_by_cell(probes, similarity).values() for claim in held]
claims = [claim for claim in claims if not claim.name.startswith("similar")]
pairs = across.kept_accuracy(probes)
bridge = few_shots.figures.bridge
json.dump({
    "probes": {name: sorted(set(part.summary(probes)["probe"].dropna())) for name, part in summaries.items()},
    "bridge": [sorted(set(bridge.summary(episodes)["probe"])), bridge.words(bridge.summary(episodes))],
    "titles": [figures.accuracy.plot(figures.accuracy.summary(probes)).get_title(loc="left"),
               across.kept().plot(pairs).figure.get_suptitle()],
    "captions": [tables.accuracy.caption(tables.accuracy.summary(probes)), _front._caption(pairs)],
    "evidence": [claim.evidence for claim in claims],
    "values": [claim.value for claim in claims],
    "summary": sorted(set(across.summary_table(probes, similarity)["probe"].dropna())),
    "needed": across.needed_fractions(probes)["first"].tolist(),
}, sys.stdout)
"""
BOTH = (names.RIDGE, names.LOGISTIC)


def episodes():
    """Return rows of few shots, of both heads and of both ends of the bridge."""
    shared = {"experiment": "few_shot", "task": "t", "model": "m", "layer": "l", "metric": "gain", "fraction": 0.2}
    return results.as_table(
        [
            shared | {"method": "random", "probe": probe, "n_shot": n_shot, "value": 0.1, "repeat": 0}
            for probe in BOTH
            for n_shot in (1, 5, None)
        ]
    )


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """Return what every reader shows of one table of both probes, by the headline."""
    folder = tmp_path_factory.mktemp("headline")
    task = make_task(noise=1.5)
    options = {"fractions": (0.1, 0.2, 0.5), "n_seeds": 2, "n_boot": 50, "methods": ("random", "pca")}
    table = random_subsets.probes(task, **options, logistic_fractions=())
    # what a sweep of another probe would bring: the same rows with other numbers
    of_ridge = set(table["probe"].dropna()) == {names.RIDGE}
    other = table[table["probe"].notna()].assign(probe=names.LOGISTIC if of_ridge else names.RIDGE)
    shrunk = ["value", "low", "high"]
    other[shrunk] = 0.9 * other[shrunk]
    similarity = random_subsets.similarity(task, fractions=(0.1, 0.2, 0.5), n_seeds=2, interval_fractions=())
    paths = []
    for name, part in (("p", pd.concat([table, other])), ("s", similarity), ("e", episodes())):
        paths.append(str(folder / f"{name}.csv"))
        part.to_csv(paths[-1], index=False)
    ran = {}
    for probe in BOTH:
        command = [sys.executable, "-c", READERS, probe, *paths]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        ran[probe] = json.loads(finished.stdout)
    return ran


@pytest.mark.parametrize("probe", BOTH)
def test_every_reader_shows_the_headline_and_it_alone(readings, probe):
    shown = readings[probe]
    assert {name: probes for name, probes in shown["probes"].items() if probes != [probe]} == {}
    assert shown["bridge"][0] == [probe]
    assert shown["summary"] == [probe]


@pytest.mark.parametrize("probe", BOTH)
def test_every_word_names_the_headline_and_not_the_other(readings, probe):
    (other,) = set(BOTH) - {probe}
    shown = readings[probe]
    for words in (*shown["titles"], *shown["captions"], *shown["evidence"], shown["bridge"][1]):
        if "There is no other model" not in words:
            assert probe in words
        assert other not in words


def test_the_numbers_follow_the_headline(readings):
    one, other = (readings[probe]["values"] for probe in BOTH)
    assert len(one) == len(other)
    # the only model of its task has nothing to fall behind
    assert [a == b for a, b in zip(one, other, strict=True)] == [False] * (len(one) - 1) + [True]
