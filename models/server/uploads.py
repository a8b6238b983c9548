"""Nothing of a version is written after it was registered, however slowly the request came that would.

A file is taken in whole before it is handed on, and judged again then: what was free when its first byte came may have
become evidence since. From that judgement until MLflow has answered, a lock is held that the registration of a version
takes for itself alone, so that none comes between. The lock is on a file, and holds over processes.

Which files are evidence is stored.py's to say.
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

from models.access.call import Refused
from models.access.entrance import parts, refuse_length

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
    """Held by whoever writes what may become evidence, together; and by who registers a version, alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / LOCK_FILE
        self._file.touch(0o600)

    def around(self, name: str) -> AbstractAsyncContextManager[None]:
        """What a request of this route holds from its judgement until it is answered."""
        if name == _REGISTRATION:
            return self._held(fcntl.LOCK_EX)
        return self.writing() if name.startswith(_WRITERS) else nullcontext()

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Held by all who write files, runs and logged models; Refused where a registration does not end."""
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
            os.close(descriptor)  # and with it the lock


@asynccontextmanager
async def taken_in(receive: Receive, headers: Headers) -> AsyncGenerator[Receive]:
    """A file of a request, whole, to be received again; Refused where it is too large, too slow or breaks off."""
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
