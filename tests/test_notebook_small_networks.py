"""The notebook of small networks on networks of a second: it runs, shows what it computed, and trains nothing twice."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from executed_notebook import executed_notebook
from test_notebooks import cells, shown, text_of

from diffred_core import results
from diffred_core.chapters import depth
from diffred_core.running import notebook_parameters

TEMPLATE = Path(__file__).parent.parent / "notebooks" / "tunnel_small_networks.ipynb"
TINY = {
    **{"task": "digits", "ood_tasks": [], "id_classes": 5, "image_size": 16},
    **{"depths": [11, 17], "widths": [2], "n_seeds": 2, "epochs": 1},
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with executed_notebook(TEMPLATE, folder, model="vggm", parameters=TINY) as run:
        yield run


def test_every_parameter_has_its_help_and_names_the_page():
    found = notebook_parameters.read_parameters(TEMPLATE)
    assert {"model", "task", "seed", "n_seeds"} <= set(found)
    assert all(parameter.help for parameter in found.values())


def test_the_template_is_short_and_writes_its_table_last():
    code = cells(TEMPLATE, "code")
    assert len(code) <= 12
    assert "run.write(" in text_of(code[-1])
    assert not any(re.search(r"^(def|class) ", text_of(cell), re.MULTILINE) for cell in code)


@pytest.mark.filterwarnings("ignore")  # of the machinery that starts kernels
def test_it_runs_without_complaint_and_describes_its_figures(executed):
    output, _, _ = executed
    for cell in cells(output, "code"):
        assert cell["execution_count"] is not None
        assert not [found for found in cell["outputs"] if found.get("name") == "stderr"]
    pictures = [shape for shape in shown(output) if "<img" in shape]
    assert len(pictures) == 3
    for picture in pictures:
        (alt,) = re.findall(r'alt="([^"]*)"', picture)
        assert re.search(r"\d", alt)


def test_the_findings_on_the_page_are_those_of_the_table(executed):
    output, table, _ = executed
    page = output.read_text()
    claim = depth.claims.late_pooling_retains_more(table, model="vggm17-w2")
    assert json.dumps(html.escape(claim.evidence))[1:-1] in page
    assert f"{claim.value + 1:+.1f}, 95 % interval {claim.low:+.1f}" not in page  # the control


def test_the_table_says_what_it_was_made_from(executed):
    _, table, folder = executed
    said = results.read_provenance(folder / "tables" / "digits" / "vggm" / "tunnel_small_networks.csv")
    assert said["parameters"]["epochs"] == 1
    assert set(said["feature_keys"]) == set(table["task"]) == {"digits[0-4]", "digits[5-9]"}
    # designs, seeds, trained or not
    assert len(list((folder / "networks").rglob("*.safetensors"))) == 4 * 2 * 2
