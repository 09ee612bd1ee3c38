"""The measures of a tunnel: their published formulas, their edges, and what is not a curve of accuracies."""

from __future__ import annotations

import pytest
import reference_tunnel
import torch
from scipy import stats

from diffred_core import tunnel
from diffred_core.errors import InputError

TUNNEL = [0.20, 0.55, 0.60, 0.45]
NO_TUNNEL = [0.20, 0.45, 0.55, 0.60]


def test_percent_retained_is_the_last_accuracy_over_the_best():
    curves = torch.rand(5, 3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = [[reference_tunnel.retained(curve.tolist()) for curve in row] for row in curves]
    torch.testing.assert_close(tunnel.percent_retained(curves), torch.tensor(expected, dtype=torch.float64))
    assert tunnel.percent_retained(TUNNEL).item() == pytest.approx(75)


def test_a_growing_curve_retains_exactly_all_and_has_no_tunnel():
    assert tunnel.percent_retained(NO_TUNNEL).item() == 100
    assert tunnel.revised_tunnel_start(NO_TUNNEL) is None
    assert tunnel.revised_tunnel_start([0.5, 0.6, 0.6]) is None
    assert tunnel.percent_retained(TUNNEL) < 100
    assert tunnel.revised_tunnel_start(TUNNEL) == 2


@pytest.mark.parametrize("factor", [0.5, 0.1])
def test_percent_retained_and_starts_do_not_see_the_scale(factor):
    scaled = [factor * a for a in TUNNEL]
    assert tunnel.percent_retained(scaled).item() == pytest.approx(tunnel.percent_retained(TUNNEL).item())
    assert tunnel.revised_tunnel_start(scaled) == 2
    assert tunnel.tunnel_start(scaled) == tunnel.tunnel_start(TUNNEL)


def test_of_equal_best_layers_the_first_starts_the_revised_tunnel():
    assert tunnel.revised_tunnel_start([0.6, 0.3, 0.6, 0.5]) == 0


def test_the_original_rule_takes_the_first_layer_that_reaches_the_share():
    curve = [0.30, 0.94, 0.96, 0.985, 1.0]
    assert [tunnel.tunnel_start(curve, share=share) for share in (0.95, 0.98, 0.9, 1.0)] == [2, 3, 1, 4]
    assert tunnel.tunnel_start([0.1, 0.2, 0.9]) == 2
    assert tunnel.tunnel_start([0.95, 0.1, 1.0]) == 0


def test_both_rules_can_disagree():
    # in-distribution accuracy saturates early, other data go on gaining: the rules answer different questions
    assert tunnel.tunnel_start([0.5, 0.96, 0.98, 1.0]) == 1
    assert tunnel.revised_tunnel_start(NO_TUNNEL) is None


def test_correlation_is_that_of_scipy_and_broadcasts():
    draw = torch.Generator().manual_seed(1)
    x, y = torch.rand(6, generator=draw, dtype=torch.float64), torch.rand(4, 6, generator=draw, dtype=torch.float64)
    expected = [stats.pearsonr(x.numpy(), row.numpy()).statistic for row in y]
    torch.testing.assert_close(tunnel.id_ood_correlation(x, y), torch.tensor(expected))
    assert tunnel.id_ood_correlation(x, 1 - x).item() == pytest.approx(-1)
    assert tunnel.id_ood_correlation([0.1, 0.2], [0.3, 0.9]).item() == pytest.approx(1)


def test_a_constant_curve_has_no_correlation_rather_than_one_of_rounding_errors():
    third = [1 / 3] * 5
    assert tunnel.id_ood_correlation(third, [0.1, 0.2, 0.3, 0.4, 0.5]).isnan()
    mixed = tunnel.id_ood_correlation([0.1, 0.2, 0.3, 0.4, 0.5], [third, [0.2, 0.3, 0.4, 0.5, 0.6]])
    assert mixed.isnan().tolist() == [True, False]


def test_alignment_is_the_product_of_what_exceeds_chance():
    found = tunnel.alignment(0.8, [0.6, 0.1, 0.05], id_classes=100, ood_classes=10)
    torch.testing.assert_close(found, torch.tensor([0.79 * 0.5, 0.0, 0.79 * -0.05], dtype=torch.float64))
    assert tunnel.alignment(0.5, 0.9, id_classes=2, ood_classes=10) == 0
    by_set = tunnel.alignment(0.8, [0.6, 0.6], id_classes=100, ood_classes=[10, 2])
    torch.testing.assert_close(by_set, torch.tensor([0.79 * 0.5, 0.79 * 0.1], dtype=torch.float64))


@pytest.mark.parametrize(
    ("percent", "name"),
    [
        (100, "negligible"),
        (95, "negligible"),
        (94.999, "weak"),
        (90, "weak"),
        (89.9, "medium"),
        (80, "medium"),
        (79.9, "strong"),
        (0, "strong"),
    ],
)
def test_strengths_are_closed_below(percent, name):
    assert tunnel.strength(percent) == name
    assert tunnel.strength(torch.tensor(float(percent), dtype=torch.float64)) == name


@pytest.mark.parametrize(
    "function",
    [
        tunnel.percent_retained,
        tunnel.tunnel_start,
        tunnel.revised_tunnel_start,
        lambda curve: tunnel.id_ood_correlation(curve, [0.1, 0.2]),
    ],
)
@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([0.5], "at least two layers, got \\(1,\\)"),
        (0.5, "at least two layers, got \\(\\)"),
        ([50.0, 60.0], "accuracies in \\[0, 1\\] in .*, got 50; divide percentages by 100"),
        ([-0.1, 0.5], "got -0.1"),
        ([0.5, float("nan")], "got nan"),
    ],
)
def test_what_is_no_curve_is_named(function, curve, message):
    with pytest.raises(InputError, match=message):
        function(curve)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tunnel.percent_retained([0.0, 0.0]), "above 0 in some layer of every curve of ood"),
        (lambda: tunnel.tunnel_start([0.0, 0.0]), "above 0 in some layer of every curve of id_accuracy"),
        (lambda: tunnel.tunnel_start([[0.1, 0.2]]), "one curve, got \\(1, 2\\)"),
        (lambda: tunnel.tunnel_start([0.1, 0.2], share=95), "share in \\(0, 1\\], got 95"),
        (lambda: tunnel.id_ood_correlation([0.1, 0.2], [0.1, 0.2, 0.3]), "got 2 and 3 layers"),
        (lambda: tunnel.alignment(0.5, 0.5, id_classes=1, ood_classes=2), "id_classes of at least 2.*got 1"),
        (lambda: tunnel.alignment(0.5, 0.5, id_classes=2, ood_classes=0.1), "ood_classes of at least 2.*got 0.1"),
        (lambda: tunnel.alignment(0.5, 70, id_classes=2, ood_classes=2), "in ood_accuracy, got 70"),
        (lambda: tunnel.strength(101), "percent in \\[0, 100\\], got 101"),
        (lambda: tunnel.strength(float("nan")), "got nan"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
