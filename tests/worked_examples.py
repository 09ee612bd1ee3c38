"""What CONTRIBUTING describes, really added: for every kind of addition the edits of its files, and what must follow.

An edit of a file is a text that stands there (empty: the end of the file) and the text put in its place; a file that is
not there begins empty. Tests that come in edits are run; `check` is one more test, which fails before the addition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

Edits = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Example:
    """One addition.

    Attributes
    ----------
    edits : dict
        By file; NAME in a file's name in CONTRIBUTING stands for `name`.
    check : str
        The body of a test of what the addition gives.
    also : tuple of str
        Tests of the project that know every addition of this kind.
    """

    name: str
    edits: Edits
    check: str
    also: tuple[str, ...] = ()


def copied(template: Path, *, measure: str, title: str) -> str:
    """Return the text of a notebook like `template`, with another title and the function `measure` for its own."""
    content = json.loads(template.read_text(encoding="utf-8"))
    cells = {cell["id"]: cell for cell in content["cells"]}
    name = measure.removeprefix("def ").partition("(")[0]
    source = "".join(cells["measure"]["source"])
    before, call = source.partition("def ")[0], source.rpartition("\n\n\n")[2]
    cells["measure"]["source"] = f"{before}{measure}\n\n{call.replace('participation_ratio', name)}"
    cells["title"]["source"] = "\n".join([title, *"".join(cells["title"]["source"]).split("\n")[1:]])
    cells["write"]["source"] = "".join(cells["write"]["source"]).replace(template.stem, name)
    return json.dumps(content, indent=1) + "\n"


SHOWN = """\
    summary = figure.summary(table)
    labels = figure.plot(summary).get_legend_handles_labels()[1]
    assert words in labels and words in figure.words(summary)
"""
COMPARATOR = Example(
    "last_features",
    {
        "diffred_core/chapters/random_subsets/comparators.py": [
            (
                "COMPARATORS: dict[str, Comparator]",
                """\
def last_features(moments: FeatureMoments) -> tuple[range, None]:
    \"\"\"Return the features of the layer from the last on.\"\"\"
    return range(moments.n_features)[::-1], None


COMPARATORS: dict[str, Comparator]""",
            ),
            (
                'Comparator("top_variance", top_variance, "one",',
                """\
Comparator("last_features", last_features, "one", words="last features", colour="#000000", marker="X"),
        Comparator("top_variance", top_variance, "one",""",
            ),
        ],
        "tests/test_sweeps.py": [
            (
                "",
                """

def test_the_last_features_are_kept_from_the_last_on(task):
    train = from_features(*task.splits["train"])
    order = {}
    for name in ("last_features", "top_variance"):
        (kept,) = random_subsets.comparators.draw(name, train, seeds=[1])
        order[name] = [int(place) for place in kept.order]
    assert order["last_features"] == list(range(40))[::-1] != order["top_variance"]
""",
            )
        ],
        "book/back/methods.md": [("", "\nLast features\n: The last $k$ of the layer, from the last on.\n")],
    },
    """\
    from synthetic_task import make_task
    from diffred_core.chapters import random_subsets

    table = random_subsets.probes(make_task(), fractions=[0.1, 0.5], n_seeds=2, n_boot=50)
    assert len(table[(table["method"] == "last_features") & (table["metric"] == "accuracy")]) == 4  # by two probes
    figure, words = random_subsets.figures.accuracy, "last features"
"""
    + SHOWN,
    also=(
        "tests/test_figures.py::test_colours_of_methods_differ_and_are_dark_enough_on_white",
        "tests/test_figures.py::test_a_method_that_no_style_knows_is_drawn_in_a_look_of_its_own",
    ),
)
MEASURE = Example(
    "participation_ratio",
    {
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
            (
                "from diffred_core.geometry._rank import rankme as rankme\n",
                "from diffred_core.geometry._rank import participation_ratio as participation_ratio\n"
                "from diffred_core.geometry._rank import rankme as rankme\n",
            )
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
    """\
    from synthetic_layers import make_layers
    from diffred_core.chapters import depth

    table = depth.layers(make_layers(), n_subsets=0, published_layers=0, n_boot=20)
    assert len(table[table["metric"] == "participation_ratio"]) == 4
    figure, words = depth.figures.rank, "participation ratio"
"""
    + SHOWN,
)
YOURS = Path(__file__).parents[1] / "notebooks" / "your_measure.ipynb"
SHARE = """\
def largest_share(X: torch.Tensor) -> float:
    \"\"\"Return the share of the variance that lies in the direction of the most of it.\"\"\"
    variances = torch.linalg.svdvals(X - X.mean(0)).square()
    return float(variances[0] / variances.sum())
"""
TEN_LINES = Example(
    "largest_share",
    {
        "notebooks/largest_share.ipynb": [
            ("", copied(YOURS, measure=SHARE, title="# How much lies in one direction?"))
        ],
        "tests/test_largest_share_notebook.py": [
            (
                "",
                '''\
"""The measure of the notebook is that of arrays whose value is known."""

from __future__ import annotations

import pytest
import torch
from test_notebooks import NOTEBOOKS, cells, text_of


def test_the_largest_share_is_that_of_the_variances():
    sources = {cell["id"]: text_of(cell) for cell in cells(NOTEBOOKS / "largest_share.ipynb", "code")}
    names: dict = {}
    exec(sources["measure"].rpartition("table = ")[0], names)
    X = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    assert names["largest_share"](X) == pytest.approx(18 / 20)
    assert names["largest_share"](X.flip(0) * torch.tensor([1.0, 3.0])) == pytest.approx(0.5)
''',
            )
        ],
        "book/_toc.yml": [("your_measure]", "your_measure, largest_share]")],
        "workflow/grids/embedded.yml": [("after:\n", "  largest_share: {tasks: [digits]}\nafter:\n")],
        "workflow/grids/smoke.yml": [("after:\n", "  largest_share: {n_seeds: 2, fractions: [0.1, 0.5]}\nafter:\n")],
    },
    """\
    from synthetic_task import make_task
    from test_notebooks import NOTEBOOKS, cells, text_of

    from diffred_core.chapters import random_subsets

    assert (NOTEBOOKS / "largest_share.ipynb").is_file()
    sources = {cell["id"]: text_of(cell) for cell in cells(NOTEBOOKS / "largest_share.ipynb", "code")}
    names = {}
    exec(sources["measure"].rpartition("table = ")[0], names)
    table = random_subsets.measure(make_task(), names["largest_share"], n_seeds=2)
    assert "has a largest share of" in random_subsets.answers.your_measure(table).sentence
    assert '"largest_share"' in sources["write"]
""",
    also=(
        "tests/test_notebooks.py::test_a_template_is_short_and_holds_no_function[largest_share]",
        "tests/test_notebooks.py::test_the_first_code_cell_holds_the_parameters_with_help[largest_share]",
        "tests/test_notebooks.py::test_a_template_has_one_title_and_says_how_to_read_it[largest_share]",
        "tests/test_notebooks.py::test_the_smoke_grid_runs_every_template",
        "tests/test_notebook_parameters.py::test_papermill_sees_the_same_names[largest_share]",
        "tests/test_stripped.py::test_a_template_is_stripped[largest_share]",
        "tests/test_grid.py::test_the_grids_of_the_project_fit_its_notebooks",
    ),
)
MODEL = Example(
    "patches",
    {
        "diffred_core/backbones/_load.py": [
            ("from torch import nn\n", "import torch\nfrom torch import nn\n"),
            (
                "    options, own = check_model_args(",
                '    if model == "patches":\n        return _patches(model, size=image_size or 64)\n'
                "    options, own = check_model_args(",
            ),
            (
                "def check_model_args(",
                '''\
def _patches(name: str, *, size: int) -> Backbone:
    """Return one layer of random filters over patches of 8 x 8 pixels, with a head of 10 classes: a lower bound."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        filters, head = nn.Conv2d(3, 32, 8, stride=8), nn.Linear(32, 10)
    module = nn.Sequential(filters, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return from_module(module, name=name, input_size=size, mean=(0.5,) * 3, std=(0.5,) * 3, classifier="4")


def check_model_args(''',
            ),
        ],
        "tests/test_backbones.py": [
            (
                "",
                """

def test_head_of_random_patches_gives_their_logits_on_a_photograph() -> None:
    backbone = backbones.load("patches")
    pixels = backbone.transform(Image.fromarray(load_sample_image("china.jpg")))
    images = backbone.normalised(pixels[None])
    features = backbone.features(images)
    torch.testing.assert_close(backbone.head_logits(features), backbone.module(images))
    assert not torch.allclose(backbone.head_logits(features.flip(1)), backbone.module(images))
""",
            )
        ],
        "book/start/your-model-and-task.md": [
            ("`hf-hub:OWNER/NAME`", "`patches`, random filters that need no weights; `hf-hub:OWNER/NAME`")
        ],
    },
    """\
    from diffred_core import features

    layer = features.Source("patches", "digits", engine="torch", progress=False).load()
    X, y = layer.splits["test"]
    assert (layer.model, len(X), X.shape[1]) == ("patches", len(y), 32)
    assert X.std(0).min() > 0
""",
)
TASK = Example(
    "tiles",
    {
        "diffred_core/datasets/_registry.py": [
            ("import replace\n", "import replace\n\nimport torch\nfrom PIL import Image\n"),
            ("import Dataset\n", "import Dataset, digests_of\n"),
            (
                "from diffred_core.datasets._torchvision import PARTS, load_torchvision\n",
                "from diffred_core.datasets._splits import STRATIFIED, without_official\n"
                "from diffred_core.datasets._torchvision import PARTS, load_torchvision\n",
            ),
            ("return (*EMBEDDED, *(", 'return (*EMBEDDED, "tiles", *('),
            (
                "    elif task in EMBEDDED:\n",
                '    elif task == "tiles":\n        dataset = _tiles(task, seed=seed)\n    elif task in EMBEDDED:\n',
            ),
            (
                "",
                '''

def _tiles(name: str, *, seed: int, size: int = 40) -> Dataset:
    """Return square tiles of the two photographs that scikit-learn carries, labelled with their photograph."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images()
    tiles = [
        photo[top : top + size, left : left + size]
        for photo in photographs.images
        for top in range(0, photo.shape[0] - size + 1, size)
        for left in range(0, photo.shape[1] - size + 1, size)
    ]
    classes = tuple(file.rpartition(".")[0].rpartition("/")[2] for file in photographs.filenames)
    y = torch.arange(len(classes)).repeat_interleave(len(tiles) // len(classes))
    return Dataset(
        name=name,
        classes=classes,
        y=y,
        sample_ids=tuple(f"{name}/{i}" for i in range(len(tiles))),
        splits=without_official(y, seed=seed, classes=classes),
        input_size=64,
        licence="CC BY 2.0",
        source="the sample images of scikit-learn",
        split_rule=STRATIFIED,
        image_digests=digests_of(tile.tobytes() for tile in tiles),
        read=lambda i: Image.fromarray(tiles[i]),
    )
''',
            ),
        ],
        "tests/test_datasets.py": [
            ("import torch\n", "import torch\nfrom sklearn.datasets import load_sample_images\n"),
            (
                "",
                """

def test_tiles_belong_to_their_photographs_and_to_one_split() -> None:
    dataset = datasets.load("tiles")
    assert dataset.classes == ("china", "flower")
    assert torch.cat(list(dataset.splits.values())).sort().values.tolist() == list(range(dataset.n_samples))
    photographs = load_sample_images().images
    for label in (0, 1):
        tile = np.asarray(dataset.image(dataset.y.tolist().index(label)))
        assert np.array_equal(tile, photographs[label][:40, :40])
        assert not np.array_equal(tile, photographs[1 - label][:40, :40])
""",
            ),
        ],
        "book/start/your-model-and-task.md": [("`mnist5k`, `digits`;", "`mnist5k`, `digits`, `tiles`;")],
    },
    """\
    from diffred_core import datasets

    assert "tiles" in datasets.names(every=True)
    rows = {name: set(split.tolist()) for name, split in datasets.load("tiles").splits.items()}
    assert set(rows) == {"train", "validation", "test"}
    assert len(set.union(*rows.values())) == sum(map(len, rows.values()))
""",
)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PARAMETERS = """\
model: str = "tf_efficientnet_lite0.in1k"  # a timm name, or any name with checkpoint
task: str = "digits"  # elpv, mnist5k, digits, torchvision:NAME or folder:PATH
checkpoint: str | None = None  # local file of weights, instead of the ones that the name stands for
layers: str | list[str] = "stages"  # blocks, stages, convolutions, or names and patterns of modules
split: str = "test"  # rows on which the classes are compared
n_rows: int = 500  # of these rows, at most
seed: int = 0  # of the choice of rows
device: str = "cpu"  # where features are computed
"""
QUESTION = """\
# How far apart are the classes?

**Question.** In which layer do the classes of a task lie furthest apart?

**How to read it.** Class separation is the share of the mean cosine distance between rows that lies between classes: 0
where classes do not differ, 1 where all rows of a class are equal."""
BEGIN = """\
from diffred_core import features, results
from diffred_core.chapters import depth
from diffred_core.drawing import show

run = results.Run.begin(globals())
source = features.Source(**run.options(features.Source), progress=False)
by_layer = source.layers(layers)"""
SWEEP = "table = depth.separation(by_layer, **run.options(depth.separation))"
WRITE = """\
path = run.write(table, "separation")
print(f"{len(table)} rows in {path.name}")"""


def notebook(*cells: tuple[str, str]) -> str:
    """Return a stripped notebook of the cells, each its kind and its text; of code, those that have a tag in places."""
    nodes = [{"cell_type": kind, "id": f"cell-{i}", "metadata": {}, "source": s} for i, (kind, s) in enumerate(cells)]
    code = [node for node in nodes if node["cell_type"] == "code"]
    for place, tag in {0: "parameters", 1: "features", 3: "answer", -1: "write"}.items():
        code[place]["metadata"] = {"tags": [tag]}
    for node in code:
        node |= {"execution_count": None, "outputs": []}
    book = {"cells": nodes, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1) + "\n"


NOTEBOOK = Example(
    "separation",
    {
        "notebooks/separation.ipynb": [
            (
                "",
                notebook(
                    ("markdown", QUESTION),
                    ("code", PARAMETERS.rstrip()),
                    ("code", BEGIN),
                    ("code", SWEEP),
                    ("code", "show(depth.answers.separation(table))"),
                    ("code", "show(depth.figures.separation, table)"),
                    ("code", WRITE),
                ),
            )
        ],
        "diffred_core/chapters/depth/sweep_separation.py": [
            (
                "",
                '''\
"""How far apart the classes of a task lie, layer by layer."""

from __future__ import annotations

import pandas as pd
import torch

from diffred_core import geometry, results
from diffred_core.chapters.depth.curves import TaskLayers, layer_columns


def separation(data: TaskLayers, *, split: str = "test", n_rows: int = 500, seed: int = 0) -> pd.DataFrame:
    """Return the class separation of every layer on at most `n_rows` rows of `split`, as a results table."""
    shared = {"experiment": "separation", "method": "full", "metric": "class_separation", "split": split}
    table = []
    for name, of in data.items():
        X, y = of.splits[split]
        kept = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:n_rows]
        value = geometry.class_separation(X[kept], y[kept])
        table.append({**shared, **layer_columns(name, of), "model": of.model, "value": value})
    return results.as_table(table)
''',
            )
        ],
        "diffred_core/chapters/depth/__init__.pyi": [
            (
                "from .sweep_swap import",
                "from .sweep_separation import separation as separation\nfrom .sweep_swap import",
            ),
        ],
        "diffred_core/chapters/depth/claims.py": [
            (
                "def _of_layers(",
                '''\
def last_separates_best(table: pd.DataFrame) -> Claim:
    """Return the claim that the last layer holds classes further apart than any before it."""
    *before, last = where(table, metric="class_separation")["value"]
    gain = {"value": last - max(before), "low": float("nan"), "high": float("nan")}
    return judge(
        name="last layer separates best",
        statement="the last layer holds the classes furthest apart.",
        evidence=f"It has {last:.2f}, the best layer before it {max(before):.2f}; without an interval.",
        **gain,
    )


def _of_layers(''',
            )
        ],
        "diffred_core/chapters/depth/answers.py": [
            (
                "def tunnel_small_networks(",
                '''\
def separation(table: pd.DataFrame) -> Answer:
    """Return how far apart the last layer holds the classes."""
    claim = claims.last_separates_best(table)
    return Answer(f"The last layer holds the classes furthest apart: {claim.verdict}.", [claim])


def tunnel_small_networks(''',
            )
        ],
        "diffred_core/chapters/depth/figures.py": [
            (
                "def ends(",
                '''\
def plot_separation(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the class separation by layer."""
    ax = begin(ax, summary, COLUMNS, what="plot_separation", size=SIZE)
    style.line(ax, summary, x="place", look=SEPARATION["class_separation"])
    layer_axis(ax, summary)
    return finish(ax, title="", x="", y="share of the distance that lies between classes")


def separation_words(summary: pd.DataFrame) -> str:
    """Return `plot_separation` in words."""
    return f"Line chart by layer: {_ends_in_words(summary, SEPARATION, '.2f')}."


def separation_finding(summary: pd.DataFrame) -> str:
    """Return the class separation of the last layer, and of the first."""
    first, _, last = ends(summary)
    return f"Classes have a separation of {last['mean']:.2f} in the last layer, {first['mean']:.2f} in the first."


def ends(''',
            ),
            (
                "BANDED = ",
                'SEPARATION = {"class_separation": Look("class separation", COLOURS[0], MARKERS[0])}\nBANDED = ',
            ),
            (
                "optimism = Figure(",
                "separation = Figure(\n"
                "    lambda table: by_layer(table, list(SEPARATION)), plot_separation, separation_words, "
                "finding=separation_finding\n)\n"
                "optimism = Figure(",
            ),
        ],
        "tests/test_separation_notebook.py": [
            (
                "",
                '''\
"""The template of class separation runs, and shows what stands in its table."""

from __future__ import annotations

import papermill
from test_notebooks import NOTEBOOKS, shown
from tiny_world import MODEL, write_checkpoint

from diffred_core import files, results


def test_it_runs_on_digits(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFRED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv(files.TABLE, str(tmp_path / "separation.csv"))
    page, checkpoint = tmp_path / "page.ipynb", write_checkpoint(tmp_path / "w.safetensors")
    quick = {"model": MODEL, "checkpoint": str(checkpoint), "layers": ["blocks.0", "penultimate"]}
    template = NOTEBOOKS / "separation.ipynb"
    papermill.execute_notebook(template, page, parameters=quick, progress_bar=False, kernel_name="python3")
    first, last = results.read(tmp_path / "separation.csv")["value"]
    answer, picture = shown(page)
    assert f"It has {last:.2f}, the best layer before it {first:.2f}" in answer
    assert f"to {last:.2f} in penultimate" in picture
''',
            )
        ],
        "book/_toc.yml": [("tunnel_statistics]", "tunnel_statistics, separation]")],
        "workflow/grids/embedded.yml": [
            ("after:\n", "  separation: {models: [tf_efficientnet_lite0.in1k], tasks: [mnist5k]}\nafter:\n")
        ],
        "workflow/grids/smoke.yml": [("after:\n", "  separation: {}\nafter:\n")],
    },
    """\
    from synthetic_layers import make_layers
    from diffred_core.chapters import depth

    table = depth.separation(make_layers())
    assert len(table) == 4
    figure, words = depth.figures.separation, "class separation"
"""
    + SHOWN,
    also=(
        "tests/test_notebooks.py::test_a_template_is_short_and_holds_no_function[separation]",
        "tests/test_notebooks.py::test_the_first_code_cell_holds_the_parameters_with_help[separation]",
        "tests/test_notebooks.py::test_a_template_has_one_title_and_says_how_to_read_it[separation]",
        "tests/test_notebooks.py::test_the_smoke_grid_runs_every_template",
        "tests/test_notebook_parameters.py::test_papermill_sees_the_same_names[separation]",
        "tests/test_stripped.py::test_a_template_is_stripped[separation]",
        "tests/test_grid.py::test_the_grids_of_the_project_fit_its_notebooks",
        "tests/test_layers.py::test_a_module_imports_only_what_its_room_may[chapters/depth/sweep_separation.py]",
        "tests/test_layers.py::test_a_change_in_the_figures_of_a_chapter_makes_only_its_own_notebooks_stale[depth]",
    ),
)
EXAMPLES = {
    "comparator": COMPARATOR,
    "measure in ten lines": TEN_LINES,
    "measure": MEASURE,
    "model": MODEL,
    "task": TASK,
    "notebook": NOTEBOOK,
}
