"""Where tests keep their files: in memory if there is room, as a commit of a database takes 20 ms on a disk.

What tests hold about processes that are killed holds there too, since the machine goes on.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 4 * 2**30  # all tests together write less than two
_EVERYBODYS = 0o1777  # as /tmp is: some tests work as another user
_PREFIX, _LOCK = "tidewaiter-tests-", "lock"  # whoever has the lock uses the folder


@contextmanager
def temporary_files(place: Path = _MEMORY, enough_bytes: int = _ENOUGH_BYTES) -> Iterator[None]:
    """Let this process and its children have their temporary files in `place` until the end of the block.

    They stay on the disk if TMPDIR says where, if there is less room, or if no program may be run from there.
    """
    if "TMPDIR" in os.environ or not _is_fit(place, enough_bytes):
        yield
        return
    _remove_left_behind(place)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as folder,
        Path(folder, _LOCK).open("w") as lock,
        pytest.MonkeyPatch.context() as patch,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(folder).chmod(_EVERYBODYS)
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


def _remove_left_behind(place: Path) -> None:
    """Remove the folders of tests that were killed, since they take memory."""
    for file in place.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(file.parent, ignore_errors=True)


def _is_fit(place: Path, enough_bytes: int) -> bool:
    if not place.is_dir():
        return False
    runs_programs = not os.statvfs(place).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(place).free >= enough_bytes
