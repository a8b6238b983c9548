"""Builds the documentation into one HTML site, to be read and searched without a server: `make docs`.

README.md and CHANGELOG.md stand beside docs/ in the repository, and MkDocs takes pages of one folder alone. So they are
copied into one as they stand, and a link means the same on the site as in the repository.
"""

import logging
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mkdocs.commands.build import build
from mkdocs.config import load_config

PROJECT = Path(__file__).parents[1]
_PAGES = ("README.md", "CHANGELOG.md")


def make(site: Path, project: Path = PROJECT) -> None:
    """Build the pages of a project into a folder, which is emptied; mkdocs.exceptions.Abort if a link leads nowhere."""
    with TemporaryDirectory(prefix="tidewaiter-docs-") as scratch:
        pages = Path(scratch) / "pages"
        shutil.copytree(project / "docs", pages / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        for name in _PAGES:
            shutil.copy(project / name, pages)
        build(load_config(str(project / "mkdocs.yml"), docs_dir=str(pages), site_dir=str(site.absolute())))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    make(PROJECT / "site")
    sys.stdout.write(f"{PROJECT / 'site' / 'index.html'}\n")
