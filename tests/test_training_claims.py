"""Claims about objectives on tables whose numbers are given: each holds, fails and is left open where it must."""

from __future__ import annotations

import numpy as np
import pytest

from diffred_core import results
from diffred_core.chapters.governs import answers_training, claims_training
from diffred_core.chapters.governs import training_reading as reading
from diffred_core.errors import InputError

PLAIN = (0.50, 0.52, 0.51, 0.49)
SHARED = {"experiment": "loss_and_regulariser", "layer": "penultimate", "n_features": 64, "model": "vggm11-w8@a"}


def table_of(kinds: dict[str, dict], *, n: int = 4):
    """Return a table with values by seed of the measures of every objective; of plain networks where none are given."""
    default = {
        **{"own": PLAIN, "other": PLAIN, "first": PLAIN, "separation": PLAIN, "rank": PLAIN, "p": (0.5,) * 4},
        **{"transfer": PLAIN, "clean": PLAIN, "robust": PLAIN, "kept": PLAIN},
    }
    what = {
        "own": {"metric": "diffused_redundancy_first", "method": "random", "delta": 0.9, "label": "own task"},
        "other": {"metric": "diffused_redundancy_first", "method": "random", "delta": 0.9, "label": "other tasks"},
        "first": {"metric": "diffused_redundancy_first", "method": "first", "delta": 0.9, "label": "own task"},
        "separation": {"metric": "class_separation", "method": "full", "label": "own task"},
        "rank": {"metric": "rankme", "method": "full", "label": "own task"},
        "p": {"metric": "prefix_p_value", "method": "first", "label": "own task", "n_selected": 8},
        "transfer": {"metric": "accuracy", "method": "full", "fraction": 1.0, "label": "other tasks"},
        "clean": {"metric": "classifier_accuracy", "method": "full", "label": "own task"},
        "robust": {"metric": "robust_accuracy", "method": "full", "label": "own task"},
        "kept": {"metric": "accuracy_kept", "method": "random", "fraction": 0.2, "label": "other tasks"},
    }
    rows = []
    for objective, given in ({"cross_entropy": {}} | kinds).items():
        for name, values in (default | given).items():
            task = "a" if what[name]["label"] == "own task" else "b"
            rows += [
                SHARED | what[name] | {"task": task, "recipe": objective, "seed": s, "repeat": s, "value": values[s]}
                for s in range(n)
            ]
        rows += [
            SHARED
            | {"task": "a", "label": "own task", "method": "full", "metric": "nc1", "value": 1.0}
            | {"recipe": objective, "seed": s, "repeat": s}
            for s in range(n)
        ]
    return results.as_table(rows)


def moved(by, spread=0.001):
    return tuple(value + by + spread * i for i, value in enumerate(PLAIN))


@pytest.mark.parametrize(
    ("own", "verdict"),
    [(moved(0.2), "holds"), (moved(-0.2), "holds"), (moved(0.0), "fails"), (moved(0.05, 0.01), "undecided")],
)
def test_a_change_is_judged_up_and_down(own, verdict):
    table = table_of({"squared_error": {"own": own}})
    claim = claims_training.changes_redundancy(table, "squared_error", "own task")
    assert claim.verdict == verdict
    assert claims_training.changes_redundancy(table, "squared_error", "other tasks").verdict == "fails"  # the control


def test_differences_are_of_pairs_of_one_seed():
    wide = tuple(0.3 * i for i in range(4))
    table = table_of({"squared_error": {"own": tuple(v + 0.2 + 0.001 * i for i, v in enumerate(wide))}})
    table.loc[
        (table["recipe"] == "cross_entropy") & (table["label"] == "own task") & (table["delta"] == 0.9), "value"
    ] = [
        *wide,
        *PLAIN,
    ]
    assert claims_training.changes_redundancy(table, "squared_error", "own task").verdict == "holds"


@pytest.mark.parametrize(("by", "verdict"), [(0.1, "holds"), (-0.1, "fails")])
def test_robust_networks_are_judged_with_their_accuracies_beside(by, verdict):
    table = table_of({"adversarial:0.5": {"other": moved(by), "robust": (0.4,) * 4, "clean": (0.6,) * 4}})
    claim = claims_training.robust_is_more_redundant(table, "adversarial:0.5", "other tasks")
    assert claim.verdict == verdict
    assert "60.0 % against 50.5 % clean and 40.0 % against 50.5 % under attack" in claim.evidence


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "holds"), (0.3, "holds"), (-0.2, "fails")])
def test_redundancy_stays_unless_it_falls_by_the_margin(by, verdict):
    table = table_of({"decov:0.1": {"own": moved(by)}})
    assert claims_training.redundancy_stays(table, "decov:0.1", "own task").verdict == verdict


def test_the_slope_of_dropout_is_published_beside():
    falling = {f"dropout:{p}": {"kept": moved(-0.2 * p, 0.0001)} for p in (0.2, 0.5, 0.8)}
    claim = claims_training.dropout_lowers_what_is_kept(table_of(falling))
    assert claim.verdict == "holds"
    assert claim.value == pytest.approx(2, abs=0.1)  # points for each tenth
    kept = claims_training.published_kept()
    slope = np.polyfit(kept["rate"].dropna(), kept.loc[kept["rate"].notna(), "kept"], 1)[0]
    assert f"(published: {-0.1 * slope:+.2f})" in claim.evidence
    rising = {name: {"kept": moved(0.2 * float(name[8:]), 0.0001)} for name in falling}
    assert claims_training.dropout_lowers_what_is_kept(table_of(rising)).verdict == "fails"


def test_matryoshka_is_judged_at_the_front_and_at_random():
    table = table_of({"matryoshka:1": {"first": moved(0.2), "own": moved(-0.1), "p": (0.01, 0.02, 0.01, 0.3)}})
    verdicts = {claim.name: claim.verdict for claim in claims_training.all_claims(table)}
    assert verdicts["Matryoshka: more at the front"] == verdicts["Matryoshka: less at random"] == "holds"
    assert verdicts["prefixes are found"] == verdicts["no prefixes elsewhere"] == "holds"
    table = table_of({"matryoshka:1": {"first": moved(-0.2), "own": moved(0.1)}})
    table.loc[(table["metric"] == "prefix_p_value") & (table["recipe"] == "cross_entropy"), "value"] = 0.01
    verdicts = {claim.name: claim.verdict for claim in claims_training.all_claims(table)}
    assert verdicts["Matryoshka: more at the front"] == verdicts["Matryoshka: less at random"] == "fails"
    assert verdicts["prefixes are found"] == verdicts["no prefixes elsewhere"] == "fails"


def test_collapsed_and_spread_layers_are_told_apart():
    table = table_of(
        {
            "squared_error": {"separation": moved(0.2)},
            "decov:0.1": {"rank": moved(5.0)},
            "koleo:0.1": {"separation": moved(0.2), "rank": moved(5.0)},
            "dropout:0.5": {"separation": moved(-0.2)},
        }
    )
    found = reading.reasons(table).set_index("objective")["reason"]
    assert found.to_dict() == {
        **{"squared_error": "collapsed", "decov:0.1": "spread", "koleo:0.1": "both", "dropout:0.5": "neither"}
    }
    sentence = answers_training.loss_and_regulariser(table).sentence
    assert "Classes are more separate than with cross-entropy: squared error;" in sentence
    assert "dimensions spread over more directions than with cross-entropy: DeCov 0.1;" in sentence


@pytest.mark.parametrize(("sign", "verdict"), [(1, "holds"), (-1, "fails")])
def test_what_goes_with_separation_is_judged_over_objectives(sign, verdict):
    kinds = {
        name: {"separation": moved(by), "own": moved(sign * by), "transfer": moved(-sign * by)}
        for name, by in {"squared_error": 0.1, "label_smoothing": 0.2, "decov:0.1": -0.1}.items()
    }
    table = table_of(kinds)
    assert claims_training.separation_makes_redundant(table).verdict == verdict
    assert claims_training.separation_hurts_transfer(table).verdict == verdict


def test_one_seed_leaves_claims_open():
    table = table_of({"squared_error": {"own": moved(0.3)}}, n=1)
    assert claims_training.changes_redundancy(table, "squared_error", "own task").verdict == "undecided"


def test_the_claims_of_the_paper_have_the_names_that_its_table_looks_for():
    kinds = {
        "adversarial:0.5": {"own": moved(0.1), "other": moved(0.1)},
        "dropout:0.2": {},
        "dropout:0.8": {"own": moved(-0.3), "other": moved(-0.3)},
        "matryoshka:1": {"own": moved(-0.1), "other": moved(-0.1)},
    }
    found = {claim.name: claim.verdict for claim in claims_training.paper_claims(table_of(kinds))}
    assert found == {
        "adversarial training adds redundancy": "holds",
        "dropout keeps redundancy": "fails",  # on average over both rates
        "Matryoshka is less redundant at random": "holds",
    }


def test_without_the_reference_or_another_objective_a_sentence_says_so():
    with pytest.raises(
        InputError, match="expected networks of cross_entropy and of another objective, got cross_entropy"
    ):
        claims_training.all_claims(table_of({}))
    table = table_of({"decov:0.1": {}})
    with pytest.raises(InputError, match=r"of another objective, got decov:0.1; differences need both"):
        claims_training.all_claims(table[table["recipe"] != "cross_entropy"])
    with pytest.raises(InputError, match=r"of koleo, got no such row; the table holds cross_entropy, decov:0.1"):
        claims_training.changes_redundancy(table, "koleo", "own task")
