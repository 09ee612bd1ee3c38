"""The lists of CONTRIBUTING name what there is, and a comparator that is really added touches no other file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMITS = {"comparator": 4, "measure": 10, "model": 10, "task": 10, "notebook": 10}
COMPARATORS = "diffred_core/chapters/random_subsets/comparators.py"
FUNCTION = """def first_features(moments: FeatureMoments) -> tuple[Tensor, None]:
    \"\"\"Return the features in the order of the layer.\"\"\"
    return torch.arange(moments.n_features), None


"""
RECORD = 'Comparator("top_variance", top_variance, "one"),'
TEST = """

def test_the_first_features_are_kept_as_they_stand():
    task = make_task()
    (kept,) = comparators.draw("first_features", moments.from_features(*task.splits["train"]), seeds=[1])
    assert kept.order.tolist() == list(range(40))
"""
# What a comparator of the name first_features touches: file, what stands there, what is put in its place.
EDITS = {
    COMPARATORS: [
        ("COMPARATORS: dict[str, Comparator]", f"{FUNCTION}COMPARATORS: dict[str, Comparator]"),
        (RECORD, f'{RECORD}\n        Comparator("first_features", first_features, "one"),'),
    ],
    "tests/test_sweeps.py": [("", TEST)],
    "book/back/methods.md": [("", "\nFirst features\n: The first $k$ of the layer, in its own order.\n")],
}
USE = """
from synthetic_task import make_task
from diffred_core.chapters import random_subsets
table = random_subsets.probes(make_task(), fractions=[0.1, 0.5], n_seeds=2, n_boot=50, logistic_fractions=[])
rows = table[(table["method"] == "first_features") & (table["metric"] == "accuracy")]
figure = random_subsets.figures.accuracy
summary = figure.summary(table)
handles, labels = figure.plot(summary).get_legend_handles_labels()
print(len(rows), "first features" in labels, "first features" in figure.words(summary))
"""


def listed(kind: str, text: str) -> list[str]:
    """Return the files that the section "Add a <kind>" of CONTRIBUTING lists."""
    (section,) = re.findall(rf"^## Add a {kind}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^- `([^`]+)`: ", section, re.MULTILINE)


def changed(path: Path, edits: list[tuple[str, str]]) -> None:
    """Make the edits; an empty text stands for the end of the file."""
    text = path.read_text(encoding="utf-8")
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1) if before else text + after
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def contributing():
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "most"), LIMITS.items())
def test_every_listed_file_is_there_and_the_list_is_short(kind, most, contributing):
    files = listed(kind, contributing)
    assert 2 < len(files) <= most
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_a_list_of_another_file_is_seen():
    assert listed("task", "## Add a task\n\n- `nowhere.py`: the branch\n\n## House rules\n") == ["nowhere.py"]


def drawn(project: Path) -> list[str]:
    """Return what `USE` prints with the package of a project: rows of the comparator, in the legend, in the words."""
    paths = f"import sys; sys.path[:0] = [{str(project)!r}, {str(ROOT / 'tests')!r}]"
    command = [sys.executable, "-c", f"{paths}\nimport matplotlib; matplotlib.use('Agg')\n{USE}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=project).stdout.split()


def test_a_comparator_is_added_by_the_files_of_its_list_alone(tmp_path, contributing):
    assert set(EDITS) == set(listed("comparator", contributing))
    shutil.copytree(ROOT / "diffred_core", tmp_path / "diffred_core", ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        copy = tmp_path / name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
        if name == COMPARATORS:
            assert drawn(tmp_path) == ["0", "False", "False"]  # the control: before it is added
        changed(copy, edits)
    n_rows, in_legend, in_words = drawn(tmp_path)
    assert int(n_rows) == 2
    assert (in_legend, in_words) == ("True", "True")
