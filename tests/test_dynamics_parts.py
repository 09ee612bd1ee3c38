"""The pages on what a network can do without, on little: claims are judged, figures say their numbers."""

from __future__ import annotations

import pytest
import torch
from synthetic_task import make_task

from diffred_core.chapters import training
from diffred_core.chapters.training import frame, names, sweep_gradmax, sweep_lottery_ticket, sweep_low_dimensional
from diffred_core.chapters.training import names_parts as of
from diffred_core.chapters.training.frame import PixelRows
from diffred_core.errors import InputError

FIGURES = {
    "lottery_ticket": ("tickets", "lottery_ticket_bridge"),
    "geometric_complexity": (
        "steepness",
        "steepness_by_descent",
        "probe_complexity",
        "geometric_complexity_bridge",
    ),
    "gradmax": ("gradients", "losses_after_growth", "gradmax_bridge"),
    "trainability": ("entropies", "accuracy_by_depth", "trainability_bridge"),
    "superposition": ("dimensionality", "toy_losses", "class_dimensions", "superposition_bridge"),
    "low_dimensional": ("transverse_norms", "unreached", "low_dimensional_bridge"),
}


@pytest.fixture(scope="module")
def layer():
    return make_task(n_features=80, n_samples=(240, 80, 120), rank=12)


@pytest.fixture(scope="module")
def pixels():
    draw = torch.Generator().manual_seed(3)
    y, test_y = torch.arange(240) % 4, torch.arange(80) % 4
    means = torch.randn(4, 12, generator=draw, dtype=torch.float64)
    X, test_X = (means[of] + torch.randn(len(of), 12, generator=draw, dtype=torch.float64) for of in (y, test_y))
    return PixelRows("blobs", X - X.mean(0), y, test_X - X.mean(0), test_y, n_classes=4, digest="none")


@pytest.fixture(scope="module")
def tables(layer, pixels):
    two = {"n_seeds": 2}
    small = {"widths": (20, 10), "n_rounds": 3, "n_steps": 30, "early": 10}
    steep = {"widths": (12,), "n_steps": 40, "n_sgd_steps": 40, "batch_sizes": (15, 60)}
    thin = {"n_hidden": 16, "n_steps": 40, "n_kept": 5, "row_counts": (12, 40)}
    return {
        "lottery_ticket": training.lottery_ticket(layer, pixels, **small, **two),
        "geometric_complexity": training.geometric_complexity(layer, pixels, **steep, **two),
        "gradmax": training.gradmax(layer, n_rows=100, n_steps=30, **two),
        "trainability": training.trainability_of_depth(layer, pixels, width=20, depths=(2, 6), n_steps=20, **two),
        "superposition": training.superposition_by_sparsity(layer, densities=(1.0, 0.1), n_steps=40, **two),
        "low_dimensional": training.low_dimensional_data(layer, pixels, **thin, **two),
    }


@pytest.mark.parametrize("analysis", FIGURES)
def test_a_page_answers_with_a_verdict_a_claim_and_describes_its_figures(tables, analysis):
    table = tables[analysis]
    answer = getattr(training.answers, analysis)(table)
    assert len(answer.claims) == len(training.claims_parts.STATEMENTS[analysis])
    assert all("over 2 seeds" in claim.evidence for claim in answer.claims)
    assert set(table["experiment"]) == {analysis}
    for name in FIGURES[analysis]:
        figure = getattr(training.figures_parts, name)
        summary = figure.summary(table)
        assert any(character.isdigit() for character in figure.words(summary))
        assert figure.plot(summary).lines
    rows = getattr(training.tables_parts, analysis).summary(table)
    assert rows[names.MEASURED].notna().all()


@pytest.mark.parametrize("analysis", FIGURES)
def test_a_page_without_its_rows_is_refused(tables, analysis):
    table = tables[analysis]
    with pytest.raises(InputError, match="expected one row a seed with metric"):
        getattr(training.answers, analysis)(table[table["layer"] == names.LAYER])


def test_what_is_exact_in_theory_is_exact_on_the_page(tables):
    growth = training.answers.gradmax(tables["gradmax"])
    off = training.answers.low_dimensional(tables["low_dimensional"])
    steep = training.answers.geometric_complexity(tables["geometric_complexity"])
    for answer, name in (
        (growth, "GradMax meets its bound"),
        (off, "no gradient points off the data"),
        (off, "decay follows the closed form"),
        (steep, "a linear network has its squared norm"),
    ):
        (claim,) = [one for one in answer.claims if one.name == name]
        assert claim.verdict == "holds"


def test_a_probe_ranks_the_features_that_it_needs_first():
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 3
    X = torch.randn(300, 30, generator=draw, dtype=torch.float64)
    X[:, [4, 17, 29]] += 4 * frame.centred_targets(y, 3)
    for rule in (sweep_lottery_ticket.in_rounds, sweep_lottery_ticket.at_once, sweep_gradmax.most_gradient):
        order = rule(X, y, 0)
        assert sorted(order.tolist()) == list(range(30))
        assert set(order[:3].tolist()) == {4, 17, 29}
    assert not {4, 17, 29} & set(sweep_gradmax.least_gradient(X, y, 0)[:20].tolist())
    # two copies of a feature: once one is in, the other gets next to no gradient
    X[:, 0] = X[:, 4]
    beside = sweep_gradmax.missing_gradient(X, y, torch.tensor([4]))
    alone = sweep_gradmax.missing_gradient(X, y, torch.empty(0, dtype=torch.int64))
    assert beside[0] < 0.05 * alone[0]
    assert beside[17] > 0.3 * alone[17]


def test_least_squares_reaches_what_the_rows_span_and_no_more():
    draw = torch.Generator().manual_seed(1)
    X = torch.randn(6, 20, generator=draw, dtype=torch.float64)
    targets = torch.randn(6, 2, generator=draw, dtype=torch.float64)
    weight, reached = sweep_low_dimensional.least_squares(X, targets)
    torch.testing.assert_close(weight, torch.linalg.pinv(X) @ targets)
    torch.testing.assert_close(reached @ reached.T, torch.linalg.pinv(X) @ X)
    # gradient descent from random weights ends at the same, and what no row reaches of the start
    start = torch.randn(20, 2, generator=draw, dtype=torch.float64)
    end = start.clone()
    for _ in range(4000):
        end -= 0.02 * X.T @ (X @ end - targets)
    torch.testing.assert_close(end, weight + start - reached @ (reached.T @ start), rtol=0, atol=1e-6)
    assert (end - weight).norm() > 1


def test_classes_have_no_more_dimensions_than_there_are(tables):
    rows = tables["superposition"]
    rows = rows[rows["metric"] == of.CLASS_DIMENSIONS]
    most = rows[rows["method"] == of.MOST_DIMENSIONS].set_index(["seed", "n_selected"])["value"]
    for method in (names.RANDOM, of.PROJECTION):
        values = rows[rows["method"] == method].set_index(["seed", "n_selected"])["value"]
        assert (values <= most[values.index] + 1e-9).all()
        assert values.max() > 0.2


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        ("lottery_ticket", {"widths": (0,)}, "expected widths of at least 1"),
        ("lottery_ticket", {"rate": 0.0}, r"expected a pruning rate in \(0, 1\)"),
        ("geometric_complexity", {"learning_rates": (0.0,)}, "expected learning_rate above 0"),
        ("trainability_of_depth", {"depths": (0,)}, "expected depths of at least 1"),
        ("low_dimensional_data", {"n_kept": 12}, "expected a subspace of 1 to 11 of the 12 dimensions, got 12"),
    ],
)
def test_impossible_settings_are_a_sentence(layer, pixels, call, options, message):
    quick = {"geometric_complexity": {"n_steps": 1, "n_sgd_steps": 1}}.get(call, {})
    with pytest.raises(InputError, match=message):
        getattr(training, call)(layer, pixels, **quick, **options)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        ("gradmax", {"n_new": 11}, "expected n_new of at most n_out=10, got 11"),
        (
            "superposition_by_sparsity",
            {"n_toy_dims": 6},
            "expected fewer dimensions than features, at least 1, got 6 for 5",
        ),
        ("superposition_by_sparsity", {"densities": (0.0, 1.0)}, r"expected densities in \(0, 1\], got 0.0"),
    ],
)
def test_impossible_toys_are_a_sentence(layer, call, options, message):
    with pytest.raises(InputError, match=message):
        getattr(training, call)(layer, **options)
