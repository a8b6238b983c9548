"""Whether `tidewaiter up` runs for a state folder, and where its servers listen.

The answer is a file lock, not a process id: the kernel lets go of it however `up` ends, kill -9 included, and a
process id that another program has since been given cannot deceive anybody.
"""

import fcntl
import json
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

LOCK, TURN = "up.lock", "data.lock"
PATIENCE_S = 1.0  # a reader holds the lock for an instant


@dataclass(frozen=True)
class Running:
    """A running `up`. `is_ready` is false while its servers start and stop."""

    pid: int
    mlflow_url: str
    prefect_url: str
    is_ready: bool

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect_url}/api"


class AlreadyRunningError(RuntimeError):
    """Another `tidewaiter up` holds this state folder."""


class Claim:
    """The state folder, held by this process."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def announce(self, running: Running) -> None:
        """Tell others what runs here."""
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(running), self._file)
        self._file.flush()


@contextmanager
def claim(state_folder: Path) -> Generator[Claim]:
    """Hold the state folder until the block ends; AlreadyRunningError where another process holds it."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_folder / LOCK).open("a+") as file:
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
    """What runs for this state folder, or None. What a killed `up` left written is not believed."""
    path = state_folder / LOCK
    if not path.exists():
        return None
    with path.open() as file:
        if _lock(file, fcntl.LOCK_SH):
            return None
        text = file.read()
    try:
        return Running(**json.loads(text))
    except json.JSONDecodeError:  # claimed this instant, not announced yet
        return None


@contextmanager
def turn(state_folder: Path, waiting: Callable[[], AbstractContextManager[object]]) -> Generator[None]:
    """One run that writes data at a time, whoever started it; a later one waits inside `waiting` until it has ended."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_folder / TURN).open("w") as file:
        if not _lock(file, fcntl.LOCK_EX):
            with waiting():
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
