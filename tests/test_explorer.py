"""The page that explores all tables, in a real browser: its numbers are those of the tables, however it is used."""

from __future__ import annotations

import gzip
import json
import re
from urllib.parse import parse_qs

import pandas as pd
import pytest
from explored_book import ADDED, CELLS, MODELS, TASKS, kept, make_explored_project, render
from staged_project import CHECKOUT

from diffred_core import intervals
from diffred_core.chapters.random_subsets import across, names
from diffred_core.results import summarize, where
from diffred_core.results.readable import readable

CLOSE = 1e-5  # numbers are kept to five digits
MOST_BYTES = 60_000
PROBES = [cell for cell in CELLS if cell[0] == "subset_probes"]
THEME = re.compile("THEBE_JS_URL|theme mode")  # errors of every page of the theme


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    root = tmp_path_factory.mktemp("explored") / "project"
    with pytest.MonkeyPatch.context() as patch:
        entries = make_explored_project(root, patch)
        yield render(root, entries)


@pytest.fixture
def explore(book, open_page):
    """Return a function that opens the explorer at a state, and waits for it."""

    def open_at(state="", **how):
        visit = open_page((book / "explorer.html").as_uri() + (f"#{state}" if state else ""), **how)
        visit.page.locator("#explorer .controls").wait_for()
        return visit

    return open_at


def state_of(page):
    return parse_qs(page.evaluate("location.hash").removeprefix("#"))  # the page's url may be told a moment later


def rows_of(page, table=-1):
    """Return the cells of a data table that are shown, after all its portions are."""
    part = page.locator("#explorer .data-table").nth(table)
    while (more := part.get_by_role("button", name="Show more")).is_visible():
        more.click()
    return part.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.textContent))")


def saved(page, folder, table=-1):
    """Return the CSV that a data table downloads."""
    with page.expect_download() as download:
        page.locator("#explorer .data-table").nth(table).get_by_role("button", name="Download").click()
    download.value.save_as(folder / "saved.csv")
    return pd.read_csv(folder / "saved.csv")


def measured(*, probe=names.HEADLINE, method=names.RANDOM):
    """Return the accuracy of every cell by share as the tables say it: mean, and limits over draws and test rows."""
    table = where(pd.concat([kept(*cell) for cell in PROBES]), probe=probe, method=method)
    at = ["model", "task", "fraction"]
    limits = where(table, metric=names.MEAN_ACCURACY).set_index(at)[["low", "high"]]
    return summarize(table, at, metric=names.ACCURACY).set_index(at)[["mean"]].join(limits)


def test_table_and_csv_are_the_results_table(explore, tmp_path):
    page, expected = explore().page, measured()
    csv = saved(page, tmp_path).set_index(["exact_model", "exact_task", "share"])
    pd.testing.assert_frame_equal(
        csv[["mean", "low", "high"]], expected, check_names=False, rtol=CLOSE, atol=CLOSE, check_like=True
    )
    shown = rows_of(page)
    assert len(shown) == len(expected)
    texts = {(row[0], row[1], row[3]): row[5] for row in shown}
    for (model, task, share), row in expected.iterrows():
        assert texts[readable(model), readable(task), f"{100 * share:.4g}"] == f"{100 * row['mean']:.1f}"


@pytest.mark.parametrize(("keep", "presses"), [(0.95, 0), (0.9, 10), (0.99, -8)])
def test_the_slider_finds_what_the_tables_say_is_needed(explore, tmp_path, keep, presses):
    page = explore().page
    page.locator("#explorer-keep").focus()
    for _ in range(abs(presses)):
        page.keyboard.press("ArrowLeft" if presses > 0 else "ArrowRight")
    page.wait_for_function(
        f"document.querySelector('#explorer h2 + .data-table').previousSibling.textContent.includes('{100 * keep:g} %')"
    )
    found = saved(page, tmp_path, table=0).set_index(["model", "task"])["share"]
    needed = across.needed_fractions(pd.concat([kept(*cell) for cell in PROBES]), deltas=[keep])
    expected = {(readable(r.model), readable(r.task)): r.fraction for r in needed.itertuples()}
    assert found.to_dict() == pytest.approx(expected)


def test_ties_are_marked_where_intervals_overlap(explore, tmp_path):
    csv = saved(explore().page, tmp_path)
    for _, rows in csv.groupby(["task", "share"]):
        best = rows.loc[rows["mean"].idxmax()]
        alike = (rows["low"] <= best["high"]) & (best["low"] <= rows["high"])
        assert (rows["best"] != "worse").tolist() == alike.tolist()
    assert {"best", "ties", "worse"} <= set(csv["best"])


def test_what_is_chosen_stands_in_the_address_and_an_address_gives_the_same_view(explore, book):
    page = explore().page
    page.locator("#explorer-metric").select_option("accuracy:kept")
    page.get_by_label(readable(MODELS[1]), exact=True).uncheck()
    page.get_by_label("PCA", exact=True).check()
    page.get_by_label("Filter rows").last.fill("digits")
    state = state_of(page)
    assert state["metric"] == ["accuracy:kept"]
    assert state["model"] == [MODELS[0]]
    assert state["methods"] == ["random", "pca"]
    assert state["filter"] == ["digits"]
    shown = rows_of(page)
    again = explore(page.evaluate("location.hash.slice(1)")).page
    assert rows_of(again) == shown
    assert all(row[:2] == [readable(MODELS[0]), readable("digits")] for row in shown)
    assert not again.get_by_label(readable(MODELS[1]), exact=True).is_checked()


def test_an_address_that_names_what_is_not_there_shows_what_is(explore):
    visit = explore("q=nothing&metric=none&keep=many&group=none&view=none&x=y&model=nobody")
    assert not [error for error in visit.errors if not THEME.search(error)]
    assert visit.page.locator("#explorer-keep").input_value() == "95"
    assert visit.page.get_by_text("Nothing is chosen").is_visible()


def test_everything_is_reached_by_the_keyboard(explore):
    page = explore().page
    page.get_by_label("PCA", exact=True).focus()
    page.keyboard.press("Space")
    assert state_of(page)["methods"] == ["random", "pca"]
    assert page.evaluate("document.activeElement.value") == "pca"  # what was pressed keeps the focus
    chart = page.get_by_role("slider", name=re.compile("Chart, UCI digits"))
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = chart.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    second = chart.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowDown")
    assert len({first, second, chart.get_attribute("aria-valuetext")}) == 3
    table = measured().loc[MODELS[0], "digits"]
    assert f"{100 * table['mean'].iloc[0]:.1f} % (95 % interval {100 * table['low'].iloc[0]:.1f}" in first
    head = page.locator(".data-table").last.get_by_role("button", name="test accuracy")
    head.focus()
    page.keyboard.press("Enter")
    values = [float(row[5]) for row in rows_of(page)]
    assert values == sorted(values)
    page.keyboard.press("Enter")
    assert state_of(page)["sort"] == ["mean"] or state_of(page)["sort"] == ["-mean"]


def test_the_mouse_reads_a_point(explore):
    page = explore("task=digits").page
    page.locator(".panel svg").first.hover(position={"x": 120, "y": 120})
    assert "95 % interval" in page.locator(".panel .readout").first.inner_text()


def test_two_cells_are_compared_three_clicks_from_the_front_page(book, open_page):
    page = open_page(book / "index.html").page
    page.get_by_role("link", name=re.compile("compare two", re.IGNORECASE)).click()
    for model in MODELS:
        page.locator(f'[data-cell="digits|{model}"]').click()
    assert (
        page.locator("#explorer .finding")
        .inner_text()
        .startswith("Fewest dimensions that keep 95 % of the accuracy: A (")
    )
    assert state_of(page) == {"view": ["compare"], "a": [f"digits|{MODELS[0]}"], "b": [f"digits|{MODELS[1]}"]}
    assert "decided" in page.locator("#explorer .answer").inner_text()


def test_differences_of_two_cells_have_the_interval_that_is_said(explore, tmp_path):
    pair = f"view=compare&a=digits|{MODELS[0]}&b=digits|{MODELS[1]}"
    csv = saved(explore(pair).page, tmp_path).set_index("share")
    one, other = (measured().loc[model, "digits"] for model in MODELS)
    for share, row in csv.iterrows():
        a, b = (intervals.Interval(*side.loc[share, ["mean", "low", "high"]]) for side in (one, other))
        difference = intervals.difference_interval(a, b)
        assert row[["difference", "low", "high"]].tolist() == pytest.approx(list(difference), abs=5 * CLOSE)
    assert set(csv["interval"]) == {"interval of each"}
    csv = saved(explore(f"{pair}&metric=balanced_accuracy").page, tmp_path).set_index("share")
    tables = [where(kept("subset_probes", "digits", model), probe=names.HEADLINE, method="random") for model in MODELS]
    draws = [
        where(table, metric=names.CLASS_ACCURACY).groupby(["fraction", "seed"])["value"].mean().unstack()
        for table in tables
    ]
    for share, row in csv.iterrows():
        paired = intervals.mean_interval(draws[0].loc[share] - draws[1].loc[share])
        assert row[["difference", "low", "high"]].tolist() == pytest.approx(list(paired), abs=10 * CLOSE)
    assert set(csv["interval"]) == {"draw by draw, 5 shared seeds"}


VIEWS = ["", f"view=compare&a=digits|{MODELS[0]}&b=mnist5k|{MODELS[0]}", "q=depth", "q=similarity", "q=few-shots"]


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1440, "dark")])
@pytest.mark.parametrize("state", VIEWS)
def test_a_view_is_accessible_fits_its_window_and_asks_for_nothing(explore, state, width, theme):
    visit = explore(state, width=width, theme=theme)
    assert visit.page.locator("#explorer .panel svg").count()
    assert visit.violations(within="#explorer") == []
    assert visit.overflow() == []
    assert visit.left_the_machine == []
    assert not [error for error in visit.errors if not THEME.search(error)]
    before = len(visit.requests)
    visit.page.locator("#explorer-metric").select_option(index=0)
    assert visit.requests[before:] == []


def test_without_scripts_there_is_a_figure_with_words(book, open_page):
    page = open_page(book / "explorer.html", scripts=False).page
    image = page.locator(".explorer-static img")
    assert image.is_visible()
    assert "of the accuracy needs" in image.get_attribute("alt")
    assert not page.locator("#explorer").is_visible()
    assert not open_page(book / "explorer.html").page.locator(".explorer-static img").is_visible()


def test_a_measure_that_no_code_knows_is_asked_and_drawn_with_the_means_of_its_table(explore, tmp_path):
    visit = explore(f"q={ADDED[0]}")
    assert visit.page.locator("#explorer-q option:checked").inner_text() == "Tiny probes"
    assert visit.page.locator("#explorer-metric option:checked").inner_text() == "mean size"
    csv, table = saved(visit.page, tmp_path), where(kept(*ADDED), method=(names.RANDOM, names.SHUFFLED))
    assert csv.groupby("method")["mean"].count().to_dict() == {
        "random part": table[table["method"] == names.RANDOM]["fraction"].nunique(),
        "random part, dimensions made independent": table[table["method"] == names.SHUFFLED]["fraction"].nunique(),
    }
    found = where(csv, method="random part").set_index("share")["mean"]
    expected = summarize(where(table, method=names.RANDOM), "fraction", metric="mean_size").set_index("fraction")[
        "mean"
    ]
    pd.testing.assert_series_equal(found, expected, check_names=False, rtol=CLOSE)
    assert not (found + 0.001).equals(found)
    assert visit.page.locator("#explorer .panels svg").count() >= 1


def test_script_and_style_are_small():
    sources = sorted((CHECKOUT / "book" / "explorer").iterdir())
    size = len(gzip.compress(b"".join(path.read_bytes() for path in sources)))
    assert 1_000 < size < MOST_BYTES


def test_tasks_of_the_page_are_those_of_the_tables(explore):
    page = explore().page
    listed = page.locator('#explorer input[name="task"]').evaluate_all("boxes => boxes.map(b => b.value)")
    assert sorted(listed) == sorted(TASKS)
    assert json.loads(page.evaluate("JSON.stringify([...document.querySelectorAll('#explorer-q option')].length)")) == 5
