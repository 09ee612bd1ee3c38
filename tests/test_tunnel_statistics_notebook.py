"""The notebook of the published statistics runs on any table of the form, and tells of numbers that do not come out."""

from __future__ import annotations

import re

import papermill
import pytest
from reference_tunnel_statistics import invented_file
from test_notebooks import NOTEBOOKS, cells, shown

from diffred_core import files, results
from diffred_core.results import published

TEMPLATE = NOTEBOOKS / "tunnel_statistics.ipynb"
QUICK = {"n_splits": 1, "n_folds": 2, "n_seeds": 1, "n_boot": 200}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    invented_file().to_csv(folder / "table.csv", index=False)
    output = folder / "page.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder / "runs"))
        patch.setenv(files.TABLE, str(folder / "tunnel_statistics.csv"))
        papermill.execute_notebook(
            TEMPLATE,
            output,
            parameters=QUICK | {"path": str(folder / "table.csv")},
            progress_bar=False,
            kernel_name="python3",
        )
    return output, folder / "tunnel_statistics.csv"


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_every_cell_ran_without_complaint(executed):
    for cell in cells(executed[0], "code"):
        assert cell["execution_count"] is not None
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]


def test_every_figure_has_words_and_every_table_a_caption(executed):
    html = shown(executed[0])
    pictures = [part for part in html if "<img" in part]
    assert len(pictures) == 4
    assert all(re.search(r'alt="[^"]*\d[^"]*"', part) for part in pictures)
    assert all(part.count("<table") == part.count("<caption>") for part in html)


def test_another_table_is_called_so_and_its_numbers_differ(executed):
    page = executed[0].read_text()
    assert "NOT the published ones" in page
    table = results.read(executed[1])
    verdicts = table[table["method"] == "replay"].set_index("label")["value"]
    assert verdicts.sum() == len(published.tunnel_numbers())
    assert verdicts["differs"] > verdicts["equal"]
    assert results.read_provenance(executed[1])["parameters"]["n_folds"] == 2
