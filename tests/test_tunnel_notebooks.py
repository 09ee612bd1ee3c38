"""The notebooks of the tunnel's factors and of the swap on tiny networks: they run and show what they computed."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from executed_notebook import executed_notebook
from test_notebooks import cells, shown

from diffred_core import results
from diffred_core.chapters import depth

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TINY = {"task": "digits", "n_train": 400, "n_test": 80, "architecture": "vggm11-w2", "epochs": 1, "batch_size": 32}
RUNS = {
    "tunnel_factors": TINY
    | {
        "ood_tasks": [],
        "classes": [2, 6],
        "image_sizes": [16, 24],
        "n_images": 60,
        "n_probe": 80,
        "factors": ["wider"],
    },
    "tunnel_swap": TINY | {"image_size": 16},
}
MODELS = {"tunnel_factors": "small_networks", "tunnel_swap": "vggm"}
CLAIM = {
    "tunnel_factors": lambda table: depth.claims_factors.of_contrast(table, "headline"),
    "tunnel_swap": lambda table: depth.claims_swap.network_forgets(table),
}
PICTURES = {"tunnel_factors": 3, "tunnel_swap": 1}


@pytest.fixture(scope="module", params=RUNS)
def executed(request, tmp_path_factory):
    name, folder = request.param, tmp_path_factory.mktemp("runs")
    with executed_notebook(NOTEBOOKS / f"{name}.ipynb", folder, model=MODELS[name], parameters=RUNS[name]) as run:
        yield name, run


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_it_runs_without_complaint_and_describes_its_figures(executed):
    name, (output, _, _) = executed
    for cell in cells(output, "code"):
        assert cell["execution_count"] is not None
        assert not [part for part in cell["outputs"] if part.get("name") == "stderr"]
    pictures = [shape for shape in shown(output) if "<img" in shape]
    assert len(pictures) == PICTURES[name]
    for picture in pictures:
        (alt,) = re.findall(r'alt="([^"]*)"', picture)
        assert re.search(r"\d", alt)


def test_the_findings_on_the_page_are_those_of_the_table(executed):
    name, (output, table, _) = executed
    claim = CLAIM[name](table)
    page = output.read_text()
    assert json.dumps(html.escape(claim.evidence))[1:-1] in page
    assert (
        json.dumps(html.escape(claim.evidence.replace(f"{claim.value:+.1f}", f"{claim.value + 1:+.1f}")))[1:-1]
        not in page
    )


def test_the_table_says_what_it_was_made_from(executed):
    name, (_, table, folder) = executed
    made_by = results.read_provenance(folder / "tables" / "digits" / MODELS[name] / f"{name}.csv")
    assert made_by["parameters"]["architecture"] == "vggm11-w2"
    assert set(table["experiment"]) == {name}
    assert made_by["feature_keys"]
