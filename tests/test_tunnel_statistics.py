"""The published table: finding it, reading it, naming its rows, and saying what is wrong with another one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference_tunnel_statistics import invented_file, invented_table

from diffred_core.chapters import tunnel_paper
from diffred_core.chapters.tunnel_paper import names
from diffred_core.chapters.tunnel_paper.sweep_statistics import as_results, average_rows
from diffred_core.chapters.tunnel_paper.table import networks
from diffred_core.errors import InputError
from diffred_core.results import published


def written(folder, change=None, name="experiments_results.csv"):
    """Write an invented file, changed by `change`, and return its path."""
    table = invented_file()
    table = table if change is None else change(table)
    table.to_csv(folder / name, index=False)
    return folder / name


def test_the_published_rows_are_read_without_a_file_and_another_file_is_told_apart(tmp_path):
    path = written(tmp_path)
    rows = tunnel_paper.read()
    assert len(rows) == len(tunnel_paper.read(path)) == 512
    assert not rows[list(names.MEASURES)].equals(tunnel_paper.read(path)[list(names.MEASURES)])
    assert tunnel_paper.extent(rows) == "512 rows of 64 networks, the published ones"
    assert tunnel_paper.extent(rows, path) == "512 rows of 64 networks, NOT the published ones"
    assert len({tunnel_paper.digest(None), tunnel_paper.digest(path)}) == 2


def test_line_ends_do_not_matter(tmp_path):
    path = written(tmp_path)
    before = tunnel_paper.digest(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert tunnel_paper.digest(path) == before


def test_a_file_given_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"path to be the table .* no file '.*none\.csv'; leave path out"):
        tunnel_paper.read(tmp_path / "none.csv")


def test_sixty_four_networks_by_eight_sets(tmp_path):
    table = invented_table(tmp_path)
    assert table.groupby("block").size().eq(8).all()
    assert not table.duplicated(["network", "id_set", "augmentation", "resolution", "position"]).any()
    assert table["id_set"].str.startswith("ImageNet-100").sum() == 52 * 8
    on_cifar = table[table["id_set"] == "CIFAR-100"]["ood_set"]
    assert "CIFAR-10" in set(on_cifar)
    assert "CIFAR-100" not in set(on_cifar)
    assert set(table[table["id_set"] != "CIFAR-100"]["ood_set"]) >= {"CIFAR-100", "Pets"}


def test_values_stay_with_their_rows(tmp_path):
    table, file = invented_table(tmp_path), invented_file()
    np.testing.assert_array_equal(table["retained"], file["Percentage OOD retained"])
    np.testing.assert_array_equal(table["correlation"], file["Pearson Correlation"])
    assert (table["augmentation"] == (file["Augmentations"] == 2)).all()


def test_the_order_of_architectures_differs_between_resolutions():
    full = networks().query("id_set == 'ImageNet-100' and network in @names.CROSSED")
    first = {r: list(dict.fromkeys(full.loc[full["resolution"] == r, "network"])) for r in (32, 64)}
    assert first == {32: ["VGGm-17", "ResNet-18", "ViT-T+"], 64: ["VGGm-17", "ViT-T+", "ResNet-18"]}


def swapped(table):
    """Exchange blocks 8 and 16, a ResNet and a ViT."""
    order = np.arange(512).reshape(64, 8)
    order[[8, 16]] = order[[16, 8]]
    return table.iloc[order.ravel()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="Stem"), "expected a column 'Stem' in experiments_results.csv, but there is none"),
        (lambda t: t.assign(extra=1), "has a column 'extra' where the published file has another"),
        (lambda t: t.iloc[:-8], r"expected 512 rows .*\(64 networks, 8 OOD sets each\), got 504"),
        (
            lambda t: t.assign(**{"Percentage OOD retained": t["Percentage OOD retained"].where(t.index != 3, 120.0)}),
            r"'Percentage OOD retained' .* to be in \(0, 100\], got 120\.0 in row 3",
        ),
        (
            lambda t: t.assign(**{"CNN vs ViT": t["CNN vs ViT"].where(t.index != 5, "MLP")}),
            "'CNN vs ViT' .* to be CNN or Transformer, got MLP in row 5",
        ),
        (
            lambda t: t.assign(**{"Pearson Correlation": t["Pearson Correlation"].where(t.index != 9)}),
            "'Pearson Correlation' .* got nan in row 9",
        ),
        (swapped, r"expected stem 7 in row 64, since block 8 is ResNet-18, got 8; keep the published order"),
        (
            lambda t: t.assign(**{"OverParam. Level": t["OverParam. Level"] * 1.01}),
            "expected over_parameterisation 74.67.* in row 0, since block 0 is VGGm-11",
        ),
    ],
)
def test_another_table_is_refused_with_one_sentence(tmp_path, change, sentence):
    with pytest.raises(InputError, match=sentence):
        tunnel_paper.read(written(tmp_path, change))


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"expected empty\.csv to be a table of comma-separated values"):
        tunnel_paper.read(tmp_path / "empty.csv")


def test_published_numbers_name_what_can_be_recomputed():
    numbers = published.tunnel_numbers()
    assert not numbers.duplicated(["quantity", "subject", "side", "metric"]).any()
    assert set(numbers["metric"]) == {*names.MEASURES, ""}
    slopes = numbers["quantity"].str.startswith("slope")
    assert set(numbers.loc[slopes, "subject"]) == set(names.PREDICTORS)
    shares = numbers[numbers["quantity"] == "slope_share"]["value"].abs().groupby(numbers["metric"]).sum()
    assert shares.between(0.95, 1.05).all()  # eight rounded shares of one


def test_published_accuracies_are_of_networks_of_the_table():
    accuracies = published.tunnel_accuracies()
    keys = ["network", "augmentation", "resolution"]
    known = networks().query("id_set == 'ImageNet-100'")
    assert len(accuracies.merge(known, on=keys)) == len(accuracies) == 28
    assert list(accuracies.columns[8:10]) == ["Pets", "CIFAR"]  # as printed, unlike tables 5 to 7


def test_strength_follows_the_mean_over_sets(tmp_path):
    table = invented_table(tmp_path)
    rows = as_results(list(average_rows(table)))
    means = table.groupby("name")["retained"].mean()
    stored = rows.query("metric == 'mean' and label == 'retained'").set_index("method")["value"]
    pd.testing.assert_series_equal(stored[means.index], means, check_names=False)
    labels = ["strong", "medium", "weak", "negligible"]
    expected = pd.cut(means, [0, 80, 90, 95, 101], right=False, labels=labels).value_counts()
    counts = rows[rows["metric"] == "networks"].set_index("method")["value"]
    assert counts.to_dict() == expected.to_dict()
    assert (counts > 0).sum() > 1
    shown = tunnel_paper.tables.strengths.summary(rows)
    assert shown[labels].sum().to_dict() == expected.to_dict()


def test_every_network_has_a_name_of_its_own():
    assert networks()["name"].is_unique
    printed = published.tunnel_numbers().query("quantity == 'mean' and subject.str.contains('augmentation, ')")
    assert len(printed) == 28
    assert set(printed["subject"]) <= set(networks()["name"])
