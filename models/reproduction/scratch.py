"""The folder in which a version is made again: nobody else's, empty at the beginning, and emptied at the end."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.reproduction.stages import NotTried

FOLDER = "reproduction"


@dataclass(frozen=True)
class Scratch:
    """The folder, and the lock on it as an open file. A child that has that file too holds the lock as we do."""

    folder: Path
    lock: int


@contextmanager
def alone(state: Path) -> Generator[Scratch]:
    """Give a scratch folder within the state folder; NotTried while another process, or its child, works there.

    What a killed process has left there is removed by the next one.
    """
    folder = state.absolute() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotTried(f"another reproduction is at work in {folder}: try again when it is done") from error
        _empty(folder)
        try:
            yield Scratch(folder, lock)
        finally:
            _empty(folder)
    finally:
        os.close(lock)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
