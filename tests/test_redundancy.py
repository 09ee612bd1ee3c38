"""Diffused redundancy against the published numbers, and the two measures of class-wise inequality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import gini_by_pairs

from diffred_core.errors import InputError
from diffred_core.redundancy import coefficient_of_variation, diffused_redundancy, gini, gini_by_curve, gini_null

# ResNet50, mean test accuracy in percent over five random subsets (the full layer: one run) at 15 fractions of 2,048
# features. Source: saved output of the first author's notebook `transfer_comparison` (github.com/nvedant07/
# invariances_in_reps at 3d153ab) to Nanda et al. 2023, arXiv 2306.00183.
TASKS = ("CIFAR10", "CIFAR100", "Flowers", "Pets")
# fraction: four tasks with standard weights, then four with l2 eps = 3 robust weights
ACCURACY = {
    0.0005: (12.29, 1.46, 2.66, 3.81, 13.14, 1.80, 2.30, 4.17),
    0.001: (15.14, 2.24, 0.62, 3.52, 15.70, 2.69, 0.93, 5.82),
    0.002: (18.56, 3.34, 0.86, 4.67, 22.22, 4.47, 0.91, 8.86),
    0.003: (23.24, 4.00, 1.22, 7.76, 25.48, 6.22, 1.08, 13.36),
    0.004: (25.22, 4.79, 1.41, 9.17, 29.49, 7.78, 1.99, 17.14),
    0.005: (27.39, 5.39, 1.36, 12.97, 32.83, 9.69, 2.01, 20.18),
    0.01: (37.05, 9.39, 1.55, 22.94, 46.48, 19.11, 5.14, 34.97),
    0.05: (69.48, 28.97, 6.49, 66.35, 74.65, 48.42, 34.45, 72.14),
    0.1: (77.89, 41.00, 13.37, 82.72, 80.66, 57.28, 50.82, 78.30),
    0.2: (83.23, 51.76, 24.14, 88.11, 84.12, 62.42, 62.00, 81.76),
    0.3: (85.19, 56.76, 32.73, 90.05, 85.43, 64.56, 66.31, 82.69),
    0.5: (87.40, 62.34, 47.53, 91.07, 86.75, 66.10, 70.23, 83.23),
    0.8: (88.78, 66.08, 56.71, 92.13, 87.55, 67.10, 72.56, 83.42),
    0.9: (89.11, 66.76, 59.22, 92.23, 87.69, 67.45, 73.09, 83.52),
    1.0: (89.14, 66.28, 60.94, 92.50, 87.70, 67.33, 73.43, 83.51),
}

# (weights, delta): for each task the redundancy by the authors' estimator, then by the definition
REDUNDANCY = {
    ("standard", 0.80): ((0.95, 0.90), (0.80, 0.70), (0.50, 0.20), (0.95, 0.90)),
    ("standard", 0.90): ((0.90, 0.80), (0.50, 0.50), (0.20, 0.20), (0.90, 0.80)),
    ("standard", 0.95): ((0.70, 0.70), (0.50, 0.20), (0.20, 0.10), (0.80, 0.80)),
    ("standard", 0.99): ((0.20, 0.20), (0.20, 0.20), (0.00, 0.00), (0.50, 0.20)),
    ("robust", 0.80): ((0.95, 0.95), (0.90, 0.90), (0.80, 0.80), (0.95, 0.95)),
    ("robust", 0.90): ((0.90, 0.90), (0.80, 0.80), (0.70, 0.70), (0.95, 0.90)),
    ("robust", 0.95): ((0.80, 0.80), (0.70, 0.70), (0.50, 0.50), (0.90, 0.80)),
    ("robust", 0.99): ((0.50, 0.20), (0.20, 0.20), (0.20, 0.10), (0.70, 0.70)),
}


def published_curve(weights, task):
    column = TASKS.index(task) + 4 * (weights == "robust")
    fractions = list(ACCURACY)
    accuracy = [row[column] for row in ACCURACY.values()]
    return fractions[:-1], accuracy[:-1], accuracy[-1]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("weights", "delta"), REDUNDANCY)
def test_published_curves_give_the_published_redundancy(weights, delta, task):
    nearest, first = REDUNDANCY[weights, delta][TASKS.index(task)]
    curve = published_curve(weights, task)
    assert diffused_redundancy(*curve, delta=delta, estimator="nearest") == pytest.approx(nearest)
    assert diffused_redundancy(*curve, delta=delta) == pytest.approx(first)


def test_estimators_differ_where_the_nearest_falls_short():
    fractions, accuracy, full = published_curve("standard", "CIFAR10")
    assert accuracy[fractions.index(0.1)] / full < 0.9  # credited by "nearest" all the same
    assert diffused_redundancy(fractions, accuracy, full, delta=0.9, estimator="nearest") == pytest.approx(0.9)
    assert diffused_redundancy(fractions, accuracy, full, delta=0.9, estimator="first") == pytest.approx(0.8)


@pytest.mark.parametrize("estimator", ["first", "nearest"])
def test_order_of_the_fractions_and_a_row_for_the_full_layer_change_nothing(estimator):
    fractions, accuracy, full = published_curve("robust", "Pets")
    want = diffused_redundancy(fractions, accuracy, full, delta=0.9, estimator=estimator)
    again = ([1.0, *fractions[::-1]], [full - 3, *accuracy[::-1]], full)
    assert diffused_redundancy(*again, delta=0.9, estimator=estimator) == want


def test_a_tie_of_the_nearest_goes_to_the_smaller_share():
    # both ratios lie an eighth from delta, in binary exactly
    for fractions, accuracy in (([0.2, 0.4], [0.5, 0.75]), ([0.4, 0.2], [0.75, 0.5]), ([0.4, 0.2], [0.5, 0.75])):
        dropped = diffused_redundancy(fractions, accuracy, 1.0, delta=0.625, estimator="nearest")
        assert dropped == pytest.approx(1 - 0.2)
    assert diffused_redundancy([0.2, 0.4], [0.5, 0.75], 1.0, delta=0.626, estimator="nearest") == pytest.approx(0.6)


def test_a_ratio_that_equals_delta_reaches_it():
    assert diffused_redundancy([0.2, 0.4], [0.5, 0.75], 1.0, delta=0.75) == pytest.approx(0.6)
    assert diffused_redundancy([0.2, 0.4], [0.5, 0.75], 1.0, delta=0.7501) == 0


def test_all_features_needed_is_zero():
    assert diffused_redundancy([0.5], [0.1], 0.9, delta=1.0) == 0
    assert diffused_redundancy([0.5], [0.9], 0.9, delta=1.0) == 0.5


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_first_never_grows_with_delta(accuracy, one, other):
    low, high = sorted((one, other))
    fractions = [0.1, 0.2, 0.5, 0.8]
    assert diffused_redundancy(fractions, accuracy, 0.8, delta=low) >= diffused_redundancy(
        fractions, accuracy, 0.8, delta=high
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_gini_equals_mean_absolute_difference(values):
    assert gini(values) == pytest.approx(gini_by_pairs(values), abs=1e-12)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=4))
def test_gini_of_many_curves_is_that_of_each(curves):
    assert gini_by_curve(np.array(curves)).tolist() == pytest.approx([gini(curve) for curve in curves], abs=1e-15)


def test_gini_null_is_what_equally_accurate_classes_show():
    draw = np.random.default_rng(1)
    sizes = np.array([30, 50, 20, 40])
    simulated = [gini((draw.random((4, 50)) < 0.7).cumsum(1)[range(4), sizes - 1] / sizes) for _ in range(4000)]
    assert gini_null(0.7, sizes, n_draws=4000) == pytest.approx(np.mean(simulated), rel=0.03)
    # less accurate, or smaller, classes look more unequal; perfect ones do not
    assert gini_null(0.3, sizes) > 1.5 * gini_null(0.7, sizes) > 2 * gini_null(0.7, 10 * sizes)
    assert gini_null(1.0, sizes) == pytest.approx(0, abs=1e-15)
    assert gini_null(0.5, sizes, seed=1) == gini_null(0.5, sizes, seed=1) != gini_null(0.5, sizes, seed=2)


def test_gini_and_variation_of_known_cases():
    assert gini([0.7, 0.7, 0.7]) == pytest.approx(0, abs=1e-15)
    assert gini([0, 0, 0, 1.0]) == pytest.approx(0.75, abs=1e-6)
    assert gini([0, 0]) == 0  # the 1e-7 of the published formula: no accuracy at all is equality
    assert coefficient_of_variation([0.7, 0.7]) == pytest.approx(0, abs=1e-15)
    assert coefficient_of_variation([0.2, 0.6]) == pytest.approx(0.5)
    assert coefficient_of_variation([0.2, 0.6]) != pytest.approx(np.std([0.2, 0.6], ddof=1) / 0.4)


def test_bad_input_is_refused():
    for call, sentence in (
        (lambda: diffused_redundancy([0.5], [0.4, 0.5], 0.9, delta=0.9), "one shape"),
        (lambda: diffused_redundancy([50], [0.4], 0.9, delta=0.9), r"fractions in \(0, 1\], got 50.0 to 50.0"),
        (lambda: diffused_redundancy([0.5], [float("nan")], 0.9, delta=0.9), "finite accuracies"),
        (lambda: diffused_redundancy([0.5], [0.4], 0.0, delta=0.9), "positive full_accuracy"),
        (lambda: diffused_redundancy([0.5], [0.4], 0.9, delta=90), r"delta in \[0, 1\], got 90"),
        (
            lambda: diffused_redundancy([0.5], [0.4], 0.9, delta=0.9, estimator="last"),
            "'first' or 'nearest', got 'last'",
        ),
        (lambda: gini([]), "class_accuracy of shape"),
        (lambda: gini([0.5, -0.1]), "finite and not negative"),
        (lambda: coefficient_of_variation([0.0, 0.0]), "all 0"),
        (lambda: gini_null(1.1, [3, 4]), r"an accuracy in \[0, 1\] and class_sizes of at least 1, got 1.1"),
        (lambda: gini_null(0.5, [3, 0]), r"got 0.5 and \[3, 0\]"),
    ):
        with pytest.raises(InputError, match=sentence):
            call()
