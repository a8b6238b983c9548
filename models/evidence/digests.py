"""One way to write a JSON value, and the SHA-256 digests over values, bytes and files."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def canonical(value: object) -> bytes:
    """Return a JSON value in the one way to write it, in the manner of RFC 8785: sorted keys, no blanks, UTF-8.

    Floats are written as Python's repr does: the shortest text that reads back as the same number.

    >>> canonical({"b": [1, 0.1], "a": "é"}).decode()
    '{"a":"é","b":[1,0.1]}'
    >>> canonical({1: "a"})
    Traceback (most recent call last):
    ...
    ValueError: key 1 is int; JSON has only text as keys
    >>> canonical(float("nan"))
    Traceback (most recent call last):
    ...
    ValueError: nan is not a JSON number
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def json_digest(value: object) -> str:
    """Return the SHA-256 over the canonical form of a JSON value, in hexadecimal."""
    return bytes_digest(canonical(value))


def bytes_digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_if_there(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, in hexadecimal; None if there is no such file."""
    return file_digest(path) if path.is_file() else None


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} is {type(key).__name__}; JSON has only text as keys")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
