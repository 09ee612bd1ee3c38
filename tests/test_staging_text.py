"""What staging makes from text: the API page, links, the contents, and the folder it writes."""

from __future__ import annotations

import pkgutil
import re
import textwrap

import pytest
import yaml

from diffred_core.errors import InputError
from diffred_core.running import sources
from diffred_core.staging._api import api_pages, public_modules, public_names
from diffred_core.staging._links import link_names
from diffred_core.staging._markdown import to_markdown
from diffred_core.staging._toc import fill_toc
from diffred_core.staging._tree import write_tree


def test_docstring_sections_become_definition_lists():
    markdown = to_markdown(
        """Return `x` times [two], with :func:`~a.b` and ``c``.

        Parameters
        ----------
        x : array of shape (n_samples,)
            The _data_.
        y : float, default=1.0
            More.

        Raises
        ------
        InputError
            If it is *odd*.
        """
    )
    assert r"Return `x` times \[two\], with `a.b` and `c`." in markdown
    assert "`x` : array of shape (n\\_samples,)\n: The \\_data\\_." in markdown
    assert "**Raises**\n\n`InputError`\n: If it is \\*odd\\*." in markdown
    assert "---" not in markdown


PLAIN = '''\
"""Plain functions."""

LIMIT = 3


def double(x: int, *, times: int = 2) -> int:
    """Return more of `x`."""


def _hidden():
    """Not shown."""
'''
ONE = '''\
@dataclass
class Total:
    """A total."""

    value: float

    def half(self) -> float:
        """Return half."""


def unlisted():
    """Not public."""
'''


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "small"
    (folder / "sums").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""A small package."""\n')
    (folder / "plain.py").write_text(PLAIN)
    taken = "from small.sums._deep._two import Mean as Mean\nfrom small.sums._one import Total as Total\n"
    (folder / "sums" / "__init__.py").write_text(f'"""Sums."""\n\n{taken}')
    (folder / "sums" / "_deep").mkdir()
    (folder / "sums" / "_deep" / "_two.py").write_text('class Mean:\n    """A mean."""\n')
    (folder / "sums" / "_one.py").write_text(ONE)
    return folder


def test_api_pages_have_public_names_with_signature_and_line(package):
    pages = api_pages(package, source_url="https://example.org/blob/abc")
    assert set(pages) == {"back/api", "back/api/plain", "back/api/sums"}
    page = "".join(pages.values())
    assert "{py:function} double(x: int, *, times: int=2) -> int" in page
    assert "https://example.org/blob/abc/small/plain.py#L6" in page
    assert "{py:class} Total(value: float)" in page
    assert "{py:method} half() -> float" in page
    assert "{py:module} small.sums" in page
    assert "{py:data} LIMIT\n:value: 3\n" in page
    assert "_hidden" not in page
    assert "unlisted" not in page
    assert public_names(package) == {
        ("small", "plain"): "small.plain",
        ("small", "sums"): "small.sums",
        ("plain", "LIMIT"): "small.plain.LIMIT",
        ("plain", "double"): "small.plain.double",
        ("sums", "Mean"): "small.sums.Mean",
        ("sums", "Total"): "small.sums.Total",
    }


def test_a_stub_says_which_modules_a_lazy_package_hands_on(package):
    lazy = package / "lazy"
    lazy.mkdir()
    (lazy / "__init__.py").write_text('"""Lazy."""\n')
    (lazy / "__init__.pyi").write_text("from . import shown as shown\nfrom .inner import add as add\n")
    (lazy / "shown.py").write_text("")
    (lazy / "inner.py").write_text('def add():\n    """Add."""\n')
    public = {module.name: [p.name for p in module.public] for module in public_modules(package)}
    assert public == {
        "small.lazy": ["add"],
        "small.lazy.shown": [],
        "small.plain": ["LIMIT", "double"],
        "small.sums": ["Mean", "Total"],
    }


def test_every_public_module_of_the_package_has_its_place_and_one_left_out_is_seen():
    pages = api_pages(sources.PACKAGE, source_url="")
    left_out = importable() - documented(pages)
    assert left_out == set()
    del pages["back/api/cka"]
    assert importable() - documented(pages) == {"diffred_core.cka"}


def importable() -> set[str]:
    """Return the modules that Python finds by public names: all, of lazy packages those they hand on."""
    found, folders = set(), [("diffred_core", sources.PACKAGE)]
    for name, folder in folders:
        stub = folder / "__init__.pyi"
        for module in pkgutil.iter_modules([str(folder)]):
            hidden = stub.is_file() and f"from . import {module.name} as" not in stub.read_text()
            if module.name.startswith("_") or hidden:
                continue
            found.add(f"{name}.{module.name}")
            if module.ispkg:
                folders.append((f"{name}.{module.name}", folder / module.name))
    return found


def documented(pages: dict[str, str]) -> set[str]:
    return set(re.findall(r"^```\{py:module\} (\S+)$", "\n".join(pages.values()), re.MULTILINE))


def test_named_function_in_prose_links_to_the_api_and_code_blocks_stay(package):
    text = "Use `plain.double` and `torch.randperm`.\n\n```python\nuse `plain.double`\n```\n"
    linked = link_names(text, public_names(package), page="p.md")
    assert "{py:obj}`plain.double <small.plain.double>`" in linked
    assert "`torch.randperm`." in linked
    assert "use `plain.double`\n```" in linked


def test_prose_that_names_a_missing_function_is_refused(package):
    with pytest.raises(InputError, match=r"p\.md names plain\.duoble.*did you mean 'plain\.double'"):
        link_names("Use `plain.duoble`.", public_names(package), page="p.md")


TEMPLATE = textwrap.dedent(
    """\
    format: jb-book
    root: index
    parts:
      - caption: Start
        chapters:
          - file: a
      - caption: Results
        analyses: [first, second]
      - caption: Later
        analyses: [third]
    """
)


def test_api_pages_stand_below_the_api():
    template = TEMPLATE.replace("file: a", "file: back/api")
    toc = yaml.safe_load(fill_toc(template, {"first": [{"file": "f"}]}, api=["back/api/cka"]))
    assert toc["parts"][0]["chapters"] == [{"file": "back/api", "sections": [{"file": "back/api/cka"}]}]


def test_contents_take_chapters_in_the_order_of_the_template_and_drop_empty_parts():
    chapters = {"second": [{"file": "s"}], "first": [{"file": "f"}], "third": []}
    toc = yaml.safe_load(fill_toc(TEMPLATE, chapters))
    assert [part["caption"] for part in toc["parts"]] == ["Start", "Results"]
    assert toc["parts"][1]["chapters"] == [{"file": "f"}, {"file": "s"}]


def test_analysis_without_a_part_is_refused():
    with pytest.raises(InputError, match=r"'fourth' is in none; add it to `analyses`"):
        fill_toc(TEMPLATE, {"fourth": [{"file": "x"}]})


def test_second_write_of_the_same_tree_touches_nothing(tmp_path):
    target = tmp_path / "book"
    files = {"a.md": b"a", "deep/b.md": b"b"}
    assert write_tree(files, target) == ["a.md", "deep/b.md"]
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}
    assert write_tree(files, target) == []
    assert before == {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}


def test_changed_file_is_rewritten_and_vanished_one_removed_with_its_folder(tmp_path):
    target = tmp_path / "book"
    write_tree({"a.md": b"a", "deep/b.md": b"b"}, target)
    assert write_tree({"a.md": b"new"}, target) == ["a.md", "deep/b.md"]
    assert (target / "a.md").read_bytes() == b"new"
    assert not (target / "deep").exists()


def test_folder_of_somebody_else_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other files; move it away, or pass another folder"):
        write_tree({"a.md": b"a"}, tmp_path)
    assert (tmp_path / "thesis.tex").is_file()


@pytest.mark.parametrize("name", ["../out.md", "/etc/out.md"])
def test_path_outside_the_target_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="inside the staged book"):
        write_tree({name: b""}, tmp_path / "book")


def ambiguous(modules, pages) -> set[tuple[str, str]]:
    """Return module and type of every annotation in a signature that Sphinx would find under two names."""
    types = {f"{module.name}.{one.name}" for module in modules for one in module.public if one.name[0].isupper()}
    lost, module = set(), ""
    for line in "\n".join(pages.values()).splitlines():
        if begun := re.search(r"\{py:module\} (\S+)", line):
            module = begun[1]
        if signature := re.search(r"\{py:(?:function|class|method)\} \w+(\(.*)", line):
            named = set(re.findall(r"(?:\b[a-z]\w*\.)*\b[A-Z]\w*[a-z]\w*", signature[1]))
            unknown = {name for name in named if f"{module}.{name}" not in types}
            lost |= {(module, name) for name in unknown if sum(one.endswith(f".{name}") for one in types) > 1}
    return lost


def test_no_type_in_a_signature_has_two_entries():
    modules = public_modules(sources.PACKAGE)
    pages = api_pages(sources.PACKAGE, source_url="")
    assert ambiguous(modules, pages) == set()
    elsewhere = "```{py:module} diffred_core.ends\n```\n```{py:function} end(look: Look, x: style.Look)\n```"
    assert ambiguous(modules, {"x": elsewhere}) == {("diffred_core.ends", "Look")}
