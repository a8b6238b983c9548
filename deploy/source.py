"""Lays the committed code into a folder, with committed.json, which says there what git says in a clone.

    python -m deploy.source FOLDER

committed.json has the commit and the SHA-256 of every file of code; the gate `committed_code` goes by it. What is not
committed does not get in.
"""

import subprocess
import sys
from pathlib import Path

from models.evidence import source_code

ROOT = Path(__file__).parents[1]
PARTS = (
    *source_code.PACKAGES,
    *("deploy", "docs", "prefect.yaml", "pyproject.toml", source_code.LOCK_FILE, "README.md", "CHANGELOG.md"),
)


def lay(folder: Path, project: Path = ROOT) -> str:
    """Fill a folder that is empty or not there yet; return the commit. CalledProcessError if git knows none."""
    folder.mkdir(parents=True, exist_ok=True)
    commit = _git(project, "rev-parse", "HEAD").decode().strip()
    subprocess.run(["tar", "-x", "-C", folder], input=_git(project, "archive", commit, "--", *PARTS), check=True)
    source_code.deliver(folder, commit)
    return commit


def _git(project: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", project, *arguments], stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    lay(Path(sys.argv[1]))
