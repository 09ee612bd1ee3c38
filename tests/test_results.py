"""The schema names what is wrong, files are whole, and summaries equal plain pandas."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diffred_core import files, results
from diffred_core.errors import InputError

ROW = {
    "experiment": "subset_probes",
    "task": "digits",
    "model": "lite0",
    "layer": "penultimate",
    "method": "random",
    "n_features": 10,
    "n_selected": 2,
    "fraction": 0.2,
    "metric": "accuracy",
    "value": 0.5,
}


def table(**changes):
    return results.as_table([ROW | changes])


def test_rows_get_all_columns_in_order_and_their_types():
    made = table()
    assert tuple(made.columns) == results.COLUMNS
    assert str(made["n_selected"].dtype) == "Int64"
    assert made["label"].isna().all()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("fraction", 1.2),
        ("fraction", 0.0),
        ("n_features", 0),
        ("n_features", "many"),
        ("n_selected", 1.5),
        ("n_selected", 0),
        ("converged", "perhaps"),
        ("delta", -0.1),
        ("l2", -1.0),
        ("value", float("inf")),
        ("value", None),
        ("task", None),
        ("metric", None),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_column(column, value):
    with pytest.raises(InputError, match=f"column '{column}' of the results table must be") as caught:
        table(**{column: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value"), [("fraction", 1.0), ("delta", 0.0), ("l2", 0.0), ("value", -0.1), ("seed", 0)]
)
def test_a_good_value_at_the_limit_is_taken(column, value):
    assert table(**{column: value})[column].iloc[0] == value


def test_more_features_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"column 'n_selected' .* must not exceed 'n_features', got 11 of 10"):
        table(n_selected=11)


def test_an_unknown_column_is_refused_with_a_near_name():
    with pytest.raises(InputError, match="has no column 'fractoin'; did you mean 'fraction'"):
        table(fractoin=0.1)


def test_a_missing_column_is_refused():
    with pytest.raises(InputError, match="must have a column 'value'"):
        results.check(table().drop(columns="value"))


def test_a_table_from_before_a_column_was_added_is_read_with_that_column_empty():
    older = results.check(table().drop(columns="at"))
    pd.testing.assert_frame_equal(older, table())
    assert older["at"].isna().all()


def test_a_written_table_is_read_back_equal(tmp_path):
    made = results.as_table(
        [
            ROW | {"label": "0", "converged": True},
            ROW | {"label": "None", "converged": False, "value": 1 / 3},
            ROW | {"label": "NA", "l2": 1e-300, "seed": 2**40},
            ROW,
        ]
    )
    path = results.write(made, tmp_path / "a" / "t.csv", provenance={"parameters": {}})
    pd.testing.assert_frame_equal(results.read(path), made)


def test_reading_checks_the_schema(tmp_path):
    path = results.write(table(), tmp_path / "t.csv", provenance={})
    path.write_text(path.read_text().replace("0.2", "1.2"))
    with pytest.raises(InputError, match=r"t\.csv: column 'fraction'"):
        results.read(path)
    with pytest.raises(InputError, match="is not the table that its provenance describes"):
        results.read_provenance(path)


def test_reading_what_is_not_there_says_so(tmp_path):
    with pytest.raises(InputError, match="expected a results table at"):
        results.read(tmp_path / "t.csv")
    with pytest.raises(InputError, match="expected the provenance of"):
        results.read_provenance(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"expected tables \*/\*/subset_probes\.csv"):
        results.read_all(tmp_path, analysis="subset_probes")


def test_a_refused_table_leaves_the_old_one(tmp_path):
    path = results.write(table(), tmp_path / "t.csv", provenance={})
    before = path.read_bytes()
    with pytest.raises(InputError):
        results.write(table().assign(fraction=2.0), path, provenance={})
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.provenance.json"]


def test_provenance_says_what_made_the_table(tmp_path):
    said = results.collect_provenance({"seed": 1}, feature_keys={"test": "abc"}, device="cpu", started=0.0)
    path = results.write(table(), tmp_path / "t.csv", provenance=said)
    found = results.read_provenance(path)
    assert found["parameters"] == {"seed": 1}
    assert found["feature_keys"] == {"test": "abc"}
    assert found["wall_seconds"] > 0
    assert "checkpoint_sha256" not in found
    (tmp_path / "w.pth").write_bytes(b"weights")
    of_file = results.collect_provenance({"checkpoint": str(tmp_path / "w.pth")})
    assert of_file["checkpoint_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert {"python", "torch", "pandas"} <= set(found["versions"])
    assert {"commit", "dirty", "created", "device", "table_sha256"} <= set(found)
    assert json.loads(results.provenance_path(path).read_text()) == found


def test_tables_of_a_grid_are_read_together(tmp_path):
    for task in ("b", "a"):
        results.write(table(task=task), tmp_path / task / "lite0" / "subset_probes.csv", provenance={})
    results.write(table(task="c"), tmp_path / "c" / "lite0" / "other.csv", provenance={})
    assert results.read_all(tmp_path, analysis="subset_probes")["task"].tolist() == ["a", "b"]


def many():
    draw = np.random.default_rng(0)
    return results.as_table(
        [
            ROW | {"method": method, "repeat": repeat, "metric": metric, "value": draw.normal(), "label": label}
            for method in ("random", "pca")
            for repeat in range(4)
            for metric in ("accuracy", "gini")
            for label in ("cat", None)
        ]
    )


def test_summary_equals_plain_pandas():
    made = many()
    found = results.summarize(made, ["method", "label"], metric="accuracy", level=0.9).set_index("method")
    plain = made[(made["metric"] == "accuracy") & (made["method"] == "pca") & made["label"].isna()]["value"]
    reach = stats.t.ppf(0.95, 3) * plain.sem()
    row = found[found["label"].isna()].loc["pca"]
    assert row["n"] == 4
    assert set(found["level"]) == {0.9}
    np.testing.assert_allclose(
        row[["mean", "low", "high"]].astype(float), [plain.mean(), plain.mean() - reach, plain.mean() + reach]
    )
    assert len(found) == 4


def test_summary_of_single_measurements_has_no_interval():
    found = results.summarize(table(), "method")
    assert found["n"].tolist() == [1]
    assert found[["low", "high"]].isna().all(axis=None)


def test_summary_refuses_to_mix_metrics():
    with pytest.raises(InputError, match="metric must be one of accuracy, gini, got None"):
        results.summarize(many(), "method")
    with pytest.raises(InputError, match="metric must be one of accuracy, gini, got 'acuracy'"):
        results.summarize(many(), "method", metric="acuracy")
    assert len(results.summarize(many(), ["method", "metric"])) == 4


def test_interval_covers_at_its_level():
    draw = np.random.default_rng(1)
    values = draw.normal(size=(400, 5))
    rows = [ROW | {"seed": i, "repeat": r, "value": v} for i, row in enumerate(values) for r, v in enumerate(row)]
    found = results.summarize(results.as_table(rows), "seed", level=0.8)
    covered = ((found["low"] < 0) & (found["high"] > 0)).mean()
    assert abs(covered - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 400)


def test_paths_are_slugged(monkeypatch, tmp_path):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path))
    assert results.table_path("folder:/data/x", "a/b", "t") == tmp_path / "tables" / "folder-data-x" / "a-b" / "t.csv"
    assert files.notebook_path("d", "m", "t").name == "t.ipynb"
    assert files.record_path("d", "m", "t") == tmp_path / "records" / "d" / "m" / "t.json"


def of_episodes(values, **changes):
    """The one row that stands for one value an episode."""
    return ROW | changes | {"value": np.mean(values), "sd": np.std(values, ddof=1), "n": len(values)}


def test_one_row_gives_the_interval_of_all_episodes():
    draw = np.random.default_rng(0)
    top, bottom = draw.uniform(0.5, 1, 300), draw.uniform(0, 0.5, 200)
    made = results.as_table([of_episodes(top, method="top"), of_episodes(bottom, method="bottom")])
    found = results.summarize(made, "method", metric="accuracy", level=0.9).set_index("method")
    for method, values in {"top": top, "bottom": bottom}.items():
        low, high = stats.t.interval(0.9, len(values) - 1, values.mean(), stats.sem(values))
        assert found.loc[method, ["mean", "low", "high"]].tolist() == pytest.approx([values.mean(), low, high])
        assert found.loc[method, "n"] == len(values)


def test_a_row_with_limits_of_its_own_keeps_them():
    summary = results.summarize(table(low=0.4, high=0.55), "method")
    assert summary[["mean", "low", "high", "n"]].to_numpy().tolist() == [[0.5, 0.4, 0.55, 1]]


def test_means_over_episodes_in_one_group_are_refused():
    twice = results.as_table([of_episodes([0.1, 0.2, 0.3]), of_episodes([0.1, 0.2], label="other")])
    with pytest.raises(InputError, match="several means over episodes share a group of method; add the column"):
        results.summarize(twice, "method")
    assert len(results.summarize(twice, ["method", "label"])) == 2


def test_single_draws_and_what_is_pooled_over_them_are_not_averaged():
    mixed = results.as_table([ROW, *(ROW | {"repeat": repeat} for repeat in range(2))])
    with pytest.raises(InputError, match="mixes single draws with what is pooled over draws"):
        results.summarize(mixed, "method")
    assert results.summarize(mixed[mixed["repeat"].notna()], "method")["n"].tolist() == [2]


def test_crossed_limits_are_refused():
    with pytest.raises(InputError, match=r"column 'low' of the results table must not exceed 'high', got 0\.6 of 0\.4"):
        table(low=0.6, high=0.4)


def test_a_run_has_the_parameters_of_its_first_cell_with_the_values_of_now(monkeypatch, tmp_path):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path))
    history = [
        "",
        "%matplotlib inline",
        'task: str = "digits"  # which\nseed: int = 1',
        "seed = 7",
        "x: int = 3\ny = 4",
    ]
    run = results.Run.begin({"In": history, "task": "digits", "seed": 7, "x": 3, "y": 4})
    assert run.parameters == {"task": "digits", "seed": 7}
    assert run.defaults == {"task": "digits", "seed": 1}
    monkeypatch.setenv(files.TABLE, str(tmp_path / "here" / "accuracy.csv"))
    path = run.write(table(), "accuracy", inputs={"test": "abc"})
    assert path == tmp_path / "here" / "accuracy.csv"
    written = results.read_provenance(path)
    assert (written["parameters"], written["feature_keys"]) == ({"task": "digits", "seed": 7}, {"test": "abc"})
    assert written["wall_seconds"] >= 0


def test_a_run_gives_a_function_the_parameters_that_it_takes():
    def sweep(layer, *, seed=0, fractions=(0.5,), n_boot=10): ...

    run = results.Run({"task": "digits", "seed": 7, "fractions": None})
    assert run.options(sweep) == {"seed": 7}
    assert run.options(lambda: None) == {}


def test_a_run_without_its_parameters_cell_is_refused():
    for namespace in ({}, {"In": ["", "import torch", "x: int"]}):
        with pytest.raises(InputError, match=r"expected a parameters cell .* run the notebook from its first cell"):
            results.Run.begin(namespace)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n", b'"', b"[3]"], ids=str)
def test_a_table_or_provenance_that_is_none_is_one_sentence(tmp_path, content):
    path = results.write(table(), tmp_path / "t.csv", provenance={})
    beside = path.with_suffix(".provenance.json")
    whole = beside.read_bytes()
    beside.write_bytes(content)
    with pytest.raises(InputError, match=r"expected the provenance of .*, got something else; run the analysis again"):
        results.read_provenance(path)
    beside.write_bytes(whole)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.csv"):
        results.read(path)
    with pytest.raises(InputError, match=r"is not the table that its provenance describes"):
        results.read_provenance(path)
