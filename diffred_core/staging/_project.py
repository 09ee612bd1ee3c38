"""What every page says about the code it comes from: addresses, commit, versions, date."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml

from diffred_core import provenance

_BUILDERS = ("diffred-core", "jupyter-book", "sphinx")


@dataclass(frozen=True)
class Project:
    """The checkout that is staged."""

    root: Path
    url: str  # of the repository
    branch: str  # to which links point when no commit is known
    site: str  # address of the book, with a slash at its end
    commit: str | None
    dirty: bool | None  # whether it has changes
    day: date  # of staging
    tools: str  # that build the book, with their versions

    @classmethod
    def of(cls, root: Path) -> Project:
        """Return the project of the checkout `root`: its `_config.yml`, its commit, and the day (UTC).

        The day comes from ``SOURCE_DATE_EPOCH`` if it is set, so that a build can be repeated byte for byte.
        """
        config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
        commit, dirty = provenance.commit()
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        now = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
        tools = ", ".join(f"{name} {metadata.version(name)}" for name in _BUILDERS)
        repository = config["repository"]
        address = {"url": repository["url"], "branch": repository["branch"], "site": config["html"]["baseurl"]}
        return cls(root, **address, commit=commit, dirty=dirty, day=now.date(), tools=tools)

    def source(self, path: str, *, commit: str | None = None) -> str:
        """Return the address of the file `path` of the checkout, at `commit` or at the branch."""
        return f"{self.url}/blob/{commit or self.branch}/{path}"

    @property
    def requirement(self) -> str:
        """What pip installs of the package with the weights and images of the default grid, from the branch."""
        return f'"diffred-core[run,embedded] @ git+{self.url}@{self.branch}"'

    def binder(self, path: str) -> str:
        """Return the address under which mybinder.org opens the file `path` of the branch in JupyterLab."""
        return f"https://mybinder.org/v2/gh/{self._name}/{self.branch}?urlpath={quote(f'lab/tree/{path}', safe='')}"

    def colab(self, path: str) -> str:
        """Return the address under which Colab opens the file `path` of the branch."""
        return f"https://colab.research.google.com/github/{self._name}/blob/{self.branch}/{path}"

    @property
    def _name(self) -> str:
        """Owner and name of the repository."""
        return urlsplit(self.url).path.strip("/")

    def page(self, text: str, source: str) -> bytes:
        """Return a page with closing lines that say from which file `source` of the checkout it was made."""
        made = (
            f"\n\n:::{{div}} produced-by\nMade from [{source}]({self.source(source)}), "
            f"staged on {self.day.isoformat()} at {self.describe(self.commit, self.dirty)} by {self.tools}.\n:::\n"
        )
        return (text + made).encode()

    def describe(self, commit: str | None, dirty: bool | None) -> str:
        """Return the commit in words, as a link."""
        if commit is None:
            return "an unknown commit (no git checkout)"
        changed = " with uncommitted changes" if dirty else ""
        return f"commit {self.link(commit)}{changed}"

    def link(self, commit: str) -> str:
        """Return a link to `commit`, which shows its first digits."""
        return f"[`{commit[:12]}`]({self.url}/commit/{commit})"
