from __future__ import annotations

import json
import logging
import shlex
from pathlib import Path

import pytest
from small_checkout import PROJECT, make_checkout, write_notebook
from snakemake_interface_logger_plugins.common import LogEvent
from typer.testing import CliRunner

from diffred_core import files, running
from diffred_core.cli import _run_commands
from diffred_core.cli.commands import app
from diffred_core.errors import InputError
from diffred_core.features import _compute
from diffred_core.running import _grid_file
from diffred_core.running._display import Display, Event, Job, explain, progress_of, read_events
from diffred_core.running._events import described
from diffred_core.running.notebook_parameters import read_parameters

GRIDS = sorted(path.stem for path in (PROJECT / "workflow" / "grids").glob("*.yml"))
# What Snakemake 9.27 hands to a logger plugin: two jobs, of which the first fails.
RECORDS = [
    {"event": LogEvent.RUN_INFO, "stats": {"cell": 1, "features": 1, "total": 2}},
    {
        "event": LogEvent.JOB_INFO,
        "jobid": 4,
        "rule_name": "cell",
        "wildcards": {"task": "digits", "model": "c", "analysis": "t"},
        "log": ["logs/digits/c/t.log"],
        "reason": "Missing output files: stamps/digits/c/t.json",
    },
    {
        "event": LogEvent.JOB_INFO,
        "jobid": 3,
        "rule_name": "features",
        "wildcards": {"task": "digits", "model": "d"},
        "log": ["logs/digits/d/features.log"],
        "reason": "Code has changed",
    },
    {"event": LogEvent.PROGRESS, "done": 0, "total": 2},
    {},
    {"event": LogEvent.JOB_ERROR, "jobid": 4},
    {"event": LogEvent.JOB_FINISHED, "job_id": 3},
    {"event": LogEvent.JOB_FINISHED, "job_id": 99},
]


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.chdir(root)
    return root


def write_grid(text: str) -> None:
    Path("workflow/grids/tiny.yml").write_text(text)


@pytest.mark.parametrize("name", GRIDS)
def test_the_grids_of_the_project_fit_its_notebooks(name, monkeypatch):
    monkeypatch.chdir(PROJECT)
    assert running.read_grid(name).entries()


def test_a_grid_is_models_by_tasks_by_analyses_and_then_what_comes_after(checkout):
    entries = running.read_grid("tiny").entries()
    assert [entry.place for entry in entries] == [
        ("t", "a/b", "hello"),
        ("t", "c", "hello"),
        ("summary", "summary", "total"),
    ]
    assert [entry.parameters for entry in entries] == [
        {"model": "a/b", "task": "t", "times": 3},
        {"model": "c", "task": "t", "times": 3},
        {},
    ]


def test_an_analysis_may_list_models_and_tasks_of_its_own(checkout):
    write_grid("models: [a, b]\ntasks: [t, u]\nanalyses: {hello: {models: [c], times: 3}}")
    (first, second) = running.read_grid("tiny").entries()
    assert first.parameters == {"model": "c", "task": "t", "times": 3}
    assert second.parameters == {"model": "c", "task": "u", "times": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: [a]", r"tiny.yml has an unknown key 'model'; did you mean 'models'\?"),
        ("models: [a]\ntasks: [t]\nanalyses: {helo: {}}", "there is none; did you mean 'hello'"),
        ("models: [a]\ntasks: [t]\nanalyses: {hello: {time: 1}}", "no parameter 'time'; did you mean 'times'"),
        ("models: [a]\ntasks: [t]\nanalyses: {hello: {times: x}}", "times must be int, got 'x'"),
        (
            "models: [{nam: a}]\ntasks: [t]\nanalyses: {hello: {}}",
            "to be a name or a mapping with model and any of checkpoint, name, model_args, .*, got {'nam': 'a'}",
        ),
        ("models: [a/b, 'a:b']\ntasks: [t]\nanalyses: {hello: {}}", "would write the same files t/a-b/hello"),
        ("precision: fp8\nafter: {total: {}}", "expected precision in tiny.yml to be fp32, bf16 or fp16, got 'fp8'"),
        ("device: gpu\nafter: {total: {}}", "expected device in tiny.yml to be cpu, cuda or cuda:N, got 'gpu'"),
        ("after: {features: {}}", "cannot be called 'features'"),
    ],
)
def test_a_wrong_grid_is_refused_in_a_sentence(checkout, text, message):
    write_grid(text)
    with pytest.raises(InputError, match=message):
        running.read_grid("tiny")


def test_device_and_precision_of_a_grid_reach_the_notebooks_that_take_them(checkout):
    parameters = "model: str = 'm'\ntask: str = 't'\ndevice: str = 'cpu'\nprecision: str = 'fp32'"
    write_notebook(Path("notebooks/takes.ipynb"), parameters=parameters)
    analyses = "analyses: {hello: {}, takes: {precision: bf16}}"
    write_grid(f"models: [a]\ntasks: [t]\ndevice: cuda\nprecision: fp16\n{analyses}")
    without, taking = running.read_grid("tiny").entries()
    assert without.parameters == {"model": "a", "task": "t"}
    assert taking.parameters == {"model": "a", "task": "t", "device": "cuda", "precision": "bf16"}
    write_grid("models: [a]\ntasks: [t]\nanalyses: {takes: {device: gpu}}")
    with pytest.raises(
        InputError, match=r"expected device in tiny.yml to be cpu, cuda or cuda:N, got 'gpu'; write one"
    ):
        running.read_grid("tiny")


def test_a_grid_knows_the_precisions_that_there_are():
    pattern, _ = _grid_file.COMPUTE["precision"]
    assert pattern.split("|") == list(_compute.PRECISIONS)


def test_an_unknown_grid_names_the_near_ones(checkout):
    with pytest.raises(InputError, match=r"no grid 'tiney'; did you mean 'tiny'\? \(known: .*smoke, tiny"):
        running.read_grid("tiney")


OWN = "model: 'nets/small.py:make', checkpoint: w.pth, preprocessing: {mean: [0, 0, 0], std: [1, 1, 1], input_size: 24}"


def test_a_model_of_a_grid_has_weights_arguments_and_a_name(checkout):
    source = "print(model, model_args, preprocessing)"
    parameters = "model: str = 'c'\ntask: str = 't'\nmodel_name: str | None = None\ncheckpoint: str | None = None\n"
    parameters += "model_args: dict | None = None\npreprocessing: dict | None = None\nclassifier: str | None = None"
    write_notebook(Path("notebooks/hello.ipynb"), source, parameters=parameters)
    write_grid(f"""
models:
  - a
  - {{model: a, checkpoint: w/x.pth}}
  - {{model: a, checkpoint: w/x.pth, name: robust}}
  - {{model: a, model_args: {{pad_type: same}}, classifier: fc}}
  - {{{OWN}}}
tasks: [t]
analyses: {{hello: {{}}}}
""")
    entries = running.read_grid("tiny").entries()
    labels = [entry.model for entry in entries]
    assert labels[:4] == ["a", "a@x", "robust", "a@classifier=fc,pad_type=same"]
    assert labels[4].startswith("small.py:make@w,")
    schema = read_parameters(Path("notebooks/hello.ipynb"))
    for entry in entries:
        words = shlex.split(running.arguments(entry.parameters))
        assert CliRunner().invoke(app, ["extract", *words, "--help"]).exit_code == 0
        texts = {name[2:].replace("-", "_"): text for name, text in zip(words[::2], words[1::2], strict=True)}
        read = {name: schema[name].parse(text) for name, text in texts.items()}
        assert read == dict(entry.parameters)
    write_grid(f"models: [{{{OWN}, name: a}}, a]\ntasks: [t]\nanalyses: {{hello: {{}}}}")
    with pytest.raises(InputError, match=r"expected names of their own in tiny.yml, got 'a' twice; give one of them"):
        running.read_grid("tiny")
    assert set(schema) - {"task"} == set(files.MODEL_KEYS.values())


@pytest.mark.parametrize("name", ["subset_probes", "subset_similarity", "few_shot", "layers"])
def test_what_says_which_network_it_is_can_be_given_to_every_notebook_of_features(name):
    schema = read_parameters(PROJECT / "notebooks" / f"{name}.ipynb")
    assert set(files.MODEL_PARAMETERS) < set(schema)
    assert schema["model_args"].parse("{'pad_type': 'same', 'num_classes': 965}") == {
        "pad_type": "same",
        "num_classes": 965,
    }
    assert schema["preprocessing"].parse('{"mean": [0.5, 0.5, 0.5]}') == {"mean": [0.5, 0.5, 0.5]}
    with pytest.raises(InputError, match=r"parameter model_args must be dict \| None, got 'pad_type=same'"):
        schema["model_args"].parse("pad_type=same")


def test_arguments_survive_the_shell_and_the_command_line(checkout):
    given = {"model": "a b", "task": "folder:x'y", "names": ["a", "b c"], "cut": None, "size": 0.5, "word": "None"}
    source = "names: list[str] = []\ncut: float | None = 1.0\nsize: float = 1.0\nword: str = ''"
    schema = read_parameters(write_notebook(Path("notebooks/n.ipynb"), parameters=source))
    words = shlex.split(running.arguments(given))
    assert words[:4] == ["--model", "a b", "--task", "folder:x'y"]
    assert set(words[4::2]) == {"-p"}
    read = _run_commands.parsed(words[5::2], schema, template="n.ipynb")
    assert read == {name: given[name] for name in schema}


def test_only_notebooks_that_import_the_feature_store_need_features(checkout):
    write_notebook(Path("notebooks/reads.ipynb"), "from diffred_core import features")
    write_notebook(Path("notebooks/trains.ipynb"), "from diffred_core import small_networks, sweeps")
    assert running.needs_features("reads")
    assert not running.needs_features("hello")
    assert not running.needs_features("trains")  # though the package imports it there


def test_a_stamp_holds_until_a_file_of_it_changes(checkout):
    kept = files.write_text(files.runs_root() / "kept.txt", "1")
    lost = files.write_text(files.runs_root() / "lost.txt", "1")
    good = running.write_stamp(files.stamp_path("t", "m", "good"), [kept])
    bad = running.write_stamp(files.stamp_path("t", "m", "bad"), [kept, lost])
    assert running.drop_broken_stamps() == []
    lost.write_text("2")
    assert running.drop_broken_stamps() == [bad]
    assert good.is_file()
    kept.unlink()
    assert running.drop_broken_stamps() == [good]


@pytest.mark.parametrize("text", ["", '{"a": ', "[1, 2]", "3"])
def test_a_stamp_that_was_cut_short_is_dropped(checkout, text):
    stamp = checkout / "runs" / "stamps" / "short.json"
    files.write_text(stamp, text)
    assert running.drop_broken_stamps() == [stamp]


def test_records_of_snakemake_become_events():
    lines = [json.dumps(event) for fields in RECORDS if (event := described(logging.makeLogRecord(fields)))]
    total, *events = read_events(lines)
    assert total == 2
    assert [(event.kind, event.job.title) for event in events] == [
        ("started", "cell t digits c"),
        ("started", "features digits d"),
        ("failed", "cell t digits c"),
        ("finished", "features digits d"),  # and nothing of a job that was never heard of
    ]
    assert events[0].job.log == "logs/digits/c/t.log"
    assert events[0].job.reason == "Missing output files: stamps/digits/c/t.json"


def test_a_job_has_failed_if_its_last_try_has_and_is_told_once():
    job = Job("cell", {"task": "t", "model": "m", "analysis": "a"}, "log", "")
    lost = Event("failed", job, "the cluster has lost its job 7")
    display = Display()
    for event in (Event("started", job), lost, Event("failed", job)):  # of a group the second comes without a reason
        display.show(event)
    assert display.failed == {"cell a t m": lost}
    for event in (Event("started", job), Event("finished", job)):
        display.show(event)
    assert (display.failed, display.done) == ({}, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "it left no message"),
        ("one\ntwo\n", "two"),
        ("a\ndiffred: n.ipynb failed in code cell 2\ntail\n", "n.ipynb failed in code cell 2"),
        ("x.md:3: WARNING: w1\nx.md:4: WARNING: w2\nend\n", "x.md:3: WARNING: w1; x.md:4: WARNING: w2"),
    ],
)
def test_a_failure_is_explained_by_the_telling_lines(tmp_path, text, why):
    if text is not None:
        (tmp_path / "log").write_text(text)
    assert explain(tmp_path / "log") == why
    tells = any(word in why for word in ("failed in", "WARNING"))
    assert explain(tmp_path / "log", reason="is 'FAILED'") == (why if tells else "is 'FAILED'")
    assert explain(tmp_path / "log", reason="is 'CANCELLED'") == "is 'CANCELLED'"


def test_progress_is_the_last_percentage_of_the_log(tmp_path):
    assert progress_of(tmp_path / "log") == ""
    (tmp_path / "log").write_text("  3%| \r 45%|###\r")
    assert progress_of(tmp_path / "log") == " 45 %"


def test_the_command_line_is_one_program():
    from diffred_core.cli.commands import app

    listed = CliRunner().invoke(app, ["--help"]).stdout
    for command in ("run", "extract", "grid", "status", "stage", "build", "prepare", "models", "tasks", "parameters"):
        assert f"\n  {command} " in listed
