"""Adaptation: label shifts drop what they say, choices read no label of the target, rows are their probes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from synthetic_task import make_task

from diffred_core import drawing, linear_probe, moments, subsets
from diffred_core.chapters import spectra
from diffred_core.chapters.spectra import adapted, heads, names, reading
from diffred_core.chapters.spectra.shifts import Shift
from diffred_core.errors import InputError
from diffred_core.results import where

N_TRAIN = 320


def elsewhere(task, *, noise=2.0, offset=1.0, name="elsewhere", seed=9):
    """Return the task with noise and an offset on half of its features."""
    draw, splits = torch.Generator().manual_seed(seed), {}
    for split, (X, y) in task.splits.items():
        X = X.clone()
        X[:, ::2] += noise * torch.randn(X[:, ::2].shape, generator=draw) + offset
        splits[split] = X, y
    return replace(task, task=name, splits=splits)


@pytest.fixture(scope="module")
def task():
    return make_task(n_samples=(N_TRAIN, 120, 160), rank=8, noise=0.5)


@pytest.fixture(scope="module")
def table(task):
    options = {"fractions": (0.1, 0.2), "label_shifts": (0.9,), "n_seeds": 3, "n_heads": 1, "epochs": 20}
    return spectra.adaptation(task, shifted=[elsewhere(task)], **options)


def shift_of(task, other):
    return Shift.of(task.splits, other.splits, split="test", n_classes=task.n_classes, name=other.task)


def test_a_label_shift_drops_rows_of_half_of_the_targets_classes_and_no_others(task):
    plain = shift_of(task, elsewhere(task))
    rare = plain.with_rare_classes(0.9, seed=3)
    before, after = (torch.bincount(one.target[1]) for one in (plain, rare))
    assert sorted((after / before).tolist()) == pytest.approx([0.1, 0.1, 1, 1])
    torch.testing.assert_close(rare.kept, (after / before).double())
    assert rare.train is plain.train
    assert rare.measured is plain.measured
    other = plain.with_rare_classes(0.9, seed=4)
    assert not torch.equal(other.kept, rare.kept) or not torch.equal(other.target[0], rare.target[0])
    assert plain.with_rare_classes(0.0, seed=3) is plain
    one_left = plain.with_rare_classes(0.999, seed=3)
    assert torch.bincount(one_left.target[1]).min() == 1  # a rare class keeps a row


def test_weighed_rows_are_the_mean_over_label_shifts_of_the_rows_that_are_measured(task):
    rare = shift_of(task, elsewhere(task)).with_rare_classes(0.75, seed=1)
    _, y = rare.measured
    predicted = torch.where(torch.arange(len(y)) % 3 == 0, (y + 1) % 4, y)
    predicted[y == int(rare.kept.argmin())] = 9  # never right there
    draw, accuracies = torch.Generator().manual_seed(0), []
    for _ in range(4000):
        stays = torch.rand(len(y), generator=draw, dtype=torch.float64) < rare.kept[y]
        accuracies.append((predicted == y)[stays].double().mean())
    assert rare.accuracy(predicted, y) == pytest.approx(float(torch.stack(accuracies).mean()), abs=2e-3)
    plain = float((predicted == y).double().mean())
    assert rare.accuracy(predicted, y) > plain + 0.05
    assert replace(rare, kept=torch.ones(4)).accuracy(predicted, y) == pytest.approx(plain)


def test_no_shift_is_two_halves_of_the_same_rows(task):
    none = Shift.within(task, split="test", seed=1)
    X = task.splits["train"][0]
    both = torch.cat([none.train[0], none.target[0]])
    assert torch.equal(both.sort(0).values, X.sort(0).values)
    assert len(none.train[0]) == len(none.target[0]) == N_TRAIN // 2
    assert torch.equal(torch.bincount(none.train[1]), torch.bincount(none.target[1]))
    assert not torch.equal(none.train[0], Shift.within(task, split="test", seed=2).train[0])


def test_what_needs_no_labels_of_the_target_reads_none(task):
    plain = shift_of(task, elsewhere(task)).part(torch.arange(12))
    hidden = replace(plain, target=(plain.target[0], plain.target[1].roll(1)))
    hidden = replace(hidden, target_validation=(plain.target_validation[0], plain.target_validation[1].roll(1)))
    first, second = (
        {(probe, rule): value for probe, rule, value in adapted.closed_forms(one)} for one in (plain, hidden)
    )
    blind = {key for key in first if key[1] != names.TARGET_LABELS}
    assert {key: first[key] for key in blind} == {key: second[key] for key in blind}
    assert first[names.ORACLE, names.TARGET_LABELS] != second[names.ORACLE, names.TARGET_LABELS]
    for kind in (names.HEAD, names.DANN):
        one, other = (heads.trained(shift, kind, seed=0, epochs=2) for shift in (plain, hidden))
        assert torch.equal(one.hidden.weight, other.hidden.weight)


def test_reverse_validation_is_a_probe_of_the_guesses_on_validation_rows_of_the_source(task):
    shift = shift_of(task, elsewhere(task)).part(torch.arange(12))
    (X, y), (other, _) = shift.train, shift.target
    source, target = (moments.from_features(rows.double(), y, quartic=False) for rows in (X, other))
    back = linear_probe.LabelAlignment.of(source, target).swapped().solver(strength=0.1, rank=5)
    guesses = torch.arange(len(other)) % 3  # no row is taken for the last class
    guessed = moments.from_features(other.double(), guesses, n_classes=4, quartic=False)
    options = {"strength": 0.1, "rank": 5, "steps": 40}
    twin = linear_probe.fit_label_aligned(guessed, source, **options)
    score = adapted.reverse_accuracy(guessed, back, shift.validation, steps=40)
    assert score == float(twin.accuracy(*shift.validation))
    one = moments.from_features(other.double(), torch.ones(len(other)).long(), n_classes=4, quartic=False)
    share = (shift.validation[1] == 1).double().mean()
    assert adapted.reverse_accuracy(one, back, shift.validation) == float(share)


def test_each_row_is_its_probe_on_the_features_of_its_draw(task, table):
    order = subsets.random_order(task.n_features, seed=2)[: int(0.2 * task.n_features)]
    shift = shift_of(task, elsewhere(task)).part(order)
    for severity in (0.0, 0.9):
        rare = shift.with_rare_classes(severity, seed=2)
        (X, y), (measured, labels) = rare.train, rare.measured
        layer = moments.from_features(X.double(), y, quartic=False)
        probe = linear_probe.fit_label_aligned(layer, layer, strength=0.0, rank=len(order) + 1)
        rows = where(table, label="elsewhere", delta=severity, repeat=1, fraction=0.2)
        expected = {
            names.LEAST_SQUARES: rare.accuracy(probe.predict(measured), labels),
            names.DANN: rare.accuracy(heads.trained(rare, names.DANN, seed=2, epochs=20).predict(measured), labels),
            names.HEAD: rare.accuracy(heads.trained(rare, names.HEAD, seed=2, epochs=20).predict(measured), labels),
        }
        for name, value in expected.items():
            assert where(rows, probe=name)["value"].item() == pytest.approx(value), name
    assert not where(table, label=names.NO_SHIFT, probe=names.DANN).empty


def test_one_row_a_probe_rule_size_and_draw_and_the_whole_layer_once(table):
    keys = ["metric", "label", "delta", "probe", "recipe", "fraction", "repeat"]
    assert not table.duplicated(keys).any()
    counts = (
        where(table, probe=names.LEAST_SQUARES, label="elsewhere").groupby(["delta", "fraction"])["repeat"].nunique()
    )
    assert counts.to_dict() == {(0.0, 0.1): 3, (0.0, 0.2): 3, (0.0, 1.0): 1, (0.9, 0.2): 3}
    assert set(where(table, probe=names.DANN, fraction=1.0)["repeat"]) == {0}
    stopped = where(table, probe=names.ALIGNED_STOPPED, fraction=0.2, delta=0.0, label="elsewhere", repeat=0)
    assert set(stopped["recipe"]) == set(names.RULES)


def test_domains_stand_apart_and_halves_do_not(table):
    distance = where(table, metric=names.DISTANCE, fraction=0.2, delta=0.0).groupby("label")["value"].mean()
    assert distance["elsewhere"] > 0.5
    assert abs(distance[names.NO_SHIFT]) < 0.35


def test_claims_follow_the_table(table):
    judged = {claim.name: claim for claim in spectra.claims_adaptation.all_claims(table)}
    gain = reading.reached_on(table, "elsewhere", names.ALIGNED_STOPPED) - reading.reached_on(
        table, "elsewhere", names.LEAST_SQUARES
    )
    claim = judged["label alignment, stopped early, over least squares: elsewhere"]
    assert claim.value == pytest.approx(gain.mean())
    assert len(judged) == 4 + 2 + 2 * 2 + 2
    better, worse = table.copy(), table.copy()
    for of, dann in ((better, 0.6), (worse, 0.4)):
        of.loc[(of["probe"] == names.HEAD) & (of["label"] == "elsewhere"), "value"] = 0.5
        of.loc[(of["probe"] == names.DANN) & (of["label"] == "elsewhere"), "value"] = dann
    verdicts = [
        (
            spectra.claims_adaptation.helps(of, names.DANN, names.HEAD, target="elsewhere").verdict,
            spectra.claims_adaptation.adversary_falls(of, target="elsewhere", label_shift=0.9).verdict,
        )
        for of in (better, worse)
    ]
    assert verdicts == [("holds", "fails"), ("fails", "holds")]


def test_where_nothing_is_shifted_the_control_holds_and_where_something_is_it_fails(table):
    of_halves = where(table, label=names.NO_SHIFT)
    assert spectra.claims_adaptation.nothing_to_gain(of_halves, names.DANN, names.HEAD).verdict != "fails"
    broken = of_halves.copy()
    broken.loc[broken["probe"] == names.DANN, "value"] -= 0.2
    assert spectra.claims_adaptation.nothing_to_gain(broken, names.DANN, names.HEAD).verdict == "fails"


def test_the_answer_says_the_numbers_of_the_table(table):
    answer = spectra.answers.adaptation(table)
    reached = reading.reached_on(table, "elsewhere", names.ALIGNED_STOPPED).mean()
    assert f"stopped early, makes that {100 * reached:.1f} %" in answer.sentence
    assert answer.numbers["label alignment, 20 %"] == f"{100 * reached:.1f} %"
    assert "lack 90 % of their rows" in answer.sentence
    assert "lack" not in spectra.answers.adaptation(where(table, delta=0.0)).sentence


@pytest.mark.parametrize("name", ["accuracy", "sizes", "label_shift", "distance"])
def test_figures_draw_what_their_words_say(table, name):
    figure = getattr(spectra.figures_adaptation, name)
    assert "<img" in drawing.show(figure, table).data
    summary = figure.summary(table)
    row = summary[(summary["label"] == "elsewhere") & summary["low"].notna()].iloc[0]
    words = figure.words(summary)
    assert any(f"{row['mean'] * factor:{form}}" in words for factor, form in ((1, ".2f"), (100, ".1f"), (100, "+.1f")))
    assert not summary.loc[summary["n"] < 3, ["low", "high"]].notna().any(axis=None)


def test_the_table_of_probes_has_each_rule(table):
    rows = spectra.tables.every_probe(table)
    assert set(rows["chosen by"]) == set(reading.RULE_WORDS.values())
    plain = rows[(rows["probe"] == "least squares") & (rows["target"] == "elsewhere")]
    assert plain["rare classes lack"].tolist() == ["0 %", "90 %"]
    value = reading.reached_on(table, "elsewhere", names.LEAST_SQUARES).mean()
    assert plain["random part"].iloc[0] == pytest.approx(100 * value)
    assert plain["whole layer"].notna().tolist() == [True, False]


def test_a_class_with_one_row_and_unbalanced_classes_are_measured(task):
    X, y = task.splits["train"]
    keep = (y != 3) | (torch.cumsum(y == 3, 0) == 1)
    uneven = replace(task, splits=task.splits | {"train": (X[keep], y[keep])})
    options = {"fractions": (0.2,), "label_shifts": (0.9,), "n_seeds": 1, "n_heads": 0, "epochs": 1}
    rows = spectra.adaptation(uneven, shifted=[elsewhere(uneven)], **options)
    assert where(rows, metric=names.TARGET_ACCURACY)["value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t, {"shifted": []}, "at least one other domain, got one domain only; name some in shifted_tasks"),
        (lambda t: t, {"n_seeds": 0}, "n_seeds must be at least 1, got 0"),
        (lambda t: t, {"n_heads": 9}, "n_heads must be from 0 to n_seeds=1, got 9"),
        (lambda t: t, {"label_shifts": (1.0,)}, r"expected label shifts in \[0, 1\), got 1.0"),
        (lambda t: t, {"shifted": [make_task(n_features=30)]}, "expected 40 features of 'signals'"),
        (lambda t: t, {"shifted": [make_task(n_classes=3)]}, "expected the classes of 'signals' in 'signals'"),
        (lambda t: replace(t, classes=(*t.classes, "none")), {}, "training rows of all 5 classes of 'signals', got 4"),
        (lambda t: replace(t, splits={"train": t.splits["train"]}), {}, "expected a split 'validation' of 'signals'"),
        (lambda t: t, {"shifted": [make_task(), make_task()]}, "every other domain once, got 'signals' twice"),
    ],
)
def test_bad_input_is_named(task, change, options, message):
    source = change(task)
    defaults = {"shifted": [elsewhere(source)], "fractions": (0.2,), "n_seeds": 1, "n_heads": 0, "epochs": 1}
    with pytest.raises(InputError, match=message):
        spectra.adaptation(source, **defaults | options)


def test_a_table_of_another_sweep_is_refused(table):
    with pytest.raises(InputError, match="expected a table of adaptation, got one of another sweep"):
        spectra.answers.adaptation(table.assign(experiment="spectra"))
