"""Choosing the regulariser: the best of the path, ties to the larger, edges flagged, test rows out of reach."""

from __future__ import annotations

import inspect

import pytest
import torch
from reference_probes import classes_in_mixture

from diffred_core import linear_probe, moments
from diffred_core.errors import InputError

L2 = [1e-4, 1e-2, 1e0, 1e2]


@pytest.fixture
def rows():
    X, y = classes_in_mixture(180, 15, 3, separation=0.4)
    return (X[:90], y[:90]), (X[90:], y[90:])


def test_the_best_of_each_column_is_chosen_and_edges_are_flagged():
    score = torch.tensor([[0.1, 0.9, 0.3], [0.5, 0.2, 0.3], [0.4, 0.2, 0.1]])
    found = linear_probe.select_l2(score, [1e-3, 1e-2, 1e-1])
    assert found.index.tolist() == [1, 0, 1]
    assert found.l2.tolist() == [1e-2, 1e-3, 1e-2]
    assert found.at_edge.tolist() == [False, True, False]
    assert linear_probe.select_l2(score, [1e-3, 1e-2, 1e-1], higher_is_better=False).index.tolist() == [0, 2, 2]


@pytest.mark.parametrize(
    ("score", "at_edge"),
    [
        ((0.5, 0.9, 0.9), False),  # the strongest of equals is chosen, but going on to it gained nothing
        ((0.9, 0.9, 0.5), False),
        ((0.9, 0.9, 0.9), False),
        ((0.9, 0.8, 0.9), True),
        ((0.5, 0.8, 0.9), True),
        ((0.9, 0.9), True),  # nothing lies between
        ((0.9,), True),
    ],
)
def test_a_choice_is_at_the_edge_where_nothing_inside_is_as_good(score, at_edge):
    l2 = [10.0**i for i in range(len(score))]
    assert bool(linear_probe.select_l2(torch.tensor(score), l2).at_edge) is at_edge
    assert bool(linear_probe.select_l2(torch.tensor(score[::-1]), l2[::-1]).at_edge) is at_edge
    assert bool(linear_probe.select_l2(-torch.tensor(score), l2, higher_is_better=False).at_edge) is at_edge


@pytest.mark.parametrize("l2", [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
def test_of_equal_scores_the_larger_l2_wins_in_any_order_of_the_path(l2):
    assert linear_probe.select_l2(torch.tensor([0.5, 0.5, 0.5]), l2).l2 == 3.0


@pytest.mark.parametrize("l2", [[1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 3.0, 2.0], [4.0, 3.0, 2.0, 1.0]])
def test_of_a_part_that_ties_the_larger_l2_wins_in_every_column(l2):
    """Ties of two of four values, of accuracy and of a loss; index and value say the same."""
    value = torch.tensor(l2)
    score = torch.stack([(value == low) | (value == high) for low, high in ((1, 3), (2, 3), (1, 4))], 1).double()
    for choice in (
        linear_probe.select_l2(score, l2),
        linear_probe.select_l2(-score, l2, higher_is_better=False),
        linear_probe.select_l2(score, value[:, None].expand(-1, 3)),
    ):
        assert choice.l2.tolist() == [3.0, 3.0, 4.0]
        assert value[choice.index].tolist() == [3.0, 3.0, 4.0]


@pytest.mark.parametrize("fit", ["ridge", "logistic"])
def test_the_chosen_probe_is_the_refit_with_the_chosen_l2(rows, fit):
    (X, y), validation = rows
    subsets = [[0, 1], list(range(15)), [4, 9, 2]]

    def fitted(**options):
        if fit == "ridge":
            return linear_probe.fit_ridge(moments.from_features(X, y, quartic=False), **options)
        return linear_probe.fit_logistic(X, y, tol=1e-9, **options)  # weights may differ by tol / l2

    path = fitted(subsets=subsets, l2=L2)
    chosen, selection = linear_probe.choose_l2(path, *validation)
    assert chosen.batch_shape == (3,)
    assert torch.equal(chosen.accuracy(*validation), path.accuracy(*validation).amax(0))
    for j, subset in enumerate(subsets):
        refit = fitted(subsets=subset, l2=selection.l2[j].item())
        torch.testing.assert_close(chosen[j].weight, refit.weight, rtol=0, atol=1e-4)
    one, single = linear_probe.choose_l2(fitted(l2=L2), *validation)
    assert one.batch_shape == ()
    assert one.l2 == single.l2


def test_test_rows_have_no_way_into_the_choice():
    assert list(inspect.signature(linear_probe.choose_l2).parameters) == ["path", "X", "y"]


def test_a_probe_with_one_l2_has_nothing_to_choose(rows):
    (X, y), validation = rows
    probe = linear_probe.fit_ridge(moments.from_features(X, y, quartic=False), l2=1.0)
    with pytest.raises(InputError, match="expected path fitted with several l2"):
        linear_probe.choose_l2(probe, *validation)


@pytest.mark.parametrize(
    ("score", "l2", "message"),
    [
        (torch.ones(3), [1.0, 2.0], r"one entry for each of l2, got \(3,\)"),
        (torch.tensor(1.0), [1.0], "expected score of shape"),
        (torch.tensor([1.0, torch.nan]), [1.0, 2.0], "finite values in score"),
    ],
)
def test_bad_scores_are_named(score, l2, message):
    with pytest.raises(InputError, match=message):
        linear_probe.select_l2(score, l2)


def test_cross_validation_from_fold_moments_equals_refitting_on_rows(rows):
    X, y = rows[0]
    # fold of a row, as documented: the j-th row of class c is held out with fold (j + c) mod n_folds
    turn = torch.tensor([int((y[:i] == y[i]).sum()) for i in range(len(y))])
    fold = (turn + y) % 3
    subsets = [[0, 1], list(range(15)), [3]]
    error = linear_probe.ridge_cross_validation(moments.fold_moments(X, y, n_folds=3), subsets=subsets, l2=L2)
    expected = torch.zeros(4, 3, dtype=torch.float64)
    for i in range(3):
        train, held = fold != i, fold == i
        probe = linear_probe.fit_ridge(
            moments.from_features(X[train], y[train], n_classes=3, quartic=False), subsets=subsets, l2=L2
        )
        expected += (probe.scores(X[held]) - torch.eye(3, dtype=X.dtype)[y[held]]).square().sum((2, 3))
    torch.testing.assert_close(error, expected / len(X), rtol=1e-9, atol=1e-12)
    single = linear_probe.ridge_cross_validation(moments.fold_moments(X, y, n_folds=3), l2=L2)
    torch.testing.assert_close(single, error[:, 1])
    assert linear_probe.select_l2(single, L2, higher_is_better=False).index == expected[:, 1].argmin()
