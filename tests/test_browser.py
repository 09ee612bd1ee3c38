"""What the tests of pages rely on: the browser sees a page as a reader does, and tells what is wrong with it."""

from __future__ import annotations

import pytest

GOOD = """<!doctype html><html lang="en"><title>Good</title>
<style>body {{ color: #111; background: #fff }}
@media (prefers-color-scheme: dark) {{ h1 {{ font-size: 77px }} }}</style>
<main><h1>Good</h1>{}</main></html>"""


@pytest.fixture
def shown(open_page, tmp_path):
    """Return a function that opens a page with some HTML in it."""

    def show(body="", **how):
        path = tmp_path / "page.html"
        path.write_text(GOOD.format(body))
        return open_page(path, **how)

    return show


def test_nothing_is_wrong_with_a_good_page(shown):
    visit = shown('<p style="overflow-x: auto; width: 300px"><span style="width: 2000px">wide</span></p>', width=390)
    assert visit.page.title() == "Good"
    assert visit.errors == []
    assert visit.violations() == []
    assert visit.overflow() == []
    assert visit.left_the_machine == []


@pytest.mark.parametrize("body", ["<script>console.error('broken')</script>", "<script>throw 'broken'</script>"])
def test_an_error_of_the_console_or_of_a_script_is_seen(shown, body):
    assert any("broken" in error for error in shown(body).errors)


def test_a_request_that_would_leave_the_machine_is_seen_and_refused(shown):
    visit = shown(
        '<img alt="far" src="http://example.invalid/far.png"><img alt="" src="data:image/gif;base64,R0lGODlh">'
    )
    assert visit.left_the_machine == ["http://example.invalid/far.png"]
    assert not visit.page.evaluate("navigator.onLine")


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("<img src='data:,'>", "image-alt"),
        ("<p style='color: #ccc'>pale</p>", "color-contrast"),
        ("<button aria-label='Other'>Save</button>", "label-content-name-mismatch"),  # one of those on trial
    ],
)
def test_what_axe_finds_is_named_with_its_place(shown, body, rule):
    assert any(line.startswith(rule) for line in shown(body).violations())


def test_what_makes_a_page_scroll_sideways_is_named(shown):
    wide = '<div class="wide" style="width: 500px">wide</div>'
    assert shown(wide, width=390).overflow() == ["page", "div.wide"]
    assert shown(wide, width=1440).overflow() == []


def test_theme_and_scripts_are_chosen(shown):
    size = "getComputedStyle(document.querySelector('h1')).fontSize"
    assert shown(theme="dark").page.evaluate(size) == "77px"
    assert shown(theme="light").page.evaluate(size) != "77px"
    body = "<script>document.querySelector('h1').textContent = 'with'</script>"
    assert shown(body).page.locator("h1").inner_text() == "with"
    assert shown(body, scripts=False).page.locator("h1").inner_text() == "Good"
