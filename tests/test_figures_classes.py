"""How accuracy is spread over classes: inequality with its null, and every class by the share kept."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from synthetic_task import make_task

from diffred_core import results
from diffred_core.chapters import random_subsets
from diffred_core.errors import InputError

classes, inequality = random_subsets.figures_classes.classes, random_subsets.figures_classes.inequality
variation, inequality_table = random_subsets.figures_classes.variation, random_subsets.figures_classes.inequality_table


@pytest.fixture(scope="module")
def table():
    probes = random_subsets.probes(make_task(), fractions=(0.05, 0.2, 0.5), n_seeds=2, n_boot=50)
    return probes[probes["probe"] == random_subsets.names.HEADLINE].reset_index(drop=True)


def many(n_classes):
    """Return the rows of classes of which the number i loses i points."""
    shared = {"experiment": "subset_probes", "task": "t", "model": "m", "layer": "l", "metric": "class_accuracy"}
    shared |= {"probe": random_subsets.names.HEADLINE, "n_features": 100}
    rows = []
    for i in range(n_classes):
        label = {"label": f"class {i:03d}", "repeat": 0}
        rows.append(shared | label | {"method": "full", "fraction": 1.0, "value": 0.9})
        rows += [
            shared | label | {"method": "random", "fraction": fraction, "repeat": repeat, "value": value - i / 200}
            for fraction in (0.1, 0.2)
            for repeat, value in enumerate((0.899, 0.901))
        ]
    return results.as_table(rows)


def labels_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_rows_are_classes_by_falling_loss_and_cells_are_their_means(table):
    summary = classes.summary(table)
    rows = table[(table["metric"] == "class_accuracy") & (table["method"] == "random")]
    means = rows.groupby(["label", "fraction"])["value"].mean()
    cells = summary.set_index(["label", "fraction"])["mean"]
    assert cells[means.index].to_dict() == pytest.approx(means.to_dict())
    full = table[(table["metric"] == "class_accuracy") & (table["method"] == "full")].set_index("label")["value"]
    losses = (full - means.xs(0.2, level="fraction")).sort_values(ascending=False, kind="stable")
    ax = classes.plot(summary)
    assert labels_of(ax) == losses.index.tolist()
    drawn = np.asarray(ax.collections[0].get_array()).reshape(len(losses), -1)
    np.testing.assert_allclose(drawn[:, -1], full[losses.index])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["5", "20", "50", "100"]
    words = classes.words(summary)
    name, most = losses.index[0], 100 * losses.iloc[0]
    assert f"{name} loses most, {most:.1f} of {100 * full[name]:.1f} points" in words
    assert f"{losses.index[-1]} loses least" in words
    assert "left out" not in words
    plt.close("all")


def test_of_many_classes_both_ends_are_drawn_and_the_rest_is_counted():
    summary = classes.summary(many(100))
    ax = classes.plot(summary)
    expected = [f"class {i:03d}" for i in (*range(99, 79, -1), *range(19, -1, -1))]
    assert labels_of(ax) == expected
    assert "60 classes between are left out" in ax.get_title(loc="left").replace("\n", " ")
    assert "60 classes between are left out" in classes.words(summary)
    assert ax.figure.get_figheight() < 13
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    assert all(ax.figure.bbox.x0 <= box.x0 for box in boxes)
    title = ax.get_title(loc="left")
    assert title
    assert len(labels_of(classes.plot(classes.summary(many(40))))) == 40
    plt.close("all")


def test_a_class_name_is_text_and_no_formula():
    rows = many(2)
    rows["label"] = rows["label"].replace("class 000", r"cost $\\frac{$ and $x^2$")
    ax = classes.plot(classes.summary(rows))
    ax.figure.canvas.draw()
    assert labels_of(ax)[-1] == r"cost $\\frac{$ and $x^2$"
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())
    plt.close("all")


def test_bad_summaries_are_refused():
    summary = classes.summary(many(3))
    with pytest.raises(InputError, match="plot_classes needs at least one row"):
        classes.plot(summary.iloc[:0])
    with pytest.raises(InputError, match="plot_classes needs the column 'loss'"):
        classes.plot(summary.drop(columns="loss"))
    with pytest.raises(InputError, match="plot_classes draws one probe, got a, b"):
        classes.plot(pd.concat([summary.assign(probe="a"), summary.assign(probe="b")]))


def test_both_measures_stand_side_by_side_and_gini_with_its_null(table):
    shown = inequality_table.summary(table)
    assert shown[["Gini", "CV", "by chance"]].notna().all().all()
    pooled = table[table["repeat"].isna() & (table["method"] == "random") & (table["fraction"] == 0.2)]
    row = shown[(shown["method"] == "random") & (shown["dimensions"] == "20 %")].iloc[0]
    for metric, column in (("gini", "Gini"), ("coefficient_of_variation", "CV")):
        assert row[column] == pooled.loc[pooled["metric"] == metric, "value"].item()
    points = inequality.summary(table)
    null = table[(table["metric"] == "gini_null") & (table["method"] == "random")].groupby("fraction")["value"].mean()
    (line,) = (line for line in inequality.plot(points).lines if line.get_label() == "chance alone, one draw")
    assert sorted(line.get_ydata()) == pytest.approx(sorted(null))
    assert "Equally accurate classes would show" in inequality.words(points)
    ax = variation.plot(points)
    assert "coefficient of variation" in ax.get_ylabel()
    (line,) = (line for line in ax.lines if line.get_label() == "random subset")
    random = points[points["method"] == "random"].sort_values("accuracy")
    assert line.get_ydata().tolist() == random["coefficient_of_variation"].tolist()
    assert variation.words(points) != inequality.words(points)
    assert "chance" not in [line.get_label() for line in ax.lines]
    plt.close("all")
