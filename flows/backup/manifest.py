"""The manifest of a backup: of which moment and release it is, and every file in it with its SHA-256.

Keys lie in a folder of their own, with a list of their own; the digest of that list is in the manifest.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError, field_validator

from flows.backup import kept
from models.document import Document
from models.evidence import digests

NAME = "backup.json"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_PARTS = (kept.STATE, kept.DATA, kept.DATABASES)
_SETTINGS = tuple(f"{kept.BESIDE}/{name}" for name in kept.SETTINGS)  # nothing else is written beside the data

_Kind = TypeVar("_Kind", bound="Files")


class File(Document):
    """A file: its size in bytes, its SHA-256, and the mode that it gets."""

    size: int
    sha256: Sha256
    mode: Annotated[int, Field(ge=0, le=0o777)]


class Files(Document):
    """A list of files by their path."""

    files: dict[str, File]

    @field_validator("files")
    @classmethod
    def _lie_in_the_backup(cls, files: dict[str, File]) -> dict[str, File]:
        for place in files:
            first, *others = place.split("/")
            is_below = first in _PARTS and others and not {"", ".", ".."} & set(others)
            if not is_below and place not in _SETTINGS:
                allowed = f"a path below {', '.join(_PARTS)}, or {', '.join(_SETTINGS)}"
                raise ValueError(f"{place!r} is no place of a backup; allowed: {allowed}")
        return files

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the list as it is written."""
        return digests.bytes_digest(self.text.encode())

    @property
    def text(self) -> str:
        return self.model_dump_json(indent=1) + "\n"

    def write(self, folder: Path) -> None:
        """Put the list into the folder that it is of."""
        (folder / NAME).write_text(self.text)

    def differences(self, folder: Path) -> Iterator[str]:
        """Yield a sentence for each file of the folder that is missing, is not as it was listed, or is not listed."""
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {NAME}
        for place in sorted(there | self.files.keys()):
            if place not in self.files:
                yield f"{place} is not in the list"
            elif place not in there:
                yield f"{place} is missing"
            elif digests.file_digest(folder / place) != self.files[place].sha256:
                yield f"{place} is not as it was written"


class Manifest(Files):
    """What a backup is. `artifact_root` is the URI at which the database says that artifacts are.

    `databases` are those that are in it, with the revision of each chain of their migrations. `elsewhere` are places of
    which nothing is in it, such as buckets. `faults` are sentences on what was not whole in the installation itself.
    """

    layout: Literal[1] = 1
    at: datetime
    release: str
    artifact_root: str
    databases: dict[str, dict[str, str]]
    elsewhere: tuple[str, ...]
    faults: tuple[str, ...]
    keys: Sha256


def read(folder: Path) -> Manifest:
    """Return the manifest of a backup; ValueError if the folder is none."""
    return _read(folder, Manifest)


def read_keys(folder: Path) -> Files:
    """Return the list of a folder of keys; ValueError if the folder is none."""
    return _read(folder, Files)


def listed(path: Path, mode: int) -> File:
    """Return what the list says of a file."""
    return File(size=path.stat().st_size, sha256=digests.file_digest(path), mode=mode)


def _read(folder: Path, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate_json((folder / NAME).read_bytes())
    except OSError as error:
        raise ValueError(f"{folder} is no backup: {NAME} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{folder / NAME} is no list of a backup: {first['loc']}: {first['msg']}") from error
