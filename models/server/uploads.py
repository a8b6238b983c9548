"""Uploads: nothing of a version is written after it was registered, however slowly a request to write came in.

A file is taken in whole before it is handed on, and is then judged again: what was free when its first byte came may
have become evidence since. From that judgement until MLflow has answered, a lock is held, which the registration of a
version takes for itself alone, so that no registration comes between. The lock is on a file, and works between
processes.

stored.py says which files are evidence.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import IO

import anyio
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from models.access import Refused, parts, refuse_length

LARGEST_FILE = 1024**3
FILE_S = 600.0
LOCK_FILE = "evidence.lock"
_IN_MEMORY = 1024**2
_CHUNK = 256 * 1024
_WAIT_S = 60.0
_LOOK_S = 0.02
_REGISTRATION = "mlflow/model-versions/create"
_WRITERS = ("mlflow/runs/", "mlflow/logged-models", "mlflow/experiments/")


class EvidenceLock:
    """A lock that all who write possible evidence hold together, and that the registration of a version holds alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / LOCK_FILE
        self._file.touch(0o600)

    def around(self, name: str) -> AbstractAsyncContextManager[None]:
        """Return what a request of this route holds from its judgement until it is answered."""
        if name == _REGISTRATION:
            return self._held(fcntl.LOCK_EX)
        return self.writing() if name.startswith(_WRITERS) else nullcontext()

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Return the lock as all hold it who write files, runs or logged models; Refused if a registration lasts."""
        return self._held(fcntl.LOCK_SH)

    @asynccontextmanager
    async def _held(self, kind: int) -> AsyncGenerator[None]:
        descriptor, until = os.open(self._file, os.O_RDWR | os.O_CLOEXEC), time.monotonic() + _WAIT_S
        try:
            while not _taken(descriptor, kind):
                if time.monotonic() > until:
                    other = "a version is being registered" if kind == fcntl.LOCK_SH else "files are being written"
                    raise Refused(f"{other}, for more than {_WAIT_S:.0f} s: try again", 503)
                await anyio.sleep(_LOOK_S)
            yield
        finally:
            os.close(descriptor)  # this releases the lock


@asynccontextmanager
async def taken_in(receive: Receive, headers: Headers) -> AsyncGenerator[Receive]:
    """Take in a request's file whole, to be received again; Refused if it is too large, too slow or breaks off."""
    refuse_length(headers, LARGEST_FILE)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="tidewaiter-") as file:
        try:
            with anyio.fail_after(FILE_S):
                async for part in parts(receive):
                    file.write(part)
                    if file.tell() > LARGEST_FILE:
                        raise Refused(f"the file is larger than {LARGEST_FILE} bytes", 413)
        except TimeoutError:
            raise Refused(f"the file did not come within {FILE_S:.0f} s", 408) from None
        file.seek(0)
        messages = _again(file)

        async def receive_again() -> Message:
            return await anext(messages, {"type": "http.disconnect"})

        yield receive_again


async def _again(file: IO[bytes]) -> AsyncIterator[Message]:
    chunk = file.read(_CHUNK)
    while following := file.read(_CHUNK):
        yield {"type": "http.request", "body": chunk, "more_body": True}
        chunk = following
    yield {"type": "http.request", "body": chunk, "more_body": False}


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
