"""The notebook of losses and regularisers on tiny networks: it runs, says what it measured, trains nothing twice."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from executed_notebook import executed_notebook
from test_notebooks import cells, shown

from diffred_core import results
from diffred_core.chapters import governs

TEMPLATE = Path(__file__).parent.parent / "notebooks" / "loss_and_regulariser.ipynb"
TINY = {
    **{"task": "digits", "ood_tasks": ["elpv_type"], "image_size": 16, "n_train": 200, "n_test": 100},
    **{"architectures": ["vggm11-w2"], "objectives": ["cross_entropy", "matryoshka", "dropout:0.5", "adversarial"]},
    **{"n_seeds": 2, "epochs": 1, "n_draws": 3, "n_prefix_draws": 19, "attack_steps": 2, "n_attacked": 20},
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with executed_notebook(TEMPLATE, folder, model="small_networks", parameters=TINY) as run:
        yield run


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_it_runs_without_complaint_and_describes_its_figures(executed):
    output, _, _ = executed
    for cell in cells(output, "code"):
        assert cell["execution_count"] is not None
        assert not [stream for stream in cell["outputs"] if stream.get("name") == "stderr"]
    pictures = [shape for shape in shown(output) if "<img" in shape]
    assert len(pictures) == 3
    for alt in re.findall(r'alt="([^"]*)"', "".join(pictures)):
        assert re.search(r"\d", alt)


def test_the_findings_on_the_page_are_those_of_the_table(executed):
    output, table, _ = executed
    page = output.read_text()
    for claim in governs.claims_training.all_claims(table):
        assert json.dumps(html.escape(claim.evidence))[1:-1] in page
    sentence = governs.answers.loss_and_regulariser(table).sentence
    assert sentence.split("%")[0].strip() in page.replace("&nbsp;", " ")


def test_the_table_says_what_it_was_made_from(executed):
    _, table, folder = executed
    about = results.read_provenance(folder / "tables" / "digits" / "small_networks" / "loss_and_regulariser.csv")
    assert about["parameters"]["epochs"] == 1
    assert set(about["feature_keys"]) == set(table["task"]) == {"digits", "elpv_type"}
    assert len(list((folder / "networks").rglob("*.safetensors"))) == 4 * 2
