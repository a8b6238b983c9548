"""The code in force: its commit, what differs from that, its files with their digests, and its lock file.

Git says what was committed; where there is no git, in an image or a bundle, a delivered list says it.
"""

import re
import subprocess
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from pydantic import Field, model_validator

from models.document import Document
from models.evidence import digests
from models.evidence.digests import Sha256

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("features", "models", "flows")
LOCK_FILE = "requirements.lock"
_CODE = (*PACKAGES, LOCK_FILE, "pyproject.toml")  # the whole tree is not compared: data.dvc says nothing of the code
DELIVERED = "committed.json"  # what git would say of the code, for places without git; deploy/source.py lays it
NO_COMMIT = "none"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class Code(Document, strict=True):
    """The code in force. `source_sha256` covers the packages as they lie on disk, uncommitted changes included."""

    commit: str = Field(min_length=1)  # "none" where neither git nor a delivered list knows one
    is_dirty: bool
    source_sha256: Sha256


class Uncommitted(Document):
    """What of the code differs from its commit: the files' names, and one digest over them as they lie there.

    >>> Uncommitted(files=("models/risk/forest.py",), sha256=None)
    Traceback (most recent call last):
    ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Uncommitted
      Value error, sha256 is None for 1 files; allowed: a digest if there are files, and none otherwise [...]
    ...
    """

    files: tuple[str, ...]
    sha256: Sha256 | None  # None: nothing differs

    @model_validator(mode="after")
    def _has_a_digest_of_its_files(self) -> Self:
        if bool(self.files) != (self.sha256 is not None):
            raise ValueError(
                f"sha256 is {self.sha256} for {len(self.files)} files; allowed: a digest if there are files, and none "
                "otherwise"
            )
        return self


class Delivered(Document):
    """The list that an image or a bundle carries instead of git: a commit, and its files of code with their SHA-256."""

    layout: Literal[1] = 1
    commit: str = Field(min_length=1)
    files: dict[str, Sha256]


def code_state(project: Path = PROJECT) -> Code:
    """Return the commit, whether what was committed has been changed since, and the digest of the source."""
    commit, changed = _standing(project)
    return Code(commit=commit, is_dirty=bool(changed), source_sha256=source_digest(project))


def uncommitted(project: Path = PROJECT) -> Uncommitted | None:
    """Return what of the code differs from its commit; None if nobody can say, as no commit is known."""
    commit, changed = _standing(project)
    if commit == NO_COMMIT:
        return None
    found = {name: digests.digest_if_there(project / name) for name in changed}
    return Uncommitted(files=changed, sha256=digests.json_digest(found) if changed else None)


def deliver(folder: Path, commit: str) -> None:
    """Write the list of the files of code that lie in a folder, as they were committed, beside them."""
    delivered = Delivered(commit=commit, files=_code_files(folder))
    (folder / DELIVERED).write_bytes(digests.canonical(delivered.model_dump()))


@contextmanager
def committed(commit: str, project: Path = PROJECT) -> Generator[Path | None]:
    """Give a folder with the packages and the lock file as they were committed; None if no such commit is known.

    It is the project itself if that was delivered as this commit and nothing was changed since.
    """
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        if not _COMMIT.fullmatch(commit):
            yield None
            return
        if _git(project, "cat-file", "-e", f"{commit}^{{commit}}") is None:
            yield project if _as_delivered(project) == (commit, ()) else None
            return
        names = _git(project, "ls-tree", "--name-only", commit, "--", *PACKAGES, LOCK_FILE) or ""
        archive = f"{scratch}/committed.tar"
        _git(project, "archive", f"--output={archive}", commit, "--", *names.split())
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")
        yield Path(scratch)


def source_digest(project: Path = PROJECT) -> str:
    """Return the SHA-256 over the packages' files by name; see `source`."""
    return digests.json_digest(source(project))


def source(project: Path = PROJECT) -> dict[str, str]:
    """Return the packages' files by name, with their SHA-256: source, policy, templates; no caches, nothing hidden."""
    found = (path for package in PACKAGES for path in (project / package).rglob("*") if path.is_file())
    kept = (path.relative_to(project) for path in found)
    names = sorted(name.as_posix() for name in kept if not any(p[0] == "." or p == "__pycache__" for p in name.parts))
    if not names:
        raise FileNotFoundError(f"no source in {project}; expected the packages {', '.join(PACKAGES)}")
    return {name: digests.file_digest(project / name) for name in names}


def lock_digest(project: Path = PROJECT) -> str | None:
    """Return the SHA-256 of the lock file; None if there is none."""
    return digests.digest_if_there(project / LOCK_FILE)


def _standing(project: Path) -> tuple[str, tuple[str, ...]]:
    """Return the commit of the code, and the files that differ from it, by git or by the delivered list."""
    return _in_git(project) or _as_delivered(project) or (NO_COMMIT, ())


def _in_git(project: Path) -> tuple[str, tuple[str, ...]] | None:
    # If installed elsewhere, the packages may lie inside the checkout of another project, whose commit says nothing.
    if _git(project, "ls-files", "--error-unmatch", "/".join(Path(__file__).parts[-3:])) is None:
        return None
    commit = _git(project, "rev-parse", "HEAD")
    changed = _git(project, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", *_CODE)
    added = _git(project, "ls-files", "--others", "--exclude-standard", "-z", "--", *_CODE)
    if commit is None or changed is None or added is None:
        return None
    return commit, tuple(sorted({name for name in f"{changed}\0{added}".split("\0") if name}))


def _as_delivered(project: Path) -> tuple[str, tuple[str, ...]] | None:
    path = project / DELIVERED
    if not path.is_file():
        return None
    stated, found = Delivered.model_validate_json(path.read_bytes()), _code_files(project)
    names = sorted({*stated.files, *found})
    return stated.commit, tuple(name for name in names if stated.files.get(name) != found.get(name))


def _code_files(project: Path) -> dict[str, str]:
    beside = (name for name in _CODE if (project / name).is_file())
    return source(project) | {name: digests.file_digest(project / name) for name in beside}


def _git(project: Path, *arguments: str) -> str | None:
    """Return the output of a git command, or None if git refuses or is not there."""
    # A run may be another user's than the checkout (`run_as`), which git would refuse; its code runs in any case.
    command = ["git", "-c", "safe.directory=*", "-C", str(project), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
