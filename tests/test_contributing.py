"""The lists of CONTRIBUTING name what there is; a comparator and a measure that are really added touch nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMITS = {"comparator": 4, "measure": 10, "model": 10, "task": 10, "notebook": 10}
Edits = dict[str, list[tuple[str, str]]]  # file: what stands there (an empty text: its end), what is put in its place


@dataclass(frozen=True)
class Example:
    """Something that is added by some edits, and the code that prints whether it is there: rows, legend, words."""

    edits: Edits
    use: str
    rows: int


COMPARATOR = Example(
    edits={
        "diffred_core/chapters/random_subsets/comparators.py": [
            (
                "COMPARATORS: dict[str, Comparator]",
                """def first_features(moments: FeatureMoments) -> tuple[range, None]:
    \"\"\"Return the features in the order of the layer.\"\"\"
    return range(moments.n_features), None


COMPARATORS: dict[str, Comparator]""",
            ),
            (
                'Comparator("top_variance", top_variance, "one",',
                'Comparator(\n            "first_features", first_features, "one", words="first features", '
                'colour="#000000", marker="X"\n        ),\n        Comparator("top_variance", top_variance, "one",',
            ),
        ],
        "tests/test_sweeps.py": [
            (
                "",
                """

def test_the_first_features_are_kept_as_they_stand():
    task = make_task()
    (kept,) = comparators.draw("first_features", moments.from_features(*task.splits["train"]), seeds=[1])
    assert kept.order.tolist() == list(range(40))
""",
            )
        ],
        "book/back/methods.md": [("", "\nFirst features\n: The first $k$ of the layer, in its own order.\n")],
    },
    use="""
from synthetic_task import make_task
from diffred_core.chapters import random_subsets
table = random_subsets.probes(make_task(), fractions=[0.1, 0.5], n_seeds=2, n_boot=50, logistic_fractions=[])
rows = table[(table["method"] == "first_features") & (table["metric"] == "accuracy")]
figure, words = random_subsets.figures.accuracy, "first features"
""",
    rows=2,
)
MEASURE = Example(
    edits={
        "diffred_core/geometry/_rank.py": [
            (
                "",
                """

def participation_ratio(layer: Layer) -> float:
    \"\"\"Return the squared sum of the eigenvalues of the covariance over the sum of their squares.\"\"\"
    values = eigenvalues(layer, centred=True)
    return float(values.sum().square() / values.square().sum())
""",
            )
        ],
        "diffred_core/geometry/__init__.py": [
            ("", "from diffred_core.geometry._rank import participation_ratio as participation_ratio\n")
        ],
        "tests/reference_tunnel.py": [
            (
                "",
                """

def participation_ratio(X: np.ndarray) -> float:
    covariance = np.cov(X.T)
    return np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
""",
            )
        ],
        "tests/test_geometry_rank.py": [
            (
                "",
                """

def test_participation_ratio_is_that_of_the_covariance(X):
    expected = reference_tunnel.participation_ratio(X.numpy())
    assert geometry.participation_ratio(X) == pytest.approx(expected)
    assert geometry.participation_ratio(X * torch.arange(1, X.shape[1] + 1)) != pytest.approx(expected)
""",
            )
        ],
        "diffred_core/chapters/depth/shape.py": [
            (
                '"rankme": geometry.rankme(layer),',
                '"rankme": geometry.rankme(layer),\n'
                '        "participation_ratio": geometry.participation_ratio(layer),',
            )
        ],
        "diffred_core/chapters/depth/figures.py": [
            (
                '    "stable_rank": Look(',
                '    "participation_ratio": Look("participation ratio", COLOURS[3], MARKERS[3]),\n'
                '    "stable_rank": Look(',
            )
        ],
        "tests/test_layers_sweep.py": [
            (
                "",
                """

def test_every_layer_has_its_participation_ratio(table):
    assert len(rows(table, metric="participation_ratio")) == 4
""",
            )
        ],
        "book/back/methods.md": [("", "\nParticipation ratio\n: $(\\sum_i \\lambda_i)^2 / \\sum_i \\lambda_i^2$.\n")],
    },
    use="""
from synthetic_layers import make_layers
from diffred_core.chapters import depth
table = depth.layers(make_layers(), n_subsets=0, published_layers=0, n_boot=20)
rows = table[table["metric"] == "participation_ratio"]
figure, words = depth.figures.rank, "participation ratio"
""",
    rows=4,
)
EXAMPLES = {"comparator": COMPARATOR, "measure": MEASURE}
SHOW = """
summary = figure.summary(table)
handles, labels = figure.plot(summary).get_legend_handles_labels()
print(len(rows), words in labels, words in figure.words(summary))
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


def shown(project: Path, use: str) -> list[str]:
    """Return what `use` prints with the package of a project: number of rows, in the legend, in the words."""
    paths = f"import sys; sys.path[:0] = [{str(project)!r}, {str(ROOT / 'tests')!r}]"
    code = f"{paths}\nimport matplotlib; matplotlib.use('Agg')\n{use}{SHOW}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=project).stdout.split()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_is_added_by_the_files_of_its_list_alone(kind, tmp_path, contributing):
    example = EXAMPLES[kind]
    assert set(example.edits) == set(listed(kind, contributing))
    shutil.copytree(ROOT / "diffred_core", tmp_path / "diffred_core", ignore=shutil.ignore_patterns("__pycache__"))
    assert shown(tmp_path, example.use) == ["0", "False", "False"]  # the control: before it is added
    for name, edits in example.edits.items():
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
        changed(copy, edits)
    assert shown(tmp_path, example.use) == [str(example.rows), "True", "True"]
