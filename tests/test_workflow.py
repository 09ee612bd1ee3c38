from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_checkout import PROJECT, is_running, make_checkout, outputs_of, wait_for, write_notebook

from diffred_core import files
from diffred_core.running import GridFailure, dry_run_of, read_grid, run_grid, warm
from diffred_core.running._gpu_slots import gpu_of_its_own


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    # The package of this checkout, wherever an installed one comes from.
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "check out")
    monkeypatch.chdir(root)
    return root


def jobs(until: str = "summary") -> list[str]:
    """Return the jobs to come, without their reasons."""
    return sorted(line.partition(": ")[0] for line in dry_run_of("tiny", until=until).splitlines())


def text_of(path: Path) -> str:
    return outputs_of(path).strip()


def test_a_grid_runs_what_has_changed_and_keeps_what_was_good(checkout):
    notebook = {model: files.notebook_path("t", model, "hello") for model in ("a/b", "c")}
    assert jobs("book") == ["book", "cell hello t a-b", "cell hello t c", "stage", "summary total summary summary"]
    assert run_grid("tiny", cores=2, until="summary").startswith("3 jobs done")
    assert [text_of(path) for path in notebook.values()] == ["a/b on t 3", "c on t 3"]
    assert text_of(files.notebook_path("summary", "summary", "total")) == "all"
    assert sorted(path.name for path in checkout.iterdir()) == sorted(
        ["CHANGELOG.md", "_config.yml", "book", "notebooks", "runs", "workflow"]  # nothing is written beside runs/
    )

    os.utime("notebooks/hello.ipynb")
    log = files.runs_root() / "logs" / "grid-tiny.log"
    log.write_text("of the run before")
    assert run_grid("tiny", until="summary").startswith("nothing to do")
    assert log.read_text() == "of the run before"  # without Snakemake, which would have begun a new one
    Path("CHANGELOG.md").write_text("another line\n")
    assert run_grid("tiny", until="summary").startswith("nothing to do")
    assert log.read_text() != "of the run before"  # a page has changed: now Snakemake is asked

    write_notebook(Path("notebooks/hello.ipynb"), "if model == 'c':\n    raise ValueError('odd')", "print('new')")
    with pytest.raises(GridFailure, match=r"1 jobs failed") as failure:
        run_grid("tiny", cores=2, until="summary")
    assert "cell hello t c: hello.ipynb failed in code cell 3 of 4" in str(failure.value)
    assert "ValueError: odd" in str(failure.value)
    assert text_of(notebook["a/b"]) == "new"
    assert text_of(notebook["c"]) == "c on t 3"  # the last good one
    assert jobs() == ["cell hello t c", "summary total summary summary"]  # a failure is not taken for done


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupted_grid_takes_its_kernels_with_it(checkout, number):
    source = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    write_notebook(Path("notebooks/hello.ipynb"), source)
    command = [sys.executable, "-m", "diffred_core.cli", "grid", "tiny", "--cores", "1", "--until", "cell"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        kernel = int(wait_for(lambda: Path("pid").is_file() and Path("pid").read_text()))
        assert is_running(kernel)  # the control: it does run before the signal
        running.send_signal(number)
        assert running.wait(timeout=40) != 0
    wait_for(lambda: not is_running(kernel))
    assert jobs("cell") == ["cell hello t a-b", "cell hello t c"]  # no lock and no half result is left


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every job is a process of its own")
def test_the_jobs_of_a_large_grid_are_forks_of_one_process_that_ends_with_it(checkout, monkeypatch):
    monkeypatch.setattr(warm, "LIBRARIES", ("sched", "papermill", "nbclient", "ipykernel.kernelapp"))
    write_notebook(Path("notebooks/hello.ipynb"), "import os, sys\nprint('sched' in sys.modules, os.getppid())")
    monkeypatch.setattr("diffred_core.running._snakemake.MANY_JOBS", 3)
    models = [f"m{i}" for i in range(3)]
    Path("workflow/grids/tiny.yml").write_text(f"models: {models}\ntasks: [t]\nanalyses: {{hello: {{}}}}\n")
    run_grid("tiny", cores=1, until="cell")
    outputs = [outputs_of(files.notebook_path("t", model, "hello")).split() for model in models]
    parents = {parent for warmed, parent in outputs if warmed == "True"}
    assert len(parents) == 1
    assert not is_running(int(parents.pop()))


def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, until: str) -> list[str]:
    """Return the calls of sbatch for the grid `tiny`, which takes no job."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("sbatch", "squeue", "sacct", "scontrol", "sinfo", "sacctmgr", "scancel"):
        fake = commands / name
        fake.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/calls"\ntest {name} != sbatch\n')
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    options = ["--profile", "workflow/profiles/slurm", "--snakefile", "workflow/Snakefile", "--directory", "runs"]
    command = [sys.executable, "-m", "snakemake", *options, "--config", "grid=tiny", "--until", until]
    Path("runs").mkdir()
    at_once = ["--retries", "0", "--slurm-init-seconds-before-status-checks", "1"]
    subprocess.run([*command, *at_once], capture_output=True, timeout=120, check=False)
    return [line for line in Path(tmp_path / "calls").read_text().splitlines() if line.startswith("sbatch")]


@pytest.mark.parametrize(("device", "gpus"), [("cuda", True), ("cpu", False)])
def test_slurm_is_asked_for_what_profile_and_grid_say(checkout, tmp_path, monkeypatch, device, gpus):
    parameters = "model: str = 'm'\ntask: str = 't'\ndevice: str = 'cpu'"
    write_notebook(Path("notebooks/hello.ipynb"), "from diffred_core import features", parameters=parameters)
    Path("workflow/grids/tiny.yml").write_text(
        f"models: [a/b, c]\ntasks: [t]\ndevice: {device}\nanalyses: {{hello: {{}}}}\n"
    )
    jobs = submitted(tmp_path, monkeypatch, until="features")
    assert len(jobs) == 2
    for line in jobs:
        assert ("--gpus=1" in line) == gpus
        for option in ("--cpus-per-task=4", "--mem 8000", "-t 120"):
            assert option in line


def test_six_cells_share_a_job_that_asks_for_what_one_of_them_takes(checkout, tmp_path, monkeypatch):
    models = [f"m{i}" for i in range(7)]
    Path("workflow/grids/tiny.yml").write_text(f"models: {models}\ntasks: [t]\nanalyses: {{hello: {{}}}}\n")
    jobs = submitted(tmp_path, monkeypatch, until="cell")
    assert len(jobs) == 2
    assert all("--cpus-per-task=2" in line and "--mem 8000" in line and "--gpus" not in line for line in jobs)
    assert sorted(line.partition(" -t ")[2].split()[0] for line in jobs) == ["360", "60"]  # minutes, one after another


COMPUTE = "model: str = 'm'\ntask: str = 't'\ndevice: str = 'cpu'\nprecision: str = 'fp32'"


@pytest.mark.parametrize(
    ("grid", "extraction", "cell"),
    [
        ("device: cuda\nanalyses: {hello: {}}", "--device cuda --threads", "--threads"),
        ("device: cuda\nanalyses: {hello: {device: cuda}}", "--device cuda --threads", "--device cuda --threads"),
        ("device: cuda\nanalyses: {hello: {device: cpu}}", "--device cpu --threads", "--device cpu --threads"),
        # features of a GPU in half precision are not those of a CPU, which the run would have to compute again
        ("device: cuda\nprecision: bf16\nanalyses: {hello: {}}", *["--device cuda --precision bf16"] * 2),
        ("device: cuda:1\nanalyses: {hello: {precision: fp16}}", *["--device cuda:1 --precision fp16"] * 2),
        ("analyses: {hello: {}}", "--threads", "--threads"),
    ],
)
def test_the_device_of_a_grid_is_that_of_its_extraction(checkout, grid, extraction, cell):
    write_notebook(Path("notebooks/hello.ipynb"), "from diffred_core import features", parameters=COMPUTE)
    Path("workflow/grids/tiny.yml").write_text(f"models: [c]\ntasks: [t]\n{grid}\n")
    places = ["--snakefile", "workflow/Snakefile", "--directory", "runs", "--config", "grid=tiny", "--cores", "1"]
    command = [sys.executable, "-m", "snakemake", *places, "--until", "cell", "--dry-run", "--printshellcmds"]
    Path("runs").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    shown = (done.stdout + done.stderr).split("\nrule ")
    jobs = {name: next(text for text in shown if text.startswith(f"{name}:")) for name in ("features", "cell")}
    assert f"extract hello --model c --task t {extraction}" in jobs["features"]
    assert f"run hello --model c --task t {cell}" in jobs["cell"]
    assert [("gpu=1" in text) for text in jobs.values()] == ["cuda" in extraction, "cuda" in cell]


def test_what_extracts_no_features_runs_on_the_device_of_the_grid(checkout):
    write_notebook(Path("notebooks/hello.ipynb"), "print(device)", parameters=COMPUTE)
    Path("workflow/grids/tiny.yml").write_text("models: [c]\ntasks: [t]\ndevice: cuda\nanalyses: {hello: {}}\n")
    (entry,) = read_grid("tiny").entries()
    assert (entry.parameters["device"], entry.extraction) == ("cuda", {})
    write_notebook(Path("notebooks/hello.ipynb"), "from diffred_core import features", parameters=COMPUTE)
    (entry,) = read_grid("tiny").entries()
    assert ("device" in entry.parameters, entry.extraction) == (False, {"device": "cuda"})


@pytest.mark.parametrize(("device", "stamp", "seen"), [("cuda", True, 2), ("cuda", False, 1), ("cuda:1", True, 1)])
def test_jobs_side_by_side_see_a_gpu_each(checkout, monkeypatch, device, stamp, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, GPU-b")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    Path("job.py").write_text(
        "import os, time\nopen(f'{os.getpid()}.gpus', 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])\ntime.sleep(1)"
    )
    options = ["--device", device, *(["--stamp", "s"] if stamp else [])]
    command = [sys.executable, "-m", "diffred_core.running.warm", "job", *options]
    jobs = [subprocess.Popen(command) for _ in range(3)]  # one more than there are GPUs: it waits for the first to end
    assert [job.wait(timeout=60) for job in jobs] == [0, 0, 0]
    gpus = {path.read_text() for path in Path().glob("*.gpus")}
    assert gpus == ({"GPU-a", "GPU-b"} if seen == 2 else {"GPU-a, GPU-b"})


def test_under_slurm_the_gpus_stay_as_they_are_given(checkout, monkeypatch):
    for name, value in {"CUDA_VISIBLE_DEVICES": "3", "SLURM_JOB_ID": "7"}.items():
        monkeypatch.setenv(name, value)
    with gpu_of_its_own(["diffred", "extract", "--device", "cuda", "--stamp", "s"]):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        assert not (files.runs_root() / "logs" / "gpus").exists()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    monkeypatch.delenv("SLURM_JOB_ID")
    with gpu_of_its_own(["diffred", "extract", "--device", "cuda", "--stamp", "s"]):  # the control
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        assert list((files.runs_root() / "logs" / "gpus").iterdir())
