"""Whether `tidewaiter up` runs for a state folder, where its servers listen, and which run writes data now.

A file lock gives the answer, and not a process id. The kernel releases it however `up` ends, kill -9 included, and a
process id that another program has been given since cannot deceive anybody.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

LOCK, TURN = "up.lock", "data.lock"
PATIENCE_S = 1.0  # a reader holds the lock for an instant


@dataclass(frozen=True)
class Running:
    """A running `up`. `is_ready` is false while its servers start or stop; `is_stopping` tells which of the two.

    `since` is the instant from which this is so, in ISO 8601; None where an earlier version announced it.
    """

    pid: int
    mlflow_url: str
    prefect_url: str
    is_ready: bool
    is_stopping: bool = False
    since: str | None = None

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect_url}/api"


class AlreadyRunningError(RuntimeError):
    """Another `tidewaiter up` holds this state folder."""


@dataclass(frozen=True)
class Holder:
    """The run whose turn it is to write data. `since` is in UTC, as 2024-03-05 01:30:00."""

    what: str
    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.what}, process {self.pid} on {self.host}, at work since {self.since} UTC"


class Claim:
    """A hold of this process on the state folder."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def announce(self, running: Running) -> None:
        """Tell others what runs here."""
        _write(self._file, asdict(running))


@contextmanager
def claim(state_folder: Path) -> Generator[Claim]:
    """Hold the state folder until the block ends; AlreadyRunningError if another process holds it."""
    with _opened(state_folder, LOCK) as file:
        deadline = time.monotonic() + PATIENCE_S
        while not _lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                other = find(state_folder)
                raise AlreadyRunningError(
                    f"tidewaiter up already runs for {state_folder.absolute()}"
                    f"{f', process {other.pid}' if other else ''}: see `tidewaiter status`"
                )
            time.sleep(0.05)
        yield Claim(file)
        file.truncate(0)


def find(state_folder: Path) -> Running | None:
    """Return the `up` that runs for this state folder, or None. What a killed `up` left written is not believed."""
    written = _held(state_folder / LOCK)
    return Running(**written) if written else None


@contextmanager
def turn(state_folder: Path, what: str, waiting: Callable[[str], AbstractContextManager[object]]) -> Generator[None]:
    """Let one run at a time write data, whoever started it; a later one waits until the one before has ended.

    `what` is told to those who wait. `waiting` gets a sentence on whom this run waits for, and is open for as long.
    """
    with _opened(state_folder, TURN) as file:
        if not _lock(file, fcntl.LOCK_EX):
            with waiting(f"Wait for {_told(_written(file))} to end"):
                fcntl.flock(file, fcntl.LOCK_EX)
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        _write(file, asdict(Holder(what, os.getpid(), socket.gethostname(), since)))
        try:
            yield
        finally:
            file.truncate(0)


def holder(state_folder: Path) -> str | None:
    """Return who has the turn; None if nobody has. What a killed run left written is not believed."""
    written = _held(state_folder / TURN)
    return None if written is None else _told(written)


def unwritable(state_folder: Path, error: OSError) -> ValueError:
    """Return the error on a state folder that cannot be written to."""
    return ValueError(
        f"state_folder: nothing can be written to '{state_folder}' ({error.strerror}); "
        "allowed: a folder that this user may write to"
    )


def _opened(state_folder: Path, name: str) -> TextIO:
    """Open a lock file of the state folder, which is made if it is missing; ValueError if that cannot be."""
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _open(state_folder / name)
    except OSError as error:
        raise unwritable(state_folder, error) from error


def _open(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")  # "a+" would write behind what is there


def _write(file: TextIO, content: Mapping[str, object]) -> None:
    # The content is overwritten and only then cut: a full disk has no room for more, and still holds what was there.
    file.seek(0)
    file.write(json.dumps(content))
    file.flush()
    file.truncate()


def _held(path: Path) -> dict[str, Any] | None:
    """Return what the holder of a lock file wrote; None if nobody holds it."""
    if not path.exists():
        return None
    with path.open() as file:
        return None if _lock(file, fcntl.LOCK_SH) else _written(file)


def _written(file: TextIO) -> dict[str, Any]:
    """Return what the holder wrote; empty in the instant before it writes."""
    file.seek(0)
    try:
        return json.loads(file.read())
    except json.JSONDecodeError:
        return {}


def _told(written: Mapping[str, Any]) -> str:
    return str(Holder(**written)) if written else "another run"


def _lock(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
