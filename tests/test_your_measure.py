"""A measure that the package does not have: its rows, its notebook, its page, its question in the explorer."""

from __future__ import annotations

import numpy as np
import papermill
import pytest
import torch
from staged_project import CELL, edit_notebook, make_project, make_run
from synthetic_task import make_task
from test_notebooks import NOTEBOOKS, cells, shown, text_of

from diffred_core import files, results
from diffred_core.chapters import random_subsets
from diffred_core.chapters.random_subsets.sweep_measure import shuffled
from diffred_core.errors import InputError
from diffred_core.results import where
from diffred_core.running import Entry
from diffred_core.staging import stage_book
from diffred_core.staging._explorer import explorer
from diffred_core.staging._questions import measure_points
from diffred_core.staging._runs import find_runs

TASK, NAME = make_task(), "your_measure"
QUICK = {"fractions": [0.1, 0.5], "n_seeds": 3}


def total_variance(X):
    return float(X.var(0).sum())


def spread(X):
    """Return the participation ratio, by the eigenvalues of the covariance one by one."""
    values = np.linalg.eigvalsh(np.cov(X.numpy().T))
    return sum(values) ** 2 / sum(value**2 for value in values)


@pytest.fixture(scope="module")
def table():
    return random_subsets.measure(TASK, spread, **QUICK)


def test_a_row_is_the_measure_of_the_published_subset_and_the_last_ones_are_of_the_whole_layer(table):
    X = TASK.splits["test"][0].double()
    assert where(table, method="full")["value"].tolist() == [pytest.approx(spread(X))]
    rows = where(table, method="random", fraction=0.5)
    kept = [torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:20] for seed in (1, 2, 3)]
    assert rows["value"].tolist() == pytest.approx([spread(X[:, places]) for places in kept])
    assert rows["value"].tolist() != pytest.approx([spread(X[:, places.flip(0) - 1]) for places in kept])
    assert set(table["metric"]) == {"spread"}
    assert len(where(table, method="shuffled")) == 3 * 3


def test_shuffling_takes_what_dimensions_have_in_common_and_nothing_else(table):
    X = TASK.splits["test"][0].double()
    apart = shuffled(X, seed=1)
    assert torch.equal(apart.sort(0).values, X.sort(0).values)
    off = ~torch.eye(40, dtype=torch.bool)
    assert torch.corrcoef(apart.T)[off].abs().mean() < 0.1 < torch.corrcoef(X.T)[off].abs().mean()
    means = table.groupby(["method", "fraction"])["value"].mean()
    assert means["shuffled", 1.0] > 2 * means["full", 1.0]
    same = random_subsets.measure(TASK, total_variance, **QUICK)  # the control: it does not see redundancy
    values = same.pivot_table(index=["fraction", "repeat"], columns="method", values="value")
    assert values["random"].dropna().tolist() == pytest.approx(values["shuffled"].dropna().iloc[: 2 * 3].tolist())


def test_a_measure_that_gives_no_number_is_refused():
    with pytest.raises(InputError, match="column 'value' of the results table must be float64"):
        random_subsets.measure(TASK, lambda _: float("nan"), **QUICK)


def test_answer_and_figure_say_what_the_table_has(table):
    means = table.groupby(["method", "fraction"])["value"].mean()
    part, whole, apart = means["random", 0.1], means["full", 1.0], means["shuffled", 0.1]
    answer = random_subsets.answers.your_measure(table)
    assert f"A random 10 % of the dimensions has a spread of {part:.3g} (95 % interval" in answer.sentence
    assert f"the whole layer has {whole:.3g}." in answer.sentence
    assert f"would have {apart:.3g} at 10 %" in answer.sentence
    figure = random_subsets.figures_measure.measured
    summary = figure.summary(table)
    assert figure.finding(summary) == f"A random 10 % has a spread of {part:.3g}, the layer {whole:.3g}."
    assert f"one of independent dimensions {apart:.3g}" in figure.words(summary)
    ax = figure.plot(summary)
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "spread")
    negative = figure.plot(summary.assign(mean=-summary["mean"], low=-summary["high"], high=-summary["low"]))
    assert negative.get_yscale() == "linear"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return the executed template and its table, on a file of embeddings."""
    folder = tmp_path_factory.mktemp("measure")
    X, y = (np.concatenate(parts) for parts in zip(*TASK.splits.values(), strict=True))
    np.savez(folder / "layer.npz", X=X, y=y)
    chosen = QUICK | {"model": "synthetic", "task": f"embeddings:{folder / 'layer.npz'}"}
    page = folder / "page.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFRED_RUNS", str(folder / "runs"))
        patch.setenv(files.TABLE, str(folder / "table.csv"))
        patch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
        template = NOTEBOOKS / f"{NAME}.ipynb"
        papermill.execute_notebook(template, page, parameters=chosen, progress_bar=False, kernel_name="python3")
    return page, results.read(folder / "table.csv")


def test_the_template_measures_shows_and_writes(executed):
    page, table = executed
    assert set(table["metric"]) == {"participation_ratio"}
    whole = where(table, method="full")["value"].item()
    answer, picture = shown(page)
    assert f"the whole layer has {whole:.3g}" in answer
    assert f"the whole layer has {whole:.3g}" in picture
    assert f"the whole layer has {2 * whole:.3g}" not in answer


def test_the_measure_of_the_template_is_the_participation_ratio_in_ten_lines():
    (cell,) = [c for c in cells(NOTEBOOKS / f"{NAME}.ipynb", "code") if "measure" in c["metadata"].get("tags", ())]
    lines = text_of(cell).splitlines()
    assert len(lines) <= 10
    names: dict = {}
    exec("\n".join(lines[:-1]), names)
    X = TASK.splits["test"][0].double()
    assert names["participation_ratio"](X) == pytest.approx(spread(X))
    assert names["participation_ratio"](X * torch.arange(1, 41)) != pytest.approx(spread(X))


@pytest.fixture
def staged(tmp_path, monkeypatch, executed):
    """Return a function that stages a book with the page, and gives its files and what the explorer is asked."""
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project)
    monkeypatch.delenv("DIFFRED_RUNS", raising=False)
    cell = Entry(analysis="tiny", task=CELL.task, model=CELL.model)
    path = files.table_path(*cell.place)
    files.write_text(path, executed[1].to_csv(index=False))
    files.write_json(results.provenance_path(path), {"table_sha256": files.sha256(path)})
    make_run(cell, table=False)

    def stage(tag):
        edit_notebook(cell, lambda notebook: notebook["cells"][2]["metadata"].update(tags=[tag]))
        return stage_book([cell]), explorer(find_runs([cell]), _Plain(), {})["explorer.md"].decode()

    return stage


class _Plain:
    """A project whose pages have no closing lines."""

    def page(self, text, source):
        return text.encode()


def test_an_analysis_that_no_code_knows_has_its_page_and_is_asked_where_a_cell_is_tagged(staged):
    book, asked = staged("measure")
    assert "Tiny probes" in (book / "results" / "tiny" / "digits--a-model.ipynb").read_text()
    assert "results/tiny/digits--a-model" in (book / "_toc.yml").read_text()
    assert 'id="explorer-data"' in asked
    _, asked = staged("other")
    assert "nothing to explore" in asked


def test_a_tagged_table_without_shares_is_refused(table):
    assert set(measure_points(table)["method"]) == {"random", "shuffled", "full"}
    with pytest.raises(InputError, match="expected rows with a fraction, since a cell of their notebook is tagged"):
        measure_points(table.assign(fraction=float("nan")))
