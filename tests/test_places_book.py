"""A folder of images outside the checkout, from a grid and from `diffred run`, up to its page in the rendered book."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from small_checkout import PARAMETERS, PROJECT, write_notebook
from staged_project import make_project
from typer.testing import CliRunner

from diffred_core import files, running
from diffred_core.cli.commands import app

NAMES = "model_name: str | None = None  # its name\ntask_name: str | None = None  # its name\n"
READS = """
from pathlib import Path
if model == "bad":
    raise ValueError(f"{model} cannot read {task}")
print(model, task, sorted(path.name for path in Path(task.removeprefix("folder:")).iterdir()))"""
GRID = "models: [good, bad]\ntasks: ['folder:{}']\nanalyses: {{tiny: {{}}}}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = make_project(tmp_path_factory.mktemp("places") / "project")
    shutil.copytree(PROJECT / "workflow", root / "workflow")
    shutil.rmtree(root / "workflow" / "grids")
    write_notebook(root / "notebooks" / "tiny.ipynb", READS, parameters=PARAMETERS + NAMES)
    birds = tmp_path_factory.mktemp("data") / "birds"
    (birds / "owl").mkdir(parents=True)
    files.write_text(root / "workflow/grids/embedded.yml", GRID.format(birds))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PYTHONPATH", str(PROJECT))
        patch.setenv("PYTHONSAFEPATH", "1")  # not the small package of the small checkout
        patch.delenv("DIFFRED_RUNS", raising=False)
        yield birds


def diffred(*arguments: str):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def title(page: str) -> str:
    text = (Path("_build/html/results/tiny") / page).read_text()
    return re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)<a", text, re.DOTALL)[1]).strip()


def test_a_folder_outside_the_checkout_gets_its_page_whatever_fails_beside_it(project):
    failed = diffred("grid", "embedded", "--cores", "1")
    assert failed.exit_code == 1
    assert "1 jobs failed" in failed.stderr
    assert "the book has what is good" in failed.stderr
    assert title("folder-birds--good.html") == "tiny: good on folder:birds"
    assert not Path("_build/html/results/tiny/folder-birds--bad.html").exists()
    status = diffred("status", "embedded").stdout
    assert "good    tiny  folder:birds  good\n" in status  # not stale for ever
    assert "failed  tiny  folder:birds  bad  tiny.ipynb failed in code cell 3 of 3" in status

    files.write_text(Path("workflow/grids/embedded.yml"), GRID.format(project).replace(", bad", ""))
    assert "jobs done" in running.run_grid("embedded", cores=1)
    assert running.run_grid("embedded", cores=1).startswith("nothing to do")

    chosen = ("--task", f"folder:{project}")
    assert diffred("run", "tiny", "--model", "other", *chosen).exit_code == 0
    assert diffred("run", "tiny", "--model", "good", *chosen, "-p", "times=5").exit_code == 0
    assert "2 jobs done" in running.run_grid("embedded", cores=1)  # staged and built again, no cell
    assert title("folder-birds--other.html") == "tiny: other on folder:birds"
    assert title("folder-birds--good.times-5.html") == "tiny: good on folder:birds (times = 5)"
    listed = re.sub(r"<[^>]+>", "", Path("_build/html/results/tiny.html").read_text())
    assert "good (times = 5)" in listed
    assert running.run_grid("embedded", cores=1).startswith("nothing to do")

    # the path stands in no page, short as it is written in a record or in full
    pages = [path for path in Path("_build/html").rglob("*") if path.suffix in (".html", ".ipynb", ".js")]
    assert len(pages) > 10
    for path in pages:
        assert str(project.parent) not in path.read_text(), path
    box = Path("_build/html/results/tiny/folder-birds--good.html").read_text()
    assert (
        f"/{project.parent.name}/birds" in box
    )  # the control: the box says from where, seen from the machine's folder
