"""The notebooks of the chapter run as papermill runs them, on a file of features, and say what their tables hold."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import papermill
import pytest
from synthetic_task import make_task
from test_notebooks import NOTEBOOKS, cells, shown

from diffred_core import files, results
from diffred_core.chapters import governs
from diffred_core.results import where

QUICK = {"n_seeds": 2, "n_boot": 50, "model": "one", "other_models": [{"model": "any", "name": "again"}]}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run one factor on the same features twice, then the summary on its table."""
    folder, outputs = tmp_path_factory.mktemp("runs"), {}
    X, y = (np.concatenate(parts) for parts in zip(*make_task().splits.values(), strict=True))
    np.savez(folder / "layer.npz", X=X, y=y)
    chosen = {"what_governs": QUICK | {"task": f"embeddings:{folder / 'layer.npz'}"}, "governs_summary": {}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder / "runs"))
        patch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
        for name, parameters in chosen.items():
            outputs[name] = folder / f"{name}.ipynb"
            patch.setenv(files.TABLE, str(files.table_path(*files.labels(parameters), name)))
            options = {"progress_bar": False, "kernel_name": "python3"}
            papermill.execute_notebook(NOTEBOOKS / f"{name}.ipynb", outputs[name], parameters=parameters, **options)
    return {**outputs, "tables": folder / "runs" / "tables"}


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
@pytest.mark.parametrize("name", ["what_governs", "governs_summary"])
def test_every_cell_ran_without_error_or_complaint(name: str, executed: dict[str, Path]) -> None:
    for cell in cells(executed[name], "code"):
        assert cell["execution_count"] is not None
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", output["text"]


def test_the_same_features_under_two_names_differ_in_nothing(executed: dict[str, Path]) -> None:
    table = results.read_all(executed["tables"], analysis="what_governs")
    differences = where(table, method=governs.names.DIFFERENCE)
    assert set(differences["label"]) == {"one"}
    assert (differences[["value", "low", "high"]] == 0).all(axis=None)
    (path,) = executed["tables"].glob("*/*/what_governs.csv")
    assert set(results.read_provenance(path)["feature_keys"]) == {  # of both networks, each split
        f"{model} {split}" for model in ("one", "again") for split in ("train", "validation", "test")
    }


def test_the_answer_on_the_page_is_the_one_of_the_table(executed: dict[str, Path]) -> None:
    table = results.read_all(executed["tables"], analysis="what_governs")
    page = html.unescape(shown(executed["what_governs"])[0]).replace("\xa0", " ")
    assert governs.answers.what_governs(table).sentence in page
    assert "scale changes redundancy" in page


def test_a_summary_without_crossed_cells_says_so_and_still_lists_every_claim(executed: dict[str, Path]) -> None:
    page = html.unescape(" ".join(shown(executed["governs_summary"])))
    assert governs.across.NOTHING in page
    tables = results.read_each(governs.claims_paper.ANALYSES, executed["tables"])
    listed = governs.claims_paper.claim_table(governs.claims_paper.paper_claims(tables))
    assert set(listed["verdict"]) == {governs.claims_paper.NOT_RUN}
    assert all(claim in page for claim in listed["claim"])
