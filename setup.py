"""The one step of the build that pyproject.toml cannot say: the notebooks go into the wheel, inside the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

NOTEBOOKS = sorted(str(path) for path in Path("notebooks").glob("*.ipynb"))


class BuildWithNotebooks(build_py):
    """Copies the notebooks beside the modules, where `diffred_core.files` looks for them outside of a checkout."""

    def run(self) -> None:
        """Build the package; an editable install takes the notebooks from where they are."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "diffred_core", "notebooks")
        self.mkpath(str(folder))
        for notebook in NOTEBOOKS:
            self.copy_file(notebook, str(folder))

    def get_source_files(self) -> list[str]:
        """Return what belongs into a source distribution, the notebooks too."""
        return [*super().get_source_files(), *NOTEBOOKS]


setup(cmdclass={"build_py": BuildWithNotebooks})
