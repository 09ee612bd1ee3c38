"""The SLURM profile on a real SLURM of one node: what runs, what fails, what is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import one_node
import pytest
import yaml
from small_checkout import PROJECT, make_checkout, wait_for, write_notebook

pytestmark = pytest.mark.skipif(
    bool(one_node.missing()),
    reason=f"expected SLURM and munge, {', '.join(one_node.missing())} are not installed; apt install slurm-wlm munge",
)
# What a site puts into its copy of the profile: no accounting, and here two cores and little patience.
SITE = {
    "slurm-no-account": True,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 2,
    "latency-wait": 5,
    "set-threads": ["features=1", "cell=1"],
}
SLEEPS = "import time\nif model == 'slow':\n    open('started', 'w').close()\n    time.sleep(300)\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[one_node.OneNode]:
    """Return a cluster whose node claims more memory than it has: jobs ask for what the largest networks take."""
    with one_node.one_node(tmp_path_factory.mktemp("node"), cpus=2, memory=100_000) as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path, node: one_node.OneNode, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small checkout, from which commands reach the cluster, with a profile of the site."""
    for name, value in {**node.environment, "PYTHONPATH": str(PROJECT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "check out")
    add_site(root)
    monkeypatch.chdir(root)
    return root


def add_site(root: Path) -> None:
    """Write the profile `site` of a checkout: a copy of `slurm` with what differs."""
    profiles = root / "workflow" / "profiles"
    content = yaml.safe_load((profiles / "slurm" / "config.yaml").read_text())
    (profiles / "site").mkdir()
    (profiles / "site" / "config.yaml").write_text(yaml.safe_dump(content | SITE))


def start(name: str, until: str) -> subprocess.Popen[str]:
    """Start a grid on the cluster."""
    command = [sys.executable, "-m", "diffred_core.cli", "grid", name, "--profile", "site", "--until", until]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(grid: subprocess.Popen[str], *, seconds: float = 300) -> tuple[int, str]:
    """Return the exit code of a grid and all that it has said, once it has ended."""
    said = "".join(grid.communicate(timeout=seconds))
    return grid.returncode, said


def write_grid(models: str) -> None:
    Path("workflow/grids/tiny.yml").write_text(f"models: [{models}]\ntasks: [t]\nanalyses: {{hello: {{}}}}\n")


def running_jobs(node: one_node.OneNode) -> list[str]:
    return node.said("squeue", "--noheader", "--format=%i", "--states=running").split()


def test_every_notebook_of_the_smoke_grid_runs_on_the_cluster(checkout: Path) -> None:
    for name in ("notebooks", "book"):
        shutil.rmtree(name)
        shutil.copytree(PROJECT / name, name)
    code, said = ended(start("smoke", "summary"), seconds=900)
    assert code == 0, said
    status = subprocess.run(
        [sys.executable, "-m", "diffred_core.cli", "status", "smoke"], capture_output=True, text=True, check=False
    )
    grid = yaml.safe_load(Path("workflow/grids/smoke.yml").read_text())
    states = [line.split()[0] for line in status.stdout.splitlines()[:-1]]
    assert states == ["good"] * (len(grid["analyses"]) + len(grid["after"])), status.stdout
    assert list(Path("runs/logs/slurm").rglob("*.log")) == []  # kept of failures only


def test_a_cell_that_fails_stops_no_other_of_its_group(checkout: Path) -> None:
    write_notebook(Path("notebooks/hello.ipynb"), "assert model != 'odd', 'an odd model'\nprint(model)")
    write_grid("a, odd, z")
    code, said = ended(start("tiny", "cell"))
    assert code == 1
    assert "1 jobs failed" in said
    assert "an odd model" in said
    made = sorted(path.parent.name for path in Path("runs/stamps").rglob("*.json"))
    assert made == ["a", "z"]
    write_notebook(Path("notebooks/hello.ipynb"), "print(model)")
    write_grid("a, odd, z")
    code, said = ended(start("tiny", "cell"))
    assert (code, said.splitlines()[0].partition(" in ")[0]) == (0, "3 jobs done")


@pytest.mark.parametrize(
    ("fault", "reason"), [("cancelled", "SLURM status is: 'CANCELLED'"), ("lost", "the cluster has lost its job")]
)
def test_a_job_that_the_cluster_ends_or_loses_is_a_failed_cell(
    checkout: Path, node: one_node.OneNode, fault: str, reason: str
) -> None:
    write_notebook(Path("notebooks/hello.ipynb"), f"{SLEEPS}print(model)")
    write_grid("slow")
    grid = start("tiny", "cell")
    wait_for(Path("started").exists, seconds=120)
    (job,) = running_jobs(node)
    if fault == "cancelled":
        node.said("scancel", job)
    else:
        node.stop("slurmctld")
        node.start_controller("-c")
    code, said = ended(grid)
    assert code == 1
    assert re.search(rf"cell hello t slow: .*{reason}", said), said
    assert not Path("runs/records/t/slow/hello.json").exists()
    write_notebook(Path("notebooks/hello.ipynb"), "print(model)")
    code, said = ended(start("tiny", "cell"))
    assert (code, said.splitlines()[0].partition(" in ")[0]) == (0, "1 jobs done"), said


def test_jobs_look_for_weights_in_caches_only(checkout: Path) -> None:
    write_notebook(Path("notebooks/hello.ipynb"), "import os\nassert os.environ['HF_HUB_OFFLINE'] == '1'")
    write_grid("a")
    assert ended(start("tiny", "cell"))[0] == 0
    assert os.environ.get("HF_HUB_OFFLINE") is None  # the control: it is the profile's
