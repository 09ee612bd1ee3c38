"""Style sheets without unused rules: what a page can meet stays, in its order, and nothing else does."""

from __future__ import annotations

import pytest

from diffred_core.staging.styles import shrink, without_unused, words_of

WORDS = {"here", "set-later"}


@pytest.mark.parametrize(
    "rule",
    [
        ".here{a:b}",
        "p{a:b}",
        "p.here > a:hover{a:b}",
        ".set-later::before{content:'.gone'}",
        ".here:not(.gone){a:b}",
        ":is(.gone,.here) b{a:b}",
        "[class*=gone]{a:b}",
        r".here\:x{a:b}",
        "@font-face{font-family:x;src:url(a.woff)}",
        "@keyframes k{0%{a:b}100%{a:c}}",
        "@media print{.here{a:b}}",
        '@charset "UTF-8";:root{--x:1.5}',
        "/*! licence of .gone {x} */.here{a:b}",
    ],
)
def test_a_rule_that_a_page_can_meet_stays_as_it_is(rule):
    assert without_unused(rule, WORDS) == rule


@pytest.mark.parametrize(
    ("style", "smaller"),
    [
        (".gone{a:b}", ""),
        (".here .gone{a:b}.here{a:c}", ".here{a:c}"),
        (".gone,.here,.gone p{a:b}", ".here{a:b}"),
        ("@media print{.gone{a:b}}p{a:b}", "p{a:b}"),
        ("@media print{.gone{a:b}.here{a:b}}", "@media print{.here{a:b}}"),
    ],
)
def test_a_selector_that_no_page_can_meet_goes(style, smaller):
    assert without_unused(style, WORDS) == smaller


def test_words_are_classes_of_pages_and_all_words_of_scripts():
    pages = ['<p class="one two">three</p><script>add("four")</script><script src="five.js"></script>']
    assert words_of(pages, ["six-seven"]) == {"one", "two", "add", "four", "six-seven"}


def test_a_rendered_book_loses_them_and_once_more_changes_nothing(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text(".here{a:b}.gone{a:b}.set-later{a:b}")
    (tmp_path / "_static" / "a.js").write_text("x.classList.add('set-later')")
    for _ in range(2):
        shrink(tmp_path, ['<p class="here"></p>'])
        assert (tmp_path / "_static" / "a.css").read_text() == ".here{a:b}.set-later{a:b}"
