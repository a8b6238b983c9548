"""How the MLflow server and the signer talk: a line of JSON for each question and each answer, over a Unix socket.

No wait is without a limit, and no line without a length: neither side can hold up the other for good.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from models import database
from models.evidence import Manifest
from models.ledger import Entry

TURN_S = 30  # how long a section waits for those before it
SECTION_S = 60  # how long a section may last, without its wait for the database
LONGEST_WAIT_S = TURN_S + database.WAIT_S + SECTION_S + 5  # for the one who asks: the signer always answers before
LARGEST_LINE = 1024 * 1024  # bytes; the longest entry stays far below


class Answer(StrEnum):
    """Tells what became of a request."""

    DONE = "done"
    BROKEN = "broken"  # LedgerError: the ledger is not whole, or the entry is against the rules
    NOT_NOW = "not now"  # NotSigned


class Request(BaseModel):
    """A line of the one who asks; `version` and `evidence` belong to `attest`.

    The signer sets the entry's `at`, and an opening's policy, whatever is sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["probe", "begin", "append", "attempt", "commit", "attest"]
    entry: Entry | None = None
    version: int | None = None
    evidence: Manifest | None = None


class Gone(RuntimeError):
    """The other side has closed, says nothing for too long, or says something that is no line of JSON."""


class Line:
    """One connection, until `limit_s` from now is over.

    >>> here, there = socket.socketpair()
    >>> Line(here, 5).send({"do": "probe"})
    >>> Line(there, 5).receive()
    {'do': 'probe'}
    >>> Line(there, 0.01).receive()
    Traceback (most recent call last):
    ...
    models.signer.wire.Gone: nothing came within 0.01 s
    >>> here.close(), there.close()
    (None, None)
    """

    def __init__(self, connection: socket.socket, limit_s: float) -> None:
        self._connection, self._limit_s = connection, limit_s
        self._until = time.monotonic() + limit_s
        self._received = bytearray()

    def send(self, content: Mapping[str, Any]) -> None:
        try:
            self._connection.settimeout(self._left())
            self._connection.sendall(json.dumps(content).encode() + b"\n")
        except OSError as error:
            raise Gone(f"the other side takes nothing: {error}") from error

    def receive(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            try:
                self._connection.settimeout(self._left())
                part = self._connection.recv(65536)
            except TimeoutError:
                raise Gone(f"nothing came within {self._limit_s:g} s") from None
            except OSError as error:
                raise Gone(f"the other side is gone: {error}") from error
            if not part:
                raise Gone("the other side has closed")
            self._received += part
            if len(self._received) > LARGEST_LINE:
                raise Gone(f"a line is longer than {LARGEST_LINE} bytes")
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Gone(f"a line is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise Gone("a line is not a JSON object")
        return found

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@contextmanager
def place(file: Path) -> Generator[str]:
    """Give a short address of a socket's file: the kernel takes 107 bytes, and folders may be longer than that."""
    folder = os.open(file.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)


@contextmanager
def connected(file: Path, limit_s: float) -> Generator[Line]:
    """Open a line to the process that listens there; Gone if none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(limit_s)
            with place(file) as address:
                connection.connect(address)
        except OSError as error:
            raise Gone(f"nobody listens at {file}: {error.strerror or error}") from error
        yield Line(connection, limit_s)


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return process and user at the other end, by the word of the kernel, which cannot be deceived."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", found)
    return process, user
