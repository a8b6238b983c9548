"""Code that is not committed yet, for tests: git says that all of it is committed, as it lies there.

The gate `committed_code` refuses models made from uncommitted code, and most tests that make a model are about
something else. So where something of this project is uncommitted, or git knows no commit of it, the tests and their
children find another `git` first on their path. It knows one commit of the code as it lies there, and answers by that
what is asked about this project; everything else goes to the real one.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from models.evidence import source_code

_IDENTITY = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
_GIT = """#!/bin/sh
case " $* " in
*" -C {project} "*) export GIT_DIR={repository} GIT_WORK_TREE={project} ;;
esac
exec {git} "$@"
"""


@contextmanager
def all_committed() -> Iterator[None]:
    """Have git say so until the end of the block."""
    git, known = shutil.which("git"), source_code.uncommitted()
    if git is None or (known is not None and not known.files):
        yield
        return
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        commit(git, source_code.PROJECT, Path(scratch))
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{scratch}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def commit(git: str, project: Path, folder: Path) -> None:
    """Commit the code of a project into a repository in a folder, and write the other `git` beside it."""
    repository = folder / "repository"
    environment = os.environ | {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(project)}
    for arguments in (
        ("init", "--quiet"),
        ("add", "--", *source_code.PACKAGES, source_code.LOCK_FILE, "pyproject.toml"),
        (*_IDENTITY, "commit", "--quiet", "--message", "as it lies there"),
    ):
        subprocess.run([git, *arguments], cwd=project, env=environment, check=True, capture_output=True)
    wrapper = folder / "git"
    wrapper.write_text(_GIT.format(project=project, repository=repository, git=git))
    wrapper.chmod(0o755)
