"""Checksums of files that are computed once and read again: they show that a file was cut short or had a bit flipped.

A day of the matrix has its checksum in its name, a JSON document has it in itself, and the other files of a folder are
in the folder's list. CRC-32 protects against accidents, not against people, and costs a third of a second of a core per
GB.
"""

import json
import os
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from features.disk.atomic import write_atomically

LIST = "checksums.json"
_BLOCK_BYTES = 1 << 20


class SpoiltError(ValueError):
    """Some files are not as they were written."""

    def __init__(self, files: list[Path]) -> None:
        names = ", ".join(str(file) for file in files)
        super().__init__(f"{names}: not as it was written: cut short, changed, lost, or by another version of the code")


def of(content: bytes) -> str:
    """Return the checksum of bytes, 8 hexadecimal digits.

    >>> of(b"tide")
    'be56230c'
    """
    return f"{zlib.crc32(content):08x}"


def differing(stated: Mapping[Path, str]) -> list[Path]:
    """Return the files that do not have the checksum stated for them, or do not exist."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(_of_file, stated)
        return [path for (path, checksum), is_now in zip(stated.items(), found, strict=True) if is_now != checksum]


def _of_file(path: Path) -> str | None:
    checksum = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                checksum = zlib.crc32(block, checksum)
    except FileNotFoundError:
        return None
    return f"{checksum:08x}"


def seal(folder: Path) -> None:
    """Write the list of a folder's files and their checksums."""
    write_json(folder / LIST, {file.name: _of_file(file) for file in sorted(folder.iterdir())})


def check(folder: Path) -> None:
    """Raise SpoiltError if a file of a sealed folder, or its list, is not as it was when the folder was sealed."""
    try:
        stated = read_json(folder / LIST)
    except FileNotFoundError:
        raise SpoiltError([folder / LIST]) from None
    if spoilt := differing({folder / name: checksum for name, checksum in stated.items()}):
        raise SpoiltError(spoilt)


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Create or replace a JSON file that holds `document` and its checksum."""
    content = _framed(json.dumps(document).encode())
    write_atomically(path, lambda partial: partial.write_bytes(content))


def read_json(path: Path) -> dict[str, Any]:
    """Return the document that `write_json` has written; SpoiltError if the file holds anything else."""
    content = path.read_bytes()
    document = content[len(_framed(b"")) - 2 : -2]
    if content != _framed(document):
        raise SpoiltError([path])
    return json.loads(document)


def _framed(document: bytes) -> bytes:
    return b'{"crc32": "%s", "content": %s}\n' % (of(document).encode(), document)
